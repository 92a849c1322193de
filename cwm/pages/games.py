"""Text games of a run of `cwm.knowledge`, one by one, for its page.

Of a training game: what its expert did, what the agent without knowledge did, and what
was written about both. Of a test game: what each player did there, and from what it
decided.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cwm.knowledge_pipeline.games import TEST_SPLITS
from cwm.knowledge_pipeline.runs import KnowledgeFolder, KnowledgeRunConfig
from cwm.pages.texts import TextStore
from cwm.providers.knowledge.records import (
    Episode,
    PlayedEpisode,
    StateNotes,
    Step,
    TaskNote,
    read_whole_records,
)
from sandbox.outcome import shorten

MAX_GAMES = 24
"""Games of each split that a page has; tables are of all."""

MAX_STEPS = 60
"""Steps of an episode that a page has."""

MAX_CANDIDATES = 5
"""Candidates of a decision that a page has, the most probable first."""

MAX_ACTION_CHARS = 400
"""Longer commands are cut in the middle; no game has such, but a model may."""


def game_views(
    folder: KnowledgeFolder, config: KnowledgeRunConfig, texts: TextStore
) -> list[dict[str, Any]]:
    """Returns games with all that was done and written, those of tests first.

    Of several seeds the first: what another seed did in the same game is in the run's
    folder.

    Args:
        folder: Of the run.
        config: Its settings.
        texts: Takes the texts.

    Raises:
        DataError: If a file of the run cannot be read.
    """
    games = [
        *_test_games(folder, config, texts),
        *_training_games(folder, config, texts),
    ]
    return [{"node": number, **game} for number, game in enumerate(games, start=1)]


def _test_games(
    folder: KnowledgeFolder, config: KnowledgeRunConfig, texts: TextStore
) -> Iterator[dict[str, Any]]:
    files = folder.of(config.seeds[0])
    for split in TEST_SPLITS:
        played = [
            one
            for row in config.read_rows()
            for one in read_whole_records(files.played(row, split), PlayedEpisode)
        ]
        experts = read_whole_records(folder.experts_in(split), Episode)
        oracle = read_whole_records(files.oracle_notes(split), TaskNote)
        by_id = {episode.id: episode.game for episode in experts}
        told = {by_id[note.episode]: note for note in oracle if note.episode in by_id}
        for game in sorted({one.episode.game for one in played})[:MAX_GAMES]:
            episodes = [one for one in played if one.episode.game == game]
            note = told.get(game)
            yield {
                **_game(episodes[0].episode, texts),
                "notes": [] if note is None else [_note(note, "oracle", texts)],
                "states": None,
                "episodes": [_played(one, texts) for one in episodes],
            }


def _training_games(
    folder: KnowledgeFolder, config: KnowledgeRunConfig, texts: TextStore
) -> Iterator[dict[str, Any]]:
    files = folder.of(config.seeds[0])
    explored = {one.id: one for one in read_whole_records(files.explored, Episode)}
    notes = {
        kind: {one.episode: one for one in read_whole_records(path, TaskNote)}
        for kind, path in (("game", files.task_notes), ("kind", files.kind_notes))
    }
    states = {
        one.episode: one for one in read_whole_records(files.state_notes, StateNotes)
    }
    for expert in read_whole_records(folder.experts, Episode)[:MAX_GAMES]:
        own = explored.get(expert.id)
        found = [(kind, of[expert.id]) for kind, of in notes.items() if expert.id in of]
        known = states.get(expert.id)
        yield {
            **_game(expert, texts),
            "notes": [_note(note, kind, texts) for kind, note in found],
            "states": known and _states(known, texts),
            "episodes": [
                _episode(expert, "expert", texts),
                *([] if own is None else [_episode(own, "explored", texts)]),
            ],
        }


def _game(episode: Episode, texts: TextStore) -> dict[str, Any]:
    return {
        "split": episode.split,
        "game": episode.game,
        "task": episode.task,
        "instruction": texts.add_text(episode.instruction),
        "observation": texts.add_text(episode.observation),
    }


def _note(note: TaskNote, kind: str, texts: TextStore) -> dict[str, Any]:
    return {
        "kind": kind,
        "text": texts.add_text(note.text),
        "made_by": note.made_by,
        "is_compared": bool(note.rejected),
    }


def _states(notes: StateNotes, texts: TextStore) -> dict[str, Any]:
    return {
        "texts": [texts.add_text(text) for text in notes.texts[: MAX_STEPS + 1]],
        "made_by": notes.made_by,
    }


def _played(played: PlayedEpisode, texts: TextStore) -> dict[str, Any]:
    view = _episode(played.episode, played.row, texts, traces=played.traces)
    return view | {
        "num_calls": played.num_calls,
        "tokens": [played.prompt_tokens, played.completion_tokens],
        "seconds": played.seconds,
    }


def _episode(
    episode: Episode,
    player: str,
    texts: TextStore,
    *,
    traces: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Returns what a player did; traces are of its first steps."""
    steps = episode.steps[:MAX_STEPS]
    known = [*traces[: len(steps)], *([None] * (len(steps) - len(traces)))]
    return {
        "player": player,
        "made_by": episode.made_by,
        "score": episode.score,
        "ending": episode.ending,
        "num_steps": len(episode.steps),
        "num_illegal": sum(not step.is_legal for step in episode.steps),
        "steps": [
            _step(step, trace, texts) for step, trace in zip(steps, known, strict=True)
        ],
    }


def _step(
    step: Step, trace: Mapping[str, Any] | None, texts: TextStore
) -> dict[str, Any]:
    return {
        "thought": texts.add_text(step.thought) if step.thought else None,
        "action": texts.add_text(shorten(step.action, MAX_ACTION_CHARS)),
        "observation": texts.add_text(step.observation),
        "score": step.score,
        "is_legal": step.is_legal,
        "decision": decision(trace) if trace else None,
    }


def decision(trace: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns from what a step was decided; `None` if it was no choice.

    Args:
        trace: As `Mixture.trace` gives it.
    """
    if "candidates" not in trace:
        return None
    probabilities = trace["probabilities"]
    order = sorted(range(len(probabilities)), key=lambda at: -probabilities[at])
    shown = order[:MAX_CANDIDATES]

    def of(name: str) -> list[Any] | None:
        values = trace.get(name)
        return None if values is None else [round(values[at], 4) for at in shown]

    return {
        "candidates": [
            shorten(str(trace["candidates"][at]), MAX_ACTION_CHARS) for at in shown
        ],
        "num_candidates": trace["num_candidates"],
        "probabilities": of("probabilities"),
        "agent": of("agent"),
        "knowledge": of("knowledge"),
        "agent_weight": trace["agent_weight"],
        "support": trace["support"],
        "best_similarity": trace["best_similarity"],
    }
