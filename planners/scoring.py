"""What a world model says of a population of plans."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from cwm.core.protocols import (
    BatchedWorldModel,
    Context,
    FloatArray,
    RolloutBatch,
    StepResult,
    Values,
)
from cwm.core.spaces import Value
from planners.guidance import Guidance, PriorConfig
from planners.latent import Points, ScorePoints
from planners.simulator import Simulator, discounted_returns, plain
from planners.walks import Biases, Scores, as_rollouts, walk_through


@dataclass(frozen=True, kw_only=True)
class Population:
    """Plans and what the model says of them.

    Attributes:
        points: `[N, H, D]`.
        actions: For each plan what was done; of one that ended, perhaps no more.
        rollouts: Where they lead.
        returns: Discounted returns with the value of what follows, `[N]`; NaN where
            there is none.
    """

    points: FloatArray
    actions: Sequence[Values]
    rollouts: RolloutBatch
    returns: FloatArray


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One plan of a population.

    Attributes:
        point: `[H, D]`.
        actions: In order; at least 1.
        predictions: What the model says of them.
        value: Its return; NaN if the model had no answer on the way.
    """

    point: FloatArray
    actions: tuple[Value, ...]
    predictions: tuple[StepResult, ...]
    value: float


class RolledOut(NamedTuple):
    """What is done in a population, and where it leads.

    Attributes:
        actions: Of each rollout.
        rollouts: Where they lead.
        is_open: `[N]` of `bool`: which could go on.
    """

    actions: Sequence[Values]
    rollouts: RolloutBatch
    is_open: NDArray[np.bool_]

    @classmethod
    def of(cls, actions: Sequence[Values], rollouts: RolloutBatch) -> "RolledOut":
        """Returns the same where all actions are legal everywhere."""
        return cls(actions, rollouts, ~(rollouts.terminated | rollouts.failed))


