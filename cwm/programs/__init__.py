"""Programs as world models: running, scoring, counterexamples."""
