"""The rows of the suite `providers`: who predicts, who guides, and their settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from cwm.core.errors import ConfigError
from cwm.execution.options import shown_as
from cwm.suites.providers import (
    ROLLOUT_STEPS,
    SIMULATIONS,
    ProviderTask,
    budgeted,
)

ModelName: TypeAlias = Literal["true", "symbolic", "code", "hypotheses"]
GuideName: TypeAlias = Literal["ppo", "wkm"]

RANDOM, EXPERT, TRUE = "random", "expert", "true"

QUICK_FRAMES, QUICK_GAMES, QUICK_EPISODES = 2_000, 10, 2
"""Most of them in a quick run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRow:
    """Who has which part in a row.

    Attributes:
        model: What the planner asks; `None` for a row without a planner's search.
        guide: What gives the prior; `None` for none.
        gives_value: Whether it gives the value, too.
    """

    model: ModelName | None = None
    guide: GuideName | None = None
    gives_value: bool = False

    @property
    def role(self) -> str:
        """What the provider of the row is used as."""
        if self.model is None:
            return "policy alone" if self.guide is not None else "no provider"
        if self.guide is None:
            return "world model"
        return "prior and value" if self.gives_value else "prior"

    @property
    def providers(self) -> tuple[str, ...]:
        """Names of what has to be made."""
        named = (self.model, self.guide)
        return tuple(one for one in named if one is not None)


ROWS: Mapping[str, ProviderRow] = {
    RANDOM: ProviderRow(),
    EXPERT: ProviderRow(),
    TRUE: ProviderRow(model="true"),
    "symbolic": ProviderRow(model="symbolic"),
    "code": ProviderRow(model="code"),
    "hypotheses": ProviderRow(model="hypotheses"),
    "ppo": ProviderRow(guide="ppo"),
    "wkm": ProviderRow(guide="wkm"),
    "true+ppo": ProviderRow(model="true", guide="ppo"),
    "true+ppo-value": ProviderRow(model="true", guide="ppo", gives_value=True),
    "true+wkm": ProviderRow(model="true", guide="wkm"),
    "symbolic+ppo": ProviderRow(model="symbolic", guide="ppo"),
    "symbolic+wkm": ProviderRow(model="symbolic", guide="wkm"),
}
"""Row -> who has which part, in the order of tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvidersConfig:
    """What decides the rows of the suite providers.

    Attributes:
        simulations: Of the tree search in each decision, the same for all rows; at
            least 1.
        rollout_steps: Random steps that value a leaf of it; at least 0.
        episodes: Of each row, the same ones; at least 1.
        policy_frames: Steps of the real environment that an agent learns from; at
            least 1.
        knowledge_games: Games of the expert that knowledge is made of; at least 1.
        programs: Programs for the row code, where no language model is to write them:
            NAME=FILE, with commas between them, such as playground=model.py. Who wrote
            a file is not known; the row says that it was given.
        rules: Folder of a run of cwm.induce for the row hypotheses of playground, in
            place of a run of its own.
    """

    simulations: int = SIMULATIONS
    rollout_steps: int = ROLLOUT_STEPS
    episodes: int = 10
    policy_frames: int = 20_000
    knowledge_games: int = 50
    programs: Annotated[str | None, shown_as("NAME=FILE,...")] = None
    rules: Annotated[str | None, shown_as("RUN")] = None

    def __post_init__(self) -> None:
        lowest = {"rollout_steps": 0}
        names = ("simulations", "episodes", "policy_frames", "knowledge_games")
        for name in (*names, "rollout_steps"):
            low = lowest.get(name, 1)
            if getattr(self, name) < low:
                raise ConfigError(
                    f"providers.{name} must be at least {low}, got "
                    f"{getattr(self, name)}."
                )
        for path in self.files().values():
            if not path.is_file():
                raise ConfigError(
                    f"providers.programs must name files, got {str(path)!r}."
                )

    def files(self) -> dict[str, Path]:
        """Returns the programs that were given, by the name of their task.

        Raises:
            ConfigError: If they are not given as NAME=FILE.
        """
        found = {}
        for word in (self.programs or "").split(","):
            name, equals, path = word.strip().partition("=")
            if not word.strip():
                continue
            if not (name and equals and path):
                raise ConfigError(
                    f"providers.programs must be NAME=FILE, got {word.strip()!r}."
                )
            found[name] = Path(path)
        return found

    def quick(self) -> "ProvidersConfig":
        """Returns settings for trying things out."""
        return replace(
            self,
            episodes=min(self.episodes, QUICK_EPISODES),
            policy_frames=min(self.policy_frames, QUICK_FRAMES),
            knowledge_games=min(self.knowledge_games, QUICK_GAMES),
        )

    def applied(self, task: ProviderTask) -> ProviderTask:
        """Returns a task with the episodes and the planner that are wanted."""
        wanted = replace(task, episodes=self.episodes)
        return budgeted(wanted, self.simulations, self.rollout_steps)


DEFAULT_PROVIDERS = ProvidersConfig()


def rows_in(words: Sequence[str]) -> tuple[str, ...]:
    """Returns the rows of these names, in the order of tables.

    Raises:
        ConfigError: If there is no such row.
    """
    for word in words:
        if word not in ROWS:
            raise ConfigError(
                f"--searches must be some of {', '.join(ROWS)}, got {word!r}."
            )
    return tuple(name for name in ROWS if name in words)
