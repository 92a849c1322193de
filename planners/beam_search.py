"""The beam itself: from one depth to the next, within a budget."""

import itertools
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cwm.core.protocols import Context, FloatArray, StepResult
from cwm.core.spaces import Value
from planners.actions import ActionSet, BoxActions, index_of
from planners.beam_config import BeamConfig
from planners.guidance import Guidance
from planners.novelty import as_vectors, spread_order
from planners.planner import NoLegalAction
from planners.reward_bounds import RewardBounds
from planners.simulator import Simulator


@dataclass(slots=True, eq=False, kw_only=True)
class Way:
    """A way from the root to a state.

    Attributes:
        result: The last step.
        key: The state's; `None` if it cannot be told apart.
        total: Discounted return so far.
        log_weight: Sum of the prior's logarithms.
        parent: The way one step shorter; `None` at the root.
        action: The last action.
        context: What was seen and done, if a prior or a value reads it.
        future: Value of what comes after, discounted to the root.
        is_kept: Whether it is part of the plan of the decision before.
    """

    result: StepResult
    key: Hashable | None
    total: float = 0.0
    log_weight: float = 0.0
    parent: "Way | None" = None
    action: Value = None
    context: Context | None = None
    future: float = 0.0
    is_kept: bool = False

    @property
    def worth(self) -> float:
        """Return so far and to come."""
        return self.total + self.future

    def steps(self) -> list["Way"]:
        """Returns the ways of 1, 2, ... steps that lead here."""
        found: list[Way] = []
        way: Way = self
        while way.parent is not None:
            found.append(way)
            way = way.parent
        return found[::-1]


