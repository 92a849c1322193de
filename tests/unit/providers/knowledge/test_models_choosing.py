"""How probable candidates are: by hand, and with a random model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.llm.chat import ChatMessage
from cwm.llm.local.config import LocalConfig
from cwm.llm.local.model import TransformersModel
from cwm.llm.scoring import TokenLogProbs
from cwm.providers.knowledge.models.choosing import (
    Choice,
    ChoiceScores,
    begun_answer,
    score_choices,
)
from tests.support.tiny_language_model import tiny_model

TASK = [ChatMessage("user", "Tidy up.")]
BEGUN = "Thought: The key is here.\nAction:"
TABLE = {
    " take key": ((1, 2), (-0.5, -1.5)),
    " take": ((1,), (-0.5,)),
    " take key now": ((1, 2, 3), (-0.5, -1.5, -0.1)),
    " go": ((4,), (-1.0,)),
}
END = (9, -0.25)


class ByHand:
    """A scoring model that knows four continuations of one conversation."""

    name = "by hand"

    def __init__(self) -> None:
        self.asked: list[tuple[Sequence[ChatMessage], Sequence[str], bool]] = []

    def log_probs(
        self,
        messages: Sequence[ChatMessage],
        continuations: Sequence[str],
        *,
        end_of_turn: bool = True,
    ) -> list[TokenLogProbs]:
        self.asked.append((messages, continuations, end_of_turn))
        found = []
        for text in continuations:
            ids, values = TABLE[text]
            if end_of_turn:
                ids, values = (*ids, END[0]), (*values, END[1])
            found.append(
                TokenLogProbs(
                    token_ids=ids,
                    tokens=tuple(map(str, ids)),
                    log_probs=np.array(values, dtype=np.float32),
                )
            )
        return found


class Silent(ByHand):
    """An endpoint that gives no log-probabilities."""

    def log_probs(self, *_: Any, **__: Any) -> list[TokenLogProbs]:
        raise ConfigError("openai:x gives no log-probabilities of prompts.")


def choice(*candidates: str) -> Choice:
    return Choice(messages=TASK, begun=BEGUN, candidates=candidates)


def scored(*candidates: str, **options: Any) -> ChoiceScores:
    (found,) = score_choices(ByHand(), [choice(*candidates)], **options)
    return found


def test_a_candidate_is_scored_after_the_begun_answer_with_its_blank() -> None:
    model = ByHand()
    (found,) = score_choices(model, [choice("take key", "go")])
    ((messages, continuations, end_of_turn),) = model.asked
    assert list(messages) == [*TASK, ChatMessage("assistant", BEGUN)]
    assert list(continuations) == [" take key", " go"]
    assert end_of_turn
    assert found.candidates == ("take key", "go")
    assert found.scores.dtype == np.float64


def test_the_whole_candidate_counts_by_default() -> None:
    found = scored("take key", "take", "go")
    assert found.scores.tolist() == [-2.25, -0.75, -1.25]
    assert found.collisions == ()
    # Without the end of the turn, the shorter of two that begin alike always wins.
    alone = scored("take key", "take", "go", end_of_turn=False)
    assert alone.scores.tolist() == [-2.0, -0.5, -1.0]


def test_the_mean_does_not_favour_short_ones() -> None:
    found = scored("take key now", "go", mode="mean", end_of_turn=False)
    assert found.scores.tolist() == pytest.approx([-0.7, -1.0])
    assert scored("take key now", mode="mean").scores[0] == pytest.approx(-2.35 / 4)


def test_first_tokens_alone_are_the_published_way_and_collisions_are_told() -> None:
    found = scored("take key", "take", "go", mode="first_token")
    assert found.scores.tolist() == [-0.5, -0.5, -1.0]
    assert found.collisions == (("take key", "take"),)
    assert scored("take key", "go", mode="first_token").collisions == ()


def test_a_softmax_over_first_tokens_is_that_over_their_logits() -> None:
    found = scored("take", "go", mode="first_token").scores
    # Log-probabilities are logits less the same number: e^-0.5 : e^-1.
    share = np.exp(found) / np.exp(found).sum()
    assert share.tolist() == pytest.approx([0.6224593, 0.3775407])


def test_each_choice_has_its_own_candidates() -> None:
    found = score_choices(ByHand(), [choice("go"), choice(), choice("take", "go")])
    assert [one.candidates for one in found] == [("go",), (), ("take", "go")]
    assert [len(one.scores) for one in found] == [1, 0, 2]
    assert score_choices(ByHand(), []) == []


def test_a_model_without_log_probabilities_says_so() -> None:
    with pytest.raises(ConfigError, match="gives no log-probabilities"):
        score_choices(Silent(), [choice("go")])


@pytest.mark.parametrize("begun", ["", "Action: ", "Thought: x\n"])
def test_a_begun_answer_ends_without_a_blank(begun: str) -> None:
    with pytest.raises(ValueError, match="begun must be the beginning of an answer"):
        Choice(messages=TASK, begun=begun, candidates=["go"])


def test_candidates_are_texts_that_differ() -> None:
    for wrong in ("", " go", "go\n"):
        with pytest.raises(ValueError, match="must be texts without blanks around"):
            choice("take", wrong)
    with pytest.raises(ValueError, match="candidates must differ, got one twice"):
        choice("go", "take", "go")


def test_an_answer_is_begun_with_a_thought_or_without() -> None:
    assert begun_answer("The key is here.") == BEGUN
    assert begun_answer() == "Action:"


@pytest.mark.local
@pytest.mark.parametrize("mode", ["sum", "mean", "first_token"])
def test_a_local_model_gives_what_it_gives_to_each_alone(mode: Any) -> None:
    torch = pytest.importorskip("torch")
    loaded = tiny_model()
    config = LocalConfig(device="cpu", num_threads=1, prefix_block_tokens=8)
    model = TransformersModel(loaded, config)
    candidates = ["the pole falls", "the pole", "return 1", "x"]
    (found,) = score_choices(model, [choice(*candidates)], mode=mode)
    prompt = loaded.tokenizer.apply_chat_template(
        [
            {"role": "user", "content": "Tidy up."},
            {"role": "assistant", "content": BEGUN},
        ],
        tokenize=False,
        continue_final_message=True,
    )

    def ids(text: str) -> list[int]:
        return list(loaded.tokenizer(text, add_special_tokens=False)["input_ids"])

    assert prompt.endswith("Action:")
    start, wanted, firsts = len(ids(prompt)), [], []
    for text in candidates:
        whole = ids(f"{prompt} {text}<|im_end|>")
        with torch.inference_mode():
            logits = loaded.model(torch.tensor([whole])).logits[0]
        given = logits.log_softmax(dim=-1)
        each = [float(given[at - 1, whole[at]]) for at in range(start, len(whole))]
        firsts.append(whole[start])
        wanted.append(
            {"sum": sum(each), "mean": float(np.mean(each)), "first_token": each[0]}
        )
    np.testing.assert_allclose(found.scores, [one[mode] for one in wanted], atol=1e-4)
    assert firsts[0] == firsts[1] != firsts[2]
    is_first = mode == "first_token"
    assert (("the pole falls", "the pole") in found.collisions) == is_first
