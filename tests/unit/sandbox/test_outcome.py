import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.outcome import (
    Completed,
    Crashed,
    MemoryExceeded,
    OutputExceeded,
    ProtocolBroken,
    Raised,
    Rejected,
    TimedOut,
    printable,
    shorten,
    source_line,
)

FEEDBACK = [
    (Completed(messages=()), "completed", ""),
    (
        Raised(error_type="KeyError", message="'a'", line=2, source_line="x['a']"),
        "raised",
        "KeyError: 'a'\nLine 2: x['a']",
    ),
    (Raised(error_type="KeyError", message=""), "raised", "KeyError"),
    (
        TimedOut(limit_s=0.5),
        "timed_out",
        "TimeLimit: the program did not finish within 0.5 s and was stopped. Look "
        "for a loop that never ends, or work that repeats in every step.",
    ),
    (
        MemoryExceeded(limit_mib=512, line=1, source_line="x = [0] * 10**9"),
        "memory_exceeded",
        "MemoryLimit: the program used more than 512 MiB.\nLine 1: x = [0] * 10**9",
    ),
    (
        OutputExceeded(limit="32 MiB"),
        "output_exceeded",
        "OutputLimit: the results were larger than 32 MiB.",
    ),
    (
        ProtocolBroken(reason="a frame is of no known kind."),
        "protocol_broken",
        "The results could not be read: a frame is of no known kind.",
    ),
    (
        Crashed(exit_code=-11),
        "crashed",
        "The program ended its own process (exit code -11). It must neither exit nor "
        "recurse without a bound.",
    ),
    (
        Rejected(reasons=("Line 1: no.", "Line 4: no.")),
        "rejected",
        "The program was not run:\nLine 1: no.\nLine 4: no.",
    ),
]


@pytest.mark.parametrize(("outcome", "kind", "text"), FEEDBACK)
def test_feedback_is_as_written_here(outcome: object, kind: str, text: str) -> None:
    assert outcome.kind == kind
    assert outcome.feedback() == text


def test_feedback_is_cut_in_the_middle_with_a_count() -> None:
    text = Raised(error_type="E", message="a" * 250 + "b" * 50).feedback(100)
    assert len(text) <= 100
    assert "characters removed" in text
    assert text.startswith("E: aaa")
    assert text.endswith("bbb")


@given(st.text(), st.integers(40, 300))
def test_shortened_text_keeps_its_limit(text: str, limit: int) -> None:
    assert len(shorten(text, limit)) <= limit


def test_limit_too_small_for_the_note_is_refused() -> None:
    with pytest.raises(ValueError, match="max_chars must be at least 40, got 3"):
        shorten("x" * 100, 3)


@given(st.text(max_size=500))
def test_candidates_text_becomes_printable(text: str) -> None:
    assert all(c.isprintable() or c == "\n" for c in printable(text))


def test_terminal_codes_are_shown_not_sent() -> None:
    assert printable("\x1b[2Jred") == "\\x1b[2Jred"


def test_line_is_quoted_from_the_source_and_only_if_it_exists() -> None:
    source = "a = 1\n    b = 2"
    assert source_line(source, 2) == "b = 2"
    assert source_line(source, 3) == ""
    assert source_line(source, 0) == ""
    assert source_line(source, None) == ""


@pytest.mark.parametrize("hidden", ["\ufe0f", "\U000e0141", "\u3164", "\u2800"])
def test_text_that_nobody_sees_is_made_visible(hidden: str) -> None:
    shown = printable(f"ok{hidden}")
    assert hidden not in shown
    assert shown == "ok" + ascii(hidden)[1:-1]


def test_accents_and_other_scripts_stay() -> None:
    assert printable("é e\u0301 漢字 Ж") == "é e\u0301 漢字 Ж"
