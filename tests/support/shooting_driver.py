"""A planner inside the sandbox, for tests: tries each first action a few times."""

from typing import Any

import numpy as np

from cwm.core.codec import decode_columns
from cwm.core.spaces import DiscreteSpec, Value
from cwm.programs.model_inside import Model, to_send
from cwm.programs.model_types import ModelSpec, PlannedAction
from sandbox.child import Channel, Handler, Load

REQUEST = ModelSpec

HORIZON = 5


def open(load: Load, spec: ModelSpec, channel: Channel) -> Handler:
    """Loads the model; what it returns chooses the action with the largest return."""
    model = Model(load, spec)
    assert isinstance(model.action_space, DiscreteSpec)
    actions = range(model.action_space.num_values)
    rng = np.random.default_rng(spec.seed)

    def shoot(observation: Value, action: int) -> float:
        total = 0.0
        for _ in range(HORIZON):
            observation, reward, terminated = model.step(observation, action)
            total += reward
            if terminated:
                break
            action = int(rng.integers(len(actions)))
        return total

    def handle(columns: dict[str, Any], channel: Channel) -> None:
        (observation,) = decode_columns(model.observation_space, columns)
        before = model.num_steps
        returns = [max(shoot(observation, a) for _ in range(8)) for a in actions]
        best = int(np.argmax(returns))
        following, _, _ = model.step(observation, best)
        channel.emit(
            PlannedAction(
                action=to_send(model.action_space, best),
                next_observation=to_send(model.observation_space, following),
                num_model_steps=model.num_steps - before,
            )
        )

    return handle
