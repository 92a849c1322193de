"""What a planner asks of a model, and a uniform sample of it.

`RecordedModel` stands between a planner and the true model and offers every imagined
rollout to a `QuerySample`: the rows of `roll_out`, and the steps that go on where the
last one led.

Covers: world models that step, roll out and have keys. Does not cover: rollouts that a
model makes at once in an environment that declares legal actions, which it does not
report; planners make none there.
"""

import heapq
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from cwm.core.codec import encode_columns
from cwm.core.protocols import RolloutBatch, StepResult, Values
from cwm.core.spaces import SpaceSpec, Value
from cwm.core.trajectories import Trajectory
from envs.true_model import TrueModel, TrueState

QUERY_POLICY = "planner query"
"""What the trajectories of imagined rollouts say about who chose the actions."""


@dataclass(slots=True)
class Query:
    """An imagined rollout of `T` steps.

    Attributes:
        observations: `T + 1` of them.
        actions: `T` of them; at least 1.
        rewards: `T` of them.
        terminated: Whether the last step reached a terminal state.
        legal: `T + 1` lists of legal actions; `None` where none are declared.
    """

    observations: list[Value]
    actions: list[Value] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    terminated: bool = False
    legal: list[tuple[Value, ...]] | None = None

    def __len__(self) -> int:
        return len(self.actions)

    def trajectory(
        self, observation_space: SpaceSpec, action_space: SpaceSpec
    ) -> Trajectory:
        """Returns the rollout as a trajectory without a seed."""
        terminated = np.zeros(len(self), dtype=np.bool_)
        terminated[-1] = self.terminated
        return Trajectory(
            observations=encode_columns(observation_space, self.observations),
            actions=encode_columns(action_space, self.actions),
            rewards=np.asarray(self.rewards, dtype=np.float64),
            terminated=terminated,
            truncated=np.zeros(len(self), dtype=np.bool_),
            policy=QUERY_POLICY,
            legal_actions=None if self.legal is None else tuple(self.legal),
        )


class QuerySample:
    """A uniform sample of all rollouts that were offered, of enough transitions.

    Each rollout draws a number; kept are those with the smallest numbers, as many as
    it takes to have `num_transitions`: the beginning of all rollouts in random order.

    Attributes:
        num_offered: Rollouts that were offered.
        num_transitions: Fewest transitions to keep, if there are so many.

    Args:
        num_transitions: See above; at least 0.
        rng: Draws one number for each rollout.
    """

    def __init__(self, num_transitions: int, rng: np.random.Generator) -> None:
        self.num_transitions = num_transitions
        self.num_offered = 0
        self._rng = rng
        self._heap: list[tuple[float, int, Query]] = []
        self._total = 0
        self._order = count()

    def draw(self) -> float | None:
        """Returns the number of a rollout; `None` if it is too large to be kept."""
        self.num_offered += 1
        key = float(self._rng.random())
        if self._total >= self.num_transitions:
            largest = -self._heap[0][0] if self._heap else -1.0
            return key if key < largest else None
        return key

    def add(self, key: float, query: Query) -> None:
        """Takes a rollout in; others may go for it."""
        heapq.heappush(self._heap, (-key, next(self._order), query))
        self._total += len(query)
        self._drop()

    def _drop(self) -> None:
        heap = self._heap
        while heap and self._total - len(heap[0][2]) >= self.num_transitions:
            self._total -= len(heapq.heappop(heap)[2])

    def shrink(self, num_transitions: int) -> None:
        """Keeps no more rollouts than it takes to have so many transitions."""
        self.num_transitions = num_transitions
        self._drop()

    def queries(self) -> list[Query]:
        """Returns what is kept, in the order in which it was offered."""
        return [query for _, _, query in sorted(self._heap, key=lambda item: item[1])]


class RecordedModel:
    """The true model, with a sample of what it was asked.

    A `RollingWorldModel` and a `KeyedWorldModel`, as that is. It changes no answer.

    Args:
        model: Answers.
        sample: Is offered all rollouts.
    """

    def __init__(self, model: TrueModel, sample: QuerySample) -> None:
        self._model = model
        self._sample = sample
        self._key: float | None = None
        self._query: Query | None = None
        self._at: TrueState | None = None

    def step(
        self, state: TrueState, action: Value, rng: np.random.Generator
    ) -> StepResult:
        """Returns the outcome of an action; see `WorldModel`."""
        result = self._model.step(state, action, rng)
        if self._at is not state:
            self.finish()
            self._key = self._sample.draw()
            legal = None if state.legal is None else [state.legal]
            self._query = Query(observations=[state.observation], legal=legal)
        self._extend(action, result)
        self._at = None if result.terminated else result.next_state
        return result

    def _extend(self, action: Value, result: StepResult) -> None:
        query = self._query
        if query is None or self._key is None:
            return
        query.actions.append(action)
        query.observations.append(result.observation)
        query.rewards.append(result.reward)
        query.terminated = result.terminated
        if query.legal is not None:
            query.legal.append(result.next_state.legal or ())

    def finish(self) -> None:
        """Ends the rollout that single steps made up; the next step begins another."""
        if self._query is not None and self._key is not None:
            self._sample.add(self._key, self._query)
        self._query = self._key = self._at = None

    def legal_actions(self, state: TrueState) -> Sequence[Value] | None:
        """Returns the legal actions where the environment declares them."""
        return self._model.legal_actions(state)

    def state_key(self, state: TrueState) -> Hashable | None:
        """Returns the model's key of a state."""
        return self._model.state_key(state)

    def roll_out(
        self, state: TrueState, actions: Sequence[Values], rng: np.random.Generator
    ) -> RolloutBatch:
        """Returns where plans lead; see `RollingWorldModel`."""
        self.finish()
        batch = self._model.roll_out(state, actions, rng)
        if state.legal is not None:
            return batch
        for index, plan in enumerate(actions):
            length = int(batch.lengths[index])
            key = self._sample.draw() if length else None
            if key is not None:
                seen = batch.observations[index]
                query = Query(
                    observations=[state.observation, *seen[:length]],
                    actions=list(plan[:length]),
                    rewards=batch.rewards[index, :length].tolist(),
                    terminated=bool(batch.terminated[index]),
                )
                self._sample.add(key, query)
        return batch
