"""The search for hypotheses: phases, chains, records."""
