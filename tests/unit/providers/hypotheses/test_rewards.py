"""Curiosity rewards, against numbers computed by hand from the published formulas."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import DataError
from cwm.core.protocols import FloatArray
from cwm.providers.hypotheses.config import CuriosityConfig, RewardName
from cwm.providers.hypotheses.experimenters.rewards import (
    CuriosityReward,
    RareTypes,
    make_reward,
)
from cwm.providers.hypotheses.texts import TextTrajectory, TextTransition


class Table:
    """A statistician that knows a log-probability for each hypothesis and change."""

    name = "table"
    is_stand_in = True

    def __init__(self, table: Mapping[str | None, Mapping[str, float]]) -> None:
        self._table = table
        self.asked: list[str | None] = []

    def log_probs(
        self, hypothesis: str | None, transitions: Sequence[TextTransition]
    ) -> FloatArray:
        self.asked.append(hypothesis)
        known = self._table[hypothesis]
        return np.array([known[one.change] for one in transitions])


def trajectory(changes: str, types: Sequence[str] = ()) -> TextTrajectory:
    """Returns a trajectory with a change for each letter."""
    return TextTrajectory(
        states=tuple(f"state {i}" for i in range(len(changes) + 1)),
        actions=("act",) * len(changes),
        changes=tuple(changes),
        types=tuple(types) or ("standing",) * len(changes),
        action_ids=(1,) * len(changes),
    )


DATA = [
    trajectory("ab", ("standing", "holding1")),
    trajectory("c", ("standing",)),
]
TABLE = {
    "old": {"a": -3.0, "b": -1.0, "c": -2.0},
    "new": {"a": -1.0, "b": -4.0, "c": -2.5},
}
"""Progress is 2, 3 and 0.5."""


def made(reward: RewardName, **settings: Any) -> CuriosityReward:
    return make_reward(CuriosityConfig(reward=reward, **settings))


def rewarded(
    reward: CuriosityReward, now: str | None, before: str | None
) -> list[list[float]]:
    found = reward.rewards(DATA, now, before, Table(TABLE))
    return [one.tolist() for one in found]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("logp", [[1.0, 4.0], [2.5]]),
        ("alp", [[2.0, 3.0], [0.5]]),
        ("alpll", [[2.0, 12.0], [1.25]]),
    ],
)
def test_formulas_of_rewards_without_memory(
    name: RewardName, expected: list[list[float]]
) -> None:
    reward = made(name)
    assert rewarded(reward, "new", "old") == expected
    assert reward.to_json() == {}
    reward.load_json({})
    with pytest.raises(DataError, match=r"remembers nothing, got \['counts'\]"):
        reward.load_json({"counts": {}})


@pytest.mark.parametrize("name", ["alp", "alpll", "alpexp"])
def test_an_unchanged_hypothesis_teaches_nothing_and_nobody_is_asked(
    name: RewardName,
) -> None:
    nobody = Table({})
    found = made(name).rewards(DATA, "new", "new", nobody)
    assert [one.tolist() for one in found] == [[0.0, 0.0], [0.0]]
    assert [one.shape for one in found] == [(2,), (1,)]
    assert nobody.asked == []


def test_surprise_does_not_ask_about_the_hypothesis_before() -> None:
    table = Table(TABLE)
    made("logp").rewards(DATA, "new", "old", table)
    assert table.asked == ["new"]


def test_progress_is_mixed_with_its_average_of_before() -> None:
    reward = made("alpexp", smoothing=0.6)
    # The averages are 0 as yet; m <- 0.4 * (2 + 0.5) / 2 and 0.4 * 3.
    assert np.allclose(
        np.concatenate(reward.rewards(DATA, "new", "old", Table(TABLE))),
        [0.4 * 2, 0.4 * 3, 0.4 * 0.5],
    )
    averages = reward.to_json()["averages"]
    assert averages == pytest.approx({"standing": 0.5, "holding1": 1.2})
    # Now there is only standing: holding1's average shrinks, and comes back smaller.
    only_standing = [trajectory("a")]
    found = reward.rewards(only_standing, "new", "old", Table(TABLE))
    assert np.concatenate(found) == pytest.approx([0.4 * 2 + 0.6 * 0.5])
    averages = reward.to_json()["averages"]
    assert averages == pytest.approx(
        {"standing": 0.6 * 0.5 + 0.4 * 2, "holding1": 0.6 * 1.2}
    )
    # Of an unchanged hypothesis the average alone is left.
    same = reward.rewards(DATA, "new", "new", Table({}))
    assert np.concatenate(same) == pytest.approx([0.6 * 1.1, 0.6 * 0.72, 0.6 * 1.1])


def test_rare_types_are_counted_by_step_and_then_by_environment() -> None:
    # Two environments of three steps; the first one's episode ends after two.
    data = [
        trajectory("ab", ("standing", "holding1")),
        trajectory("c", ("standing",)),
        trajectory("def", ("standing", "standing", "transformP")),
    ]
    reward = made("count", num_envs=2, num_steps=3)
    nobody = Table({})
    found = reward.rewards(data, "new", "old", nobody)
    # Met: a d | b e | c f; standing is 1 (a), 2 (d), 3 (e), 4 (c).
    assert [one.tolist() for one in found] == [
        [pytest.approx(0.09), pytest.approx(0.21)],
        [pytest.approx(0.09 / 4)],
        [pytest.approx(0.09 / 2), pytest.approx(0.09 / 3), pytest.approx(0.77)],
    ]
    assert nobody.asked == []
    assert reward.to_json() == {
        "counts": {"standing": 4, "holding1": 1, "transformP": 1}
    }
    again = reward.rewards(data, "new", "old", nobody)
    assert again[0].tolist() == pytest.approx([0.09 / 5, 0.21 / 2])


def test_weights_of_types_are_the_published_ones() -> None:
    names = (
        *("nothing", "standing", "holding1", "holding2"),
        *("transformP", "transformSH", "transformBH"),
    )
    reward = made("count", num_envs=1)
    (found,) = reward.rewards([trajectory("abcdefg", names)], None, None, Table({}))
    assert found.tolist() == [0.1, 0.09, 0.21, 0.03, 0.77, 0.87, 1.74]


def test_counts_have_an_exponent() -> None:
    reward = RareTypes(num_envs=1, exponent=0.5, weights={"standing": 1.0})
    (found,) = reward.rewards([trajectory("abcd")], None, None, Table({}))
    assert found == pytest.approx([1, 2**-0.5, 3**-0.5, 0.5])


def test_counting_needs_known_types_and_equal_environments() -> None:
    reward = made("count", num_envs=2)
    with pytest.raises(ValueError, match=r"each of the 2 environments, got 3 in all"):
        reward.rewards(DATA, None, None, Table({}))
    with pytest.raises(ValueError, match=r"must be among nothing, .*, got opened"):
        reward.rewards([trajectory("ab", ("opened",) * 2)], None, None, Table({}))
    assert reward.to_json() == {"counts": {}}


@pytest.mark.parametrize("name", ["alpexp", "count"])
def test_a_memory_that_was_written_goes_on_alike(name: RewardName) -> None:
    whole, first, second = (made(name, num_envs=3) for _ in range(3))
    rewarded(whole, "new", "old")
    rewarded(first, "new", "old")
    second.load_json(json.loads(json.dumps(first.to_json())))
    assert rewarded(second, "old", "new") == rewarded(whole, "old", "new")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"counts": 3},
        {"counts": {"standing": 1.5}},
        {"counts": {"standing": True}},
        {"counts": {"standing": -1}},
        {"counts": {}, "averages": {}},
    ],
)
def test_another_memory_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="must be 'counts' with a number at least 0"):
        made("count").load_json(data)


def test_no_trajectories_have_no_rewards() -> None:
    assert make_reward(CuriosityConfig()).rewards([], "new", "new", Table({})) == []
