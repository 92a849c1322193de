"""What a run with language models may spend, share and compare, by the commands."""

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwm import replay, synthesize
from cwm.benchmark import command as benchmark
from cwm.core.dataset_file import load_dataset, save_dataset
from cwm.core.journal import comparable, read_journal
from mcts.registry import SEARCH_NAMES
from tests.support.corridor import (
    ALWAYS_RIGHT,
    BROKEN,
    EXACT,
    NEVER_ENDS,
    corridor_dataset,
    trajectory_of,
)
from tests.support.openai_server import (
    OpenAIServer,
    Reply,
    Request,
    answer,
    failure,
)

PRICES = """
[[price]]
models = ["tiny"]
prompt = 1000.0
completion = 2000.0
"""


def fenced(source: str) -> str:
    return f"This is how it works.\n\n```python\n{source}```\n"


def numbered(source: str, number: int) -> str:
    return fenced(f"{source}NUMBER = {number}\n")


STEPS = [BROKEN, ALWAYS_RIGHT, NEVER_ENDS, EXACT]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save_dataset(corridor_dataset(), tmp_path / "corridor.npz")
    answers = [fenced(source) for source in STEPS]
    (tmp_path / "answers.json").write_text(json.dumps(answers))
    hopeless = [numbered(ALWAYS_RIGHT, number) for number in range(40)]
    (tmp_path / "hopeless.json").write_text(json.dumps(hopeless))
    (tmp_path / "prices.toml").write_text(PRICES)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    """Returns the exit code and the result of a run on the corridor."""
    given = ["--quiet", "--json", *words]
    if "--resume" not in words:
        given += ["--data", "corridor.npz"]
    code = synthesize.main(given)
    return code, json.loads(capsys.readouterr().out or "null")


def hopeless_server() -> OpenAIServer:
    """Answers with ever other programs, none of them right."""
    lock = threading.Lock()
    count = 0

    def respond(request: Request) -> Reply:
        nonlocal count
        with lock:
            count += 1
            text = numbered(ALWAYS_RIGHT, count)
            return answer(text, prompt_tokens=1_000, completion_tokens=100)

    return OpenAIServer(respond)


def service(server: OpenAIServer) -> tuple[str, ...]:
    return ("--llm", "openai:tiny", "--base-url", server.base_url)


