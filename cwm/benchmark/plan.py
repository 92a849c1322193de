"""What a run of a suite consists of: its settings, its cells, and where they go."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from cwm.benchmark.comparison import STAND_INS
from cwm.benchmark.induction import (
    DEFAULT,
    HYPOTHESES,
    has_stand_ins,
    quick_induction,
    roles_with,
)
from cwm.benchmark.provider_rows import DEFAULT_PROVIDERS, ProvidersConfig
from cwm.config import RunConfig, SourceConfig, config_to_json
from cwm.core.errors import ConfigError
from cwm.core.names import slug
from cwm.evaluation.cell_results import CellKey
from cwm.induction import InductionRunConfig
from cwm.programs.program_runs import ProgramTestConfig
from cwm.proposers.config import LanguageModelConfig
from cwm.suites.apps import find_apps
from cwm.suites.benchmark_task import full
from cwm.suites.human_eval import data_file, read_entries
from cwm.suites.own_tasks import own_task_ids
from cwm.suites.providers import SUITE as PROVIDERS
from cwm.suites.providers import ProviderTask
from cwm.suites.tasks import SUITES as WORLD_SUITES
from cwm.suites.tasks import BenchmarkTask, quick, tasks
from cwm.suites.words import SUITE as WORDS
from mcts.registry import SearchName

PROBLEM_SUITES = ("apps", "humaneval", "own")
"""Suites of programs with unit tests."""

SUITE_NAMES = (*WORLD_SUITES, *PROBLEM_SUITES)

WITH_RULES = (WORDS, PROVIDERS)
"""Suites in which rules in words are induced."""

NUM_QUICK_PROBLEMS = 4
"""Problems of a quick run, the first ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteConfig:
    """Everything that decides what comes of a cell.

    Attributes:
        suite: Name of the suite.
        is_quick: Whether tasks have little data and few, short episodes.
        is_full: Whether episodes go on to their own end, and there are 10 at least.
        run: Settings of the runs; source, seed and search are each cell's own.
        tests: How programs with unit tests are run.
        asks_model: Transitions that the language model itself is asked to predict,
            beside its program; 0 for none.
        offline_steps: Gradient steps of an offline-RL policy that is learnt from the
            same transitions, to act beside the program; 0 for none.
        induction: Settings of hypothesis induction; world and seed are each cell's
            own, and if they name no model, that of `run` takes all roles.
        providers: What decides the rows of the suite providers.
    """

    suite: str
    is_quick: bool = False
    is_full: bool = False
    run: RunConfig = field(default_factory=RunConfig)
    tests: ProgramTestConfig = field(default_factory=ProgramTestConfig)
    asks_model: int = 0
    offline_steps: int = 0
    induction: InductionRunConfig = DEFAULT
    providers: ProvidersConfig = DEFAULT_PROVIDERS

    def __post_init__(self) -> None:
        if self.suite not in SUITE_NAMES:
            raise ConfigError(
                f"suite must be one of {', '.join(SUITE_NAMES)}, got {self.suite!r}."
            )
        if self.is_quick and self.is_full:
            raise ConfigError("Only one of quick and full can be given, got both.")
        given = {"--ask-model": self.asks_model, "--offline-steps": self.offline_steps}
        for name, value in given.items():
            if value < 0:
                raise ConfigError(f"{name} must be at least 0, got {value}.")
        self._check_source()
        if self.is_of_problems:
            given["--full"] = self.is_full
            given["--capabilities"] = bool(self.run.capabilities)
            unused = [name for name, value in given.items() if value]
            if unused:
                raise ConfigError(
                    f"{' and '.join(unused)} cannot be given for {self.suite!r}: "
                    "programs with unit tests have neither transitions nor episodes."
                )
        if self.induction != DEFAULT and self.suite not in WITH_RULES:
            raise ConfigError(
                f"--induction is for {' and '.join(map(repr, WITH_RULES))}, where "
                f"hypotheses are induced, got {self.suite!r}."
            )
        self._check_providers()
        if self.asks_model and not self.run.models.llm:
            raise ConfigError("--ask-model needs a model: name it with --llm.")
        if self.is_of_problems and not self.run.models.llm:
            raise ConfigError(
                "Programs with unit tests are written by a language model: name one "
                "with --llm."
            )

    def _check_providers(self) -> None:
        if self.suite != PROVIDERS:
            if self.providers != DEFAULT_PROVIDERS:
                raise ConfigError(
                    f"--providers is for the suite {PROVIDERS!r}, got {self.suite!r}."
                )
            return
        unused = {
            "--full": self.is_full,
            "--ask-model": self.asks_model,
            "--offline-steps": self.offline_steps,
        }
        named = [name for name, value in unused.items() if value]
        if named:
            raise ConfigError(
                f"{' and '.join(named)} cannot be given for {PROVIDERS!r}: its rows "
                "are those of --searches."
            )
        known = self.task_names()
        for name in self.providers.files():
            if name not in known:
                raise ConfigError(
                    f"providers.programs must be for some of {', '.join(known)}, got "
                    f"{name!r}."
                )

    @property
    def is_of_providers(self) -> bool:
        """Whether a cell is a row of the suite providers, and no search."""
        return self.suite == PROVIDERS

    @property
    def is_of_problems(self) -> bool:
        """Whether the suite has programs with unit tests, and no world models."""
        return self.suite in PROBLEM_SUITES

    @property
    def is_stand_in(self) -> bool:
        """Whether something that is no model has the place of one."""
        if self.is_of_providers:
            return False  # Each row says it of itself.
        llms = self.run.models.llm
        if llms:
            return any(llm.startswith(STAND_INS) for llm in llms)
        # Without a model there are no programs of these worlds, but rules.
        return self.suite == WORDS and has_stand_ins(self.induction.roles)

    def _check_source(self) -> None:
        run = self.run
        given = replace(run.source, data=None) if self.suite == "apps" else run.source
        if given != SourceConfig() or run.tests is not None or run.start_from:
            raise ConfigError(
                "The suite says which environments and transitions there are: env, "
                "set, env_kwargs, description, collect, tests and start_from cannot "
                "be given, and data for apps only. Choose tasks with --envs."
            )
        if self.suite == "apps" and run.source.data is None:
            raise ConfigError(
                "apps needs --data, a folder of problems in the format of APPS."
            )

    def task_names(self) -> tuple[str, ...]:
        """Returns the names of all tasks, or problems, in the order of tables.

        Raises:
            CwmError: If problems cannot be read, or are not installed.
        """
        if not self.is_of_problems:
            return tuple(task.name for task in tasks(self.suite, 0))
        names: tuple[str, ...]
        if self.suite == "own":
            names = own_task_ids()
        elif self.suite == "humaneval":
            names = tuple(read_entries(data_file()))
        else:
            found = find_apps(Path(str(self.run.source.data)))
            names = tuple(str(p.relative_to(found.root)) for p in found.problems)
        return names[:NUM_QUICK_PROBLEMS] if self.is_quick else names

    def task(self, name: str, seed: int) -> BenchmarkTask:
        """Returns a task with the data and the episodes that it is to have.

        Args:
            name: Its name.
            seed: Of the constants that CWMB-S draws.

        Raises:
            PrerequisiteError: If a package that its environment needs is missing.
        """
        (task,) = [one for one in tasks(self.suite, seed) if one.name == name]
        if isinstance(task, ProviderTask):
            task = self.made_with.applied(task)
        if self.is_quick:
            return quick(task)
        return full(task) if self.is_full else task

    @property
    def made_with(self) -> ProvidersConfig:
        """What providers are made with, less of it in a quick run."""
        return self.providers.quick() if self.is_quick else self.providers

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as plain data."""
        plain = {one.name: getattr(self, one.name) for one in fields(self)}
        plain |= {"run": config_to_json(self.run), "tests": asdict(self.tests)}
        del plain["induction"], plain["providers"]
        if self.suite in WITH_RULES:
            plain["induction"] = self.induction.to_json()
        if self.is_of_providers:
            plain["providers"] = asdict(self.providers)
        return plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A task, a search and a seed, with all settings.

    Attributes:
        key: Which cell.
        config: The settings of the suite.
        root: Folder of the results.
        data_folder: Of transitions that other results share; `None` for one in `root`.
    """

    key: CellKey
    config: SuiteConfig
    root: Path
    data_folder: Path | None = None

    @property
    def folder(self) -> Path:
        """Where the run goes."""
        key = self.key
        return self.root / "cells" / slug(key.task) / f"{key.search}-{key.seed}"

    @property
    def data(self) -> Path:
        """Where transitions are."""
        return self.data_folder or self.root / "data"

    @property
    def references(self) -> Path:
        """Where what the transitions and their task alone decide is.

        Names have digests of both, so that it is shared with the transitions.
        """
        return (self.data_folder or self.root) / "references"

    @property
    def messages(self) -> Path:
        """Where what is printed meanwhile goes."""
        return self.folder / "messages.txt"

    def run_config(self) -> RunConfig:
        """Returns the settings of the run; where it is from is not said yet."""
        run = self.config.run
        return replace(
            run,
            source=SourceConfig(),
            seed=self.key.seed,
            models=self._models(run.models),
            tree=run.tree
            if self.is_of_rules
            else run.tree.of(_search(self.key.search)),
        )

    def task(self) -> BenchmarkTask:
        """Returns the task of the cell."""
        return self.config.task(self.key.task, self.key.seed)

    @property
    def is_of_rules(self) -> bool:
        """Whether rules in words are searched for, and no program."""
        return self.key.search == HYPOTHESES

    def induction_config(self) -> InductionRunConfig:
        """Returns the settings of hypothesis induction.

        Raises:
            ConfigError: If there are several language models.
        """
        given = self.config.induction
        if self.config.is_quick:
            given = quick_induction(given)
        env = self.task().env_in_words
        return replace(
            given,
            induction=replace(given.induction, env=env),
            roles=roles_with(given.roles, self._models(self.config.run.models)),
            seed=self.key.seed,
        )

    def _models(self, models: LanguageModelConfig) -> LanguageModelConfig:
        """Returns the models, the cell's own names put in the place of `{task}`."""
        words = {
            "{task}": slug(self.key.task),
            "{search}": self.key.search,
            "{seed}": str(self.key.seed),
        }
        named = []
        for llm in models.llm:
            name = llm
            for word, value in words.items():
                name = name.replace(word, value)
            named.append(name)
        return replace(models, llm=tuple(named))


