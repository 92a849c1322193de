"""Who is tested where, and how it is played."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cwm.agents.runs import PolicyFolder, PolicyRunConfig, TaskConfig
from cwm.agents.training import network_settings, read_policy
from cwm.core.errors import ConfigError
from cwm.execution.progress import Progress, Status
from cwm.providers.policies.agents.base import Agent
from cwm.providers.policies.agents.bot import BotAgent
from cwm.providers.policies.agents.network import NetworkAgent
from cwm.providers.policies.agents.random import RandomAgent
from cwm.providers.policies.episodes import EndedEpisode, TextEpisodes
from cwm.providers.policies.evaluation import Seeds, play
from cwm.providers.policies.networks.language import LanguageNetwork
from cwm.providers.policies.networks.making import SYMBOLIC
from cwm.report.policies import EvaluationRow
from envs.babyai.variants import SUITE, Variant
from prompts.glam import WORDINGS

RANDOM, BOT = "random", "bot"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayConfig:
    """How it is played.

    Attributes:
        episodes: Episodes of each agent in each test; at least 1.
        num_envs: How many at once; at least 1. With the seed, it decides which they
            are.
        seed: Seed of everything random; at least 0.
        seeding: How the environments' seeds follow from it.
        greedy: Whether networks take the most probable action instead of a draw.
    """

    episodes: int = 1000
    num_envs: int = 32
    seed: int = 0
    seeding: Seeds = "streams"
    greedy: bool = False

    def __post_init__(self) -> None:
        for name, low in (("episodes", 1), ("num_envs", 1), ("seed", 0)):
            if getattr(self, name) < low:
                raise ConfigError(
                    f"{name} must be at least {low}, got {getattr(self, name)}."
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """An agent that is tested, before its network is read.

    Attributes:
        name: As the user has named it: `random`, `bot` or the folder of a run.
        run: The settings of the run; `None` for random actions and the bot.
    """

    name: str
    run: PolicyRunConfig | None

    @classmethod
    def named(cls, name: str) -> "Contestant":
        """Returns the agent of a name.

        Raises:
            ConfigError: If it is no folder of a run.
            DataError: If the run has no checkpoint.
        """
        if name in (RANDOM, BOT):
            return cls(name=name, run=None)
        folder = PolicyFolder(Path(name))
        run = folder.read_config()
        folder.check_checkpoint()
        return cls(name=name, run=run)

    @property
    def counts_actions(self) -> bool:
        """Whether it has an output for each action, and not one for any words."""
        run = self.run
        if run is None:
            return False
        if run.learner == "drrn":
            return False
        return run.policy == SYMBOLIC or run.network.head == "actions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """A test and who takes part in it.

    Attributes:
        test: Its name; empty for an environment that is no test.
        variant: Where it is played.
        contestants: Who plays.
    """

    test: str
    variant: Variant
    contestants: tuple[Contestant, ...]

    @property
    def task(self) -> TaskConfig:
        """Where it is played, as settings."""
        kwargs = json.dumps(dict(self.variant.kwargs))
        return TaskConfig(env=self.variant.env_id, env_kwargs=kwargs)


def own_contests(contestants: Sequence[Contestant]) -> list[Contest]:
    """Returns the environments of the runs; random actions and the bot play in all.

    Raises:
        ConfigError: If there is no run.
    """
    runs = [one for one in contestants if one.run is not None]
    if not runs:
        raise ConfigError(
            "env must be given where no run is evaluated, or suite or a test: "
            f"python -m cwm.ppo evaluate {RANDOM} --env BabyAI-GoToLocal-v0"
        )
    tasks = dict.fromkeys(
        (one.run.task.id, json.dumps(one.run.task.kwargs)) for one in runs if one.run
    )
    return [
        Contest(
            test="",
            variant=Variant(env_id=env_id, kwargs=json.loads(kwargs), what=""),
            contestants=tuple(
                one
                for one in contestants
                if one.run is None
                or (one.run.task.id, json.dumps(one.run.task.kwargs))
                == (env_id, kwargs)
            ),
        )
        for env_id, kwargs in tasks
    ]


def suite_contests(
    contestants: Sequence[Contestant], tests: Sequence[str]
) -> list[Contest]:
    """Returns tests of generalisation, all agents in each.

    Raises:
        ConfigError: If there is no test of a name.
    """
    for test in tests:
        if test not in SUITE:
            raise ConfigError(f"test must be one of {', '.join(SUITE)}, got {test!r}.")
    return [
        Contest(test=test, variant=SUITE[test], contestants=tuple(contestants))
        for test in dict.fromkeys(tests)
    ]


def check_contest(contest: Contest) -> None:
    """Refuses what would fail only when it is played.

    Raises:
        ConfigError: If it is no BabyAI in words, or an agent has outputs for another
            number of actions.
        PrerequisiteError: If a package that the environment needs is missing.
    """
    source = contest.task.episodes(1, window=1, images=False)
    number = len(source.action_names)
    source.close()
    for one in contest.contestants:
        if one.run is None or not one.counts_actions:
            continue
        own = one.run.task.num_actions
        if own != number:
            raise ConfigError(
                f"{contest.variant.env_id} must have {own} actions for {one.name!r}, "
                f"which has an output for each, got {number}. Set num_actions with "
                "--env-kwargs, or take an agent that scores the words of actions."
            )


class Played(NamedTuple):
    """How agents did.

    Attributes:
        rows: Test by test, agents in the order in which they were named.
        trained: Name of a run -> what it is and has learned from, in words.
    """

    rows: tuple[EvaluationRow, ...]
    trained: dict[str, str]


def play_contests(
    contests: Sequence[Contest], config: PlayConfig, progress: Progress
) -> Played:
    """Returns how each agent did in each test.

    Agents are taken one after the other, so that one network at a time is in memory.

    Raises:
        CwmError: If a network cannot be read, or does not suit a test.
    """
    found: dict[tuple[int, str], EvaluationRow] = {}
    trained: dict[str, str] = {}
    names = dict.fromkeys(one.name for c in contests for one in c.contestants)
    for name in names:
        player = None
        for number, contest in enumerate(contests):
            own = [one for one in contest.contestants if one.name == name]
            if own:
                player = player or _Player(own[0], config)
                trained |= player.trained
                row = player.play(contest, progress)
                progress.event(row.line())
                found[number, name] = row
    by_test = sorted(found, key=lambda key: key[0])
    return Played(rows=tuple(found[key] for key in by_test), trained=trained)


class _Player:
    """An agent, its network read."""

    def __init__(self, contestant: Contestant, config: PlayConfig) -> None:
        self._name, self._config = contestant.name, config
        self._network: Any = None
        self._window = 1
        self.trained: dict[str, str] = {}
        if contestant.run is not None:
            trained = read_policy(Path(contestant.name))
            run = trained.config
            self.trained[self._name] = (
                f"{run.name}, trained in {run.task.id} for "
                f"{trained.num_frames:,} frames, seed {run.seed}"
            )
            self._network = trained.made.network
            self._window = trained.network.window or 1

    def play(self, contest: Contest, progress: Progress) -> EvaluationRow:
        """Returns how the agent did in a test."""
        config, network = self._config, self._network
        progress.phase(f"{self._name}: {contest.test or contest.variant.env_id}")
        source = contest.task.episodes(
            min(config.num_envs, config.episodes),
            window=self._window,
            images=network is not None and network.needs_images,
        )
        if isinstance(network, LanguageNetwork):
            network.tell(WORDINGS[contest.variant.prompt])
        ended: list[bool] = []

        def on_end(episode: EndedEpisode) -> None:
            ended.append(episode.episode_return > 0)
            success = sum(ended) / len(ended)
            progress.update(
                Status(
                    completed=len(ended),
                    total=config.episodes,
                    unit="episodes",
                    measures={"success": f"{success:.3f}"},
                )
            )

        played = play(
            self._agent(source),
            source,
            num_episodes=config.episodes,
            seed=config.seed,
            seeds=config.seeding,
            on_end=on_end,
        )
        source.close()
        return EvaluationRow(
            agent=self._name,
            test=contest.test,
            environment=contest.variant.env_id,
            env_kwargs=contest.variant.kwargs,
            what=contest.variant.what,
            rate=played.success_rate(),
        )

    def _agent(self, source: TextEpisodes) -> Agent:
        if self._network is not None:
            return NetworkAgent(self._network, greedy=self._config.greedy)
        return BotAgent(source) if self._name == BOT else RandomAgent()


def prompt_notes(contests: Sequence[Contest]) -> list[str]:
    """Returns who does not read what some tests change in the prompt."""
    changed = [one for one in contests if one.variant.prompt != "english"]
    names = ", ".join(one.test for one in changed)
    return [
        f"{one.name}: does not read the words around the goal, or always the same, so "
        f"that they are not changed in {names}"
        for one in (changed[0].contestants if changed else ())
        if one.run is not None and not _reads_published_prompt(one.run)
    ]


def _reads_published_prompt(run: PolicyRunConfig) -> bool:
    if run.learner == "drrn" or run.policy == SYMBOLIC:
        return False
    return network_settings(run).prompt == "glam"
