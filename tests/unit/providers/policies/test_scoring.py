"""Scores of actions, against one pass for each text."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from cwm.core.errors import ConfigError
from cwm.providers.policies.scoring import causal, seq2seq
from cwm.providers.policies.scoring.config import ScoringConfig
from cwm.providers.policies.scoring.layouts import trees_of
from cwm.providers.policies.scoring.scorer import ActionScorer, ScoredActions
from tests.support.tiny_language_model import tiny_model, tiny_tokenizer

torch: Any = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")
pytestmark = pytest.mark.local

KINDS = ["llama", "gpt2", "mistral", "gemma3", "t5"]
ENGINES: list[Any] = ["tree", "prefix", "flat"]
RULES: list[Any] = ["log-probs", "raw-logits", "relative-probs"]
PROMPTS = [
    "the cart moves to the right",
    "x",
    "the default pole falls to the left and to the right, return self. Action 2: ",
    "the cart moves to the left\n Action 0:",
]
ACTIONS = [
    "turn left",
    "turn right",
    "go",
    "go forward",
    "<|endoftext|> pole",
    "drop",
    "the cart moves to the left",
]
"""Common beginnings, one that begins another, the token 0, and long ones."""
BABYAI = ["turn left", "turn right", "go forward", "pick up", "drop", "toggle"]


def t5_model(tokenizer: Any, *, seed: int = 0) -> Any:
    config = transformers.T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        decoder_start_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.T5ForConditionalGeneration(config).eval()
        for weights in model.parameters():
            weights.data.normal_(0.0, 0.3)
        for weights in _distance_weights(model):
            weights.data.normal_(0.0, 2.0)
    return model


def _distance_weights(model: Any) -> list[Any]:
    return [
        weights
        for name, weights in model.named_parameters()
        if "relative_attention_bias" in name
    ]


def made(kind: str, **settings: Any) -> tuple[Any, Any]:
    if kind == "t5":
        tokenizer = tiny_tokenizer()
        return t5_model(tokenizer), tokenizer
    loaded = tiny_model(kind, **settings)
    return loaded.model, loaded.tokenizer


def encoded(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False))


def alone(model: Any, tokenizer: Any, prompt: str, action: str) -> tuple[Any, Any]:
    """Returns logits and hidden state of a text from one pass without padding."""
    prompt_ids = encoded(tokenizer, prompt)
    if model.config.is_encoder_decoder:
        ids = encoded(tokenizer, action)
        output = model(
            input_ids=torch.tensor([prompt_ids]),
            decoder_input_ids=torch.tensor([[0, *ids[:-1]]]),
            output_hidden_states=True,
        )
        return output.logits[0], (ids, output.decoder_hidden_states[-1][0, 0])
    prompt_ids = encoded(tokenizer, prompt.rstrip())
    text = encoded(tokenizer, prompt + action)
    start = len(prompt_ids)
    assert text[:start] == prompt_ids
    output = model(input_ids=torch.tensor([text]), output_hidden_states=True)
    hidden = output.hidden_states[-1][0, start - 1]
    return output.logits[0, start - 1 : -1], (text[start:], hidden)


def brute_force(
    model: Any, tokenizer: Any, prompts: Sequence[str], actions: Sequence[str]
) -> ScoredActions:
    """Returns mean log-probabilities, one text at a time."""
    scores, hidden = [], []
    for prompt in prompts:
        for action in actions:
            logits, (ids, state) = alone(model, tokenizer, prompt, action)
            each = [
                row.log_softmax(-1)[token]
                for row, token in zip(logits, ids, strict=True)
            ]
            scores.append(sum(each) / len(each))
        hidden.append(state)
    shape = (len(prompts), len(actions))
    return ScoredActions(torch.stack(scores).reshape(shape), torch.stack(hidden))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
def test_engines_give_what_single_texts_give(kind: str, engine: Any) -> None:
    model, tokenizer = made(kind)
    scorer = ActionScorer(model, tokenizer, ScoringConfig(engine=engine))
    with torch.no_grad():
        expected = brute_force(model, tokenizer, PROMPTS, ACTIONS)
        found = scorer(PROMPTS, ACTIONS)
    assert found.scores.dtype == torch.float32
    assert (found.scores - expected.scores).abs().max() < 1e-4
    assert (found.hidden - expected.hidden).abs().max() < 1e-4


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prompt", PROMPTS[1:3])
def test_a_batch_of_one_is_scored_alike(kind: str, engine: Any, prompt: str) -> None:
    model, tokenizer = made(kind)
    scorer = ActionScorer(model, tokenizer, ScoringConfig(engine=engine))
    for actions in (ACTIONS, ["go"]):
        with torch.no_grad():
            expected = brute_force(model, tokenizer, [prompt], actions)
            found = scorer([prompt], actions)
        assert (found.scores - expected.scores).abs().max() < 1e-4
        assert found.scores.shape == (1, len(actions))


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_states_need_no_actions(kind: str) -> None:
    model, tokenizer = made(kind)
    scorer = ActionScorer(model, tokenizer, ScoringConfig())
    with torch.no_grad():
        expected = scorer(PROMPTS, ACTIONS).hidden
        found = scorer.hidden(PROMPTS)
    assert found.shape == (len(PROMPTS), 32)
    assert (found - expected).abs().max() < 1e-4


def gradients(model: Any, values: Any) -> Any:
    model.zero_grad()
    values.backward()
    return {
        name: weights.grad.clone()
        for name, weights in model.named_parameters()
        if weights.grad is not None
    }


@pytest.mark.parametrize("engine", ["tree", "prefix"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_single_texts(kind: str, engine: Any) -> None:
    model, tokenizer = made(kind)
    scorer = ActionScorer(model, tokenizer, ScoringConfig(engine=engine))
    weights = torch.linspace(-1.0, 1.0, len(PROMPTS) * len(ACTIONS)).reshape(
        len(PROMPTS), len(ACTIONS)
    )

    def loss(given: ScoredActions) -> Any:
        chosen = (given.scores.softmax(dim=-1) * weights).sum()
        return chosen + given.hidden.square().mean()

    expected = gradients(model, loss(brute_force(model, tokenizer, PROMPTS, ACTIONS)))
    found = gradients(model, loss(scorer(PROMPTS, ACTIONS)))
    assert found.keys() == expected.keys()
    largest = max(value.norm().item() for value in expected.values())
    for name, value in expected.items():
        # Some weights have none but for rounding, such as biases of keys.
        scale = max(value.norm().item(), 1e-3 * largest)
        assert (found[name] - value).norm().item() < 1e-4 * scale, name


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_the_end_token_is_scored_if_asked_for(kind: str) -> None:
    model, tokenizer = made(kind)
    config = ScoringConfig(append_end=True, normalise="sum")
    found = ActionScorer(model, tokenizer, config)(["the cart"], [" go"]).scores
    plain = ScoringConfig(normalise="sum")
    without = ActionScorer(model, tokenizer, plain)(["the cart"], [" go"]).scores
    ended = ActionScorer(model, tokenizer, plain)(["the cart"], [" go<|im_end|>"])
    assert found.item() == pytest.approx(ended.scores.item(), abs=1e-5)
    assert found.item() < without.item() - 0.01


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_check_lets_good_engines_pass(kind: str, engine: Any) -> None:
    model, tokenizer = made(kind)
    scorer = ActionScorer(model, tokenizer, ScoringConfig(engine=engine))
    model.train()
    scorer.check(PROMPTS[2], ACTIONS)
    assert model.training


@pytest.mark.parametrize("name", ["sees", "depths"])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "t5"])
def test_the_check_finds_a_wrong_tree(
    kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tree whose nodes see their neighbours, or stand one after the other."""

    def wrong(items: Any, roots: Any) -> Any:
        trees = trees_of(items, roots)
        size = trees.ids.shape[1]
        changed: Any = {
            "sees": trees.sees | torch.ones(size, size).tril().bool().numpy(),
            "depths": trees.depths * 0 + torch.arange(size).numpy(),
        }
        return replace(trees, **{name: changed[name]})

    model, tokenizer = made(kind)
    monkeypatch.setattr(seq2seq if kind == "t5" else causal, "trees_of", wrong)
    scorer = ActionScorer(model, tokenizer, ScoringConfig())
    with pytest.raises(ConfigError, match=r"tree must score .* log-probabilities"):
        scorer.check(PROMPTS[2], ACTIONS)