@pytest.mark.parametrize("name", SEARCH_NAMES)
def test_every_search_runs_and_is_replayed(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    words = ("--llm", "scripted:hopeless.json", "--search", name, "--call-budget", "7")
    code, result = run(capsys, *words, "--out", "run")
    assert code == 0
    assert (result["search"], result["num_calls"]) == (name, 7)
    assert (result["stopped_by"], result["exhausted"]) == ("budget", "calls")
    assert replay.main(["run", "--quiet"]) == 0
    assert "tree.json is the tree" in capsys.readouterr().out


def test_kinds_that_are_left_out_are_not_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--llm", "scripted:hopeless.json", "--kinds", "generate,fix")
    _, result = run(capsys, *words, "--call-budget", "8")
    by_kind = result["tree"]["num_by_kind"]
    assert {kind for kind, number in by_kind.items() if number} == {"generate"}


def test_a_quote_is_given_before_anything_is_asked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with hopeless_server() as server:
        words = (*service(server), "--prices", "prices.toml", "--call-budget", "10")
        code, quote = run(capsys, "--dry-run", *words)
        assert code == 0
        assert server.requests == []
    assert not (folder / "runs").exists()
    expected, highest = quote["expected"], quote["highest"]
    assert expected["completion_tokens"] == 10 * 1_500
    assert highest["completion_tokens"] == 10 * 4_096
    assert 0 < expected["prompt_tokens"] <= highest["prompt_tokens"]
    # 1,000 and 2,000 dollars for a million tokens.
    dollars = expected["prompt_tokens"] / 1e3 + 2 * expected["completion_tokens"] / 1e3
    assert expected["usd"] == pytest.approx(dollars)


def test_a_quote_without_a_model_says_that_nothing_is_spent(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert synthesize.main(["--quiet", "--data", "corridor.npz", "--dry-run"]) == 0
    assert "No language model is asked" in capsys.readouterr().out


@pytest.mark.parametrize("concurrency", ["1", "3"])
def test_tokens_are_never_overrun_and_more_of_them_go_on(
    folder: Path, capsys: pytest.CaptureFixture[str], concurrency: str
) -> None:
    # Each answer costs 1,100 tokens; before the first, 8,000 and its longest are
    # reserved, then half as much again as the longest prompt so far.
    with hopeless_server() as server:
        words = (*service(server), "--sampling.max-tokens", "100", "--out", "run")
        budget = ("--token-budget", "9000", "--concurrency", concurrency)
        code, result = run(capsys, *words, *budget)
        assert code == 0
        assert (result["stopped_by"], result["exhausted"]) == ("budget", "tokens")
        spent = result["usage"]["prompt_tokens"] + result["usage"]["completion_tokens"]
        assert spent == 1_100 * result["num_calls"] == 1_100 * len(server.requests)
        assert 5_000 < spent <= 9_000
        num_calls = result["num_calls"]
        _, more = run(capsys, "--resume", "run", "--token-budget", "20000")
        assert more["num_calls"] > num_calls
        assert more["usage"]["calls"] == len(server.requests) == more["num_calls"]


def test_money_is_never_overrun(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # An answer costs 1,000 * 0.001 + 100 * 0.002 = 1.2 dollars.
    with hopeless_server() as server:
        words = (*service(server), "--sampling.max-tokens", "100")
        code, result = run(
            capsys, *words, "--prices", "prices.toml", "--cost-budget", "20"
        )
    assert code == 0
    assert result["exhausted"] == "usd"
    assert result["usage"]["usd"] == pytest.approx(1.2 * result["num_calls"])
    assert 10.0 < result["usage"]["usd"] <= 20.0


def test_a_cap_on_money_needs_a_known_price(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with hopeless_server() as server:
        words = ["--quiet", "--data", "corridor.npz", *service(server)]
        assert synthesize.main([*words, "--cost-budget", "1"]) == 2
        assert server.requests == []
    said = capsys.readouterr().err
    assert "cost_budget needs the price of 'openai:tiny'" in said
    assert "--prices FILE" in said


def test_an_unknown_price_is_said_and_not_taken_for_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with hopeless_server() as server:
        words = ["--quiet", "--data", "corridor.npz", *service(server)]
        assert synthesize.main([*words, "--call-budget", "2"]) == 0
    assert (
        "spent: 2,000 tokens sent, 200 received, price not known"
        in capsys.readouterr().out
    )


def test_no_call_is_made_when_the_time_is_up(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with hopeless_server() as server:
        words = ["--quiet", "--data", "corridor.npz", *service(server)]
        assert synthesize.main([*words, "--time-budget", "1e-9"]) == 3
        assert server.requests == []
    assert "the time budget is used" in capsys.readouterr().out


def test_runs_that_share_a_folder_of_completions_pay_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with OpenAIServer([answer(fenced(source)) for source in STEPS]) as server:
        words = (*service(server), "--cache", "completions")
        _, first = run(capsys, *words, "--out", "a")
        _, second = run(capsys, *words, "--out", "b")
        assert len(server.requests) == 4
    assert first["usage"]["prompt_tokens"] == 44
    assert second["usage"]["prompt_tokens"] == 0
    assert (first["usage"]["saved_tokens"], second["usage"]["saved_tokens"]) == (0, 72)
    assert second["num_calls"] == first["num_calls"] == 4
    assert (folder / "a/tree.json").read_bytes() == (
        folder / "b/tree.json"
    ).read_bytes()


def test_a_run_is_made_again_from_its_recorded_answers(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with OpenAIServer([answer(fenced(source)) for source in STEPS]) as server:
        run(capsys, *service(server), "--out", "a")
    code, again = run(capsys, "--llm", "replay:a", "--out", "b")
    assert code == 0
    assert again["usage"]["prompt_tokens"] == 0
    assert (folder / "a/tree.json").read_bytes() == (
        folder / "b/tree.json"
    ).read_bytes()
    # Another seed asks for what was never recorded; nobody else is asked instead.
    assert run(capsys, "--llm", "replay:a", "--seed", "1")[0] == 1


def test_a_prompt_that_is_refused_is_an_answer_that_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program outgrew the context; the tree goes on, and so does a replay."""
    too_long = failure(400, "Too long", code="context_length_exceeded")
    replies = [
        answer(fenced(ALWAYS_RIGHT)),
        too_long,
        answer(fenced(BROKEN)),
        answer(fenced(EXACT)),
    ]
    with OpenAIServer(replies) as server:
        words = (*service(server), "--search", "linear", "--call-budget", "4")
        code, result = run(capsys, *words, "--out", "a")
    assert (code, result["stopped_by"]) == (0, "perfect")
    outcomes = [node["outcome"] for node in result["nodes"]]
    assert outcomes == ["completed", "unparsed", "raised", "completed"]
    (refused,) = [
        record.body
        for record in read_journal(folder / "a/journal.jsonl").records
        if record.kind == "completion" and "refused" in record.body["annotation"]
    ]
    assert refused["usage"]["prompt_tokens"] == 0
    assert "do not fit into the context" in refused["annotation"]["refused"]
    assert replay.main(["a", "--quiet"]) == 0
    capsys.readouterr()
    words = ("--llm", "replay:a", "--search", "linear", "--call-budget", "4")
    assert run(capsys, *words, "--out", "b")[0] == 0
    assert (folder / "a/tree.json").read_bytes() == (
        folder / "b/tree.json"
    ).read_bytes()


def test_a_search_begins_with_a_given_program(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "mine.py").write_text(ALWAYS_RIGHT)
    words = ("--start-from", "mine.py", "--search", "linear", "--call-budget", "2")
    with OpenAIServer([answer(fenced(EXACT))]) as server:
        code, result = run(capsys, *service(server), *words, "--out", "a")
        assert len(server.requests) == 1
    assert (code, result["stopped_by"]) == (0, "perfect")
    assert [node["prompt_tokens"] for node in result["nodes"]] == [0, 11]
    # What is asked for next is an improvement of that program.
    assert ALWAYS_RIGHT.strip() in server.requests[0]["messages"][-1]["content"]
    assert replay.main(["a", "--quiet"]) == 0
    capsys.readouterr()
    # A run that was killed goes on with the program as it was.
    (folder / "mine.py").write_text("broken(")
    (folder / "a/result.json").unlink()
    assert run(capsys, "--resume", "a")[0] == 0


def test_a_task_that_does_not_fit_is_an_error_at_the_first_call(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with OpenAIServer([failure(400, "x", code="context_length_exceeded")]) as server:
        words = ("--data", "corridor.npz", *service(server), "--out", "run")
        assert synthesize.main([*words, "--quiet"]) == 1
        assert len(server.requests) == 1
    assert "do not fit into the context of 'tiny'" in capsys.readouterr().err


def test_several_models_are_told_apart(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--llm", "scripted:hopeless.json", "--llm", "scripted:answers2.json")
    more = [numbered(NEVER_ENDS, number) for number in range(40)]
    (folder / "answers2.json").write_text(json.dumps(more))
    _, result = run(capsys, *words, "--call-budget", "12", "--out", "run")
    models = result["models"]
    assert [model["name"] for model in models] == list(words[1::2])
    assert sum(model["calls"] for model in models) == 12
    assert all(model["calls"] > 0 for model in models)
    total = sum(model["completion_tokens"] for model in models)
    assert total == result["usage"]["completion_tokens"]
    nodes = result["nodes"]
    assert sum(node["completion_tokens"] for node in nodes) == total
    assert {node["model"] for node in nodes} == {0, 1}
    assert replay.main(["run", "--quiet"]) == 0


def test_many_calls_are_on_their_way_and_the_tree_is_replayed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    together = threading.Barrier(4, timeout=60)
    lock = threading.Lock()
    count = 0

    def respond(request: Request) -> Reply:
        nonlocal count
        with lock:
            count += 1
            number = count
        if number <= 4:
            together.wait()
        return answer(numbered(ALWAYS_RIGHT, number))

    with OpenAIServer(respond) as server:
        words = (*service(server), "--concurrency", "4", "--call-budget", "12")
        code, result = run(capsys, *words, "--out", "run")
        assert len(server.requests) == 12
    assert code == 0
    assert result["num_calls"] == 12
    assert replay.main(["run", "--quiet"]) == 0


def test_a_program_that_comes_again_is_not_run_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = [fenced(f"# {number}\n{ALWAYS_RIGHT}") for number in range(6)]
    (folder / "same.json").write_text(json.dumps(same))
    words = ("--llm", "scripted:same.json", "--call-budget", "6", "--out", "run")
    _, result = run(capsys, *words)
    assert result["num_repeated"] == 5
    records = read_journal(folder / "run/journal.jsonl").records
    firsts = [r.body["same_as"] for r in records if r.kind == "evaluation"]
    assert firsts == [None, 0, 0, 0, 0, 0]


def test_nothing_in_a_search_depends_on_what_is_scored_after_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = load_dataset(folder / "corridor.npz")
    held_out = dataset.splits.index("held_out")
    other = trajectory_of([1, 1, 1, 1], seed=99)
    trajectories = list(dataset.trajectories)
    # Others are held out, a planner has been there, and hidden states are known.
    trajectories[held_out] = other
    trajectories.append(trajectory_of([1, 0, 1, 1, 1], seed=98))
    changed = replace(
        dataset,
        trajectories=tuple(
            replace(t, states=np.full((len(t) + 1, 3), 0.5)) for t in trajectories
        ),
        splits=(*dataset.splits, "planner"),
    )
    save_dataset(changed, folder / "changed.npz")
    contents = []
    for name in ("corridor", "changed"):
        words = ["--quiet", "--data", f"{name}.npz", "--llm", "scripted:hopeless.json"]
        synthesize.main([*words, "--call-budget", "6", "--out", name])
        records = read_journal(folder / name / "journal.jsonl").records
        contents.append(comparable(records[1:]))
    assert contents[0] == contents[1]


def test_searches_are_compared_at_the_same_number_of_calls(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["search", "--env", "CliffWalking-v1", "--call-budget", "2", "--quiet"]
    searches = ["--searches", "gif-mcts,best-of-n", "--seeds", "0", "--out", "table"]
    small = ["--collect.min-transitions", "50", "--collect.max-transitions", "400"]
    assert benchmark.main([*words, *searches, *small, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [row["search"] for row in report["rows"]] == ["gif-mcts", "best-of-n"]
    assert [row["num_calls"] for row in report["rows"]] == [[2], [2]]
    assert report["made_by"] == "symbolic induction"
    assert not report["is_stand_in"]
    # Both had the same transitions.
    data = [
        (folder / f"table/CliffWalking-v1/{name}-0/dataset.npz").read_bytes()
        for name in ("gif-mcts", "best-of-n")
    ]
    assert data[0] == data[1]
    # Finished runs are taken as they are; other settings are refused.
    before = capsys.readouterr()
    assert benchmark.main([*words, *searches, *small]) == 0
    assert "made by: symbolic induction" in capsys.readouterr().out
    assert benchmark.main([*words, *searches]) == 2
    assert "out must hold runs with the settings" in capsys.readouterr().err
    assert before.err == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "needs the name of a command, got ''. Known: run, report,"),
        (["serch"], "got 'serch'. Known: run, report,"),
        (["search"], "env must name at least one, got ''."),
        (["search", "--env", "A", "--searches", "x"], "searches must be some of gif-"),
        (["search", "--env", "A", "--seeds", "-1"], "seeds must be whole numbers"),
    ],
)
def test_a_comparison_of_nothing_is_a_usage_error(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert benchmark.main(words) == 2
    assert message in capsys.readouterr().err
