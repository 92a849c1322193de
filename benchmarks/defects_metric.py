"""Defects of the published metric and of data without a held-out part, in numbers.

Each function takes recorded transitions of one environment and returns a row of its
table: figures by column. `benchmarks.defects` prints the tables;
docs/benchmark-defects.md explains them.
"""

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import Columns, decode_columns, encode_columns
from cwm.core.predictions import Predictions
from cwm.core.spaces import Value
from cwm.core.trajectories import Dataset, TransitionBatch
from cwm.evaluation.published import GPT_4, published_numbers
from cwm.programs.accuracy import (
    PAPER_TOLERANCE,
    reference_accuracy,
    score_predictions,
)
from cwm.programs.tolerances import Tolerances
from envs.actions import to_key
from envs.restart import restart_predictions
from envs.spec import EnvSpec

Row: TypeAlias = dict[str, float]
"""Figures by column; NaN where there is none."""

Step: TypeAlias = tuple[Value, float, bool]
"""Next observation, reward, and whether the episode has ended."""


def exact_pendulum(observation: Value, action: Value) -> Step:
    """Returns what Pendulum-v1 does, step by step as its documentation has it."""
    cosine, sine, speed = (float(x) for x in np.asarray(observation))
    angle = math.atan2(sine, cosine)
    torque = min(max(float(np.asarray(action)[0]), -2.0), 2.0)
    reward = -(angle**2 + 0.1 * speed**2 + 0.001 * torque**2)
    speed = min(max(speed + 0.05 * (15.0 * math.sin(angle) + 3.0 * torque), -8.0), 8.0)
    angle += 0.05 * speed
    following = np.array([math.cos(angle), math.sin(angle), speed], dtype=np.float32)
    return following, reward, False


def exact_cart_pole(observation: Value, action: Value) -> Step:
    """Returns what CartPole-v1 does: there every reward is 1."""
    x, x_speed, angle, angle_speed = (float(v) for v in np.asarray(observation))
    force = 10.0 if action == 1 else -10.0
    sine, cosine = math.sin(angle), math.cos(angle)
    push = (force + 0.05 * angle_speed**2 * sine) / 1.1
    angle_change = (9.8 * sine - cosine * push) / (
        0.5 * (4 / 3 - 0.1 * cosine**2 / 1.1)
    )
    x_change = push - 0.05 * angle_change * cosine / 1.1
    x, x_speed = x + 0.02 * x_speed, x_speed + 0.02 * x_change
    angle, angle_speed = angle + 0.02 * angle_speed, angle_speed + 0.02 * angle_change
    has_ended = abs(x) > 2.4 or abs(angle) > 12 * 2 * math.pi / 360
    following = np.array([x, x_speed, angle, angle_speed], dtype=np.float32)
    return following, 1.0, has_ended


EXACT_PROGRAMS: Mapping[str, Callable[[Value, Value], Step]] = {
    "Pendulum-v1": exact_pendulum,
    "CartPole-v1": exact_cart_pole,
}
"""Exact programs by environment."""


def predict(
    program: Callable[[Value, Value], Step], batch: TransitionBatch
) -> Predictions:
    """Returns what one of our own programs says of each transition."""
    steps = [
        program(observation, action)
        for observation, action in zip(
            decode_columns(batch.observation_space, batch.observations),
            decode_columns(batch.action_space, batch.actions),
            strict=True,
        )
    ]
    return _predictions(
        batch,
        encode_columns(batch.observation_space, [step[0] for step in steps]),
        np.array([step[1] for step in steps]),
        np.array([step[2] for step in steps]),
    )


def _predictions(
    batch: TransitionBatch,
    observations: Columns,
    rewards: NDArray[np.float64],
    terminated: NDArray[np.bool_],
    valid: NDArray[np.bool_] | None = None,
) -> Predictions:
    everything = np.ones(len(batch), dtype=np.bool_)
    return Predictions(
        next_observations=observations,
        rewards=rewards,
        terminated=terminated,
        valid=everything if valid is None else valid,
        messages={},
    )


def with_rewards_right(
    predictions: Predictions, batch: TransitionBatch, is_right: NDArray[np.bool_]
) -> Predictions:
    """Returns predictions whose rewards the published `==` takes for right or wrong.

    Args:
        predictions: Whose rewards are replaced.
        batch: The recorded transitions.
        is_right: `[N]`, by some other rule.
    """
    rounded = batch.rewards.astype(np.float32).astype(np.float64)
    return replace(predictions, rewards=np.where(is_right, rounded, np.nan))


def float_rewards(env_id: str, batch: TransitionBatch) -> Row:
    """An exact program by the published metric, under both rules of promotion.

    The truth is a NumPy number in single precision. Up to NumPy 1.26, `==` with a
    Python float or a double compares doubles. From NumPy 2 on, a Python float is
    rounded to single precision first, a double is not. The first rule is emulated,
    the other two columns are what the NumPy at hand says.
    """
    predictions = predict(EXACT_PROGRAMS[env_id], batch)
    truth = list(batch.rewards.astype(np.float32))
    said = predictions.rewards.tolist()
    old = [float(t) == r for t, r in zip(truth, said, strict=True)]
    new = [bool(t == r) for t, r in zip(truth, said, strict=True)]
    new_double = [bool(t == np.float64(r)) for t, r in zip(truth, said, strict=True)]
    columns = {
        "NumPy 1": old,
        "NumPy 2, Python float": new,
        "NumPy 2, np.float64": new_double,
    }
    score = score_predictions(predictions, batch, Tolerances.from_batch(batch))
    return {
        f"reference, {name}": reference_accuracy(
            with_rewards_right(predictions, batch, np.array(right)), batch
        )
        for name, right in columns.items()
    } | {"strict": score.strict}


