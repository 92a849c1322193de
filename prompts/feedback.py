"""What a prompt says about the program to change: how well it does, how it fails."""

from collections.abc import Iterable, Mapping
from itertools import groupby

from cwm.core.proposals import Counterexample, ParentProgram, Task
from prompts.blocks import fenced
from prompts.config import PromptConfig
from prompts.differences import describe_differences, name_wrong_parts
from prompts.program_tests import describe_failed_test
from prompts.values import format_value, shorten

_MAX_GROUPS_SHOWN = 16
"""Different accuracies of parts that are listed."""

_MAX_PARTS_NAMED = 8
"""Parts of one accuracy that are named."""

_LINES_AROUND = 3
"""Lines of the program that are quoted before and after the failing one."""


def describe_accuracy(task: Task, parent: ParentProgram, config: PromptConfig) -> str:
    """Returns the program's score, and the share of transitions for each part."""
    if task.program is not None:
        return f"It passes {parent.score:.2%} of the tests."
    perfect = (
        "1 would be to foresee every outcome, which chance forbids"
        if task.is_stochastic
        else "1 is perfect"
    )
    lines = [
        f"Its score on {len(task.train)} recorded transitions is {parent.score:.4f} "
        f"({perfect})."
    ]
    if parent.part_accuracy and not config.is_plain:
        lines.append("Share of the transitions in which each part is right:")
        lines += _parts(parent.part_accuracy)
    return "\n".join(lines)


def _parts(part_accuracy: Mapping[str, float]) -> list[str]:
    """Returns a line for each accuracy, the lowest first, with its parts."""
    ordered = sorted(part_accuracy.items(), key=lambda item: _rounded(item[1]))
    groups = [
        (accuracy, [name for name, _ in items])
        for accuracy, items in groupby(ordered, key=lambda item: _rounded(item[1]))
    ]
    shown = groups if len(groups) <= _MAX_GROUPS_SHOWN else groups[:_MAX_GROUPS_SHOWN]
    lines = [f"- {accuracy}: {_named(names)}" for accuracy, names in shown]
    num_left = sum(len(names) for _, names in groups[len(shown) :])
    return [*lines, f"- {num_left} more parts that are better"] if num_left else lines


def _rounded(accuracy: float) -> str:
    # What is not quite all right must not read as if it were.
    return "0.9999" if 0.9999 < accuracy < 1.0 else f"{accuracy:.4f}"


def _named(names: list[str]) -> str:
    named = ", ".join(names[:_MAX_PARTS_NAMED])
    more = len(names) - _MAX_PARTS_NAMED
    return f"{named} and {more} more" if more > 0 else named


def describe_counterexamples(
    task: Task, counterexamples: Iterable[Counterexample], config: PromptConfig
) -> str:
    """Returns wrong predictions (or failed tests), each with what is wrong."""
    shown = list(counterexamples)[: config.num_counterexamples]
    if not shown:
        return "None is at hand. Look for cases that the program does not cover."
    parts = [
        _counterexample(task, number, counterexample, config)
        for number, counterexample in enumerate(shown, start=1)
    ]
    if task.is_stochastic and not config.is_plain:
        parts.insert(
            0,
            "Outcomes vary. Each of these was recorded, and the program never gave it "
            "in many draws; what it gave is one of those draws.",
        )
    return "\n\n".join(parts)


def _counterexample(
    task: Task, number: int, counterexample: Counterexample, config: PromptConfig
) -> str:
    if task.program is not None and counterexample.example is not None:
        text = describe_failed_test(task.program, counterexample, config)
        return f"Failed test {number}\n{text}"
    head = f"Wrong prediction {number}"
    if counterexample.wrong_parts and not config.is_plain:
        head = f"{head}: {name_wrong_parts(counterexample)}"
    text = describe_differences(
        counterexample,
        task.observation_space,
        max_value_chars=config.max_value_chars,
        is_plain=config.is_plain,
    )
    return f"{head}\n{text}"


def describe_failure(task: Task, parent: ParentProgram, config: PromptConfig) -> str:
    """Returns how a program failed: the message, its own line, and the transition."""
    message = parent.failure.strip() or "It failed without a message."
    line = parent.failure_line
    source_lines = parent.source.rstrip().split("\n")
    if not parent.is_program or line is None or not 1 <= line <= len(source_lines):
        parts = [shorten(message, config.max_failure_chars)]
    else:
        # Outcomes end with the line that is quoted below.
        head, found, _ = message.rpartition(f"\nLine {line}: ")
        message = head if found else message
        parts = [
            shorten(message, config.max_failure_chars),
            f"It happened in line {line} of the program:",
            _excerpt(source_lines, line, config),
        ]
    index = parent.failing_index
    if index is not None and 0 <= index < len(task.train):
        parts.append("It happened at this recorded transition:")
        parts.append(_transition(task, index, config))
    return "\n\n".join(parts)


def _excerpt(source_lines: list[str], line: int, config: PromptConfig) -> str:
    """Returns lines of the program with their numbers, the failing one marked."""
    around = 0 if config.is_plain else _LINES_AROUND
    numbers = range(max(1, line - around), min(len(source_lines), line + around) + 1)
    width = len(str(numbers[-1]))
    quoted = (
        f"{'>' if number == line else ' '} {number:{width}} | "
        f"{shorten(source_lines[number - 1].rstrip(), config.max_value_chars)}"
        for number in numbers
    )
    return fenced("\n".join(quoted), tag="text")


def _transition(task: Task, row: int, config: PromptConfig) -> str:
    transition = task.train.transition(row)

    def show(value: object) -> str:
        return format_value(value, max_chars=config.max_value_chars)

    return "\n".join(
        [
            f"- observation: {show(transition.observation)}",
            f"- action: {show(transition.action)}",
            f"- next observation: {show(transition.next_observation)}",
            f"- reward: {transition.reward!r}",
            f"- terminated: {transition.terminated}",
        ]
    )
