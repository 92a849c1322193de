"""Agents that read, put together: settings and folders of runs, training, uses."""