@dataclass(kw_only=True)
class BeamSearch:
    """One search from one state.

    Attributes:
        simulator: The model, within its budget.
        actions: The actions to choose from.
        guidance: Prior and value.
        settings: Those of the search.
        discount: Weight of the next reward.
        horizon: Depth at which it ends.
        rest: Actions of the decision before that are still to come.
        rng: Source of all randomness.
        bounds: What steps may pay; learns from this search.
        known: Outcomes by state and number of the action, from searches before; this
            one adds its own.
        incumbent: The best way of the searches before; `None` before the first.
        goes_on: Whether to go to the horizon whatever was found.
        finished: Ways that reached an end.
        is_complete: Whether no state was left out so far.
        lowest: Lowest return of a way that ended, or was not gone further.
    """

    simulator: Simulator
    actions: ActionSet
    guidance: Guidance
    settings: BeamConfig
    discount: float
    horizon: int
    rest: Sequence[Value]
    rng: np.random.Generator
    bounds: RewardBounds
    known: dict[tuple[Hashable, int], StepResult | None]
    incumbent: Way | None = None
    goes_on: bool = True
    finished: list[Way] = field(default_factory=list)
    is_complete: bool = True
    lowest: float = math.inf
    _expanded: set[Hashable] = field(init=False, default_factory=set)
    _is_closed: bool = field(init=False, default=False)
    _last_depth: int = field(init=False)
    _grid: Sequence[Value] | None = field(init=False, default=None)
    _num_actions: int = field(init=False, default=1)

    def __post_init__(self) -> None:
        self._last_depth = self.horizon
        if isinstance(self.actions, BoxActions):
            self._grid = self._whole_grid(self.actions)
            size = self.settings.max_actions if self._grid is None else len(self._grid)
            self._num_actions = size
            self.is_complete = self._grid is not None  # A sample leaves actions out.
        else:
            self._num_actions = max(1, len(self.actions.values))

    def run(self, root: Way) -> Way | None:
        """Returns the best way found; `None` if the model had no answer at all."""
        root.is_kept = bool(self.rest)
        beam, deepest = [root], [root]
        if self.incumbent is not None and self.incumbent.result.terminated:
            self.finished = [self.incumbent]
        for depth in range(self.horizon):
            is_out_of_steps = self.simulator.remaining < 1
            self._shorten(depth)
            beam = self._next(beam, depth)
            if not beam:
                # All that went on has ended; what could not go on is a dead end.
                if self.finished and not is_out_of_steps:
                    deepest = []
                break
            deepest = beam
            if self._nothing_beats_the_finished(beam, depth + 1):
                # Rewards that were seen are no proof of what was not.
                is_proof = self.bounds.is_given or self._is_closed
                self.is_complete = self.is_complete and is_proof
                deepest = []  # Broken off where they stand they look better.
                break
        ways = [*self.finished, *(w for w in deepest if w.parent is not None)]
        self.lowest = min((way.worth for way in ways), default=math.inf)
        return _best(ways)

    def _next(self, beam: Sequence[Way], depth: int) -> list[Way]:
        """Returns the states of the next depth that are kept, the best first."""
        self._expanded.update(way.key for way in beam)
        ways = self._distinct(self._children(beam, depth))
        self.finished += [way for way in ways if way.result.terminated]
        open_ways = [way for way in ways if not way.result.terminated]
        if not open_ways:
            return []
        self._is_closed = self.is_complete and all(
            way.key is not None and way.key in self._expanded for way in open_ways
        )
        self._look_ahead(open_ways, depth + 1)
        weight = self.settings.prior_weight
        order = spread_order(
            np.array([way.worth + weight * way.log_weight for way in open_ways]),
            as_vectors([way.result.observation for way in open_ways]),
            self.rng,
            num_cells=max(2, len(beam)),
            novelty_share=self.settings.novelty_share,
        ).tolist()
        order.sort(key=lambda index: not open_ways[index].is_kept)
        kept = self._affordable(order, open_ways, depth + 1)
        self.is_complete = self.is_complete and len(kept) == len(open_ways)
        return [open_ways[index] for index in kept]

    def _affordable(
        self, order: Sequence[int], ways: Sequence[Way], depth: int
    ) -> list[int]:
        """Returns the first of an order that the budget or the width allows."""
        if depth == self.horizon:
            return list(order)  # Nothing is asked of the model for them.
        width = self.settings.width
        if width is not None:
            return list(order[:width])
        allowed = self.simulator.remaining / max(1, self._last_depth - depth)
        kept: list[int] = []
        cost, num_free = 0, 0
        for index in order:
            key = ways[index].key
            is_known = key is not None and (key, 0) in self.known
            if is_known and num_free < self.settings.max_known_states:
                num_free += 1
            else:
                if kept and cost + self._num_actions > allowed:
                    continue
                cost += self._num_actions
            kept.append(index)
        return kept

    def _children(self, beam: Sequence[Way], depth: int) -> list[Way]:
        legal = [self._legal(way, depth) for way in beam]
        self._num_actions = max([self._num_actions, *map(len, legal)])
        weights = self._log_weights(beam, legal)
        results = self._outcomes(beam, legal)
        ways = []
        for number, way in enumerate(beam):
            for index, action in enumerate(legal[number]):
                result = results.get((number, index))
                if result is None or not math.isfinite(result.reward):
                    continue
                log_weight = weights[number][index]
                if log_weight == -math.inf:
                    continue
                ways.append(self._child(way, action, result, log_weight, depth))
        return ways

    def _child(
        self,
        way: Way,
        action: Value,
        result: StepResult,
        log_weight: float,
        depth: int,
    ) -> Way:
        context = way.context
        if context is not None:
            context = context.then(action, result.observation)
        is_kept = way.is_kept and depth < len(self.rest)
        return Way(
            result=result,
            key=self.simulator.key(result.next_state),
            total=way.total + float(self.discount**depth) * result.reward,
            log_weight=way.log_weight + log_weight,
            parent=way,
            action=action,
            context=context,
            is_kept=is_kept and index_of(action, [self.rest[depth]]) == 0,
        )

    def _outcomes(
        self, beam: Sequence[Way], legal: Sequence[Sequence[Value]]
    ) -> dict[tuple[int, int], StepResult | None]:
        """Returns the outcomes of all actions in all states, as far as affordable."""
        found: dict[tuple[int, int], StepResult | None] = {}
        asked: list[tuple[int, int]] = []
        for number, way in enumerate(beam):
            for index in range(len(legal[number])):
                if self._remembers(way) and (way.key, index) in self.known:
                    found[number, index] = self.known[way.key, index]
                else:
                    asked.append((number, index))
        if len(asked) > self.simulator.remaining:
            asked = asked[: self.simulator.remaining]
            self.is_complete = False
        if not asked:
            return found
        states = [beam[number].result.next_state for number, _ in asked]
        actions = [legal[number][index] for number, index in asked]
        for place, result in zip(
            asked, self.simulator.step_each(states, actions), strict=True
        ):
            found[place] = result
            if result is not None and math.isfinite(result.reward):
                self.bounds.include(result)
            way = beam[place[0]]
            if self._remembers(way):
                self.known[way.key, place[1]] = result
        return found

    def _remembers(self, way: Way) -> bool:
        if isinstance(self.actions, BoxActions) and (self._grid is None or way.is_kept):
            return False  # Its actions are its own: a sample, or the grid and one more.
        return way.key is not None

    def _legal(self, way: Way, depth: int) -> Sequence[Value]:
        if isinstance(self.actions, BoxActions):
            found = self._box_actions(self.actions)
            if way.is_kept and depth < len(self.rest):
                found = [self.rest[depth], *found]
            return found
        try:
            return self.actions.legal(self.simulator.model, way.result.next_state)
        except NoLegalAction:
            return ()

    def _box_actions(self, box: BoxActions) -> Sequence[Value]:
        if self._grid is not None:
            return self._grid
        number = self.settings.max_actions
        vectors = self.rng.uniform(box.low, box.high, (number, box.size))
        vectors[0] = np.clip(0.0, box.low, box.high)
        # Where forces are needed, the largest are needed most.
        corners = self.rng.random((number // 4, box.size)) < 0.5
        vectors[1 : 1 + len(corners)] = np.where(corners, box.low, box.high)
        return list(box.to_values(vectors))

    def _whole_grid(self, box: BoxActions) -> Sequence[Value] | None:
        count = self.settings.values_per_dimension
        if count**box.size > self.settings.max_actions:
            return None
        axes: list[FloatArray] = [
            np.unique(np.linspace(low, high, count))
            for low, high in zip(box.low, box.high, strict=True)
        ]
        return list(box.to_values(np.array(list(itertools.product(*axes)))))

    def _log_weights(
        self, beam: Sequence[Way], legal: Sequence[Sequence[Value]]
    ) -> list[list[float]]:
        if self.guidance.prior is None:
            return [[0.0] * len(actions) for actions in legal]
        contexts: list[Context] = []
        for way in beam:
            assert way.context is not None
            contexts.append(way.context)
        found = self.guidance.log_weights(contexts, legal)
        return [weights.tolist() for weights in found]

    def _look_ahead(self, ways: Sequence[Way], depth: int) -> None:
        if self.guidance.value is None:
            return
        contexts = [way.context for way in ways if way.context is not None]
        weight = float(self.discount**depth)
        for way, value in zip(ways, self.guidance.values(contexts), strict=True):
            way.future = weight * value

    def _distinct(self, ways: Sequence[Way]) -> list[Way]:
        """Returns the best way to each state."""
        best: dict[Any, Way] = {}
        for number, way in enumerate(ways):
            place: Any = number if way.key is None else (way.key, way.result.terminated)
            other = best.get(place)
            if other is None:
                best[place] = way
            elif way.total > other.total:
                way.is_kept = way.is_kept or other.is_kept
                best[place] = way
            else:
                other.is_kept = other.is_kept or way.is_kept
        return list(best.values())

    @property
    def _may_stop(self) -> bool:
        """Whether the rewards seen say what there is to gain."""
        if self.guidance.value is not None:
            return False
        return self.bounds.is_given or self._is_closed or not self.goes_on

    def _shorten(self, depth: int) -> None:
        """Plans the budget for the depths that may be better than what was found."""
        if self.finished and self._may_stop:
            best = max(way.total for way in self.finished)
            last = self.bounds.last_depth(best, self.horizon, self.discount)
            self._last_depth = max(last, depth + 1)

    def _nothing_beats_the_finished(self, beam: Sequence[Way], depth: int) -> bool:
        if not (self.finished and self._may_stop):
            return False
        finished = round(max(way.total for way in self.finished), 9)
        going_on = max(way.total for way in beam)
        after = self.bounds.to_come(self.horizon - depth, self.discount)
        reachable = round(going_on + float(self.discount**depth) * after, 9)
        # Of equal ones, an end is no better where going on costs nothing.
        return finished > reachable or finished == reachable > round(going_on, 9)


def _best(ways: Sequence[Way]) -> Way | None:
    """Returns the way of the highest worth, the first of equal ones.

    Of equal worth, an end is better where going on costs, else it is worse.
    """
    return max(ways, key=_rank) if ways else None


def better(first: Way, second: Way) -> Way:
    """Returns the better of two ways, the first of equal ones."""
    return max((first, second), key=_rank)


def _rank(way: Way) -> tuple[float, bool]:
    worth = round(way.worth, 9)
    return worth, way.result.terminated == (worth < 0.0)
