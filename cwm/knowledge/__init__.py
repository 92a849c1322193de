"""`python -m cwm.knowledge`: world knowledge models, step by step or all at once."""
