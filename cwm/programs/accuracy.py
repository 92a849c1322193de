"""How well predictions match recorded transitions, by several rules.

    strict     share of transitions with every part right, within `Tolerances`
    paper      share of transitions with every part right, within 1e-5
    reference  the published benchmark's own number, bit for bit
    score      what the search maximises: partial credit, rare rewards weighted up

See docs/scoring.md. Everything here runs on decoded plain data, in the evaluator.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import Column
from cwm.core.predictions import Predictions
from cwm.core.spaces import BoxSpec, LeafSpec, MultiDiscreteSpec, SpaceSpec, leaves
from cwm.core.trajectories import TransitionBatch
from cwm.programs.legal_actions import legal_matches, reference_legal_matches
from cwm.programs.tolerances import Tolerances

PAPER_TOLERANCE = 1e-5
"""Relative and absolute tolerance of the published rule."""

MAX_ELEMENTS_BY_NAME = 64
"""Leaves with more elements (images) count as one part in `part_accuracy`."""

BoolArray: TypeAlias = NDArray[np.bool_]
LeafRule: TypeAlias = Callable[[str, LeafSpec, NDArray[Any], NDArray[Any]], BoolArray]
"""`(path, leaf, predicted, expected) -> matches`, all `[N, ...]`."""


@dataclass(frozen=True, kw_only=True)
class SplitScore:
    """What predictions of one split are worth; all in `[0, 1]` but where said.

    Attributes:
        num_transitions: How many were judged; at least 1.
        strict: Share with every part right within the tolerances.
        paper: Share with every part right within 1e-5, absolute and relative.
        reference: The published metric.
        score: What the search maximises; 1 if and only if `strict` is 1.
        part_accuracy: Share that is right, by part: `"reward"`, `"terminated"`,
            `"observation[2]"`, `"observation/key[0]"`, `"legal_actions"`.
        num_draws: How often each transition was predicted; above 1 for stochastic
            tasks, where the shares above are means over the draws.
        log_likelihood: Mean natural logarithm of the smoothed probability of the
            recorded outcome, at most 0; `None` with a single draw.
    """

    num_transitions: int
    strict: float
    paper: float
    reference: float
    score: float
    part_accuracy: dict[str, float] = field(default_factory=dict)
    num_draws: int = 1
    log_likelihood: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the score as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "SplitScore":
        """Returns the score that `to_json` described."""
        return cls(**data)


@dataclass(frozen=True, kw_only=True)
class Matches:
    """Which parts of `N` predictions are right under one rule.

    Attributes:
        elements: `[N, E]`, the observation's elements in the order of the leaves.
        reward: `[N]`.
        terminated: `[N]`.
        legal_actions: `[N]`; `None` if they are not judged.
    """

    elements: BoolArray
    reward: BoolArray
    terminated: BoolArray
    legal_actions: BoolArray | None = None

    @property
    def observation(self) -> BoolArray:
        """Whether the whole observation is right, `[N]`."""
        return np.asarray(self.elements.all(axis=1))

    @property
    def everything(self) -> BoolArray:
        """Whether the whole transition is right, `[N]`."""
        right = self.observation & self.reward & self.terminated
        return right if self.legal_actions is None else right & self.legal_actions


def observation_parts(space: SpaceSpec) -> list[tuple[str, slice]]:
    """Returns the named parts of an observation, with their columns of `elements`."""
    parts: list[tuple[str, slice]] = []
    start = 0
    for path, leaf in leaves(space):
        name = f"observation/{path}" if path else "observation"
        shape = _leaf_shape(leaf)
        size = int(np.prod(shape, dtype=np.int64))
        if not shape or size > MAX_ELEMENTS_BY_NAME:
            parts.append((name, slice(start, start + size)))
        else:
            for offset, index in enumerate(np.ndindex(*shape)):
                label = ",".join(str(i) for i in index)
                parts.append(
                    (f"{name}[{label}]", slice(start + offset, start + offset + 1))
                )
        start += size
    return parts


def _leaf_shape(leaf: LeafSpec) -> tuple[int, ...]:
    if isinstance(leaf, BoxSpec):
        return leaf.shape
    return (len(leaf.num_values),) if isinstance(leaf, MultiDiscreteSpec) else ()


def strict_matches(
    predictions: Predictions, batch: TransitionBatch, tolerances: Tolerances
) -> Matches:
    """Returns what is right under the strict rule; nothing is in an invalid row."""

    def rule(
        path: str, leaf: LeafSpec, predicted: NDArray[Any], expected: NDArray[Any]
    ) -> BoolArray:
        if path not in tolerances.observation:
            return np.asarray(predicted == expected)
        return _close(predicted, expected, tolerances.bounds(path, expected))

    return Matches(
        elements=_elements(predictions, batch, rule),
        reward=predictions.valid
        & _close(
            predictions.rewards,
            batch.rewards,
            tolerances.reward_bounds(batch.rewards),
        ),
        terminated=predictions.valid & (predictions.terminated == batch.terminated),
        legal_actions=legal_matches(predictions, batch),
    )


def paper_matches(predictions: Predictions, batch: TransitionBatch) -> Matches:
    """Returns what is right within 1e-5, absolute and relative (CWM, Section 4)."""
    return Matches(
        elements=_elements(predictions, batch, _paper_rule),
        reward=predictions.valid
        & _close(predictions.rewards, batch.rewards, _paper_bounds(batch.rewards)),
        terminated=predictions.valid & (predictions.terminated == batch.terminated),
        legal_actions=legal_matches(predictions, batch),
    )


def _paper_rule(
    path: str, leaf: LeafSpec, predicted: NDArray[Any], expected: NDArray[Any]
) -> BoolArray:
    if isinstance(leaf, BoxSpec) and not leaf.is_integer:
        return _close(predicted, expected, _paper_bounds(expected))
    return np.asarray(predicted == expected)


def _paper_bounds(expected: NDArray[Any]) -> NDArray[np.float64]:
    magnitude = np.abs(expected.astype(np.float64))
    finite = np.where(np.isfinite(magnitude), magnitude, 0.0)
    return PAPER_TOLERANCE + PAPER_TOLERANCE * finite


def _close(
    predicted: NDArray[Any], expected: NDArray[Any], bounds: NDArray[np.float64]
) -> BoolArray:
    """Elementwise closeness; NaN equals NaN and an infinity itself, nothing else."""
    p, e = predicted.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.isfinite(p) & np.isfinite(e) & (np.abs(p - e) <= bounds)
    return np.asarray(near | (p == e) | (np.isnan(p) & np.isnan(e)))


def _elements(
    predictions: Predictions, batch: TransitionBatch, rule: LeafRule
) -> BoolArray:
    columns = [
        matches.reshape(len(batch), -1)
        for _, matches in _leaf_matches(predictions, batch, rule)
    ]
    return np.concatenate(columns, axis=1) & predictions.valid[:, None]


def _leaf_matches(
    predictions: Predictions, batch: TransitionBatch, rule: LeafRule
) -> Iterator[tuple[str, BoolArray]]:
    for path, leaf in leaves(batch.observation_space):
        expected: Column = batch.next_observations[path]
        predicted: Column = predictions.next_observations[path]
        if isinstance(expected, np.ndarray) and isinstance(predicted, np.ndarray):
            yield path, rule(path, leaf, predicted, expected)
        else:
            pairs = zip(predicted, expected, strict=True)
            yield path, np.fromiter((p == e for p, e in pairs), dtype=np.bool_)


def reference_accuracy(
    predictions: Predictions,
    batch: TransitionBatch,
    weights: NDArray[np.float64] | None = None,
) -> float:
    """Returns the published benchmark's accuracy, its defects included.

    Rewards are compared with `==` to the truth rounded to float32; an episode cut
    off by its time limit counts as done; the next observation of a done transition
    is not judged; every distinct reward has the same total weight. Where legal
    actions are judged, some of them are enough. What it shows is explained in
    docs/scoring.md.

    `weights` are the `reward_weights` of the rounded rewards, if they are known.
    """
    done = batch.terminated | batch.truncated
    rewards = _rounded(batch.rewards)
    reward = predictions.valid & (predictions.rewards == rewards)
    ended = predictions.valid & (predictions.terminated == done)
    observation = _top_level_share(predictions, batch)
    legal = reference_legal_matches(predictions, batch)
    if legal is None:
        running = observation / 3 + reward / 3 + ended / 3
    else:
        running = observation / 4 + reward / 4 + ended / 4 + legal / 4
    credit = np.where(done, reward / 2 + ended / 2, running)
    if weights is None:
        weights = reward_weights(rewards)
    return float(np.average(credit, weights=weights))


def _rounded(rewards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns rewards as the published benchmark has them."""
    return rewards.astype(np.float32).astype(np.float64)


