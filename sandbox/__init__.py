"""Runs untrusted source text with limits."""