def idle(batch: TransitionBatch) -> Predictions:
    """The program `return self.state, 1.0, False`."""
    return _predictions(
        batch,
        batch.observations,
        np.ones(len(batch)),
        np.zeros(len(batch), dtype=np.bool_),
    )


def do_nothing(
    env_id: str, batch: TransitionBatch, published: TransitionBatch | None
) -> Row:
    """The idle program beside what is published for programs that were searched.

    Args:
        env_id: The environment.
        batch: Its transitions.
        published: Those of the published version of it; `None` if it does not run.
    """
    score = score_predictions(idle(batch), batch, Tolerances.from_batch(batch))
    older = math.nan
    if published is not None:
        older = reference_accuracy(idle(published), published)
    row = {
        "idle, strict": score.strict,
        "idle, reference": score.reference,
        "on the published id": older,
    }
    for number in published_numbers(env_id, ("accuracy",)):
        if number.model == GPT_4:
            row[number.maker] = math.nan if number.value is None else number.value
    return row


def true_simulator(spec: EnvSpec, batch: TransitionBatch) -> Row:
    """The environment itself, restarted from each observation; defects put right.

    First its reference accuracy, then that without the time limits among the ends,
    then with rewards compared within 1e-5 too: what is left is hidden state.
    """
    predictions = restart_predictions(spec, batch)
    if predictions is None:
        return {}
    in_time = replace(batch, truncated=np.zeros(len(batch), dtype=np.bool_))
    bound = PAPER_TOLERANCE * (1.0 + np.abs(batch.rewards))
    is_near = np.abs(predictions.rewards - batch.rewards) <= bound
    near = with_rewards_right(predictions, batch, is_near)
    score = score_predictions(predictions, batch, Tolerances.from_batch(batch))
    return {
        "reference": score.reference,
        "time limits apart": reference_accuracy(predictions, in_time),
        "rewards within 1e-5 too": reference_accuracy(near, in_time),
        "strict": score.strict,
    }


def no_held_out(dataset: Dataset) -> Row:
    """A table of the training transitions, on these and on held-out ones."""
    train, held_out = dataset.batch("train"), dataset.batch("held_out")
    tolerances = Tolerances.from_batch(train)
    row: Row = {}
    for name, batch in (("training", train), ("held out", held_out)):
        row[f"table, {name}, reference"] = reference_accuracy(
            remembered(published_form(train), batch), batch
        )
        found = score_predictions(remembered(train, batch), batch, tolerances)
        row[f"table, {name}, strict"] = found.strict
    return row


def published_form(batch: TransitionBatch) -> TransitionBatch:
    """Returns transitions as the published files hold them.

    Rewards are in single precision, and `terminated` is whether the episode is over.
    """
    return replace(
        batch,
        rewards=batch.rewards.astype(np.float32).astype(np.float64),
        terminated=batch.terminated | batch.truncated,
    )


def remembered(memory: TransitionBatch, batch: TransitionBatch) -> Predictions:
    """Returns what a table of transitions says; an unknown input changes nothing."""
    known = {key: row for row, key in enumerate(_inputs(memory))}
    rows = np.array([known.get(key, -1) for key in _inputs(batch)])
    found = rows >= 0
    outcomes = decode_columns(memory.observation_space, memory.next_observations)
    unchanged = decode_columns(batch.observation_space, batch.observations)
    values = [
        outcomes[row] if row >= 0 else unchanged[index]
        for index, row in enumerate(rows.tolist())
    ]
    return _predictions(
        batch,
        encode_columns(batch.observation_space, values),
        np.where(found, memory.rewards[rows], 1.0),
        found & memory.terminated[rows],
    )


def _inputs(batch: TransitionBatch) -> list[Hashable]:
    observations = decode_columns(batch.observation_space, batch.observations)
    actions = decode_columns(batch.action_space, batch.actions)
    return [to_key(pair) for pair in zip(observations, actions, strict=True)]


def reward_classes(batch: TransitionBatch) -> Row:
    """What weights by reward class do to a program with one class right, or wrong.

    The class is that of the rarest reward. Everything else is all right or all wrong.
    """
    data = published_form(batch)
    values, counts = np.unique(data.rewards, return_counts=True)
    is_rare = data.rewards == values[np.argmin(counts)]

    def reference(valid: NDArray[np.bool_]) -> float:
        truth = _predictions(
            data, data.next_observations, data.rewards, data.terminated, valid
        )
        return reference_accuracy(truth, data)

    row = {
        "classes": float(len(values)),
        "transitions": float(len(data)),
        "of the rarest": float(counts.min()),
    }
    if len(values) == 1:
        return row
    return row | {
        "right on all others, strict": float(1.0 - is_rare.mean()),
        "reference": reference(~is_rare),
        "right on the rarest alone, strict": float(is_rare.mean()),
        "its reference": reference(is_rare),
    }
