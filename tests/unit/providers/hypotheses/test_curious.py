"""The experimenter that learns: legal, repeatable, resumable, and it does learn."""

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError, DataError, PrerequisiteError
from cwm.core.protocols import FloatArray
from cwm.providers.hypotheses.config import CuriosityConfig
from cwm.providers.hypotheses.experimenters.curious import CuriousExperimenter, _Seat
from cwm.providers.hypotheses.experimenters.masked_ppo import MaskedPPO, Rollout
from cwm.providers.hypotheses.experimenters.rewards import RareTypes, make_reward
from cwm.providers.hypotheses.experimenters.scripted import RandomExperimenter
from cwm.providers.hypotheses.roles import (
    Assignment,
    LearningExperimenter,
    Statistician,
)
from cwm.providers.hypotheses.texts import TextTrajectory, TextTransition, count_types
from cwm.providers.hypotheses.worlds import PlaygroundInWords, find_world
from envs.playground.policies import ScriptedPolicy
from envs.playground.rules import TRANSITION_TYPES

WORLD = find_world("playground")
SMALL = CuriosityConfig(
    reward="count", num_envs=2, num_steps=35, num_epochs=2, batch_size=16
)
GROWTH = TRANSITION_TYPES[4:]


class Nobody:
    """A statistician that must not be asked."""

    name = "nobody"
    is_stand_in = True

    def log_probs(
        self, hypothesis: str | None, transitions: Sequence[TextTransition]
    ) -> FloatArray:
        raise AssertionError("must not be asked")


NOBODY: Statistician = Nobody()


def made(config: CuriosityConfig = SMALL, seed: int = 0) -> CuriousExperimenter:
    return CuriousExperimenter(WORLD, config, seed=seed)


def assignment(phase: int, seed: int = 5) -> Assignment:
    return Assignment(
        phase=phase,
        progress=0.0,
        hypothesis=None,
        num_trajectories=1,
        seed=100 * seed + phase,
    )


def ones(trajectories: Sequence[TextTrajectory]) -> list[FloatArray]:
    return [np.linspace(0, 1, len(one)) for one in trajectories]


def num_grown(trajectories: Sequence[TextTrajectory]) -> int:
    counts = count_types(trajectories, TRANSITION_TYPES)
    return sum(counts[name] for name in GROWTH)


def test_the_door_has_no_features() -> None:
    with pytest.raises(ConfigError, match="curious must act in a playground, got door"):
        CuriousExperimenter(find_world("door"), SMALL, seed=0)


def test_a_missing_package_has_an_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PrerequisiteError, match=r"\[rl\]. Run: pip install 'sb3-contr"):
        made()


def test_a_seat_tells_the_goal_from_the_time_limit() -> None:
    env = PlaygroundInWords()
    seat = _Seat(env, seed=0)
    policy = ScriptedPolicy("small and big")
    is_over = [seat.step(policy.action(env.env.scene) or 0) for _ in range(19)]
    assert (is_over, seat.is_cut) == ([False] * 18 + [True], False)
    seat.begin()
    is_over = [seat.step(seat.mask().nonzero()[0][0]) for _ in range(30)]
    assert (is_over, seat.is_cut) == ([False] * 29 + [True], True)
    assert [len(one) for one in seat.trajectories()] == [19, 30]
    seat.begin()
    seat.step(int(seat.mask().nonzero()[0][0]))
    assert [len(one) for one in seat.trajectories()] == [19, 30, 1]


@pytest.mark.rl
def test_a_rollout_is_told_environment_by_environment() -> None:
    experimenter = made()
    assert isinstance(experimenter, LearningExperimenter)
    assert experimenter.name == "curious (count)"
    found = experimenter.collect(assignment(0))
    assert [len(one) for one in found] == [30, 5, 30, 5]
    assert "nothing" not in count_types(found, ())
    # Each environment draws scenes of its own, and begins anew each time.
    assert len({one.states[0] for one in found}) == 4
    again = experimenter.collect(assignment(1))
    assert [len(one) for one in again] == [30, 5, 30, 5]
    assert not {one.states[0] for one in found} & {one.states[0] for one in again}


