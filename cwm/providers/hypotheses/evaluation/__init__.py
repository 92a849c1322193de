"""What hypotheses are worth: likelihood, ranks, controls, acting."""
