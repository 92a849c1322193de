"""What a run of `cwm.knowledge` has learned as a prior of planners."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from cwm import plan
from cwm.knowledge.command import main as knowledge

GAME = "tests.support.tidy:Tidy-v0"
UNSEEN = ("--env", GAME, "--env-kwargs", '{"split": "unseen"}', "--max-steps", "8")
SMALL = (
    *("--env", GAME, "--prompts", "household", "--quiet"),
    *("--train-games", "12", "--test-games", "1", "--max-steps", "5"),
    *("--scratch.layers", "1", "--scratch.width", "32", "--scratch.heads", "2"),
    *("--scratch.num-epochs", "1", "--scratch.vocabulary-size", "400"),
)
SEARCH = ("--planner", "mcts", "--mcts.num-simulations", "8")
"""Wins none of these games without a prior: they take four right steps in a row."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has a state base for two seeds, and no model."""
    path = tmp_path_factory.mktemp("runs") / "base"
    seeds = ("--seeds", "4", "--seeds", "2")
    words = ("build-base", *SMALL, "--rows", "state", *seeds, "--out", str(path))
    assert knowledge(words) == 0
    return path


def run(*words: str, code: int = 0) -> tuple[str, str]:
    """Returns what the command writes to its two streams."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        assert plan.main([*words]) == code, err.getvalue()
    return out.getvalue(), err.getvalue()


def row(*words: str) -> dict[str, Any]:
    """Returns what came of the true game as a model."""
    out, _ = run("true", *UNSEEN, *words, "--json", "--quiet")
    (found,) = json.loads(out)["rows"]
    assert isinstance(found, dict)
    return found


def returns(row: dict[str, Any]) -> list[float]:
    return [one["return"] for one in row["episodes"]]


def happened(row: dict[str, Any]) -> list[Any]:
    """Returns what does not depend on the clock, or on whether there is a guide."""
    return [[one["rewards"], one["model_steps"]] for one in row["episodes"]]


def test_a_state_base_guides_a_search_without_a_language_model(base: Path) -> None:
    words = (*SEARCH, "--episodes", "4")
    guided = row(*words, "--prior", f"wkm:{base}")
    alone = row(*words)
    assert sum(returns(guided)) > sum(returns(alone))
    told = guided["settings"]["guide"]["prior"]
    assert (told["run"], told["seed"], told["row"]) == ("base", 4, "base")
    assert told["learned_in"] == GAME
    assert told["agent_llm"] is None
    first = guided["episodes"][0]
    assert first["evaluator_num_contexts"][0] >= 1
    assert first["evaluator_num_evaluations"][0] >= 1
    assert not any(first["evaluator_num_calls"])


def test_with_nothing_but_evenness_it_is_the_plain_search(base: Path) -> None:
    words = (*SEARCH, "--episodes", "2")
    even = ("--prior", f"wkm:{base}", "--knowledge.epsilon", "1")
    assert happened(row(*words, *even)) == happened(row(*words))


def test_a_seed_is_named_by_its_folder(base: Path) -> None:
    words = ("--planner", "policy", "--episodes", "1", "--prior")
    found = row(*words, f"wkm:{base / 'seed-2'}")
    assert found["settings"]["guide"]["prior"]["seed"] == 2
    shown, _ = run("true", *UNSEEN, *words, f"wkm:{base}")
    assert "prior base/seed-4 (state base)" in shown


@pytest.mark.local
def test_agents_of_a_run_speak_for_as_many_contexts_as_they_may(tmp_path: Path) -> None:
    path = tmp_path / "run"
    assert knowledge(["train", *SMALL, "--rows", "task", "--out", str(path)]) == 0
    words = (*SEARCH, "--episodes", "1", "--prior", f"wkm:{path}")
    few = ("--knowledge.row", "task", "--knowledge.agent-contexts", "3")
    found = row(*words, *few)
    assert sum(found["episodes"][0]["evaluator_num_calls"]) == 3
    assert found["settings"]["guide"]["prior"]["agent_llm"] == "scratch"
    _, err = run("true", *UNSEEN, *words, "--knowledge.row", "wkm", code=1)
    assert "knowledge.row wkm needs" in err
    assert "its rows are task" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--prior", "wkm:"), "prior must be wkm:RUN, with the folder of a run of"),
        (("--prior", "wkm:no-such"), "must be the folder of a run of cwm.knowledge"),
        (("--prior", "wkm:BASE/seed-3"), "has the seeds 4, 2, got 3"),
        (("--knowledge.row", "wkm"), "knowledge needs prior: --prior wkm:RUN"),
        (
            ("--prior", "wkm:BASE", "--knowledge.epsilon", "2"),
            "knowledge.epsilon must be from 0 to 1, got 2.0",
        ),
        (
            ("--prior", "wkm:BASE", "--knowledge.agent-contexts", "-1"),
            "knowledge.agent_contexts must be at least 0, got -1",
        ),
        (
            ("--prior", "wkm:BASE", "--prior-temperature", "2"),
            "prior_temperature needs prior: --prior ppo:RUN",
        ),
        (
            ("--prior", "wkm:BASE", "--value", "ppo:runs/x"),
            "value must be left out with prior wkm:RUN",
        ),
        (
            ("--prior", "wkm:BASE", "--env", "Taxi-v4", "--env-kwargs", "{}"),
            "prior wkm:RUN is for games that are played in words, such as twc, got "
            "'Taxi-v4'",
        ),
        (("--planner", "policy"), "needs prior: --prior ppo:RUN or wkm:RUN"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(
    base: Path, words: tuple[str, ...], said: str
) -> None:
    given = [word.replace("BASE", str(base)) for word in words]
    out, err = run("true", *(() if "--env" in given else UNSEEN), *given, code=2)
    assert said in " ".join(err.split())
    assert not out


def test_an_agent_that_thinks_is_no_prior(tmp_path: Path) -> None:
    path = tmp_path / "run"
    thoughts = ("--thoughts", "template", "--rows", "state")
    assert knowledge(["experts", *SMALL, *thoughts, "--out", str(path)]) == 0
    words = ("--prior", f"wkm:{path}", "--knowledge.row", "none")
    _, err = run("true", *UNSEEN, *words, code=2)
    assert "needs an agent that does not think (thoughts none)" in " ".join(err.split())
