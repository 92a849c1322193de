"""Who draws hypotheses from what happened."""
