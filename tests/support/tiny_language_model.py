"""Random models of transformers, small enough to be made in a test."""

from typing import Any

from cwm.llm.local.config import LocalConfig
from cwm.llm.local.loading import LoadedModel
from cwm.llm.local.packages import LazyPackage

torch = LazyPackage("torch")
transformers = LazyPackage("transformers")
tokenizers = LazyPackage("tokenizers")

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n'"
    " + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LINES = [
    "def step(self, action):\n    return self.state, 1.0, False\n",
    "class Environment:\n    def set_state(self, state):\n        self.state = state\n",
    "the cart moves to the left and the default pole falls to the right",
    "You are a helpful assistant. user system",
]
EXACT = LocalConfig(max_batch=1, prefix_cache_mib=0, prefix_block_tokens=16)
"""One completion at a time, nothing kept."""


def tiny_tokenizer(template: str | None = CHATML, *, drops_blank: bool = False) -> Any:
    """Returns a BPE tokenizer trained on a few lines.

    Args:
        template: Its chat template.
        drops_blank: Whether it drops a blank at the beginning of what it decodes, as
            SentencePiece does; else it is byte-level.
    """
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    if drops_blank:
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
        tokenizer.decoder = tokenizers.decoders.Metaspace()
    else:
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
            add_prefix_space=False
        )
        tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES, trainer)
    wrapped = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        bos_token="<|im_start|>",
        unk_token="<|endoftext|>",
    )
    wrapped.chat_template = template
    return wrapped


def _llama(size: int, **settings: Any) -> Any:
    return transformers.LlamaConfig(
        vocab_size=size,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        **settings,
    )


def _gpt2(size: int, **settings: Any) -> Any:
    return transformers.GPT2Config(
        vocab_size=size, n_embd=32, n_layer=2, n_head=4, **settings
    )


def _mistral(size: int, **settings: Any) -> Any:
    return transformers.MistralConfig(
        vocab_size=size,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=8,
        **settings,
    )


def _gemma3(size: int, **settings: Any) -> Any:
    return transformers.Gemma3TextConfig(
        vocab_size=size,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        sliding_window=8,
        layer_types=["sliding_attention", "full_attention"],
        **settings,
    )


def _bloom(size: int, **settings: Any) -> Any:
    return transformers.BloomConfig(
        vocab_size=size, hidden_size=32, n_layer=2, n_head=4, **settings
    )


CONFIGS = {
    "llama": _llama,
    "gpt2": _gpt2,
    "mistral": _mistral,
    "gemma3": _gemma3,
    "bloom": _bloom,
}
"""Rotary positions; learned ones; a sliding window; both kinds of layer; ALiBi."""


def tiny_model(
    kind: str = "llama",
    *,
    template: str | None = CHATML,
    drops_blank: bool = False,
    spread: float = 0.3,
    seed: int = 0,
    **settings: Any,
) -> LoadedModel:
    """Returns a model with random weights.

    Args:
        kind: A key of `CONFIGS`.
        template: The chat template of its tokenizer.
        drops_blank: As in `tiny_tokenizer`.
        spread: Standard deviation of the weights; a large one makes it decided.
        seed: Of the weights.
        settings: Further settings of its configuration.
    """
    tokenizer = tiny_tokenizer(template, drops_blank=drops_blank)
    config = CONFIGS[kind](
        len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=spread,
        **settings,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.AutoModelForCausalLM.from_config(config)
    return LoadedModel.of(f"tiny {kind}", model, tokenizer)
