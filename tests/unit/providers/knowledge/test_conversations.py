"""The turns of agent and knowledge model."""

import pytest

from cwm.core.errors import DataError
from cwm.llm.chat import ChatMessage
from cwm.providers.knowledge.conversations import (
    FORMAT_ERROR,
    Answer,
    Conversation,
    agent_conversation,
    answer_text,
    knowledge_conversation,
    observation_text,
    opening,
    parse_answer,
    report_text,
    task_text,
    template_thought,
)
from cwm.providers.knowledge.records import Episode, StateNotes, Step, TaskNote
from prompts.knowledge import KnowledgePrompts
from tests.support.knowledge_episodes import episode, step

PROMPTS = KnowledgePrompts("household")
EPISODE = episode(
    step("open desk", "It is open."),
    step("take mug", "You take it."),
    step("put mug", "The end."),
    instruction="Your task is to: put a mug away.",
    observation="You see a desk.",
)
TASK = TaskNote(episode="e1", text="KAPPA", made_by="w")
STATES = StateNotes(episode="e1", texts=("S0", "S1", "S2", "S3"), made_by="w")


def said(conversation: Conversation) -> list[tuple[str, str]]:
    return [(turn.message.role, turn.message.content) for turn in conversation]


def test_an_agent_learns_all_answers_and_is_told_the_task_knowledge_once() -> None:
    conversation = agent_conversation(EPISODE, PROMPTS, task=TASK)
    assert said(conversation) == [
        ("user", PROMPTS.agent(with_thought=False)),
        ("assistant", "OK"),
        ("user", "Your task is to: put a mug away.\nYou see a desk.\nKAPPA"),
        ("assistant", "Action: open desk"),
        ("user", "Observation: It is open."),
        ("assistant", "Action: take mug"),
        ("user", "Observation: You take it."),
        ("assistant", "Action: put mug"),
    ]


def test_a_knowledge_model_learns_task_and_state_knowledge_but_no_last_action() -> None:
    conversation = knowledge_conversation(EPISODE, PROMPTS, task=TASK, states=STATES)
    assert said(conversation) == [
        ("user", PROMPTS.knowledge_model()),
        ("assistant", "OK"),
        ("user", "Your task is to: put a mug away.\nYou see a desk."),
        ("assistant", "KAPPA"),
        ("user", "Action: open desk\nObservation: It is open."),
        ("assistant", "S1"),
        ("user", "Action: take mug\nObservation: You take it."),
        ("assistant", "S2"),
    ]


def agent_has(conversation: Conversation) -> tuple[int, bool]:
    """Returns how often the task knowledge is there, and whether any state is."""
    text = "\n".join(content for _, content in said(conversation))
    return text.count("KAPPA"), any(state in text for state in STATES.texts)


@pytest.mark.parametrize(
    ("conversation", "expected"),
    [
        (agent_conversation(EPISODE, PROMPTS, task=TASK), (1, False)),
        (agent_conversation(EPISODE, PROMPTS), (0, False)),
        (agent_conversation(EPISODE, PROMPTS, task=TASK, states=STATES), (1, True)),
    ],
)
def test_an_agent_has_what_its_row_of_the_table_says(
    conversation: Conversation, expected: tuple[int, bool]
) -> None:
    assert agent_has(conversation) == expected


def test_the_mistake_of_the_first_release_would_be_noticed() -> None:
    right = agent_conversation(EPISODE, PROMPTS, task=TASK)
    last = right[-2]
    leaked = last._replace(message=ChatMessage("user", last.message.content + " S2"))
    assert agent_has((*right[:-2], leaked, right[-1])) != agent_has(right)


def test_exactly_the_answers_are_learned_the_first_too() -> None:
    for conversation in (
        agent_conversation(EPISODE, PROMPTS, task=TASK),
        knowledge_conversation(EPISODE, PROMPTS, task=TASK, states=STATES),
    ):
        learned = [turn.is_learned for turn in conversation]
        assert learned == [False, True] * 4


def test_explicit_states_are_those_that_a_knowledge_model_can_say() -> None:
    conversation = agent_conversation(EPISODE, PROMPTS, task=TASK, states=STATES)
    told = [content for role, content in said(conversation) if role == "user"]
    assert told[1].endswith("KAPPA")
    assert told[2] == "Observation: It is open.\nState: S1"
    assert told[3] == "Observation: You take it.\nState: S2"
    assert not any("S0" in text or "S3" in text for text in told)


