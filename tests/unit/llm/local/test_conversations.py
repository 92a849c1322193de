"""Which tokens of a conversation are learned: all and only those of the answers."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.core.errors import ConfigError, DataError, LLMError
from cwm.llm.chat import ChatMessage
from cwm.llm.local.conversations import (
    TokenizedConversations,
    Turn,
    tokenize_conversations,
)
from cwm.llm.local.loading import LoadedModel
from cwm.llm.local.templates import ChatTemplate
from cwm.llm.local.tokenizing import TokenizedText
from cwm.llm.local.training import _passes
from tests.support.tiny_language_model import CHATML, tiny_model

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.local

TRIMS = CHATML.replace("message['content']", "message['content'] | trim")
NO_END = (
    "{% for message in messages %}[{{ message['role'] }}]{{ message['content'] }}\n"
    "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)
ONLY_LAST = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' and not loop.last %}said"
    "{% else %}{{ message['content'] }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
BARE = (
    "{% for message in messages %}{{ message['content'] }}"
    "{{ eos_token if message['role'] == 'assistant' else '' }}{% endfor %}"
)
"""Nothing between the user's text and the answer, so that tokens can merge."""


def turns(*texts: str, learned: Sequence[int] | None = None) -> list[Turn]:
    """Returns texts of user and assistant by turns; all answers are learned."""
    found = []
    for index, text in enumerate(texts):
        is_answer = index % 2 == 1
        message = ChatMessage("assistant" if is_answer else "user", text)
        found.append((message, is_answer if learned is None else index in learned))
    return found


def tokenize(
    *conversations: Sequence[Turn], template: str = CHATML, **options: Any
) -> tuple[LoadedModel, TokenizedConversations]:
    loaded = tiny_model(template=template)
    chat = chat_of(loaded)
    return loaded, tokenize_conversations(loaded, chat, conversations, **options)


def chat_of(loaded: LoadedModel) -> ChatTemplate:
    return ChatTemplate(name="tiny", tokenizer=loaded.tokenizer, end_ids=loaded.end_ids)


def answers(loaded: LoadedModel, text: TokenizedText) -> list[str]:
    """Returns what the learned tokens say."""
    return [
        loaded.tokenizer.decode(list(text.token_ids[start:end]))
        for start, end in text.spans
    ]


@pytest.fixture(scope="module")
def scratch() -> LoadedModel:
    return tiny_model()


