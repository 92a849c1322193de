"""What the picture of a suite shows: points and words, not pixels."""

from pathlib import Path

import pytest

from cwm.report.suite_plots import draw_suite, write_suite_plot
from cwm.report.suites import make_suite_report
from tests.support.suite_cells import cell, failed

pytestmark = pytest.mark.plot
pytest.importorskip("matplotlib")

BASELINES = {"do_nothing_held_out_strict": 0.25, "simulator_held_out_strict": 1.0}
RESULTS = [
    cell("Pole", strict=1.0, normalised=1.5, figures=BASELINES),
    cell("$Taxi$", strict=0.5, normalised=None),
    failed("Car"),
    cell("Pole", "best-of-n", strict=0.0, normalised=0.25),
]
REPORT = make_suite_report(
    "cwmb-r",
    [one.key for one in RESULTS],
    {one.key: one for one in RESULTS},
    is_of_problems=False,
)


def test_every_task_has_its_line_and_every_figure_its_point() -> None:
    left, right = draw_suite(REPORT).axes
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == ["Pole", r"\$Taxi\$", "Car"]
    points = {line.get_label(): line for line in left.get_lines()}
    assert list(points["do nothing"].get_xdata()) == [0.25]
    assert list(points["true simulator"].get_xdata()) == [1.0]
    drawn = [list(bar.lines[0].get_xdata()) for bar in left.containers]
    assert drawn == [[1.0, 0.5], [0.0]]
    returned = [list(bar.lines[0].get_xdata()) for bar in right.containers]
    assert returned == [[1.5], [0.25]]
    assert right.get_xlabel() == "normalised return"


def test_bars_are_of_one_kind_and_named() -> None:
    results = [
        cell("Pole", seed=seed, strict=strict, normalised=normalised)
        for seed, (strict, normalised) in enumerate([(0.25, 0.0), (0.75, 0.5)])
    ]
    shown = make_suite_report(
        "cwmb-r",
        [one.key for one in results],
        {one.key: one for one in results},
        is_of_problems=False,
    )
    figure = draw_suite(shown)
    for axes, ends in zip(figure.axes, [(0.25, 0.75), (0.0, 0.5)], strict=True):
        (drawn,) = axes.containers
        (bars,) = drawn.lines[2]
        (segment,) = bars.get_segments()
        assert [x for x, _ in segment] == list(ends)
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["bars: lowest to highest seed", "gif-mcts"]


def test_of_single_seeds_there_is_no_bar() -> None:
    figure = draw_suite(REPORT)
    for axes in figure.axes:
        assert not any(drawn.has_xerr for drawn in axes.containers)
    (legend,) = figure.legends
    assert "bars" not in "".join(text.get_text() for text in legend.get_texts())


def test_a_picture_of_nothing_yet_can_be_drawn(tmp_path: Path) -> None:
    empty = make_suite_report(
        "own", [one.key for one in RESULTS], {}, is_of_problems=True
    )
    write_suite_plot(empty, tmp_path / "empty.png")
    assert (tmp_path / "empty.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(tmp_path.iterdir())) == 1
