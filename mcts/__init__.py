"""Tree search; knows nothing of what it searches."""