class PlanScorer:
    """Rolls out populations of plans from one state.

    Plans are rolled out together where all actions are legal everywhere; otherwise
    step by step, each choosing among what is legal where it is. A rollout that
    reaches a state without a legal action ends there.

    Args:
        points: How points stand for plans.
        simulator: The model, counted.
        state: Where all plans start.
        discount: Weight of the next reward.
        guidance: What is known beside the model.
        prior: How a prior bears on plans.
        context: What was seen and done so far; needed by a prior or a value.
        is_cut_off: Whether the episode is cut off where plans end: nothing follows.

    Raises:
        NoLegalAction: If the state has none.
        ValueError: If a context is needed and not given.
    """

    def __init__(
        self,
        points: Points,
        simulator: Simulator,
        state: Any,
        *,
        discount: float,
        guidance: Guidance,
        prior: PriorConfig,
        context: Context | None = None,
        is_cut_off: bool = False,
    ) -> None:
        self._points = points
        self._simulator = simulator
        self._state = state
        self._discount = discount
        self._context = guidance.first(context)
        self._guidance = guidance
        self._prior_config = prior
        self._has_value = guidance.value is not None and not is_cut_off
        self._by_state = False
        self._root_bias: FloatArray | None = None
        if isinstance(points, ScorePoints):
            self._look_around(points)

    def _look_around(self, points: ScorePoints) -> None:
        """Finds out whether actions depend on the state, and asks the prior once."""
        model = self._simulator.model
        legal = points.actions.legal(model, self._state)
        self._by_state = model.legal_actions(self._state) is not None
        if self._guidance.prior is not None and self._context is not None:
            self._by_state |= self._prior_config.num_steps > 1
            (self._root_bias,) = self._guidance.log_weights(
                [self._context], [legal], weight=self._prior_config.weight
            )

    def score(self, points: FloatArray) -> Population:
        """Returns what the model says of plans `[N, H, D]`."""
        actions, rollouts, is_open = self._rolled_out(points)
        returns = discounted_returns(rollouts, self._discount)
        if self._has_value and self._context is not None:
            asked = np.flatnonzero(is_open)
            contexts = _contexts(self._context, actions, rollouts, asked)
            weights = self._discount ** rollouts.lengths[asked]
            returns[asked] += weights * np.array(self._guidance.values(contexts))
        return Population(
            points=points, actions=actions, rollouts=rollouts, returns=returns
        )

    def _rolled_out(self, points: FloatArray) -> RolledOut:
        """Returns what is done, and where it leads."""
        if self._by_state:
            return self._walked(points.shape[:2], lambda i, time, _: points[i, time])
        # An array is as good as a list of its rows, only faster.
        actions = cast(
            "Sequence[Values]", self._points.to_actions(points, self._root_bias)
        )
        return RolledOut.of(actions, self._simulator.roll_out(self._state, actions))

    def _walked(self, size: tuple[int, int], scores: Scores) -> RolledOut:
        """Returns the same of `N` walks of `H` steps, by scores of listed actions."""
        assert isinstance(self._points, ScorePoints), "A box is legal everywhere."
        walks, rewards = walk_through(
            self._points,
            size,
            scores,
            self._simulator,
            self._state,
            context=self._context,
            biases_at=self._biases_at,
        )
        return RolledOut(
            actions=[walk.actions for walk in walks],
            rollouts=as_rollouts(walks, rewards),
            is_open=np.array([walk.is_open for walk in walks], dtype=np.bool_),
        )

    def _biases_at(self, time: int) -> Biases:
        """Returns what gives the biases of a step."""

        def none(
            contexts: Sequence[Context | None], legal: Sequence[Sequence[Value]]
        ) -> Sequence[FloatArray | None]:
            return [self._root_bias if time == 0 else None] * len(contexts)

        def of_prior(
            contexts: Sequence[Context | None], legal: Sequence[Sequence[Value]]
        ) -> Sequence[FloatArray | None]:
            known = [context for context in contexts if context is not None]
            weight = self._prior_config.weight
            return self._guidance.log_weights(known, legal, weight=weight)

        has_prior = self._guidance.prior is not None
        is_asked = has_prior and 0 < time < self._prior_config.num_steps
        return of_prior if is_asked else none

    def candidate(self, population: Population, index: int) -> Candidate:
        """Returns one plan of a population."""
        rollouts = population.rollouts
        length = int(rollouts.lengths[index])
        is_end = bool(rollouts.terminated[index])
        # Elsewhere a state is something else, which rollouts do not tell.
        shows_states = isinstance(self._simulator.model, BatchedWorldModel)
        seen = [plain(row) for row in rollouts.observations[index][:length]]
        rewards = rollouts.rewards[index, :length].tolist()
        predictions = [
            StepResult(
                observation if shows_states else None, observation, reward, False
            )
            for observation, reward in zip(seen, rewards, strict=True)
        ]
        if is_end and predictions:
            predictions[-1] = predictions[-1]._replace(terminated=True)
        return Candidate(
            point=population.points[index],
            actions=tuple(plain(action) for action in population.actions[index]),
            predictions=tuple(predictions),
            value=float(population.returns[index]),
        )


def best_index(population: Population) -> int:
    """Returns the plan with the highest return; the first of equal ones.

    If none has a return it is the one that got furthest.
    """
    if np.isnan(population.returns).all():
        return int(population.rollouts.lengths.argmax())
    return int(np.nanargmax(population.returns))


def better(left: Candidate, right: Candidate | None) -> Candidate:
    """Returns the plan with the higher return; the right one of equal ones.

    One without a return is worse than any; of two such the longer one is better.
    """
    if right is None:
        return left
    if math.isnan(left.value) and math.isnan(right.value):
        is_longer = len(left.predictions) > len(right.predictions)
        return left if is_longer else right
    if math.isnan(left.value) or left.value <= right.value:
        return right
    return left


def _contexts(
    context: Context,
    actions: Sequence[Values],
    rollouts: RolloutBatch,
    indices: NDArray[np.int64],
) -> list[Context]:
    """Returns what was seen and done at the ends of some rollouts."""
    contexts = []
    for index in indices.tolist():
        seen = tuple(plain(row) for row in rollouts.observations[index])
        done = tuple(plain(row) for row in actions[index][: len(seen)])
        contexts.append(
            Context(
                instruction=context.instruction,
                observations=(*context.observations, *seen),
                actions=(*context.actions, *done),
            )
        )
    return contexts
