"""The embedded default proposer: induces programs without a language model."""

import time

from threadpoolctl import threadpool_limits

from cwm.core.proposals import (
    Completion,
    ParseFailure,
    ProposalRequest,
    Task,
    Usage,
)
from cwm.core.spaces import (
    BoxSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    SpaceSpec,
    leaves,
)
from cwm.proposers.symbolic.continuous.inducer import ContinuousInducer
from cwm.proposers.symbolic.discrete.inducer import MODEL_KEY, DiscreteInducer
from cwm.proposers.symbolic.discrete.model import moved_down
from cwm.proposers.symbolic.step_batch.writer import StepBatchWriter

MAX_ELEMENTS = 512
"""Elements of an observation; more take more memory than a laptop has to spare."""

_MAX_DISCRETE_SIZE = 16
"""Elements of an integer array up to which it is taken apart into digits."""


class SymbolicProposer:
    """Answers generate, improve and fix requests by symbolic induction.

    It sees transitions and spaces only, and makes one bounded change per
    request (docs/induction.md). Integer observations go to the inducer of
    tables and rules, all others to the inducer of laws and events. Programs get a
    `step_batch` beside `step` where that has an equal array form.

    Attributes:
        step_batches: Writes the array forms, and counts how many there are.
    """

    def __init__(self) -> None:
        self.step_batches = StepBatchWriter()
        self._continuous = ContinuousInducer()
        self._discrete = DiscreteInducer()

    @property
    def name(self) -> str:
        """What produced the programs."""
        return "symbolic induction"

    def expected_usage(self, task: Task) -> tuple[Usage, Usage]:
        """Returns what a call costs: nothing but its turn."""
        return Usage(), Usage()

    def highest_usage(self, request: ProposalRequest) -> Usage:
        """Returns what a call costs: nothing but its turn."""
        return Usage()

    def propose(self, request: ProposalRequest) -> Completion:
        """Answers one request; the same request has the same answer.

        Raises:
            ValueError: If the spaces are refused (`refusal`).
        """
        started = time.perf_counter()
        inducer = self._inducer(request)
        answers = {
            "generate": inducer.generate,
            "improve": inducer.improve,
            "fix": inducer.fix,
        }
        # Small regressions: more than one BLAS thread costs ten times the time.
        with threadpool_limits(1):
            answer = answers[request.kind](request)
            text, shift = self.step_batches.write(answer.text, request.task)
        annotation = answer.annotation
        if MODEL_KEY in annotation:
            moved = moved_down(annotation[MODEL_KEY], shift)
            annotation = {**annotation, MODEL_KEY: moved}
        usage = Usage(seconds=time.perf_counter() - started)
        return Completion(text=text, annotation=annotation, usage=usage)

    def parse(
        self, completion: Completion, request: ProposalRequest
    ) -> str | ParseFailure:
        """Returns the completion's text, which is a program."""
        del request
        return completion.text

    def _inducer(self, request: ProposalRequest) -> ContinuousInducer | DiscreteInducer:
        task = request.task
        reason = refusal(task.observation_space, task.action_space)
        if reason is not None:
            raise ValueError(reason)
        discrete = all(_is_discrete(leaf) for _, leaf in leaves(task.observation_space))
        actions = all(_is_discrete(leaf) for _, leaf in leaves(task.action_space))
        return self._discrete if discrete and actions else self._continuous


def refusal(observation_space: SpaceSpec, action_space: SpaceSpec) -> str | None:
    """Returns why symbolic induction cannot work on these spaces; `None` if it can."""
    hint = "Use a language model: --llm openai:MODEL."
    for role, space in (("observation", observation_space), ("action", action_space)):
        if not all(_is_numeric(leaf) for _, leaf in leaves(space)):
            return (
                f"The {role} space must be numeric for symbolic induction, got "
                f"{space!r}. {hint}"
            )
    size = sum(_num_elements(leaf) for _, leaf in leaves(observation_space))
    if size > MAX_ELEMENTS:
        return (
            f"Observations must have at most {MAX_ELEMENTS} elements for symbolic "
            f"induction, got {size}. {hint}"
        )
    return None


def _num_elements(leaf: SpaceSpec) -> int:
    match leaf:
        case BoxSpec():
            return leaf.size
        case MultiDiscreteSpec():
            return len(leaf.num_values)
        case _:
            return 1


def _is_numeric(leaf: SpaceSpec) -> bool:
    return isinstance(leaf, BoxSpec | DiscreteSpec | MultiDiscreteSpec)


def _is_discrete(leaf: SpaceSpec) -> bool:
    match leaf:
        case DiscreteSpec() | MultiDiscreteSpec():
            return True
        case BoxSpec():
            return leaf.is_integer and leaf.size <= _MAX_DISCRETE_SIZE
        case _:
            return False
