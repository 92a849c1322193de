"""A decider whose planner and model are both in this process."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self

from cwm.core.protocols import ModelError, StepResult, WorldModel
from cwm.core.seeding import child_rng
from cwm.core.spaces import Value
from cwm.evaluation.decisions import Decision, Situation, begun, decided, failed
from planners.planner import NoLegalAction, Planner


class ModelDecider:
    """A planner with a model, both in this process.

    Args:
        planner: The planner.
        model: The model.
    """

    def __init__(self, planner: Planner, model: WorldModel) -> None:
        self.planner = planner
        self.model = model
        self._seed: int | None = None
        self._memory: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._memory = None

    def begin(self, seed: int) -> None:
        """Forgets the episode before."""
        self._seed = seed
        self._memory = None

    def decide(self, situation: Situation, *, keeps_plan: bool = True) -> Decision:
        """Returns what to do next."""
        seed = begun(self._seed)
        start = time.perf_counter()
        # If it fails, the next decision starts from scratch.
        memory, self._memory = self._memory, None
        try:
            plan = self.planner.plan(
                self.model,
                situation.observation if situation.state is None else situation.state,
                child_rng(seed, "plan", situation.step),
                steps_left=situation.steps_left,
                context=situation.context,
                memory=memory if keeps_plan else None,
            )
        except (ModelError, NoLegalAction) as error:
            return failed(error, start)
        self._memory = plan.memory
        return decided(replace(plan, memory=None), start)

    def predict_steps(
        self, observations: Sequence[Value], actions: Sequence[Value]
    ) -> list[StepResult | None]:
        """Returns what the model says of single steps; its states are observations."""
        seed = begun(self._seed)
        found: list[StepResult | None] = []
        for row, pair in enumerate(zip(observations, actions, strict=True)):
            step = None
            with suppress(ModelError):
                step = self.model.step(*pair, child_rng(seed, "single step", row))
            found.append(step)
        return found
