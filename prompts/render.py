"""From a request for a program to the prompt that a language model gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cwm.core.proposals import Counterexample, ParentProgram, ProposalRequest, Task
from cwm.core.trajectories import TransitionBatch
from prompts.differences import describe_differences
from prompts.examples import choose_examples
from prompts.fill import fill
from prompts.parse import fenced
from prompts.values import describe_space, format_value, shorten

_MAX_DISTINCT_REWARDS = 10
_MAX_RANGES_SHOWN = 24
_MIN_CHARS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptConfig:
    """What a prompt shows, and how much of it.

    Attributes:
        num_examples: Recorded transitions in a generate prompt; at least 1.
        num_counterexamples: Wrong predictions in an improve prompt; at least 1.
            The paper shows 1.
        max_value_chars: Longest text of one observation or action; like all limits
            at least 40. What is cut says how much.
        max_description_chars: Longest text of the environment's documentation.
        max_program_chars: Longest text of the program to change.
        max_failure_chars: Longest text of how a program failed.
        template_folder: Folder with templates that go before the built-in ones.
    """

    num_examples: int = 10
    num_counterexamples: int = 5
    max_value_chars: int = 600
    max_description_chars: int = 12_000
    max_program_chars: int = 40_000
    max_failure_chars: int = 2_000
    template_folder: Path | None = None

    def __post_init__(self) -> None:
        rules = {
            "num_examples": 1,
            "num_counterexamples": 1,
            "max_value_chars": _MIN_CHARS,
            "max_description_chars": _MIN_CHARS,
            "max_program_chars": _MIN_CHARS,
            "max_failure_chars": _MIN_CHARS,
        }
        for name, low in rules.items():
            value = getattr(self, name)
            if value < low:
                raise ValueError(f"{name} must be at least {low}, got {value}.")


DEFAULT_PROMPT_CONFIG = PromptConfig()


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a chat model is sent.

    Attributes:
        system: The message that sets the role.
        user: The request itself.
    """

    system: str
    user: str


def render(
    request: ProposalRequest, config: PromptConfig = DEFAULT_PROMPT_CONFIG
) -> Prompt:
    """Returns the prompt of a request; equal requests give equal prompts.

    Raises:
        ValueError: If an improve or fix request has no parent.
        prompts.fill.TemplateError: If a template uses a field that does not exist.
    """
    fields = _task_fields(request.task, config)
    fields["attempt"] = _attempt(request.attempt)
    if request.kind == "generate":
        fields["data_summary"] = _data_summary(request.task.train)
        fields["examples"] = _examples(request.task.train, config)
        fields["prefix"] = _prefix(request.prefix)
    elif request.parent is None:
        raise ValueError(f"parent must be given in a {request.kind} request, got None.")
    else:
        fields |= _parent_fields(request.task, request.parent, config)
    folder = config.template_folder
    fields["contract"] = fill("contract", fields, folder=folder).rstrip()
    return Prompt(
        system=fill("system", fields, folder=folder).strip(),
        user=fill(request.kind, fields, folder=folder).strip() + "\n",
    )


def _task_fields(task: Task, config: PromptConfig) -> dict[str, str]:
    description = task.description.strip() or "There is no documentation."
    return {
        "description": shorten(description, config.max_description_chars),
        "spaces": (
            f"- An observation is {describe_space(task.observation_space)}.\n"
            f"- An action is {describe_space(task.action_space)}."
        ),
        "randomness": _RANDOM if task.is_stochastic else _DETERMINISTIC,
    }


_DETERMINISTIC = (
    "- In the recorded transitions the same observation and action always have the "
    "same outcome, so the program uses no randomness."
)
_RANDOM = (
    "- The environment is stochastic. Draw every random number from `self.rng`, a "
    "`numpy.random.Generator` that is set from outside before each `step`; never make "
    "or seed a generator. The program is judged by how probable it makes the recorded "
    "outcomes, so the probabilities must be right."
)


def _attempt(attempt: int) -> str:
    if attempt == 0:
        return ""
    times = "once" if attempt == 1 else f"{attempt} times"
    return (
        f"This was already tried {times} from the same starting point, and the search "
        "came back: take another approach than the most obvious one.\n\n"
    )


def _prefix(prefix: str) -> str:
    if not prefix.strip():
        return ""
    return (
        "The program begins with the lines below. Keep them as they are and continue "
        "from there; answer with the complete program, these lines included.\n\n"
        f"{fenced(prefix)}\n\n"
    )


