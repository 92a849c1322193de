"""What statistician, scientist and experimenter are asked."""

import re
from dataclasses import dataclass
from importlib.resources import files

import pytest

from prompts.hypotheses import HypothesisPrompts

FOLDERS = ["playground", "playground_reworded", "door"]


@dataclass(frozen=True)
class Told:
    states: tuple[str, ...]
    actions: tuple[str, ...]
    changes: tuple[str, ...]


LONG = Told(("s0", "s1", "s2", "s3"), ("a0", "a1", "a2"), ("d0", "d1", "d2"))
ONE_STEP = Told(("s4", "s5"), ("a4",), ("d4",))
PLAYGROUND = HypothesisPrompts("playground")


@pytest.mark.parametrize("folder", FOLDERS)
def test_prompts_of_a_hypothesis_begin_alike_up_to_the_state(folder: str) -> None:
    prompts = HypothesisPrompts(folder)
    one = prompts.statistician("All is well.", "STATE 1", "ACTION 1")
    other = prompts.statistician("All is well.", "STATE 2", "ACTION 2")
    before, found, after = one.user.partition("STATE 1")
    assert other.user.startswith(before)
    assert found == "STATE 1"
    assert "All is well." in before
    assert "ACTION 1" in after
    assert one.system == other.system


@pytest.mark.parametrize("blank", ["", " \n"])
def test_a_blank_hypothesis_is_none(blank: str) -> None:
    without = PLAYGROUND.statistician(None, "s", "a")
    assert PLAYGROUND.statistician(blank, "s", "a") == without
    assert "You know" not in without.user
    assert PLAYGROUND.scientist([LONG], previous=blank) == PLAYGROUND.scientist([LONG])
    assert PLAYGROUND.experimenter(blank, "s", ["a"]) == PLAYGROUND.experimenter(
        None, "s", ["a"]
    )


def test_a_hypothesis_is_shown_as_it_stands() -> None:
    text = " 1. {state} braces\n\n# A heading\n"
    assert text.strip() in PLAYGROUND.statistician(text, "s", "a").user
    assert f'"{text}"' in PLAYGROUND.scientist([LONG], previous=text).user


def test_of_a_trajectory_the_first_state_and_every_step_are_shown() -> None:
    user = PLAYGROUND.scientist([LONG, ONE_STEP]).user
    places = [user.index(text) for text in ("s0", "a0", "d0", "a1", "d1", "a2", "d2")]
    assert places == sorted(places)
    assert all(hidden not in user for hidden in ("s1", "s2", "s3", "s5"))
    assert "s4" in user


def test_only_so_many_first_steps_are_shown() -> None:
    user = PLAYGROUND.scientist([LONG], previous="h", worst=[LONG], max_steps=2).user
    assert user.count("d1") == 2
    assert "d2" not in user


def test_trajectories_of_one_step_take_a_line_each() -> None:
    user = HypothesisPrompts("door").scientist([ONE_STEP, ONE_STEP]).user
    assert user.count("\n- s4 a4 d4") == 2


def test_the_worst_are_shown_with_a_previous_hypothesis_only() -> None:
    assert PLAYGROUND.scientist([LONG], worst=[ONE_STEP]) == PLAYGROUND.scientist(
        [LONG]
    )
    user = PLAYGROUND.scientist([LONG], previous="h", worst=[ONE_STEP]).user
    assert "d4" in user


def test_an_experimenter_is_told_its_goal_if_there_is_one() -> None:
    user = PLAYGROUND.experimenter("h", "s9", ["a1", "a2"], goal="grow a pig").user
    for text in ("h\n", "s9", "- a1\n- a2\n", "Your goal: grow a pig."):
        assert text in user
    assert "goal" not in PLAYGROUND.experimenter("h", "s9", ["a1"]).user


def test_the_reworded_description_differs_in_one_word() -> None:
    one, other = (
        HypothesisPrompts(folder).statistician(None, "s", "a").user.split()
        for folder in FOLDERS[:2]
    )
    assert sum(a != b for a, b in zip(one, other, strict=True)) == 1


def test_a_folder_that_does_not_exist_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"^folder must be one of door, .*got 'chess'"):
        HypothesisPrompts("chess")


def test_templates_use_the_words_of_the_glossary() -> None:
    avoided = re.compile(r"\b(simulator|done|obs|sample|rollout|fitness|move)\b", re.I)
    root = files("prompts") / "templates" / "hypotheses"
    places = [root, *(root / folder for folder in FOLDERS)]
    texts = [
        one.read_text(encoding="utf-8")
        for place in places
        for one in place.iterdir()
        if one.name.endswith(".md")
    ]
    assert len(texts) > 10
    assert not [found for text in texts for found in avoided.findall(text)]
