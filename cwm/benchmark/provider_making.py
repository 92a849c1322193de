"""Making what a row of the suite `providers` needs, once for all rows that need it.

What is made lies beside the transitions, in a folder whose name has a digest of what
decides it, so that other rows and other folders of results find it again.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from cwm.agents.playground import PlaygroundPolicyConfig, train_in_playground
from cwm.agents.runs import PolicyFolder, PolicyRunConfig, TaskConfig
from cwm.agents.runs import new_folder as new_policy_folder
from cwm.agents.training import train_policy
from cwm.benchmark.comparison import STAND_INS
from cwm.benchmark.measures import Measures, measure
from cwm.benchmark.plan import Cell
from cwm.benchmark.searching import Found, find_program, find_rules
from cwm.config import config_to_json
from cwm.core.errors import ConfigError
from cwm.core.files import write_atomically
from cwm.core.seeding import child_seed
from cwm.evaluation.cell_results import CellKey
from cwm.evaluation.guides import OpenableGuide
from cwm.evaluation.nearest import NEAREST_NEIGHBOUR
from cwm.evaluation.setups import OpenableModel
from cwm.execution.locks import locked
from cwm.execution.progress import Progress
from cwm.execution.run_folder import RunFolder
from cwm.guides.knowledge import KnowledgeGuideConfig, KnowledgeRun
from cwm.guides.playground import (
    PlaygroundKnowledge,
    PlaygroundPolicy,
    oracle_moments,
)
from cwm.guides.policies import PolicyRuns
from cwm.knowledge_pipeline.games import GameConfig
from cwm.knowledge_pipeline.runs import KnowledgeFolder, KnowledgeRunConfig
from cwm.knowledge_pipeline.runs import new_folder as new_knowledge_folder
from cwm.knowledge_pipeline.steps import Pipeline
from cwm.named_models import read_model
from cwm.proposers.config import LanguageModelConfig
from cwm.providers.knowledge.base.encoders import HashedEncoder
from cwm.providers.knowledge.base.states import StateBase
from cwm.providers.knowledge.base.storing import MANIFEST, save_base
from cwm.report.scores import DO_NOTHING, TRUE_SIMULATOR
from cwm.sources import Source, read_text
from cwm.suites.providers import PLAYGROUND, ProviderTask

SEARCH = "gif-mcts"
"""With which programs are searched for."""

COST = "cost.json"


@dataclass(frozen=True, kw_only=True)
class Made:
    """A provider, ready to be used.

    Attributes:
        made_by: Who or what made it.
        is_stand_in: Whether something took the place of a language model, or a given
            file that of a search.
        program: Source, if it is a program.
        model: The world model that opens itself, if it is one.
        guide: The prior, if it is one.
        figures: What it is worth and what it cost, by name.
        notes: What a reader must know.
        missing: Why there is nothing to use; empty if there is.
    """

    made_by: str
    is_stand_in: bool = False
    program: str | None = None
    model: OpenableModel | None = None
    guide: OpenableGuide | None = None
    figures: Mapping[str, float | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    missing: str = ""


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """Where the providers of a cell are made.

    Attributes:
        cell: The cell.
        task: Its task.
        source: Transitions with their environment.
        data: The file with the transitions.
        words: The same in words, for rules; asked for only where they are.
        progress: Is told.
    """

    cell: Cell
    task: ProviderTask
    source: Source
    data: Path
    words: Callable[[], tuple[Source, Path]]
    progress: Progress

    def make(self, name: str, *, gives_value: bool = False) -> Made:
        """Returns a provider, made now if it is not there.

        Args:
            name: symbolic, code, hypotheses, ppo or wkm.
            gives_value: Whether a policy gives the value, too.

        Raises:
            CwmError: If it cannot be made.
        """
        match name:
            case "symbolic":
                return self._searched(name, LanguageModelConfig())
            case "code":
                return self._code()
            case "hypotheses":
                return self._rules()
            case "ppo":
                return self._policy(gives_value=gives_value)
            case _:
                return self._knowledge()

    def _code(self) -> Made:
        given = self.cell.config.providers.files().get(self.task.name)
        if given is None:
            return self._searched("code", self.cell.config.run.models)
        text = read_text(given)
        place = self._place("given", {"program": text})
        with self._locked(place):
            cell = self._cell_in(place)
            cell.folder.mkdir(parents=True, exist_ok=True)
            folder = RunFolder(cell.folder)
            folder.write_text(folder.world_model, text)
            shutil.copyfile(self.data, folder.dataset)
            folder.write_json(folder.config, config_to_json(cell.config.run))
            found = measure(
                cell,
                self.source,
                usage={},
                has_model=True,
                shared=self._shared(self.data),
                progress=self.progress,
            )
        return Made(
            made_by=f"given: {given.name}",
            is_stand_in=True,
            program=text,
            figures=_of_model(found),
            notes=(
                f"code: {given.name} was given as a file and stands in for what a "
                "search would find",
                *_own_notes(found),
            ),
        )

    def _searched(self, name: str, models: LanguageModelConfig) -> Made:
        """Returns the program of a search, with or without a language model."""
        run = replace(self.cell.config.run, models=models)
        config = replace(self.cell.config, run=run)
        # A run's settings name the file: elsewhere it is another run.
        decides = config_to_json(run) | {"data": str(self.data)}
        place = self._place(name, decides)
        with self._locked(place):
            found = find_program(
                replace(self._cell_in(place), config=config),
                self.source,
                data=self.data,
                shared=self._shared(self.data),
                progress=self.progress,
            )
        return _of_found(found, is_stand_in=_is_scripted(models))

    def _rules(self) -> Made:
        source, data = self.words()
        given, shared = self.cell.config.providers.rules, self._shared(data)
        if given is None:
            found = find_rules(self.cell, source, shared=shared, progress=self.progress)
            return _of_found(found, is_stand_in=found.is_stand_in)
        named = read_model(given)
        if named.model is None:
            raise ConfigError(
                f"providers.rules must be the folder of a run of cwm.induce, got "
                f"{given!r}."
            )
        self.cell.folder.mkdir(parents=True, exist_ok=True)
        measures = measure(
            self.cell,
            source,
            usage={},
            has_model=True,
            rules=named.model,
            shared=shared,
            progress=self.progress,
        )
        return Made(
            made_by=named.name,
            is_stand_in="stand-in" in named.name,
            model=named.model,
            figures=_of_model(measures),
            notes=_own_notes(measures),
        )

    def _policy(self, *, gives_value: bool) -> Made:
        frames = self.cell.config.made_with.policy_frames
        seed = self.cell.key.seed
        if self.task.name == PLAYGROUND:
            config = PlaygroundPolicyConfig(num_frames=frames, seed=seed)
            place = self._place("ppo", config.to_json())
            with self._locked(place):
                result = train_in_playground(config, place, self.progress)
            guide: OpenableGuide = PlaygroundPolicy(path=place, gives_value=gives_value)
            return Made(
                made_by="masked PPO, 416 features",
                guide=guide,
                figures={
                    "making_frames": float(result["num_frames"]),
                    "making_s": float(result["seconds"]),
                },
            )
        settings = PolicyRunConfig(
            task=TaskConfig(env=self.task.learned_in), num_frames=frames, seed=seed
        )
        place = self._place("ppo", settings.to_json())
        with self._locked(place):
            cost = self._once(place, lambda: self._train(settings, place))
        return Made(
            made_by="PPO, small transformer that reads words",
            guide=PolicyRuns(prior=place, value=place if gives_value else None),
            figures={"making_frames": float(frames), "making_s": cost},
        )

    def _train(self, settings: PolicyRunConfig, place: Path) -> None:
        self.progress.phase("training an agent")
        folder = PolicyFolder(place)
        if not folder.config.exists():
            folder = new_policy_folder(settings, place)
        train_policy(settings, folder, self.progress)

    def _knowledge(self) -> Made:
        games = self.cell.config.made_with.knowledge_games
        if self.task.name == PLAYGROUND:
            place, cost = self._moments(games)
            guide: OpenableGuide = PlaygroundKnowledge(path=place)
        else:
            place, cost = self._base(games)
            guide = KnowledgeRun.of(place, KnowledgeGuideConfig())
        return Made(
            made_by="state base, deterministic writer",
            guide=guide,
            figures={"making_games": float(games), "making_s": cost},
            notes=(
                f"wkm: made of {games} other games of the expert "
                f"({self.task.expert}); no language model speaks",
            ),
        )

    def _moments(self, games: int) -> tuple[Path, float]:
        seed = self.cell.key.seed
        place = self._place("wkm", {"games": games, "seed": seed})
        assert self.source.spec is not None, "cells have their environment"
        spec = self.source.spec

        def make() -> None:
            seeds = [child_seed(seed, "knowledge", number) for number in range(games)]
            entries = oracle_moments(spec, seeds)
            save_base(StateBase.from_entries(entries, HashedEncoder()), place)

        with self._locked(place):
            return place, self._once(place, make, is_made=(place / MANIFEST).exists)

    def _base(self, games: int) -> tuple[Path, float]:
        kwargs = {k: v for k, v in self.task.env_kwargs.items() if k != "split"}
        config = KnowledgeRunConfig(
            games=GameConfig(
                env=self.task.env, env_kwargs=json.dumps(kwargs), train_games=games
            ),
            rows=("state",),
            seeds=(self.cell.key.seed,),
        )
        place = self._place("wkm", config.to_json())

        def make() -> None:
            folder = KnowledgeFolder(place)
            if not folder.config.exists():
                folder = new_knowledge_folder(config, place)
            Pipeline(config, folder, self.progress).build_base(self.cell.key.seed)

        with self._locked(place):
            return place, self._once(place, make)

    def _once(
        self,
        place: Path,
        make: Callable[[], None],
        *,
        is_made: Callable[[], bool] = lambda: True,
    ) -> float:
        """Makes something unless it is there; returns the seconds that it took.

        Of what was interrupted and continued, those of the last part.
        """
        path = place / COST
        if path.exists() and is_made():
            return float(json.loads(path.read_text(encoding="utf-8"))["seconds"])
        begin = perf_counter()
        make()
        seconds = perf_counter() - begin
        write_atomically(path, json.dumps({"seconds": seconds}) + "\n")
        return seconds

    def _place(self, name: str, decides: Mapping[str, Any]) -> Path:
        """Returns the folder of what some settings decide."""
        text = json.dumps([self.task.env, decides], sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        key = self.cell.key
        return self.cell.references / f"{self.task.slug}-{key.seed}-{name}-{digest}"

    def _locked(self, place: Path) -> Any:
        return locked(place.with_name(f".{place.name}.lock"))

    def _cell_in(self, place: Path) -> Cell:
        """Returns a cell whose search runs in a folder that others share."""
        key = CellKey(self.cell.key.task, SEARCH, self.cell.key.seed)
        return replace(self.cell, key=key, root=place, data_folder=self.cell.data)

    def _shared(self, data: Path) -> Path:
        """Returns the file for the rows that the transitions alone decide."""
        return self.cell.references / f"{data.stem}-baselines.json"


def _of_found(found: Found, *, is_stand_in: bool) -> Made:
    return Made(
        made_by=found.made_by,
        is_stand_in=is_stand_in,
        program=found.program,
        model=found.model,
        figures=_of_model(found.measures),
        notes=_own_notes(found.measures),
        missing="" if found.has_model else found.reason,
    )


_OTHERS = tuple(f"{row}: " for row in (DO_NOTHING, NEAREST_NEIGHBOUR, TRUE_SIMULATOR))


def _own_notes(found: Measures) -> tuple[str, ...]:
    """Returns what to know of a provider, not of the rows that it stands beside."""
    return tuple(note for note in found.notes if not note.startswith(_OTHERS))


_COSTS = {"seconds": "making_s"}


def _of_model(found: Measures) -> dict[str, float | None]:
    """Returns the figures of a world model; its seconds are those of making it."""
    return {_COSTS.get(name, name): value for name, value in found.figures.items()}


def _is_scripted(models: LanguageModelConfig) -> bool:
    return any(llm.startswith(STAND_INS) for llm in models.llm)
