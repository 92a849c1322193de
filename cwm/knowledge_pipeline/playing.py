"""Playing many games into a file, and going on where a file ends."""

from collections.abc import Callable, Sequence
from pathlib import Path

from cwm.core.errors import DataError
from cwm.core.seeding import child_rng
from cwm.execution.progress import Progress, Status
from cwm.knowledge_pipeline.games import GameConfig
from cwm.providers.knowledge.acting.episodes import Played, game_key, play
from cwm.providers.knowledge.acting.players import ExpertPlayer, Player, Start
from cwm.providers.knowledge.records import (
    RecordT,
    Source,
    append_record,
    drop_torn_line,
    read_records,
)
from envs.text_games.base import Split, TextGame


def play_games(
    config: GameConfig,
    split: Split,
    path: Path,
    kind: type[RecordT],
    *,
    number: int,
    player: Callable[[TextGame], Player],
    source: Source,
    seed: int,
    record: Callable[[Played], RecordT],
    progress: Progress,
    title: str,
) -> list[RecordT]:
    """Returns the records of the first games of a split, played where they are missing.

    Each game has random numbers of its own: which games were played before does not
    matter.

    Args:
        config: Which games.
        split: Of which split.
        path: File of the records, one after the other.
        kind: Of the records.
        number: How many games.
        player: Returns who plays in an environment.
        source: Why.
        seed: Of what the player draws.
        record: Makes the record of an episode.
        progress: Told of every episode.
        title: What it is told when there is something to play.

    Raises:
        CwmError: If a game cannot be played.
    """
    drop_torn_line(path)
    known = read_records(path, kind) if path.exists() else []
    if len(known) >= number:
        return known[:number]
    progress.phase(title)
    scores: list[float] = []
    with config.open(split) as (env, max_steps):
        who = player(env)
        for game in range(len(known), number):

            def told(step: int, game: int = game) -> None:
                progress.update(_status(game, number, scores, f"step {step}"))

            played = play(
                env,
                who,
                game,
                env_id=config.id,
                max_steps=max_steps,
                source=source,
                rng=child_rng(seed, "player", split, game),
                on_step=told,
            )
            known.append(record(played))
            append_record(path, known[-1])
            scores.append(played.episode.score)
            progress.update(_status(game + 1, number, scores))
    return known


def expert_in(config: GameConfig, env: TextGame) -> ExpertPlayer:
    """Returns the expert of the game that an environment is in when it is asked."""

    def actions_of(start: Start) -> Sequence[str]:
        assert start.key == game_key(config.id, env.split, env.game), "the game begun"
        try:
            return env.expert_actions()
        except DataError:
            return ()  # It gives up, and the episode says so.

    return ExpertPlayer(actions_of)


def _status(
    completed: int, total: int, scores: Sequence[float], activity: str = ""
) -> Status:
    measures = {}
    if scores:
        measures["score x 100"] = f"{100 * sum(scores) / len(scores):.1f}"
    return Status(
        completed=completed,
        total=total,
        unit="games",
        activity=activity,
        measures=measures,
    )
