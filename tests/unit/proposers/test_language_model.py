"""From a request to a program, through a chat model."""

import pytest

from cwm.core.errors import LLMError
from cwm.core.proposals import (
    Completion,
    ParentProgram,
    ParseFailure,
    ProposalRequest,
    Proposer,
)
from cwm.llm.chat import SamplingConfig
from cwm.llm.openai_compatible import OpenAICompatibleModel
from cwm.llm.scripted import ScriptedChatModel
from cwm.proposers.language_model import LanguageModelProposer
from prompts.parse import fenced
from tests.support.openai_server import OpenAIServer, answer, failure
from tests.support.tasks import CORRIDOR_PROGRAM, corridor_task

ANSWER = f"It goes right.\n\n## Correct code\n{fenced(CORRIDOR_PROGRAM)}\n"
GENERATE = ProposalRequest(kind="generate", task=corridor_task(), seed=5)


def test_proposal_holds_the_answer_as_received_and_what_it_cost() -> None:
    proposer: Proposer = LanguageModelProposer(ScriptedChatModel([ANSWER]))
    completion = proposer.propose(GENERATE)
    assert completion.text == ANSWER
    assert completion.annotation["finish_reason"] == "stop"
    assert len(completion.annotation["request_hash"]) == 64
    assert completion.usage.calls == 1
    assert completion.usage.completion_tokens == len(ANSWER.split())
    assert completion.usage.prompt_tokens > 100
    assert proposer.parse(completion, GENERATE) == CORRIDOR_PROGRAM


def test_name_says_which_model_writes() -> None:
    model = ScriptedChatModel([], name="tiny-7b")
    assert LanguageModelProposer(model).name == "language model tiny-7b"


def test_prompt_is_that_of_the_requests_kind() -> None:
    model = ScriptedChatModel([ANSWER] * 2)
    proposer = LanguageModelProposer(model)
    parent = ParentProgram(source="pass\n", failure="NameError: x")
    proposer.propose(GENERATE)
    proposer.propose(ProposalRequest(kind="fix", task=corridor_task(), parent=parent))
    (_, generate), (system, fix) = model.requests
    assert "NameError: x" in fix.content
    assert "Recorded transitions" in generate.content
    assert (system.role, fix.role) == ("system", "user")


def test_run_that_is_resumed_goes_on_in_the_middle_of_a_script() -> None:
    proposer = LanguageModelProposer(ScriptedChatModel(["a", "b", "c"]))
    request = ProposalRequest(kind="generate", task=corridor_task(), call_index=2)
    assert proposer.propose(request).text == "c"


def test_completion_without_a_program_is_a_reason_not_an_error() -> None:
    proposer = LanguageModelProposer(ScriptedChatModel(["I cannot."]))
    parsed = proposer.parse(proposer.propose(GENERATE), GENERATE)
    assert isinstance(parsed, ParseFailure)
    assert "no Python code block" in parsed.reason


def test_completion_at_the_token_limit_says_so() -> None:
    proposer = LanguageModelProposer(
        ScriptedChatModel([]), sampling=SamplingConfig(max_tokens=9)
    )
    completion = Completion(
        text="```python\nclass Environment:\n    def step(",
        annotation={"finish_reason": "length"},
    )
    parsed = proposer.parse(completion, GENERATE)
    assert isinstance(parsed, ParseFailure)
    assert parsed.reason.endswith("It reached the limit of 9 tokens.")


def test_answer_that_only_continues_the_prefix_is_glued_to_it() -> None:
    first, _, rest = CORRIDOR_PROGRAM.partition("class Environment:\n")
    prefix = first + "class Environment:\n"
    proposer = LanguageModelProposer(ScriptedChatModel([]))
    request = ProposalRequest(kind="generate", task=corridor_task(), prefix=prefix)
    completion = Completion(text=f"```python\n{rest}```")
    assert proposer.parse(completion, request) == CORRIDOR_PROGRAM


def test_request_reaches_a_real_server_with_its_seed_and_sampling() -> None:
    with OpenAIServer([failure(500, "Oops"), answer(ANSWER)]) as server:
        model = OpenAICompatibleModel(
            model="tiny", base_url=server.base_url, sleep=lambda seconds: None
        )
        proposer = LanguageModelProposer(model, SamplingConfig(temperature=1.0))
        completion = proposer.propose(GENERATE)
    assert proposer.parse(completion, GENERATE) == CORRIDOR_PROGRAM
    assert completion.usage.prompt_tokens == 11
    request = server.requests[-1]
    assert (request["seed"], request["temperature"]) == (5, 1.0)
    assert request["messages"][1]["role"] == "user"


def test_dead_service_is_an_error_and_never_a_completion() -> None:
    with OpenAIServer([failure(401, "No")]) as server:
        model = OpenAICompatibleModel(model="tiny", base_url=server.base_url)
        with pytest.raises(LLMError, match="refused the key"):
            LanguageModelProposer(model).propose(GENERATE)
