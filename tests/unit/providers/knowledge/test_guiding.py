from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.core.errors import ConfigError, LLMError
from cwm.core.protocols import Context
from cwm.llm.chat import ChatMessage
from cwm.llm.scoring import TokenLogProbs
from cwm.llm.scripted import ScriptedChatModel
from cwm.providers.knowledge import guiding
from cwm.providers.knowledge.acting.knowing import KnowledgeModel
from cwm.providers.knowledge.base.encoders import HashedEncoder
from cwm.providers.knowledge.base.entries import Entry
from cwm.providers.knowledge.base.states import StateBase
from cwm.providers.knowledge.guiding import (
    GuidingAgent,
    GuidingConfig,
    KnowledgePrior,
    note_of,
)
from cwm.providers.knowledge.mixing import MixingConfig
from prompts.knowledge import KnowledgePrompts

LEGAL = ("go to bed", "go to desk", "take cup", "put cup")

BASE = StateBase.from_entries(
    [
        Entry(state="s", previous="look", next=then, task="t", episode="e")
        for then in ("go to bed", "go to desk", "take cup")
    ]
    + [Entry(state="s", previous="go to bed", next="take cup", task="t", episode="e")],
    HashedEncoder(256),
)


class Scorer:
    """Likes longer commands more, and keeps what it read."""

    name = "scorer"

    def __init__(self) -> None:
        self.read: list[Sequence[ChatMessage]] = []

    def log_probs(
        self,
        messages: Sequence[ChatMessage],
        continuations: Sequence[str],
        *,
        end_of_turn: bool = True,
    ) -> list[TokenLogProbs]:
        self.read.append(list(messages))
        return [
            TokenLogProbs(
                token_ids=(1,),
                tokens=(text,),
                log_probs=np.array([0.1 * len(text)], dtype=np.float32),
            )
            for text in continuations
        ]


def context(*pairs: tuple[str, str]) -> Context:
    return Context(
        instruction="Put the cup on the bed.",
        observations=("A room.", *(seen for _, seen in pairs)),
        actions=tuple(done for done, _ in pairs),
    )


FIRST, LATER = context(), context(("go to bed", "You arrive at the bed."))


def config(weight: float, epsilon: float = 0.0, contexts: int = 16) -> GuidingConfig:
    mixing = MixingConfig(agent_weight=weight, epsilon=epsilon)
    return GuidingConfig(mixing=mixing, agent_contexts=contexts)


def agent(scorer: Scorer) -> GuidingAgent:
    return GuidingAgent(scorer=scorer, prompts=KnowledgePrompts("household"))


def test_without_base_and_agent_all_actions_are_equally_probable() -> None:
    (found,) = KnowledgePrior(None).evaluate([FIRST], [LEGAL])
    np.testing.assert_array_equal(found, np.full(4, found[0]))
    assert np.exp(found).sum() == pytest.approx(1.0)


def test_the_base_alone_divides_a_verbs_share_among_its_actions() -> None:
    # After "look": go 2 of 3, for two actions; take 1 of 3; put never.
    (found,) = KnowledgePrior(BASE, None, config(0.0)).evaluate([FIRST], [LEGAL])
    np.testing.assert_allclose(np.exp(found), [1 / 3, 1 / 3, 1 / 3, 0.0], atol=1e-12)
    # After "go" only take has followed.
    (found,) = KnowledgePrior(BASE, None, config(0.0)).evaluate([LATER], [LEGAL])
    np.testing.assert_allclose(np.exp(found), [0.0, 0.0, 1.0, 0.0], atol=1e-12)


def test_epsilon_leaves_something_for_every_legal_action() -> None:
    prior = KnowledgePrior(BASE, None, config(0.0, epsilon=0.2))
    (found,) = prior.evaluate([LATER], [LEGAL])
    np.testing.assert_allclose(np.exp(found), [0.05, 0.05, 0.85, 0.05], atol=1e-12)


def test_weight_one_is_the_agents_own_choice() -> None:
    (found,) = KnowledgePrior(BASE, agent(Scorer()), config(1.0)).evaluate(
        [FIRST], [LEGAL]
    )
    # Scored with the blank before them: 10, 11, 9 and 8 characters.
    scores = np.array([1.0, 1.1, 0.9, 0.8])
    expected = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose(np.exp(found), expected, rtol=1e-6)