def test_the_two_released_policies_are_not_the_true_one() -> None:
    tokenizer = tiny_tokenizer()
    model = t5_model(tokenizer)
    policies = {}
    for rule in RULES:
        config = ScoringConfig(rule=rule, normalise="sum")
        scores = ActionScorer(model, tokenizer, config)(PROMPTS, BABYAI).scores
        policies[rule] = scores.log_softmax(dim=-1)
    true = policies["log-probs"]
    for rule in RULES[1:]:
        divergence = (true.exp() * (true - policies[rule])).sum(dim=-1)
        assert divergence.min().item() > 0.05
    most = math.e / (math.e + len(BABYAI) - 1)
    assert policies["relative-probs"].exp().max().item() < most + 1e-6


def test_adapters_of_peft_get_gradients() -> None:
    peft = pytest.importorskip("peft")
    for kind, names in (("llama", ["q_proj", "v_proj"]), ("t5", ["q", "v"])):
        model, tokenizer = made(kind)
        before = ActionScorer(model, tokenizer, ScoringConfig())(PROMPTS, ACTIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            settings = peft.LoraConfig(target_modules=names)
            adapted = peft.get_peft_model(model, settings)
        scorer = ActionScorer(adapted, tokenizer, ScoringConfig())
        found = scorer(PROMPTS, ACTIONS)
        assert (found.scores - before.scores).abs().max() < 1e-4
        found.scores.square().sum().backward()
        grads = {
            name: weights.grad
            for name, weights in adapted.named_parameters()
            if weights.requires_grad
        }
        assert all("lora" in name for name in grads)
        assert all(
            grad.norm().item() > 0 for name, grad in grads.items() if "lora_B" in name
        )


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_gives_numbers(kind: str) -> None:
    model, tokenizer = made(kind)
    expected = ActionScorer(model, tokenizer, ScoringConfig())(PROMPTS, ACTIONS)
    scorer = ActionScorer(model.to(torch.bfloat16), tokenizer, ScoringConfig())
    found = scorer(PROMPTS, ACTIONS)
    assert found.scores.dtype == torch.float32
    assert (found.scores - expected.scores).abs().max() < 0.5
