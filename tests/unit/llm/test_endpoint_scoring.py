"""Log-probabilities over HTTP: the right ones, or none."""

import numpy as np
import pytest

from cwm.core.errors import ConfigError, LLMError
from cwm.llm.chat import ChatMessage
from cwm.llm.endpoint_scoring import EndpointScoringModel
from cwm.llm.scoring import ScoringModel
from tests.support.openai_client import new_model
from tests.support.scoring_server import END, ScoringServer, log_prob

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


def test_endpoint_is_checked_once() -> None:
    with ScoringServer() as server:
        model = EndpointScoringModel(new_model(server))
        model.log_probs(ASKED, [])
        with_check = len(server.paths)
        model.log_probs(ASKED, [])
    assert with_check > len(server.paths) - with_check == 1


def test_numbers_that_are_shifted_by_one_token_are_refused() -> None:
    with ScoringServer("shifted") as server:
        model = EndpointScoringModel(new_model(server))
        for _ in range(2):
            with pytest.raises(
                ConfigError, match=r"gives wrong log-probabilities of prompts: '-' aft"
            ):
                model.log_probs(ASKED, ["ab"])


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no echo", "gives no log-probabilities of prompts. Use vLLM"),
        ("no tokenize", "must say which tokens a conversation has"),
    ],
)
def test_server_that_cannot_score_is_refused(fault: str, message: str) -> None:
    with ScoringServer(fault) as server:  # type: ignore[arg-type]
        model = EndpointScoringModel(new_model(server))
        with pytest.raises(ConfigError, match=message):
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
