"""A rule that a program lacks is found again, and nothing where there is none."""

from dataclasses import replace

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.core.trajectories import TransitionBatch
from cwm.programs.residual.config import ResidualConfig
from cwm.programs.residual.holding_back import (
    Halves,
    chance_of,
    hold_back,
    is_confirmed,
)
from tests.support.lacking_rules import LAW, data, learned, world


def texts(batch: TransitionBatch, **settings: object) -> list[str]:
    return [term.text for term in learned(batch, **settings).terms]  # type: ignore[arg-type]


def test_a_law_without_a_fault_gets_no_residual() -> None:
    found = learned(data(LAW))
    assert found.terms == ()
    assert found.problems == ()


def test_a_bonus_is_a_constant_under_a_condition() -> None:
    batch = data(world(reward="-(x**2) + (0.5 if x >= 0.45 else 0.0)"))
    (term,) = learned(batch).terms
    assert term.part == "reward"
    assert term.text.startswith("reward + 0.5 where next observation[0] >= 0.4")
    paid = int((batch.next_observations[""][:, 0] >= 0.45).sum())
    assert (term.num_repaired, term.num_broken) == (paid, 0)
    assert 0 < term.num_confirmed < paid


def test_a_limit_is_moved_out_to_rows_that_were_held_back() -> None:
    batch = data(world(reward="-(x**2) + (1.0 if x >= 0.25 else 0.0)"), seed=2)
    after = batch.next_observations[""][:, 0]
    halves = hold_back(batch, 0.3, wrong=after >= 0.25, seed=2)
    least = [
        after[rows][after[rows] >= 0.25].min()
        for rows in (halves.learned, halves.held_back)
    ]
    assert least[1] < least[0]  # The lowest row with the bonus is not learned from.
    found = learned(batch, halves=halves, config=ResidualConfig(min_explained=0.0))
    assert [term.text for term in found.terms] == [
        "reward + 1 where next observation[0] >= 0.25"
    ]
    assert found.problems == ()


def test_a_bonus_for_one_action_is_a_comparison_with_its_code() -> None:
    batch = data(world(reward="-(x**2) + (0.25 if action == 2 else 0.0)"))
    assert texts(batch) == ["reward + 0.25 where action == 2"]


def test_a_limit_is_a_limit_and_no_condition() -> None:
    assert texts(data(world("v = min(max(v, -0.9), 0.9)"))) == [
        "next observation[1] at least -0.9 and at most 0.9"
    ]


def test_an_angle_is_wrapped_in_one_term() -> None:
    rule = "x = (x + 0.5) % 1.0 - 0.5"
    assert texts(data(world(rule))) == [
        "next observation[0] wrapped into 1 from -0.5 on"
    ]


def test_a_cost_that_is_missing_is_a_term_of_a_sum() -> None:
    batch = data(world(reward="-(x**2) - 0.125 * self.v**2"))
    assert texts(batch) == ["reward - 0.125 * observation[1]^2"]


def test_a_friction_that_is_missing_is_found_to_its_digits() -> None:
    batch = data(world("v = v - 0.03 * self.v"))
    assert texts(batch) == ["next observation[1] - 0.03 * observation[1]"]


def test_an_end_that_is_missing_is_one_threshold() -> None:
    (text,) = texts(data(world("terminated = terminated or bool(x >= 0.6)")))
    assert text.startswith("terminated where next observation[0] >= 0.")


def test_an_end_that_is_none_is_taken_back() -> None:
    law = LAW.replace("abs(x) > self.wall", "abs(x) > 0.8")
    (text,) = texts(data(LAW), law=law)
    assert text.startswith("not terminated where |next observation[0]| <= 1.")


def test_a_reward_may_hang_on_the_end() -> None:
    batch = data(world(reward="-(x**2) - (5.0 if terminated else 0.0)"))
    assert texts(batch) == ["reward - 5 where terminated == 1"]


def test_a_reward_reads_the_observation_as_it_is_corrected() -> None:
    rule = "x = min(x, 0.5)"
    batch = data(world(rule, reward="-(x**2) if x < 0.5 else 1.0"))
    assert "reward = 1 where next observation[0] >= 0.5" in texts(batch)


def flipped(seed: int, share: float = 0.1, *, number: int = 12) -> TransitionBatch:
    """Transitions of the law with rewards that are one too high, here and there."""
    batch = data(LAW, seed=seed, num_trajectories=number)
    noise = np.random.default_rng(seed).random(len(batch)) < share
    return replace(batch, rewards=batch.rewards + noise)


def all_rows(batch: TransitionBatch) -> Halves:
    """Half of the broken twin: what is learned from judges, too."""
    rows = np.arange(len(batch))
    return Halves(rows, rows)


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_learned_from_noise(seed: int) -> None:
    batch = flipped(seed)
    assert learned(batch).terms == ()


