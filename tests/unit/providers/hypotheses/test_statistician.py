"""How probable a language model takes changes to be."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.llm.local.config import LocalConfig
from cwm.llm.scoring import ScoringRequest, TokenLogProbs
from cwm.providers.hypotheses.statisticians.language_model import (
    LanguageModelStatistician,
)
from cwm.providers.hypotheses.texts import TextTransition, transitions_of
from cwm.providers.hypotheses.worlds import WORLDS
from prompts.hypotheses import HypothesisPrompts
from tests.support.recording_scorer import RecordingScorer
from tests.support.tiny_language_model import CHATML, tiny_model

PROMPTS = HypothesisPrompts("playground")
HYPOTHESIS = "1. Water makes seeds grow.\n2. You stand where you go"
TRANSITIONS = [
    TextTransition("s1", "a1", "yes"),
    TextTransition("s2", "a1", "no"),
    TextTransition("s1", "a1", "perhaps"),
    TextTransition("s1", "a1", "yes"),
    TextTransition("s1", "a1", "never"),
]

PHI = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '<|user|>\n' + message['content'] + '<|im_end|>\n<|assistant|>\n' }}"
    "{% elif message['role'] == 'system' %}"
    "{{ '<|system|>\n' + message['content'] + '<|im_end|>\n' }}"
    "{% else %}{{ message['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}"
)
"""Begins with a token of its own; the assistant's header ends the user's turn."""

CHATML_WITH_DEFAULT = (
    "{% if messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
) + CHATML
"""Puts a system message before conversations without one, and has no first token."""


def test_transitions_of_a_state_and_an_action_are_one_request() -> None:
    scorer = RecordingScorer()
    statistician = LanguageModelStatistician(scorer, PROMPTS)
    found = statistician.log_probs(HYPOTHESIS, TRANSITIONS)
    assert [call.continuations for call in scorer.calls] == [
        ("yes", "perhaps", "yes", "never"),
        ("no",),
    ]
    np.testing.assert_array_equal(found, [-3.0, -2.0, -7.0, -3.0, -5.0])
    assert found.dtype == np.float64
    assert statistician.name == "recording"
    assert not statistician.is_stand_in


def test_the_answer_is_the_change_and_the_end_of_the_turn() -> None:
    scorer = RecordingScorer()
    LanguageModelStatistician(scorer, PROMPTS).log_probs(None, TRANSITIONS[:1])
    (call,) = scorer.calls
    assert call.end_of_turn
    assert call.continuations == ("yes",)
    prompt = PROMPTS.statistician(None, "s1", "a1")
    assert [m.content for m in call.messages] == [prompt.system, prompt.user]
    assert [m.role for m in call.messages] == ["system", "user"]


def test_nothing_to_score_gives_nothing() -> None:
    scorer = RecordingScorer()
    assert LanguageModelStatistician(scorer, PROMPTS).log_probs("h", []).shape == (0,)


class _Scored:
    """Passes calls on and keeps what came back."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.name = model.name
        self.found: list[TokenLogProbs] = []

    def log_probs(self, *args: Any, **options: Any) -> list[TokenLogProbs]:
        found: list[TokenLogProbs] = self._model.log_probs(*args, **options)
        self.found += found
        return found

    def log_probs_batch(
        self, requests: Sequence[ScoringRequest], *, end_of_turn: bool = True
    ) -> list[list[TokenLogProbs]]:
        found: list[list[TokenLogProbs]] = self._model.log_probs_batch(
            requests, end_of_turn=end_of_turn
        )
        self.found += [one for group in found for one in group]
        return found


def _teacher_forced(loaded: Any, user: str, system: str, change: str) -> float:
    """Returns the log-probability of change and end of turn, in one pass alone."""
    import torch  # noqa: PLC0415 - an extra

    prompt = loaded.tokenizer.apply_chat_template(
        [{"role": "system", "content": system}, {"role": "user", "content": user}],
        tokenize=False,
        add_generation_prompt=True,
    )

    def ids(text: str) -> list[int]:
        return list(loaded.tokenizer(text, add_special_tokens=False)["input_ids"])

    before, answer = ids(prompt), ids(f"{change}<|im_end|>")
    with torch.inference_mode():
        logits = loaded.model(torch.tensor([before + answer])).logits[0]
    rows = logits.double().log_softmax(dim=-1)[len(before) - 1 : -1]
    return float(sum(row[token] for row, token in zip(rows, answer, strict=True)))


def test_it_is_checked_before_it_is_asked() -> None:
    class Checked(RecordingScorer):
        def check(self) -> None:
            raise ConfigError("Wrong numbers.")

    with pytest.raises(ConfigError, match="Wrong numbers"):
        LanguageModelStatistician(Checked(), PROMPTS).check()
    LanguageModelStatistician(RecordingScorer(), PROMPTS).check()


@pytest.mark.local
@pytest.mark.parametrize("template", [PHI, CHATML, CHATML_WITH_DEFAULT])
@pytest.mark.parametrize("hypothesis", [None, HYPOTHESIS])
def test_it_gives_what_teacher_forcing_gives(
    template: str, hypothesis: str | None
) -> None:
    pytest.importorskip("torch")
    from cwm.llm.local.model import TransformersModel  # noqa: PLC0415 - an extra

    loaded = tiny_model(template=template, max_position_embeddings=4_096)
    model = _Scored(
        TransformersModel(loaded, LocalConfig(device="cpu", prefix_block_tokens=16))
    )
    transitions = transitions_of(WORLDS["playground"].test_set()[:4])[:28]
    found = LanguageModelStatistician(model, PROMPTS).log_probs(hypothesis, transitions)
    assert len(found) == len(transitions) == 28
    for one, value in list(zip(transitions, found, strict=True))[::3]:
        prompt = PROMPTS.statistician(hypothesis, one.state, one.action)
        expected = _teacher_forced(loaded, prompt.user, prompt.system, one.change)
        assert abs(value - expected) < 1e-4
    answers = {loaded.tokenizer.decode(list(one.token_ids)) for one in model.found}
    assert answers == {f"{one.change}<|im_end|>" for one in transitions}
