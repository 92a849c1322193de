"""Several language models in one search: each request says which of them is asked."""

from collections.abc import Sequence

from cwm.core.proposals import (
    Completion,
    ParseFailure,
    ProposalRequest,
    Proposer,
    Task,
    Usage,
)
from cwm.llm.chat import Closable


class SeveralProposers:
    """Proposers by their index; `ProposalRequest.model` chooses."""

    def __init__(self, proposers: Sequence[Proposer]) -> None:
        """Takes the proposers, at least one."""
        if not proposers:
            raise ValueError("proposers must hold at least one, got none.")
        self._proposers = tuple(proposers)

    @property
    def name(self) -> str:
        """All their names."""
        return " and ".join(proposer.name for proposer in self._proposers)

    def expected_usage(self, task: Task) -> tuple[Usage, Usage]:
        """Returns the highest of each that any of them needs."""
        each = [one.expected_usage(task) for one in self._proposers]
        return _highest([e for e, _ in each]), _highest([h for _, h in each])

    def highest_usage(self, request: ProposalRequest) -> Usage:
        """Returns what the model that a request names may cost at most."""
        return self._proposers[request.model].highest_usage(request)

    def close(self) -> None:
        """Ends what is on its way; see `cwm.llm.chat.Closable`."""
        for proposer in self._proposers:
            if isinstance(proposer, Closable):
                proposer.close()

    def propose(self, request: ProposalRequest) -> Completion:
        """Answers a request by the model that it names."""
        return self._proposers[request.model].propose(request)

    def parse(
        self, completion: Completion, request: ProposalRequest
    ) -> str | ParseFailure:
        """Returns the program in an answer of the model that the request names."""
        return self._proposers[request.model].parse(completion, request)


def _highest(usages: Sequence[Usage]) -> Usage:
    prices = [usage.usd for usage in usages if usage.usd is not None]
    return Usage(
        prompt_tokens=max(usage.prompt_tokens for usage in usages),
        completion_tokens=max(usage.completion_tokens for usage in usages),
        usd=max(prices) if len(prices) == len(usages) else None,
    )
