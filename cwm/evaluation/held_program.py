"""A program held in the sandbox for planning, opened again when it is lost.

Covers: one session at a time, what ended it, giving up. Does not cover: what the
answers mean.
"""

from typing import Any, NoReturn

from cwm.core.protocols import ModelError
from cwm.evaluation.plan_messages import Ask, ModelFacts, PlanningRequest, Reply
from sandbox.limits import Limits
from sandbox.outcome import (
    Answer,
    Completed,
    MemoryExceeded,
    ProtocolBroken,
    Raised,
    SessionEnded,
)
from sandbox.pool import Sandbox
from sandbox.session import Session

PLANNING_DRIVER = "cwm.evaluation.planning_driver"

MAX_FAILURE_CHARS = 500
"""Longest text that says why there is no plan."""

MAX_LOSSES = 3
"""Times in a row that a program may be lost in an episode; then it is given up."""


class ProgramLost(RuntimeError):  # noqa: N818 - what happened to it, not our fault
    """The process that held a program has ended, or could not be made.

    Attributes:
        is_blameless: Whether the program had no part in it; it may be opened again.
    """

    def __init__(self, reason: str, *, is_blameless: bool = False) -> None:
        super().__init__(reason)
        self.is_blameless = is_blameless


class HeldProgram:
    """One program in a process of its own, for one episode after the other.

    Attributes:
        request: What the driver was told.
        num_openings: How often it has been opened.

    Args:
        sandbox: Made with `PLANNING_DRIVER`.
        source: The program.
        request: What to tell the driver.
        limits: Limits; the sandbox's own by default. `wall_s` is for each answer.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        source: str,
        request: PlanningRequest,
        *,
        limits: Limits | None = None,
    ) -> None:
        self.request = request
        self.num_openings = 0
        self._sandbox = sandbox
        self._source = source
        self._limits = limits
        self._session: Session[Reply] | None = None
        self._num_losses = 0
        self._last_loss = ""
        self._has_legal_actions = False

    @property
    def has_legal_actions(self) -> bool:
        """Whether the program says what may be done; known when it is open."""
        return self._has_legal_actions

    def restart(self) -> None:
        """Opens it anew: nothing is left of what came before."""
        self.close()
        self._num_losses = 0
        self._last_loss = ""

    def close(self) -> None:
        """Ends its process; a second call does nothing."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def ensure_open(self) -> None:
        """Opens it, if it is not open.

        Raises:
            ProgramLost: If it cannot be opened, or was given up.
            SandboxUnavailable: As in `Sandbox.open_session`.
        """
        if self._session is not None and self._session.is_open:
            return
        if self._num_losses >= MAX_LOSSES:
            raise ProgramLost(
                f"The program was given up in this episode, lost {self._num_losses} "
                f"times in a row. {self._last_loss}"
            )
        self.num_openings += 1
        self._session = self._sandbox.open_session(
            self._source,
            self.request,
            driver=PLANNING_DRIVER,
            reply=Reply,  # type: ignore[arg-type]
            limits=self._limits,
        )
        opening = self._session.opening
        if not isinstance(opening, Completed):
            self._lose(f"The program could not be opened. {describe(opening)}")
        facts = opening.messages[0] if len(opening.messages) == 1 else None
        if not isinstance(facts, ModelFacts):
            self.lose_as_broken("the driver says one thing when it opens")
        self._has_legal_actions = facts.has_legal_actions

    def ask(self, ask: Ask) -> tuple[Reply, ...]:
        """Returns what a request brought.

        Raises:
            ModelError: If the candidate raised; the program is still held.
            ProgramLost: If it is not held any more.
        """
        if self._session is None:
            raise ProgramLost("The program was not open.", is_blameless=True)
        answer = self._session.ask(ask)
        if isinstance(answer, Completed):
            return answer.messages
        if isinstance(answer, Raised | MemoryExceeded) and self._session.is_open:
            raise ModelError(describe(answer))
        if isinstance(answer, SessionEnded) and answer.cause is None:
            raise ProgramLost(describe(answer), is_blameless=True)
        self._lose(describe(answer))

    def lose_as_broken(self, reason: str) -> NoReturn:
        """Ends it for an answer that its driver does not give.

        Raises:
            ProgramLost: Always.
        """
        self.close()
        self._lose(describe(ProtocolBroken(reason=reason)))

    def note_answer(self) -> None:
        """Notes that it has been of use: losses before do not count any more."""
        self._num_losses = 0

    def _lose(self, reason: str) -> NoReturn:
        self._num_losses += 1
        self._last_loss = reason
        raise ProgramLost(reason)


def describe(outcome: Answer[Any]) -> str:
    """Returns in a line or two how a request ended."""
    match outcome:
        case SessionEnded(reason=reason, cause=None):
            return f"The session ended: {reason}."
        case SessionEnded(cause=cause) if cause is not None:
            return describe(cause)
        case _:
            return outcome.feedback(MAX_FAILURE_CHARS)