def test_the_agent_reads_the_dialogue_that_it_would_have_had() -> None:
    scorer = Scorer()
    prompts = KnowledgePrompts("household")
    knowing = ScriptedChatModel(["Cups belong on beds."])
    told = GuidingAgent(
        scorer=scorer, prompts=prompts, knower=KnowledgeModel(knowing, prompts)
    )
    KnowledgePrior(BASE, told, config(0.5)).evaluate([LATER], [LEGAL])
    assert [message.content for message in scorer.read[0][2:]] == [
        "Put the cup on the bed.\nA room.\nCups belong on beds.",
        "Action: go to bed",
        "Observation: You arrive at the bed.",
        "Action:",
    ]


def test_the_agent_is_asked_about_so_many_contexts_and_the_base_about_all() -> None:
    scorer = Scorer()
    prior = KnowledgePrior(BASE, agent(scorer), config(0.5, contexts=1))
    both = prior.evaluate([FIRST, LATER], [LEGAL, LEGAL])
    assert (prior.num_contexts, prior.num_looked_up) == (2, 2)
    assert (prior.num_agent_contexts, len(scorer.read)) == (1, 1)
    np.testing.assert_allclose(np.exp(both[1]), [0.0, 0.0, 1.0, 0.0], atol=1e-12)
    # What was answered is not asked again, until it is forgotten.
    again = prior.evaluate([LATER, FIRST], [LEGAL, LEGAL])
    np.testing.assert_array_equal(again[0], both[1])
    assert (prior.num_looked_up, len(scorer.read)) == (2, 1)
    prior.forget()
    prior.evaluate([LATER], [LEGAL])
    assert (prior.num_looked_up, len(scorer.read)) == (3, 2)


@settings(max_examples=40, deadline=None)
@given(
    st.permutations(LEGAL),
    st.floats(0.0, 1.0),
    st.floats(0.01, 1.0),
    st.booleans(),
)
def test_probabilities_sum_to_one_and_do_not_depend_on_the_order(
    order: list[str], weight: float, epsilon: float, has_agent: bool
) -> None:
    made = [
        KnowledgePrior(
            BASE, agent(Scorer()) if has_agent else None, config(weight, epsilon)
        )
        for _ in range(2)
    ]
    (one,) = made[0].evaluate([LATER], [LEGAL])
    (other,) = made[1].evaluate([LATER], [order])
    assert np.exp(one).sum() == pytest.approx(1.0)
    assert np.isfinite(one).all()
    np.testing.assert_array_equal(other, one[[LEGAL.index(action) for action in order]])


def test_many_contexts_at_once_get_what_each_gets_alone() -> None:
    together = KnowledgePrior(BASE, agent(Scorer()), config(0.5)).evaluate(
        [FIRST, LATER, FIRST], [LEGAL, LEGAL[1:], LEGAL]
    )
    for found, asked, legal in zip(
        together, [FIRST, LATER, FIRST], [LEGAL, LEGAL[1:], LEGAL], strict=True
    ):
        prior = KnowledgePrior(BASE, agent(Scorer()), config(0.5))
        np.testing.assert_array_equal(prior.evaluate([asked], [legal])[0], found)


def test_a_context_is_told_as_the_writer_tells_episodes() -> None:
    told = note_of(LATER)
    assert told.startswith("Goal: Put the cup on the bed. Place: bed.")
    assert note_of(FIRST) != told


def test_what_an_agent_cannot_read_is_left_to_the_base() -> None:
    class Short(Scorer):
        def log_probs(
            self,
            messages: Sequence[ChatMessage],
            continuations: Sequence[str],
            *,
            end_of_turn: bool = True,
        ) -> list[TokenLogProbs]:
            raise LLMError("too long", retryable=False, is_about_prompt=True)

    prior = KnowledgePrior(BASE, agent(Short()), config(0.5))
    (found,) = prior.evaluate([LATER], [LEGAL])
    np.testing.assert_allclose(np.exp(found), [0.0, 0.0, 1.0, 0.0], atol=1e-12)
    assert (prior.num_agent_contexts, prior.num_too_long) == (1, 1)


def test_a_full_memory_forgets_and_answers_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guiding, "MAX_KEPT", 2)
    prior = KnowledgePrior(BASE, None, config(0.0))
    before = prior.evaluate([FIRST, LATER], [LEGAL, LEGAL])
    again = prior.evaluate([FIRST, LATER], [LEGAL[:2], LEGAL])
    np.testing.assert_array_equal(again[1], before[1])


def test_wrong_questions_and_settings_are_named() -> None:
    prior = KnowledgePrior(BASE)
    with pytest.raises(ValueError, match="legal actions must be texts"):
        prior.evaluate([FIRST], [[1, 2]])
    with pytest.raises(ValueError, match="at least one"):
        prior.evaluate([FIRST], [[]])
    with pytest.raises(ConfigError, match="agent_contexts must be at least 0, got -1"):
        GuidingConfig(agent_contexts=-1)
