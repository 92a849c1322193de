"""Episodes that outlive a kill: each is on the disk when the next one begins."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cwm.core.errors import DataError
from cwm.core.files import write_atomically
from cwm.evaluation.episodes import EpisodeResult
from cwm.evaluation.setups import Setup, open_actor
from planners.registry import planner_config_to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeRecord:
    """What is kept of an episode.

    Attributes:
        index: Which one it is, from 0.
        episode_return: Sum of the rewards.
        num_steps: Its length.
        terminated: Whether it ended in a terminal state.
        num_decisions: How often a plan was asked for.
        num_failures: How often there was none.
        failure: Why, the first time; else empty.
        decision_s: Seconds that all decisions took.
        rewards: Those of its steps.
    """

    index: int
    episode_return: float
    num_steps: int
    terminated: bool
    num_decisions: int
    num_failures: int
    failure: str
    decision_s: float
    rewards: tuple[float, ...] = ()

    @classmethod
    def of(cls, episode: EpisodeResult) -> "EpisodeRecord":
        """Returns what is kept of an episode."""
        steps = episode.steps
        failures = [step.failure.partition("\n")[0] for step in steps if step.failure]
        return cls(
            index=episode.index,
            episode_return=episode.episode_return,
            num_steps=len(steps),
            terminated=episode.terminated,
            num_decisions=episode.num_decisions,
            num_failures=episode.num_failures,
            failure=failures[0] if failures else "",
            decision_s=sum(step.decision_s or 0.0 for step in steps),
            rewards=tuple(step.reward for step in steps),
        )


def play(
    setup: Setup,
    num_episodes: int,
    path: Path,
    *,
    on_episode: Callable[[EpisodeRecord], None] = lambda episode: None,
) -> tuple[EpisodeRecord, ...]:
    """Returns the episodes of a setup; plays those that are not in a file.

    An episode depends on its seed only, so that those of two commands are those of
    one.

    Args:
        setup: What acts how.
        num_episodes: How many; at least 1.
        path: The file: JSON lines, the first of which says what `setup` was. With
            another setup it is begun anew.
        on_episode: Is told of each episode that is played.

    Raises:
        CwmError: If a setting is wrong or the environment fails.
        SandboxUnavailable: If programs cannot be run at all.
    """
    header = {"setup": digest(setup), "model": setup.name}
    found = {one.index: one for one in _read(path, header)}
    if all(index in found for index in range(num_episodes)):
        return tuple(found[index] for index in range(num_episodes))
    lines = [header, *map(asdict, found.values())]
    path.parent.mkdir(parents=True, exist_ok=True)
    # Once more from the start: what a kill left of a line is gone.
    write_atomically(path, "".join(json.dumps(line) + "\n" for line in lines))
    with path.open("a", encoding="utf-8") as file, open_actor(setup) as actor:
        for index in range(num_episodes):
            if index in found:
                continue
            record = EpisodeRecord.of(actor.run(index, setup.episode_seed(index)))
            file.write(json.dumps(asdict(record)) + "\n")
            file.flush()
            os.fsync(file.fileno())
            found[index] = record
            on_episode(record)
    return tuple(found[index] for index in range(num_episodes))


def _read(path: Path, header: dict[str, str]) -> list[EpisodeRecord]:
    """Returns the episodes of a file; none if it is of another setup."""
    if not path.exists():
        return []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        if not lines or json.loads(lines[0]) != header:
            return []
        records = [json.loads(line) for line in lines[1:]]
        return [
            EpisodeRecord(**{**record, "rewards": tuple(record["rewards"])})
            for record in records
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error!r}.") from error


def digest(setup: Setup) -> str:
    """Returns a hash of all that decides what the episodes of a setup are."""
    parts: dict[str, Any] = {
        "environment": asdict(setup.environment),
        "kind": setup.kind,
        "source": setup.source,
        "planner": planner_config_to_json(setup.planner),
        "planning": asdict(setup.planner.planning()),
        "acting": asdict(setup.acting),
        "tolerances": asdict(setup.tolerances),
        "seed": setup.seed,
        "limits": asdict(setup.limits) if setup.kind == "program" else None,
    }
    if setup.capabilities and setup.kind == "program":
        parts["capabilities"] = setup.capabilities
    if setup.model is not None:
        parts["model"] = setup.model.to_json()
    if setup.guide is not None:
        parts["guide"] = setup.guide.to_json()
    if setup.kind == "random":
        for name in ("planner", "planning", "tolerances"):
            del parts[name]
        parts["acting"] = setup.acting.max_steps
    text = json.dumps(parts, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return repr(value)


def returns(episodes: Sequence[EpisodeRecord]) -> list[float]:
    """Returns the returns of some episodes."""
    return [episode.episode_return for episode in episodes]
