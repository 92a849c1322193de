import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwm.pages.texts import TextStore, changes, coloured_lines

PROGRAM = "def step(x):\n    return x + 1  # one\n"


def test_pieces_have_the_classes_of_what_they_are() -> None:
    first, second = coloured_lines(PROGRAM)
    assert first == ["k", "def", "", " ", "f", "step", "", "(x):"]
    assert second[-2:] == ["c", "# one"]
    assert second[6:8] == ["n", "1"]


def test_a_string_of_several_lines_is_one_on_each() -> None:
    lines = coloured_lines('x = """a\n\nb"""\n')
    assert lines == [["", "x = ", "s", '"""a'], [], ["s", 'b"""']]


@given(st.text(alphabet=st.characters(exclude_characters="\r"), max_size=60))
def test_the_pieces_are_the_text_whatever_it_is(source: str) -> None:
    text = "\n".join("".join(line[1::2]) for line in coloured_lines(source))
    assert text == source.removesuffix("\n")


def test_changes_name_the_lines_before_and_after() -> None:
    assert changes(["a", "b", "c"], ["a", "B", "c", "d"]) == [
        ("equal", 0, 1, 0, 1),
        ("replace", 1, 2, 1, 2),
        ("equal", 2, 3, 2, 3),
        ("insert", 3, 3, 3, 4),
    ]


def test_lines_and_paragraphs_that_are_alike_are_there_once() -> None:
    store = TextStore()
    key = store.add_program("a\nb\n")
    assert store.add_program("a\nb\n") == key
    other = store.add_program("b\na\n")
    assert store.add_text("one\n\ntwo") == [0, 1]
    assert store.add_text("two\n\none\n\nthree") == [1, 0, 2]
    data = store.to_json()
    assert data["programs"] == {key: [0, 1], other: [1, 0]}
    assert data["lines"] == [["", "a"], ["", "b"]]
    assert data["paragraphs"] == ["one", "two", "three"]
    assert store.changes(key, other)[0][0] == "insert"


@pytest.mark.parametrize("text", ["\ud800", "x = '\ud800'", "\x00", ""])
def test_texts_that_are_hardly_texts_are_taken(text: str) -> None:
    store = TextStore()
    store.add_program(text)
    store.add_text(text)
    assert json.dumps(store.to_json()).isascii()


def test_long_texts_say_how_much_is_missing() -> None:
    store = TextStore()
    store.add_text("x" * 100_000)
    (paragraph,) = store.to_json()["paragraphs"]
    assert len(paragraph) < 61_000
    assert "characters removed" in paragraph
