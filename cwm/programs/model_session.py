"""A program held in the sandbox as a model to plan with: many cheap requests.

The program stays in one process from request to request. Every step begins with
`set_state`, but what the program keeps besides is not undone: what it says here is for
choosing actions, not for scores.
"""

from types import TracebackType
from typing import Any

import numpy as np

from cwm.core.predictions import Predictions
from cwm.core.spaces import SpaceSpec, Value
from cwm.programs.model_types import RolloutsAsk, StepsAsk
from cwm.programs.received import check_rows
from cwm.programs.rollouts import (
    Rollouts,
    Values,
    model_spec,
    read_rollouts,
    rollouts_ask,
    to_columns,
)
from cwm.programs.wire_types import PredictedRows
from sandbox.errors import ProtocolError
from sandbox.limits import Limits
from sandbox.outcome import Answer, Completed, Outcome, ProtocolBroken
from sandbox.pool import Sandbox
from sandbox.session import Session

SESSION_DRIVER = "cwm.programs.session_driver"


class ModelSession:
    """A program's model, held until it is closed; use it as a context manager.

    It holds one of the sandbox's workers. Methods return how the request ended and,
    if that is `Completed`, what it brought. An exception of the program's ends one
    request; a deadline that passes, or a process that dies, ends the session.

    Args:
        sandbox: Made with `SESSION_DRIVER`.
        source: The program.
        observation_space: Space of the observations.
        action_space: Space of the actions.
        seed: Seed of whatever is random in the program; steps are counted, so that
            equal steps draw anew.
        limits: Limits; the sandbox's own by default. `wall_s` is for each request,
            `session_s` and `cpu_s` for all of them together.

    Raises:
        SandboxUnavailable: As in `Sandbox.open_session`.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        source: str,
        *,
        observation_space: SpaceSpec,
        action_space: SpaceSpec,
        seed: int = 0,
        limits: Limits | None = None,
    ) -> None:
        self._observation_space = observation_space
        self._action_space = action_space
        self._session: Session[PredictedRows] = sandbox.open_session(
            source,
            model_spec(source, observation_space, action_space, seed),
            driver=SESSION_DRIVER,
            reply=PredictedRows,
            limits=limits,
        )

    def __enter__(self) -> "ModelSession":
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def opening(self) -> Outcome[PredictedRows]:
        """How loading the program ended; only `Completed` makes a session."""
        return self._session.opening

    @property
    def is_open(self) -> bool:
        """Whether it is not known to be over."""
        return self._session.is_open

    def close(self) -> None:
        """Ends the program's process; a second call does nothing."""
        self._session.close()

    def step(
        self, observation: Value, action: Value, *, deadline_s: float | None = None
    ) -> tuple[Answer[PredictedRows], Predictions | None]:
        """Returns the prediction of one step, as the only row; see `steps`."""
        observations: Values = [observation]
        if isinstance(observation, np.ndarray):
            observations = observation[None]
        return self.steps(observations, [action], deadline_s=deadline_s)

    def steps(
        self,
        observations: Values,
        actions: Values,
        *,
        deadline_s: float | None = None,
    ) -> tuple[Answer[PredictedRows], Predictions | None]:
        """Returns the predictions of `N` steps, which know nothing of each other.

        `Raised.position` is the row at which the program raised; 0 if it was asked
        for all of them at once (`step_batch`).

        Args:
            observations: `N` of them, at least 1.
            actions: As many.
            deadline_s: As in `Session.ask`.

        Raises:
            ValueError: If values are not of their spaces, or not as many.
        """
        number = len(observations)
        if number < 1 or len(actions) != number:
            raise ValueError(
                "There must be an action for each of at least 1 observations, "
                f"got {len(actions)} for {number}."
            )
        ask = StepsAsk(
            observations=to_columns(self._observation_space, observations),
            actions=to_columns(self._action_space, actions),
        )
        answer = self._session.ask(ask, deadline_s=deadline_s)
        if not isinstance(answer, Completed):
            return answer, None
        try:
            rows = check_rows(answer.messages, self._observation_space, number)
            if len(rows) != number or not rows.valid.all():
                raise ProtocolError(f"{number} valid rows were due.")
        except ProtocolError as error:
            return self._broken(error), None
        return answer, rows

    def rollouts(
        self,
        first_observations: Values,
        actions: Any,
        *,
        deadline_s: float | None = None,
    ) -> tuple[Answer[PredictedRows], Rollouts | None]:
        """Returns where actions lead; arguments and errors as in `rollouts.rollout`."""
        ask: RolloutsAsk = rollouts_ask(
            self._observation_space, self._action_space, first_observations, actions
        )
        answer = self._session.ask(ask, deadline_s=deadline_s)
        if not isinstance(answer, Completed):
            return answer, None
        try:
            return answer, read_rollouts(answer.messages, self._observation_space, ask)
        except ProtocolError as error:
            return self._broken(error), None

    def _broken(self, error: ProtocolError) -> ProtocolBroken:
        """Ends the session of a program that sends what its driver does not."""
        self._session.close()
        return ProtocolBroken(reason=str(error))
