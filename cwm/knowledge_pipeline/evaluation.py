"""The evaluation of a run: all rows play the same games."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cwm.execution.provenance import environment_report
from cwm.knowledge_pipeline.games import TEST_SPLITS
from cwm.knowledge_pipeline.ledger import Ledger, begin_file
from cwm.knowledge_pipeline.measures import by_seed, by_task, compare, measure
from cwm.knowledge_pipeline.players import Cast
from cwm.knowledge_pipeline.playing import expert_in, play_games
from cwm.knowledge_pipeline.rows import BASELINE, Row
from cwm.knowledge_pipeline.steps import Pipeline
from cwm.knowledge_pipeline.training_data import models_of
from cwm.knowledge_pipeline.writing import task_writer
from cwm.providers.knowledge.acting.episodes import Played
from cwm.providers.knowledge.base.states import StateBase
from cwm.providers.knowledge.records import (
    Episode,
    PlayedEpisode,
    TaskNote,
    append_record,
    drop_torn_line,
    read_records,
)
from cwm.providers.knowledge.writers.roles import task_note
from cwm.report.knowledge import KnowledgeReport, KnowledgeRow
from envs.text_games.base import Split


def evaluate(pipeline: Pipeline) -> KnowledgeReport:
    """Returns how all rows did in the test games, of all seeds.

    Steps that are missing are made first. Each row plays each game once; the games of
    all rows and seeds are the same, so that differences are paired.

    Raises:
        CwmError: If a step fails.
    """
    config, folder = pipeline.config, pipeline.folder
    played: dict[tuple[str, str], list[PlayedEpisode]] = {}
    made_by: dict[str, str] = {}
    for seed in config.seeds:
        pipeline.train(seed)
        base = pipeline.build_base(seed)
        for split in TEST_SPLITS:
            for name, row in config.read_rows().items():
                contest = _Contest(pipeline, seed, split, name, row, base)
                found = contest.play()
                played.setdefault((name, split), []).extend(found)
                made_by[name] = _made_by(pipeline, row)
    report = KnowledgeReport(
        environment=config.games.id,
        rows=_rows(played, made_by),
        baseline=BASELINE,
        seeds=config.seeds,
        notes=_notes(pipeline),
        files=(f"episodes: {folder.path}/seed-*/played",),
        made_with=environment_report(),
    )
    folder.write_json(folder.result, report.to_json())
    return report


@dataclass(frozen=True)
class _Contest:
    """One row in the games of a split, with one seed."""

    pipeline: Pipeline
    seed: int
    split: Split
    name: str
    row: Row
    base: StateBase | None

    def play(self) -> list[PlayedEpisode]:
        """Returns its episodes; those that are there are not played again."""
        pipeline, games = self.pipeline, self.pipeline.config.games
        cast = pipeline.cast(self.seed)
        path = cast.files.played(self.name, self.split)
        oracle: dict[str, str] = {}
        if self.row.told == "oracle":
            oracle = _oracle(pipeline, self.seed, self.split)
        begin_file(path, Ledger(cast.files.ledger), inputs=self._inputs(cast))
        number = games.number(self.split)
        return play_games(
            games,
            self.split,
            path,
            PlayedEpisode,
            number=number,
            player=cast.player(self.name, self.row, base=self.base, oracle=oracle),
            source="evaluated",
            seed=self.seed,
            record=self._record,
            progress=pipeline.progress,
            title=f"Seed {self.seed}: {self.name} plays {number:,} {self.split} games",
        )

    def _inputs(self, cast: Cast) -> list[Path]:
        """Returns what the row's episodes depend on, the settings aside."""
        found = [cast.files.model(name) for name in models_of(self.row)]
        if self.row.state == "base":
            found.append(cast.files.base)
        if self.row.told == "oracle":
            found.append(cast.files.oracle_notes(self.split))
        return found

    def _record(self, played: Played) -> PlayedEpisode:
        return PlayedEpisode(
            row=self.name,
            seed=self.seed,
            episode=played.episode,
            num_calls=played.usage.num_calls,
            prompt_tokens=played.usage.prompt_tokens,
            completion_tokens=played.usage.completion_tokens,
            seconds=round(played.seconds, 4),
            traces=played.traces,
        )


def _oracle(pipeline: Pipeline, seed: int, split: Split) -> dict[str, str]:
    """Returns task knowledge of test games, written from what their experts do."""
    config, files = pipeline.config, pipeline.folder.of(seed)
    number = config.games.number(split)
    experts = play_games(
        config.games,
        split,
        pipeline.folder.experts_in(split),
        Episode,
        number=number,
        player=lambda env: expert_in(config.games, env),
        source="expert",
        seed=0,
        record=lambda played: played.episode,
        progress=pipeline.progress,
        title=f"{number:,} {split} games as the expert plays them",
    )
    path = files.oracle_notes(split)
    drop_torn_line(path)
    notes = read_records(path, TaskNote) if path.exists() else []
    writer = task_writer(
        config.writing, pipeline.models, pipeline.cast(seed).prompts, seed
    )
    for expert in experts[len(notes) :]:
        notes.append(task_note(writer, expert, None))
        append_record(path, notes[-1])
    return {note.episode: note.text for note in notes}


def _rows(
    played: Mapping[tuple[str, str], list[PlayedEpisode]], made_by: Mapping[str, str]
) -> tuple[KnowledgeRow, ...]:
    found = []
    for (name, split), episodes in played.items():
        measures = measure(episodes)
        baseline = played.get((BASELINE, split), [])
        found.append(
            KnowledgeRow(
                name=name,
                made_by=made_by[name],
                split=split,
                figures=measures.to_json(),
                score=measures.score,
                difference=None if name == BASELINE else compare(episodes, baseline),
                by_seed={} if name == BASELINE else by_seed(episodes, baseline),
                tasks=by_task(episodes),
            )
        )
    return tuple(found)


def _made_by(pipeline: Pipeline, row: Row) -> str:
    """Returns which components a row consists of."""
    config = pipeline.config
    if row.agent in ("random", "expert"):
        return "the game's own commands"
    parts = [f"agent {config.models.agent_llm}"]
    if row.agent == "untrained":
        parts[0] += ", not trained"
    if row.told == "model" or row.state != "none":
        parts.append(f"knowledge model {config.models.knowledge_name}")
    if row.agent in ("task", "kind", "explicit") or row.needs_knowledge:
        parts.append(f"{config.writing.writer} writer")
    if row.state == "base":
        parts.append(f"base {config.encoder}")
    return ", ".join(parts)


def _notes(pipeline: Pipeline) -> tuple[str, ...]:
    config = pipeline.config
    notes = [f"{name}: {row.about}" for name, row in config.read_rows().items()]
    weight = config.deciding.mixing.agent_weight
    notes.append(
        f"agent's weight {weight:g}, choosing among {config.deciding.choose}; "
        f"{config.games.train_games:,} games learned from, seeds "
        f"{', '.join(map(str, config.seeds))}"
    )
    return tuple(notes)
