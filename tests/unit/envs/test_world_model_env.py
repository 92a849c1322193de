import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

from cwm.core.spaces import NestedSpec, space_to_json
from envs import world_model_env
from envs.collect import CollectConfig, collect
from envs.registry import find
from envs.spaces import space_spec
from envs.world_model_env import WorldModelEnv, conform, make_space
from tests.support.toy_envs import toy


class Corridor:
    """Five cells; the last one is the end."""

    def set_state(self, observation: int) -> None:
        assert type(observation) is int
        self.cell = observation

    def step(self, action: int) -> tuple[int, float, bool]:
        self.cell = min(max(self.cell + 2 * action - 1, 0), 4)
        return self.cell, float(self.cell == 4), self.cell == 4


def corridor(model: type = Corridor, **more: Any) -> WorldModelEnv:
    return WorldModelEnv(
        model,
        observation_space=spaces.Discrete(5),
        action_space=spaces.Discrete(2),
        starts=[0, 1, 2],
        **more,
    )


def test_gymnasium_accepts_the_environment() -> None:
    check_env(corridor(), skip_render_check=True)


def test_steps_are_those_of_the_program_up_to_the_end() -> None:
    env = corridor()
    assert env.reset(options={"observation": 2}) == (2, {})
    assert env.step(1) == (3, 0.0, False, False, {})
    assert env.step(np.int64(1)) == (4, 1.0, True, False, {})
    with pytest.raises(RuntimeError, match="reset must be called"):
        env.step(0)


def test_starts_are_the_recorded_ones_and_a_seed_fixes_them() -> None:
    env = corridor()
    first = [env.reset(seed=5)[0], *(env.reset()[0] for _ in range(20))]
    again = [env.reset(seed=5)[0], *(env.reset()[0] for _ in range(20))]
    assert first == again
    assert set(first) == {0, 1, 2}


def test_a_program_that_remembers_is_set_anew_before_each_step() -> None:
    class Counting(Corridor):
        def set_state(self, observation: int) -> None:
            super().set_state(observation)
            self.num_steps = 0

        def step(self, action: int) -> tuple[int, float, bool]:
            self.num_steps += 1
            assert self.num_steps == 1
            return super().step(action)

    env = corridor(Counting)
    env.reset(options={"observation": 0})
    assert [env.step(1)[0] for _ in range(3)] == [1, 2, 3]


def test_a_program_that_draws_is_given_a_generator_that_the_seed_fixes() -> None:
    class Drawing(Corridor):
        rng: np.random.Generator

        def step(self, action: int) -> tuple[int, float, bool]:
            return 0, float(self.rng.random()), False

    def rewards() -> list[float]:
        env = corridor(Drawing, draws=True)
        env.reset(seed=3)
        return [env.step(0)[1] for _ in range(4)]

    assert rewards() == rewards()
    assert len(set(rewards())) == 4


def test_legal_actions_are_told_where_the_program_knows_them() -> None:
    class Walled(Corridor):
        def legal_actions(self) -> list[int]:
            return [1] if self.cell == 0 else [0, 1]

    env = corridor(Walled)
    assert env.reset(options={"observation": 0})[1] == {"legal_actions": [1]}
    assert env.step(1)[4] == {"legal_actions": [0, 1]}

    class Published(Corridor):
        def step(self, action: int) -> Any:
            observation, reward, terminated = super().step(action)
            return observation, [0], reward, terminated

    env = corridor(Published)
    env.reset(options={"observation": 0})
    assert env.step(1) == (1, 0.0, False, False, {"legal_actions": [0]})


@pytest.mark.parametrize("result", [(1.5, 0.0, False), ("1", 0.0, False), 3, (1, 2)])
def test_a_program_that_breaks_the_contract_is_refused(result: Any) -> None:
    class Broken(Corridor):
        def step(self, action: int) -> Any:
            return result

    env = corridor(Broken)
    env.reset()
    with pytest.raises(ValueError, match="must"):
        env.step(0)


def test_what_was_shown_may_be_changed_without_harm() -> None:
    class Growing:
        def set_state(self, observation: Any) -> None:
            self.place = observation

        def step(self, action: int) -> Any:
            self.place += 1
            return self.place, 0.0, False

    space = spaces.Box(-np.inf, np.inf, (1,), np.float32)
    env = WorldModelEnv(
        Growing,
        observation_space=space,
        action_space=spaces.Discrete(1),
        starts=[np.zeros(1)],
    )
    shown, _ = env.reset()
    assert shown.dtype == np.float32
    shown += 100
    seen = env.step(0)[0]
    assert seen == [1.0]
    seen += 100
    assert env.step(0)[0] == [2.0]


@pytest.mark.parametrize(
    "env_id", ["CartPole-v1", "Blackjack-v1", "Pendulum-v1", toy("Mixed")]
)
def test_spaces_come_back_as_they_were(env_id: str) -> None:
    spec = find(env_id)
    for space in (spec.observation_space, spec.action_space):
        assert space_spec(make_space(space_to_json(space))) == space


def test_a_space_that_gymnasium_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="no space for values of kind 'nested'"):
        make_space(space_to_json(NestedSpec()))


def test_integers_at_the_end_of_their_type_keep_their_bounds() -> None:
    space = space_spec(spaces.Box(-(2**63), 2**63 - 1, (2,), np.int64))
    made = make_space(space_to_json(space))
    assert np.array([2**63 - 1, -(2**63)], dtype=np.int64) in made


def test_recorded_observations_are_in_the_spaces() -> None:
    config = CollectConfig(
        num_trajectories=2, min_transitions=5, max_transitions=50, planning_steps=0
    )
    data = collect(find(toy("Mixed")), config)
    space = make_space(space_to_json(data.observation_space))
    value = data.batch("train").transition(0).observation
    assert space.contains(conform(space, value))


def test_the_file_needs_nothing_but_numpy_and_gymnasium() -> None:
    """It is copied into packages that know nothing of this project."""
    text = Path(world_model_env.__file__).read_text(encoding="utf-8")
    imported = set(re.findall(r"^\s*(?:from|import) (\w+)", text, re.MULTILINE))
    assert imported & {"cwm", "envs", "mcts", "planners", "prompts", "sandbox"} == set()
    assert {"numpy", "gymnasium"} <= imported
