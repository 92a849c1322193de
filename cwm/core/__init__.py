"""Core types and protocols; imports nothing of ours."""
