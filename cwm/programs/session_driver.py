"""Runs inside the sandbox: holds a candidate's model and answers for it.

Planners that are to run beside the model need a driver of this form: `open` makes a
`Model` and the planner, and what it returns turns an observation into a
`PlannedAction`.
"""

from cwm.programs.model_inside import Model
from cwm.programs.model_types import ModelSpec, RolloutsAsk, StepsAsk
from cwm.programs.rollout_driver import add_valid, emit_arrays, roll_out
from cwm.programs.wire_types import rows_per_message
from cwm.programs.world_model_driver import fresh_values, make_rows
from sandbox.child import At, Channel, Handler, Load

REQUEST = ModelSpec
ASK = StepsAsk | RolloutsAsk


def open(load: Load, spec: ModelSpec, channel: Channel) -> Handler:
    """Loads the model; what it returns answers with `PredictedRows`.

    Raises:
        ContractViolation: If the program does not define its class.
    """
    model = Model(load, spec)
    message_rows = rows_per_message(model.observation_space)

    def handle(ask: StepsAsk | RolloutsAsk, channel: Channel) -> None:
        if isinstance(ask, RolloutsAsk):
            roll_out(model, spec, ask, channel)
        else:
            _step(model, spec, ask, message_rows, channel)

    return handle


def _step(
    model: Model, spec: ModelSpec, ask: StepsAsk, message_rows: int, channel: Channel
) -> None:
    if model.has_batch and len(ask.observations[""]) > 1:
        try:
            results = model.step_many(ask.observations[""], ask.actions[""])
        except BaseException as error:
            raise At(0) from error
        emit_arrays(results, message_rows, channel)
        return
    observations = fresh_values(spec.observation_space, ask.observations)
    actions = fresh_values(spec.action_space, ask.actions)
    rows = make_rows(spec.observation_space, min(message_rows, len(actions)))
    for index, (observation, action) in enumerate(
        zip(observations, actions, strict=True)
    ):
        try:
            add_valid(rows, model.step(observation, action))
        except BaseException as error:
            raise At(index) from error
        if rows.count == message_rows:
            channel.emit(rows.flush())
    if rows.count:
        channel.emit(rows.flush())
