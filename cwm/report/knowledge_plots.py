"""How players of text games did, as a picture: scores and differences."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cwm.report.knowledge import SPLIT_TITLES
from cwm.report.plots import COLOURS, FONT_SIZE, MARKERS, new_figure, save_figure

ROW_INCHES = 0.42
"""Height of a player."""

SEED_SIZE = 3.5
"""Of the dots that stand for one seed's models."""


def write_knowledge_plot(result: Mapping[str, Any], path: Path) -> None:
    """Writes the picture of a result as a PNG file.

    Args:
        result: As `KnowledgeReport.to_json` gives it.
        path: The file.

    Raises:
        OSError: If the file cannot be written.
    """
    save_figure(draw_knowledge(result), path)


def draw_knowledge(result: Mapping[str, Any]) -> Any:
    """Returns a Matplotlib figure: players from top to bottom, splits by colour.

    On the left the mean score times 100, on the right what it is above the baseline,
    game by game; bars are 95 % intervals over games, small dots the single seeds.
    """
    rows: Sequence[Mapping[str, Any]] = result["rows"]
    names = list(dict.fromkeys(row["row"] for row in rows))
    splits = list(dict.fromkeys(row["split"] for row in rows))
    figure = new_figure(1.7 + ROW_INCHES * len(names))
    left, right = figure.subplots(1, 2, sharey=True)
    for number, split in enumerate(splits):
        own = [row for row in rows if row["split"] == split]
        shift = 0.26 * (number - (len(splits) - 1) / 2)
        style = {
            "color": COLOURS[number % len(COLOURS)],
            "marker": MARKERS[number % len(MARKERS)],
        }
        heights = [names.index(row["row"]) + shift for row in own]
        label = f"{SPLIT_TITLES.get(split, split)} games"
        _bars(left, [row["score"] for row in own], heights, label=label, **style)
        _draw_differences(right, own, heights, **style)
    left.set_xlim(-2, 102)
    right.axvline(0.0, color="#666666", linewidth=1.0, linestyle=":")
    titles = ("score x 100", f"minus {result['baseline']}, game by game")
    for axes, title in zip((left, right), titles, strict=True):
        axes.set_xlabel(title, fontsize=FONT_SIZE)
        axes.tick_params(labelsize=FONT_SIZE - 1)
        axes.grid(visible=True, axis="both", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    left.set_yticks(range(len(names)))
    left.set_yticklabels(names)
    left.set_ylim(len(names) - 0.4, -0.6)
    figure.legend(
        *left.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(splits),
        fontsize=FONT_SIZE - 2,
    )
    num_seeds = len(result["seeds"])
    figure.suptitle(
        f"{result['environment']}, {num_seeds} seed{'s' * (num_seeds > 1)}; bars: 95 % "
        "over games, dots: seeds",
        fontsize=FONT_SIZE,
    )
    return figure


def _draw_differences(
    axes: Any,
    rows: Sequence[Mapping[str, Any]],
    heights: Sequence[float],
    *,
    color: str,
    marker: str,
) -> None:
    compared = [
        (row, height)
        for row, height in zip(rows, heights, strict=True)
        if row["difference"] is not None
    ]
    means = [row["difference"]["mean"] for row, _ in compared]
    _bars(axes, means, [height for _, height in compared], color=color, marker=marker)
    for row, height in compared:
        seeds = list(row["difference_by_seed"].values())
        if len(seeds) > 1:
            axes.plot(
                seeds,
                [height + 0.1] * len(seeds),
                linestyle="",
                marker=".",
                markersize=SEED_SIZE,
                color=color,
                zorder=2,
            )


def _bars(
    axes: Any,
    estimates: Sequence[Mapping[str, Any]],
    heights: Sequence[float],
    *,
    color: str,
    marker: str,
    label: str | None = None,
) -> None:
    """Draws means with their intervals; one without an interval has no bar."""
    values = [one["value"] for one in estimates]
    ends = [
        (one["low"], one["high"])
        if one["low"] is not None and one["high"] is not None
        else (one["value"], one["value"])
        for one in estimates
    ]
    axes.errorbar(
        values,
        heights,
        xerr=[
            [value - low for value, (low, _) in zip(values, ends, strict=True)],
            [high - value for value, (_, high) in zip(values, ends, strict=True)],
        ],
        linestyle="",
        marker=marker,
        color=color,
        markersize=5,
        capsize=3,
        label=label,
        zorder=3,
    )
