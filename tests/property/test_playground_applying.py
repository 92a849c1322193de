"""Changes carried out on state texts: as the rules have it, but for what words hide."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.playground.applying import apply_change, say_action, shown_actions
from envs.playground.curator import POLICIES
from envs.playground.env import Playground
from envs.playground.rules import GREW_PLANT, HOLDING2, TRANSITION_TYPES, UNDER, Scene
from envs.playground.texts import change_between, read

MAX_STEPS = 30
SEEDS = st.integers(0, 2**32 - 1)
NAMES = st.sampled_from(sorted(POLICIES))


def hides_something(before: Scene, transition_type: int, after: Scene) -> bool:
    """Returns whether words leave open what the next text is."""
    if transition_type == HOLDING2 or UNDER not in before.places:
        return transition_type == HOLDING2
    at = before.places.index(UNDER)
    name = before.things[at]
    is_one_of_several = before.things.count(name) > 1
    comes_back = transition_type >= GREW_PLANT and after.places[at] != UNDER
    return comes_back or is_one_of_several


def played(name: str, seed: int) -> list[tuple[str, bool]]:
    """Returns for each step its type and whether the text made is the true one."""
    env = Playground()
    rng = np.random.default_rng(seed)
    policy = POLICIES[name](rng)
    text, _ = env.reset(seed=seed)
    found = []
    while env.num_steps < MAX_STEPS and not env.is_over:
        before = env.scene
        action = policy.action(before)
        assert action is not None
        after, *_, info = env.step(action)
        if info["is_legal"]:
            assert action in shown_actions(text)
            assert say_action(text, action) == info["action"]
        made = apply_change(text, action, info["change"])
        hides = hides_something(
            before, TRANSITION_TYPES.index(info["transition_type"]), env.scene
        )
        assert made == after or hides, (text, info, after, made)
        shown, true = read(made), read(after)
        assert sorted(shown.visible) == sorted(true.visible)
        assert sorted(shown.items) == sorted(true.items)
        assert change_between(text, action, made) == info["change"]
        found.append((info["transition_type"], made == after))
        text = after
    return found


@settings(max_examples=40, deadline=None)
@given(NAMES, SEEDS)
def test_texts_differ_only_where_words_leave_it_open(name: str, seed: int) -> None:
    played(name, seed)


# What docs/playground.md says.
@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [("random", 0.01, 0.04), ("eager", 0.04, 0.09), ("oracle-hardest", 0.03, 0.06)],
)
def test_words_hide_little(name: str, lowest: float, highest: float) -> None:
    steps = [step for seed in range(60) for step in played(name, seed)]
    wrong = Counter(kind for kind, is_right in steps if not is_right)
    assert lowest < sum(wrong.values()) / len(steps) < highest
    assert "standing" not in wrong