def _parent_fields(
    task: Task, parent: ParentProgram, config: PromptConfig
) -> dict[str, str]:
    return {
        "program": fenced(shorten(parent.source, config.max_program_chars)),
        "accuracy": _accuracy(parent, len(task.train)),
        "counterexamples": _counterexamples(task, parent.counterexamples, config),
        "failure": _failure(task, parent, config),
    }


def _accuracy(parent: ParentProgram, num_transitions: int) -> str:
    lines = [
        f"Its score on {num_transitions} recorded transitions is {parent.score:.4f} "
        "(1 is perfect)."
    ]
    if parent.part_accuracy:
        lines.append("Share of the transitions in which each part is right:")
        parts = sorted(parent.part_accuracy.items(), key=lambda item: item[1])
        shown = parts[:_MAX_RANGES_SHOWN]
        lines += [f"- {name}: {accuracy:.4f}" for name, accuracy in shown]
        if len(parts) > len(shown):
            lines.append(f"- {len(parts) - len(shown)} more parts that are no worse")
    return "\n".join(lines)


def _counterexamples(
    task: Task, counterexamples: Sequence[Counterexample], config: PromptConfig
) -> str:
    if not counterexamples:
        return "None is at hand. Look for cases that the program does not cover."
    return "\n\n".join(
        f"Wrong prediction {number}\n"
        + describe_differences(
            counterexample,
            task.observation_space,
            max_value_chars=config.max_value_chars,
        )
        for number, counterexample in enumerate(
            counterexamples[: config.num_counterexamples], start=1
        )
    )


def _failure(task: Task, parent: ParentProgram, config: PromptConfig) -> str:
    text = parent.failure.strip() or "It failed without a message."
    lines = [shorten(text, config.max_failure_chars)]
    source_lines = parent.source.splitlines()
    line = parent.failure_line
    if line is not None and 1 <= line <= len(source_lines):
        quoted = shorten(source_lines[line - 1].strip(), config.max_value_chars)
        lines.append(f"The failing line is line {line}: `{quoted}`")
    index = parent.failing_index
    if index is not None and 0 <= index < len(task.train):
        lines.append("It failed for this recorded transition:")
        lines.append(_transition(task.train, index, config))
    return "\n\n".join(lines)


def _examples(batch: TransitionBatch, config: PromptConfig) -> str:
    rows = choose_examples(batch, config.num_examples)
    return "\n\n".join(
        f"Transition {number} (trajectory {batch.trajectory[row]}, "
        f"step {batch.time[row]})\n{_transition(batch, row, config)}"
        for number, row in enumerate(rows, start=1)
    )


def _transition(batch: TransitionBatch, row: int, config: PromptConfig) -> str:
    transition = batch.transition(row)

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


def _data_summary(batch: TransitionBatch) -> str:
    num_trajectories = len(np.unique(batch.trajectory))
    lines = [
        f"There are {len(batch)} recorded transitions from {num_trajectories} "
        f"trajectories; {int(batch.terminated.sum())} of them terminated.",
        _rewards(batch),
        *_ranges(batch),
    ]
    return "\n".join(lines) + "\n\nSome of them, chosen to differ:"


def _rewards(batch: TransitionBatch) -> str:
    distinct, counts = np.unique(batch.rewards, return_counts=True)
    if len(distinct) > _MAX_DISTINCT_REWARDS:
        return (
            f"Rewards lie between {float(distinct[0])!r} and {float(distinct[-1])!r}."
        )
    pairs = zip(distinct.tolist(), counts.tolist(), strict=True)
    text = ", ".join(f"{reward!r} ({count} times)" for reward, count in pairs)
    return f"Rewards that occur: {text}."


def _ranges(batch: TransitionBatch) -> list[str]:
    """Returns lines with the observed range of each number of an observation."""
    lines: list[str] = []
    for path, column in batch.observations.items():
        if not isinstance(column, np.ndarray) or column.dtype.kind not in "iuf":
            continue
        both = np.concatenate([column, np.asarray(batch.next_observations[path])])
        flat = both.reshape(len(both), -1)
        name = f"observation {path!r}" if path else "observation"
        for element in range(flat.shape[1]):
            label = name if column.ndim == 1 else f"{name}, element {element}"
            low, high = flat[:, element].min(), flat[:, element].max()
            lines.append(f"- {label}: from {low:.6g} to {high:.6g}")
    if not lines or len(lines) > _MAX_RANGES_SHOWN:
        return []
    return ["Ranges that occur:", *lines]
