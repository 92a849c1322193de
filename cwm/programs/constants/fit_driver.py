"""Runs inside the sandbox: predicts the same rows with one set of constants each time.

Covers: executing the source anew for each set, going on from predictions. Does not
cover: the truth, which is not in this process, nor which values to try.
"""

import random  # noqa: TID251 - the candidate's, seeded so that it repeats
from typing import Any

import numpy as np

from cwm.core.spaces import SpaceSpec, Value, space_from_json
from cwm.programs.constants.messages import FitAsk, FitSpec
from cwm.programs.world_model_driver import (
    Rows,
    conformed,
    copier,
    copy_value,
    find_class,
    fresh_values,
    make_rows,
)
from sandbox.child import Channel, Handler, Load

REQUEST = FitSpec
ASK = FitAsk

_INVALID = (None, 0.0, False)
"""A step that is of no form: the row counts as wrong."""


def open(load: Load, spec: FitSpec, channel: Channel) -> Handler:
    """Returns what answers with `PredictedRows`, a set of values after the other."""
    inputs = _Inputs(spec)

    def handle(ask: FitAsk, channel: Channel) -> None:
        for vector in ask.vectors:
            inputs.predict(load, vector.tolist(), channel)

    return handle


class _Inputs:
    def __init__(self, spec: FitSpec) -> None:
        self._spec = spec
        self._space: SpaceSpec = space_from_json(spec.observation_space)
        self._observations = fresh_values(spec.observation_space, spec.observations)
        actions = fresh_values(spec.action_space, spec.actions)
        step = spec.horizon
        self._actions = [
            actions[row * step : (row + 1) * step]
            for row in range(len(self._observations))
        ]
        self._copy_observation = copier(spec.observation_space)
        self._copy_action = copier(spec.action_space)

    def predict(self, load: Load, values: list[float], channel: Channel) -> None:
        """Emits the rows of one set of values; a program that raises has wrong ones."""
        spec = self._spec
        if spec.is_random:
            random.seed(spec.seed)
            np.random.seed(spec.seed)  # noqa: NPY002, TID251 - the candidate's
        due = len(self._observations) * spec.horizon
        sender = _Sender(make_rows(spec.observation_space, min(due, spec.message_rows)))
        environment = self._environment(load, values)
        for observation, actions in zip(self._observations, self._actions, strict=True):
            results = self._roll(environment, observation, actions)
            for result in results:
                sender.add(result, channel, spec.message_rows)
            for _ in range(spec.horizon - len(results)):
                sender.add(_INVALID, channel, spec.message_rows)
        sender.flush(channel)

    def _environment(self, load: Load, values: list[float]) -> Any:
        numbers = [
            round(value) if is_whole else value
            for value, is_whole in zip(values, self._spec.are_whole, strict=True)
        ]
        try:
            environment = find_class(
                lambda: load(given={self._spec.values_name: numbers})
            )()
            if self._spec.is_random:
                environment.rng = np.random.default_rng(self._spec.seed)
        except Exception:  # noqa: BLE001 - the candidate's: these values do not work
            return None
        return environment

    def _roll(
        self, environment: Any, observation: Value, actions: list[Value]
    ) -> list[object]:
        """Returns what steps returned, up to the first that was of no form."""
        results: list[object] = []
        state = self._copy_observation(observation)
        for action in actions:
            try:
                environment.set_state(state)
                result = environment.step(self._copy_action(action))
                if isinstance(result, tuple) and len(result) == 4:
                    result = (result[0], *result[2:])
                if len(actions) > 1:
                    result = (
                        copy_value(conformed(self._space, result[0])),
                        *result[1:],
                    )
                    state = self._copy_observation(result[0])
            except Exception:  # noqa: BLE001 - likewise
                break
            results.append(result)
        return results


class _Sender:
    """Sends rows in messages that are not too long."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(self, result: object, channel: Channel, message_rows: int) -> None:
        try:
            self._rows.add(result)
        except TypeError:
            # Not three values: a violation of the contract, of this row only.
            self._rows.add(_INVALID)
        if self._rows.count == message_rows:
            self.flush(channel)

    def flush(self, channel: Channel) -> None:
        if self._rows.count:
            channel.emit(self._rows.flush())
