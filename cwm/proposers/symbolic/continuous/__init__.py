"""Induction of programs for real-valued states: laws, events, rules, rewards."""
