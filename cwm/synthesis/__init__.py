"""The search loop: ask the tree, propose, run, score, tell, journal."""
