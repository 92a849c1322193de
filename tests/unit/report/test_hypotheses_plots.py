"""What the picture of an induction shows: points and words, not pixels."""

from dataclasses import replace
from pathlib import Path

import pytest

from cwm.providers.hypotheses.evaluation.scores import evaluate_hypotheses
from cwm.providers.hypotheses.worlds import WORLDS
from cwm.report.hypothesis_plots import draw_induction, write_induction_plot
from cwm.report.hypothesis_tables import CHANCE
from tests.support.induction_reports import door_report
from tests.support.table_statistician import TableStatistician

pytestmark = pytest.mark.plot
pytest.importorskip("matplotlib")


def test_every_panel_shows_its_numbers() -> None:
    likelihood, acceptance, found, top = draw_induction(door_report()).axes
    lines = {line.get_label(): line for line in likelihood.get_lines()}
    assert list(lines["opened"].get_xdata()) == [0, 1, 2]
    assert list(lines["opened"].get_ydata()) == [-2.0, -1.5, -1.0]
    assert list(lines["closed"].get_ydata()) == [-2.0, -2.25, -2.5]
    dotted = [one for one in likelihood.get_lines() if one.get_linestyle() == ":"]
    assert [list(one.get_ydata()) for one in dotted] == [[-2.0, -2.0]] * 2

    bars = [
        (bar.get_x() + bar.get_width() / 2, bar.get_height())
        for bar in acceptance.patches
    ]
    assert bars == [(1.0, 0.75), (2.0, 0.25)]

    counted = {line.get_label(): line for line in found.get_lines()}
    assert list(counted["opened"].get_ydata()) == [0, 2, 3]
    assert list(counted["closed"].get_ydata()) == [6, 10, 15]

    assert {axes.get_xlim() for axes in (likelihood, acceptance, found)} == {
        (-0.5, 2.5)
    }

    groups = {one.get_label(): one for one in top.containers}
    assert list(groups) == ["no hypothesis", "first", "best", "shuffled", CHANCE]
    assert [bar.get_height() for bar in groups["best"]] == [
        pytest.approx(2 / 3),
        1.0,
        1.0,
        1.0,
    ]
    assert groups[CHANCE][0].get_height() == 0.5
    # Bars stand side by side, around the tick of their number.
    middles = [one[0].get_x() + one[0].get_width() / 2 for one in groups.values()]
    assert middles == pytest.approx([-0.32, -0.16, 0.0, 0.16, 0.32])


def test_the_title_names_everybody_and_marks_stand_ins() -> None:
    title = draw_induction(door_report()).get_suptitle()
    assert title == (
        "door: random, scientist a model, statistician table, seed 7\n"
        "stand-in for a language model: statistician"
    )
    real = replace(door_report(), stand_ins=(), scientist="$x$")
    assert draw_induction(real).get_suptitle() == (
        r"door: random, scientist \$x\$, statistician table, seed 7"
    )


def test_what_was_not_measured_has_no_panel(tmp_path: Path) -> None:
    scores = evaluate_hypotheses(
        TableStatistician(lambda *_: -1.0), WORLDS["door"], {}, ranked=()
    )
    phases = tuple(replace(one, test=None) for one in door_report().phases)
    report = replace(door_report(), scores=scores, phases=phases)
    assert [axes.get_ylabel() for axes in draw_induction(report).axes] == [
        "acceptance",
        "transitions",
    ]
    path = tmp_path / "empty.png"
    write_induction_plot(replace(report, phases=()), path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [path]
