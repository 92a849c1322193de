"""Tests of a program that is no world model, as text."""

from cwm.core.proposals import Counterexample, ProgramExample, ProgramInterface
from prompts.blocks import fenced
from prompts.config import PromptConfig
from prompts.values import shorten


def describe_interface(program: ProgramInterface) -> str:
    """Returns how the program is called, as list items."""
    if not program.function:
        return (
            "- It reads its input from standard input and writes its result to "
            "standard output, in exactly the format that the problem states: no "
            "prompts, no other words.\n"
            "- It is run as a script, once for each test."
        )
    owner, _, method = program.function.rpartition(".")
    what = (
        f"the class `{owner}` with the method `{method}`"
        if owner
        else (f"the function `{method}`")
    )
    made = f" `{owner}()` takes no argument." if owner else ""
    return (
        f"- It defines {what}, which is called with the arguments of each test and "
        f"returns the result.{made}\n"
        "- It reads nothing and need not print anything."
    )


def describe_starter(program: ProgramInterface) -> str:
    """Returns the lines that the problem gives, with what they are; may be empty."""
    if not program.starter.strip():
        return ""
    return f"The problem gives these first lines:\n\n{fenced(program.starter)}"


def describe_program_examples(program: ProgramInterface, config: PromptConfig) -> str:
    """Returns tests that the author may see, as many as examples are shown."""
    return "\n\n".join(
        f"Test {number}\n{_example(program.function, example, config)}"
        for number, example in enumerate(program.examples[: config.num_examples], 1)
    )


def describe_failed_test(
    program: ProgramInterface, counterexample: Counterexample, config: PromptConfig
) -> str:
    """Returns a failed test: its input, what was due, and what came instead."""
    example = counterexample.example
    assert example is not None, "checked by the caller"
    parts = [_example(program.function, example, config)]
    if counterexample.output is not None:
        parts.append(f"What the program gave:\n{_block(counterexample.output, config)}")
    if counterexample.message:
        parts.append(
            f"Note: {shorten(counterexample.message, config.max_failure_chars)}"
        )
    return "\n".join(parts)


def _example(function: str, example: ProgramExample, config: PromptConfig) -> str:
    given = example.input
    if function:
        owner, _, method = function.rpartition(".")
        given = f"{f'{owner}().' if owner else ''}{method}({given})"
    return (
        f"Input:\n{_block(given, config)}\n"
        f"Right result:\n{_block(example.output, config)}"
    )


def _block(text: str, config: PromptConfig) -> str:
    return fenced(shorten(text, config.max_failure_chars), tag="text")
