"""Budgets, progress and executors, shared by every provider."""
