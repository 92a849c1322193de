"""Prompts of hypothesis induction are those that were read and approved.

`python -m tests.golden.test_hypothesis_prompts` rewrites them after a change that is
meant to change them.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from cwm.providers.hypotheses.worlds import WORLDS
from prompts.hypotheses import HypothesisPrompts
from prompts.render import Prompt

FOLDER = Path(__file__).parent / "hypothesis_prompts"

HYPOTHESIS = "1. Water makes seeds grow.\n2. Blue things stay clo"


def _statistician(world: str) -> Prompt:
    state, action, _ = WORLDS[world].test_set()[0].transitions[-1]
    return HypothesisPrompts(WORLDS[world].prompts).statistician(
        HYPOTHESIS, state, action
    )


def _statistician_without(world: str) -> Prompt:
    state, action, _ = WORLDS[world].test_set()[0].transitions[0]
    return HypothesisPrompts(WORLDS[world].prompts).statistician(None, state, action)


def _scientist(world: str) -> Prompt:
    shown = WORLDS[world].test_set()[:2]
    return HypothesisPrompts(WORLDS[world].prompts).scientist(shown)


def _scientist_again(world: str) -> Prompt:
    shown = WORLDS[world].test_set()[:3]
    return HypothesisPrompts(WORLDS[world].prompts).scientist(
        shown, previous=HYPOTHESIS, worst=shown[1:2], max_steps=3
    )


def _experimenter(world: str) -> Prompt:
    env = WORLDS[world].open()
    state = env.reset(seed=0)
    actions = list(dict.fromkeys(text for _, text in env.actions()))
    return HypothesisPrompts(WORLDS[world].prompts).experimenter(
        HYPOTHESIS, state, actions, goal=WORLDS[world].goal
    )


MAKERS: dict[str, Callable[[str], Prompt]] = {
    "statistician": _statistician,
    "statistician_without": _statistician_without,
    "scientist": _scientist,
    "scientist_again": _scientist_again,
    "experimenter": _experimenter,
}
NAMES = [
    *(f"playground-{role}" for role in MAKERS),
    *(f"door-{role}" for role in MAKERS),
    "playground-reworded-statistician",
]


def golden_text(name: str) -> str:
    world, _, role = name.rpartition("-")
    prompt = MAKERS[role](world)
    return f"--- system\n\n{prompt.system}\n\n--- user\n\n{prompt.user}\n"


@pytest.mark.parametrize("name", NAMES)
def test_role_has_its_golden_prompt(name: str) -> None:
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert golden_text(name) == text


def test_every_golden_prompt_has_its_role() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(NAMES)


if __name__ == "__main__":
    for golden in NAMES:
        path = FOLDER / f"{golden}.txt"
        path.write_text(golden_text(golden), encoding="utf-8")
