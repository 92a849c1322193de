"""Returns and prediction errors of an evaluation, as a picture.

Matplotlib is imported when it is needed, and drawn with by objects of ours alone:
neither its state nor a window is touched.
"""

import math
import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cwm.core.errors import ConfigError
from cwm.core.protocols import FloatArray
from cwm.report.picture_packages import FOR_PLOT, load, require_packages
from cwm.report.planning import PlanningReport, PlanningRow

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, told apart with any kind of colour vision."""

MARKERS = "osD^vPX"
LINE_STYLES = ("-", "--", "-.", ":")

BAND_PERCENTILES = (5.0, 95.0)

WIDTH_INCHES = 8.5
DOTS_PER_INCH = 150
FONT_SIZE = 10

LABEL_CHARS = 60
"""Characters of all labels below an axis side by side; then they are turned."""

SMALLEST_SHOWN = 1e-6
"""Errors below it are drawn almost as 0."""


def check_plot(path: Path) -> None:
    """Makes sure that a plot can be drawn, before the work.

    Raises:
        ConfigError: If the file has another ending.
        PrerequisiteError: If Matplotlib is not installed.
    """
    if path.suffix.lower() != ".png":
        raise ConfigError(f"plot must end in .png, got {str(path)!r}.")
    require_packages(FOR_PLOT, option="--plot")


def write_plot(report: PlanningReport, path: Path) -> None:
    """Writes the picture of a report as a PNG file.

    Raises:
        OSError: If the file cannot be written.
    """
    save_figure(draw_report(report), path)


def new_figure(height: float) -> Any:
    """Returns an empty Matplotlib figure of the usual width, `height` inches high."""
    figure = load("matplotlib.figure").Figure(
        figsize=(WIDTH_INCHES, height), layout="constrained"
    )
    load("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any, path: Path) -> None:
    """Writes a figure as a PNG file, whole or not at all.

    Raises:
        OSError: If the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        figure.savefig(temporary, format="png", dpi=DOTS_PER_INCH)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def draw_report(report: PlanningReport) -> Any:
    """Returns a Matplotlib figure: the returns and, if any, the errors below them."""
    courses = {
        index: course
        for index, row in enumerate(report.rows)
        if (course := error_course(row)) is not None
    }
    num_panels = 2 if courses else 1
    figure = new_figure(3.8 * num_panels)
    panels = figure.subplots(num_panels, 1, squeeze=False)[:, 0]
    _draw_returns(panels[0], report)
    if courses:
        _draw_errors(panels[1], report, courses)
    return figure


@dataclass(frozen=True, kw_only=True)
class ErrorCourse:
    """Prediction errors of a row by step, `[T]` each; steps without any are left out.

    Attributes:
        steps: Steps of the episode, from 1.
        median: Over the episodes in which that step was predicted.
        low: 5th percentile.
        high: 95th percentile.
    """

    steps: FloatArray
    median: FloatArray
    low: FloatArray
    high: FloatArray


def error_course(row: PlanningRow) -> ErrorCourse | None:
    """Returns how errors go over the episodes of a row; `None` without any."""
    by_step: dict[int, list[float]] = {}
    for episode in row.episodes:
        for number, step in enumerate(episode.steps, start=1):
            if step.error is not None:
                by_step.setdefault(number, []).append(step.error.size)
    if not by_step:
        return None
    steps = sorted(by_step)
    percentiles = (BAND_PERCENTILES[0], 50.0, BAND_PERCENTILES[1])
    low, median, high = np.array(
        [np.percentile(by_step[step], percentiles) for step in steps]
    ).T
    return ErrorCourse(
        steps=np.array(steps, dtype=np.float64), median=median, low=low, high=high
    )


