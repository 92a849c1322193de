"""The results of a suite as a picture: accuracy and return of each task."""

from pathlib import Path
from typing import Any

from cwm.report.plots import COLOURS, FONT_SIZE, MARKERS, new_figure, save_figure
from cwm.report.suite_rows import SuiteRow
from cwm.report.suites import SuiteReport

ROW_INCHES = 0.34
"""Height of a task with one search."""

BASELINES = (
    ("do_nothing_held_out_strict", "do nothing", "|"),
    ("nearest_held_out_strict", "nearest neighbour", "x"),
    ("simulator_held_out_strict", "true simulator", "+"),
)


def write_suite_plot(report: SuiteReport, path: Path) -> None:
    """Writes the picture of a report as a PNG file.

    Raises:
        OSError: If the file cannot be written.
    """
    save_figure(draw_suite(report), path)


def draw_suite(report: SuiteReport) -> Any:
    """Returns a Matplotlib figure: tasks from top to bottom, a panel for each thing."""
    tasks = list(dict.fromkeys(row.task for row in report.rows))
    searches = list(dict.fromkeys(row.search for row in report.rows))
    height = 1.6 + ROW_INCHES * len(tasks) * max(1.0, 0.5 * len(searches))
    figure = new_figure(height)
    left, right = figure.subplots(1, 2, sharey=True)
    if report.is_of_problems:
        panels = (("strict", "strict"), ("accuracy", "share of all tests"))
    else:
        panels = (
            ("held_out_strict", "held-out strict accuracy"),
            ("normalised_return", "normalised return"),
        )
    for axes, (name, title) in zip((left, right), panels, strict=True):
        _draw_panel(axes, report, name, tasks=tasks, searches=searches)
        axes.set_xlabel(title, fontsize=FONT_SIZE)
        axes.tick_params(labelsize=FONT_SIZE - 1)
        axes.grid(visible=True, axis="both", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    left.set_yticks(range(len(tasks)))
    left.set_yticklabels([task.replace("$", r"\$") for task in tasks])
    left.set_ylim(len(tasks) - 0.4, -0.6)
    handles, labels = left.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles,
            labels,
            loc="outside upper center",
            ncols=min(5, len(handles)),
            fontsize=FONT_SIZE - 2,
        )
    title = f"{report.suite}: {'stand-in answers' if report.is_stand_in else 'results'}"
    figure.suptitle(title, fontsize=FONT_SIZE)
    return figure


def _draw_panel(
    axes: Any,
    report: SuiteReport,
    name: str,
    *,
    tasks: list[str],
    searches: list[str],
) -> None:
    """Draws a figure of all rows; a task's searches beside each other."""
    for number, search in enumerate(searches):
        shift = 0.5 * (number - (len(searches) - 1) / 2) / max(1, len(searches))
        own = [row for row in report.rows if row.search == search]
        known = [
            (row, value) for row in own if (value := _value(row, name)) is not None
        ]
        axes.errorbar(
            [value for _, value in known],
            [tasks.index(row.task) + shift for row, _ in known],
            xerr=_errors(known, name),
            linestyle="",
            marker=MARKERS[number % len(MARKERS)],
            color=COLOURS[number % len(COLOURS)],
            markersize=5,
            capsize=3,
            label=search,
            zorder=3,
        )
    if name == "held_out_strict":
        _draw_baselines(axes, report, tasks)
    if name == "normalised_return":
        axes.axvline(0.0, color="#666666", linewidth=1.0, linestyle=":")
        axes.axvline(1.0, color="#666666", linewidth=1.0, linestyle="--")
    else:
        axes.set_xlim(-0.04, 1.04)


def _draw_baselines(axes: Any, report: SuiteReport, tasks: list[str]) -> None:
    for figure, label, marker in BASELINES:
        found = {
            row.task: value
            for row in report.rows
            if (value := row.mean(figure)) is not None
        }
        if found:
            axes.plot(
                list(found.values()),
                [tasks.index(task) for task in found],
                linestyle="",
                marker=marker,
                color="#666666",
                markersize=8,
                label=label,
                zorder=2,
            )


def _value(row: SuiteRow, name: str) -> float | None:
    if name == "normalised_return":
        return None if row.normalised is None else row.normalised.value
    return row.mean(name)


def _errors(known: list[tuple[SuiteRow, float]], name: str) -> list[list[float]]:
    """Returns how far intervals reach to both sides; nowhere where there is none."""
    if name != "normalised_return":
        values = [(row.values(name), value) for row, value in known]
        return [
            [value - min(found) for found, value in values],
            [max(found) - value for found, value in values],
        ]
    found = [(row.normalised, value) for row, value in known]
    return [
        [max(0.0, value - one.low) if one else 0.0 for one, value in found],
        [max(0.0, one.high - value) if one else 0.0 for one, value in found],
    ]
