"""What the search asks of a proposer, and what comes back.

A proposer sees the task (a description, spaces, training transitions) and, for
improve and fix, the parent program with what is wrong with it. It never sees
the environment, nor held-out data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

from cwm.core.constants import FittedConstant
from cwm.core.spaces import SpaceSpec, TextSpec, Value
from cwm.core.trajectories import TransitionBatch

Kind: TypeAlias = Literal["generate", "improve", "fix"]
"""The three actions of GIF-MCTS."""

Family: TypeAlias = Literal["world_model", "world_model_with_actions", "program"]
"""What kind of program a task asks for, and so how it is judged.

`world_model`: a class `Environment`, by recorded transitions.
`world_model_with_actions`: likewise, and its `legal_actions()` is judged, too.
`program`: a program or a function, by inputs and the outputs that are due.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramExample:
    """One test of a program: an input, and what must come out.

    Attributes:
        input: What it reads from standard input. For a function, its arguments as
            Python text, such as `"3, [1, 2]"`.
        output: What it must write to standard output. For a function, what it must
            return, as Python text.
    """

    input: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramInterface:
    """How a program that is judged by tests is called.

    Attributes:
        function: `name`, or `Class.method`, of what is called with arguments; `""`
            for a program that reads standard input and writes standard output.
        examples: Tests that the program's author may see.
        starter: First lines that the problem gives; may be empty.
    """

    function: str = ""
    examples: tuple[ProgramExample, ...] = ()
    starter: str = ""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be modelled, as far as a proposer may know it.

    Attributes:
        environment_id: Name, for messages; a proposer must not branch on it.
        description: The environment's documentation, or the problem's statement.
        observation_space: Space of the observations.
        action_space: Space of the actions.
        train: The training transitions.
        is_stochastic: Whether equal inputs can have different outcomes.
        next_legal_actions: For each training transition, the actions that were legal
            after it; `None` if legal actions are not judged. Always the same as those
            of `train`: either may be given.
        program: How the program is called, if it is no world model.
        libraries: Names of what it may use besides NumPy, such as `"physics"`.
    """

    environment_id: str
    description: str
    observation_space: SpaceSpec
    action_space: SpaceSpec
    train: TransitionBatch
    is_stochastic: bool = False
    next_legal_actions: tuple[tuple[Value, ...], ...] | None = None
    program: ProgramInterface | None = None
    libraries: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        legal = self.next_legal_actions
        if legal is not None and self.program is not None:
            raise ValueError(
                "A task must have next_legal_actions or program, got both."
            )
        if legal is not None and len(legal) != len(self.train):
            raise ValueError(
                f"next_legal_actions must have {len(self.train)} members, one for "
                f"each training transition, got {len(legal)}."
            )
        if legal is None:
            known = self.train.next_legal_actions
            object.__setattr__(self, "next_legal_actions", known)
        elif self.train.next_legal_actions is not legal:
            train = replace(self.train, next_legal_actions=legal)
            object.__setattr__(self, "train", train)

    @property
    def family(self) -> Family:
        """What kind of program is asked for."""
        if self.program is not None:
            return "program"
        if self.next_legal_actions is not None:
            return "world_model_with_actions"
        return "world_model"

    @classmethod
    def of_program(
        cls, problem_id: str, description: str, program: ProgramInterface
    ) -> "Task":
        """Returns the task of a program that is judged by tests.

        It has no transitions, and its spaces, which nothing reads, are text.
        """
        space = TextSpec()
        none = np.zeros(0)
        return cls(
            environment_id=problem_id,
            description=description,
            observation_space=space,
            action_space=space,
            train=TransitionBatch(
                observation_space=space,
                action_space=space,
                observations={"": []},
                actions={"": []},
                next_observations={"": []},
                rewards=none,
                terminated=none.astype(np.bool_),
                truncated=none.astype(np.bool_),
                trajectory=none.astype(np.int64),
                time=none.astype(np.int64),
            ),
            program=program,
        )


@dataclass(frozen=True, kw_only=True)
class Counterexample:
    """A training transition that a program gets wrong, or a failed test.

    Attributes:
        index: Row in the training batch; -1 for a test.
        wrong_parts: Names of what is wrong: `"reward"`, `"terminated"`,
            `"legal_actions"`, or an observation element such as `"observation[2]"`.
        observation: Input.
        action: Input.
        expected: True `(next_observation, reward, terminated)`.
        predicted: What the program returned, or `None` if it was not of the
            right form; then `message` says what was wrong.
        message: For people and language models; may be empty.
        expected_actions: The actions that are legal after the step, if that is
            judged.
        predicted_actions: Those that the program names; `None` if it named none in
            the right form.
        example: The test that failed, of a program that is no world model.
        output: What the program wrote or returned for it, as in `ProgramExample`;
            `None` if it did not come to its end, which `message` explains.
    """

    index: int
    wrong_parts: tuple[str, ...]
    observation: Value = None
    action: Value = None
    expected: tuple[Value, float, bool] | None = None
    predicted: tuple[Value, float, bool] | None = None
    message: str = ""
    expected_actions: tuple[Value, ...] | None = None
    predicted_actions: tuple[Value, ...] | None = None
    example: ProgramExample | None = None
    output: str | None = None


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
        is_program: Whether a program could be read; otherwise `source` is the raw
            text of an answer, and `failure` says why none could.
        constants: Constants of the program that were fitted to training transitions,
            and what these say of each; empty if none were.
        remainder: What the fitted constants leave unexplained, in sentences.
    """

    source: str
    annotation: Mapping[str, Any] = field(default_factory=dict)
    score: float = 0.0
    part_accuracy: Mapping[str, float] = field(default_factory=dict)
    counterexamples: tuple[Counterexample, ...] = ()
    failure: str = ""
    failure_line: int | None = None
    failing_index: int | None = None
    is_program: bool = True
    constants: tuple[FittedConstant, ...] = ()
    remainder: tuple[str, ...] = ()


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
        model: Which of several models is asked, from 0.
        seed: Seed of whatever is random in answering; differs between calls.
        num_unchanged: How many earlier answers at this node were the parent's program
            again, up to comments and formatting.
        earlier: One line for each earlier answer at this node, the oldest first:
            what it tried, as far as that is known, and how it scored.
    """

    kind: Kind
    task: Task
    prefix: str = ""
    parent: ParentProgram | None = None
    attempt: int = 0
    num_siblings: int = 0
    call_index: int = 0
    model: int = 0
    seed: int = 0
    num_unchanged: int = 0
    earlier: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one call cost.

    Attributes:
        calls: Requests made.
        prompt_tokens: Tokens sent; 0 without a language model.
        completion_tokens: Tokens received; 0 without a language model.
        seconds: Wall-clock time.
        usd: Money, in US dollars; `None` if the price is not known.
        saved_tokens: What a stored answer had cost, sent and received, when it was
            asked for; nothing was spent on it now.
    """

    calls: int = 1
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    usd: float | None = 0.0
    saved_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        known = self.usd is not None and other.usd is not None
        return Usage(
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            seconds=self.seconds + other.seconds,
            usd=(self.usd or 0.0) + (other.usd or 0.0) if known else None,
            saved_tokens=self.saved_tokens + other.saved_tokens,
        )


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

    def expected_usage(self, task: Task) -> tuple[Usage, Usage]:
        """Returns what a call for a task is expected to cost, and at most."""
        ...

    def highest_usage(self, request: ProposalRequest) -> Usage:
        """Returns what answering a request may cost at most."""
        ...

    def propose(self, request: ProposalRequest) -> Completion:
        """Answers one request; several threads may be in here.

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
