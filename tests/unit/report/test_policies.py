import io
import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from rich.console import Console

from cwm.providers.policies.evaluation import SuccessRate
from cwm.report.policies import (
    NEW_TO,
    EvaluationReport,
    EvaluationRow,
    TrainingReport,
    evaluation_table,
    published_table,
    spread,
    training_table,
)
from cwm.report.policy_published import AGENTS, PUBLISHED, published_json
from envs.babyai.variants import SUITE
from tests.support.policy_logs import logged


def shown(table: object) -> list[list[str]]:
    """Returns the cells of a table, line by line, without its head."""
    stream = io.StringIO()
    Console(file=stream, width=200).print(table)
    lines = [one for one in stream.getvalue().splitlines() if one.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def text(report: TrainingReport | EvaluationReport) -> str:
    stream = io.StringIO()
    report.show(stream)
    return stream.getvalue()


def training(*log: dict[str, Any]) -> TrainingReport:
    return TrainingReport(
        policy="scratch",
        environment="cwm/BabyAI-[1]-v0",
        seed=3,
        log=log,
        files=("run: folder",),
        next_commands=("python -m cwm.ppo evaluate folder",),
        made_with={"python": "3"},
    )


SHORT = training(
    logged(
        1, ended=0, succeeded=0, num_episodes=0, success_rate=None, mean_length=None
    ),
    logged(2, ended=4, succeeded=1, num_episodes=4, success_rate=0.25),
    logged(3, ended=2, succeeded=2, num_episodes=6, success_rate=0.5),
)


def test_sample_efficiency_is_the_mean_over_updates_in_which_episodes_ended() -> None:
    """Not over episodes, of which 3 in 6 succeed; nor over the rolling rates."""
    assert SHORT.sample_efficiency == (1 / 4 + 2 / 2) / 2
    assert training(SHORT.log[0]).sample_efficiency is None


def test_the_best_update_is_of_those_with_enough_episodes() -> None:
    log = (
        logged(1, num_episodes=199, success_rate=1.0),
        logged(2, num_episodes=200, success_rate=0.7),
        logged(3, num_episodes=300, success_rate=0.9),
        logged(4, num_episodes=400, success_rate=0.9),
        logged(5, num_episodes=500, success_rate=0.8),
    )
    best = training(*log).best
    assert best is not None
    assert best["update"] == 3
    assert training(log[0]).best is None


def test_a_training_as_data() -> None:
    result = SHORT.to_json()
    assert json.loads(json.dumps(result)) == result
    assert {
        k: v for k, v in result.items() if k not in ("last", "made_with", "notes")
    } == {
        "policy": "scratch",
        "environment": "cwm/BabyAI-[1]-v0",
        "seed": 3,
        "num_updates": 3,
        "num_frames": 300,
        "num_episodes": 6,
        "seconds": 6.0,
        "frames_per_s": 50.0,
        "success_rate": 0.5,
        "best": None,
        "sample_efficiency": 0.625,
        "next": ["python -m cwm.ppo evaluate folder"],
    }
    assert result["last"] == SHORT.log[-1]
    known = training(logged(30, num_episodes=300)).to_json()["best"]
    assert known == {"num_frames": 3000, "success_rate": 0.5}


def test_a_training_in_words() -> None:
    said = text(training(*SHORT.log, logged(25)))
    for part in (
        "scratch in cwm/BabyAI-[1]-v0, seed 3",
        "updates: 25, with 2,500 frames and 250 episodes; in 50.0 s, 50 frames/s",
        "best success over 200 episodes: 0.500, after 2,500 frames",
        "sample efficiency: 0.583",
        "run: folder",
        "  python -m cwm.ppo evaluate folder",
    ):
        assert part in said
    assert "best success" not in text(SHORT)


def test_a_training_without_an_update() -> None:
    report = training()
    assert "no update was made" in text(report)
    assert report.to_json()["num_frames"] == 0
    assert report.frames_per_s is None


def test_the_table_has_some_ten_rows_and_the_last_update() -> None:
    assert shown(training_table(SHORT.log)) == [
        ["100", "0", "-", "-", "1.500", "0.25", "0.0100"],
        ["200", "4", "0.250", "20.0", "1.500", "0.25", "0.0100"],
        ["300", "6", "0.500", "20.0", "1.500", "0.25", "0.0100"],
    ]
    rows = shown(training_table([logged(n) for n in range(1, 1001)]))
    assert [row[0] for row in rows] == [f"{n}0,000" for n in range(1, 11)]


def test_a_learner_that_knows_less_has_fewer_columns() -> None:
    known = ("update", "num_frames", "num_episodes", "seconds")
    log = [{key: logged(n)[key] for key in known} | {"loss": 1 / n} for n in (30, 40)]
    report = replace(training(*log), notes=("a [note]",))
    assert shown(training_table(log)) == [
        ["3,000", "300", "0.0333"],
        ["4,000", "400", "0.0250"],
    ]
    said = text(report)
    assert "success" not in said
    assert "a [note]" in said
    # A rate over other episodes than PPO's is not compared.
    drrn = training(*({**line, "success_rate": 1.0} for line in log))
    assert (drrn.best, drrn.sample_efficiency) == (None, None)
    assert shown(training_table(drrn.log))[0] == ["3,000", "300", "1.000", "0.0333"]
    assert "last 200" not in text(drrn)


@pytest.mark.parametrize("length", [0, 1, 9, 10, 11, 19, 1172])
def test_rows_are_spread_evenly_up_to_the_last(length: int) -> None:
    found = spread(length, 10)
    assert len(found) == min(length, 10)
    assert found == sorted(set(found))
    assert found[-1:] == ([length - 1] if length else [])
    gaps = {b - a for a, b in pairwise(found)}
    assert len(gaps) < 2 or max(gaps) - min(gaps) == 1


def row(agent: str, test: str, **changes: Any) -> EvaluationRow:
    rate = SuccessRate(
        rate=0.5,
        low=0.402,
        high=0.598,
        num_episodes=100,
        mean_length=12.345,
        mean_return=0.4,
    )
    made = EvaluationRow(
        agent=agent,
        test=test,
        environment="cwm/BabyAI-GoTo-v0",
        what=SUITE[test].what if test else "",
        rate=rate,
    )
    return replace(made, **changes)


ROWS = (
    row("runs/a", "new-nouns", env_kwargs={"wording": "new-nouns"}),
    row("bot", "new-nouns"),
    row("bot", "first-person-agent"),
)


def test_a_test_is_told_once_for_all_agents() -> None:
    rows = shown(evaluation_table(ROWS))
    figures = ["0.500", "0.402 to 0.598", "12.3", "100"]
    what = "other nouns: chair, table, car"
    assert rows[0] == ["new-nouns", "GoTo", what, "runs/a", *figures]
    assert rows[1] == ["", "", "", "bot", *figures]
    assert rows[2][:2] == ["first-person-agent", "GoTo"]
    own = shown(evaluation_table([row("[b]", ""), row("[b]", "", environment="X")]))
    assert [one[:4] for one in own] == [
        ["-", "GoTo", "-", "[b]"],
        ["-", "X", "-", "[b]"],
    ]


def test_what_is_published_stands_apart_and_says_so() -> None:
    report = EvaluationReport(rows=ROWS, seed=0)
    assert report.published == ("new-nouns",)
    result = report.to_json()
    assert {one["agent"] for one in result["rows"]} == {"runs/a", "bot"}
    assert result["published"]["success_rates"] == {"new-nouns": PUBLISHED["new-nouns"]}
    assert json.loads(json.dumps(result)) == result
    ours, _, theirs = text(report).partition("published: Carta et al. (2023)")
    assert "0.87" not in ours
    assert "0.87" in theirs
    assert "GFlan-T5, published" in theirs
    without = EvaluationReport(rows=(row("bot", ""),), seed=0)
    assert "published" not in text(without)
    assert without.to_json()["published"] is None


def test_what_must_be_known_of_agents() -> None:
    report = EvaluationReport(
        rows=ROWS,
        seed=0,
        trained={"runs/a": "scratch, trained in [x]"},
        notes=("a note",),
        files=("result: file",),
    )
    lines = report.lines()
    assert lines[0] == "runs/a: scratch, trained in [x]"
    assert f"what is new: {NEW_TO}" in lines
    assert any(line.startswith("bot: looks at the true grid") for line in lines)
    assert lines[-2:] == ["a note", "result: file"]
    assert "[x]" in text(report)
    plain = EvaluationReport(rows=(row("random", ""),), seed=0)
    assert plain.lines() == []


def test_a_row_in_a_line() -> None:
    assert ROWS[1].line() == "bot, new-nouns: 0.500 (0.402 to 0.598)"
    assert row("bot", "").line().startswith("bot, cwm/BabyAI-GoTo-v0: 0.500")


def test_published_numbers_are_of_tests_that_there_are() -> None:
    assert set(PUBLISHED) < set(SUITE)
    for rates in PUBLISHED.values():
        assert tuple(rates) == AGENTS
        assert all(0.0 <= rate <= 1.0 for rate in rates.values())
    # The tests that the trained agent fails, and those that it does not.
    ours = {test for test, rates in PUBLISHED.items() if rates["GFlan-T5"] > 0.5}
    assert ours == {"training", "new-nouns", "invented-words"}
    assert shown(published_table(["french"])) == [
        ["french", "0.30", "0.31", "0.30", "0.03", "0.01"]
    ]
    assert published_json([]) is None
