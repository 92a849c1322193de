"""What is said about the program to change."""

from dataclasses import replace

import pytest

from cwm.core.proposals import Counterexample, ParentProgram, ProgramExample, Task
from prompts.config import DEFAULT_PROMPT_CONFIG, PAPER_PROMPT_CONFIG, PromptConfig
from prompts.feedback import (
    describe_accuracy,
    describe_counterexamples,
    describe_failure,
)
from tests.support.prompt_tasks import largest_gap_task, sum_task
from tests.support.tasks import CORRIDOR_PROGRAM, corridor_task

PARENT = ParentProgram(source=CORRIDOR_PROGRAM)


def accuracy(parts: dict[str, float], task: Task | None = None) -> list[str]:
    parent = replace(PARENT, score=0.5, part_accuracy=parts)
    text = describe_accuracy(task or corridor_task(), parent, DEFAULT_PROMPT_CONFIG)
    return text.splitlines()


def failure(config: PromptConfig = DEFAULT_PROMPT_CONFIG, **fields: object) -> str:
    return describe_failure(corridor_task(), replace(PARENT, **fields), config)


def test_parts_of_one_accuracy_share_a_line_the_worst_first() -> None:
    parts = {"reward": 1.0, "observation[0]": 0.25, "terminated": 1.0, "x": 0.5}
    assert accuracy(parts) == [
        "Its score on 9 recorded transitions is 0.5000 (1 is perfect).",
        "Share of the transitions in which each part is right:",
        "- 0.2500: observation[0]",
        "- 0.5000: x",
        "- 1.0000: reward, terminated",
    ]


def test_part_that_is_wrong_once_in_a_million_does_not_read_as_right() -> None:
    assert accuracy({"a": 0.999999, "b": 1.0})[2:] == ["- 0.9999: a", "- 1.0000: b"]


def test_many_parts_are_counted() -> None:
    assert accuracy({f"o[{i:03}]": 0.5 for i in range(11)})[2] == (
        "- 0.5000: o[000], o[001], o[002], o[003], o[004], o[005], o[006], o[007] "
        "and 3 more"
    )
    lines = accuracy({f"o[{i:03}]": i / 100 for i in range(100)})
    assert len(lines) == 2 + 16 + 1
    assert lines[-1] == "- 84 more parts that are better"


def test_perfect_score_is_not_promised_where_outcomes_vary() -> None:
    (line,) = accuracy({}, corridor_task(is_stochastic=True))
    assert "chance forbids" in line
    assert "perfect" not in line


def test_score_of_a_program_is_the_share_of_tests_that_pass() -> None:
    assert accuracy({}, sum_task()) == ["It passes 50.00% of the tests."]


def test_improve_without_counterexamples_says_so() -> None:
    text = describe_counterexamples(corridor_task(), (), DEFAULT_PROMPT_CONFIG)
    assert text.startswith("None is at hand.")


def test_no_more_counterexamples_are_shown_than_asked_for() -> None:
    wrong = Counterexample(index=-1, wrong_parts=("t",), message="broken rule")
    config = PromptConfig(num_counterexamples=2)
    text = describe_counterexamples(corridor_task(), (wrong,) * 9, config)
    assert text.count("broken rule") == 2
    assert "Wrong prediction 2: t\n- from a unit test\n- note: broken rule" in text


def test_stochastic_counterexamples_say_that_they_are_outcomes_never_drawn() -> None:
    wrong = Counterexample(index=-1, wrong_parts=("t",), message="x")
    task = corridor_task(is_stochastic=True)
    text = describe_counterexamples(task, (wrong,), DEFAULT_PROMPT_CONFIG)
    assert text.startswith("Outcomes vary.")
    assert "Outcomes vary" not in describe_counterexamples(
        task, (wrong,), PAPER_PROMPT_CONFIG
    )


def test_failed_test_shows_input_right_result_and_what_came() -> None:
    example = ProgramExample(input="[5]", output="0")
    wrong = Counterexample(index=-1, wrong_parts=("t",), example=example, output="5")
    task = largest_gap_task()
    assert describe_counterexamples(task, (wrong,), DEFAULT_PROMPT_CONFIG) == (
        "Failed test 1\n"
        "Input:\n```text\nSolution().largest_gap([5])\n```\n"
        "Right result:\n```text\n0\n```\n"
        "What the program gave:\n```text\n5\n```"
    )
    late = replace(wrong, output=None, message="TimeLimit: too slow")
    text = describe_counterexamples(task, (late,), DEFAULT_PROMPT_CONFIG)
    assert text.endswith("```text\n0\n```\nNote: TimeLimit: too slow")


def test_long_test_input_is_shortened() -> None:
    example = ProgramExample(input="1 " * 3_000, output="0")
    wrong = Counterexample(index=-1, wrong_parts=(), example=example)
    text = describe_counterexamples(sum_task(), (wrong,), DEFAULT_PROMPT_CONFIG)
    assert "4000 characters removed" in text


def test_failure_shows_message_the_line_with_those_around_it_and_the_transition() -> (
    None
):
    text = failure(
        failure="ZeroDivisionError: division by zero\nLine 15: self.position = max(",
        failure_line=15,
        failing_index=2,
    )
    assert text.startswith("ZeroDivisionError: division by zero\n\nIt happened in line")
    assert text.count("self.position = max(") == 1
    lines = text.splitlines()
    marked = [line for line in lines if line.startswith(">")]
    assert len(marked) == 1
    assert marked[0].startswith("> 15 |         self.position = max(0.0, before")
    assert "  12 | " in lines
    assert any(line.startswith("  18 | ") for line in lines)
    assert not any(line.startswith(("  11 |", "  19 |")) for line in lines)
    assert "It happened at this recorded transition:\n\n- observation: [2.0, 1.0]" in (
        text
    )


def test_plain_failure_shows_the_failing_line_alone() -> None:
    text = failure(PAPER_PROMPT_CONFIG, failure="x", failure_line=15)
    assert text.count(" | ") == 1


@pytest.mark.parametrize("line", [1, 19])
def test_failing_line_at_an_end_of_the_program_is_quoted(line: int) -> None:
    assert len(CORRIDOR_PROGRAM.splitlines()) == 19
    text = failure(failure="x", failure_line=line)
    assert text.count(" | ") == 4
    assert f"> {line:{len(str(min(19, line + 3)))}} | " in text


def test_line_is_counted_as_python_counts_it() -> None:
    source = "a = '\x0c'\nb = 1 / 0\n"
    assert "> 2 | b = 1 / 0" in failure(source=source, failure="x", failure_line=2)


def test_long_line_of_the_program_is_shortened() -> None:
    text = failure(source="x" * 5_000, failure="y", failure_line=1)
    assert "4400 characters removed" in text


@pytest.mark.parametrize(
    "fields",
    [
        {"source": "", "failure_line": 99, "failing_index": 10_000},
        {"source": "an answer", "failure_line": 1, "is_program": False},
    ],
    ids=["impossible", "no program"],
)
def test_failure_without_details_is_its_message(fields: dict[str, object]) -> None:
    assert failure(**fields) == "It failed without a message."
