"""Fast forms of a verified program, each accepted only where it equals the original."""
