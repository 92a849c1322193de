"""What a video shows, frame by frame."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.evaluation.episodes import ActingConfig, EpisodeResult
from cwm.evaluation.parallel import run_episodes
from cwm.evaluation.setups import EnvironmentRef, Setup
from cwm.execution.progress import SilentProgress
from cwm.programs.tolerances import Tolerances
from cwm.report import video
from cwm.report.frames import FrameMaker, Half
from cwm.report.video import NO_RESTART, OTHER_EPISODE, check_video, write_video
from envs.registry import find
from planners.registry import PlannerConfig
from sandbox.limits import Limits
from tests.support.drawn_envs import SIDE, drawn

pytestmark = [
    pytest.mark.plot,
    pytest.mark.skipif(sys.platform != "linux", reason="the filter needs Linux"),
]
image: Any = pytest.importorskip("PIL.Image")

EXACT = Tolerances(observation={}, reward=1e-4, reward_dtype="float64")
RIGHT = """
class Environment:
    def set_state(self, observation):
        self.place = observation

    def step(self, action):
        self.place = min(max(self.place + 2 * action - 1, 0), 5)
        return self.place, float(self.place), self.place == 5
"""
AHEAD = RIGHT.replace("2 * action - 1", "1")
BEHIND = RIGHT.replace("2 * action - 1", "-1")
RAISING = RIGHT.replace(
    "        self.place = min", "        1 / 0\n        self.x = min"
)


class Seen:
    """A frame as it was put together."""

    def __init__(self, left: Half, right: Half, caption: str) -> None:
        self.left, self.right, self.caption = left, right, caption

    @property
    def places(self) -> tuple[int | None, int | None]:
        return place(self.left), place(self.right)


def place(half: Half) -> int | None:
    """Where the walk is on a picture; `None` where words say it."""
    if half.words:
        return None
    assert half.picture is not None
    return int(np.flatnonzero(half.picture[0, :, 0])[0]) // SIDE


@pytest.fixture
def frames(monkeypatch: pytest.MonkeyPatch) -> list[Seen]:
    """Frames as they are made; they are written all the same."""
    seen: list[Seen] = []

    class Watched(FrameMaker):
        def frame(self, left: Half, right: Half, caption: str) -> Any:
            seen.append(Seen(left, right, caption))
            return super().frame(left, right, caption)

    monkeypatch.setattr(video, "FrameMaker", Watched)
    return seen


def setup(source: str = RIGHT, env: str = "Drawn", **changes: Any) -> Setup:
    settings: dict[str, Any] = {
        "name": "model.py",
        "environment": EnvironmentRef.of(find(drawn(env))),
        "kind": "program",
        "source": source,
        "planner": PlannerConfig(name="random-shooting", model_steps=20, horizon=4),
        "acting": ActingConfig(),
        "tolerances": EXACT,
        "seed": 0,
        "limits": Limits(wall_s=20.0, memory_mib=128),
    }
    return Setup(**(settings | changes))


def walk(env: str = "Drawn", first: Sequence[int] = (1, 0)) -> EpisodeResult:
    """A walk of random actions of at least 6 steps that begins with certain ones."""
    for seed in range(200):
        (episode,) = run_episodes(setup(env=env, kind="random", seed=seed), 1)
        actions = episode.trajectory.actions[""]
        if len(episode.steps) >= 6 and list(actions[: len(first)]) == list(first):
            return episode
    raise AssertionError("no such walk")


def real(episode: EpisodeResult) -> list[int]:
    return [int(place) for place in episode.trajectory.observations[""]]


def write(path: Path, made: Setup, episode: EpisodeResult, max_steps: int = 300) -> int:
    return write_video(
        path,
        made,
        episode,
        title=made.name,
        max_steps=max_steps,
        progress=SilentProgress(),
    )


def test_a_right_model_shows_the_same_twice(tmp_path: Path, frames: list[Seen]) -> None:
    episode = walk()
    assert write(tmp_path / "a.gif", setup(), episode) == len(episode.steps)
    assert [frame.places for frame in frames] == [(p, p) for p in real(episode)]
    assert frames[0].caption == "step 0   reward so far: real 0"
    # From 2 one step to the right and one back: rewards 3 and 2.
    assert frames[2].caption == "step 2   reward so far: real 5   model 5   error 0"


def test_a_wrong_model_drifts_away_until_it_ends(
    tmp_path: Path, frames: list[Seen]
) -> None:
    write(tmp_path / "a.gif", setup(AHEAD), walk(), max_steps=4)
    assert [frame.places[1] for frame in frames[:4]] == [2, 3, 4, 5]
    assert frames[2].places == (2, 4)
    assert "real 5   model 7   error " in frames[2].caption
    last = frames[4].right
    assert last.words == "The model says that the episode is over."
    assert last.picture is not None
    assert frames[4].caption.endswith("model 12 in 3 steps")


def test_where_a_model_has_no_answer_the_reason_is_shown(
    tmp_path: Path, frames: list[Seen]
) -> None:
    write(tmp_path / "a.gif", setup(RAISING), walk(), max_steps=2)
    assert frames[0].places == (2, 2)
    assert "ZeroDivisionError" in frames[1].right.words
    assert frames[1].places[0] == 3


def test_where_nothing_can_be_restarted_words_say_so(
    tmp_path: Path, frames: list[Seen]
) -> None:
    write(tmp_path / "a.gif", setup(env="Hidden"), walk("Hidden"), max_steps=2)
    assert {frame.right.words for frame in frames} == {NO_RESTART}
    assert [frame.places[0] for frame in frames] == [2, 3, 2]


def test_a_prediction_that_cannot_be_drawn_is_said_and_the_next_one_drawn(
    tmp_path: Path, frames: list[Seen]
) -> None:
    # The model is at the left end after two steps, where drawing fails.
    there = AHEAD.replace(
        "self.place + 1", "(1 if self.place == 0 else 0 if self.place == 3 else 3)"
    )
    write(tmp_path / "a.gif", setup(there, env="Shy"), walk("Shy"), max_steps=3)
    assert frames[1].places[1] == 3
    assert "cannot be drawn" in frames[2].right.words
    assert "nobody may see this" in frames[2].right.words
    assert frames[3].places[1] == 1


def test_an_episode_that_does_not_come_again_is_noticed(
    tmp_path: Path, frames: list[Seen]
) -> None:
    episode = walk("Disturbed")
    write(tmp_path / "a.gif", setup(env="Disturbed"), episode)
    words = [frame.left.words for frame in frames]
    assert words[0] == ""
    assert words[-1] == OTHER_EPISODE


def test_the_oracle_is_shown_as_a_model_is(tmp_path: Path, frames: list[Seen]) -> None:
    episode = walk()
    write(tmp_path / "a.gif", setup(kind="true", source=""), episode)
    assert [frame.places for frame in frames] == [(p, p) for p in real(episode)]


def test_a_gif_has_a_frame_for_each_step_at_the_speed_of_the_environment(
    tmp_path: Path,
) -> None:
    write(tmp_path / "a.gif", setup(BEHIND), walk(), max_steps=5)
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]
    with image.open(tmp_path / "a.gif") as opened:
        assert opened.n_frames == 6
        assert opened.info["duration"] == 200
        assert opened.size[0] == 808


def test_an_mp4_has_a_frame_for_each_step(tmp_path: Path) -> None:
    pytest.importorskip("imageio")
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    write(tmp_path / "a.mp4", setup(BEHIND), walk(), max_steps=5)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    number, seconds = ffmpeg.count_frames_and_secs(str(tmp_path / "a.mp4"))
    assert number == 6
    assert seconds == pytest.approx(6 / 5.0, abs=0.05)


def test_a_video_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    (tmp_path / "a.gif").write_bytes(b"old")
    monkeypatch.setattr(FrameMaker, "frame", fail)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.gif", setup(), walk(), max_steps=2)
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]
    assert (tmp_path / "a.gif").read_bytes() == b"old"


@pytest.mark.parametrize("shape", [(400, 600), (500, 500), (256, 768), (7, 3)])
def test_frames_have_even_sides_and_keep_their_proportions(
    shape: tuple[int, int],
) -> None:
    maker = FrameMaker("left", "right", shape)
    picture = np.full((*shape, 3), 200, dtype=np.uint8)
    frame = maker.frame(Half(picture=picture), Half(words="none"), "caption")
    assert frame.dtype == np.uint8
    assert not any(side % 2 for side in frame.shape[:2])
    lit = (frame[:, :400] == 200).all(axis=2)
    height, width = lit.any(axis=1).sum(), lit.any(axis=0).sum()
    assert height / width == pytest.approx(shape[0] / shape[1], rel=0.02)


def test_long_words_stay_inside_their_half() -> None:
    maker = FrameMaker("real", "m" * 200, (100, 100))
    blank = maker.frame(Half(), Half(), "")
    written = maker.frame(Half(), Half(words="no answer, " * 200), "")
    differs = (blank != written).any(axis=2)
    assert differs.any()
    assert not differs[:, :408].any()
    right_edge = blank[:26, -4:]
    assert (right_edge == 255).all()


@pytest.mark.parametrize("name", ["a.avi", "a", "gif"])
def test_other_kinds_of_files_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"video must end in \.gif or \.mp4, got"):
        check_video(Path(name), find(drawn()), 0)


def test_an_environment_that_cannot_be_drawn_is_refused_before_the_work() -> None:
    with pytest.raises(ConfigError, match="cannot be drawn"):
        check_video(Path("a.gif"), find(drawn("Unseen")), 0)
