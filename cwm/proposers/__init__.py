"""Who writes candidate programs."""
