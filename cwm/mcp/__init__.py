"""The verifier of a run for coding agents, by the Model Context Protocol."""
