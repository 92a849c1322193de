import json
from pathlib import Path
from typing import Any

import pytest

from cwm.core.errors import ConfigError, DataError
from cwm.pages import plans
from cwm.pages.plans import find_plans, is_plan, plan_views


def result(num_steps: int = 3) -> dict[str, Any]:
    episode = {
        "episode": 0,
        "return": 1.5 * num_steps,
        "num_steps": num_steps,
        "rewards": [1.5] * num_steps,
        "prediction_error": [0.1] * num_steps,
    }
    row = {"model": "run", "planner": "beam", "summary": {}, "episodes": [episode]}
    return {
        "environment": "E",
        "seed": 0,
        "max_steps": 9,
        "success": "none",
        "rows": [row],
    }


def written(path: Path, data: object) -> Path:
    path.write_text(json.dumps(data))
    return path


def test_results_and_videos_in_the_run_and_those_given_belong_to_it(
    tmp_path: Path,
) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    run.mkdir()
    other.mkdir()
    own = written(run / "plan.json", result())
    written(run / "config.json", {"seed": 1})
    written(run / "result.json", {"rows": [{"name": "program"}]})
    (run / "broken.json").write_text("{")
    video = other / "drift.gif"
    video.write_bytes(b"GIF89a")
    given = written(tmp_path / "more.json", result())
    assert find_plans(run, [other, given, own]) == (own, video, given)


@pytest.mark.parametrize("name", ["missing.json", "empty"])
def test_what_is_given_must_be_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="plans must be a file or folder that"):
        find_plans(tmp_path / "empty", [tmp_path / name])


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "other.json", {"rows": []})
    assert not is_plan(path)
    with pytest.raises(DataError, match=r"must be a result of cwm\.plan --out"):
        plan_views([path])


def test_returns_are_summed_and_long_episodes_thinned_out(tmp_path: Path) -> None:
    path = written(tmp_path / "plan.json", result(3))
    (view,) = plan_views([path])
    (episode,) = view["rows"][0]["episodes"]
    assert episode["steps"] == [1, 2, 3]
    assert episode["return_so_far"] == [1.5, 3.0, 4.5]
    path = written(tmp_path / "plan.json", result(1_200))
    (view,) = plan_views([path])
    (episode,) = view["rows"][0]["episodes"]
    assert len(episode["steps"]) == len(episode["prediction_error"]) == 401
    assert episode["steps"][-1] == 1_200
    assert episode["return_so_far"][-1] == 1_800.0


def test_videos_are_in_the_page_if_they_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "drift.mp4"
    path.write_bytes(b"abc")
    assert plan_views([path]) == [
        {
            "name": "drift.mp4",
            "media_type": "video/mp4",
            "url": "data:video/mp4;base64,YWJj",
        }
    ]
    monkeypatch.setattr(plans, "MAX_VIDEO_MIB", 0)
    with pytest.raises(DataError, match="must have at most 0 MiB"):
        plan_views([path])
