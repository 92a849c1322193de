"""Plans that react: laws from what is seen to what is done, instead of fixed actions.

A sequence of actions drawn at random loses a balanced pole within a second, whatever
is drawn, and then all that is left to compare is when. A law that leans against what
it sees keeps it for as long as it is followed, so that the search can look far ahead.
The plan that is returned is what the best law does in the model.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cwm.core.protocols import (
    Context,
    FloatArray,
    RolloutBatch,
    WorldModel,
)
from cwm.core.spaces import Value
from planners.allotment import Allotment
from planners.base import BasePlanner
from planners.elite_refit import EliteRefit
from planners.gaussian_search import Gaussian, GaussianSearch, GaussianSearchConfig
from planners.guidance import PriorConfig
from planners.latent import Points, ScorePoints
from planners.laws import LinearLaws, Scaling, as_numbers
from planners.planner import Plan
from planners.scoring import Candidate, PlanScorer, RolledOut
from planners.simulator import Simulator
from planners.walks import Walk

_PROBES_SHARE = 4
"""A quarter of the first decision's steps may tell what is usual."""

_LARGEST_WEIGHT = 1e6
"""A law with a larger weight is given up: nothing near it is another law."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackConfig:
    """Settings of the search for a linear law.

    The cross-entropy method over the weights of a law (Szita and Lorincz, 2006), with
    observations in units of their spread (Mania et al., 2018,
    https://arxiv.org/abs/1803.07055).

    Attributes:
        num_iterations: Rounds of sampling and refitting at most.
        population: Laws of a round at most; `None` for what the budget allows.
        min_population: With a small budget there are rather fewer rounds and a
            shorter look-ahead than fewer laws in a round.
        elite_fraction: Share of a round's laws to which the distribution is fitted;
            at least 2 are.
        initial_std: Standard deviation of the weights at first: half ranges of an
            action for one spread of a number that is seen.
        next_std: The same in later decisions, which begin with the law of the one
            before; 0 or more.
        min_std: Smallest standard deviation.
        patience: Rounds without a gain after which a decision ends; 0 for never.
        min_gain: Smallest rise of the best return that counts as a gain, as a share
            of its size.
        num_probes: Laws that look at nothing, from whose rollouts the first decision
            learns what is usual; fewer if they would take a quarter of its steps.
        prior_weight: Factor of an action prior's log-probabilities in the first step.
    """

    num_iterations: int = 100
    population: int | None = 40
    min_population: int = 16
    elite_fraction: float = 0.15
    initial_std: float = 1.0
    next_std: float = 0.5
    min_std: float = 0.25
    patience: int = 3
    min_gain: float = 1e-3
    num_probes: int = 16
    prior_weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.next_std < math.inf:
            raise ValueError(f"next_std must be 0 or more, got {self.next_std!r}.")
        if self.num_probes < 1:
            raise ValueError(f"num_probes must be at least 1, got {self.num_probes}.")
        self.search_config()
        self.refit()
        self.prior()

    def search_config(self) -> GaussianSearchConfig:
        """Returns how laws are drawn."""
        return GaussianSearchConfig(
            num_iterations=self.num_iterations,
            population=self.population,
            min_population=self.min_population,
            initial_std=self.initial_std,
            patience=self.patience,
            min_gain=self.min_gain,
        )

    def refit(self) -> EliteRefit:
        """Returns how the distribution is moved."""
        return EliteRefit(
            elite_fraction=self.elite_fraction, momentum=0.0, min_std=self.min_std
        )

    def prior(self) -> PriorConfig:
        """Returns how an action prior bears on it."""
        return PriorConfig(weight=self.prior_weight)


@dataclass(frozen=True, kw_only=True)
class LawMemory:
    """What a decision leaves for the next one.

    Attributes:
        scaling: What its laws took for usual.
        weights: Of the best law, `[F + 1, D]`.
        seen: What that law will see, `[n, F]`.
    """

    scaling: Scaling
    weights: FloatArray
    seen: FloatArray


class LawScorer(PlanScorer):
    """Follows populations of laws from one state; points are weights `[N, F + 1, D]`.

    Args:
        points: What a law gives at each step.
        simulator: The model, counted.
        state: Where all start.
        observation: What it shows.
        horizon: Steps of each at most.
        known: As in `PlanScorer`.
    """

    def __init__(
        self,
        points: Points,
        simulator: Simulator,
        state: Any,
        *,
        observation: Value,
        horizon: int,
        **known: Any,
    ) -> None:
        super().__init__(points, simulator, state, **known)
        self._observation = observation
        self._horizon = horizon
        self.scaling = Scaling.of_one(observation)

    def learn_what_is_usual(self, rollouts: RolloutBatch) -> None:
        """Measures what is seen in the units of some rollouts from now on."""
        self.scaling = Scaling.of_rollouts(self._observation, rollouts)

    def look_from_here(self, memory: LawMemory) -> FloatArray:
        """Takes what an earlier decision saw for usual; returns its law for that."""
        self.scaling = memory.scaling.seen_from(self._observation, memory.seen)
        return memory.scaling.converted(memory.weights, self.scaling)

    def numbers_of(self, candidate: Candidate) -> FloatArray:
        """Returns what a law will see, `[n, F]`."""
        seen = [as_numbers(step.observation) for step in candidate.predictions]
        return np.array(seen).reshape(-1, self.scaling.size)

    def _rolled_out(self, points: FloatArray) -> RolledOut:
        if self._by_state and isinstance(self._points, ScorePoints):
            laws = LinearLaws(self._points, self.scaling, points)

            def scores(index: int, time: int, walk: Walk) -> FloatArray:
                shown = walk.observations[-1] if time else self._observation
                return laws.scores(index, shown)

            return self._walked((len(points), self._horizon), scores)
        laws = LinearLaws(self._points, self.scaling, points, bias=self._root_bias)
        found = self._simulator.follow(
            self._state, laws, self._horizon, observation=self._observation
        )
        return RolledOut.of(found.actions, found.rollouts)


class FeedbackPlanner(BasePlanner[FeedbackConfig]):
    """Searches for a linear law, and plans what it does.

    Sensible where what is done must answer what happens: balancing, running. Every
    further number that is seen makes the search harder.
    """

    def plan(
        self,
        model: WorldModel,
        state: Any,
        rng: np.random.Generator,
        *,
        steps_left: int | None = None,
        context: Context | None = None,
        memory: Any = None,
    ) -> Plan:
        """Returns what to do in a state; see `Planner.plan`.

        Raises:
            ValueError: As there, and if what is seen is not numbers.
        """
        planning, settings = self._planning, self._settings
        horizon = planning.steps_ahead(steps_left)
        observation = state if context is None else context.observations[-1]
        shape = (as_numbers(observation).size + 1, self._points.size)
        last = _usable(memory, shape)
        most = planning.max_model_steps // (_PROBES_SHARE * horizon)
        num_probes = 0 if last is not None else min(settings.num_probes, most)
        allotment = Allotment(
            horizon=horizon,
            num_iterations=settings.num_iterations,
            population=settings.population,
        ).within(
            planning.max_model_steps - num_probes * horizon,
            min_population=settings.min_population,
        )
        simulator = Simulator(model, rng, max_steps=planning.max_model_steps)
        scorer = LawScorer(
            self._points,
            simulator,
            state,
            observation=observation,
            horizon=allotment.horizon,
            discount=planning.discount,
            guidance=self._guidance,
            prior=settings.prior(),
            context=context,
            is_cut_off=allotment.horizon == steps_left,
        )
        if last is None:
            start, known = self._begin(scorer, shape, num_probes, rng)
        else:
            start, known = self._go_on(scorer, last)
        search = GaussianSearch(
            settings.search_config(),
            start=start,
            within_bounds=_unbounded,
            scorer=scorer,
            simulator=simulator,
            allotment=allotment,
            refit=settings.refit(),
            rng=rng,
        )
        search.run(known)
        chosen = search.chosen()
        return Plan(
            actions=chosen.actions[: allotment.horizon],
            predictions=chosen.predictions,
            value=chosen.value,
            num_model_steps=simulator.num_steps,
            num_failures=simulator.num_failures,
            memory=LawMemory(
                scaling=scorer.scaling,
                weights=chosen.point,
                seen=scorer.numbers_of(chosen),
            ),
            statistics=search.statistics(),
        )

    def _begin(
        self,
        scorer: LawScorer,
        shape: tuple[int, int],
        num_probes: int,
        rng: np.random.Generator,
    ) -> tuple[Gaussian, FloatArray]:
        """Returns where to search, and which laws to try first, `[n, F + 1, D]`.

        The scorer is told what is usual.
        """
        if num_probes:
            probes = np.zeros((num_probes, *shape))
            probes[:, -1] = self._points.spread_evenly(rng, num_probes, 1)[:, 0]
            scorer.learn_what_is_usual(scorer.score(probes).rollouts)
        mean = np.zeros(shape)
        std = np.full(shape, self._settings.initial_std)
        return Gaussian(mean=mean, std=std), mean[np.newaxis]

    def _go_on(
        self, scorer: LawScorer, memory: LawMemory
    ) -> tuple[Gaussian, FloatArray]:
        """Returns the same for a later decision of an episode."""
        last = scorer.look_from_here(memory)
        # Beyond the bounds, changes of the law would change nothing here.
        mean = last.copy()
        mean[-1] = self._points.within_bounds(mean[-1])
        std = np.full(mean.shape, self._settings.next_std)
        return Gaussian(mean=mean, std=std), np.stack([last, mean])


def _usable(memory: Any, shape: tuple[int, int]) -> LawMemory | None:
    """Returns what an earlier decision left, if a law can be made of it."""
    if not isinstance(memory, LawMemory) or memory.weights.shape != shape:
        return None
    is_usable = bool((np.abs(memory.weights) < _LARGEST_WEIGHT).all())
    return memory if is_usable else None


def _unbounded(points: FloatArray) -> FloatArray:
    return points
