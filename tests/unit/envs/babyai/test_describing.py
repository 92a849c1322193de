"""Sentences, missions and actions in words; none of it needs minigrid."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.babyai.describing import (
    COLOURS,
    TYPES,
    describe,
    join_sentences,
    split_sentences,
)
from envs.babyai.names import OF_MINIGRID, level_name, minigrid_id
from envs.babyai.variants import SUITE
from envs.babyai.wordings import ACTIONS, WORDINGS
from prompts.glam import WORDINGS as PROMPT_WORDINGS

GOLDEN = Path(__file__).parents[3] / "fixtures" / "babyai"
EMPTY = (1, 0, 0)


def golden(name: str) -> Any:
    return json.loads(gzip.decompress((GOLDEN / f"{name}.json.gz").read_bytes()))


def image(*things: tuple[int, int, str, str, int]) -> list[list[Any]]:
    """An empty view with things: column, row, colour, type, state."""
    rows: list[list[Any]] = [[EMPTY] * 7 for _ in range(7)]
    for column, row, colour, kind, state in things:
        rows[column][row] = (TYPES.index(kind), COLOURS.index(colour), state)
    return rows


@pytest.mark.parametrize("language", ["english", "french"])
def test_every_view_is_told_as_in_the_original(language: str) -> None:
    pairs = [p for p in golden("golden_describe") if p["lang"] == language]
    assert len(pairs) == {"english": 2_713, "french": 362}[language]
    wording = WORDINGS[language]
    wrong = [p for p in pairs if describe(p["image"], wording) != p["desc"]]
    assert wrong == []


def test_arrays_are_told_as_lists_are() -> None:
    pair = golden("golden_describe")[0]
    assert describe(np.array(pair["image"], dtype=np.uint8)) == pair["desc"]


def test_doors_are_told_with_their_state() -> None:
    seen = image((3, 5, "red", "door", 0), (2, 6, "grey", "door", 2))
    assert describe(seen) == [
        "You see a locked grey door 1 step left",
        "You see a open red door 1 step forward",
    ]
    assert describe(seen, WORDINGS["english-mended"])[1].startswith("You see an open")
    assert describe(seen, WORDINGS["french"]) == [
        "Tu vois une porte grise fermée à clef 1 pas à gauche",
        "Tu vois une porte rouge ouverte 1 pas devant",
    ]


def test_a_word_inside_another_one_is_not_renamed() -> None:
    seen = image((3, 5, "green", "door", 0))
    assert describe(seen, WORDINGS["french-new-adjectives"]) == [
        "Tu vois une porte jade ouverte 1 pas devant"
    ]


def test_what_is_carried_stays_english_in_french_unless_mended() -> None:
    seen = image((3, 6, "red", "key", 0))
    assert describe(seen, WORDINGS["french"]) == ["Tu portes une key red"]
    assert describe(seen, WORDINGS["french-mended"]) == ["Tu portes une clef rouge"]


@pytest.mark.parametrize(
    ("wording", "mission", "told"),
    [
        ("french", "go to the red ball", "aller à une balle rouge"),
        ("french", "go to the red key", "aller à la clef rouge"),
        ("french", "go to a blue box", "aller à une boîte bleue"),
        ("french", "go to the key", "aller à la clef"),
        ("french", "pick up the key", "pick up the key"),
        ("french", "go to the key on your left", "go to the key on your left"),
        ("french-mended", "go to the red ball", "aller à la balle rouge"),
        ("french-mended", "go to a red ball", "aller à une balle rouge"),
        ("new-nouns", "put a red ball next to the key", "put a red table next to the "
         "chair"),
        ("invented-words", "go to the grey box", "go to the sil afze"),
        ("new-adjectives", "go to the red door", "go to the vermilion door"),
        ("english", "go to the red door", "go to the red door"),
    ],
)  # fmt: skip
def test_missions_are_told(wording: str, mission: str, told: str) -> None:
    assert WORDINGS[wording].tell_mission(mission) == told


def test_actions_have_other_names() -> None:
    assert WORDINGS["english"].actions == ACTIONS
    assert WORDINGS["synonym-actions"].actions[:3] == (
        "rotate left",
        "rotate right",
        "move ahead",
    )
    assert WORDINGS["french"].actions[5] == "basculer"
    assert all(len(set(wording.actions)) == 9 for wording in WORDINGS.values())


def test_views_are_told_with_new_words() -> None:
    seen = image((0, 0, "purple", "box", 0))
    assert describe(seen, WORDINGS["invented-nouns"]) == [
        "You see a purple afze 3 steps left and 6 steps forward"
    ]


def test_sentences_can_be_joined_and_split() -> None:
    for pair in golden("golden_describe")[::300]:
        assert split_sentences(join_sentences(pair["desc"])) == pair["desc"]
    assert split_sentences(join_sentences([])) == []


def test_names_and_ids() -> None:
    assert len(set(OF_MINIGRID)) == 96
    for name in OF_MINIGRID:
        assert level_name(minigrid_id(name)) == level_name(name) == name
    assert minigrid_id("GoToObjS6") == "BabyAI-GoToObjS6-v1"


def test_the_suite_names_wordings_that_there_are() -> None:
    assert {v.prompt for v in SUITE.values()} <= set(PROMPT_WORDINGS)
    wordings = {v.kwargs.get("wording", "english") for v in SUITE.values()}
    assert wordings <= set(WORDINGS)
