"""How agents learn: PPO, and cloning what another agent does."""
