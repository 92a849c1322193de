"""Agents that learn by PPO to act on what they read, their tests and pictures.

command            the names of the subcommands
train_command      train
evaluate_command   evaluate
plot_command       plot
contests           who is tested where, and how it is played
"""
