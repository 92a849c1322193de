"""The course of hypothesis induction, and what it came to, as a picture."""

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from cwm.providers.hypotheses.evaluation.ranking import TOP
from cwm.providers.hypotheses.evaluation.scores import NO_HYPOTHESIS
from cwm.report.hypotheses import InductionReport, PhaseReport
from cwm.report.hypothesis_tables import CHANCE
from cwm.report.plots import COLOURS, FONT_SIZE, MARKERS, new_figure, save_figure

PANEL_INCHES = 3.2
"""Height of a panel."""


def write_induction_plot(report: InductionReport, path: Path) -> None:
    """Writes the picture of a report as a PNG file.

    Raises:
        OSError: If the file cannot be written.
    """
    save_figure(draw_induction(report), path)


def draw_induction(report: InductionReport) -> Any:
    """Returns a Matplotlib figure.

    From top to bottom, as far as there is anything to draw: test log-likelihood,
    acceptance and types found by phase, and the shares of top k.
    """
    panels = [
        *([_draw_likelihood] if any(p.test for p in report.phases) else []),
        *([_draw_acceptance] if any(p.num_proposed for p in report.phases) else []),
        *([_draw_found] if report.phases else []),
        *([_draw_top] if report.scores.chance is not None else []),
    ]
    figure = new_figure(0.5 + PANEL_INCHES * max(1, len(panels)))
    title = (
        f"{report.scores.world}: {report.experimenter}, scientist {report.scientist}, "
        f"statistician {report.statistician}, seed {report.seed}"
    )
    if report.stand_ins:
        title += f"\nstand-in for a language model: {', '.join(report.stand_ins)}"
    figure.suptitle(_plain(title), fontsize=FONT_SIZE)
    if panels:
        axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        for draw, one in zip(panels, axes, strict=True):
            draw(one, report)
            if one.get_xlabel() == "phase":
                one.xaxis.get_major_locator().set_params(integer=True)
                one.set_xlim(-0.5, report.phases[-1].phase + 0.5)
            _finish(one)
    return figure


def _draw_likelihood(axes: Any, report: InductionReport) -> None:
    """Draws means by type over the phases; dotted, those without a hypothesis."""
    scores = report.scores
    none = scores.scores.get(NO_HYPOTHESIS)
    own = [(phase, phase.test) for phase in report.phases if phase.test is not None]
    types = [name for name in scores.types if any(name in w.by_type for _, w in own)]
    for number, name in enumerate(types):
        colour = COLOURS[number % len(COLOURS)]
        known = [(p.phase, w.by_type[name]) for p, w in own if name in w.by_type]
        axes.plot(
            [phase for phase, _ in known],
            [value for _, value in known],
            color=colour,
            **_marks(number, len(report.phases)),
            label=name,
        )
        if none is not None and name in none.likelihood.by_type:
            axes.axhline(
                none.likelihood.by_type[name],
                color=colour,
                linestyle=":",
                linewidth=1.0,
            )
    _title(axes, "test log-likelihood of the best hypothesis; dotted: no hypothesis")
    axes.set_xlabel("phase", fontsize=FONT_SIZE)
    axes.set_ylabel("nats per transition", fontsize=FONT_SIZE)
    _legend(axes)


def _draw_acceptance(axes: Any, report: InductionReport) -> None:
    """Draws the share of accepted proposals of each phase that has any."""
    known = [phase for phase in report.phases if phase.acceptance is not None]
    axes.bar(
        [phase.phase for phase in known],
        [phase.acceptance for phase in known],
        color=COLOURS[0],
        width=0.7,
    )
    axes.set_ylim(0.0, 1.05)
    _title(axes, "share of the proposals that were accepted")
    axes.set_xlabel("phase", fontsize=FONT_SIZE)
    axes.set_ylabel("acceptance", fontsize=FONT_SIZE)


def _draw_found(axes: Any, report: InductionReport) -> None:
    """Draws how many transitions of each type there have been so far."""
    for number, name in enumerate(report.counts):
        axes.plot(
            [phase.phase for phase in report.phases],
            _so_far(report.phases, name),
            color=COLOURS[number % len(COLOURS)],
            **_marks(number, len(report.phases)),
            label=name,
        )
    # Most transitions are of the easiest type; 0 has to have a place.
    axes.set_yscale("symlog", linthresh=1.0)
    axes.set_ylim(bottom=-0.1)
    _title(axes, "transitions found so far, by type")
    axes.set_xlabel("phase", fontsize=FONT_SIZE)
    axes.set_ylabel("transitions", fontsize=FONT_SIZE)
    _legend(axes)


def _marks(number: int, num_points: int) -> dict[str, Any]:
    """Returns the marker of a line, on some twenty of its points at most."""
    return {
        "marker": MARKERS[number % len(MARKERS)],
        "markersize": 4,
        "markevery": max(1, num_points // 20),
    }


def _so_far(phases: Sequence[PhaseReport], name: str) -> list[int]:
    return list(accumulate(phase.counts.get(name, 0) for phase in phases))


def _draw_top(axes: Any, report: InductionReport) -> None:
    """Draws a group of bars for each number of best candidates."""
    scores = report.scores
    rows = [
        (name, score.ranking)
        for name, score in scores.scores.items()
        if score.ranking is not None
    ]
    if scores.chance is not None:
        rows.append((CHANCE, scores.chance))
    width = 0.8 / len(rows)
    for number, (name, ranking) in enumerate(rows):
        is_chance = name == CHANCE
        axes.bar(
            [place + width * (number + 0.5) - 0.4 for place in range(len(TOP))],
            [ranking.top(k) for k in TOP],
            width=width,
            color="#bbbbbb" if is_chance else COLOURS[number % len(COLOURS)],
            label=name,
        )
    axes.set_xticks(range(len(TOP)))
    axes.set_xticklabels([f"top-{k}" for k in TOP])
    axes.set_ylim(0.0, 1.05)
    _title(axes, "share of the states with the truth among the best candidates")
    axes.set_ylabel("share", fontsize=FONT_SIZE)
    _legend(axes)


def _title(axes: Any, text: str) -> None:
    axes.set_title(text, fontsize=FONT_SIZE, loc="left")


def _legend(axes: Any) -> None:
    axes.legend(
        fontsize=FONT_SIZE - 2,
        framealpha=0.8,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
    )


def _finish(axes: Any) -> None:
    axes.tick_params(labelsize=FONT_SIZE - 1)
    axes.grid(visible=True, axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _plain(text: str) -> str:
    """Returns text in which Matplotlib sees no formula."""
    return text.replace("$", r"\$")
