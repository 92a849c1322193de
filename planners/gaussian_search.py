"""Search in plans by sampling around a mean and moving it, again and again."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from cwm.core.protocols import (
    Context,
    FloatArray,
    WorldModel,
)
from planners.allotment import Allotment
from planners.base import BasePlanner
from planners.colored_noise import colored_noise
from planners.guidance import PriorConfig
from planners.latent import BoxPoints
from planners.planner import Plan
from planners.scoring import (
    Candidate,
    PlanScorer,
    Population,
    best_index,
    better,
)
from planners.simulator import Simulator
from planners.warm_start import WarmStart, begin_from


@dataclass(frozen=True, kw_only=True)
class Gaussian:
    """Independent normal distributions of the numbers of a plan.

    Attributes:
        mean: `[H, D]`.
        std: `[H, D]`.
    """

    mean: FloatArray
    std: FloatArray


Refit: TypeAlias = Callable[[Gaussian, FloatArray, FloatArray], Gaussian]
"""Returns the next distribution from the last, its points and their returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianSearchConfig:
    """What searches that move a mean differ in, other than how they move it.

    Attributes:
        num_iterations: Rounds of sampling at most.
        population: Plans of the first round at most; `None` for what the budget
            allows.
        decay: Each round has that many times fewer plans than the one before.
        min_population: Rather fewer rounds and a shorter look-ahead than fewer plans.
        initial_std: Standard deviation at first, as a share of each element's half
            range; scores of listed actions have 1.
        is_of_largest_bound: Whether `initial_std` is a share of the largest bound of
            all elements instead.
        noise_exponent: Colour of the noise; see `colored_noise`.
        kept_fraction: Share of a round's plans, the best ones, that the next round
            and the next decision roll out again.
        warm_starts: Whether a decision begins with what the last one found.
        adds_mean: Whether the last round rolls out the mean itself, too.
        reserves_mean: Whether the mean after the last round is rolled out.
        patience: Rounds without a gain after which it ends, unless the best plan
            ends in a terminal state; 0 for never.
        min_gain: Smallest rise of the best return that counts as a gain, as a share
            of its size; 0 or more.
        execute: `best`: the best plan of all. `last`: the best of the last round.
            `mean`: the mean after the last round.
    """

    num_iterations: int
    population: int | None
    decay: float = 1.0
    min_population: int
    initial_std: float
    is_of_largest_bound: bool = False
    noise_exponent: float = 0.0
    kept_fraction: float = 0.0
    warm_starts: bool = True
    adds_mean: bool = False
    reserves_mean: bool = False
    patience: int = 0
    min_gain: float = 0.0
    execute: Literal["best", "last", "mean"] = "best"

    def __post_init__(self) -> None:
        for name in ("num_iterations", "min_population"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}."
                )
        if self.population is not None and self.population < 1:
            raise ValueError(f"population must be at least 1, got {self.population}.")
        if self.patience < 0:
            raise ValueError(f"patience must be 0 or more, got {self.patience}.")
        if not 0.0 <= self.min_gain < math.inf:
            raise ValueError(f"min_gain must be 0 or more, got {self.min_gain!r}.")
        if not 1.0 <= self.decay < math.inf:
            raise ValueError(f"decay must be at least 1, got {self.decay!r}.")
        if not 0.0 < self.initial_std < math.inf:
            raise ValueError(f"initial_std must be above 0, got {self.initial_std!r}.")
        if not 0.0 <= self.noise_exponent <= 10.0:
            raise ValueError(
                f"noise_exponent must be in 0 .. 10, got {self.noise_exponent!r}."
            )
        if not 0.0 <= self.kept_fraction < 1.0:
            raise ValueError(
                "The share of plans that are rolled out again must be at least 0 and "
                f"below 1, got {self.kept_fraction!r}."
            )


class GaussianSettings(Protocol):
    """Settings of a planner that moves a mean: how it draws, and how it moves it."""

    @property
    def prior(self) -> PriorConfig:
        """How an action prior bears on it."""
        ...

    def search_config(self) -> GaussianSearchConfig:
        """Returns how plans are drawn."""
        ...

    def refit(self) -> Refit:
        """Returns how the distribution is moved."""
        ...


SettingsT = TypeVar("SettingsT", bound=GaussianSettings)


