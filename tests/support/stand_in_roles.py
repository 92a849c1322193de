"""Roles of hypothesis induction whose numbers are hashes: the same on every machine."""

import hashlib
from collections.abc import Sequence

import numpy as np

from cwm.core.protocols import FloatArray
from cwm.providers.hypotheses.roles import Assignment, Evidence, Proposal
from cwm.providers.hypotheses.texts import TextTrajectory, TextTransition


def number(*parts: object) -> float:
    """A number in `[0, 1)` from the texts of the parts."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


class HashStatistician:
    """Log-probabilities between -4 and 0; counts the transitions that it was asked."""

    name = "hash"
    is_stand_in = True

    def __init__(self) -> None:
        self.num_scored = 0

    def log_probs(
        self, hypothesis: str | None, transitions: Sequence[TextTransition]
    ) -> FloatArray:
        self.num_scored += len(transitions)
        return np.array([-4.0 * number(hypothesis, *one) for one in transitions])


class HashScientist:
    """Names hypotheses after what it was shown, and its seed."""

    name = "hash"
    is_stand_in = True

    def __init__(self, *, has_log_probs: bool = True) -> None:
        self.has_log_probs = has_log_probs
        self.asked: list[Evidence] = []

    def propose(
        self, evidence: Sequence[Evidence], *, seeds: Sequence[int]
    ) -> list[Proposal]:
        self.asked += evidence
        return [
            Proposal(hypothesis=f"rule {number(shown(one), seed):.6f}")
            for one, seed in zip(evidence, seeds, strict=True)
        ]

    def log_probs(
        self, proposals: Sequence[Proposal], evidence: Sequence[Evidence]
    ) -> FloatArray:
        return np.array(
            [
                -3.0 * number("q", one.hypothesis, shown(of))
                for one, of in zip(proposals, evidence, strict=True)
            ]
        )


def shown(evidence: Evidence) -> str:
    """Everything that a scientist was shown, as one text."""
    return repr(
        (
            [one.to_json() for one in evidence.trajectories],
            evidence.previous,
            [one.to_json() for one in evidence.worst],
        )
    )


class Walker:
    """Brings short trajectories in made-up words, of lengths 1, 2, 3, ..."""

    name = "walker"

    def __init__(self) -> None:
        self.assignments: list[Assignment] = []

    def collect(self, assignment: Assignment) -> tuple[TextTrajectory, ...]:
        self.assignments.append(assignment)
        return tuple(
            trajectory(f"{assignment.seed}-{index}", index + 1)
            for index in range(assignment.num_trajectories)
        )


def trajectory(name: str, num_steps: int) -> TextTrajectory:
    """A trajectory in made-up words; types take turns."""
    return TextTrajectory(
        states=tuple(f"State {name} {step}." for step in range(num_steps + 1)),
        actions=tuple(f"You do {name} {step}." for step in range(num_steps)),
        changes=tuple(f"It becomes {name} {step}." for step in range(num_steps)),
        types=tuple(("odd", "even")[step % 2] for step in range(num_steps)),
        action_ids=tuple(range(num_steps)),
    )
