"""The files of the paper's release."""

import json
from pathlib import Path

import msgspec
import pytest

from cwm.core.errors import DataError
from cwm.providers.knowledge.base.entries import entries_of
from cwm.providers.knowledge.conversations import agent_conversation
from cwm.providers.knowledge.paper_format import (
    PaperPair,
    PaperStateAction,
    PaperTraining,
    PaperTrajectory,
    conversation_of,
    entry_of,
    episode_of,
    merged,
    pair_of,
    read_items,
    state_action_of,
    states_of,
    training_of,
    trajectory_of,
    write_items,
)
from cwm.providers.knowledge.records import Episode, StateNotes, TaskNote
from prompts.knowledge import KnowledgePrompts
from tests.support.knowledge_episodes import COLD_MUG, HOT_MUG, episode, step

PROMPTS = KnowledgePrompts("household")
TASK = TaskNote(episode="e1", rejected="r1", text="When.", made_by="w")
SHORT = episode(
    step("open desk", "It is open."),
    step("take mug", "You take it."),
    instruction="Your task is to: take a mug.",
    observation="You see a desk.",
)
NOTES = StateNotes(episode="e1", texts=("S0", "S1", "S2"), made_by="w")

RELEASED = [
    {
        "chosen": {
            "id": "trial_1",
            "game_file": "pick_and_place-1/trial_1/game.tw-pddl",
            "conversations": [
                {"from": "human", "value": "Interact with a household."},
                {"from": "gpt", "value": "OK"},
                {
                    "from": "human",
                    "value": "You are in the middle of a room.\n"
                    "Your task is to: put a mug in desk.",
                },
                {"from": "gpt", "value": "Thought: Look.\nAction: go to desk 1"},
                {"from": "human", "value": "Observation: Nothing happens."},
                {"from": "gpt", "value": "Thought: I give up."},
                {"from": "human", "value": "Observation: Error."},
                {"from": "gpt", "value": "Thought: Again.\nAction: look."},
            ],
        },
        "rejected": {
            "id": 17,
            "reward": 0.5,
            "conversations": [
                {"from": "human", "value": "u"},
                {"from": "gpt", "value": "OK"},
                {"from": "human", "value": "t"},
                {"from": "gpt", "value": "Action: look"},
            ],
        },
        "comment": "a field that nobody knows",
    }
]


def released(tmp_path: Path) -> PaperPair:
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps(RELEASED))
    (pair,) = read_items(path, PaperPair)
    return pair


def read_back(item: PaperTrajectory) -> Episode:
    return episode_of(
        item,
        env="cwm/Household-v0",
        task="pick_and_place",
        game=3,
        score=1.0,
        ending="won",
        source="expert",
        made_by="release",
    )


def test_an_attempt_of_the_release_becomes_an_episode(tmp_path: Path) -> None:
    found = read_back(released(tmp_path).chosen)
    assert found.id == "trial_1"
    assert found.instruction == "Your task is to: put a mug in desk."
    assert found.observation == "You are in the middle of a room."
    assert found.actions == ("go to desk 1", "", "look")
    assert [step.thought for step in found.steps] == ["Look.", "I give up.", "Again."]
    assert [step.observation for step in found.steps] == [
        "Nothing happens.",
        "Error.",
        "",
    ]
    assert [step.is_legal for step in found.steps] == [False, False, True]
    assert [step.score for step in found.steps] == [0.0, 0.0, 1.0]


def test_an_id_may_be_a_number_and_a_reward_may_be_there(tmp_path: Path) -> None:
    rejected = released(tmp_path).rejected
    assert (rejected.id, rejected.reward) == (17, 0.5)
    assert read_back(rejected).id == "17"


