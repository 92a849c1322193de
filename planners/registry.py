"""The planners by name, and their settings."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeAlias

import msgspec

from cwm.core.protocols import ActionPrior, ValueFunction
from cwm.core.spaces import BoxSpec, SpaceSpec
from planners.beam import BeamPlanner
from planners.beam_config import BeamConfig
from planners.cem import CEM_PAPER, CEM_PAPER_PLANNING, CEMConfig, CEMPlanner
from planners.exhaustive import ExhaustiveConfig, ExhaustivePlanner
from planners.feedback import FeedbackConfig, FeedbackPlanner
from planners.icem import ICEMConfig, ICEMPlanner
from planners.mcts import MctsPlanner
from planners.mcts_config import PAPER_DISCOUNT, MctsConfig
from planners.mppi import MPPIConfig, MPPIPlanner
from planners.planner import Planner, PlanningConfig
from planners.policy import PolicyConfig, PolicyPlanner
from planners.random import RandomConfig, RandomPlanner
from planners.random_shooting import RandomShootingConfig, RandomShootingPlanner

PresetName: TypeAlias = Literal["default", "paper"]
"""Settings to start from; `paper` is that of Dainese et al. (2024)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerSettings:
    """Settings of every planner, of which each reads its own.

    Attributes:
        random_shooting: Settings of random-shooting.
        cem: Settings of cem.
        icem: Settings of icem.
        mppi: Settings of mppi.
        mcts: Settings of mcts.
        feedback: Settings of feedback.
        beam: Settings of beam.
        exhaustive: Settings of exhaustive.
        policy: Settings of policy.
    """

    random_shooting: RandomShootingConfig = field(default_factory=RandomShootingConfig)
    cem: CEMConfig = field(default_factory=CEMConfig)
    icem: ICEMConfig = field(default_factory=ICEMConfig)
    mppi: MPPIConfig = field(default_factory=MPPIConfig)
    mcts: MctsConfig = field(default_factory=MctsConfig)
    feedback: FeedbackConfig = field(default_factory=FeedbackConfig)
    beam: BeamConfig = field(default_factory=BeamConfig)
    exhaustive: ExhaustiveConfig = field(default_factory=ExhaustiveConfig)
    policy: PolicyConfig = field(default_factory=PolicyConfig)


NEAR_PLANNING = PlanningConfig(horizon=25, max_model_steps=2_000)
"""For planners that decide anew at each step by drawing plans.

Long random plans lose a balanced pole, and then all that can be compared is when.
Goals far away need more: a horizon of 150, a discount of 0.97 and 5,000 steps.
"""

PRESETS: dict[PresetName, PlannerSettings] = {
    "default": PlannerSettings(),
    "paper": PlannerSettings(cem=CEM_PAPER, mcts=MctsConfig.paper()),
}
"""Named settings; the paper has no other planners than those two."""


@dataclass(frozen=True, kw_only=True)
class PlannerSpec:
    """A planner that can be made.

    Attributes:
        make: Makes it: space of the actions, `PlanningConfig`, the settings of all
            planners, prior and value.
        planning: How far it looks, and what a decision may take, by default.
        paper: The same under the preset `paper`, for the planners that the paper has.
        needs_prior: Whether it does nothing without a prior.
        uses_value: Whether it looks ahead, so that a value matters to it.
    """

    make: Callable[
        [
            SpaceSpec,
            PlanningConfig,
            PlannerSettings,
            ActionPrior | None,
            ValueFunction | None,
        ],
        Planner,
    ]
    planning: PlanningConfig = field(default_factory=PlanningConfig)
    paper: PlanningConfig | None = None
    needs_prior: bool = False
    uses_value: bool = True


