"""Planners over the world-model protocol."""
