"""Networks that say how probable each action is, and what a situation is worth."""
