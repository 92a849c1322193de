"""What a model is told of earlier answers."""

from typing import Any

from cwm.core.proposals import ProposalRequest
from prompts.config import PAPER_PROMPT_CONFIG, PromptConfig
from prompts.history import describe_history
from tests.support.tasks import corridor_task


def told(config: PromptConfig | None = None, **fields: Any) -> str:
    request = ProposalRequest(kind="improve", task=corridor_task(), **fields)
    return describe_history(request, config or PromptConfig())


def test_first_request_is_told_nothing() -> None:
    assert told() == ""


def test_later_attempt_asks_for_another_approach() -> None:
    assert told(attempt=1).startswith("This was already tried once from")
    assert told(attempt=3).startswith("This was already tried 3 times from")
    assert told(attempt=1).endswith("the most obvious one.\n\n")


def test_answer_that_changed_nothing_is_told_of() -> None:
    text = told(num_unchanged=1)
    assert text.startswith("The last answer changed nothing: it was the same program")
    assert "which line has to compute something else" in text
    text = told(num_unchanged=2)
    assert text.startswith("2 earlier answers changed nothing: they were the same")


def test_earlier_answers_are_listed_the_last_ones_a_line_each() -> None:
    lines = tuple(f"answer {i}\nscored\t0.{i}" for i in range(7))
    text = told(PromptConfig(max_earlier=2), earlier=lines)
    assert text == (
        "Earlier answers from this starting point, the oldest first:\n"
        "- answer 5 scored 0.5\n"
        "- answer 6 scored 0.6\n\n"
    )
    assert told(PromptConfig(max_earlier=0), earlier=lines) == ""
    assert told(earlier=(" ", "\n")) == ""


def test_long_line_is_shortened() -> None:
    assert "800 characters removed" in told(earlier=("x" * 1_000,))


def test_parts_stand_in_paragraphs_of_their_own() -> None:
    text = told(attempt=1, num_unchanged=1, earlier=("a",))
    assert [part[:12] for part in text.split("\n\n")] == [
        "This was alr",
        "The last ans",
        "Earlier answ",
        "",
    ]


def test_plain_prompt_is_told_nothing() -> None:
    fields = {"attempt": 2, "num_unchanged": 1, "earlier": ("a",)}
    assert told(PAPER_PROMPT_CONFIG, **fields) == ""