PLANNERS: dict[str, PlannerSpec] = {
    "random": PlannerSpec(
        make=lambda space, planning, settings, prior, value: RandomPlanner(
            space, planning, RandomConfig(), prior=prior, value=value
        ),
        uses_value=False,
    ),
    "random-shooting": PlannerSpec(
        make=lambda space, planning, settings, prior, value: RandomShootingPlanner(
            space, planning, settings.random_shooting, prior=prior, value=value
        )
    ),
    "cem": PlannerSpec(
        make=lambda space, planning, settings, prior, value: CEMPlanner(
            space, planning, settings.cem, prior=prior, value=value
        ),
        planning=NEAR_PLANNING,
        paper=CEM_PAPER_PLANNING,
    ),
    "icem": PlannerSpec(
        make=lambda space, planning, settings, prior, value: ICEMPlanner(
            space, planning, settings.icem, prior=prior, value=value
        ),
        planning=NEAR_PLANNING,
    ),
    "mppi": PlannerSpec(
        make=lambda space, planning, settings, prior, value: MPPIPlanner(
            space, planning, settings.mppi, prior=prior, value=value
        ),
        planning=NEAR_PLANNING,
    ),
    "feedback": PlannerSpec(
        make=lambda space, planning, settings, prior, value: FeedbackPlanner(
            space, planning, settings.feedback, prior=prior, value=value
        ),
        planning=PlanningConfig(horizon=50, max_model_steps=60_000),
    ),
    "mcts": PlannerSpec(
        make=lambda space, planning, settings, prior, value: MctsPlanner(
            space, planning, settings.mcts, prior=prior, value=value
        ),
        planning=PlanningConfig(discount=PAPER_DISCOUNT, max_model_steps=4_000),
        # 25 simulations of a step and a rollout; the root is not rolled out.
        paper=PlanningConfig(
            horizon=1_000, discount=PAPER_DISCOUNT, max_model_steps=25 * 1_101
        ),
    ),
    "beam": PlannerSpec(
        make=lambda space, planning, settings, prior, value: BeamPlanner(
            space, planning, settings.beam, prior=prior, value=value
        ),
        planning=PlanningConfig(horizon=250, max_model_steps=20_000),
    ),
    "exhaustive": PlannerSpec(
        make=lambda space, planning, settings, prior, value: ExhaustivePlanner(
            space, planning, settings.exhaustive, prior=prior, value=value
        ),
        planning=PlanningConfig(horizon=8),
    ),
    "policy": PlannerSpec(
        make=lambda space, planning, settings, prior, value: PolicyPlanner(
            space, planning, settings.policy, prior=prior, value=value
        ),
        needs_prior=True,
        uses_value=False,
    ),
}
"""Every planner; `exhaustive` is for tests and tiny problems."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerConfig:
    """Which planner, and its settings.

    Attributes:
        name: Its name in `PLANNERS`.
        preset: Settings to start from.
        horizon: Steps that a plan looks ahead at most; `None` for the planner's own.
        discount: Weight of the next reward, in `(0, 1]`; likewise.
        model_steps: Steps of the model that one decision may take; likewise.
        settings: In place of the preset's.
    """

    name: str
    preset: PresetName = "default"
    horizon: int | None = None
    discount: float | None = None
    model_steps: int | None = None
    settings: PlannerSettings | None = None

    def __post_init__(self) -> None:
        if self.name not in PLANNERS:
            near = difflib.get_close_matches(self.name, PLANNERS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"No planner called {self.name!r}.{hint} Known: {', '.join(PLANNERS)}."
            )
        if self.preset not in PRESETS:
            raise ValueError(
                f"preset must be one of {', '.join(PRESETS)}, got {self.preset!r}."
            )
        if self.preset == "paper" and PLANNERS[self.name].paper is None:
            known = [name for name, spec in PLANNERS.items() if spec.paper is not None]
            raise ValueError(
                f"The preset 'paper' has the planners {' and '.join(known)}, got "
                f"{self.name!r}."
            )
        self.planning()

    def planning(self) -> PlanningConfig:
        """Returns how far the planner looks, and what it may spend.

        Raises:
            ValueError: If a setting breaks its rule.
        """
        spec = PLANNERS[self.name]
        found = spec.planning
        if self.preset == "paper" and spec.paper is not None:
            found = spec.paper
        if self.horizon is not None:
            found = replace(found, horizon=self.horizon)
        if self.discount is not None:
            found = replace(found, discount=self.discount)
        if self.model_steps is not None:
            found = replace(found, max_model_steps=self.model_steps)
        return found


def default_planner(
    action_space: SpaceSpec, *, is_stochastic: bool = False, name: str | None = None
) -> PlannerConfig:
    """Returns the settings of a planner that suits an environment.

    That is icem for real-valued actions, mcts where outcomes vary, and beam otherwise:
    it finds goals that are far away, and merges states that were reached twice.

    Args:
        action_space: Space of the actions.
        is_stochastic: Whether outcomes vary.
        name: The planner, if it is known.

    Raises:
        ValueError: If there is no such planner.
    """
    if name is None:
        listed = "mcts" if is_stochastic else "beam"
        name = "icem" if isinstance(action_space, BoxSpec) else listed
    return PlannerConfig(name=name)


def new_planner(
    config: PlannerConfig,
    action_space: SpaceSpec,
    *,
    prior: ActionPrior | None = None,
    value: ValueFunction | None = None,
) -> Planner:
    """Returns a planner.

    Args:
        config: Which one, and its settings.
        action_space: Space of the actions.
        prior: How probable actions are, for planners of finitely many actions.
        value: What is still to come where a plan is not looked at further; its
            discount must be the planner's.

    Raises:
        ValueError: If the planner cannot work on the space, or with the prior or the
            value.
    """
    settings = config.settings or PRESETS[config.preset]
    spec = PLANNERS[config.name]
    return spec.make(action_space, config.planning(), settings, prior, value)


def planner_config_to_json(config: PlannerConfig) -> dict[str, Any]:
    """Returns the settings as plain data; `planner_config_from_json` is its inverse."""
    return asdict(config)


def planner_config_from_json(data: Mapping[str, Any]) -> PlannerConfig:
    """Returns the settings that `planner_config_to_json` wrote.

    Raises:
        ValueError: If they are not of that form.
    """
    try:
        return msgspec.convert(dict(data), PlannerConfig)
    except msgspec.ValidationError as error:
        raise ValueError(f"Settings of a planner must be its own: {error}.") from error
