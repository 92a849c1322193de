"""What GLAM's authors have published of the tests, to be shown beside ours.

Carta et al. (https://arxiv.org/abs/2302.02662), section 5; the numbers are read off the
figure in their repository, to ±0.01. They are not ours, and not quite comparable: the
agents read Flan-T5-large's 780 million weights, each environment of the mixed levels
draws one kind of missions for good, and an evaluation ends as soon as 1,000 episodes
have ended, which favours short ones.
"""

from collections.abc import Mapping, Sequence
from typing import Any

SOURCE = "Carta et al. (2023), Flan-T5-large, read off a figure (±0.01)"

AGENTS = ("random", "DRRN", "NPAE", "Flan-T5", "GFlan-T5")
"""Whose numbers there are.

`Flan-T5` is not trained, `GFlan-T5` is by PPO; `NPAE` has its embeddings and shape, but
no other weights, and a head of actions.
"""

_RATES: Mapping[str, tuple[float, ...]] = {
    "training": (0.15, 0.14, 0.17, 0.11, 0.89),
    "new-nouns": (0.15, 0.15, 0.16, 0.09, 0.87),
    "invented-words": (0.15, 0.16, 0.16, 0.11, 0.77),
    "composition": (0.05, 0.06, 0.06, 0.02, 0.12),
    "synonym-actions": (0.15, 0.17, 0.16, 0.01, 0.12),
    # These were trained in GoToLocal.
    "french": (0.30, 0.31, 0.30, 0.03, 0.01),
}

PUBLISHED: Mapping[str, Mapping[str, float]] = {
    test: dict(zip(AGENTS, rates, strict=True)) for test, rates in _RATES.items()
}
"""Name of a test in `envs.babyai.variants` -> agent -> success rate."""


def published_json(tests: Sequence[str]) -> dict[str, Any] | None:
    """Returns what is published of tests as plain data; `None` without any."""
    rates = {test: dict(PUBLISHED[test]) for test in tests}
    return {"source": SOURCE, "success_rates": rates} if rates else None