def _top_level_share(
    predictions: Predictions, batch: TransitionBatch
) -> NDArray[np.float64]:
    """Share of an observation's first-level items that match, `[N]`."""
    groups: dict[str, list[BoolArray]] = {}
    for path, matches in _leaf_matches(predictions, batch, _paper_rule):
        rows = len(batch)
        if path:
            # A member of a tuple is one item, whatever is inside it.
            whole = np.asarray(matches.reshape(rows, -1).all(axis=1)).reshape(-1, 1)
            groups.setdefault(path.split("/", 1)[0], []).append(whole)
        else:
            items = matches.reshape(
                rows, matches.shape[1] if matches.ndim > 1 else 1, -1
            )
            groups[""] = [np.asarray(items.all(axis=2))]
    members = [np.logical_and.reduce(parts) for parts in groups.values()]
    items = np.concatenate(members, axis=1)
    return np.asarray(items.mean(axis=1) * predictions.valid)


def reward_weights(rewards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns weights `[N]` that give each distinct reward the same total weight."""
    _, inverse, counts = np.unique(rewards, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / counts[inverse.reshape(-1)], dtype=np.float64)


def score_predictions(
    predictions: Predictions, batch: TransitionBatch, tolerances: Tolerances
) -> SplitScore:
    """Returns what one prediction of each transition is worth.

    Args:
        predictions: By any model: a program, one that does nothing, the simulator.
        batch: The recorded transitions, in the same order.
        tolerances: From the training transitions.

    Raises:
        ValueError: If the numbers of rows differ, or are 0.
    """
    _check_rows(predictions, batch)
    matches = strict_matches(predictions, batch, tolerances)
    return _score_matches(matches, predictions, batch, _weights(batch))


def _weights(
    batch: TransitionBatch,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns what transitions weigh, in the score and in the published metric."""
    return reward_weights(batch.rewards), reward_weights(_rounded(batch.rewards))


def _score_matches(
    matches: Matches,
    predictions: Predictions,
    batch: TransitionBatch,
    weights: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> SplitScore:
    observation = matches.elements.mean(axis=1)
    right = observation + matches.reward + matches.terminated
    credit = right / 3
    if matches.legal_actions is not None:
        # Nothing is legal after the end: that is not judged, and earns nothing.
        with_actions = (right + matches.legal_actions) / 4
        credit = np.where(batch.terminated, credit, with_actions)
    return SplitScore(
        num_transitions=len(batch),
        strict=float(matches.everything.mean()),
        paper=float(paper_matches(predictions, batch).everything.mean()),
        reference=reference_accuracy(predictions, batch, weights[1]),
        score=_exact_mean(credit, weights[0]),
        part_accuracy=_part_accuracy(matches, batch.observation_space),
    )


def _exact_mean(credit: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Weighted mean that is 1 if and only if every credit is."""
    if (credit == 1.0).all():
        return 1.0
    return min(float(np.average(credit, weights=weights)), float(np.nextafter(1.0, 0)))


def _check_rows(predictions: Predictions, batch: TransitionBatch) -> None:
    if len(predictions) != len(batch) or len(batch) == 0:
        raise ValueError(
            f"predictions must have one row for each of {len(batch)} transitions "
            f"(at least 1), got {len(predictions)}."
        )


def _part_accuracy(matches: Matches, space: SpaceSpec) -> dict[str, float]:
    parts = {
        name: float(matches.elements[:, columns].all(axis=1).mean())
        for name, columns in observation_parts(space)
    }
    parts["reward"] = float(matches.reward.mean())
    parts["terminated"] = float(matches.terminated.mean())
    if matches.legal_actions is not None:
        parts["legal_actions"] = float(matches.legal_actions.mean())
    return parts


def wrong_parts(matches: Matches, space: SpaceSpec) -> list[tuple[str, ...]]:
    """Returns the names of what is wrong, for each of the `N` rows."""
    names = [name for name, _ in observation_parts(space)]
    columns = [
        matches.elements[:, part].all(axis=1) for _, part in observation_parts(space)
    ]
    columns += [matches.reward, matches.terminated]
    names += ["reward", "terminated"]
    if matches.legal_actions is not None:
        columns.append(matches.legal_actions)
        names.append("legal_actions")
    right = np.stack(columns, axis=1)
    return [
        tuple(n for n, is_right in zip(names, row, strict=True) if not is_right)
        for row in right.tolist()
    ]


def score_draws(
    draws: Sequence[Predictions], batch: TransitionBatch, tolerances: Tolerances
) -> SplitScore:
    """Returns what repeated predictions of a stochastic environment are worth.

    With `c` of `K` draws equal to the recorded outcome, its probability is estimated
    as `(c + 1/2) / (K + 1)`, so that an outcome that was never drawn costs much but
    not everything. The score maps the mean logarithm linearly to `[0, 1]`: 0 if no
    recorded outcome is ever drawn, 1 if every draw is right. It is the mean of that
    number for the whole outcome and for each of its parts, so that a program with one
    part right is told from one with none. A program cannot gain by hedging or by
    always saying the most frequent outcome, and the true simulator's score, from
    the same function and as many draws, is the ceiling.

    Args:
        draws: `K` predictions of every transition; at least 2.
        batch: The recorded transitions, in the same order.
        tolerances: From the training transitions.

    Raises:
        ValueError: If there are fewer than 2 draws, or the rows do not fit.
    """
    num_draws = len(draws)
    if num_draws < 2:
        raise ValueError(f"draws must have at least 2 members, got {num_draws}.")
    singles: list[SplitScore] = []
    every: list[NDArray[np.bool_]] = []
    weights = _weights(batch)
    for predictions in draws:
        _check_rows(predictions, batch)
        m = strict_matches(predictions, batch, tolerances)
        singles.append(_score_matches(m, predictions, batch, weights))
        parts = [m.everything, m.observation, m.reward, m.terminated]
        if m.legal_actions is not None:
            parts.append(m.legal_actions)
        every.append(np.stack(parts))
    counts = np.sum(every, axis=0)
    log_likelihoods = np.log((counts + 0.5) / (num_draws + 1)).mean(axis=1)
    lowest = np.log(0.5 / (num_draws + 1))
    highest = np.log((num_draws + 0.5) / (num_draws + 1))
    scaled = (log_likelihoods - lowest) / (highest - lowest)
    return SplitScore(
        num_transitions=len(batch),
        strict=_mean(s.strict for s in singles),
        paper=_mean(s.paper for s in singles),
        reference=_mean(s.reference for s in singles),
        score=float(np.clip(scaled.mean(), 0.0, 1.0)),
        part_accuracy={
            name: _mean(s.part_accuracy[name] for s in singles)
            for name in singles[0].part_accuracy
        },
        num_draws=num_draws,
        log_likelihood=float(log_likelihoods[0]),
    )


def _mean(values: Iterator[float]) -> float:
    return float(np.mean(list(values)))


def merged_matches(parts: Sequence[Matches]) -> Matches:
    """Returns what is right in at least one of several draws."""
    legal = [m.legal_actions for m in parts if m.legal_actions is not None]
    return Matches(
        elements=np.logical_or.reduce([m.elements for m in parts]),
        reward=np.logical_or.reduce([m.reward for m in parts]),
        terminated=np.logical_or.reduce([m.terminated for m in parts]),
        legal_actions=np.logical_or.reduce(legal) if legal else None,
    )