@given(
    # A blank at the beginning of an answer may merge with the line break before it.
    talk=st.lists(
        st.text("ab x.:é\n", max_size=8).map(str.strip), min_size=2, max_size=9
    ),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_said_the_learned_tokens_are_those_of_the_answers(
    scratch: LoadedModel, talk: list[str], data: st.DataObject
) -> None:
    places = range(1, len(talk), 2)
    marked = data.draw(st.sets(st.sampled_from(places), min_size=1))
    conversation = turns(*talk, learned=sorted(marked))
    found = tokenize_conversations(scratch, chat_of(scratch), [conversation])
    (text,) = found.texts
    said = [f"{talk[place]}<|im_end|>" for place in sorted(marked)]
    assert answers(scratch, text) == said
    messages = [message for message, _ in conversation[: max(marked)]]
    whole = scratch.tokenizer.decode(list(text.token_ids))
    assert whole == chat_of(scratch).prompt(messages) + said[-1]


THREE = turns("the pole", "falls", "to the left", "x = 0", "user", "def step")


def test_all_and_only_the_tokens_of_the_answers_are_learned() -> None:
    loaded, found = tokenize(turns("a", "b", "aa", "bb"))
    (text,) = found.texts
    tokens = loaded.tokenizer.convert_ids_to_tokens(list(text.token_ids))
    assert tokens == [
        *("<|im_start|>", "use", "r", "Ċ", "a", "<|im_end|>", "Ċ"),
        *("<|im_start|>", "ass", "istant", "Ċ", "b", "<|im_end|>", "Ċ"),
        *("<|im_start|>", "use", "r", "Ċ", "a", "a", "<|im_end|>", "Ċ"),
        *("<|im_start|>", "ass", "istant", "Ċ", "b", "b", "<|im_end|>"),
    ]
    # By hand: b and the end of its turn, but not the line break; then b, b, end.
    assert text.spans == ((11, 13), (26, 29))
    assert text.scored == [11, 12, 26, 27, 28]
    assert (text.num_scored, text.start) == (5, 11)


def test_the_end_of_each_turn_is_learned() -> None:
    loaded, found = tokenize(THREE)
    (text,) = found.texts
    assert answers(loaded, text) == [
        "falls<|im_end|>",
        "x = 0<|im_end|>",
        "def step<|im_end|>",
    ]
    assert (found.num_answers, found.num_cut_answers, found.num_empty) == (3, 0, 0)


def test_a_mask_that_is_off_by_one_is_seen() -> None:
    loaded, found = tokenize(THREE)
    (text,) = found.texts
    shifted = TokenizedText(
        text.token_ids, tuple((start + 1, end + 1) for start, end in text.spans[:-1])
    )
    assert answers(loaded, shifted) != answers(loaded, text)[:-1]


def test_only_marked_answers_are_learned_and_nothing_after_them_is_kept() -> None:
    loaded, found = tokenize(turns("a", "falls", "a", "x = 0", "b", learned=[1]))
    (text,) = found.texts
    assert answers(loaded, text) == ["falls<|im_end|>"]
    assert len(text.token_ids) == text.spans[-1][1]
    loaded, found = tokenize(turns("a", "falls", "a", "x = 0", "b", learned=[3]))
    assert answers(loaded, found.texts[0]) == ["x = 0<|im_end|>"]


def test_what_is_read_before_an_answer_is_what_the_model_is_asked_with() -> None:
    loaded, found = tokenize(THREE)
    (text,) = found.texts
    chat = chat_of(loaded)
    for index, (start, _) in zip((1, 3, 5), text.spans, strict=True):
        asked = chat.prompt([message for message, _ in THREE[:index]])
        assert chat.token_ids(asked) == text.token_ids[:start]


def test_answers_that_end_too_late_are_left_out_as_a_whole() -> None:
    _, found = tokenize(THREE)
    ends = [end for _, end in found.texts[0].spans]
    for limit, kept in ((ends[2], 3), (ends[2] - 1, 2), (ends[1], 2), (ends[0], 1)):
        _, cut = tokenize(THREE, max_tokens=limit)
        assert cut.texts[0].spans == found.texts[0].spans[:kept]
        assert len(cut.texts[0].token_ids) == ends[kept - 1] <= limit
        assert (cut.num_answers, cut.num_cut_answers) == (kept, 3 - kept)


def test_conversations_without_an_answer_that_is_short_enough_are_counted() -> None:
    long = turns("the pole " * 50, "falls")
    _, found = tokenize(THREE, long, max_tokens=60)
    assert (len(found.texts), found.num_empty, found.num_cut_answers) == (1, 1, 1)
    with pytest.raises(DataError, match="an answer of some conversation end, got 60"):
        tokenize(long, max_tokens=60)


def test_the_context_is_a_limit_too() -> None:
    loaded = tiny_model(max_position_embeddings=20)
    found = tokenize_conversations(loaded, chat_of(loaded), [THREE])
    assert 0 < len(found.texts[0].token_ids) <= 20
    assert found.num_cut_answers == 2


def test_an_answer_that_merges_with_what_stands_before_it_is_refused() -> None:
    fine = turns("the", " pole")
    merging = turns("the def", "ault pole")
    assert len(tokenize(fine, template=BARE)[1].texts) == 1
    with pytest.raises(DataError, match="Message 1 of conversation 1 must begin and"):
        tokenize(fine, merging, template=BARE)


def test_a_template_that_changes_earlier_answers_is_refused() -> None:
    with pytest.raises(LLMError, match="another text for message 1 of conversation 0"):
        tokenize(THREE, template=ONLY_LAST)
    # Of one answer, there is none before the last.
    assert tokenize(turns("a", "b"), template=ONLY_LAST)[1].num_answers == 1


def test_blanks_that_a_template_takes_away_are_refused() -> None:
    with pytest.raises(LLMError, match="must write an answer as it was asked for"):
        tokenize(turns("a", "falls ", "a", "b"), template=TRIMS)


def test_a_template_whose_turns_do_not_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="must end a turn with a token at which"):
        tokenize(THREE, template=NO_END)


def test_there_must_be_an_answer_to_learn_and_it_must_be_the_assistants() -> None:
    with pytest.raises(DataError, match="Conversation 1 must have an answer to learn"):
        tokenize(THREE, turns("a", "b", learned=[]))
    with pytest.raises(DataError, match="Message 2 of conversation 0 must be the assi"):
        tokenize(turns("a", "b", "c", learned=[1, 2]))


def test_no_conversations_give_no_texts() -> None:
    assert tokenize()[1].texts == ()


def test_one_conversation_is_one_path_and_common_beginnings_are_held_once() -> None:
    other = turns("the pole", "falls", "to the left", "x = 1")
    _, found = tokenize(THREE, other)
    ((tree, targets),) = _passes(found.texts, 10_000)
    one, two = (text.token_ids for text in found.texts)
    shared = next(i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b)
    assert len(tree) == (len(one) - 1) + (len(two) - 1 - shared)
    assert len(targets) == sum(text.num_scored for text in found.texts)
    # A pass that is too small for two holds one.
    assert len(list(_passes(found.texts, 10))) == 2
