"""In which situations a program is right, part by part.

A situation is a set of transitions with something in common: an action, the end of an
episode, a rare reward, an extreme of an observation. Situations overlap.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import decode_columns
from cwm.core.predictions import Predictions
from cwm.core.spaces import BoxSpec
from cwm.core.trajectories import TransitionBatch
from cwm.pages.values import shown
from cwm.programs.accuracy import Matches, observation_parts, strict_matches
from cwm.programs.tolerances import Tolerances, real_leaves

BoolArray: TypeAlias = NDArray[np.bool_]

MAX_ACTIONS = 8
"""With more distinct actions, the most frequent ones."""

MAX_ACTION_ELEMENTS = 3
"""Of real-valued actions, the first elements."""

NEAR_END_STEPS = 5
EXTREME_FRACTION = 0.05
NUM_TIME_BINS = 4
EVERYTHING = "everything"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Transitions with something in common.

    Attributes:
        group: What kind of situation: `"action"`, `"time"`, ...
        name: What they have in common.
        mask: Which they are, `[N]`.
    """

    group: str
    name: str
    mask: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """How often each part is right in each situation.

    Attributes:
        split: Which transitions.
        parts: The parts; the first is `"everything"`, all of them at once.
        situations: Group, name and number of transitions of each situation.
        right: Strictly right predictions, `[parts][situations]`; of stochastic tasks
            the mean over the draws.
    """

    split: str
    parts: tuple[str, ...]
    situations: tuple[tuple[str, str, int], ...]
    right: tuple[tuple[float, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """Returns plain data."""
        return {
            "split": self.split,
            "parts": list(self.parts),
            "situations": [list(situation) for situation in self.situations],
            "right": [list(row) for row in self.right],
        }


def heat_map(
    split: str,
    draws: Sequence[Predictions],
    batch: TransitionBatch,
    *,
    train: TransitionBatch,
) -> HeatMap:
    """Returns how often each part is right in each situation.

    Args:
        split: What the transitions are called.
        draws: What a program predicts for them, once or several times.
        batch: The transitions.
        train: The training transitions, which set the tolerances and say what is
            extreme, rare or new.
    """
    tolerances = Tolerances.from_batch(train)
    found = [
        situation for situation in situations(batch, train) if situation.mask.any()
    ]
    names, right = _right_by_part(draws, batch, tolerances)
    return HeatMap(
        split=split,
        parts=tuple(names),
        situations=tuple((s.group, s.name, int(s.mask.sum())) for s in found),
        right=tuple(
            tuple(round(float(row[s.mask].sum()), 3) for s in found) for row in right
        ),
    )


def _right_by_part(
    draws: Sequence[Predictions], batch: TransitionBatch, tolerances: Tolerances
) -> tuple[list[str], list[NDArray[np.float64]]]:
    """Returns the names of the parts and, for each, how right each row is, `[N]`."""
    rows: list[dict[str, BoolArray]] = [
        _parts(strict_matches(one, batch, tolerances), batch) for one in draws
    ]
    names = list(rows[0])
    return names, [np.mean([row[name] for row in rows], axis=0) for name in names]


def _parts(matches: Matches, batch: TransitionBatch) -> dict[str, BoolArray]:
    parts = {EVERYTHING: matches.everything}
    for name, columns in observation_parts(batch.observation_space):
        parts[name] = np.asarray(matches.elements[:, columns].all(axis=1))
    parts["reward"] = matches.reward
    parts["terminated"] = matches.terminated
    if matches.legal_actions is not None:
        parts["legal_actions"] = matches.legal_actions
    return parts


def situations(batch: TransitionBatch, train: TransitionBatch) -> Iterator[Situation]:
    """Yields the situations of a batch; some may hold of none of its transitions.

    Args:
        batch: The transitions.
        train: The training transitions.
    """
    yield Situation(group="all", name="all", mask=np.ones(len(batch), dtype=np.bool_))
    yield from _by_action(batch)
    yield from _by_ending(batch)
    yield from _by_reward(batch, train)
    yield from _by_extreme(batch, train)
    yield from _by_time(batch)


def _by_action(batch: TransitionBatch) -> Iterator[Situation]:
    """Yields each frequent action or, of real ones, low, middle and high elements."""
    space = batch.action_space
    if isinstance(space, BoxSpec) and not space.is_integer:
        values = np.asarray(batch.actions[""], dtype=np.float64).reshape(len(batch), -1)
        for index in range(min(values.shape[1], MAX_ACTION_ELEMENTS)):
            yield from _thirds(values[:, index], f"action[{index}]")
        return
    texts = np.asarray([shown(a) for a in decode_columns(space, batch.actions)])
    names, counts = np.unique(texts, return_counts=True)
    frequent = names[np.argsort(-counts, kind="stable")[:MAX_ACTIONS]]
    for name in sorted(frequent.tolist(), key=lambda text: (len(text), text)):
        yield Situation(group="action", name=f"action {name}", mask=texts == name)
    if len(names) > MAX_ACTIONS:
        others = ~np.isin(texts, frequent)
        yield Situation(group="action", name="other actions", mask=others)


def _thirds(values: NDArray[np.float64], name: str) -> Iterator[Situation]:
    low, high = np.quantile(values, [1 / 3, 2 / 3])
    masks = {
        f"{name} ≤ {low:.3g}": values <= low,
        f"{name} between": (values > low) & (values <= high),
        f"{name} > {high:.3g}": values > high,
    }
    for text, mask in masks.items():
        yield Situation(group="action", name=text, mask=mask)


def _by_ending(batch: TransitionBatch) -> Iterator[Situation]:
    """Yields the steps that end an episode, and those shortly before."""
    ends = batch.terminated
    is_near = np.zeros(len(batch), dtype=np.bool_)
    for row in np.flatnonzero(ends).tolist():
        first = max(0, row - NEAR_END_STEPS)
        same = batch.trajectory[first:row] == batch.trajectory[row]
        is_near[first:row] |= same
    yield Situation(group="ending", name="last step", mask=ends)
    name = f"≤ {NEAR_END_STEPS} steps before"
    yield Situation(group="ending", name=name, mask=is_near & ~ends)


def _by_reward(batch: TransitionBatch, train: TransitionBatch) -> Iterator[Situation]:
    rewards, counts = np.unique(train.rewards, return_counts=True)
    usual = rewards[np.argmax(counts)]
    if counts.max() > len(train) / 2:
        name = f"reward not {shown(float(usual))}"
        yield Situation(group="reward", name=name, mask=batch.rewards != usual)


def _by_extreme(batch: TransitionBatch, train: TransitionBatch) -> Iterator[Situation]:
    """Yields what starts at an edge of the training data, beyond it, or from new."""
    edge = np.zeros(len(batch), dtype=np.bool_)
    beyond = np.zeros(len(batch), dtype=np.bool_)
    real = [path for path, _ in real_leaves(batch.observation_space)]
    for path in real:
        known = np.asarray(train.observations[path], dtype=np.float64)
        known = known.reshape(len(train), -1)
        values = np.asarray(batch.observations[path], dtype=np.float64)
        values = values.reshape(len(batch), -1)
        ends = np.quantile(known, [EXTREME_FRACTION, 1 - EXTREME_FRACTION], axis=0)
        edge |= ((values < ends[0]) | (values > ends[1])).any(axis=1)
        beyond |= ((values < known.min(axis=0)) | (values > known.max(axis=0))).any(
            axis=1
        )
    if real:
        percent = f"{EXTREME_FRACTION:.0%}"
        yield Situation(group="state", name=f"outer {percent} of a value", mask=edge)
        yield Situation(group="state", name="beyond training", mask=beyond)
    else:
        seen = set(_keys(train))
        new = np.asarray([key not in seen for key in _keys(batch)])
        yield Situation(group="state", name="never in training", mask=new)


def _keys(batch: TransitionBatch) -> list[str]:
    return [
        repr(v) for v in decode_columns(batch.observation_space, batch.observations)
    ]


def _by_time(batch: TransitionBatch) -> Iterator[Situation]:
    """Yields parts of the episodes, about equally many transitions in each."""
    edges = np.unique(
        np.quantile(batch.time, np.linspace(0, 1, NUM_TIME_BINS + 1)).astype(np.int64)
    )
    for number, (first, stop) in enumerate(pairwise(edges)):
        is_last = number == len(edges) - 2
        last = int(stop) if is_last else int(stop) - 1
        mask = (batch.time >= first) & (batch.time <= last)
        name = f"step {first}" if first == last else f"steps {first}–{last}"
        yield Situation(group="time", name=name, mask=mask)
