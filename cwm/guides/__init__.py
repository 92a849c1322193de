"""What guides planners: runs of `cwm.ppo` and `cwm.knowledge`, named in words."""