@pytest.mark.rl
def test_numbers_come_from_the_assignment_and_leave_others_alone() -> None:
    torch: Any = importlib.import_module("torch")
    one, other = made(), made()
    first = one.collect(assignment(0))
    torch.rand(3)
    np.random.rand(3)  # noqa: NPY002
    old = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    num_threads = torch.get_num_threads()
    assert other.collect(assignment(0)) == first
    figures = other.learn(ones(first))
    assert torch.equal(torch.get_rng_state(), old[0])
    assert np.array_equal(np.random.get_state()[1], old[1][1])  # noqa: NPY002
    assert torch.get_num_threads() == num_threads
    torch.rand(3)
    np.random.rand(3)  # noqa: NPY002
    assert one.learn(ones(first)) == figures
    assert set(figures) == {
        *("entropy", "policy_loss", "value_loss", "approximate_kl", "clip_fraction"),
        "explained_variance",
    }
    assert one.collect(assignment(1)) == other.collect(assignment(1))
    assert made(seed=1).collect(assignment(0)) != first


@pytest.mark.rl
def test_going_on_from_a_file_is_going_on(tmp_path: Path) -> None:
    whole, killed, resumed = made(), made(), made(seed=9)
    for experimenter in (whole, killed):
        experimenter.learn(ones(experimenter.collect(assignment(0))))
    killed.save(tmp_path / "policy.npz")
    # What it does afterwards is lost with it.
    killed.collect(assignment(1))
    resumed.load(tmp_path / "policy.npz")
    for phase in (1, 2):
        found = [one.collect(assignment(phase)) for one in (whole, resumed)]
        assert found[0] == found[1]
        figures = [one.learn(ones(found[0])) for one in (whole, resumed)]
        assert figures[0] == figures[1]
    whole.save(tmp_path / "whole.npz")
    resumed.save(tmp_path / "resumed.npz")
    with np.load(tmp_path / "whole.npz") as a, np.load(tmp_path / "resumed.npz") as b:
        assert a.files == b.files
        assert len(a.files) > 30
        assert all(np.array_equal(a[name], b[name]) for name in a.files)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("policy.npz", "whole.npz", "resumed.npz")
    }


@pytest.mark.rl
def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.npz"
    experimenter = made()
    for content in (b"", b"no file of ours", b"PK\x03\x04"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="must be a curious policy's file"):
            experimenter.load(path)
    with pytest.raises(DataError, match="must be a curious policy's file"):
        experimenter.load(tmp_path / "none.npz")
    np.savez(path, weights=np.zeros(3))
    with pytest.raises(DataError, match="must be a curious policy's file"):
        experimenter.load(path)
    made(CuriosityConfig(hidden_sizes=(8,))).save(path)
    with pytest.raises(DataError, match=r"such as .*\[64, 64\].*, got .*\[8\]"):
        experimenter.load(path)
    experimenter.save(path)
    with np.load(path) as file:
        arrays = dict(file)
    arrays.popitem()
    np.savez(path, **arrays)
    with pytest.raises(DataError, match="must be whole"):
        experimenter.load(path)


@pytest.mark.rl
def test_rewards_must_be_those_of_the_last_collection() -> None:
    experimenter = made()
    with pytest.raises(ValueError, match="must be a new collection"):
        experimenter.learn([])
    found = experimenter.collect(assignment(0))
    with pytest.raises(ValueError, match=r"\[30, 5, 30, 5\], got \[30, 5, 30\]"):
        experimenter.learn(ones(found)[:-1])
    with pytest.raises(ValueError, match="must be finite"):
        experimenter.learn([np.full(len(one), np.nan) for one in found])
    experimenter.learn(ones(found))
    with pytest.raises(ValueError, match="must be a new collection"):
        experimenter.learn(ones(found))


@pytest.mark.rl
def test_a_last_batch_of_one_transition_is_refused() -> None:
    with pytest.raises(ConfigError, match="got 65 and batches of 64"):
        made(CuriosityConfig(num_envs=5, num_steps=13))


