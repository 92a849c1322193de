"""What the picture of a training shows: points and words, not pixels."""

from pathlib import Path
from typing import Any

import pytest

from cwm.report.policy_plots import (
    BAND,
    Course,
    curve,
    draw_learning,
    write_learning_plot,
)
from tests.support.policy_logs import logged, probed

pytestmark = pytest.mark.plot
pytest.importorskip("matplotlib")


def course(*rates: float | None, **changes: Any) -> Course:
    log = [
        logged(update, success_rate=rate, mean_length=rate and 10 * rate, **changes)
        for update, rate in enumerate(rates, start=1)
    ]
    return Course(log=log, probabilities=(probed(0, 0.2, 0.3, 0.5), probed(2, 0, 0, 1)))


def test_a_run_on_its_own_shows_what_it_thinks_of_the_prompts() -> None:
    figure = draw_learning({"a run": [course(None, 0.25, 0.75)]})
    success, length, entropy, first, second = figure.axes
    (line,) = success.get_lines()
    assert line.get_label() == "a run"
    # Before an episode has ended there is no rate.
    assert list(line.get_xdata()) == [200, 300]
    assert list(line.get_ydata()) == [0.25, 0.75]
    assert list(length.get_lines()[0].get_ydata()) == [2.5, 7.5]
    assert list(entropy.get_lines()[0].get_xdata()) == [100, 200, 300]
    assert [axes.get_ylabel() for axes in figure.axes[:3]] == [
        "success",
        "steps",
        "nats",
    ]
    drawn = {line.get_label(): list(line.get_ydata()) for line in first.get_lines()}
    assert drawn == {
        "turn left": [0.2, 0],
        "turn right": [0.3, 0],
        "go forward": [0.5, 1],
    }
    assert list(first.get_lines()[0].get_xdata()) == [0, 200]
    assert list(second.get_lines()[0].get_ydata()) == [0.5, 1]
    assert second.get_title(loc="left") == r"prompt 2: open a \$ door"
    assert figure.get_suptitle() == ""


def test_seeds_are_one_curve_with_a_band_from_lowest_to_highest() -> None:
    runs = [course(0.0, 0.5), course(0.25, 1.0), course(0.5, 0.0)]
    figure = draw_learning({"three": runs, "other": [course(0.1, 0.2)]})
    assert len(figure.axes) == 3
    success = figure.axes[0]
    assert [line.get_label() for line in success.get_lines()] == ["three", "other"]
    assert list(success.get_lines()[0].get_ydata()) == [0.25, 0.5]
    (band,) = success.collections
    corners = {tuple(point) for point in band.get_paths()[0].vertices}
    assert {(100.0, 0.0), (100.0, 0.5), (200.0, 0.0), (200.0, 1.0)} == corners
    assert BAND in figure.get_suptitle()


def test_seeds_with_updates_at_other_frames_meet_where_all_of_them_have_been() -> None:
    one = Course(log=[logged(1, success_rate=0.0), logged(3, success_rate=1.0)])
    other = Course(log=[logged(2, success_rate=0.5), logged(4, success_rate=0.5)])
    found = curve([one, other], "success_rate")
    assert found is not None
    assert found.frames.tolist() == [200, 300]
    assert found.mean.tolist() == [0.5, 0.75]
    assert found.low.tolist() == [0.5, 0.5]
    assert found.high.tolist() == [0.5, 1.0]
    late = Course(log=[logged(9, success_rate=0.5)])
    assert curve([one, late], "success_rate") is None
    assert curve([course(None)], "success_rate") is None


def test_what_has_no_curve_yet_keeps_its_name(tmp_path: Path) -> None:
    figure = draw_learning({"_$": [course(None)]})
    (line,) = figure.axes[0].get_lines()
    assert (len(line.get_xdata()), line.get_label()) == (0, r" _\$")
    path = tmp_path / "picture.png"
    write_learning_plot({"_$": [course(None)]}, path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_what_a_learner_does_not_know_has_no_panel() -> None:
    log = [{"num_frames": n, "loss": 1.0 / n} for n in (1, 2)]
    (axes,) = draw_learning({"a clone": [Course(log=log)]}).axes
    (line,) = axes.get_lines()
    assert list(line.get_ydata()) == [1.0, 0.5]
    assert axes.get_legend().get_texts()[0].get_text() == "a clone"
    both = draw_learning({"a clone": [Course(log=log)], "other": [course(0.5)]})
    assert [axes.get_ylabel() for axes in both.axes] == [
        "success",
        "steps",
        "nats",
        "loss",
    ]
