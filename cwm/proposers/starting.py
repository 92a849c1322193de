"""A search that begins with a program that is there already."""

from cwm.core.proposals import (
    Completion,
    ParseFailure,
    ProposalRequest,
    Proposer,
    Task,
    Usage,
)
from cwm.llm.chat import Closable

_GIVEN = "is_given"


class StartingFrom:
    """Answers the first call with a given program, and asks another for the rest."""

    def __init__(self, proposer: Proposer, source: str) -> None:
        """Makes the proposer.

        Args:
            proposer: Answers all calls but the first.
            source: The program that answers the first.
        """
        self._proposer = proposer
        self._source = source

    @property
    def name(self) -> str:
        """Who writes the other programs."""
        return f"{self._proposer.name}, from a given program"

    def expected_usage(self, task: Task) -> tuple[Usage, Usage]:
        """Returns what a call costs that is not the first."""
        return self._proposer.expected_usage(task)

    def highest_usage(self, request: ProposalRequest) -> Usage:
        """Returns what answering a request may cost at most."""
        if request.call_index == 0:
            return Usage()
        return self._proposer.highest_usage(request)

    def close(self) -> None:
        """Ends what is on its way; see `cwm.llm.chat.Closable`."""
        if isinstance(self._proposer, Closable):
            self._proposer.close()

    def propose(self, request: ProposalRequest) -> Completion:
        """Answers one request.

        Raises:
            LLMError: As the other proposer does.
        """
        if request.call_index == 0:
            return Completion(text=self._source, annotation={_GIVEN: True})
        return self._proposer.propose(request)

    def parse(
        self, completion: Completion, request: ProposalRequest
    ) -> str | ParseFailure:
        """Returns the program in an answer."""
        if completion.annotation.get(_GIVEN):
            return completion.text
        return self._proposer.parse(completion, request)
