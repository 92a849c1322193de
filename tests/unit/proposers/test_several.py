from dataclasses import replace

import pytest

from cwm.core.proposals import Completion, ProposalRequest, Task, Usage
from cwm.proposers.several import SeveralProposers
from tests.support.corridor import WalkingProposer, corridor_task


class Named(WalkingProposer):
    def __init__(self, name: str, highest: Usage) -> None:
        super().__init__()
        self.name = name  # type: ignore[misc]
        self._highest = highest

    def expected_usage(self, task: Task) -> tuple[Usage, Usage]:
        return self._highest, self._highest

    def highest_usage(self, request: ProposalRequest) -> Usage:
        return self._highest

    def parse(self, completion: Completion, request: ProposalRequest) -> str:
        return f"{self.name} parsed"


A = Named("a", Usage(prompt_tokens=10, completion_tokens=5, usd=0.5))
B = Named("b", Usage(prompt_tokens=3, completion_tokens=9, usd=0.25))
REQUEST = ProposalRequest(kind="generate", task=corridor_task())


def test_a_request_goes_to_the_model_that_it_names() -> None:
    both = SeveralProposers([A, B])
    request = replace(REQUEST, model=1)
    completion = both.propose(request)
    assert (len(A.requests), len(B.requests)) == (0, 1)
    assert both.parse(completion, request) == "b parsed"
    assert both.name == "a and b"


def test_a_call_may_cost_the_highest_of_each() -> None:
    both = SeveralProposers([A, B])
    expected = Usage(prompt_tokens=10, completion_tokens=9, usd=0.5)
    assert both.expected_usage(REQUEST.task) == (expected, expected)
    assert both.highest_usage(replace(REQUEST, model=1)) == B.highest_usage(REQUEST)


def test_one_unknown_price_makes_the_highest_unknown() -> None:
    unknown = Named("c", Usage(prompt_tokens=1, completion_tokens=1, usd=None))
    expected, highest = SeveralProposers([A, unknown]).expected_usage(REQUEST.task)
    assert expected.usd is highest.usd is None


def test_nobody_to_ask_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one, got none"):
        SeveralProposers([])
