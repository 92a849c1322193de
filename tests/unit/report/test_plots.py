"""What the plot shows: its lines, points and words, not its pixels."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.core.spaces import DiscreteSpec
from cwm.core.trajectories import Transition, make_trajectory
from cwm.evaluation.episodes import EpisodeResult, StepRecord
from cwm.evaluation.guard import PredictionError
from cwm.evaluation.summary import SuccessRule, summarise
from cwm.report.planning import PlanningReport, PlanningRow
from cwm.report.plots import (
    SMALLEST_SHOWN,
    check_plot,
    draw_report,
    error_course,
    linear_threshold,
    write_plot,
)

pytestmark = pytest.mark.plot
pytest.importorskip("matplotlib")

RULE = SuccessRule(threshold=None)
Errors = Sequence[float | None]


def episode(rewards: Sequence[float], errors: Errors = ()) -> EpisodeResult:
    """An episode with its rewards, and the errors of its first steps."""
    known = [*errors, *[None] * (len(rewards) - len(errors))]
    steps = tuple(
        StepRecord(
            reward=reward,
            error=None if size is None else PredictionError(wrong=(), size=size),
        )
        for reward, size in zip(rewards, known, strict=True)
    )
    trajectory = make_trajectory(
        [Transition(0, 0, 0, reward, False, False) for reward in rewards],
        observation_space=DiscreteSpec(1),
        action_space=DiscreteSpec(1),
    )
    return EpisodeResult(index=0, seed=0, steps=steps, trajectory=trajectory)


def row(model: str, planner: str, *episodes: EpisodeResult) -> PlanningRow:
    return PlanningRow(
        model=model,
        planner=planner,
        settings={},
        summary=summarise(episodes, RULE, seed=0),
        episodes=episodes,
    )


MODEL = row(
    "a/model.py",
    "icem",
    episode([1.0, 2.0, 3.0], [0.0, 0.5, 1.0]),
    episode([2.0, 2.0], [0.1, 0.3]),
    episode([9.0, 1.0], [0.2, None]),
)
RANDOM = row("random", "", episode([1.0]), episode([2.0]))
ORACLE = row("true", "icem", episode([8.0, 4.0], [0.0, 0.0]))


def report(*rows: PlanningRow) -> PlanningReport:
    return PlanningReport(
        environment="Walk-v0",
        seed=0,
        max_steps=3,
        rule=RULE,
        tolerances_from="random episodes",
        rows=rows,
    )


def panels(*rows: PlanningRow) -> list[Any]:
    return list(draw_report(report(*rows)).axes)


def points(axes: Any) -> list[list[float]]:
    """The returns drawn as points, row by row."""
    return [list(line.get_ydata()) for line in axes.lines if line.get_marker() == "."]


def legend(axes: Any) -> list[str]:
    found = axes.get_legend()
    return [] if found is None else [text.get_text() for text in found.get_texts()]


def test_each_episode_is_a_point_of_its_row() -> None:
    returns, _ = panels(MODEL, RANDOM)
    assert points(returns) == [[6.0, 4.0, 10.0], [1.0, 2.0]]
    labels = [label.get_text() for label in returns.get_xticklabels()]
    assert labels == ["a/model.py, icem", "random"]
    # A point stands where its label is.
    assert all(abs(x) < 0.5 for x in returns.lines[0].get_xdata())


def test_the_mean_has_its_bootstrap_interval() -> None:
    returns, _ = panels(MODEL)
    (bar,) = returns.containers
    assert bar.lines[0].get_ydata() == pytest.approx([20.0 / 3.0])
    ((_, low), (_, high)) = bar.lines[2][0].get_segments()[0]
    interval = MODEL.summary.returns
    assert (low, high) == pytest.approx((interval.low, interval.high))


def test_random_actions_and_the_oracle_are_lines_across() -> None:
    returns, _ = panels(MODEL, ORACLE, RANDOM)
    assert legend(returns) == ["oracle (icem): 12", "random actions: 1.5"]
    across = {
        float(line.get_ydata()[0])
        for line in returns.lines
        if list(line.get_xdata()) == [0, 1]
    }
    assert across == {12.0, 1.5}


def test_without_references_there_are_no_lines_across() -> None:
    returns, _ = panels(MODEL)
    assert legend(returns) == []
    assert not any(list(line.get_xdata()) == [0, 1] for line in returns.lines)


def test_errors_are_taken_over_the_episodes_that_have_that_step() -> None:
    course = error_course(MODEL)
    assert course is not None
    assert course.steps.tolist() == [1.0, 2.0, 3.0]
    # By hand: {0, 0.1, 0.2}, {0.5, 0.3}, {1}.
    assert course.median == pytest.approx([0.1, 0.4, 1.0])
    assert course.low == pytest.approx([0.01, 0.31, 1.0])
    assert course.high == pytest.approx([0.19, 0.49, 1.0])


def test_the_error_panel_shows_medians_and_bands() -> None:
    _, errors = panels(MODEL, ORACLE)
    first, second = errors.lines
    assert list(first.get_ydata()) == pytest.approx([0.1, 0.4, 1.0])
    assert list(second.get_ydata()) == [0.0, 0.0]
    assert first.get_linestyle() != second.get_linestyle()
    corners = errors.collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() == pytest.approx(0.01)
    assert corners[:, 1].max() == pytest.approx(1.0)
    assert legend(errors) == ["a/model.py, icem", "true, icem"]


def test_the_error_axis_is_logarithmic_and_reaches_zero() -> None:
    _, errors = panels(MODEL)
    assert errors.get_yscale() == "symlog"
    assert errors.get_ylim() == pytest.approx((0.0, 2.0))
    errors.figure.draw_without_rendering()
    ticks = [label.get_text() for label in errors.get_yticklabels()]
    assert any("0}" in tick and "10" not in tick for tick in ticks)
    # Equal ratios are equal distances: a decade above the threshold is a decade.
    to_axis = errors.yaxis.get_transform().transform
    decades = np.diff(to_axis(np.array([0.01, 0.1, 1.0])))
    assert decades[0] == pytest.approx(decades[1])


def test_errors_that_are_all_zero_are_still_drawn() -> None:
    _, errors = panels(ORACLE)
    assert list(errors.lines[0].get_ydata()) == [0.0, 0.0]
    assert errors.get_ylim()[1] > 0.0


@pytest.mark.parametrize(
    ("positive", "threshold"),
    [([], 1.0), ([0.02, 5.0], 0.01), ([300.0], 100.0), ([1e-17], SMALLEST_SHOWN)],
)
def test_the_axis_is_linear_below_the_smallest_error(
    positive: list[float], threshold: float
) -> None:
    assert math.isclose(linear_threshold(positive), threshold)


def test_without_predictions_there_is_one_panel() -> None:
    (returns,) = panels(RANDOM)
    assert returns.get_ylabel() == "return (sum of rewards)"


def test_everything_has_a_title_and_a_unit() -> None:
    returns, errors = panels(MODEL, RANDOM)
    assert returns.get_title(loc="left").startswith(
        "Walk-v0: return of 2 or 3 episodes, mean with 95 % bootstrap interval"
    )
    assert "median and 90 % band" in errors.get_title(loc="left")
    assert errors.get_xlabel() == "step of the episode"
    assert "standard deviations" in errors.get_ylabel()


def test_rows_differ_by_colour_and_by_form() -> None:
    rows = [replace(MODEL, model=f"model-{index}") for index in range(7)]
    returns, errors = panels(*rows)
    colours = {line.get_color() for line in returns.lines if line.get_marker() == "."}
    assert len(colours) == 7
    assert len({bar.lines[0].get_marker() for bar in returns.containers}) == 7
    assert len({(li.get_color(), li.get_linestyle()) for li in errors.lines}) == 7


def test_names_are_shown_as_they_are() -> None:
    """Neither as formulas nor left out, as Matplotlib would."""
    odd = replace(MODEL, model="_a$b$_c^2.py")
    _, errors = panels(odd)
    errors.figure.draw_without_rendering()
    assert legend(errors) == [r" _a\$b\$_c^2.py, icem"]


@pytest.mark.parametrize("number", [1, 5, 12])
def test_labels_do_not_lie_on_each_other(number: int) -> None:
    rows = [replace(MODEL, model=f"runs/2026-01-01-model-{i}") for i in range(number)]
    returns, _ = panels(*rows)
    returns.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in returns.get_xticklabels()]
    if number <= 5:
        assert all(a.x1 <= b.x0 for a, b in pairwise(boxes))
    assert all(box.x0 >= 0.0 for box in boxes)


def test_a_file_that_can_be_opened_and_nothing_else_is_written(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    write_plot(report(MODEL, RANDOM), tmp_path / "plot.png")
    assert [path.name for path in tmp_path.iterdir()] == ["plot.png"]
    with image.open(tmp_path / "plot.png") as opened:
        assert opened.format == "PNG"
        assert opened.width > 800


def test_a_plot_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        write_plot(report(RANDOM), tmp_path / "nowhere" / "plot.png")
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_matplotlib_itself_is_changed() -> None:
    import matplotlib as mpl  # noqa: PLC0415

    before = dict(mpl.rcParams)
    draw_report(report(MODEL))
    assert dict(mpl.rcParams) == before


def test_only_png_is_written() -> None:
    with pytest.raises(ConfigError, match=r"plot must end in \.png, got 'a\.jpg'"):
        check_plot(Path("a.jpg"))
