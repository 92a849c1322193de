"""Asking for an array form, and reading the answer."""

from prompts.acceleration import read_form, vectorise_prompt

FORM = "class Fast(Environment):\n    pass\n"


def test_the_prompt_states_program_shapes_and_types() -> None:
    prompt = vectorise_prompt(
        "class Environment: ...\n", state=((3,), "float32"), action=((), "int64")
    )
    assert "class Environment: ..." in prompt.user
    assert "`(N, 3)` and the type float32" in prompt.user
    assert "`(N,)` and the type int64" in prompt.user
    assert "{" not in prompt.user


def test_the_last_block_with_the_class_counts() -> None:
    text = f"```python\nclass Fast(Other): 1\n```\nBetter:\n```python\n{FORM}```\n"
    assert read_form(text) == FORM


def test_an_answer_without_the_class_has_no_form() -> None:
    assert read_form("```python\nclass Slow(Environment): pass\n```") == ""
    assert read_form("no code") == ""
