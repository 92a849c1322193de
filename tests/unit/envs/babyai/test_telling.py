"""A state in integers is told as the level in words tells it, step by step."""

from typing import Any

import numpy as np
import pytest

from envs.babyai.env import BabyAIText
from envs.babyai.expert import bot_actions
from envs.babyai.privileged import PrivilegedBabyAI
from envs.babyai.state import HEAD
from envs.babyai.telling import (
    StateTeller,
    TextTeller,
    tell_mission,
    view_of_state,
)
from envs.babyai.wordings import WORDINGS

pytestmark = pytest.mark.babyai

LEVELS = (
    *("GoToLocalS5N2", "GoToLocal", "GoToDoor", "PickupDist", "UnlockLocal"),
    *("PutNextLocalS5N3", "PutNextS5N2Carrying", "GoTo", "OpenRedBlueDoorsDebug"),
    *("PickUpSeqGoToLocal", "KeyCorridorS3R2", "UnblockPickup"),
)


def episodes(level: str, *, num_episodes: int = 6, **kwargs: Any) -> Any:
    """Yields state and level in words after each step, by the bot and at random."""
    whole = PrivilegedBabyAI(level)
    text = BabyAIText(level, **kwargs)
    rng = np.random.default_rng(0)
    for seed in range(num_episodes):
        state, _ = whole.reset(seed=seed)
        text.reset(seed=seed)
        planned = bot_actions(text.level, 60) if seed % 2 else []
        text.reset(seed=seed)
        actions = planned or rng.integers(6, size=60).tolist()
        yield state, text, True
        for action in actions:
            if text.is_over:
                break
            state, *_ = whole.step(action)
            text.step(action)
            yield state, text, False


def teller_of(text: BabyAIText, wording: str = "english") -> StateTeller:
    level = text.level
    return StateTeller(
        width=level.width, height=level.height, wording=WORDINGS[wording]
    )


@pytest.mark.parametrize("level", LEVELS)
def test_sentences_and_images_are_those_of_the_level(level: str) -> None:
    num_seen = 0
    for state, text, _ in episodes(level):
        teller = teller_of(text)
        assert teller.sentences(state) == text.descriptions
        np.testing.assert_array_equal(teller.image(state), text.image)
        num_seen += 1
    assert num_seen > 60


@pytest.mark.parametrize("wording", ["french", "invented-words"])
def test_they_are_told_in_any_words(wording: str) -> None:
    for state, text, is_first in episodes("GoToLocal", wording=wording):
        teller = teller_of(text, wording)
        assert teller.sentences(state) == text.descriptions
        assert teller.mission(text.mission, state) == text.instruction
        if is_first:
            assert teller.mission("", state) == text.instruction


def test_missions_follow_from_the_first_state() -> None:
    articles = set()
    levels = {*LEVELS, "GoToObj", "PickupDistDebug", "OpenDoorColor"}
    for level in sorted(levels - {"PickUpSeqGoToLocal"}):
        whole = PrivilegedBabyAI(level)
        for seed in range(25):
            state, _ = whole.reset(seed=seed)
            assert tell_mission(state) == whole.instruction, level
            articles |= {"the", "a"} & set(whole.instruction.split())
    assert articles == {"the", "a"}


def test_the_order_in_which_two_parts_were_told_is_not_known() -> None:
    orders = set()
    for level in ("PickUpSeqGoToLocal", "PickUpThenGoToLocal", "GoToAfterPickUpLocal"):
        whole = PrivilegedBabyAI(level)
        for seed in range(20):
            state, _ = whole.reset(seed=seed)
            first, word, second = parted(whole.instruction)
            orders.add(word)
            parts = [first, second] if word == ", then " else [second, first]
            assert tell_mission(state) == ", then ".join(parts)
    assert orders == {", then ", " after you "}


def parted(mission: str) -> tuple[str, str, str]:
    word = ", then " if ", then " in mission else " after you "
    return mission.partition(word)


def test_articles_are_those_of_the_start() -> None:
    """Two alike, one of which is taken: the mission still says "a"."""
    whole = PrivilegedBabyAI("GoToLocal")
    for seed in range(200):
        state, _ = whole.reset(seed=seed)
        if " a " in whole.instruction:
            break
    teller = StateTeller(width=8, height=8)
    kind, colour = state[9:11]
    cells = state[HEAD:].reshape(-1, 3)
    alike = np.flatnonzero((cells[:, :2] == (kind, colour)).all(axis=1))
    cells[alike[1:]] = (1, 0, 0)
    assert " the " in tell_mission(state)
    assert teller.mission(whole.instruction, state) == whole.instruction


def test_a_state_of_another_size_is_refused() -> None:
    state, _ = PrivilegedBabyAI("GoToLocalS5N2").reset(seed=0)
    with pytest.raises(ValueError, match="93 numbers for a grid of 5 by 5, got 92"):
        view_of_state(state[:-1], 5, 5)


def test_text_is_taken_apart_again() -> None:
    teller = TextTeller()
    for _, text, _ in episodes("GoToLocal", num_episodes=2):
        shown = text._show()
        assert teller.sentences(shown) == text.descriptions
        assert teller.mission(text.instruction, shown) == text.instruction
    assert teller.sentences("") == []
    with pytest.raises(ValueError, match="must be integers to be shown, got text"):
        teller.image("")
