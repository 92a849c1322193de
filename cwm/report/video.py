"""A video of an episode: the real environment beside a world model's rollout.

The frames are drawn after the episode, from its seed and its actions, so that acting
takes no longer. The right half is the environment, put into the state that the model
predicts; the model is not told what really happened after the first observation.

Covers: GIF and mp4. Does not cover: how the model is run (`cwm.evaluation.drift`).
"""

import math
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from cwm.core.errors import ConfigError, DataError
from cwm.core.spaces import Value
from cwm.core.trajectories import Transition
from cwm.evaluation.drift import Drift, follow, transitions_of
from cwm.evaluation.episodes import EpisodeResult
from cwm.evaluation.setups import Setup
from cwm.execution.progress import Progress, Status
from cwm.report.frames import FrameMaker, Half
from cwm.report.picture_packages import FOR_GIF, FOR_MP4, load, require_packages
from envs.plain_data import same_value
from envs.rendering import Picture, RenderedEnv
from envs.restart import Restarter, find_restarter
from envs.spec import EnvSpec

SUFFIXES = {".gif": FOR_GIF, ".mp4": FOR_MP4}
"""Ending of the file -> packages that write it."""

MAX_FPS = 50.0
"""GIFs count in hundredths of a second, and many viewers slow down faster ones."""

NO_RESTART = (
    "This environment cannot be put into the state that an observation shows, so what "
    "the model predicts cannot be drawn."
)
OTHER_EPISODE = (
    "From here on the environment does not repeat the recorded episode from its seed."
)


def check_video(path: Path, spec: EnvSpec, seed: int) -> None:
    """Makes sure that a video of an environment can be made, before the work.

    Raises:
        ConfigError: If the file has another ending, or the environment cannot be
            drawn.
        PrerequisiteError: If something must be installed first.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(f"video must end in .gif or .mp4, got {str(path)!r}.")
    require_packages(SUFFIXES[suffix], option="--video")
    RenderedEnv(spec, seed).close()


def write_video(
    path: Path,
    setup: Setup,
    episode: EpisodeResult,
    *,
    title: str,
    max_steps: int,
    progress: Progress,
) -> int:
    """Writes the video of an episode; returns how many steps it shows.

    Args:
        path: The file; its ending says which kind.
        setup: What acted, with a world model.
        episode: One of its episodes.
        title: What the model is called.
        max_steps: Steps to show, at most.
        progress: Is told how it goes.

    Raises:
        CwmError: If the environment fails, or cannot be drawn.
        OSError: If the file cannot be written.
        SandboxUnavailable: If programs cannot be run here.
    """
    progress.phase(f"video of {title}")
    drift = follow(setup, episode, max_steps=max_steps)
    spec = setup.environment.find()
    transitions = transitions_of(spec, episode, max_steps)
    with (
        closing(RenderedEnv(spec, episode.seed)) as real,
        closing(RenderedEnv(spec, episode.seed)) as drawn,
    ):
        film = _Film(
            transitions,
            drift,
            real=real,
            model=_ModelView(drawn, find_restarter(spec, setup.seed)),
            title=title,
        )
        fps = min(real.frames_per_second, MAX_FPS)
        _write(path, _watched(film.frames(), len(transitions) + 1, progress), fps)
    return len(transitions)


def _watched(
    frames: Iterator[Picture], total: int, progress: Progress
) -> Iterator[Picture]:
    for number, frame in enumerate(frames, start=1):
        progress.update(Status(completed=number, total=total, unit="frames"))
        yield frame


class _ModelView:
    """Draws what a model predicts, as far as that can be drawn."""

    def __init__(self, env: RenderedEnv, restarter: Restarter | None) -> None:
        self._env = env
        self._restarter = restarter
        self._last: Picture | None = None

    def half(self, observation: Value) -> Half:
        """Returns a predicted observation as a picture, or in words why not."""
        if self._restarter is None:
            return Half(words=NO_RESTART)
        try:
            self._last = self._env.picture_of(self._restarter, observation)
        except DataError as error:
            return self.ended(f"What the model predicts cannot be drawn. {error}")
        return Half(picture=self._last)

    def ended(self, words: str) -> Half:
        """Returns the last picture with words over it."""
        return Half(picture=self._last, words=words)


class _Film:
    """The frames of an episode."""

    def __init__(
        self,
        transitions: tuple[Transition, ...],
        drift: Drift,
        *,
        real: RenderedEnv,
        model: _ModelView,
        title: str,
    ) -> None:
        self._transitions = transitions
        self._drift = drift
        self._real = real
        self._model = model
        self._title = title
        self._is_other = False

    def frames(self) -> Iterator[Picture]:
        """Yields the frame of the first observation, and one after each step.

        Raises:
            DataError: If the real environment fails, or cannot be drawn.
        """
        first = self._transitions[0].observation
        left = self._left(self._real.reset(), first)
        assert left.picture is not None, "the real environment is always drawn"
        height, width = left.picture.shape[:2]
        title = f"world model, never corrected: {self._title}"
        maker = FrameMaker("real environment", title, (height, width))
        yield maker.frame(left, self._model.half(first), self.caption(0))
        for number, real in enumerate(self._transitions, start=1):
            left = self._left(self._real.step(real.action), real.next_observation)
            yield maker.frame(left, self._right(number), self.caption(number))

    def caption(self, number: int) -> str:
        """Returns what is said below the frame after so many steps."""
        known = self._drift.predictions
        real = math.fsum(step.reward for step in self._transitions[:number])
        model = math.fsum(step.reward for step in known[:number])
        parts = [f"step {number:,}", f"reward so far: real {real:.5g}"]
        if 0 < number <= len(known):
            parts += [f"model {model:.5g}"]
            parts += [f"error {self._drift.errors[number - 1].size:.2g}"]
        elif number:
            parts += [f"model {model:.5g} in {len(known):,} steps"]
        return "   ".join(parts)

    def _left(self, shown: Value, recorded: Value) -> Half:
        self._is_other = self._is_other or not same_value(shown, recorded)
        words = OTHER_EPISODE if self._is_other else ""
        return Half(picture=self._real.picture(), words=words)

    def _right(self, number: int) -> Half:
        known = self._drift.predictions
        if number <= len(known):
            return self._model.half(known[number - 1].observation)
        return self._model.ended(self._drift.ending)


def _write(path: Path, frames: Iterator[Picture], fps: float) -> None:
    """Writes frames, at least 1, into a file that is there when it is whole."""
    suffix = path.suffix.lower()
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{suffix}")
    try:
        if suffix == ".gif":
            _write_gif(temporary, frames, fps)
        else:
            _write_mp4(temporary, frames, fps)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_gif(path: Path, frames: Iterator[Picture], fps: float) -> None:
    images = map(load("PIL.Image").fromarray, frames)
    next(images).save(
        path,
        format="GIF",
        save_all=True,
        append_images=images,
        duration=10 * round(100 / fps),
        loop=0,
    )


def _write_mp4(path: Path, frames: Iterator[Picture], fps: float) -> None:
    writer = load("imageio.v2").get_writer(
        str(path),
        format="FFMPEG",
        mode="I",
        fps=fps,
        codec="libx264",
        macro_block_size=2,
        ffmpeg_log_level="error",
    )
    with closing(writer):
        for frame in frames:
            writer.append_data(frame)
