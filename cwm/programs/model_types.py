"""Messages of rollouts and of sessions that hold a model.

Answers are `wire_types.PredictedRows`; a planner's, `PlannedAction`. Values travel as
columns (`cwm.core.codec`).
"""

from typing import Any

import msgspec

from cwm.programs.wire_types import ReceivedValues


class ModelSpec(msgspec.Struct, array_like=True):
    """What a driver has to know of a program's model.

    Attributes:
        observation_space: As `space_to_json` has it.
        action_space: Likewise.
        seed: Seed of whatever is random in the program.
        uses_generator: Whether the source mentions `rng`.
        uses_random: Whether its steps may draw from `random`, the global generators.
        kernel: Text of its kernel (`kernels`), to be compiled where that can be.
    """

    observation_space: dict[str, Any]
    action_space: dict[str, Any]
    seed: int
    uses_generator: bool
    uses_random: bool
    kernel: str = ""


class RolloutsAsk(msgspec.Struct, array_like=True, tag="rollouts"):
    """Rollouts to make.

    The answer has the rows of each rollout in turn, from its first step to the one
    that terminated it, or to the horizon.

    Attributes:
        observations: Columns of `B` first observations.
        actions: Columns of `B * horizon` actions, those of a rollout side by side.
        horizon: Steps of a rollout, at most.
    """

    observations: dict[str, Any]
    actions: dict[str, Any]
    horizon: int


class StepsAsk(msgspec.Struct, array_like=True, tag="steps"):
    """Single steps to predict; the answer has a row for each.

    Attributes:
        observations: Columns of `N` observations.
        actions: Columns of `N` actions.
    """

    observations: dict[str, Any]
    actions: dict[str, Any]


class RolloutsRequest(msgspec.Struct, array_like=True):
    """Rollouts of a model that is not held.

    Attributes:
        model: The model.
        ask: The rollouts.
    """

    model: ModelSpec
    ask: RolloutsAsk


class PlannedAction(msgspec.Struct, array_like=True):
    """What a planner inside the sandbox says: claims, all of it.

    Only the action is to be used; how good it is shows in the environment.

    Attributes:
        action: One action.
        next_observation: The observation that the planner's model predicts after it.
        num_model_steps: How often the model was stepped for it (`Model.num_steps`).
    """

    action: ReceivedValues
    next_observation: ReceivedValues
    num_model_steps: int
