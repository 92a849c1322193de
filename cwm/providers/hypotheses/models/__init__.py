"""Hypotheses as world models that planners can ask."""