class GaussianPlanner(BasePlanner[SettingsT]):
    """Draws plans, rolls them out, moves the mean; again; keeps the best."""

    @cached_property
    def _config(self) -> GaussianSearchConfig:
        return self._settings.search_config()

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
        """Returns what to do in a state; see `Planner.plan`."""
        planning = self._planning
        horizon = planning.steps_ahead(steps_left)
        allotment = Allotment(
            horizon=horizon,
            num_iterations=self._config.num_iterations,
            population=self._config.population,
            decay=self._config.decay,
            num_reserved=int(self._config.reserves_mean),
        ).within(planning.max_model_steps, min_population=self._config.min_population)
        simulator = Simulator(model, rng, max_steps=planning.max_model_steps)
        scorer = PlanScorer(
            self._points,
            simulator,
            state,
            discount=planning.discount,
            guidance=self._guidance,
            prior=self._settings.prior,
            context=context,
            is_cut_off=allotment.horizon == steps_left,
        )
        start = None
        if self._config.warm_starts:
            start = begin_from(
                memory,
                horizon=allotment.horizon,
                size=self._points.size,
                steps_left=steps_left,
                context=context,
            )
        shape = (allotment.horizon, self._points.size)
        std = np.broadcast_to(self._initial_std(), shape)
        mean, known = start or (np.zeros(shape), np.zeros((0, *shape)))
        search = GaussianSearch(
            self._config,
            start=Gaussian(mean=mean, std=std),
            within_bounds=self._points.within_bounds,
            scorer=scorer,
            simulator=simulator,
            allotment=allotment,
            refit=self._settings.refit(),
            rng=rng,
        )
        search.run(known)
        return self._plan_of(search, simulator, steps_left, context)

    def _initial_std(self) -> FloatArray:
        share = self._config.initial_std
        if self._config.is_of_largest_bound and isinstance(self._points, BoxPoints):
            return self._points.std_of_largest_bound(share)
        return self._points.initial_std(share)

    def _plan_of(
        self,
        search: "GaussianSearch",
        simulator: Simulator,
        steps_left: int | None,
        context: Context | None,
    ) -> Plan:
        chosen = search.chosen()
        memory = None
        if self._config.warm_starts:
            plans = search.kept
            if not (len(plans) and np.array_equal(plans[0], chosen.point)):
                plans = np.concatenate([chosen.point[np.newaxis], plans])
            memory = WarmStart(
                mean=search.gaussian.mean,
                plans=plans,
                steps_left=steps_left,
                num_done=None if context is None else len(context.actions),
            )
        return Plan(
            actions=chosen.actions,
            predictions=chosen.predictions,
            value=chosen.value,
            num_model_steps=simulator.num_steps,
            num_failures=simulator.num_failures,
            memory=memory,
            statistics=search.statistics(),
        )


