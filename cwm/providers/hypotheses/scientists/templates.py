"""A scientist without a language model: it adds, drops and replaces rules.

Covers: a stand-in for tests, rehearsals and machines without torch, with exact
    probabilities of what it proposes.
Does not cover: finding rules; see `regularities` beside it.
"""

from collections.abc import Iterable, Sequence
from itertools import product
from math import comb, inf, log

import numpy as np

from cwm.core.protocols import FloatArray
from cwm.core.seeding import child_rng
from cwm.providers.hypotheses.roles import Evidence, Proposal
from cwm.providers.hypotheses.scientists.regularities import find_rules

Rules = frozenset[str]
"""A hypothesis of this scientist's: its lines, whose order says nothing."""


class TemplateScientist:
    """Changes one rule of the previous hypothesis at random; see `Scientist`.

    With a previous hypothesis it adds a rule, drops one, or replaces one by another:
    each kind that is possible with the same probability, and each change of a kind.
    Without one, or with a blank one, it draws a number of rules and then as many
    different ones. The rules of a hypothesis stand in alphabetical order, one on a
    line.

    Every line of the previous hypothesis counts as a rule, but only rules that the
    evidence shows are added. A line that it does not show can be dropped and never
    comes back: the way back has probability 0.
    """

    name = "template stand-in"
    is_stand_in = True
    has_log_probs = True

    def __init__(self, *, max_rules: int = 8) -> None:
        """Makes the scientist.

        Args:
            max_rules: No rule is added to so many; at least 1.

        Raises:
            ValueError: If `max_rules` is below 1.
        """
        if max_rules < 1:
            raise ValueError(f"max_rules must be at least 1, got {max_rules}.")
        self._max_rules = max_rules

    def propose(
        self, evidence: Sequence[Evidence], *, seeds: Sequence[int]
    ) -> list[Proposal]:
        """Returns a hypothesis for each evidence, each drawn with its own seed."""
        return [
            Proposal(hypothesis=_text(self._draw(one, child_rng(seed, "rules"))))
            for one, seed in zip(evidence, seeds, strict=True)
        ]

    def log_probs(
        self, proposals: Sequence[Proposal], evidence: Sequence[Evidence]
    ) -> FloatArray:
        """Returns `log q(hypothesis | evidence)`, `[N]`; minus infinity for never."""
        pairs = zip(proposals, evidence, strict=True)
        found = [self._log_prob(one.hypothesis, shown) for one, shown in pairs]
        return np.array(found, dtype=np.float64)

    def _draw(self, evidence: Evidence, rng: np.random.Generator) -> Rules:
        pool = find_rules(evidence.trajectories)
        previous = _read(evidence.previous)
        if not previous:
            if not pool:
                return previous
            size = int(rng.integers(1, self._most(pool) + 1))
            return frozenset(rng.choice(pool, size=size, replace=False).tolist())
        kinds = self._kinds(previous, pool)
        kind = kinds[int(rng.integers(len(kinds)))]
        return kind[int(rng.integers(len(kind)))]

    def _log_prob(self, hypothesis: str, evidence: Evidence) -> float:
        pool = find_rules(evidence.trajectories)
        # Which line comes first changes nothing: texts of the same lines are one.
        previous, rules = _read(evidence.previous), _read(hypothesis)
        if not previous:
            return self._log_prob_of_first(rules, pool)
        kinds = self._kinds(previous, pool)
        for kind in kinds:
            if rules in kind:
                return -log(len(kinds)) - log(len(kind))
        return -inf

    def _log_prob_of_first(self, rules: Rules, pool: Sequence[str]) -> float:
        if not pool:
            return -inf if rules else 0.0
        if not 1 <= len(rules) <= self._most(pool) or not rules <= set(pool):
            return -inf
        return -log(self._most(pool)) - log(comb(len(pool), len(rules)))

    def _most(self, pool: Sequence[str]) -> int:
        return min(self._max_rules, len(pool))

    def _kinds(self, rules: Rules, pool: Sequence[str]) -> list[list[Rules]]:
        """Returns what can come of each kind of change; no two have one in common."""
        new = [rule for rule in pool if rule not in rules]
        old = sorted(rules)
        added = [rules | {rule} for rule in new] if len(rules) < self._max_rules else []
        dropped = [rules - {rule} for rule in old] if len(rules) > 1 else []
        replaced = [rules - {one} | {other} for one, other in product(old, new)]
        found = [kind for kind in (added, dropped, replaced) if kind]
        return found or [[rules]]


def _read(hypothesis: str | None) -> Rules:
    lines = (hypothesis or "").splitlines()
    return frozenset(line.strip() for line in lines if line.strip())


def _text(rules: Iterable[str]) -> str:
    return "\n".join(sorted(rules))
