"""Acting in the real environment by the plans of a world model."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from cwm.core.protocols import Context, StepResult
from cwm.core.seeding import child_rng
from cwm.core.spaces import Value
from cwm.core.trajectories import Trajectory, Transition, make_trajectory
from cwm.evaluation.decisions import (
    Decider,
    Decision,
    EvaluatorUse,
    PredictingDecider,
    Situation,
)
from cwm.evaluation.guard import PredictionError, PredictionJudge
from envs.actions import ActionSource
from envs.declared import instruction_of, legal_actions_of
from envs.snapshots import EnvStep, SnapshotEnv
from envs.spaces import to_gymnasium, to_value
from envs.spec import EnvSpec

DEFAULT_MAX_STEPS = 1_000
"""Where an episode is cut off whose environment has no time limit."""

StateOf: TypeAlias = Callable[[SnapshotEnv, Value], Any]
"""`(acting environment, what it shows) -> state` of a model that is it."""

OnStep: TypeAlias = Callable[[int, int, float], None]
"""Is told `(episode, steps taken, return so far)` after each step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingConfig:
    """How plans are carried out.

    Attributes:
        max_steps: Steps after which an episode is cut off; None for the time limit of
            the environment, or 1,000 if it has none.
        execute_steps: Actions of a plan to execute at most before planning again;
            None for all of them.
        replan_error: Prediction error that ends a plan early when it is exceeded, in
            standard deviations of an element's usual change in one step; 1 for a
            wrong integer or a wrong end. inf follows plans blindly to their end;
            otherwise what a plan did not predict ends it, too.
    """

    max_steps: int | None = None
    execute_steps: int | None = None
    replan_error: float = 0.1

    def __post_init__(self) -> None:
        for name in ("max_steps", "execute_steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value} (steps).")
        if not self.replan_error >= 0.0:
            raise ValueError(
                f"replan_error must be at least 0, got {self.replan_error!r}."
            )

    def limit(self, spec: EnvSpec) -> int:
        """Returns after how many steps episodes of an environment are cut off."""
        limits = [
            found
            for found in (self.max_steps, spec.max_episode_steps)
            if found is not None
        ]
        return min(limits, default=DEFAULT_MAX_STEPS)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One real step, and what was thought before it.

    Attributes:
        reward: The real reward.
        decision_s: Seconds that the decision took; `None` where an earlier plan was
            followed, or nothing was decided.
        model_steps: Steps of the model that the decision took.
        model_failures: Times that the model had no answer meanwhile.
        failure: Why there was no plan, so that a random action was taken; else empty.
        error: How wrong the plan's prediction was, which is made from predicted states
            after the plan's first step; `None` if there was none.
        diverged: Whether that was more than is allowed, so that the rest of a plan
            was given up.
        wrong: Parts that the model gets wrong when it is asked again, from what was
            really seen; `None` without a model.
        evaluator_use: How the decision used a prior and a value; `None` without them,
            or where an earlier plan was followed.
    """

    reward: float
    decision_s: float | None = None
    model_steps: int = 0
    model_failures: int = 0
    failure: str = ""
    error: PredictionError | None = None
    diverged: bool = False
    wrong: tuple[str, ...] | None = None
    evaluator_use: EvaluatorUse | None = None


@dataclass(frozen=True, kw_only=True)
class EpisodeResult:
    """One episode.

    Attributes:
        index: Which one it is, from 0.
        seed: Seed of the environment's reset, and of all decisions.
        steps: What happened; at least 1.
        trajectory: The real transitions.
    """

    index: int
    seed: int
    steps: tuple[StepRecord, ...]
    trajectory: Trajectory

    @property
    def episode_return(self) -> float:
        """Sum of the rewards."""
        return math.fsum(step.reward for step in self.steps)

    @property
    def terminated(self) -> bool:
        """Whether it ended in a terminal state."""
        return bool(self.trajectory.terminated[-1])

    @property
    def num_decisions(self) -> int:
        """How often a plan was asked for."""
        return sum(step.decision_s is not None for step in self.steps)

    @property
    def num_failures(self) -> int:
        """How often there was none."""
        return sum(bool(step.failure) for step in self.steps)

    @property
    def num_replans(self) -> int:
        """How often a plan was given up because its prediction did not come true."""
        return sum(step.diverged for step in self.steps)

    def to_json(self) -> dict[str, Any]:
        """Returns the episode as plain data, one list for each thing about steps."""
        steps = self.steps
        errors = [step.error for step in steps]
        found: dict[str, Any] = {
            "episode": self.index,
            "seed": self.seed,
            "return": self.episode_return,
            "num_steps": len(steps),
            "terminated": self.terminated,
            "truncated": bool(self.trajectory.truncated[-1]),
            "num_decisions": self.num_decisions,
            "num_replans": self.num_replans,
            "num_failures": self.num_failures,
            "rewards": [step.reward for step in steps],
            "decision_ms": [
                None if step.decision_s is None else round(1e3 * step.decision_s, 3)
                for step in steps
            ],
            "model_steps": [step.model_steps for step in steps],
            "model_failures": sum(step.model_failures for step in steps),
            "failures": {
                str(time): step.failure
                for time, step in enumerate(steps)
                if step.failure
            },
            "prediction_error": [None if e is None else e.size for e in errors],
            "wrong_parts": {
                str(time): list(step.wrong)
                for time, step in enumerate(steps)
                if step.wrong
            },
            "replanned_after": [t for t, step in enumerate(steps) if step.diverged],
        }
        uses = [step.evaluator_use for step in steps]
        if any(use is not None for use in uses):
            for name in EvaluatorUse._fields:
                found[f"evaluator_{name}"] = [
                    None if use is None else getattr(use, name) for use in uses
                ]
        return found


@dataclass(slots=True)
class _Pursuit:
    """A plan that is being carried out.

    Attributes:
        actions: What is left to do.
        predictions: What is predicted of it, as far as anything is.
    """

    actions: list[Value]
    predictions: list[StepResult]


class Actor:
    """Runs episodes of a real environment by what a decider says.

    Args:
        spec: The environment.
        env: The instance to act in.
        decider: Who decides; `None` for random legal actions.
        judge: Compares predictions with what happens.
        config: How plans are carried out.
        state_of: Where a model that is the environment itself starts from; `None`
            for models that start from observations.
        policy: What trajectories say about who chose the actions.
    """

    def __init__(
        self,
        spec: EnvSpec,
        env: SnapshotEnv,
        decider: Decider | None,
        *,
        judge: PredictionJudge,
        config: ActingConfig,
        state_of: StateOf | None = None,
        policy: str = "planner",
    ) -> None:
        self._spec = spec
        self._env = env
        self._decider = decider
        self._judge = judge
        self._config = config
        self._state_of = state_of
        self._policy = policy
        self._actions = ActionSource(spec.action_space)

    def run(
        self, index: int, seed: int, *, on_step: OnStep | None = None
    ) -> EpisodeResult:
        """Returns one episode.

        Args:
            index: Which one it is.
            seed: Of the environment's reset, and of all decisions.
            on_step: Is told of each step.

        Raises:
            DataError: If the environment raises or leaves its spaces.
            SandboxUnavailable: If programs cannot be run at all.
        """
        space, limit = self._spec.observation_space, self._config.limit(self._spec)
        shown = to_value(space, self._env.reset(seed))
        instruction = instruction_of(self._env.env)
        context = Context(instruction=instruction or "", observations=(shown,))
        if self._decider is not None:
            self._decider.begin(seed)
        pursuit = _Pursuit([], [])
        keeps_plan = False
        records: list[StepRecord] = []
        transitions: list[Transition] = []
        total = 0.0
        is_over = False
        while not is_over:
            time = len(records)
            record = StepRecord(reward=0.0)
            if not pursuit.actions and self._decider is not None:
                decision = self._decide(context, time, limit - time, keeps_plan)
                pursuit, record = self._pursuit(decision), _decided(decision)
                keeps_plan = True
            if pursuit.actions:
                action = pursuit.actions.pop(0)
            else:
                action = self._random_action(seed, time)
                keeps_plan = False
            step = self._env.step(to_gymnasium(self._spec.action_space, action))
            transition = self._transition(context, action, step, time + 1 >= limit)
            records.append(self._judged(record, pursuit, transition))
            transitions.append(transition)
            context = context.then(action, transition.next_observation)
            total += transition.reward
            is_over = transition.terminated or transition.truncated
            if on_step is not None:
                on_step(index, len(records), total)
        trajectory = make_trajectory(
            transitions,
            observation_space=space,
            action_space=self._spec.action_space,
            policy=self._policy,
            seed=seed,
            instruction=instruction,
        )
        steps = tuple(
            replace(record, wrong=wrong)
            for record, wrong in zip(records, self._wrong(transitions), strict=True)
        )
        return EpisodeResult(index=index, seed=seed, steps=steps, trajectory=trajectory)

    def _wrong(
        self, transitions: Sequence[Transition]
    ) -> Sequence[tuple[str, ...] | None]:
        """Returns what the model gets wrong of each step, asked from the real one."""
        if self._state_of is not None:
            # The environment itself: nothing to compare it with.
            return [()] * len(transitions)
        if not isinstance(self._decider, PredictingDecider):
            return [None] * len(transitions)
        predictions = self._decider.predict_steps(
            [transition.observation for transition in transitions],
            [transition.action for transition in transitions],
        )
        return self._judge.wrong_parts(predictions, transitions)

    def try_decision(self, seed: int) -> Decision:
        """Returns the first decision of an episode that goes no further.

        Raises:
            DataError: If the environment raises or leaves its spaces.
            SandboxUnavailable: If programs cannot be run at all.
        """
        assert self._decider is not None, "asked only where somebody decides"
        shown = to_value(self._spec.observation_space, self._env.reset(seed))
        context = Context(
            instruction=instruction_of(self._env.env) or "", observations=(shown,)
        )
        self._decider.begin(seed)
        return self._decide(context, 0, self._config.limit(self._spec), False)

    def _decide(
        self, context: Context, time: int, steps_left: int, keeps_plan: bool
    ) -> Decision:
        assert self._decider is not None, "asked only where somebody decides"
        shown = context.observations[-1]
        state = None if self._state_of is None else self._state_of(self._env, shown)
        situation = Situation(
            observation=shown,
            state=state,
            step=time,
            steps_left=steps_left,
            context=context,
        )
        return self._decider.decide(situation, keeps_plan=keeps_plan)

    def _pursuit(self, decision: Decision) -> _Pursuit:
        """Returns what to do before deciding again."""
        if decision.plan is None:
            return _Pursuit([], [])
        plan = decision.plan
        stop = self._config.execute_steps
        return _Pursuit(list(plan.actions[:stop]), list(plan.predictions[:stop]))

    def _random_action(self, seed: int, time: int) -> Value:
        rng = child_rng(seed, "random action", time)
        legal = legal_actions_of(self._env.env)
        if legal:
            return legal[int(rng.integers(len(legal)))]
        return self._actions.uniform(rng)

    def _transition(
        self, context: Context, action: Value, step: EnvStep, is_last: bool
    ) -> Transition:
        following = to_value(self._spec.observation_space, step.observation)
        return Transition(
            observation=context.observations[-1],
            action=action,
            next_observation=following,
            reward=step.reward,
            terminated=step.terminated,
            truncated=step.truncated or (is_last and not step.terminated),
        )

    def _judged(
        self, record: StepRecord, pursuit: _Pursuit, real: Transition
    ) -> StepRecord:
        """Returns the record of a step; ends a plan that went wrong."""
        record = replace(record, reward=real.reward)
        if not pursuit.predictions:
            if math.isfinite(self._config.replan_error):
                pursuit.actions.clear()
            return record
        error = self._judge.judge(pursuit.predictions.pop(0), real)
        is_too_far = error.size > self._config.replan_error
        is_over = real.terminated or real.truncated
        diverged = is_too_far and bool(pursuit.actions) and not is_over
        if is_too_far:
            pursuit.actions.clear()
            pursuit.predictions.clear()
        return replace(record, error=error, diverged=diverged)


def _decided(decision: Decision) -> StepRecord:
    plan = decision.plan
    return StepRecord(
        reward=0.0,
        decision_s=decision.seconds,
        model_steps=0 if plan is None else plan.num_model_steps,
        model_failures=0 if plan is None else plan.num_failures,
        failure="" if plan is not None else decision.failure or "no plan",
        evaluator_use=decision.evaluator_use,
    )
