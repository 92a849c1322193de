from collections.abc import Sequence

import numpy as np
import pytest

from cwm.core.errors import ConfigError, DataError
from cwm.providers.hypotheses.evaluation.acting import (
    ORACLE,
    RANDOM,
    ActingPolicy,
    ActingRow,
    evaluate_acting,
    random_policy,
    wilson_interval,
)
from cwm.providers.hypotheses.evaluation.goals import GOALS, goal_env
from cwm.providers.hypotheses.evaluation.text_oracle import TextOracle
from cwm.providers.hypotheses.worlds import WORLDS

ROW = ActingRow(
    policy="model",
    goal="grow any plant",
    hypothesis="best",
    num_steps=(4, 30, 8),
    reached=(True, False, True),
)


def knowing(goal: str, hypothesis: str | None) -> ActingPolicy:
    """Acts by the rules if it is told any, else as if it knew nothing."""
    return random_policy if hypothesis is None else TextOracle(goal)


@pytest.mark.parametrize(
    ("goal", "num_steps"),
    [
        *zip(GOALS, (4, 7, 12, 19), strict=True),
        ("grow any pig", 7),
        ("grow any pea", 4),
        ("grow any giraffe", 12),
    ],
)
@pytest.mark.parametrize("name", ["playground", "playground-reworded"])
def test_the_oracle_reaches_every_goal_as_fast_as_can_be(
    name: str, goal: str, num_steps: int
) -> None:
    rows = evaluate_acting(
        knowing,
        name="model",
        open_env=goal_env(WORLDS[name]),
        hypotheses={},
        goals=[goal],
        num_episodes=8,
    )
    assert [(row.policy, row.hypothesis) for row in rows] == [
        (RANDOM, ""),
        (ORACLE, ""),
    ]
    assert rows[1].success_rate == 1.0
    assert set(rows[1].num_steps) == {num_steps}


def test_goals_times_hypotheses_beside_random_actions_and_the_oracle() -> None:
    told: list[ActingRow] = []
    rows = evaluate_acting(
        knowing,
        name="model",
        open_env=goal_env(WORLDS["playground"]),
        hypotheses={"none": None, "best": "water makes seeds grow"},
        goals=GOALS[:2],
        num_episodes=5,
        on_row=told.append,
    )
    assert rows == tuple(told)
    assert [(row.goal, row.policy, row.hypothesis) for row in rows] == [
        (goal, *rest)
        for goal in GOALS[:2]
        for rest in [(RANDOM, ""), (ORACLE, ""), ("model", "none"), ("model", "best")]
    ]
    for random, oracle, none, best in (rows[:4], rows[4:]):
        # The same scenes and the same random numbers for everybody.
        assert (random.num_steps, random.reached) == (none.num_steps, none.reached)
        assert (oracle.num_steps, oracle.reached) == (best.num_steps, best.reached)
        assert max(random.num_steps) == 30


def test_the_same_seed_gives_the_same_episodes() -> None:
    def rows(seed: int) -> tuple[ActingRow, ...]:
        return evaluate_acting(
            knowing,
            name="model",
            open_env=goal_env(WORLDS["playground"]),
            hypotheses={},
            goals=GOALS[:1],
            num_episodes=6,
            seed=seed,
        )

    assert rows(0) == rows(0)
    assert rows(0) != rows(1)


def beginnings(seed: int) -> list[tuple[str, float]]:
    """Returns the scene and the first random number of three episodes of two rows."""
    seen: list[tuple[str, float]] = []

    def look(
        state: str, actions: Sequence[tuple[int, str]], rng: np.random.Generator
    ) -> None:
        seen.append((state, rng.random()))

    evaluate_acting(
        lambda goal, hypothesis: look,
        name="model",
        open_env=goal_env(WORLDS["playground"]),
        hypotheses={"none": None, "best": "water makes seeds grow"},
        goals=GOALS[:1],
        num_episodes=3,
        seed=seed,
    )
    return seen


def test_every_row_begins_with_the_same_scenes_and_numbers() -> None:
    seen = beginnings(0)
    assert seen[:3] == seen[3:]
    assert len({scene for scene, _ in seen}) == 3
    assert len({number for _, number in seen}) == 3


def test_scenes_and_numbers_depend_on_the_seed() -> None:
    ours, others = (zip(*beginnings(seed), strict=True) for seed in (0, 1))
    for one, other in zip(ours, others, strict=True):
        assert not set(one) & set(other)


def test_who_gives_up_has_not_reached_the_goal() -> None:
    rows = evaluate_acting(
        lambda goal, hypothesis: lambda state, actions, rng: None,
        name="lazy",
        open_env=goal_env(WORLDS["playground"]),
        hypotheses={"none": None},
        goals=GOALS[:1],
        num_episodes=2,
    )
    assert (rows[-1].num_steps, rows[-1].reached) == ((0, 0), (False, False))
    assert rows[-1].mean_steps_to_goal is None


def test_an_action_that_is_not_listed_is_refused() -> None:
    with pytest.raises(ValueError, match=r"one of \d+ listed actions, got 0"):
        evaluate_acting(
            lambda goal, hypothesis: lambda state, actions, rng: 0,
            name="wrong",
            open_env=goal_env(WORLDS["playground"]),
            hypotheses={"none": None},
            goals=GOALS[:1],
            num_episodes=1,
        )


def test_the_door_has_no_goals() -> None:
    with pytest.raises(ConfigError, match=r"needs an env with goals.*got 'door'"):
        goal_env(WORLDS["door"])


def test_figures_of_a_row() -> None:
    assert (ROW.num_reached, ROW.mean_steps, ROW.mean_steps_to_goal) == (2, 14.0, 6.0)
    assert ROW.success_rate == pytest.approx(2 / 3)
    assert ActingRow.from_json(ROW.to_json()) == ROW
    with pytest.raises(DataError, match="Episodes cannot be read"):
        ActingRow.from_json({"policy": "model"})


@pytest.mark.parametrize(
    ("num_successes", "number", "low", "high"),
    [
        # z^2 = 3.841459: 0 of 10 ends at z^2 / (10 + z^2), 5 of 10 is symmetric.
        (0, 10, 0.0, 0.277533),
        (10, 10, 0.722467, 1.0),
        (5, 10, 0.236593, 0.763407),
    ],
)
def test_the_interval_of_wilson(
    num_successes: int, number: int, low: float, high: float
) -> None:
    found = wilson_interval(num_successes, number)
    assert found == pytest.approx((low, high), abs=2e-6)


def test_a_rate_needs_trials() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0 of 0"):
        wilson_interval(0, 0)


def test_the_oracle_stops_where_its_script_cannot_be_followed() -> None:
    oracle = TextOracle("grow any plant")
    state = "You see the pea seed. In your inventory, there is nothing."
    actions = [(11, "You go to the pea seed.")]
    assert oracle(state, actions, np.random.default_rng(0)) is None
