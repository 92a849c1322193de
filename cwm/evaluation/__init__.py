"""Planning in a world model, acting in the real environment."""
