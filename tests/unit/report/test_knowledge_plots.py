"""The picture of what players of text games reached."""

from pathlib import Path
from typing import Any

import pytest

from cwm.report.knowledge_plots import draw_knowledge, write_knowledge_plot

pytestmark = pytest.mark.plot
pytest.importorskip("matplotlib")

ESTIMATE = {"value": 50.0, "low": 40.0, "high": 70.0}


def row(name: str, split: str = "seen", **changes: Any) -> dict[str, Any]:
    return {
        "row": name,
        "split": split,
        "score": ESTIMATE,
        "difference": None,
        "difference_by_seed": {},
    } | changes


def result(*rows: dict[str, Any], seeds: int = 2) -> dict[str, Any]:
    return {
        "environment": "cwm/Game-v0",
        "baseline": "none",
        "seeds": list(range(seeds)),
        "rows": list(rows),
    }


def test_players_stand_below_each_other_with_intervals() -> None:
    mean = {"value": 5.0, "low": -1.0, "high": 6.0}
    told = {"difference": {"mean": mean}, "difference_by_seed": {"0": 4.0, "1": 6.0}}
    figure = draw_knowledge(result(row("none"), row("wkm", **told)))
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["none", "wkm"]
    means, (low, high), _ = left.containers[0]
    assert means.get_xdata().tolist() == [50.0, 50.0]
    assert means.get_ydata().tolist() == [0.0, 1.0]
    assert low.get_xdata().tolist() == [40.0, 40.0]
    assert high.get_xdata().tolist() == [70.0, 70.0]
    compared, (low, high), _ = right.containers[0]
    assert compared.get_xdata().tolist() == [5.0]
    assert compared.get_ydata().tolist() == [1.0]
    assert (low.get_xdata().tolist(), high.get_xdata().tolist()) == ([-1.0], [6.0])
    (seeds,) = [line for line in right.get_lines() if line.get_marker() == "."]
    assert seeds.get_xdata().tolist() == [4.0, 6.0]
    assert right.get_xlabel() == "minus none, game by game"
    assert figure.get_suptitle().startswith("cwm/Game-v0, 2 seeds; bars: 95 %")


def test_splits_have_a_colour_each_and_a_place_of_their_own() -> None:
    figure = draw_knowledge(result(row("none"), row("none", "unseen"), seeds=1))
    seen, unseen = figure.axes[0].containers
    assert seen[0].get_color() != unseen[0].get_color()
    assert seen[0].get_ydata()[0] < unseen[0].get_ydata()[0]
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["seen games", "unseen games"]
    assert "1 seed;" in figure.get_suptitle()


def test_a_mean_of_one_game_has_no_bar(tmp_path: Path) -> None:
    alone = {"value": 50.0, "low": None, "high": None}
    shown = result(row("none", score=alone))
    _, (low, high), _ = draw_knowledge(shown).axes[0].containers[0]
    assert (low.get_xdata().tolist(), high.get_xdata().tolist()) == ([50.0], [50.0])
    path = tmp_path / "picture.png"
    write_knowledge_plot(shown, path)
    assert path.read_bytes().startswith(b"\x89PNG")
