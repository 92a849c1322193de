"""Who acts in text games, with and without knowledge, and how episodes are played."""
