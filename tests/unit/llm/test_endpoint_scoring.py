"""Log-probabilities over HTTP: the right ones, or none."""

import numpy as np
import pytest

from cwm.core.errors import ConfigError, LLMError
from cwm.llm.chat import ChatMessage
from cwm.llm.endpoint_scoring import EndpointScoringModel
from cwm.llm.scoring import Checkable, ScoringModel, check_scoring
from tests.support.openai_client import new_model
from tests.support.openai_server import models
from tests.support.scoring_server import END, Fault, ScoringServer, log_prob

ASKED = [ChatMessage("user", "Hm?")]
BEGUN = [*ASKED, ChatMessage("assistant", "ab")]


def expected(text: str, before: str = "]") -> list[float]:
    return [
        log_prob(one, other) for one, other in zip(before + text, text, strict=False)
    ]


def test_every_token_has_its_log_probability() -> None:
    with ScoringServer() as server:
        model: ScoringModel = EndpointScoringModel(new_model(server))
        assert model.name == "tiny"
        one, other = model.log_probs(ASKED, ["abx", "z"])
    assert one.tokens == ("a", "b", "x", END)
    assert one.token_ids == (97, 98, 120, 3)
    np.testing.assert_allclose(one.log_probs, expected(f"abx{END}"), rtol=1e-6)
    assert other.total == pytest.approx(sum(expected(f"z{END}")))


def test_end_of_the_turn_may_be_left_out() -> None:
    with ScoringServer() as server:
        model = EndpointScoringModel(new_model(server))
        text, empty = model.log_probs(ASKED, ["ab", ""], end_of_turn=False)
    assert text.tokens == ("a", "b")
    assert (empty.token_ids, empty.total) == ((), 0.0)


def test_begun_answer_is_gone_on_with() -> None:
    with ScoringServer() as server:
        model = EndpointScoringModel(new_model(server))
        (found,) = model.log_probs(BEGUN, ["cd"], end_of_turn=False)
    assert found.tokens == ("c", "d")
    np.testing.assert_allclose(found.log_probs, expected("cd", "b"), rtol=1e-6)


def test_endpoint_is_checked_once_with_three_requests() -> None:
    with ScoringServer() as server:
        model = EndpointScoringModel(new_model(server))
        assert isinstance(model, Checkable)
        for _ in range(2):
            model.check()
            check_scoring(model)
        assert server.paths == ["/v1/completions", "/v1/completions", "/tokenize"]
        model.log_probs(ASKED, [])
        assert server.paths[3:] == ["/tokenize"]


def test_first_use_checks_what_was_not_checked() -> None:
    with ScoringServer() as server:
        EndpointScoringModel(new_model(server)).log_probs(ASKED, [])
        assert len(server.paths) == 4


def test_check_that_failed_is_made_again() -> None:
    server = ScoringServer("no tokenize")
    with server:
        model = EndpointScoringModel(new_model(server))
        with pytest.raises(ConfigError):
            model.check()
        server.fault = "none"
        model.check()
        assert len(server.paths) == 6


@pytest.mark.parametrize("fault", ["shifted", "shifted back"])
def test_numbers_that_are_shifted_by_one_token_are_refused(fault: Fault) -> None:
    with ScoringServer(fault) as server:
        model = EndpointScoringModel(new_model(server))
        for call in (model.check, lambda: model.log_probs(ASKED, ["ab"])):
            with pytest.raises(
                ConfigError, match=r"gives wrong log-probabilities of prompts: 'i' aft"
            ):
                call()


@pytest.mark.parametrize("fault", ["flat", "divided"])
def test_numbers_that_cannot_be_compared_are_refused(fault: Fault) -> None:
    """All alike, or of other tokens: whether they are shifted cannot be told."""
    with ScoringServer(fault) as server:
        model = EndpointScoringModel(new_model(server))
        with pytest.raises(ConfigError, match="prompts that cannot be compared with"):
            model.check()
        assert server.paths == ["/v1/completions"] * 6


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        ("no echo", 200, "gives no log-probabilities of prompts. Take hf:ID_OR_FOLD"),
        *(
            ("no completions", status, "gives no log-probabilities of prompts. Take hf")
            for status in (404, 405, 501)
        ),
        ("no tokenize", 404, "must say which tokens a conversation has"),
        *(
            ("no messages", status, "must say which tokens a conversation has .* vLLM")
            for status in (400, 404, 422)
        ),
    ],
)
def test_server_that_cannot_score_is_refused(
    fault: Fault, status: int, message: str
) -> None:
    # A list that has the model: it is the address that the server does not have.
    listed = models("tiny", owned_by="someone")
    with ScoringServer(fault, status=status, models=listed) as server:
        model = EndpointScoringModel(new_model(server))
        for call in (model.check, lambda: model.log_probs(ASKED, ["ab"])):
            with pytest.raises(ConfigError, match=message):
                call()


def test_server_that_lacks_the_model_says_so() -> None:
    listed = models("another", owned_by="vllm")
    with (
        ScoringServer("no completions", models=listed) as server,
        pytest.raises(LLMError, match="does not know the model 'tiny'"),
    ):
        EndpointScoringModel(new_model(server)).check()


def test_text_that_is_too_long_is_no_missing_address() -> None:
    server = ScoringServer()
    with server:
        model = EndpointScoringModel(new_model(server))
        model.check()
        server.fault, server.status = "no messages", 400
        with pytest.raises(LLMError, match="failed with status 400"):
            model.log_probs(ASKED, ["ab"])


def test_continuation_without_tokens_of_its_own_is_refused() -> None:
    with ScoringServer("template") as server:
        model = EndpointScoringModel(new_model(server))
        with pytest.raises(ValueError, match="must begin where a token of the prompt"):
            model.log_probs(ASKED, ["ab"])


def test_dead_endpoint_is_an_error_of_the_service() -> None:
    with ScoringServer() as server:
        model = EndpointScoringModel(new_model(server))
    with pytest.raises(LLMError, match="refused the connection"):
        model.log_probs(ASKED, ["ab"])