def test_a_knowledge_model_of_the_task_only_ends_with_it() -> None:
    conversation = knowledge_conversation(EPISODE, PROMPTS, task=TASK)
    assert said(conversation)[-1] == ("assistant", "KAPPA")
    assert len(conversation) == 4


def test_an_episode_that_is_played_has_the_messages_of_one_that_is_learned() -> None:
    answers = [answer_text(action) for action in EPISODE.actions]
    played = [
        *opening(PROMPTS.knowledge_model()),
        ChatMessage("user", task_text(EPISODE.instruction, EPISODE.observation)),
        ChatMessage("assistant", "KAPPA"),
        ChatMessage("user", report_text(answers[0], "It is open.")),
        ChatMessage("assistant", "S1"),
        ChatMessage("user", report_text(answers[1], "You take it.")),
        ChatMessage("assistant", "S2"),
    ]
    learned = knowledge_conversation(EPISODE, PROMPTS, task=TASK, states=STATES)
    assert played == [turn.message for turn in learned]
    assert observation_text("Ah.") == "Observation: Ah."


def test_an_instruction_that_is_seen_anyway_is_told_once() -> None:
    assert task_text("Do it.", "You see a desk.\nDo it.", "K") == (
        "You see a desk.\nDo it.\nK"
    )
    assert task_text("Do it.", "") == "Do it."


def test_a_thought_made_from_a_template_leads_to_the_action() -> None:
    conversation = agent_conversation(EPISODE, PROMPTS, thoughts="template")
    assert said(conversation)[0] == ("user", PROMPTS.agent(with_thought=True))
    assert said(conversation)[3] == (
        "assistant",
        "Thought: My task is: put a mug away. Next I open desk.\nAction: open desk",
    )
    long = "Your task is to boil water. First, focus on the substance."
    assert template_thought(long, "wait") == "My task is: boil water. Next I wait."


def test_recorded_thoughts_must_be_there() -> None:
    thinking = Episode(
        **{name: getattr(EPISODE, name) for name in EPISODE.__struct_fields__}
        | {"steps": (Step(thought="Hm.", action="a", observation="o", score=1.0),)}
    )
    conversation = agent_conversation(thinking, PROMPTS, thoughts="recorded")
    assert said(conversation)[-1] == ("assistant", "Thought: Hm.\nAction: a")
    with pytest.raises(DataError, match=r"^thoughts is 'recorded', but a step of 'e1'"):
        agent_conversation(EPISODE, PROMPTS, thoughts="recorded")


def test_knowledge_of_another_episode_is_refused() -> None:
    other = TaskNote(episode="e2", text="KAPPA", made_by="w")
    with pytest.raises(DataError, match=r"^Task knowledge of episode 'e1' is needed"):
        agent_conversation(EPISODE, PROMPTS, task=other)
    few = StateNotes(episode="e1", texts=("S0",), made_by="w")
    with pytest.raises(DataError, match="each of its 4 observations, got 1"):
        knowledge_conversation(EPISODE, PROMPTS, task=TASK, states=few)


def test_nothing_is_learned_from_an_episode_without_a_step() -> None:
    with pytest.raises(DataError, match="'e1' with none"):
        agent_conversation(episode(), PROMPTS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thought: Hm.\nAction: go to desk 1", Answer("Hm.", "go to desk 1")),
        ("Action: go to desk 1.", Answer("", "go to desk 1")),
        ("Action:look?!.,;: \n", Answer("", "look")),
        ("Action: a\nAction: b", Answer("", "a\nAction: b")),
        ("I open it. Action: open it", Answer("I open it.", "open it")),
        ("action: open it", Answer("action: open it", "")),
        ("Thought: I wonder.", Answer("I wonder.", "")),
        ("Action: ...", Answer("", "")),
        ("", Answer("", "")),
    ],
)
def test_an_answer_is_read_as_published(text: str, expected: Answer) -> None:
    assert parse_answer(text) == expected


def test_what_is_written_is_read_again_and_the_error_tells_the_form() -> None:
    assert parse_answer(answer_text("take mug", "Hm.")) == Answer("Hm.", "take mug")
    assert "Action:" in FORMAT_ERROR
