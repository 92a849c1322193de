"""Runs a program on transitions in the sandbox and returns what it predicts."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cwm.core.predictions import Predictions
from cwm.core.spaces import SpaceSpec
from cwm.core.trajectories import TransitionBatch
from cwm.programs.plans import Plan, make_plan, make_requests
from cwm.programs.program import uses_generator, uses_global_generators
from cwm.programs.received import join_predictions
from cwm.programs.wire_types import PredictedRows, PredictedRowsWithActions
from sandbox.errors import ProtocolError
from sandbox.outcome import AnyOutcome, Completed, ProtocolBroken, Raised
from sandbox.pool import Sandbox

STEPS_DRIVER = "cwm.programs.world_model_driver"

_MAX_KEPT_BYTES = 64 << 20
"""Largest encoded transitions that are kept for the next program."""


class ProgramRunner:
    """Predicts transitions with programs; any number of threads may use it.

    Args:
        sandbox: Made with `STEPS_DRIVER`.
        seed: Seed of the order of transitions and of stochastic programs.
        usual: Batches that many programs will be run on: they are encoded once.
    """

    def __init__(
        self, sandbox: Sandbox, *, seed: int, usual: Sequence[TransitionBatch] = ()
    ) -> None:
        self.seed = seed
        self._sandbox = sandbox
        self._usual = tuple(usual)
        self._plans: dict[tuple[int, int, bool, bool], Plan] = {}

    def predict(
        self, source: str, batch: TransitionBatch, num_draws: int
    ) -> tuple[AnyOutcome, list[Predictions] | None]:
        """Returns `num_draws` predictions of each transition.

        The transitions are shared out to two children (`cwm.programs.plans`). There
        are no predictions unless the outcome is `Completed`.
        """
        num_run = num_distinct_draws(source, num_draws)
        plan = self._plan(source, batch, num_run)
        outcomes = self._sandbox.run_all(
            source,
            plan.requests,
            driver=STEPS_DRIVER,
            reply=_reply(batch),
            limits=plan.limits,
        )
        last = outcomes[-1]
        if not isinstance(last, Completed):
            return _at_row(last, plan.halves[len(outcomes) - 1]), None
        messages = [o.messages for o in outcomes if isinstance(o, Completed)]
        try:
            draws = join_predictions(
                messages,
                plan.halves,
                batch.observation_space,
                plan.inverse,
                num_run,
                action_space=_action_space(batch),
            )
        except ProtocolError as error:
            return ProtocolBroken(reason=str(error), usage=last.usage), None
        # Draws of a program that mentions nothing random would be alike.
        return last, draws if num_run == num_draws else draws * num_draws

    def predict_parts(
        self,
        source: str,
        batch: TransitionBatch,
        parts: Sequence[NDArray[np.intp]],
        num_draws: int,
    ) -> tuple[AnyOutcome, list[list[Predictions]]]:
        """Returns predictions of parts of a batch, each part from a child of its own.

        Args:
            source: The program.
            batch: The transitions.
            parts: Rows of the batch, in the order in which a child gets them. Their
                randomness is seeded as in `predict`.
            num_draws: Predictions of each row.

        Returns:
            The last outcome, and for each part before the first that did not
            complete its draws, in the order of `part`.
        """
        requests, limits = make_requests(
            batch,
            parts,
            num_draws,
            limits=self._sandbox.limits,
            seed=self.seed,
            uses_generator=uses_generator(source),
            uses_random=uses_global_generators(source),
        )
        outcomes = self._sandbox.run_all(
            source,
            requests,
            driver=STEPS_DRIVER,
            reply=_reply(batch),
            limits=limits,
        )
        found: list[list[Predictions]] = []
        for outcome, part in zip(outcomes, parts, strict=False):
            if not isinstance(outcome, Completed):
                return _at_row(outcome, part), found
            in_order = np.argsort(np.argsort(part))
            try:
                draws = join_predictions(
                    [outcome.messages],
                    [part],
                    batch.observation_space,
                    in_order,
                    num_draws,
                    action_space=_action_space(batch),
                )
            except ProtocolError as error:
                return ProtocolBroken(reason=str(error), usage=outcome.usage), found
            found.append(draws)
        return outcomes[-1], found

    def _plan(self, source: str, batch: TransitionBatch, num_draws: int) -> Plan:
        """Returns what to send; the usual transitions are encoded once."""
        draws, draws_globally = uses_generator(source), uses_global_generators(source)
        which = next((i for i, b in enumerate(self._usual) if b is batch), None)
        number = -1 if which is None else which
        key = (number, num_draws, draws, draws_globally)
        plan = self._plans.get(key)
        if plan is None:
            plan = make_plan(
                batch,
                num_draws,
                limits=self._sandbox.limits,
                seed=self.seed,
                uses_generator=draws,
                uses_random=draws_globally,
            )
            if which is not None and plan.num_bytes <= _MAX_KEPT_BYTES:
                self._plans[key] = plan
        return plan


def _reply(batch: TransitionBatch) -> type[PredictedRows]:
    """Returns what comes back: legal actions, too, where they are judged."""
    has_actions = batch.next_legal_actions is not None
    return PredictedRowsWithActions if has_actions else PredictedRows


def _action_space(batch: TransitionBatch) -> SpaceSpec | None:
    return None if batch.next_legal_actions is None else batch.action_space


def num_distinct_draws(source: str, num_draws: int) -> int:
    """Returns how many draws can differ: one of a program that cannot draw."""
    return num_draws if "rng" in source or "random" in source else 1


def _at_row(outcome: AnyOutcome, part: NDArray[np.intp]) -> AnyOutcome:
    """Returns the outcome with its position counted in rows of the batch."""
    if not isinstance(outcome, Raised) or outcome.position is None:
        return outcome
    row = int(part[outcome.position]) if outcome.position < len(part) else None
    return replace(outcome, position=row)
