"""The results of a suite as a picture: accuracy and return of each task."""

from pathlib import Path
from typing import Any

from cwm.report.plots import COLOURS, FONT_SIZE, MARKERS, new_figure, save_figure
from cwm.report.suite_rows import SuiteRow, baseline_values
from cwm.report.suites import SuiteReport

ROW_INCHES = 0.34
"""Height of a task with one search."""

BASELINES = (
    ("do_nothing_held_out_strict", "do nothing", "|"),
    ("nearest_held_out_strict", "nearest neighbour", "x"),
    ("simulator_held_out_strict", "true simulator", "+"),
)


BARS = "bars: lowest to highest seed"
"""What error bars are, in the legend."""


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
    if any(len(row.values(name)) > 1 for row in report.rows for name, _ in panels):
        left.plot([], [], color="#666666", marker="|", markersize=6, label=BARS)
    handles, labels = left.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles,
            labels,
            loc="outside lower center",
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
        known = [(row, value) for row in own if (value := row.mean(name)) is not None]
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
        found = baseline_values(report.rows, figure)
        if found:
            axes.plot(
                [sum(values) / len(values) for values in found.values()],
                [tasks.index(task) for task in found],
                linestyle="",
                marker=marker,
                color="#666666",
                markersize=8,
                label=label,
                zorder=2,
            )


def _errors(known: list[tuple[SuiteRow, float]], name: str) -> list[list[float]] | None:
    """Returns how far the seeds reach to both sides; `None` if each row has one."""
    values = [(row.values(name), value) for row, value in known]
    if all(len(found) < 2 for found, _ in values):
        return None
    return [
        [value - min(found) for found, value in values],
        [max(found) - value for found, value in values],
    ]
