"""What the search asks of a proposer, and what comes back.

A proposer sees the task (a description, spaces, training transitions) and, for
improve and fix, the parent program with what is wrong with it. It never sees
the environment, nor held-out data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from cwm.core.spaces import SpaceSpec, Value
from cwm.core.trajectories import TransitionBatch

Kind: TypeAlias = Literal["generate", "improve", "fix"]
"""The three actions of GIF-MCTS."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be modelled, as far as a proposer may know it.

    Attributes:
        environment_id: Name, for messages; a proposer must not branch on it.
        description: The environment's documentation.
        observation_space: Space of the observations.
        action_space: Space of the actions.
        train: The training transitions.
        is_stochastic: Whether equal inputs can have different outcomes.
    """

    environment_id: str
    description: str
    observation_space: SpaceSpec
    action_space: SpaceSpec
    train: TransitionBatch
    is_stochastic: bool = False


@dataclass(frozen=True, kw_only=True)
class Counterexample:
    """A training transition that a program gets wrong, or a failed unit test.

    Attributes:
        index: Row in the training batch; -1 for a unit test.
        wrong_parts: Names of what is wrong: `"reward"`, `"terminated"`, or an
            observation element such as `"observation[2]"`.
        observation: Input.
        action: Input.
        expected: True `(next_observation, reward, terminated)`.
        predicted: What the program returned, or `None` if it was not of the
            right form; then `message` says what was wrong.
        message: For people and language models; may be empty.
    """

    index: int
    wrong_parts: tuple[str, ...]
    observation: Value = None
    action: Value = None
    expected: tuple[Value, float, bool] | None = None
    predicted: tuple[Value, float, bool] | None = None
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class ParentProgram:
    """The program that an improve or fix request starts from.

    Attributes:
        source: Its text.
        annotation: What its proposer stored with it; JSON-able.
        score: Its score on the training transitions, in `[0, 1]`.
        part_accuracy: Accuracy by part, with names as in `Counterexample`.
        counterexamples: Several, diverse; empty for a fix.
        failure: For a fix: how it ended, as text for a language model.
        failure_line: For a fix: line of the source that raised, from 1.
        failing_index: For a fix: training row at which it raised, if known.
    """

    source: str
    annotation: Mapping[str, Any] = field(default_factory=dict)
    score: float = 0.0
    part_accuracy: Mapping[str, float] = field(default_factory=dict)
    counterexamples: tuple[Counterexample, ...] = ()
    failure: str = ""
    failure_line: int | None = None
    failing_index: int | None = None


@dataclass(frozen=True, kw_only=True)
class ProposalRequest:
    """One request: the search spends one call on it and gets one program.

    Attributes:
        kind: generate, improve or fix.
        task: What is to be modelled.
        prefix: For generate: first lines to continue from; `""` at the root.
        parent: For improve and fix: the program to change. For generate below
            the root: the program that the prefix was taken from.
        attempt: How many requests of this kind the same node has already had.
        num_siblings: How many requests of any kind the same node has already had.
        call_index: Position of this call in the run, from 0.
        seed: Seed of whatever is random in answering; differs between calls.
    """

    kind: Kind
    task: Task
    prefix: str = ""
    parent: ParentProgram | None = None
    attempt: int = 0
    num_siblings: int = 0
    call_index: int = 0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one call cost.

    Attributes:
        calls: Requests made.
        prompt_tokens: Tokens sent; 0 without a language model.
        completion_tokens: Tokens received; 0 without a language model.
        seconds: Wall-clock time.
    """

    calls: int = 1
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Completion:
    """A proposer's raw answer; recorded before anything is done with it.

    Attributes:
        text: The answer as received.
        annotation: Structured companion of the text; JSON-able.
        usage: What it cost.
    """

    text: str
    annotation: dict[str, Any] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """A completion from which no program could be read.

    Attributes:
        reason: Why, as a sentence.
    """

    reason: str


class Proposer(Protocol):
    """Who writes candidate programs."""

    @property
    def name(self) -> str:
        """What produced the programs, as shown beside every number."""
        ...

    def propose(self, request: ProposalRequest) -> Completion:
        """Answers one request.

        The answer must depend on the request (with its seed) alone, or be
        recorded: a resumed run does not ask again.

        Raises:
            LLMError: If a language-model service failed.
        """
        ...

    def parse(
        self, completion: Completion, request: ProposalRequest
    ) -> str | ParseFailure:
        """Returns the program's source that the completion holds."""
        ...