def test_task_knowledge_is_written_under_the_misspelt_key_and_read_from_both(
    tmp_path: Path,
) -> None:
    attempts = [trajectory_of(one, PROMPTS) for one in (HOT_MUG, COLD_MUG)]
    path = tmp_path / "deep" / "pairs.json"
    write_items(path, [pair_of(attempts[0], attempts[1], TASK)])
    (raw,) = json.loads(path.read_text())
    assert raw["task_knowledege"] == "When."
    assert "task_knowledge" not in raw
    (pair,) = read_items(path, PaperPair)
    assert pair.knowledge == "When."
    raw["task_knowledge"] = raw.pop("task_knowledege")
    path.write_text(json.dumps([raw]))
    (pair,) = read_items(path, PaperPair)
    assert pair.knowledge == "When."


def test_an_episode_comes_back_but_for_what_the_release_does_not_keep() -> None:
    item = trajectory_of(SHORT, PROMPTS)
    found = read_back(item)
    assert found.instruction == SHORT.instruction
    assert found.observation == SHORT.observation
    assert found.actions == SHORT.actions
    assert found.observations == ("You see a desk.", "It is open.", "")


def test_a_state_file_has_a_text_at_each_human_turn_of_the_task(tmp_path: Path) -> None:
    item = trajectory_of(SHORT, PROMPTS, states=NOTES)
    path = tmp_path / "states.json"
    write_items(path, [item])
    (raw,) = json.loads(path.read_text())
    told = [turn.get("state_knowledge") for turn in raw["conversations"]]
    assert told == [None, None, "S0", None, "S1", None]
    (again,) = read_items(path, PaperTrajectory)
    assert states_of(again, "w").texts == ("S0", "S1", "")
    assert len(states_of(again, "w").texts) == len(read_back(again).observations)


def test_state_and_task_knowledge_are_merged_by_id() -> None:
    states = trajectory_of(SHORT, PROMPTS, states=NOTES)
    pair = pair_of(states, trajectory_of(COLD_MUG, PROMPTS), TASK)
    (item,) = merged([states], [pair])
    assert item.task_knowledge == "When."
    assert item.conversations == states.conversations
    with pytest.raises(DataError, match=r"^Item 'e1' must have a pair"):
        merged([states], [])
    with pytest.raises(DataError, match=r"^Item 'e1' must have a pair"):
        merged([states], [msgspec.structs.replace(pair, misspelt="")])


def test_training_files_come_back_as_they_were(tmp_path: Path) -> None:
    conversation = agent_conversation(SHORT, PROMPTS, task=TASK)
    path = tmp_path / "training.json"
    write_items(path, [training_of(conversation)])
    (raw,) = json.loads(path.read_text())
    assert raw["conversations"][1] == {"from": "gpt", "value": "OK"}
    assert set(raw) == {"conversations"}
    (item,) = read_items(path, PaperTraining)
    assert conversation_of(item) == conversation


def test_state_actions_have_the_names_of_the_release(tmp_path: Path) -> None:
    entries = entries_of(SHORT, NOTES)
    path = tmp_path / "pairs.json"
    write_items(path, [state_action_of(entry) for entry in entries])
    assert json.loads(path.read_text())[0] == {
        "pre_action": "look",
        "state": "S0",
        "action": "open desk",
    }
    found = [
        entry_of(item, task=SHORT.task, episode="e1")
        for item in read_items(path, PaperStateAction)
    ]
    assert found == list(entries)


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pairs.json"
    path.write_text('{"chosen": 1}')
    with pytest.raises(DataError, match=r"must be a JSON list of PaperPair"):
        read_items(path, PaperPair)
    with pytest.raises(DataError, match=r"missing\.json' must be a JSON list"):
        read_items(tmp_path / "missing.json", PaperPair)


def test_turns_must_be_in_turn(tmp_path: Path) -> None:
    item = released(tmp_path).chosen
    turns = item.conversations
    swapped = msgspec.structs.replace(item, conversations=(*turns[:3], *turns[4:]))
    with pytest.raises(DataError, match=r"^Item 'trial_1' must have an instruction"):
        read_back(swapped)
    short = msgspec.structs.replace(item, conversations=turns[:3])
    with pytest.raises(DataError, match=r"got 3 turns\.$"):
        read_back(short)
    with pytest.raises(DataError, match=r"^Each human turn of 'trial_1' must have"):
        states_of(item, "w")
