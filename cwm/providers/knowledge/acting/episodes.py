"""Playing text games: one episode, and what it cost.

Covers: the steps, the best score, how it ended. Does not cover: which games, by whom,
and what is kept; `cwm.knowledge` knows that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from cwm.providers.knowledge.acting.players import (
    GaveUp,
    Move,
    OutOfContext,
    Player,
    Session,
    Start,
    Usage,
)
from cwm.providers.knowledge.conversations import FORMAT_ERROR
from cwm.providers.knowledge.records import Ending, Episode, Source, Step
from envs.text_games.base import TextGame


@dataclass(frozen=True, kw_only=True)
class Played:
    """An episode, and what it cost.

    Attributes:
        episode: What was seen and done.
        usage: What was asked of language models.
        seconds: How long it took, the environment included.
        traces: Of each step, as the player gave them.
    """

    episode: Episode
    usage: Usage
    seconds: float
    traces: tuple[dict[str, Any], ...]


def game_key(env_id: str, split: str, game: int) -> str:
    """Returns the name of a game, the same whoever plays it."""
    return f"{env_id}/{split}/{game}"


def play(
    env: TextGame,
    player: Player,
    game: int,
    *,
    env_id: str,
    max_steps: int,
    source: Source,
    rng: np.random.Generator,
    on_step: Callable[[int], None] = lambda _: None,
) -> Played:
    """Returns an episode.

    Args:
        env: The game's environment, without a time limit of its own.
        player: Who acts.
        game: Which game of the environment's split.
        env_id: Name of the environment, for the record.
        max_steps: Steps after which it is cut off; at least 1. A game that allows
            fewer of itself ends before.
        source: Why it is played.
        rng: For the player; advanced by the episode.
        on_step: Told of every step, from 1.
    """
    begin = perf_counter()
    observation, _ = env.reset(seed=game)
    start = Start(
        instruction=env.instruction,
        observation=observation,
        task=env.task,
        key=game_key(env_id, env.split, env.game),
    )
    steps: list[Step] = []
    traces: list[dict[str, Any]] = []
    session: Session | None = None
    ending: Ending = "out_of_steps"
    try:
        session = player.begin(start, rng)
        limit = min(max_steps, env.max_steps or max_steps)
        while len(steps) < limit and not env.is_over:
            move = session.act(env.legal_actions)
            steps.append(_carry_out(env, move))
            traces.append(move.trace)
            if not env.is_over and len(steps) < limit:
                session.see(steps[-1].observation, is_legal=steps[-1].is_legal)
            on_step(len(steps))
        if env.is_over:
            ending = "won" if env.has_won else "lost"
    except OutOfContext:
        ending = "out_of_context"
    except GaveUp:
        ending = "gave_up"
    episode = Episode(
        id=start.key,
        env=env_id,
        task=start.task,
        split=env.split,
        game=env.game,
        instruction=start.instruction,
        observation=observation,
        steps=tuple(steps),
        score=env.score,
        ending=ending,
        source=source,
        made_by=player.name,
    )
    return Played(
        episode=episode,
        usage=Usage() if session is None else session.usage,
        seconds=perf_counter() - begin,
        traces=tuple(traces),
    )


def _carry_out(env: TextGame, move: Move) -> Step:
    """Returns the step of a move; without a command the game stands still."""
    if not move.action:
        return Step(
            thought=move.thought,
            action="",
            observation=FORMAT_ERROR,
            score=env.score,
            is_legal=False,
        )
    observation, _, _, _, info = env.step(move.action)
    return Step(
        thought=move.thought,
        action=move.action,
        observation=observation,
        score=float(info["score"]),
        is_legal=bool(info["is_legal"]),
    )
