"""From a request for a program to the prompt that a language model gets."""

from dataclasses import dataclass

from cwm.core.proposals import ParentProgram, ProposalRequest, Task
from prompts.blocks import fenced
from prompts.config import DEFAULT_PROMPT_CONFIG, PromptConfig
from prompts.constants import describe_constants
from prompts.documentation import compact
from prompts.examples import describe_examples
from prompts.facts import task_facts
from prompts.feedback import (
    describe_accuracy,
    describe_counterexamples,
    describe_failure,
)
from prompts.fill import fill
from prompts.history import describe_history
from prompts.program_tests import (
    describe_interface,
    describe_program_examples,
    describe_starter,
)
from prompts.values import describe_space, shorten

__all__ = ["DEFAULT_PROMPT_CONFIG", "Prompt", "PromptConfig", "render"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a chat model is sent.

    Attributes:
        system: The message that sets the role.
        user: The request itself.
        assistant: The beginning of the answer, which the model is to continue; `""`
            if it is to answer from the start.
    """

    system: str
    user: str
    assistant: str = ""


def render(
    request: ProposalRequest,
    config: PromptConfig = DEFAULT_PROMPT_CONFIG,
    *,
    continues: bool = False,
) -> Prompt:
    """Returns the prompt of a request; equal requests give equal prompts.

    Args:
        request: What is asked for.
        config: What the prompt shows.
        continues: Whether the model can continue a message of its own. If so, a
            generate from a prefix has the answer begun with it, in place of the
            instruction to keep it.

    Raises:
        ValueError: If an improve or fix request has no parent.
        prompts.fill.TemplateError: If a template uses a field that does not exist.
    """
    is_begun = continues and _can_be_begun(request)
    fields = _task_fields(request.task, config)
    fields["history"] = describe_history(request, config)

    def text(name: str) -> str:
        family, folder = request.task.family, config.template_folder
        return fill(name, fields, family=family, folder=folder).strip()

    rules = [text("contract"), *(text(name) for name in request.task.libraries)]
    fields["contract"] = "\n".join(rules)
    if request.kind == "generate":
        fields["data_facts"] = _data_facts(request.task, config)
        fields["examples"] = _examples(request.task, config)
        fields["prefix_lines"] = fenced(request.prefix)
        is_asked_to_keep = request.prefix.strip() and not is_begun
        fields["prefix"] = text("prefix") + "\n\n" if is_asked_to_keep else ""
        fields["answer"] = text("continue" if is_begun else "answer")
    elif request.parent is None:
        raise ValueError(f"parent must be given in a {request.kind} request, got None.")
    else:
        fields |= _parent_fields(request, request.parent, config)
    return Prompt(
        system=text("system"),
        user=text(_template(request)) + "\n",
        assistant=f"{_FENCE}python\n{request.prefix}" if is_begun else "",
    )


_FENCE = "```"


def _can_be_begun(request: ProposalRequest) -> bool:
    """Whether the answer can be begun with the prefix: it must not end the block."""
    prefix = request.prefix
    return request.kind == "generate" and bool(prefix.strip()) and _FENCE not in prefix


def _template(request: ProposalRequest) -> str:
    parent = request.parent
    if request.kind == "fix" and parent is not None and not parent.is_program:
        return "fix_answer"
    return request.kind


def _task_fields(task: Task, config: PromptConfig) -> dict[str, str]:
    description = compact(task.description) or "There is no documentation."
    fields = {"description": shorten(description, config.max_description_chars)}
    if task.program is not None:
        parts = [describe_interface(task.program), describe_starter(task.program)]
        fields["interface"] = "\n\n".join(part for part in parts if part)
        return fields
    fields["spaces"] = (
        f"- An observation is {describe_space(task.observation_space)}.\n"
        f"- An action is {describe_space(task.action_space)}."
    )
    fields["randomness"] = _RANDOM if task.is_stochastic else _DETERMINISTIC
    fields["and_imports"] = _and_imports(task)
    return fields


_PACKAGES = {"physics": "`mujoco`"}
"""What to import, by the name of a library; each has a template of that name."""


def _and_imports(task: Task) -> str:
    """Returns what may be imported, to follow the first of it."""
    *others, last = ["NumPy", *(_PACKAGES[name] for name in task.libraries)]
    return "".join(f", {name}" for name in others) + f" and {last}"


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


def _data_facts(task: Task, config: PromptConfig) -> str:
    if config.is_plain or task.program is not None or not len(task.train):
        return ""
    return task_facts(task)


def _examples(task: Task, config: PromptConfig) -> str:
    if task.program is not None:
        return describe_program_examples(task.program, config)
    text = describe_examples(
        task, config.num_examples, max_value_chars=config.max_value_chars
    )
    return f"Some of them, chosen to differ:\n\n{text}" if text else ""


def _parent_fields(
    request: ProposalRequest, parent: ParentProgram, config: PromptConfig
) -> dict[str, str]:
    task = request.task
    tag = "python" if parent.is_program else "text"
    fields = {"program": fenced(shorten(parent.source, config.max_program_chars), tag)}
    if request.kind == "improve":
        fields["accuracy"] = describe_accuracy(task, parent, config)
        fields["constants"] = describe_constants(parent, config)
        fields["counterexamples"] = describe_counterexamples(
            task, parent.counterexamples, config
        )
    else:
        fields["failure"] = describe_failure(task, parent, config)
    if request.kind == "improve" or not parent.is_program:
        fields["data_facts"] = _data_facts(task, config)
    return fields
