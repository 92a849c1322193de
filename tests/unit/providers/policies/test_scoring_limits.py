"""Where prompts and actions part, and what cannot be scored."""

from collections.abc import Sequence
from typing import Any

import pytest

from cwm.core.errors import ConfigError, LLMError
from cwm.providers.policies.scoring.causal import _seen as seen
from cwm.providers.policies.scoring.config import ScoringConfig
from cwm.providers.policies.scoring.scorer import ActionScorer
from tests.support.tiny_language_model import tiny_model, tiny_tokenizer

torch: Any = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")
pytestmark = pytest.mark.local

ENGINES: list[Any] = ["tree", "prefix", "flat"]
PROMPTS = ["the cart moves to the right", "x", "the default pole"]
ACTIONS = ["turn left", "go", "go forward"]


def made(kind: str, **settings: Any) -> tuple[Any, Any]:
    loaded = tiny_model(kind, **settings)
    return loaded.model, loaded.tokenizer


def encoded(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False))


def log_probs_of(model: Any, ids: Sequence[int]) -> Any:
    return model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)


def test_only_the_needed_rows_reach_the_output_layer() -> None:
    model, tokenizer = made("llama")
    seen = list[int]()
    model.get_output_embeddings().register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0].shape[0] * inputs[0].shape[1])
    )
    ActionScorer(model, tokenizer, ScoringConfig())(PROMPTS, [" go", " go forward"])
    num_inner = len(encoded(tokenizer, " go forward")) - 1
    assert seen == [len(PROMPTS) * (1 + num_inner)]


def test_an_action_that_merges_with_the_prompt_moves_the_branch_back() -> None:
    model, tokenizer = made("llama")
    prompt, actions = "the cart def", ["ault pole", " step"]
    joined = [encoded(tokenizer, prompt + action) for action in actions]
    known = encoded(tokenizer, prompt)
    assert joined[0][: len(known)] != known
    start = next(i for i, ids in enumerate(known) if joined[0][i] != ids)
    expected = []
    for ids in joined:
        rows = log_probs_of(model, ids)
        given = [rows[place - 1, ids[place]] for place in range(start, len(ids))]
        expected.append(sum(given).item())
    for engine in ENGINES:
        config = ScoringConfig(engine=engine, normalise="sum")
        # Beside one that does not, so that rows are unequally long.
        found = ActionScorer(model, tokenizer, config)(["the pole,", prompt], actions)
        assert found.scores[1].tolist() == pytest.approx(expected, abs=1e-4)


def test_blanks_after_the_prompt_do_not_matter() -> None:
    model, tokenizer = made("llama")
    scorer = ActionScorer(model, tokenizer, ScoringConfig())
    joined = encoded(tokenizer, "the cart moves")
    rows = log_probs_of(model, joined)
    start = len(encoded(tokenizer, "the cart"))
    each = [rows[i - 1, joined[i]].item() for i in range(start, len(joined))]
    found = scorer(["the cart "], ["moves"]).scores
    assert found.item() == pytest.approx(sum(each) / len(each), abs=1e-5)


def test_a_model_that_takes_no_trees_is_found_by_the_check() -> None:
    model, tokenizer = made("bloom")
    with pytest.raises(ConfigError, match=r"does not take it\. Take the engine flat"):
        ActionScorer(model, tokenizer, ScoringConfig()).check("the cart", ACTIONS)
    for engine in ("prefix", "flat"):
        config = ScoringConfig(engine=engine)
        ActionScorer(model, tokenizer, config).check("the cart", ACTIONS)


def test_nothing_stays_on_the_model() -> None:
    model, tokenizer = made("bloom")
    with pytest.raises((ValueError, RuntimeError, TypeError)):
        ActionScorer(model, tokenizer, ScoringConfig())(PROMPTS, ACTIONS)
    ActionScorer(model, tokenizer, ScoringConfig(engine="flat"))(PROMPTS, ACTIONS)
    assert not model.get_decoder()._forward_hooks


def test_other_layers_than_attention_take_no_tree() -> None:
    model, tokenizer = made("llama")
    model.config.layer_types = ["full_attention", "linear_attention"]
    scorer = ActionScorer(model, tokenizer, ScoringConfig())
    with pytest.raises(ConfigError, match=r"got linear_attention\. Take the engine"):
        scorer(["the cart"], ["go"])


def test_an_encoder_decoder_without_distances_takes_no_tree() -> None:
    tokenizer = tiny_tokenizer()
    config = transformers.BartConfig(
        vocab_size=len(tokenizer),
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        decoder_start_token_id=0,
    )
    model = transformers.BartForConditionalGeneration(config).eval()
    with pytest.raises(ConfigError, match=r"got 0\. Take the engine prefix"):
        ActionScorer(model, tokenizer, ScoringConfig())(PROMPTS, ACTIONS)
    config = ScoringConfig(engine="prefix")
    ActionScorer(model, tokenizer, config).check(PROMPTS[0], ACTIONS)


def test_a_text_beyond_the_context_is_refused() -> None:
    model, tokenizer = made("gpt2", max_position_embeddings=8)
    prompt, action = "the pole falls to the", " the pole falls to"
    assert [len(encoded(tokenizer, text)) for text in (prompt, action)] == [5, 4]
    scorer = ActionScorer(model, tokenizer, ScoringConfig())
    # The last token is predicted and never read.
    assert scorer([prompt], [action]).scores.shape == (1, 1)
    with pytest.raises(LLMError, match=r"8 tokens, got .* 9 .* smaller window"):
        scorer([prompt], [action + " the"])
    with pytest.raises(LLMError, match="8 tokens"):
        scorer.hidden([prompt * 3])


def test_nothing_to_score_is_refused() -> None:
    model, tokenizer = made("llama")
    scorer = ActionScorer(model, tokenizer, ScoringConfig())
    with pytest.raises(ValueError, match="prompts must have at least one text"):
        scorer([], ["go"])
    with pytest.raises(ValueError, match="actions must have at least one text"):
        scorer(["x"], [])
    with pytest.raises(ValueError, match="prompts must have at least one text"):
        scorer.hidden([])


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
def test_a_model_that_keeps_nothing_cannot_be_continued() -> None:
    model, tokenizer = made("llama")
    model.gradient_checkpointing_enable()
    model.train()
    scorer = ActionScorer(model, tokenizer, ScoringConfig(engine="prefix"))
    with pytest.raises(ConfigError, match="must keep keys and values"):
        scorer(PROMPTS, ACTIONS)
    found = ActionScorer(model, tokenizer, ScoringConfig())(PROMPTS, ACTIONS)
    model.eval()
    expected = scorer(PROMPTS, ACTIONS)
    assert (found.scores - expected.scores).abs().max() < 1e-4


def test_every_token_of_a_tree_sees_something() -> None:
    """What sees nothing may come out as no number in half precision."""
    context = torch.tensor([[False, True], [True, True]])
    sees = torch.tensor([[[True, False], [True, True]], [[True, False], [False] * 2]])
    found = seen(context, sees).int().tolist()
    assert found[0] == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 1, 1, 1]]
    assert found[1] == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 0, 1]]
