"""Which programs count as the same."""

import threading
import warnings

import pytest

from cwm.programs.identity import MAX_CHARS, normalised_source, program_hash

PROGRAM = '''"""A model."""
import numpy as np


class Environment:
    """It moves."""

    def set_state(self, observation):
        """Starts there."""
        self.state = (observation + 1) * 2  # twice

    def step(self, action):
        self.state += 1.5
        if action == "up":
            self.state = -self.state
        return self.state, 0.0, False
'''


@pytest.mark.parametrize(
    "other",
    [
        PROGRAM.replace("  # twice", ""),
        PROGRAM.replace("  # twice", "  # two times"),
        PROGRAM.replace('"""Starts there."""', '"""Begins there."""'),
        PROGRAM.replace('        """Starts there."""\n', ""),
        PROGRAM.replace('"""A model."""\n', ""),
        PROGRAM.replace("import numpy as np\n\n\n", "import numpy as np\n"),
        PROGRAM.replace("    ", "  "),
        PROGRAM.replace("    ", "\t"),
        PROGRAM.replace("\n", "\r\n"),
        PROGRAM.replace('"up"', "'up'"),
        PROGRAM.replace('"up"', 'u"up"'),
        PROGRAM.replace("1.5", "1.50"),
        PROGRAM.replace("self.state, 0.0, False", "(self.state, 0.0,\n False)"),
        PROGRAM.replace(
            "        self.state += 1.5", '        "up"\n        self.state += 1.5'
        ),
        PROGRAM.replace("-self.state", '-self.state\n            "turned"'),
        PROGRAM.rstrip("\n"),
    ],
    ids=range(16),
)
def test_comments_docstrings_and_layout_do_not_matter(other: str) -> None:
    assert other != PROGRAM
    assert normalised_source(other) == normalised_source(PROGRAM) is not None
    assert program_hash(other) == program_hash(PROGRAM)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.5", "1.6"),
        ("1.5", "15"),
        ("* 2", "* 2.0"),
        ("False", "0"),
        ('"up"', '"down"'),
        ("-self.state", "self.state"),
        ("(observation + 1) * 2", "observation + 1 * 2"),
        ("        self.state += 1.5\n", ""),
        ("set_state(self, observation)", "set_state(self, observation, *, more=1)"),
    ],
)
def test_what_a_run_can_notice_matters(old: str, new: str) -> None:
    assert PROGRAM.count(old) >= 1
    other = PROGRAM.replace(old, new)
    assert normalised_source(other) is not None
    assert normalised_source(other) != normalised_source(PROGRAM)
    assert program_hash(other) != program_hash(PROGRAM)


def test_order_of_statements_matters() -> None:
    assert program_hash("a = 1\nb = 2\n") != program_hash("b = 2\na = 1\n")


def test_body_of_nothing_but_text_does_nothing() -> None:
    assert program_hash('def f():\n    """Says why."""\n') == program_hash(
        "def f():\n    pass\n"
    )
    assert program_hash("# nothing\n") == program_hash("") is not None


def test_text_in_any_block_does_nothing() -> None:
    source = (
        "try:\n    a()\nfinally:\n    {}b()\nfor i in c:\n    d()\nelse:\n    {}e()\n"
    )
    assert program_hash(source.format('"x"\n    ', '"y"\n    ')) == (
        program_hash(source.format("", ""))
    )


def test_text_that_is_used_is_not_dropped() -> None:
    assert program_hash('x = "a"\n') != program_hash('x = "b"\n')
    assert program_hash('f = lambda: "a"\n') != program_hash('f = lambda: "b"\n')


@pytest.mark.parametrize(
    "source",
    [
        "def (",
        "a\x00b",
        "x = " + "-" * 100_000 + "1",
        "x = " + "1 + " * 45_000 + "1",
        "#" * (MAX_CHARS + 1),
    ],
    ids=["syntax", "null byte", "deep", "long sum", "too long"],
)
def test_text_that_cannot_be_read_as_python_has_no_normal_form(source: str) -> None:
    assert normalised_source(source) is None
    assert program_hash(source) is None


def test_text_with_half_a_character_has_a_hash() -> None:
    assert program_hash('x = "\\ud800"\n') is not None


def test_odd_escape_warns_nobody_and_filters_of_others_stay() -> None:
    before = list(warnings.filters)
    threads = [
        threading.Thread(target=normalised_source, args=(f'x{i} = "\\d"\n' * 50,))
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