def _search(name: str) -> SearchName:
    found: SearchName = name  # type: ignore[assignment]
    return found


def chosen(known: Sequence[str], words: Sequence[str]) -> tuple[str, ...]:
    """Returns the tasks of these names, in the order of the suite; all for none.

    Raises:
        ConfigError: If there is no such task.
    """
    short = {_short(name): name for name in known}
    wanted = []
    for word in words:
        name = word if word in known else short.get(word)
        if name is None:
            raise ConfigError(
                f"envs must be tasks of the suite, got {word!r}. Known: "
                f"{', '.join(known[:40])}{', ...' if len(known) > 40 else ''}."
            )
        wanted.append(name)
    return tuple(name for name in known if name in wanted or not words)


def _short(name: str) -> str:
    """Returns a name without its version: CartPole of CartPole-v1."""
    return re.sub(r"-v\d+$", "", name)


class ResultsFolder:
    """The files of a suite's results.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        """Makes it; reads and writes nothing."""
        self.path = path

    @property
    def config(self) -> Path:
        """The settings, and which cells there are to be."""
        return self.path / "config.json"

    @property
    def results(self) -> Path:
        """A line for each cell that has ended."""
        return self.path / "results.jsonl"

    @property
    def versions(self) -> Path:
        """With what the cells were made."""
        return self.path / "versions.json"

    @property
    def nodes(self) -> Path:
        """On which nodes of a cluster cells were run last, if they were."""
        return self.path / "nodes.json"

    @property
    def lock(self) -> Path:
        """Held by who writes."""
        return self.path / ".lock"

    def planned(self, content: Mapping[str, Any]) -> tuple[CellKey, ...]:
        """Returns the cells that the content of the settings file names."""
        return tuple(CellKey(*cell) for cell in content["cells"])


def settings_text(config: SuiteConfig, cells: Sequence[CellKey]) -> str:
    """Returns the content of the settings file."""
    content = {
        "suite": config.suite,
        "is_stand_in": config.is_stand_in,
        "cells": [list(cell) for cell in cells],
        "settings": config.to_json(),
    }
    return json.dumps(content, indent=2, default=str) + "\n"
