"""Episodes by several workers: as by one, whatever becomes of the workers."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cwm.core.errors import ClusterError, ConfigError
from cwm.core.protocols import StepResult, WorldModel
from cwm.evaluation.episodes import ActingConfig, EpisodeResult
from cwm.evaluation.parallel import StepNote, run_episodes
from cwm.evaluation.setups import EnvironmentRef, Setup, usual_tolerances
from envs.registry import find
from envs.spec import EnvSpec
from planners.registry import PlannerConfig
from sandbox.errors import SandboxUnavailable

LINE = "tests.support.toy_envs:Toy-Line-v0"
ERRORS: dict[str, Exception] = {
    "config": ConfigError("model must be another, got this one."),
    "sandbox": SandboxUnavailable("no lock"),
}


@dataclass(frozen=True)
class TroubledLine:
    """The line; its model kills the processes that ask it, or raises.

    Attributes:
        folder: Where it marks each death.
        num_deaths: How many processes it kills.
        error: Name of what it raises when it is opened.
        step_error: Name of what it raises when it is asked.
    """

    folder: str = ""
    num_deaths: int = 0
    error: str = ""
    step_error: str = ""
    name: str = "line"
    environment_id: str = LINE

    def check(self, spec: EnvSpec, *, num_processes: int = 1) -> None:
        """Takes any environment."""

    @contextmanager
    def open(self, spec: EnvSpec) -> Iterator[WorldModel]:
        if self.error:
            raise ERRORS[self.error]
        yield TroubledModel(self)

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name}


class TroubledModel:
    def __init__(self, line: TroubledLine) -> None:
        self._line = line

    def step(self, state: Any, action: Any, rng: Any) -> StepResult:
        if self._line.step_error:
            raise ERRORS[self._line.step_error]
        for number in range(self._line.num_deaths):
            mark = Path(self._line.folder) / f"death-{number}"
            try:
                mark.touch(exist_ok=False)
            except FileExistsError:
                continue
            os.kill(os.getpid(), signal.SIGKILL)
        place = min(max(state + 2 * action - 1, 0), 5)
        return StepResult(place, place, float(place), place == 5)

    def legal_actions(self, state: Any) -> None:
        return None


def setup_of(model: TroubledLine) -> Setup:
    spec = find(LINE)
    return Setup(
        name="line",
        environment=EnvironmentRef.of(spec),
        kind="other",
        model=model,
        planner=PlannerConfig(name="random-shooting", model_steps=60, horizon=6),
        acting=ActingConfig(max_steps=6),
        tolerances=usual_tolerances(spec, 0),
        seed=3,
    )


def told(episode: EpisodeResult) -> tuple[Any, ...]:
    """All of an episode but its times."""
    steps = tuple(replace(step, decision_s=None) for step in episode.steps)
    return episode.index, episode.seed, steps


def test_any_number_of_workers_plays_the_same() -> None:
    setup = setup_of(TroubledLine())

    one, three = (run_episodes(setup, 5, num_workers=n) for n in (1, 3))

    assert [episode.index for episode in three] == [0, 1, 2, 3, 4]
    assert list(map(told, one)) == list(map(told, three))
    assert not multiprocessing.active_children()


def test_an_episode_whose_worker_died_is_played_again(tmp_path: Path) -> None:
    calm = run_episodes(setup_of(TroubledLine()), 3)
    troubled = setup_of(TroubledLine(folder=str(tmp_path), num_deaths=2))
    events: list[str] = []

    found = run_episodes(troubled, 3, num_workers=2, on_event=events.append)

    assert list(map(told, found)) == list(map(told, calm))
    assert len(events) == 2
    assert "its piece is done again: its process was ended by SIGKILL" in events[0]


def test_an_episode_that_no_worker_survives_ends_all(tmp_path: Path) -> None:
    troubled = setup_of(TroubledLine(folder=str(tmp_path), num_deaths=1_000))

    with pytest.raises(
        ClusterError,
        match=r"Episode \d was not played: 3 workers died at it, the last one: its "
        r"process was ended by SIGKILL \(short of memory\?\)\.",
    ):
        run_episodes(troubled, 3, num_workers=2)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("num_workers", [1, 2])
@pytest.mark.parametrize(
    ("model", "kind", "text"),
    [
        (TroubledLine(error="config"), ConfigError, "model must be another"),
        (TroubledLine(step_error="sandbox"), SandboxUnavailable, "no lock"),
    ],
)
def test_what_a_worker_raises_is_raised_here(
    num_workers: int, model: TroubledLine, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text) as caught:
        run_episodes(setup_of(model), 3, num_workers=num_workers)

    assert type(caught.value) is kind
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("num_workers", [1, 2])
def test_notes_and_episodes_are_told_to_who_asked(num_workers: int) -> None:
    told_in: set[int] = set()
    notes: list[StepNote] = []
    ended: list[int] = []

    def on_note(note: StepNote) -> None:
        told_in.add(threading.get_ident())
        notes.append(note)

    run_episodes(
        setup_of(TroubledLine()),
        3,
        num_workers=num_workers,
        on_note=on_note,
        on_episode=lambda episode: ended.append(episode.index),
    )

    assert told_in == {threading.get_ident()}
    assert {note.index for note in notes} == {0, 1, 2}
    assert next(n.num_steps for n in notes if n.index == 2) == 1
    assert sorted(ended) == [0, 1, 2]


@pytest.mark.parametrize(("episodes", "workers"), [(0, 1), (1, 0)])
def test_there_must_be_an_episode_and_a_worker(episodes: int, workers: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1, got {episodes} and {workers}"):
        run_episodes(setup_of(TroubledLine()), episodes, num_workers=workers)
