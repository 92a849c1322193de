"""What agent and knowledge model learn of an episode, token by token."""

import pytest

from cwm.llm.local.conversations import tokenize_conversations
from cwm.llm.local.model import TransformersModel
from cwm.providers.knowledge.conversations import (
    Conversation,
    agent_conversation,
    knowledge_conversation,
)
from cwm.providers.knowledge.models.vocabulary import make_tokenizer
from cwm.providers.knowledge.records import StateNotes, TaskNote
from prompts.knowledge import KnowledgePrompts
from tests.support.knowledge_episodes import episode, step
from tests.support.tiny_language_model import CHATML, tiny_model

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.local

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
AGENT = agent_conversation(EPISODE, PROMPTS, task=TASK)
KNOWLEDGE = knowledge_conversation(EPISODE, PROMPTS, task=TASK, states=STATES)


def learned(
    conversation: Conversation, *, from_nothing: bool
) -> tuple[list[str], list[str]]:
    """Returns the texts of the learned tokens, and of those between them."""
    loaded = tiny_model(template=CHATML)
    if from_nothing:
        tokenizer = make_tokenizer([conversation], 400)
        loaded = type(loaded).of("scratch", loaded.model, tokenizer)
    template = TransformersModel(loaded).template
    (text,) = tokenize_conversations(loaded, template, [conversation]).texts
    answers, rest, place = [], [], 0
    for start, end in text.spans:
        rest.append(loaded.tokenizer.decode(list(text.token_ids[place:start])))
        answers.append(loaded.tokenizer.decode(list(text.token_ids[start:end])))
        place = end
    assert place == len(text.token_ids)
    return answers, rest


@pytest.mark.parametrize(
    ("from_nothing", "end"), [(True, "<|end|>"), (False, "<|im_end|>")]
)
def test_an_agent_learns_ok_and_every_action_and_nothing_else(
    from_nothing: bool, end: str
) -> None:
    answers, rest = learned(AGENT, from_nothing=from_nothing)
    wanted = ["OK", "Action: open desk", "Action: take mug", "Action: put mug"]
    assert answers == [text + end for text in wanted]
    between = "".join(rest)
    assert between.count("KAPPA") == 1
    assert "Action: " not in between.replace(PROMPTS.agent(with_thought=False), "")
    assert "S1" not in "".join([*answers, *rest])


@pytest.mark.parametrize(
    ("from_nothing", "end"), [(True, "<|end|>"), (False, "<|im_end|>")]
)
def test_a_knowledge_model_learns_task_and_states_and_nothing_else(
    from_nothing: bool, end: str
) -> None:
    answers, rest = learned(KNOWLEDGE, from_nothing=from_nothing)
    assert answers == [text + end for text in ("OK", "KAPPA", "S1", "S2")]
    between = "".join(rest)
    assert "KAPPA" not in between
    assert "S1" not in between
    assert "Action: take mug" in between
    assert "put mug" not in between
