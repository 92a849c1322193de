"""The suite `providers`: all kinds of world models and priors in the same environments.

One environment of each family that some provider was made for. Each has one planner
and one budget, whatever the provider.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cwm.suites.benchmark_task import BenchmarkTask
from envs.collect import CollectConfig
from planners.mcts_config import MctsConfig
from planners.registry import PlannerConfig, PlannerSettings

SUITE = "providers"

PLAYGROUND, BABYAI, TWC = "playground", "babyai", "twc"

DISCOUNT = 0.99
"""That of the values that agents learn, so that one planner does for all rows."""

SIMULATIONS, ROLLOUT_STEPS = 8, 10
"""Of a decision: few enough for priors and models to make a difference."""


@dataclass(frozen=True, kw_only=True)
class ProviderTask(BenchmarkTask):
    """An environment with what the kinds of providers need to know of it.

    Attributes:
        words: Id of the environment that tells the same in words, for rules in words;
            empty for none.
        learned_in: Id of the level in words in which an agent learns; empty where the
            agent learns elsewhere or not at all.
        absent: Provider -> why there is none of it.
        expert: Name of who knows the way.
    """

    words: str = ""
    learned_in: str = ""
    absent: Mapping[str, str] = field(default_factory=dict)
    expert: str

    @property
    def env_in_words(self) -> str:
        """The environment in which rules in words are induced."""
        return self.words or self.env


def budgeted(task: ProviderTask, simulations: int, rollout_steps: int) -> ProviderTask:
    """Returns the task with a tree search of so many simulations a decision."""
    mcts = MctsConfig(num_simulations=simulations, rollout_steps=rollout_steps)
    settings = PlannerSettings(mcts=mcts)
    planner = PlannerConfig(name="mcts", discount=DISCOUNT, settings=settings)
    return replace(task, planner=planner)


def provider_tasks() -> tuple[ProviderTask, ...]:
    """Returns the environments: the Playground, a level of BabyAI, a text game."""
    found = (
        ProviderTask(
            name=PLAYGROUND,
            suite=SUITE,
            env="cwm/PlaygroundSymbolic-v0",
            # The whole goal is too far away for a search.
            env_kwargs={"reward": "growth"},
            words="cwm/Playground-v0",
            expert="oracle",
            notes="1 for each object that grows; success is the whole goal.",
        ),
        ProviderTask(
            name=BABYAI,
            suite=SUITE,
            env="cwm/PrivilegedBabyAI-GoToRedBallNoDists-v0",
            learned_in="BabyAI-GoToRedBallNoDists-v0",
            collect=CollectConfig(planning_steps=400),
            expert="bot",
            max_steps=64,
            absent={
                "hypotheses": "rules in words are induced in the Playground and at the "
                "Door only",
                "wkm": "knowledge is about typed commands, and this level has six "
                "numbered actions",
            },
        ),
        ProviderTask(
            name=TWC,
            suite=SUITE,
            env="cwm/TWC-v0",
            env_kwargs={
                "split": "unseen",
                "game_params": "numLocations=1,numItemsToPutAway=1",
            },
            # Without planners of its own: gold paths are among what is recorded.
            collect=CollectConfig(
                min_transitions=300, max_transitions=1_000, planning_steps=0
            ),
            expert="gold",
            max_steps=30,
            absent={
                "hypotheses": "rules in words are induced in the Playground and at the "
                "Door only",
                "ppo": "agents read BabyAI and the Playground, not typed commands",
            },
        ),
    )
    return tuple(budgeted(task, SIMULATIONS, ROLLOUT_STEPS) for task in found)
