"""Figures of a training on its page, with numbers worked out by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from cwm.agents.runs import PolicyRunConfig
from cwm.core.errors import DataError
from cwm.pages.contests import (
    evaluation_view,
    find_evaluations,
    is_evaluation,
    split_given,
)
from cwm.pages.policies import PolicyReader, grouped, newest_success


def line(update: int, **figures: Any) -> dict[str, Any]:
    return {
        "update": update,
        "num_frames": 10 * update,
        "num_episodes": update,
        "seconds": 0.5 * update,
        **figures,
    }


def test_figures_of_updates_are_averaged_and_those_of_all_are_the_last() -> None:
    log = [
        line(1, kl=0.1, success_rate=None),
        line(2, kl=0.3, success_rate=0.25),
        line(3, kl=None, success_rate=0.5),
        line(4, kl=0.2, success_rate=0.75),
        line(5, kl=0.7, success_rate=1.0),
    ]
    assert grouped(log, max_points=3) == {
        "update": [2, 4, 5],
        "num_frames": [20, 40, 50],
        "num_episodes": [2, 4, 5],
        "seconds": [1.0, 2.0, 2.5],
        "kl": [pytest.approx(0.2), pytest.approx(0.2), 0.7],
        "success_rate": [0.25, 0.75, 1.0],
    }
    assert grouped([]) == {}


def test_a_figure_that_comes_late_is_not_known_before() -> None:
    found = grouped([line(1, loss=1.0), line(2, loss=0.5, agreement=0.75)])
    assert found["agreement"] == [None, 0.75]
    assert found["loss"] == [1.0, 0.5]


def test_the_newest_success_has_the_interval_of_wilson() -> None:
    config = PolicyRunConfig()
    found = newest_success(config, {"success_rate": 0.5, "num_episodes": 10})
    assert found is not None
    assert found["num_episodes"] == 10
    # (p + z²/2n ± z sqrt(p q / n + z²/4n²)) / (1 + z²/n), z = 1.95996, p = 1/2.
    assert found["low"] == pytest.approx(0.23659, abs=1e-5)
    assert found["high"] == pytest.approx(0.76341, abs=1e-5)
    many = newest_success(config, {"success_rate": 0.5, "num_episodes": 1_000})
    assert many is not None
    assert many["num_episodes"] == 200
    drrn = PolicyRunConfig(learner="drrn")
    few = newest_success(drrn, {"success_rate": 0.5, "num_episodes": 1_000})
    assert few is not None
    assert few["num_episodes"] == 100


def test_a_learner_that_knows_no_success_has_none() -> None:
    config = PolicyRunConfig(learner="cloning")
    assert newest_success(config, {"num_episodes": 5, "loss": 1.0}) is None
    assert newest_success(config, {}) is None


def evaluation(agent: str) -> dict[str, Any]:
    rate = {
        "rate": 0.5,
        "low": 0.25,
        "high": 0.75,
        "num_episodes": 8,
        "mean_length": 12.0,
        "mean_return": 0.25,
    }
    rows = [
        {"agent": one, "test": "", "environment": "level", "what": "", "rate": rate}
        for one in (agent, "random")
    ]
    return {
        "seed": 0,
        "trained": {agent: "scratch"},
        "rows": rows,
        "published": None,
        "notes": [],
    }


def test_the_agent_of_the_run_is_known_where_the_run_was_moved(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps(evaluation("/elsewhere/agent")))
    (tmp_path / "agent").mkdir()
    own, random = evaluation_view(path, run=tmp_path / "agent")["rows"]
    assert (own["agent"], own["is_own"], own["rate"]) == ("agent", True, 0.5)
    assert (random["agent"], random["is_own"]) == ("random", False)
    other = evaluation_view(path, run=tmp_path)["rows"][0]
    assert not other["is_own"]


def test_evaluations_are_found_among_other_files(tmp_path: Path) -> None:
    run, given = tmp_path / "agent", tmp_path / "given"
    for folder in (run, given):
        folder.mkdir()
        (folder / "evaluation.json").write_text(json.dumps(evaluation("agent")))
        (folder / "config.json").write_text("{}")
        (folder / "broken.json").write_text("{")
    (given / "drift.gif").touch()
    (tmp_path / "plan.json").write_text("{}")
    evaluations, others = split_given([given, tmp_path / "plan.json"])
    assert others == [given / "drift.gif", tmp_path / "plan.json"]
    assert find_evaluations(run, evaluations) == (
        run / "evaluation.json",
        given / "evaluation.json",
    )
    assert split_given([given / "evaluation.json"])[1] == []
    assert not is_evaluation(run / "broken.json")


def test_an_evaluation_that_lacks_a_figure_is_refused(tmp_path: Path) -> None:
    data = evaluation("agent")
    del data["rows"][0]["rate"]["low"]
    (tmp_path / "evaluation.json").write_text(json.dumps(data))
    with pytest.raises(DataError, match="cannot be read"):
        evaluation_view(tmp_path / "evaluation.json", run=tmp_path)


def test_a_run_before_its_first_update_has_a_page(tmp_path: Path) -> None:
    config = PolicyRunConfig()
    (tmp_path / "config.json").write_text(json.dumps(config.to_json()))
    data = PolicyReader(path=tmp_path, name="agent").read()
    assert (data["rows"], data["curves"], data["success"]) == ([], {}, None)
    assert data["status"]["state"] == "unfinished"
    # Half a line is none yet.
    (tmp_path / "log.jsonl").write_text(json.dumps(line(1)) + '\n{"update": 2,')
    assert PolicyReader(path=tmp_path, name="agent").read()["last"] == line(1)
