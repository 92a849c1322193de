"""What the comparison of `step_batch` with `step` catches."""

import numpy as np
import pytest

from cwm.proposers.symbolic.step_batch.source import add_step_batch
from cwm.proposers.symbolic.step_batch.verify import disagreement, pairs
from tests.unit.proposers.symbolic.step_batch.induced import induced

BROKEN = {
    "another function": ("CartPole", "m10 = -(S3_PER_S1_COS_S2 * np.cos(s2))",
                         "m10 = -(S3_PER_S1_COS_S2 * np.sin(s2))"),
    "no clip": ("MountainCar", "raw_s1 = np.clip(raw_s1, S1_MIN, S1_MAX)", "pass"),
    "no wall": (
        "MountainCar",
        "np.where(raw_s0 <= S1_EVENT_RAW_S0_LIMIT, S1_EVENT_OFFSET, next_s1)",
        "next_s1",
    ),
    "never ends": (
        "MountainCarContinuous",
        "terminated = next_s0 >= TERMINAL_NEXT_S0_LIMIT\n        # reward: formula\n"
        "        reward = REWARD_TERMINATED * terminated",
        "terminated = next_s0 > np.inf\n        # reward: formula\n"
        "        reward = 0.0",
    ),
    "single precision": ("CartPole", "states.astype(np.float64).T", "states.T"),
    "another dtype": ("Pendulum", "dtype=np.float32)", "dtype=np.float64)"),
    "one reward": ("CartPole", "np.full(len(states), reward)", "reward"),
    "rewards turned": ("Taxi", "[REWARD_2, REWARD_1]", "[REWARD_1, REWARD_2]"),
    "one cell": ("Taxi", "self.col_cases[row, col, moved_col]",
                 "self.col_cases[row, col, moved_col] & (states != 321)"),
    "a table too small": ("CliffWalking", "(4,), 0)", "(3,), 0)"),
    "writes into its input": ("Taxi", "        following = ",
                              "        actions[:] = 0\n        following = "),
    "raises": ("Acrobot", "xp.cos(angle_1)", "math.cos(angle_1)"),
}  # fmt: skip


def with_batch(name: str):
    source, task = induced(name)
    text, _ = add_step_batch(
        source,
        observation_space=task.observation_space,
        action_space=task.action_space,
    )
    return text, task


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_twin_is_caught(kind: str) -> None:
    name, old, new = BROKEN[kind]
    text, task = with_batch(name)
    assert disagreement(text, task.train) == ""
    start = text.index("    def step_batch")
    if old in text[start:]:
        broken = text[:start] + text[start:].replace(old, new, 1)
    else:
        broken = text.replace(old, new, 1)
    assert broken != text
    assert disagreement(broken, task.train)


def test_all_pairs_of_a_small_space_are_compared() -> None:
    _, task = induced("Taxi")
    states, actions = pairs(task.train)
    assert len(set(zip(states.tolist(), actions.tolist(), strict=True))) == 3000


def test_drawn_values_are_within_bounds_and_on_them() -> None:
    _, task = induced("MountainCarContinuous")
    states, actions = pairs(task.train)
    low, high = task.observation_space.bounds()
    assert (states >= low.astype(np.float32)).all()
    assert (states <= high.astype(np.float32)).all()
    assert (states == high.astype(np.float32)).any()
    assert (np.abs(actions) <= 1.0).all()
    assert {-1.0, 1.0} <= set(actions.ravel().tolist())


def test_the_same_pairs_are_compared_each_time() -> None:
    _, task = induced("CartPole")
    for first, second in zip(pairs(task.train), pairs(task.train), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_row_that_step_raises_on_is_left_out() -> None:
    text, task = with_batch("CartPole")
    head = "    def step(self, action):\n"
    picky = head + "        if self.state[0] > 0: raise ValueError\n"
    assert disagreement(text.replace(head, picky), task.train) == ""
    never = head + "        raise ValueError\n"
    assert disagreement(text.replace(head, never), task.train)
