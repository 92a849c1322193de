"""Passes of encoder-decoder models of T5's kind over prompts and actions.

The encoder reads the prompt, the decoder a start token and the actions. The shapes are
those of `layouts`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cwm.core.errors import ConfigError
from cwm.llm.local.packages import LazyPackage, Tensor
from cwm.providers.policies.scoring.causal import additive
from cwm.providers.policies.scoring.layouts import (
    IntArray,
    Padded,
    Trees,
    padded,
    read_tokens,
    targets_of,
    trees_of,
)
from cwm.providers.policies.scoring.reading import (
    Measured,
    last_hidden_states,
    read,
)
from cwm.providers.policies.scoring.tokens import TokenizedActions

torch = LazyPackage("torch")
transformers = LazyPackage("transformers")


def measure_flat(model: Any, items: Sequence[TokenizedActions]) -> Measured:
    """Measures with a row for every action and its own copy of the prompt."""
    num_actions = len(items[0].actions)
    prompt = padded([item.prompt for item in items for _ in item.actions], left=False)
    encoded = _encoded(model, prompt)
    return _measure_rows(model, items, encoded, _mask(model, prompt), num_actions)


def measure_prefix(model: Any, items: Sequence[TokenizedActions]) -> Measured:
    """Measures with every prompt encoded once, and a decoder's row for every action."""
    num_actions = len(items[0].actions)
    prompt = padded([item.prompt for item in items], left=False)
    encoded = _encoded(model, prompt).repeat_interleave(num_actions, dim=0)
    mask = _mask(model, prompt).repeat_interleave(num_actions, dim=0)
    return _measure_rows(model, items, encoded, mask, num_actions)


def _measure_rows(
    model: Any,
    items: Sequence[TokenizedActions],
    encoded: Tensor,
    mask: Tensor,
    num_actions: int,
) -> Measured:
    targets = targets_of(items)
    action = read_tokens(items, [_start_id(model)] * len(items))
    with last_hidden_states(model.get_decoder()) as states:
        logits = _decoded(model, encoded, mask, action.ids, _mask(model, action))
    places = np.arange(targets.ids.size).reshape(targets.ids.shape)
    return Measured(*read(logits, places, targets.ids), states[0][::num_actions, 0])


def measure_tree(model: Any, items: Sequence[TokenizedActions]) -> Measured:
    """Measures with one pass of the decoder over the tree of each prompt's actions.

    T5 has no position ids: how far apart two tokens are is added to their attention,
    from their places in the row. The mask adds what is missing to the distance in the
    tree.

    Raises:
        ConfigError: If the model has no such bias, shared by all layers.
    """
    targets = targets_of(items)
    prompt = padded([item.prompt for item in items], left=False)
    trees = trees_of(items, [_start_id(model)] * len(items))
    mask = _tree_mask(model, trees)
    encoded = _encoded(model, prompt)
    with last_hidden_states(model.get_decoder()) as states:
        logits = _decoded(model, encoded, _mask(model, prompt), trees.ids, mask)
    num_nodes = trees.ids.shape[1]
    places = trees.nodes + num_nodes * np.arange(len(items))[:, None, None]
    return Measured(*read(logits, places, targets.ids), states[0][:, 0])


def hidden_states(model: Any, prompts: Sequence[Sequence[int]]) -> Tensor:
    """Returns the last layer's hidden state at the decoder's start, `[N, H]`."""
    prompt = padded(prompts, left=False)
    starts = np.full((len(prompts), 1), _start_id(model))
    return model.get_decoder()(
        input_ids=_tensor(model, starts),
        encoder_hidden_states=_encoded(model, prompt),
        encoder_attention_mask=_mask(model, prompt),
        use_cache=False,
    )[0][:, 0]


def _encoded(model: Any, prompt: Padded) -> Tensor:
    return model.get_encoder()(
        input_ids=_tensor(model, prompt.ids), attention_mask=_mask(model, prompt)
    )[0]


def _decoded(
    model: Any, encoded: Tensor, encoder_mask: Tensor, ids: IntArray, mask: Tensor
) -> Tensor:
    output = model(
        encoder_outputs=transformers.modeling_outputs.BaseModelOutput(
            last_hidden_state=encoded
        ),
        attention_mask=encoder_mask,
        decoder_input_ids=_tensor(model, ids),
        decoder_attention_mask=mask,
        use_cache=False,
    )
    return output.logits


def _tree_mask(model: Any, trees: Trees) -> Tensor:
    """Returns the mask of the decoder's nodes, `[N, heads, Q, Q]`."""
    size = trees.ids.shape[1]
    bias = _bias_layer(model).compute_bias(size, size, device=model.device)[0]
    depths = _tensor(model, trees.depths)
    in_tree = bias[:, depths[:, :, None], depths[:, None, :]].transpose(0, 1)
    seen = _tensor(model, trees.sees)[:, None]
    return (in_tree - bias).to(model.dtype) + additive(seen, model)


def _bias_layer(model: Any) -> Any:
    """Returns the part of the decoder that knows how far apart tokens are."""
    layers = [
        layer
        for layer in model.get_decoder().modules()
        if hasattr(layer, "relative_attention_bias")
    ]
    if len(layers) != 1 or not hasattr(layers[0], "compute_bias"):
        raise ConfigError(
            "The engine tree needs an encoder-decoder model with one relative "
            f"attention bias for all layers, as T5 has, got {len(layers)}. Take the "
            "engine prefix."
        )
    return layers[0]


def _start_id(model: Any) -> int:
    start = model.config.decoder_start_token_id
    if start is None:
        start = model.config.pad_token_id
    if start is None:
        raise ConfigError("The model must have decoder_start_token_id, got none.")
    return int(start)


def _mask(model: Any, rows: Padded) -> Tensor:
    return _tensor(model, rows.is_real.astype(np.int64))


def _tensor(model: Any, values: Any) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(model.device)