class GaussianSearch:
    """One decision's search on its way.

    Points are plans or whatever else the scorer can make something of.

    Args:
        config: How it draws.
        start: The distribution of the first round.
        within_bounds: Moves points to where they are allowed to be.
        scorer: Says what points are worth.
        simulator: What it spends.
        allotment: How it spends it.
        refit: How the distribution is moved.
        rng: Source of all randomness.
    """

    def __init__(
        self,
        config: GaussianSearchConfig,
        *,
        start: Gaussian,
        within_bounds: Callable[[FloatArray], FloatArray],
        scorer: PlanScorer,
        simulator: Simulator,
        allotment: Allotment,
        refit: Refit,
        rng: np.random.Generator,
    ) -> None:
        self._config = config
        self._within_bounds = within_bounds
        self._scorer = scorer
        self._simulator = simulator
        self._allotment = allotment
        self._refit = refit
        self._rng = rng
        self.gaussian = start
        self.kept: FloatArray = np.zeros((0, *start.mean.shape))
        self.populations: list[int] = []
        self.best_returns: list[float] = []
        self.num_failed_plans = 0
        self._best: Candidate | None = None
        self._last: Candidate | None = None
        self._reached = -math.inf
        self._num_stalled = 0

    def run(self, known: FloatArray) -> None:
        """Does all rounds.

        Args:
            known: Points that the first round begins with, `[E, ...]`.
        """
        self.kept = known
        for iteration in range(self._allotment.num_iterations):
            points, returns = self._round(iteration)
            if not len(points):
                break
            self.populations.append(len(points))
            self.kept = self._best_of(points, returns)
            self.gaussian = self._refit(self.gaussian, points, returns)
            if self._is_stalled():
                break
        can_afford = self._simulator.remaining >= self._allotment.horizon
        if self._config.reserves_mean and can_afford:
            mean = self._within_bounds(self.gaussian.mean[np.newaxis])
            self._last = None
            self._rolled_out(mean)

    def _is_stalled(self) -> bool:
        """Returns whether the last rounds have gained nothing."""
        assert self._best is not None, "A round has just been made."
        value = self._best.value
        least = self._reached + self._config.min_gain * abs(self._reached)
        if value > least or not math.isfinite(self._reached):
            self._reached, self._num_stalled = value, 0
        else:
            self._num_stalled += 1
        # Where the best one falls there may be another that does not.
        goes_on = not any(step.terminated for step in self._best.predictions)
        return goes_on and 0 < self._config.patience <= self._num_stalled

    def _round(self, iteration: int) -> tuple[FloatArray, FloatArray]:
        """Returns the points of a round and their returns; none if nothing is left.

        Where plans end early there are more of them.
        """
        allotment, simulator = self._allotment, self._simulator
        steps = allotment.steps_of(iteration, simulator.remaining)
        number = allotment.plans_of(iteration, simulator.remaining)
        first = simulator.num_steps
        known = self._known(number, is_last=iteration == allotment.num_iterations - 1)
        if number > 0:
            self._last = None
        points: list[FloatArray] = []
        returns: list[FloatArray] = []
        num_plans = 0
        while number > 0:
            points.append(self._drawn(number, known))
            returns.append(self._rolled_out(points[-1]).returns)
            known = known[:0]
            num_plans += number
            taken = simulator.num_steps - first
            number = allotment.further_plans(
                steps - taken, simulator.remaining, mean_length=taken / num_plans
            )
        if not points:
            return self.kept[:0], np.zeros(0)
        return _joined(points), _joined(returns)

    def _known(self, number: int, *, is_last: bool) -> FloatArray:
        """Returns the points that a round of so many begins with."""
        known = self.kept
        if is_last and self._allotment.num_iterations > 1 and self._config.adds_mean:
            known = np.concatenate([self.gaussian.mean[np.newaxis], known])
        return known[: max(1, number // 2)]

    def _drawn(self, number: int, known: FloatArray) -> FloatArray:
        """Returns that many points: the known ones, and new ones."""
        drawn = colored_noise(
            self._rng,
            number=number - len(known),
            horizon=self.gaussian.mean.shape[0],
            size=self.gaussian.mean.shape[1],
            exponent=self._config.noise_exponent,
        )
        drawn *= self.gaussian.std
        drawn += self.gaussian.mean
        if len(known):
            drawn = np.concatenate([known, drawn])
        return self._within_bounds(drawn)

    def _rolled_out(self, points: FloatArray) -> Population:
        population = self._scorer.score(points)
        found = self._scorer.candidate(population, best_index(population))
        self._last = better(found, self._last)
        self._best = better(found, self._best)
        self.best_returns.append(found.value)
        self.num_failed_plans += int(np.isnan(population.returns).sum())
        return population

    def _best_of(self, points: FloatArray, returns: FloatArray) -> FloatArray:
        """Returns the points that the next round rolls out again."""
        if self._config.kept_fraction == 0.0:
            return points[:0]
        number = max(1, round(self._config.kept_fraction * len(points)))
        return points[elites(returns, number)]

    def statistics(self) -> dict[str, Any]:
        """Returns figures of the search, by name."""
        return {
            "populations": tuple(self.populations),
            "best_returns": tuple(self.best_returns),
            "num_failed_plans": self.num_failed_plans,
            "all_failed": math.isnan(self.chosen().value),
            "mean_std": float(self.gaussian.std.mean()),
        }

    def chosen(self) -> Candidate:
        """Returns the plan to execute."""
        assert self._best is not None, "Each search has at least 1 round of 1 plan."
        assert self._last is not None, "As the line above says."
        is_settled = self._config.execute == "best" or math.isnan(self._last.value)
        return self._best if is_settled else self._last


def elites(returns: FloatArray, number: int) -> NDArray[np.intp]:
    """Returns the indices of the highest returns, the best first.

    Fewer if there are no more: a plan without a return is never one. Of equal ones
    the first are taken.
    """
    order = np.argsort(-returns, kind="stable")  # NaN comes last.
    num_valid = int(np.count_nonzero(~np.isnan(returns)))
    return order[: min(number, num_valid)]


def _joined(parts: list[FloatArray]) -> FloatArray:
    """Returns arrays one after another; one by itself is not copied."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
