"""Settings of hypothesis induction, and the published ones by their names."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, TypeAlias

import tyro

from cwm.core.errors import ConfigError
from cwm.execution.options import shown_as

Method: TypeAlias = Literal["metropolis", "metropolis-hastings", "importance"]
"""How hypotheses are drawn: by Metropolis steps as if the scientist drew symmetrically,
by Metropolis-Hastings steps with its probabilities, or independently, with weights."""

ExperimenterName: TypeAlias = Literal[
    "random", "hardest", "curriculum", "ideal", "all", "llm", "curious", "agent"
]

RewardName: TypeAlias = Literal["logp", "alp", "alpexp", "alpll", "count"]
"""What a curious experimenter is rewarded for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceConfig:
    """How hypotheses are found.

    Attributes:
        method: metropolis takes the scientist's draws for symmetric, as published;
            metropolis-hastings weighs them by its probabilities; importance draws them
            independently of each other and resamples.
        phases: Times that the experimenter acts, after a first time without
            hypotheses; at least 0. With 0, first hypotheses are scored only.
        iterations: Steps of every chain in a phase; at least 1.
        chains: Independent chains of hypotheses; at least 1.
        trajectories: Trajectories that a scripted experimenter brings each time; at
            least 1.
        subset: Of these, how many at the end of the list are looked at; at least 1.
        trajectory_steps: Steps of each that are looked at, from its beginning; by
            default all.
        worst: Trajectories shown again to the scientist, those that the present
            hypothesis explains worst; at least 0.
        worst_by: Whether the log-likelihood of a trajectory is summed, as published,
            or divided by its length, when the worst are chosen.
        picks: Whether importance goes on from hypotheses that are resampled by their
            weights, or from the likeliest one, as published.
        draws: Whether chains accept by a random number of their own, or all by the
            same one, as published.
        likelihood_temperature: Divides the log-likelihood; above 0. Above 1, worse
            hypotheses are accepted more often.
        length_penalty: Log-probability, in nats, that the prior takes away for each
            word of a hypothesis; at least 0, where 0 is the published flat prior.
        max_tokens: Longest hypothesis, in tokens; at least 1.
    """

    method: Method = "metropolis"
    phases: int = 10
    iterations: int = 3
    chains: int = 1
    trajectories: int = 6
    subset: int = 5
    trajectory_steps: Annotated[int | None, shown_as("INT")] = None
    worst: int = 1
    worst_by: Literal["total", "mean"] = "mean"
    picks: Literal["resampled", "likeliest"] = "resampled"
    draws: Literal["own", "shared"] = "own"
    likelihood_temperature: float = 1.0
    length_penalty: float = 0.0
    max_tokens: int = 96

    @property
    def needs_proposal_probs(self) -> bool:
        """Whether the probability of a proposal plays a part."""
        if self.method == "importance":
            return self.picks == "resampled"
        return self.method == "metropolis-hastings"

    def __post_init__(self) -> None:
        lowest = {
            **{"phases": 0, "iterations": 1, "chains": 1, "trajectories": 1},
            **{"subset": 1, "worst": 0, "max_tokens": 1},
        }
        for name, low in lowest.items():
            if getattr(self, name) < low:
                raise ConfigError(
                    f"{name} must be at least {low}, got {getattr(self, name)}."
                )
        if self.trajectory_steps is not None and self.trajectory_steps < 1:
            raise ConfigError(
                "trajectory_steps must be at least 1 or not given, got "
                f"{self.trajectory_steps}."
            )
        if not 0.0 < self.likelihood_temperature < math.inf:
            raise ConfigError(
                "likelihood_temperature must be positive and finite, got "
                f"{self.likelihood_temperature!r}."
            )
        if not 0.0 <= self.length_penalty < math.inf:
            raise ConfigError(
                "length_penalty must be at least 0 and finite, got "
                f"{self.length_penalty!r}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CuriosityConfig:
    """How a curious experimenter learns: masked PPO, rewarded for what it finds out.

    The defaults are small enough for a processor; `PUBLISHED_CURIOSITY` has the
    original's.

    Attributes:
        reward: logp: how improbable a change was; alp: how much its log-probability
            has changed since the last phase; alpexp: the same, mixed with its moving
            average for the type of the transition; alpll: product of logp and alp;
            count: a fixed number for each type, divided by how often it was met.
        num_envs: Environments that are acted in side by side; at least 1.
        num_steps: Steps in each of them in a phase; at least 2.
        num_epochs: Passes over them in one update; at least 1.
        batch_size: Transitions of one gradient step; at least 2.
        learning_rate: Of Adam; above 0.
        discount: Weight of the next reward, above 0 and at most 1.
        gae_lambda: Of generalised advantage estimation, from 0 to 1.
        clip_range: Of the ratio of probabilities; above 0.
        entropy_weight: Of the entropy in the loss; at least 0.
        value_weight: Of the value function in the loss; at least 0.
        max_grad_norm: Above 0.
        hidden_sizes: Widths of the layers of policy and value function.
        smoothing: Weight of the moving average in alpexp, from 0 to 1.
        count_exponent: Of the counts in count; at least 0.
        time_limit: Whether an episode that the time limit cuts off would have gone on,
            and been worth what the value function says (cuts), or is over like any
            other (ends), as published.
    """

    reward: RewardName = "alp"
    num_envs: int = 4
    num_steps: int = 60
    num_epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 5e-4
    discount: float = 0.99
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    entropy_weight: float = 0.01
    value_weight: float = 0.5
    max_grad_norm: float = 0.5
    hidden_sizes: tuple[int, ...] = (64, 64)
    smoothing: float = 0.6
    count_exponent: float = 1.0
    time_limit: Literal["cuts", "ends"] = "cuts"

    def __post_init__(self) -> None:
        for name, low in (
            *(("num_envs", 1), ("num_steps", 2), ("num_epochs", 1)),
            *(("batch_size", 2), ("entropy_weight", 0.0), ("value_weight", 0.0)),
            ("count_exponent", 0.0),
        ):
            if not low <= getattr(self, name) < math.inf:
                raise ConfigError(
                    f"{name} must be at least {low}, got {getattr(self, name)!r}."
                )
        for name in ("learning_rate", "discount", "clip_range", "max_grad_norm"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ConfigError(
                    f"{name} must be above 0, got {getattr(self, name)!r}."
                )
        for name in ("discount", "gae_lambda", "smoothing"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(
                    f"{name} must be from 0 to 1, got {getattr(self, name)!r}."
                )
        if any(width < 1 for width in self.hidden_sizes):
            raise ConfigError(
                f"hidden_sizes must be at least 1 each, got {self.hidden_sizes}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class InductionConfig:
    """What is induced, from whose data.

    Attributes:
        env: Environment: playground, playground-reworded or door.
        experimenter: Who acts: random actions; the scripted oracles hardest (the whole
            goal), curriculum (from easy to hard) and ideal (a mixture); all (every
            object of the door); llm (a language model); curious (a policy that learns
            from the curiosity rewards; needs the extra [rl]); agent (one that cwm.ppo
            has trained in BabyAI; it does not learn here).
        agent: For experimenter agent: folder of a run of cwm.ppo train whose policy
            is made of the scores of words. It acts as it does at the time: trained on
            between a run and its continuation, it goes on otherwise.
        inference: How hypotheses are found.
        curiosity: How the curious experimenter learns.
        first: Hypothesis to begin from, one for each chain; if none is given, the
            scientist begins. An empty text is no hypothesis.
    """

    env: Annotated[str, shown_as("ID")] = "playground"
    experimenter: ExperimenterName = "ideal"
    agent: Annotated[str | None, shown_as("RUN")] = None
    inference: Annotated[InferenceConfig, tyro.conf.arg(name="")] = field(
        default_factory=InferenceConfig
    )
    curiosity: CuriosityConfig = field(default_factory=CuriosityConfig)
    first: Annotated[tuple[str, ...], tyro.conf.arg(metavar="TEXT")] = ()

    def __post_init__(self) -> None:
        if self.experimenter == "agent" and self.agent is None:
            raise ConfigError(
                "experimenter agent needs agent: name a run of cwm.ppo train with "
                "--agent RUN."
            )
        if self.experimenter != "agent" and self.agent is not None:
            raise ConfigError(
                f"agent is for experimenter agent, got experimenter "
                f"{self.experimenter}."
            )
        inference = self.inference
        # The others bring as many as they do.
        is_told = self.experimenter not in ("all", "curious")
        if is_told and inference.subset > inference.trajectories:
            raise ConfigError(
                "subset must be at most trajectories, got "
                f"{inference.subset} of {inference.trajectories}."
            )
        if self.first and len(self.first) != self.inference.chains:
            raise ConfigError(
                f"first must have one hypothesis for each of the "
                f"{self.inference.chains} chains, got {len(self.first)}."
            )


PUBLISHED_INFERENCE = InferenceConfig(
    phases=400,
    iterations=5,
    worst=0,
    worst_by="total",
    picks="likeliest",
    draws="shared",
    max_tokens=200,
)
"""As in the published configuration files."""

PUBLISHED_CURIOSITY = CuriosityConfig(
    num_envs=15, num_steps=240, smoothing=0.0, time_limit="ends"
)
"""As in the published configuration files."""


def _published(
    experimenter: ExperimenterName,
    *,
    env: str = "playground",
    reward: RewardName = "alp",
    smoothing: float = 0.0,
    method: Method = "metropolis",
    trajectories: int = PUBLISHED_INFERENCE.trajectories,
    subset: int = PUBLISHED_INFERENCE.subset,
) -> InductionConfig:
    return InductionConfig(
        env=env,
        experimenter=experimenter,
        inference=replace(
            PUBLISHED_INFERENCE,
            method=method,
            trajectories=trajectories,
            subset=subset,
        ),
        curiosity=replace(PUBLISHED_CURIOSITY, reward=reward, smoothing=smoothing),
    )


PRESETS: Mapping[str, InductionConfig] = {
    "default": InductionConfig(),
    # The published runs say in their names that 3 worst trajectories were shown; the
    # published configuration files leave them out.
    "reference": InductionConfig(
        inference=replace(PUBLISHED_INFERENCE, worst=3), curiosity=PUBLISHED_CURIOSITY
    ),
    "door_is_rb": _published("random", env="door", method="importance"),
    "door_metropolis_llm": _published("llm", env="door"),
    "door_metropolis_pb": _published("all", env="door", trajectories=27, subset=27),
    "door_metropolis_rb": _published("random", env="door"),
    "play_is_cp": _published("curriculum", method="importance"),
    "play_metropolis_alp": _published("curious"),
    "play_metropolis_alpexp": _published("curious", reward="alpexp", smoothing=0.6),
    "play_metropolis_alpll": _published("curious", reward="alpll"),
    "play_metropolis_cp": _published("curriculum"),
    "play_metropolis_custom": _published("curious", reward="count"),
    "play_metropolis_db": _published("ideal"),
    "play_metropolis_ll": _published("curious", reward="logp"),
    "play_metropolis_llm": _published("llm"),
    "play_metropolis_pb": _published("hardest"),
    "play_metropolis_rb": _published("random"),
    "play_score_testset": InductionConfig(
        experimenter="hardest",
        inference=replace(PUBLISHED_INFERENCE, phases=0),
        first=("",),
    ),
}
"""Settings by name; those with an underscore have the names of the original's files."""
