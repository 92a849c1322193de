"""Passes of decoder-only models over prompts with actions.

Contexts are padded on the left, so that actions begin in the same column. Every token
has the position that it would have alone, and sees no padding. The shapes are those of
`layouts`; the last token of a prompt belongs to the actions' part.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cwm.core.errors import ConfigError
from cwm.llm.local.caches import layers_of
from cwm.llm.local.packages import LazyPackage, Tensor
from cwm.providers.policies.scoring.layouts import (
    BoolArray,
    IntArray,
    Padded,
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

_ATTENTION = {"full_attention", "sliding_attention"}


def measure_flat(model: Any, items: Sequence[TokenizedActions]) -> Measured:
    """Measures with a row for every action after its own copy of the prompt."""
    targets = targets_of(items)
    num_prompts, num_actions, longest = targets.ids.shape
    context = _contexts(items)
    action = read_tokens(items, [item.prompt[-1] for item in items])
    is_real = _beside(_repeated(context.is_real, num_actions), action.is_real)
    with last_hidden_states(model.get_decoder()) as states:
        output = model(
            **_inputs(
                model,
                _beside(_repeated(context.ids, num_actions), action.ids),
                is_real,
            ),
            use_cache=False,
            logits_to_keep=longest,
        )
    places = np.arange(num_prompts * num_actions * longest).reshape(targets.ids.shape)
    hidden = states[0][::num_actions, -longest]
    return Measured(*read(output.logits, places, targets.ids), hidden)


def measure_prefix(model: Any, items: Sequence[TokenizedActions]) -> Measured:
    """Measures with the prompts' keys and values computed once.

    Raises:
        ConfigError: If the model does not keep keys and values.
    """
    targets = targets_of(items)
    num_prompts, num_actions, longest = targets.ids.shape
    prompt = padded([item.prompt for item in items], left=True)
    cache = transformers.DynamicCache()
    with last_hidden_states(model.get_decoder()) as states:
        output = model(
            **_inputs(model, prompt.ids, prompt.is_real),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
    starts = np.repeat(np.arange(num_prompts), num_actions).reshape(
        num_prompts, num_actions, 1
    )
    first = read(output.logits, starts, targets.ids[:, :, :1])
    if longest == 1:
        return Measured(*first, states[0][:, -1])
    layers_of(cache)
    cache.batch_repeat_interleave(num_actions)
    action = read_tokens(items, [item.prompt[-1] for item in items])
    output = model(
        **_inputs(
            model,
            action.ids[:, 1:],
            _beside(_repeated(prompt.is_real, num_actions), action.is_real[:, 1:]),
        ),
        past_key_values=cache,
        use_cache=True,
    )
    places = np.arange(num_prompts * num_actions * (longest - 1))
    rest_ids = targets.ids[:, :, 1:]
    rest = read(output.logits, places.reshape(rest_ids.shape), rest_ids)
    return Measured(
        logits=torch.cat([first.logits, rest.logits], dim=-1),
        totals=torch.cat([first.totals, rest.totals], dim=-1),
        hidden=states[0][:, -1],
    )


def measure_tree(model: Any, items: Sequence[TokenizedActions]) -> Measured:
    """Measures in one pass over each prompt and the tree of its actions.

    Raises:
        ConfigError: If a layer has neither full nor sliding attention.
    """
    targets = targets_of(items)
    context = _contexts(items)
    trees = trees_of(items, [item.prompt[-1] for item in items])
    starts = context.is_real.sum(axis=1, keepdims=True)
    positions = _beside(_positions(context.is_real), starts + trees.depths)
    num_nodes = trees.ids.shape[1]
    with last_hidden_states(model.get_decoder()) as states:
        output = model(
            input_ids=_tensor(model, _beside(context.ids, trees.ids)),
            position_ids=_tensor(model, positions),
            attention_mask=_tree_masks(model, context.is_real, trees.sees, positions),
            use_cache=False,
            logits_to_keep=num_nodes,
        )
    places = trees.nodes + num_nodes * np.arange(len(items))[:, None, None]
    hidden = states[0][:, -num_nodes]
    return Measured(*read(output.logits, places, targets.ids), hidden)


def hidden_states(model: Any, prompts: Sequence[Sequence[int]]) -> Tensor:
    """Returns the last layer's hidden state at the last token of prompts, `[N, H]`."""
    prompt = padded(prompts, left=True)
    inputs = _inputs(model, prompt.ids, prompt.is_real)
    return model.get_decoder()(**inputs, use_cache=False)[0][:, -1]


def _contexts(items: Sequence[TokenizedActions]) -> Padded:
    return padded([item.prompt[:-1] for item in items], left=True)


def _inputs(model: Any, ids: IntArray, is_real: BoolArray) -> dict[str, Tensor]:
    """Returns a pass's tokens, their positions and what is seen.

    Args:
        model: The model.
        ids: The last tokens of each row.
        is_real: Which tokens of the row are some, those before `ids`, too.
    """
    return {
        "input_ids": _tensor(model, ids),
        "position_ids": _tensor(model, _positions(is_real)[:, -ids.shape[1] :]),
        "attention_mask": _tensor(model, is_real.astype(np.int64)),
    }


def _positions(is_real: BoolArray) -> IntArray:
    positions: IntArray = np.cumsum(is_real, axis=1) - 1
    return positions.clip(min=0)


def _tree_masks(
    model: Any, context: BoolArray, sees: BoolArray, positions: IntArray
) -> Tensor | dict[str, Tensor]:
    """Returns what each token sees, `[N, 1, P + Q, P + Q]`, as the model takes it."""
    config = model.config.get_text_config(decoder=True)
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or ())
    if not kinds:
        kinds = {"full_attention" if window is None else "sliding_attention"}
    if kinds - _ATTENTION:
        raise ConfigError(
            "The engine tree needs full or sliding attention in every layer, got "
            f"{', '.join(sorted(kinds - _ATTENTION))}. Take the engine flat."
        )
    seen = _seen(_tensor(model, context), _tensor(model, sees))
    places = _tensor(model, positions)
    masks = {}
    for kind in sorted(kinds):
        is_near = seen
        if kind == "sliding_attention":
            is_near = seen & (places[:, :, None] - places[:, None, :] < window)
        masks[kind] = additive(is_near[:, None], model)
    return masks if len(masks) > 1 else next(iter(masks.values()))


def _seen(context: Tensor, sees: Tensor) -> Tensor:
    num_prompts, start = context.shape
    size = start + sees.shape[-1]
    seen = torch.zeros(
        (num_prompts, size, size), dtype=torch.bool, device=context.device
    )
    seen[:, :, :start] = context[:, None, :]
    seen[:, start:, start:] = sees
    seen[:, :start].tril_()
    # What sees nothing at all may come out as no number, and spoil the rest.
    return seen | torch.eye(size, dtype=torch.bool, device=context.device)


def additive(seen: Tensor, model: Any) -> Tensor:
    """Returns 0 where something is seen, and the lowest number elsewhere."""
    mask = torch.zeros(seen.shape, dtype=model.dtype, device=seen.device)
    return mask.masked_fill(~seen, torch.finfo(model.dtype).min)


def _tensor(model: Any, values: IntArray | BoolArray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(model.device)


def _repeated(values: Any, num_times: int) -> Any:
    return np.repeat(values, num_times, axis=0)


def _beside(left: Any, right: Any) -> Any:
    return np.concatenate([left, right], axis=1)
