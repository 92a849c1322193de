"""Several runs, planning, and problems with unit tests."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cwm.pages.command import main as report
from tests.support.browsing import Visit

pytestmark = pytest.mark.browser

Open = Callable[..., Visit]

GIF = base64.b64decode("R0lGODlhAQABAIAAAAUEBAAAACwAAAAAAQABAAACAkQBADs=")


def planned(returns: list[float]) -> dict:
    """A row as `cwm.plan --out` writes it, with one episode of rewards of 1."""
    length = int(returns[0])
    return {
        "model": "run",
        "planner": "beam",
        "settings": {},
        "summary": {
            "num_episodes": 1,
            "returns": {"value": returns[0], "low": returns[1], "high": returns[2]},
            "num_succeeded": 0,
            "disagreement": 0.25,
            "decision_p50_ms": 12.5,
        },
        "normalised": None,
        "note": "",
        "episodes": [
            {
                "episode": 0,
                "return": returns[0],
                "num_steps": length,
                "rewards": [1.0] * length,
                "prediction_error": [0.5, None, float("inf")] + [0.0] * (length - 3),
                "wrong_parts": {"2": ["reward"]},
            }
        ],
    }


def test_runs_are_compared(
    scripted: Path, induced: Path, tmp_path: Path, visit: Open
) -> None:
    out = tmp_path / "comparison.html"
    words = [str(scripted), str(induced), "--no-run", "--out", str(out)]
    assert report(words) == 0
    found = visit(out)
    rows = found.page.locator("#comparison table").first.locator("tbody tr")
    names = [row.split("\t")[0] for row in rows.all_inner_texts()]
    assert names == ["run", "induced", "do nothing", "true simulator"]
    settings = found.page.locator("#comparison table").nth(1).inner_text()
    assert "budget.call_budget\t10\t50" in settings
    assert "collect.num_trajectories" not in settings
    assert found.page.locator("#comparison-curve path.series").count() == 2
    # The symbolic run has no tokens: along them it is a point.
    found.page.locator("#comparison-axis").select_option("tokens")
    assert found.page.locator("#comparison-curve path.series").count() == 2
    found.page.locator("#comparison a", has_text="induced").click()
    found.awaits("#verdict dl", "symbolic induction")
    found.page.locator("#item-2").click()
    assert found.page.url.endswith("#run-2-node-2")
    found.page.locator("#run").select_option("0")
    found.awaits("#verdict dl", "scripted:answers.json")


def test_a_comparison_fits_on_a_phone(
    scripted: Path, induced: Path, tmp_path: Path, visit: Open
) -> None:
    out = tmp_path / "comparison.html"
    assert report([str(scripted), str(induced), "--no-run", "--out", str(out)]) == 0
    assert visit(out, viewport={"width": 360, "height": 700}).overflow() == 0


def test_what_planners_did_is_shown_with_its_video(
    induced: Path, tmp_path: Path, visit: Open
) -> None:
    plan = {
        "environment": "CartPole-v1",
        "seed": 3,
        "max_steps": 9,
        "success": "a return of at least 475, the environment's own",
        "rows": [planned([9.0, 8.5, 9.5])],
    }
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    (tmp_path / "drift.gif").write_bytes(GIF)
    out = tmp_path / "page.html"
    given = [("--plans", str(tmp_path / name)) for name in ("plan.json", "drift.gif")]
    words = [word for pair in given for word in pair]
    assert report([str(induced), *words, "--out", str(out)]) == 0
    found = visit(out)
    row = found.page.locator("#planning tbody tr").inner_text().split("\t")
    assert row == ["run, beam", "1", "9", "8.5 to 9.5", "–", "0 of 1", "25 %", "12.5"]
    assert found.page.locator("#planning path.series").count() == 2
    loaded = found.page.locator("#planning img").evaluate("image => image.naturalWidth")
    assert loaded == 1
    assert [
        url for url in found.requests if not url.startswith(("file:", "data:"))
    ] == []
