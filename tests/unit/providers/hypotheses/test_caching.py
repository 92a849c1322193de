"""A statistician that is asked nothing twice."""

from collections.abc import Sequence

import numpy as np
import pytest

from cwm.core.errors import LLMError
from cwm.core.protocols import FloatArray
from cwm.providers.hypotheses.roles import Statistician
from cwm.providers.hypotheses.statisticians.caching import CachedStatistician
from cwm.providers.hypotheses.texts import TextTransition

A, B, C = (TextTransition("s", "a", change) for change in ("one", "two!", "three"))


class Counting:
    name = "counting"
    is_stand_in = True

    def __init__(self) -> None:
        self.calls: list[tuple[str | None, tuple[TextTransition, ...]]] = []

    def log_probs(
        self, hypothesis: str | None, transitions: Sequence[TextTransition]
    ) -> FloatArray:
        if hypothesis == "refused":
            raise LLMError("No.", retryable=False)
        self.calls.append((hypothesis, tuple(transitions)))
        return np.array([-float(len(one.change)) for one in transitions])


def test_equal_transitions_of_a_call_are_scored_once() -> None:
    inner = Counting()
    cached = CachedStatistician(inner)
    found = cached.log_probs("h", [B, A, B, B])
    np.testing.assert_array_equal(found, [-4.0, -3.0, -4.0, -4.0])
    assert inner.calls == [("h", (B, A))]
    assert (cached.num_asked, cached.num_scored) == (4, 2)


def test_what_is_known_is_not_asked_again_for_the_same_hypothesis() -> None:
    inner = Counting()
    cached = CachedStatistician(inner)
    for hypothesis in ("h", None, "h", ""):
        cached.log_probs(hypothesis, [A, B])
    np.testing.assert_array_equal(cached.log_probs("h", [C, A]), [-5.0, -3.0])
    assert inner.calls == [
        ("h", (A, B)),
        (None, (A, B)),
        ("", (A, B)),
        ("h", (C,)),
    ]
    assert (cached.num_asked, cached.num_scored) == (10, 7)


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    inner = Counting()
    cached = CachedStatistician(inner, max_entries=2)
    for transition in (A, B, A, C, A, B):
        cached.log_probs("h", [transition])
    assert [one for _, (one,) in inner.calls] == [A, B, C, B]


def test_a_call_with_more_than_is_remembered_is_answered_whole() -> None:
    cached = CachedStatistician(Counting(), max_entries=1)
    np.testing.assert_array_equal(
        cached.log_probs("h", [A, B, C, A]), [-3.0, -4.0, -5.0, -3.0]
    )


def test_a_failed_call_changes_nothing() -> None:
    inner = Counting()
    cached = CachedStatistician(inner)
    with pytest.raises(LLMError):
        cached.log_probs("refused", [A])
    assert (cached.num_asked, cached.num_scored) == (0, 0)


def test_it_is_who_the_other_one_is() -> None:
    cached: Statistician = CachedStatistician(Counting())
    assert (cached.name, cached.is_stand_in) == ("counting", True)
    assert cached.log_probs("h", []).shape == (0,)


def test_room_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="max_entries must be at least 1, got 0"):
        CachedStatistician(Counting(), max_entries=0)
