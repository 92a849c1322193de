"""Warnings about language models: what goes on, but not as it was asked for."""

import warnings


class LLMWarning(UserWarning):
    """A service or a store that does something else than it was asked for."""


def warn(message: str) -> None:
    """Warns the user; what the models use unless they are given something else."""
    warnings.warn(message, LLMWarning, stacklevel=3)
