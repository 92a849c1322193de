"""Levels with all of it observed: each step follows from the observation alone."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from cwm.core.errors import ConfigError
from envs.babyai.env import BabyAIText
from envs.babyai.expert import BotExpert, bot_actions
from envs.babyai.minigrid import minigrid_module
from envs.babyai.names import UNOBSERVABLE, minigrid_id
from envs.babyai.privileged import PrivilegedBabyAI
from envs.babyai.state import HEAD, TAKEN, parts_of, write_state
from envs.collect import CollectConfig, collect
from envs.registry import OWN, find
from envs.restart import restart_predictions
from envs.snapshots import AttributeSnapshots, open_with_snapshots

pytestmark = pytest.mark.babyai

CASES = [
    ("GoToLocal", None),
    ("PutNextLocalS5N3", None),
    ("PutNextS5N2Carrying", None),
    ("UnlockLocal", None),
    ("PickupDistDebug", None),
    ("OpenRedBlueDoorsDebug", None),
    ("OpenDoorsOrderN2Debug", None),
    ("PickUpSeqPickUpLocal", None),
    ("GoToAfterPickUpLocal", None),
    ("MixedTrainLocal", "sequence"),
    ("MixedTestLocal", "open"),
]


def wandering(level: Any, rng: np.random.Generator) -> list[int]:
    """Actions of the bot, now and then another one that it has to undo."""
    bot = minigrid_module(".utils.baby_ai_bot").BabyAIBot(level)
    actions: list[int] = []
    last = None
    is_over = False
    while not is_over and len(actions) < 150:
        try:
            planned = min(int(bot.replan(last)), 5)
        except Exception:  # noqa: BLE001 - it gives up on boxes that are gone
            planned = 2
        last = planned if rng.random() < 0.7 else int(rng.integers(6))
        actions.append(last)
        *_, terminated, truncated, _ = level.step(last)
        is_over = terminated or truncated
    return actions


@pytest.mark.parametrize(("level", "kind"), CASES)
def test_steps_from_the_observation_alone_are_those_of_the_level(
    level: str, kind: str | None
) -> None:
    whole = PrivilegedBabyAI(level, kind=kind)
    text = BabyAIText(level, kind=kind)
    rng = np.random.default_rng(0)
    num_steps = num_terminated = 0
    for seed in range(12):
        text.reset(seed=seed)
        actions = wandering(text.level, rng)
        text.reset(seed=seed)
        restarted = PrivilegedBabyAI(level, kind=kind)
        restarted.reset(seed=seed + 1)
        state, _ = whole.reset(seed=seed)
        assert whole.instruction == text.mission
        for action in actions:
            assert whole.observation_space.contains(state)
            # Somewhere else in between: what is not in the state is lost.
            restarted.is_over = False
            restarted.state = other_state(state)
            restarted.step(0)
            restarted.is_over, restarted.state = False, state.copy()
            expected = text.step(action)[1:4]
            found = restarted.step(action)
            state, *rest = whole.step(action)[:4]
            assert tuple(rest) == expected == found[1:4]
            np.testing.assert_array_equal(found[0], state)
            num_steps += 1
            if text.is_over:
                num_terminated += expected[1]
                break
    assert num_steps > 60
    assert num_terminated > 0


def other_state(state: Any) -> Any:
    """The same with the agent turned, so that the level has to be put there."""
    turned = state.copy()
    turned[2] = (turned[2] + 2) % 4
    return turned


def test_gymnasium_accepts_the_environment() -> None:
    check_env(find("babyai-privileged").make().unwrapped, skip_render_check=True)


def test_the_golden_start_in_numbers() -> None:
    env = PrivilegedBabyAI()
    state, _ = env.reset(seed=0)
    column, row, direction = state[:3]
    assert state[3:8].tolist() == [0, 64, 0, 0, 0]
    # Go to a green ball; nothing else.
    assert state[8:HEAD].tolist() == [1, 6, 1, 0, 0, 0, 0, 0, 0, 0]
    cells = state[HEAD:].reshape(8, 8, 3)
    assert (cells[0] == (2, 5, 0)).all()
    ahead = np.array([(0, 1), (1, 0), (0, -1), (-1, 0)][direction])
    assert cells[tuple((row, column) + 3 * ahead)].tolist() == [6, 1, 0]


def test_what_was_taken_counts_for_going_there_until_the_next_drop() -> None:
    env = PrivilegedBabyAI("PickUpSeqGoToLocal")
    for seed in range(20):
        env.reset(seed=seed)
        for action in bot_actions(BabyAI_level(seed), 100):
            state, _, terminated, _, _ = env.step(action)
            if action == 3 and not terminated:
                break
        if TAKEN in state[HEAD + 2 :: 3]:
            break
    cells = state[HEAD:].reshape(-1, 3)
    (taken,) = cells[cells[:, 2] == TAKEN].tolist()
    assert taken[:2] == state[5:7].tolist()
    state, *_ = env.step(4)
    assert TAKEN not in state[HEAD + 2 :: 3]


def BabyAI_level(seed: int) -> Any:  # noqa: N802
    env = BabyAIText("PickUpSeqGoToLocal")
    env.reset(seed=seed)
    return env.level


def stand_before_purple_box(level: Any) -> None:
    places = product(range(level.width), range(level.height))
    for column, row in places:
        thing = level.grid.get(column, row)
        if thing and (thing.type, thing.color) == ("box", "purple"):
            # To its left or right, whichever is empty, facing it.
            is_left = level.grid.get(column - 1, row) is None
            level.agent_pos = (column - 1 if is_left else column + 1, row)
            level.agent_dir = 0 if is_left else 2
    assert level.grid.get(*level.agent_pos) is None


@pytest.mark.parametrize(("action", "counts"), [(1, True), (4, False)])
def test_the_place_of_an_opened_box_counts_as_in_minigrid(
    action: int, counts: bool
) -> None:
    level = "PickUpSeqGoToLocal"
    text, whole = BabyAIText(level), PrivilegedBabyAI(level)
    text.reset(seed=10)
    whole.reset(seed=10)
    assert text.mission == "pick up the blue ball, then go to the purple box"
    for one in (text.level, whole.level):
        stand_before_purple_box(one)
    whole.state = write_state(whole.level, {})
    text.step(5)
    whole.step(5)
    assert TAKEN in whole.state[HEAD + 2 :: 3]
    # As if the ball had been picked up.
    text.level.instrs.a_done = "success"
    whole.state[7] = 1
    for turn in (action, 0, 1):
        if text.is_over:
            break
        expected = text.step(turn)[1:4]
        assert whole.step(turn)[1:4] == expected
    assert text.is_over == counts


def test_the_order_of_words_does_not_matter() -> None:
    env = PrivilegedBabyAI("GoToAfterPickUpLocal")
    env.reset(seed=0)
    parts, num_done = parts_of(env.level)
    assert [part.kind for part in parts] == [2, 1]
    assert num_done == 0


def test_snapshots_and_restarts() -> None:
    spec = find("babyai-privileged")
    env = open_with_snapshots(spec)
    assert isinstance(env.adapter, AttributeSnapshots)
    config = CollectConfig(
        num_trajectories=10, min_transitions=60, max_transitions=90, planning_steps=0
    )
    batch = collect(spec, config, expert=BotExpert(spec)).batch("train")
    found = restart_predictions(spec, batch)
    assert found is not None
    for key, expected in batch.next_observations.items():
        np.testing.assert_array_equal(found.next_observations[key], expected)
    np.testing.assert_array_equal(found.rewards, batch.rewards)
    np.testing.assert_array_equal(found.terminated, batch.terminated)


def test_no_step_can_be_made_after_the_end() -> None:
    env = PrivilegedBabyAI()
    assert env.legal_actions() == ()
    env.reset(seed=0)
    assert env.legal_actions() == tuple(range(6))
    env.step(2)
    *_, terminated, truncated, _ = env.step(2)
    assert (terminated, truncated) == (True, False)
    with pytest.raises(ResetNeeded):
        env.step(0)


@pytest.mark.parametrize("action", [-1, 6])
def test_actions_that_there_are_not_are_refused(action: int) -> None:
    for env in (PrivilegedBabyAI(), BabyAIText()):
        env.reset(seed=0)
        with pytest.raises(ValueError, match="action must be from 0 to 5, got"):
            env.step(action)


def test_the_description_says_that_it_is_privileged() -> None:
    assert "PRIVILEGED" in find("babyai-privileged").description


@pytest.mark.parametrize("name", ["PickupLoc", "GoToSeqS5R2"])
def test_what_numbers_do_not_tell_is_refused(name: str) -> None:
    assert name in UNOBSERVABLE
    assert f"cwm/Privileged{minigrid_id(name)}" not in OWN
    with pytest.raises(ValueError, match=r"must be (simple|named by)"):
        many_resets(name)


def many_resets(name: str) -> None:
    env = PrivilegedBabyAI(name)
    for seed in range(50):
        env.reset(seed=seed)


def test_mixed_levels_need_a_kind() -> None:
    with pytest.raises(ConfigError, match="kind must be given"):
        find("cwm/PrivilegedBabyAI-MixedTestLocal-v0", kwargs={"kind": None})
