"""The steps of a pipeline: from experts to models and a state base.

    experts -> explore -> task knowledge -> state knowledge -> training -> state base

Each makes sure of the steps that it needs, reads their files and writes its own. What
is there, and was made from the same files, is not made again.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from cwm.core.errors import DataError
from cwm.execution.progress import Progress, Status
from cwm.knowledge_pipeline.ledger import Ledger, begin_file
from cwm.knowledge_pipeline.models import Models
from cwm.knowledge_pipeline.players import Cast
from cwm.knowledge_pipeline.playing import expert_in, play_games
from cwm.knowledge_pipeline.runs import KnowledgeFolder, KnowledgeRunConfig, SeedFolder
from cwm.knowledge_pipeline.training_data import (
    KNOWLEDGE,
    ROLES,
    ModelName,
    make_conversations,
    models_of,
    notes_of,
)
from cwm.knowledge_pipeline.writing import kind_notes, state_writer, task_writer
from cwm.providers.knowledge.base.entries import entries_of_all
from cwm.providers.knowledge.base.states import StateBase
from cwm.providers.knowledge.base.storing import load_base, save_base
from cwm.providers.knowledge.records import (
    Episode,
    RecordT,
    StateNotes,
    TaskNote,
    append_record,
    drop_torn_line,
    read_records,
    write_records,
)
from cwm.providers.knowledge.writers.roles import pairs_of, state_notes, task_note

GivenT = TypeVar("GivenT")


class Pipeline:
    """The steps of one run.

    Args:
        config: The settings of the run.
        folder: Its files.
        progress: Told of all that is done.

    Attributes:
        models: Its language models.
    """

    def __init__(
        self, config: KnowledgeRunConfig, folder: KnowledgeFolder, progress: Progress
    ) -> None:
        self.config, self.folder, self.progress = config, folder, progress
        self.models = Models(config.models)
        self._prompts = config.writing.prompts_for(config.games.id)
        self._rows = list(config.read_rows().values())

    def cast(self, seed: int) -> Cast:
        """Returns what players of a seed are made of."""
        return Cast(
            config=self.config,
            files=self.folder.of(seed),
            prompts=self._prompts,
            models=self.models,
        )

    def experts(self) -> list[Episode]:
        """Returns the episodes in which experts win the games to learn from.

        A game that its expert does not win within the steps of an episode, or knows no
        way to win, is left out.

        Raises:
            CwmError: If a game cannot be played, or no game was won.
        """
        games = self.config.games
        found = play_games(
            games,
            "train",
            self.folder.experts,
            Episode,
            number=games.train_games,
            player=lambda env: expert_in(games, env),
            source="expert",
            seed=0,
            record=lambda played: played.episode,
            progress=self.progress,
            title=f"{games.train_games:,} games as the expert plays them",
        )
        won = _won(found)
        if not won:
            raise DataError(
                f"Experts must win, but none of {len(found)} did within the steps of "
                "an episode. Raise max_steps."
            )
        return won

    def explore(self, seed: int) -> None:
        """Lets the agent without knowledge play the games to learn from."""
        self._train(seed, "plain")
        files, games = self.folder.of(seed), self.config.games
        inputs = [self.folder.experts, files.model("plain")]
        outputs = [files.explored]
        ledger = _ledger(files)
        if ledger.is_done("explored", inputs=inputs, outputs=outputs):
            return
        begin_file(files.explored, ledger, inputs=inputs)
        alone = self.cast(seed).alone()
        play_games(
            games,
            "train",
            files.explored,
            Episode,
            number=games.train_games,
            player=lambda _: alone,
            source="explored",
            seed=seed,
            record=lambda played: played.episode,
            progress=self.progress,
            title=f"Seed {seed}: exploring {games.train_games:,} games",
        )
        ledger.note("explored", inputs=inputs)

    def task_knowledge(self, seed: int) -> None:
        """Has task knowledge written, of each game and of each kind of task."""
        self.experts()
        files, inputs = self.folder.of(seed), [self.folder.experts]
        if self.config.writing.compare:
            self.explore(seed)
            inputs.append(files.explored)
        uses_kinds = any(row.told == "kind" for row in self._rows)
        outputs = [files.task_notes, *[files.kind_notes] * uses_kinds]
        if _ledger(files).is_done("task knowledge", inputs=inputs, outputs=outputs):
            return
        explored = read_records(files.explored, Episode) if len(inputs) > 1 else []
        pairs = pairs_of(self.experts(), explored)
        writer = task_writer(self.config.writing, self.models, self._prompts, seed)
        self.progress.phase(f"Seed {seed}: task knowledge by {writer.made_by}")
        if uses_kinds:
            write_records(files.kind_notes, kind_notes(self.config.writing, pairs))
        self._written(
            files.task_notes,
            TaskNote,
            pairs,
            lambda pair: task_note(writer, *pair),
            ledger=_ledger(files),
            inputs=inputs,
        )
        _ledger(files).note("task knowledge", inputs=inputs)

    def state_knowledge(self, seed: int) -> None:
        """Has state knowledge written, of each moment of the experts' episodes."""
        experts = self.experts()
        files, inputs = self.folder.of(seed), [self.folder.experts]
        outputs = [files.state_notes]
        if _ledger(files).is_done("state knowledge", inputs=inputs, outputs=outputs):
            return
        writer = state_writer(self.config.writing, self.models, self._prompts, seed)
        self.progress.phase(f"Seed {seed}: state knowledge by {writer.made_by}")
        self._written(
            files.state_notes,
            StateNotes,
            experts,
            lambda one: state_notes(writer, one),
            ledger=_ledger(files),
            inputs=inputs,
        )
        _ledger(files).note("state knowledge", inputs=inputs)

    def training_data(self, seed: int) -> None:
        """Writes what all models of the rows learn."""
        for name in self._names():
            self._conversations(seed, name)

    def train(self, seed: int) -> None:
        """Trains all models of the rows."""
        for name in self._names():
            self._train(seed, name)

    def build_base(self, seed: int) -> StateBase | None:
        """Returns the state base, made if it is not there; `None` if no row uses it."""
        if all(row.state != "base" for row in self._rows):
            return None
        self.state_knowledge(seed)
        files = self.folder.of(seed)
        inputs = [self.folder.experts, files.state_notes]
        if self.config.encoder == "own":
            self._train(seed, KNOWLEDGE)
            inputs.append(files.model(KNOWLEDGE))
        encoder = self.cast(seed).encoder()
        if _ledger(files).is_done("base", inputs=inputs, outputs=[files.base]):
            return load_base(files.base, encoder)
        self.progress.phase(f"Seed {seed}: state base by {encoder.name}")
        notes = read_records(files.state_notes, StateNotes)
        entries = entries_of_all(self.experts(), notes)
        base = StateBase.from_entries(entries, encoder)
        save_base(base, files.base)
        _ledger(files).note("base", inputs=inputs)
        return base

    def _names(self) -> list[ModelName]:
        """Returns the models that the rows need, each once."""
        names = [name for row in self._rows for name in models_of(row)]
        return list(dict.fromkeys(names))

    def _notes(self, seed: int, name: ModelName) -> list[Path]:
        """Makes sure of the notes that a model's conversations have."""
        files = self.folder.of(seed)
        found = notes_of(files, name)
        self.experts()
        if files.task_notes in found or files.kind_notes in found:
            self.task_knowledge(seed)
        if files.state_notes in found:
            self.state_knowledge(seed)
        return found

    def _conversations(self, seed: int, name: ModelName) -> None:
        self._notes(seed, name)
        make_conversations(
            name,
            self.experts(),
            self.folder.of(seed),
            self._prompts,
            thoughts=self.config.writing.thoughts,
        )

    def _train(self, seed: int, name: ModelName) -> None:
        files, cast = self.folder.of(seed), self.cast(seed)
        inputs = [self.folder.experts, *self._notes(seed, name)]
        folder = files.model(name)
        if _ledger(files).is_done(f"model {name}", inputs=inputs, outputs=[folder]):
            return
        self.models.check_trainable(cast.llm(name))
        conversations = make_conversations(
            name,
            self.experts(),
            files,
            self._prompts,
            thoughts=self.config.writing.thoughts,
        )
        self.models.train(
            cast.llm(name),
            conversations,
            folder,
            role=ROLES[name],
            seed=seed,
            progress=self.progress,
        )
        _ledger(files).note(f"model {name}", inputs=inputs)

    def _written(
        self,
        path: Path,
        kind: type[RecordT],
        given: Sequence[GivenT],
        write: Callable[[GivenT], RecordT],
        *,
        ledger: Ledger,
        inputs: Sequence[Path],
    ) -> None:
        """Has a record written of each thing that is given, from where a file ends."""
        begin_file(path, ledger, inputs=inputs)
        drop_torn_line(path)
        number = len(read_records(path, kind)) if path.exists() else 0
        for index, one in enumerate(given[number:], start=number + 1):
            append_record(path, write(one))
            status = Status(completed=index, total=len(given), unit="episodes")
            self.progress.update(status)


def _won(episodes: Sequence[Episode]) -> list[Episode]:
    return [episode for episode in episodes if episode.has_won]


def _ledger(files: SeedFolder) -> Ledger:
    return Ledger(files.ledger)
