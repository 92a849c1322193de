"""Drivers for programs of everyday shape: whole programs, and named functions."""
