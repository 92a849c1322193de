"""The course of trainings as a picture: success, length, entropy, probabilities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cwm.core.protocols import FloatArray
from cwm.report.plots import COLOURS, FONT_SIZE, LINE_STYLES, new_figure, save_figure

PANEL_INCHES = 2.6
"""Height of a panel."""

BAND = "band: lowest to highest seed"
"""What bands are, in the title."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """How a training went.

    Attributes:
        log: What was known after each update, as `UpdateRecord.to_json` gives it; at
            least one.
        probabilities: What `Probes.ask` gave, with `num_frames`; may be empty.
    """

    log: Sequence[Mapping[str, Any]]
    probabilities: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A figure over frames, for all seeds of the same settings.

    Attributes:
        frames: Steps learned from, increasing, `[T]`.
        mean: Over the seeds, `[T]`.
        low: The lowest seed, `[T]`.
        high: The highest seed, `[T]`.
    """

    frames: FloatArray
    mean: FloatArray
    low: FloatArray
    high: FloatArray


def write_learning_plot(runs: Mapping[str, Sequence[Course]], path: Path) -> None:
    """Writes the picture of trainings as a PNG file.

    Raises:
        OSError: If the file cannot be written.
    """
    save_figure(draw_learning(runs), path)


def draw_learning(runs: Mapping[str, Sequence[Course]]) -> Any:
    """Returns a Matplotlib figure.

    From top to bottom, as far as the learner knows them: success, length of episodes,
    entropy and loss over frames; and, of a
    run on its own, the probability of each action on the fixed prompts.

    Args:
        runs: Label -> the runs of the same settings, with different seeds.
    """
    every = [course for courses in runs.values() for course in courses]
    probes = every[0].probabilities if len(every) == 1 else ()
    num_prompts = len(probes[0]["goals"]) if probes else 0
    panels = [
        panel
        for panel in _PANELS
        if any(panel[0] in line for course in every for line in course.log)
    ]
    num_rows = len(panels) + (num_prompts + 1) // 2
    figure = new_figure(0.6 + PANEL_INCHES * num_rows)
    grid = figure.add_gridspec(num_rows, 2)
    for row, (name, title, unit) in enumerate(panels):
        axes = figure.add_subplot(grid[row, :])
        _draw_panel(axes, runs, name)
        axes.set_title(title, fontsize=FONT_SIZE, loc="left")
        axes.set_ylabel(unit, fontsize=FONT_SIZE)
        if not row:
            axes.legend(fontsize=FONT_SIZE - 2, framealpha=0.8)
        axes.set_ylim(*((-0.03, 1.03) if name == "success_rate" else (0.0, None)))
        _finish(axes)
    for prompt in range(num_prompts):
        place = grid[len(panels) + prompt // 2, prompt % 2]
        axes = figure.add_subplot(place)
        _draw_probabilities(axes, probes, prompt)
        if not prompt:
            axes.legend(fontsize=FONT_SIZE - 3, framealpha=0.8)
        _finish(axes)
    if any(len(courses) > 1 for courses in runs.values()):
        figure.suptitle(f"line: mean of the seeds; {BAND}", fontsize=FONT_SIZE)
    return figure


_PANELS = (
    ("success_rate", "success rate of the last 200 episodes at most", "success"),
    ("mean_length", "length of the same episodes", "steps"),
    ("entropy", "entropy of the policy", "nats"),
    ("loss", "loss (cloning: -log p in nats; DRRN: Huber)", "loss"),
)
"""Figure of the log -> title and unit of its panel."""


def curve(courses: Sequence[Course], name: str) -> Curve | None:
    """Returns a figure of the log over the frames that all seeds have reached.

    Seeds whose updates were at other frames are interpolated linearly. `None` if a
    seed does not know the figure, or no frames are common to all.
    """
    found = [_known(course, name) for course in courses]
    if any(not len(frames) for frames, _ in found):
        return None
    low = max(frames[0] for frames, _ in found)
    high = min(frames[-1] for frames, _ in found)
    every = np.unique(np.concatenate([frames for frames, _ in found]))
    grid = every[(every >= low) & (every <= high)]
    if not len(grid):
        return None
    values = np.stack([np.interp(grid, frames, known) for frames, known in found])
    return Curve(
        frames=grid,
        mean=values.mean(axis=0),
        low=values.min(axis=0),
        high=values.max(axis=0),
    )


def _known(course: Course, name: str) -> tuple[FloatArray, FloatArray]:
    """Returns the updates that know a figure: frames and figures."""
    known = [(one["num_frames"], one.get(name)) for one in course.log]
    known = [(frames, value) for frames, value in known if value is not None]
    return (
        np.array([frames for frames, _ in known], dtype=np.float64),
        np.array([value for _, value in known], dtype=np.float64),
    )


def _draw_panel(axes: Any, runs: Mapping[str, Sequence[Course]], name: str) -> None:
    for number, (label, courses) in enumerate(runs.items()):
        found = curve(courses, name)
        # An empty line keeps the label of what has no curve here.
        frames = np.empty(0) if found is None else found.frames
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(
            frames,
            frames if found is None else found.mean,
            color=colour,
            linestyle=LINE_STYLES[number // len(COLOURS) % len(LINE_STYLES)],
            linewidth=1.6,
            # A line through one point would not be seen.
            marker="." if len(frames) == 1 else "",
            label=_plain(label),
        )
        if found is not None and len(courses) > 1:
            axes.fill_between(
                found.frames,
                found.low,
                found.high,
                color=colour,
                alpha=0.2,
                linewidth=0,
            )
    axes.set_xlabel("frames", fontsize=FONT_SIZE)


def _draw_probabilities(
    axes: Any, probes: Sequence[Mapping[str, Any]], prompt: int
) -> None:
    """Draws a line for each action; they add up to 1."""
    frames = [one["num_frames"] for one in probes]
    for number, action in enumerate(probes[0]["actions"]):
        axes.plot(
            frames,
            [one["probabilities"][prompt][number] for one in probes],
            color=COLOURS[number % len(COLOURS)],
            linestyle=LINE_STYLES[number // len(COLOURS) % len(LINE_STYLES)],
            linewidth=1.4,
            marker="." if len(frames) == 1 else "",
            label=_plain(action),
        )
    axes.set_ylim(-0.03, 1.03)
    goal = probes[0]["goals"][prompt]
    axes.set_title(
        _plain(f"prompt {prompt + 1}: {goal}"), fontsize=FONT_SIZE - 1, loc="left"
    )
    axes.set_xlabel("frames", fontsize=FONT_SIZE)
    axes.set_ylabel("probability", fontsize=FONT_SIZE)


def _finish(axes: Any) -> None:
    axes.set_xlim(left=0.0)
    axes.tick_params(labelsize=FONT_SIZE - 1)
    axes.grid(visible=True, axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _plain(text: str) -> str:
    """Returns text in which Matplotlib sees no formula, and that legends show."""
    shown = text.replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown
