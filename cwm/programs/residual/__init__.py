"""What a law leaves: a few corrections learned on top, written as code."""
