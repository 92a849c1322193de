"""The best hypothesis of a run of `cwm.induce` as a world model to plan in and score.

Covers: plain data, so that another process can open the same model. Does not cover:
what is done with it.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cwm.core.errors import ConfigError, DataError
from cwm.providers.hypotheses.making import RoleConfig, Roles
from cwm.providers.hypotheses.models.readings import Reading, reading_of
from cwm.providers.hypotheses.models.world_model import Choice, HypothesisWorldModel
from cwm.providers.hypotheses.search.keeping import HYPOTHESES, read_rules
from cwm.providers.hypotheses.worlds import REWORDED, WORLDS, TextWorld, find_world
from envs.playground.scenes import DEFAULT_GOAL
from envs.spec import EnvSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class InducedModel:
    """Rules in words with who believes them: a `WorldModel` that is not yet open.

    Attributes:
        folder: The run, as the user named it.
        hypothesis: The rules.
        world: The environment in which they were found; see
            `cwm.providers.hypotheses.worlds.WORLDS`.
        statistician: Who weighs changes, by its name in the run. That of a stand-in
            says that it is one.
        roles: Who takes the roles; the statistician's is taken.
        choice: Which change a step takes.
    """

    folder: str
    hypothesis: str
    world: str
    statistician: str
    roles: RoleConfig
    choice: Choice = "most likely"

    @property
    def name(self) -> str:
        """The run, and who believes its rules."""
        return f"{self.folder}, {self.statistician}"

    @property
    def environment_id(self) -> str:
        """Where the rules were found."""
        return WORLDS[self.world].environment_id

    def check(self, spec: EnvSpec, *, num_processes: int = 1) -> None:
        """Makes sure, before the work, that the model is one of an environment.

        Args:
            spec: The environment.
            num_processes: Processes that open a model each.

        Raises:
            ConfigError: If it is not, or a language model would be in memory several
                times.
        """
        _reading(self._text_world(spec), spec)
        llm = self.roles.statistician_llm or self.roles.llm or ""
        if num_processes > 1 and llm and not llm.startswith("openai:"):
            raise ConfigError(
                f"workers must be 1 with {llm}, got {num_processes}: each process "
                "would hold a model of its own."
            )

    @contextmanager
    def open(self, spec: EnvSpec) -> Iterator[HypothesisWorldModel]:
        """Yields the model of an environment; it is closed afterwards.

        Raises:
            ConfigError: If the rules are not of this environment, or the language
                model gives no log-probabilities.
            PrerequisiteError: If a package that it needs is missing.
        """
        world = self._text_world(spec)
        reading = _reading(world, spec)
        roles = Roles(self.roles)
        try:
            yield HypothesisWorldModel(
                roles.statistician(world), reading, self.hypothesis, choice=self.choice
            )
        finally:
            roles.close()

    def to_json(self) -> dict[str, Any]:
        """Returns all that decides what the model predicts, as plain data."""
        data = asdict(self)
        del data["folder"]
        return data

    def _text_world(self, spec: EnvSpec) -> TextWorld:
        names = (self.world, REWORDED.get(self.world, ""))
        worlds = [WORLDS[name] for name in names if name]
        for world in worlds:
            if world.environment_id == spec.id:
                return world
        ids = " or ".join(world.environment_id for world in worlds)
        raise ConfigError(
            f"The environment must be {ids}, where the rules of {self.folder!r} hold, "
            f"got {spec.id!r}."
        )


def read_induced(folder: Path, roles: RoleConfig) -> InducedModel:
    """Returns the best hypothesis of a run as a model.

    Args:
        folder: The run.
        roles: Who takes the roles in it.

    Raises:
        DataError: If there is no such run, its file cannot be read, or it has found
            none.
        ConfigError: If it took place in a world that is none of ours.
    """
    hypothesis = read_rules(folder).text
    data = json.loads((folder / HYPOTHESES).read_text(encoding="utf-8"))
    world, statistician = data.get("world"), data.get("statistician")
    for name, value in (("world", world), ("statistician", statistician)):
        if not isinstance(value, str):
            raise DataError(
                f"{name} in {str(folder / HYPOTHESES)!r} must be text, got {value!r}."
            )
    return InducedModel(
        folder=str(folder),
        hypothesis=hypothesis,
        world=find_world(world).name,
        statistician=statistician,
        roles=roles,
    )


def _reading(world: TextWorld, spec: EnvSpec) -> Reading:
    """Returns what the words mean in an environment that has been adapted.

    Raises:
        ConfigError: If a setting of the environment leaves the rewards open.
    """
    settings = {**spec.kwargs, **spec.changes}
    own = "reworded" if world.name == "playground-reworded" else "original"
    wording = settings.get("wording", own)
    if wording != own:
        raise ConfigError(
            f"wording must be {own!r} in {spec.id!r}, got {wording!r}: changes in "
            "other words are those of another environment."
        )
    goal = settings.get("goal", DEFAULT_GOAL)
    if not isinstance(goal, str):
        raise ConfigError(
            f"goal must be text where rules are planned in, got {goal!r}: goals that "
            "are drawn are not known to them."
        )
    return reading_of(world.name, reward=settings.get("reward", "goal"), goal=goal)
