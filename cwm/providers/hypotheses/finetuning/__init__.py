"""The comparison: the statistician itself trained on what was collected."""
