"""Rollouts that choose step by step among the actions that are legal there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from cwm.core.protocols import Context, FloatArray, RolloutBatch, StepResult
from cwm.core.spaces import Value
from planners.latent import ScorePoints
from planners.planner import NoLegalAction
from planners.simulator import Simulator

Biases: TypeAlias = Callable[
    [Sequence[Context | None], Sequence[Sequence[Value]]],
    Sequence[FloatArray | None],
]
"""Gives what to add to the scores of legal actions, by context."""


@dataclass(kw_only=True)
class Walk:
    """One rollout on its way.

    Attributes:
        state: Where it is.
        context: What was seen and done up to there; `None` if nobody asks.
        observations: Those after its steps.
        actions: Those chosen; one more than steps if the last one failed.
        is_open: Whether it can go on: neither terminated, failed, nor without a
            legal action.
        terminated: Whether the last step reached a terminal state.
        failed: Whether the model had no answer.
    """

    state: Any
    context: Context | None = None
    observations: list[Value] = field(default_factory=list)
    actions: list[Value] = field(default_factory=list)
    is_open: bool = True
    terminated: bool = False
    failed: bool = False

    def go(self, action: Value, result: StepResult | None) -> None:
        """Takes a step, or fails to."""
        self.actions.append(action)
        if result is None:
            self.failed, self.is_open = True, False
            return
        self.state = result.next_state
        self.observations.append(result.observation)
        if self.context is not None:
            self.context = self.context.then(action, result.observation)
        self.terminated, self.is_open = result.terminated, not result.terminated


Scores: TypeAlias = Callable[[int, int, Walk], FloatArray]
"""Gives the scores `[D]` of a step: which walk, at what time, and how it went."""


def walk_through(
    kind: ScorePoints,
    size: tuple[int, int],
    scores: Scores,
    simulator: Simulator,
    state: Any,
    *,
    context: Context | None,
    biases_at: Callable[[int], Biases],
) -> tuple[list[Walk], FloatArray]:
    """Returns where scores of actions lead, and the rewards `[N, H]`.

    Args:
        kind: How points stand for plans.
        size: `N` walks of at most `H` steps.
        scores: Gives those of each step.
        simulator: The model, counted; all plans take a step before any takes the
            next.
        state: Where all plans start.
        context: What was seen and done up to there; `None` if nobody asks.
        biases_at: What gives the biases of a step.

    Raises:
        NoLegalAction: If the first state has none.
    """
    number, horizon = size
    walks = [Walk(state=state, context=context) for _ in range(number)]
    rewards = np.zeros(size)
    first = tuple(kind.actions.legal(simulator.model, state))
    going, legal = list(range(number)), [first] * number
    for time in range(horizon):
        if time:
            going, legal = _legal_choices(kind, simulator, walks)
        if not going:
            break
        biases = biases_at(time)([walks[index].context for index in going], legal)
        actions = [
            kind.choose(scores(index, time, walks[index]), choices, bias)
            for index, choices, bias in zip(going, legal, biases, strict=True)
        ]
        results = simulator.step_each([walks[index].state for index in going], actions)
        for index, action, result in zip(going, actions, results, strict=True):
            walks[index].go(action, result)
            rewards[index, time] = 0.0 if result is None else result.reward
    return walks, rewards


def _legal_choices(
    kind: ScorePoints, simulator: Simulator, walks: Sequence[Walk]
) -> tuple[list[int], list[tuple[Value, ...]]]:
    """Returns which walks go on, and among what; closes those that are stuck."""
    going, legal = [], []
    for index, walk in enumerate(walks):
        if not walk.is_open:
            continue
        try:
            choices = kind.actions.legal(simulator.model, walk.state)
        except NoLegalAction:
            walk.is_open = False
            continue
        going.append(index)
        legal.append(choices)
    return going, legal


def as_rollouts(walks: Sequence[Walk], rewards: FloatArray) -> RolloutBatch:
    """Returns walks as a batch; those that got stuck count as not terminated."""
    return RolloutBatch(
        rewards=rewards,
        lengths=np.array([len(walk.observations) for walk in walks], dtype=np.int64),
        terminated=np.array([walk.terminated for walk in walks], dtype=np.bool_),
        failed=np.array([walk.failed for walk in walks], dtype=np.bool_),
        observations=[walk.observations for walk in walks],
    )