@pytest.mark.rl
@pytest.mark.parametrize(("time_limit", "weight"), [("cuts", 1.0), ("ends", 0.0)])
def test_returns_are_those_of_generalised_advantage_estimation(
    time_limit: Any, weight: float
) -> None:
    torch: Any = importlib.import_module("torch")
    config = CuriosityConfig(
        num_envs=2, num_steps=3, batch_size=6, num_epochs=1, time_limit=time_limit
    )
    learner = MaskedPPO(config, seed=0)
    features = np.zeros((2, 416), dtype=np.int8)
    masks = np.ones((2, 30), dtype=np.bool_)
    begins = np.array([[True, True], [False, False], [True, False]])
    rewards = np.array([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]])
    lost = np.array([[0, 0], [0.5, 0], [0, 0]], dtype=np.float32)
    values = np.array([[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]], dtype=np.float32)
    last = np.array([0.7, 0.8], dtype=np.float32)
    with learner.numbers(0):
        learner.begin()
        for step in range(3):
            choices = learner.act(features, masks)._replace(
                values=torch.from_numpy(values[step])
            )
            learner.record(features, masks, begins[step], choices)
    rollout = Rollout(lost, torch.from_numpy(last), np.array([False, True]), 0)
    learner.update(rewards, rollout)
    g, k = 0.99, 0.99 * 0.95
    # The first environment is cut off after its second step.
    a2 = 3 + g * 0.7 - 0.3
    a1 = 2 + weight * g * 0.5 - 0.2
    a0 = 1 + g * 0.2 - 0.1 + k * a1
    # The second one's episode is over after the third.
    b2 = 6 - 0.6
    b1 = 5 + g * 0.6 - 0.5 + k * b2
    b0 = 4 + g * 0.5 - 0.4 + k * b1
    expected = [a0 + 0.1, a1 + 0.2, a2 + 0.3, b0 + 0.4, b1 + 0.5, b2 + 0.6]
    found = learner._ppo.rollout_buffer.returns.ravel()
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.rl
def test_what_the_time_limit_takes_away_is_the_value_of_the_last_scene() -> None:
    experimenter = made()
    found = experimenter.collect(assignment(0))
    rollout = experimenter._rollout
    assert rollout is not None
    assert np.argwhere(rollout.lost_values).tolist() == [[29, 0], [29, 1]]
    assert [len(one) for one in found] == [30, 5, 30, 5]
    assert rollout.last_is_over.tolist() == [False, False]
    assert rollout.last_values.shape == (2,)


@pytest.mark.rl
def test_it_learns_to_let_things_grow() -> None:
    config = CuriosityConfig(reward="count")
    weights = {name: float(name in GROWTH) for name in TRANSITION_TYPES}
    reward = RareTypes(num_envs=config.num_envs, exponent=0.0, weights=weights)
    found = trained(made(config), reward, num_phases=8)
    at_random = random_steps(num_steps=4 * 4 * 60)
    assert sum(map(num_grown, found[-4:])) > 1.5 * num_grown(at_random)


@pytest.mark.rl
@pytest.mark.slow
def test_rewards_for_rare_types_find_more_of_them_than_random_actions() -> None:
    config = CuriosityConfig(
        reward="count", num_envs=8, num_steps=120, num_epochs=10, time_limit="ends"
    )
    found = trained(made(config), make_reward(config), num_phases=16)
    at_random = random_steps(num_steps=3 * 8 * 120)
    assert sum(map(num_grown, found[-3:])) > 1.3 * num_grown(at_random)


def trained(
    experimenter: CuriousExperimenter, reward: Any, num_phases: int
) -> list[tuple[TextTrajectory, ...]]:
    """Returns what was collected in each phase."""
    collected = []
    for phase in range(num_phases):
        collected.append(experimenter.collect(assignment(phase)))
        experimenter.learn(reward.rewards(collected[-1], None, None, NOBODY))
    return collected


def random_steps(num_steps: int) -> tuple[TextTrajectory, ...]:
    task = Assignment(
        phase=0,
        progress=0.0,
        hypothesis=None,
        num_trajectories=num_steps // WORLD.max_steps,
        seed=0,
    )
    return RandomExperimenter(WORLD).collect(task)