def test_without_rows_held_back_noise_is_learned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lax = ResidualConfig(min_rows=4)
    batches = [flipped(seed, 0.4, number=2) for seed in range(8)]
    kept = [learned(batch, config=lax).terms for batch in batches]
    assert not any(kept)
    monkeypatch.setattr(
        "cwm.programs.residual.learning.is_confirmed", lambda gains, usual: True
    )
    fooled = [
        learned(batch, config=lax, halves=all_rows(batch)).terms for batch in batches
    ]
    assert sum(map(bool, fooled)) >= 4


def test_noise_of_observations_is_no_law_either() -> None:
    batch = data(LAW)
    noise = np.random.default_rng(0).normal(size=(len(batch), 2)) * 0.01
    following = (batch.next_observations[""] + noise).astype(np.float32)
    assert learned(replace(batch, next_observations={"": following})).terms == ()


def test_a_part_that_the_law_does_not_explain_is_refused() -> None:
    batch = data(world(reward="np.sin(7.0 * x) * np.cos(3.0 * v)"))
    found = learned(batch)
    assert found.terms == ()
    (problem,) = found.problems
    assert problem.startswith("`reward` is right in 0% of the training transitions")
    assert problem.endswith("that is no residual (min_explained)")


def test_a_fault_in_too_few_rows_is_left_alone() -> None:
    batch = data(LAW)
    rewards = batch.rewards.copy()
    rewards[:3] += 1.0
    found = learned(replace(batch, rewards=rewards))
    assert found.terms == ()
    (problem,) = found.problems
    assert problem.startswith("`reward` stays wrong in 3 of ")


def test_more_terms_than_are_allowed_are_not_made_and_it_is_said() -> None:
    rule = "v = min(max(v, -0.9), 0.9)"
    batch = data(world(rule, reward="-(x**2) + (0.5 if x >= 0.45 else 0.0)"))
    found = learned(batch, config=ResidualConfig(max_terms=1))
    assert len(found.terms) == 1
    assert found.is_capped


def test_equal_seeds_learn_the_same() -> None:
    batch = data(world("v = min(max(v, -0.9), 0.9)"))
    assert learned(batch, seed=3).terms == learned(batch, seed=3).terms


def test_rows_that_are_near_in_time_are_held_back_together() -> None:
    batch = data(LAW)
    halves = hold_back(batch, 0.3, wrong=np.zeros(len(batch), np.bool_), seed=0)
    held = set(batch.trajectory[halves.held_back].tolist())
    assert not held & set(batch.trajectory[halves.learned].tolist())
    assert halves.number == len(batch)
    assert 0.2 < len(halves.held_back) / len(batch) < 0.4


def test_of_what_is_wrong_some_is_held_back() -> None:
    """With this seed the first draw holds back no trajectory with the bonus."""
    batch = data(world(reward="-(x**2) + (1.0 if x >= 0.56 else 0.0)"), seed=943)
    wrong = batch.next_observations[""][:, 0] >= 0.56
    nothing = np.zeros(len(batch), np.bool_)
    first = hold_back(batch, 0.3, wrong=nothing, seed=943)
    assert not wrong[first.held_back].any()
    halves = hold_back(batch, 0.3, wrong=wrong, seed=943)
    assert wrong[halves.held_back].sum() >= 0.25 * 0.3 * wrong.sum()
    assert texts(batch, seed=943) == ["reward + 1 where next observation[0] >= 0.56"]


def test_a_gain_counts_where_chance_would_hardly_give_it() -> None:
    # Two of two at one in a hundred: 1e-4; two of two at one in ten: 0.01.
    assert chance_of(2, 2, 0.1) == pytest.approx(0.01)
    assert chance_of(0, 5, 0.3) == pytest.approx(1.0)
    two = np.array([1.0, 1.0, 0.0])
    assert is_confirmed(two, 0.01)
    assert not is_confirmed(two, 0.1)
    assert not is_confirmed(np.array([1.0, 1.0, -1.0]), 0.01)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("max_terms", 0, r"max_terms must be at least 1, got 0 \(terms\)."),
        ("min_rows", 3, r"min_rows must be at least 4, got 3 \(transitions\)."),
        ("min_explained", 1.5, r"min_explained must be in \[0, 1\], got 1.5."),
        ("held_back_fraction", 0.0, r"must be in \(0, 0.5\], got 0.0."),
    ],
)
def test_settings_outside_of_their_rules_are_refused(
    setting: str, value: float, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        ResidualConfig(**{setting: value})  # type: ignore[arg-type]
