"""Prompt templates and parsing of completions."""