def _draw_returns(axes: Any, report: PlanningReport) -> None:
    """Draws a point for each episode, and means with their intervals beside them."""
    for index, row in enumerate(report.rows):
        returns = [episode.episode_return for episode in row.episodes]
        spread = np.linspace(-0.12, 0.12, len(returns)) if len(returns) > 1 else [0.0]
        colour = COLOURS[index % len(COLOURS)]
        axes.plot(
            index - 0.1 + np.asarray(spread),
            returns,
            linestyle="",
            marker=".",
            markersize=5,
            color=colour,
            alpha=0.5,
        )
        mean = row.summary.returns
        axes.errorbar(
            [index + 0.22],
            [mean.value],
            # A mean outside its own interval is possible, a negative length is not.
            yerr=[
                [max(0.0, mean.value - mean.low)],
                [max(0.0, mean.high - mean.value)],
            ],
            marker=MARKERS[index % len(MARKERS)],
            markersize=6,
            color=colour,
            capsize=4,
        )
    _draw_references(axes, report.rows)
    titles = [row.title for row in report.rows]
    axes.set_xticks(range(len(titles)))
    width = max(12, LABEL_CHARS // len(titles) if len(titles) > 1 else LABEL_CHARS)
    is_turned = len(titles) * 12 > LABEL_CHARS
    labels = [_label(title, 40 if is_turned else width) for title in titles]
    axes.set_xticklabels(
        labels,
        fontsize=FONT_SIZE - 1,
        rotation=30 if is_turned else 0,
        ha="right" if is_turned else "center",
    )
    axes.set_xlim(-0.6, len(titles) - 0.4)
    numbers = sorted({row.summary.num_episodes for row in report.rows})
    counts = " or ".join(f"{number:,}" for number in numbers)
    unit = "episode" if numbers == [1] else "episodes"
    axes.set_title(
        f"{_plain(report.environment)}: return of {counts} {unit}, mean with "
        "95 % bootstrap interval",
        fontsize=FONT_SIZE,
        loc="left",
    )
    axes.set_ylabel("return (sum of rewards)", fontsize=FONT_SIZE)
    _finish(axes)


def _draw_references(axes: Any, rows: Sequence[PlanningRow]) -> None:
    """Draws lines at the mean returns of random actions and of the oracles."""
    lines = []
    for row in rows:
        if row.model not in ("random", "true"):
            continue
        is_random = row.model == "random"
        name = "random actions" if is_random else f"oracle ({row.planner})"
        mean = row.summary.returns.value
        lines.append(
            axes.axhline(
                mean,
                color="#666666",
                linewidth=1.2,
                linestyle=":" if is_random else "--",
                label=f"{name}: {mean:.5g}",
                zorder=0,
            )
        )
    if lines:
        axes.legend(handles=lines, fontsize=FONT_SIZE - 2, framealpha=0.8)


def _draw_errors(
    axes: Any, report: PlanningReport, courses: dict[int, ErrorCourse]
) -> None:
    """Draws the median error of each row over the steps, with its band."""
    handles, labels = [], []
    for index, course in courses.items():
        colour = COLOURS[index % len(COLOURS)]
        style = LINE_STYLES[index % len(LINE_STYLES)]
        (line,) = axes.plot(
            course.steps,
            course.median,
            color=colour,
            linestyle=style,
            linewidth=1.6,
            # A line through one point, or along the axis, would not be seen.
            marker="." if len(course.steps) == 1 else "",
            clip_on=False,
        )
        axes.fill_between(
            course.steps, course.low, course.high, color=colour, alpha=0.2, linewidth=0
        )
        handles.append(line)
        labels.append(_label(report.rows[index].title, 40))
    positive = [
        float(value)
        for course in courses.values()
        for part in (course.low, course.median, course.high)
        for value in part
        if value > 0.0
    ]
    threshold = linear_threshold(positive)
    axes.set_yscale("symlog", linthresh=threshold, linscale=0.5)
    axes.set_ylim(0.0, 2.0 * max([*positive, threshold]))
    axes.set_title(
        "prediction error over time: median and 90 % band over the episodes",
        fontsize=FONT_SIZE,
        loc="left",
    )
    axes.set_xlabel("step of the episode", fontsize=FONT_SIZE)
    axes.set_ylabel(
        "error (standard deviations\nof the usual change in a step)", fontsize=FONT_SIZE
    )
    axes.legend(handles, labels, fontsize=FONT_SIZE - 2, framealpha=0.8)
    _finish(axes)


def linear_threshold(positive: Sequence[float]) -> float:
    """Returns up to where an axis of errors is linear, so that it reaches 0.

    A power of ten: the largest one that no error above 0 is below, if that is not too
    small.
    """
    if not positive:
        return 1.0
    power = math.floor(math.log10(max(min(positive), SMALLEST_SHOWN)))
    return float(10.0**power)


def _finish(axes: Any) -> None:
    axes.tick_params(axis="y", labelsize=FONT_SIZE - 1)
    axes.grid(visible=True, axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _label(title: str, width: int) -> str:
    """Returns a title in lines of a width, as Matplotlib is to show it."""
    lines = textwrap.wrap(title, width, break_on_hyphens=False) or [title]
    text = _plain("\n".join(lines))
    # Matplotlib leaves out of legends what begins with an underscore.
    return f" {text}" if text.startswith("_") else text


def _plain(text: str) -> str:
    """Returns text in which Matplotlib sees no formula."""
    return text.replace("$", r"\$")
