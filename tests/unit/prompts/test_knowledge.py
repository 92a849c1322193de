"""What writers of knowledge, agent and knowledge model are told."""

import re
from importlib.resources import files

import pytest

from prompts.knowledge import FOLDERS, KnowledgePrompts, known_folders

NAMES = sorted(set(FOLDERS.values()))


def test_every_folder_of_templates_belongs_to_an_environment() -> None:
    assert list(known_folders()) == NAMES


@pytest.mark.parametrize("folder", NAMES)
def test_every_prompt_of_a_folder_can_be_made(folder: str) -> None:
    prompts = KnowledgePrompts(folder)
    task, state = prompts.task(["CHOSEN"], ["REJECTED"]), prompts.state("SO FAR")
    for text in (task, state, prompts.agent(with_thought=True)):
        assert text == text.strip()
        assert "{" not in text
    assert task.index("CHOSEN") < task.index("REJECTED") < task.index("Task Knowledge:")
    assert task.endswith("The action workflows are: ...")
    assert state.index("State Knowledge:") < state.index("SO FAR")
    assert state.endswith("State Knowledge: ...")


def test_turns_stand_one_after_the_other_and_only_observations_are_cut() -> None:
    long = "x" * 1_500
    turns = [long, "OK", f"Observation: {long}", "Action: look"]
    prompt = KnowledgePrompts("express").task(turns, [])
    assert f"{long}\nOK\nObservation: {'x' * 987}\nAction: look\n" in prompt


def test_without_an_explored_attempt_none_is_spoken_of() -> None:
    alone = KnowledgePrompts("express").task(["CHOSEN"], [])
    assert "exploring" not in alone
    assert "exploring" in KnowledgePrompts("express").task(["CHOSEN"], ["REJECTED"])


@pytest.mark.parametrize("folder", NAMES)
def test_an_agent_is_asked_for_a_thought_only_if_it_is_to_think(folder: str) -> None:
    prompts = KnowledgePrompts(folder)
    thinking, not_thinking = (prompts.agent(with_thought=one) for one in (True, False))
    assert thinking.endswith("Thought: what you think\nAction: your next action")
    assert "Thought:" not in not_thinking
    assert not_thinking.endswith("Action: your next action")
    assert prompts.knowledge_model().partition("\n\n")[0] in thinking


@pytest.mark.parametrize("folder", NAMES)
def test_a_worked_example_has_a_state_after_each_observation(folder: str) -> None:
    shown = (files("prompts") / "templates" / "knowledge" / folder).joinpath(
        "state_example.md"
    )
    lines = shown.read_text(encoding="utf-8").splitlines()
    places = [
        number for number, line in enumerate(lines) if line.startswith("Observation:")
    ]
    assert len(places) >= 3
    assert all(lines[place + 1].startswith("State Knowledge: ") for place in places)
    assert any("failed" in line for line in lines)


def test_prompts_are_found_by_environment() -> None:
    assert KnowledgePrompts.of("cwm/TWC-v0") == KnowledgePrompts("express")
    with pytest.raises(ValueError, match=r"^env must be one of .*, got 'CartPole-v1'"):
        KnowledgePrompts.of("CartPole-v1")
    with pytest.raises(ValueError, match=r"^folder must be one of express, .*'chess'"):
        KnowledgePrompts("chess")


def test_templates_use_the_words_of_the_glossary() -> None:
    avoided = re.compile(
        r"\b(simulator|obs|sample|rollout|fitness|trajector\w+)\b", re.I
    )
    root = files("prompts") / "templates" / "knowledge"
    places = [root, *(root / folder for folder in NAMES)]
    texts = [
        one.read_text(encoding="utf-8")
        for place in places
        for one in place.iterdir()
        if one.name.endswith(".md")
    ]
    assert len(texts) == 7 + 3 * len(NAMES)
    assert [avoided.findall(text) for text in texts] == [[]] * len(texts)
