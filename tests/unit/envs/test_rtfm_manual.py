import numpy as np
import pytest

from envs.rtfm.manual import (
    ABOUT_ELEMENTS,
    ABOUT_GROUPS,
    GOALS,
    named_group,
    read_manual,
    write_goal,
    write_manual,
)
from envs.rtfm.scenario import draw_lore
from envs.rtfm.words import ELEMENTS, GROUPS, ITEMS, MODIFIERS, MONSTERS


def test_what_is_written_can_be_read() -> None:
    for seed in range(200):
        rng = np.random.default_rng(seed)
        lore = draw_lore(rng)
        assert read_manual(write_manual(lore, rng)) == lore


def test_lore_is_whole() -> None:
    lore = draw_lore(np.random.default_rng(1))
    assert set(lore.group_of) == set(MONSTERS)
    assert set(lore.beaten_by) == set(MODIFIERS)
    groups, elements = list(lore.group_of.values()), list(lore.beaten_by.values())
    assert [groups.count(group) for group in GROUPS] == [3, 3, 3]
    assert [elements.count(element) for element in ELEMENTS] == [2, 2, 2, 2]


@pytest.mark.parametrize("template", [*ABOUT_ELEMENTS, *ABOUT_GROUPS, *GOALS])
def test_templates_have_one_sentence_and_no_names_of_their_own(template: str) -> None:
    assert template.endswith(".")
    assert template.count(".") == 1
    words = set(template.lower().replace(".", " ").replace(":", " ").split())
    assert not words & {*MONSTERS, *MODIFIERS, *ELEMENTS, *ITEMS}
    assert named_group(template) is None


def test_sentences_written_by_others_are_read_too() -> None:
    lore = read_manual(
        "Dragon, medusa, and wolf are on the same team - they are in the Order of the "
        "Forest. Fire monsters are weak against grandmasters and soldiers weapons."
    )
    assert lore.group_of == dict.fromkeys(
        ("dragon", "medusa", "wolf"), "order of the forest"
    )
    assert lore.beaten_by == {"grandmasters": "fire", "soldiers": "fire"}


@pytest.mark.parametrize("group", GROUPS)
def test_a_goal_names_its_group(group: str) -> None:
    texts = {write_goal(group, np.random.default_rng(seed)) for seed in range(50)}
    assert len(texts) == len(GOALS)
    assert {named_group(text) for text in texts} == {group}
