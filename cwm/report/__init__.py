"""What a run shows: terminal tables and JSON."""
