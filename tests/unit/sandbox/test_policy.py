import os
import sys
import threading
import warnings
from pathlib import Path

import pytest

from sandbox.policy import check_size, check_source

EVERYDAY = """
from __future__ import annotations

import collections.abc
import math
import random
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

import numpy as np


class Colour(Enum):
    RED = auto()


class Point(NamedTuple):
    x: int


@dataclass(frozen=True)
class Settings:
    values: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.__class__.__name__


class Base:
    class Inner:
        pass

    def __init__(self):
        self.__private = 1
        self._x = 2


class Environment(Base):
    __slots__ = ("grid",)

    def __init__(self):
        super().__init__()
        self.grid: np.ndarray = np.zeros((3, 3))
        self.grid[..., 0] += 1
        self.grid @= np.eye(3)

    def step(self, action, /, *args, key=1, **kwargs):
        global COUNT
        match action:
            case 0 | 1:
                pass
            case {"a": [1, *rest]}:
                pass
            case Point(x=1) if rest:
                pass
            case _:
                pass
        count = 0

        def inner():
            nonlocal count
            count += 1
            yield from range(3)

        if (m := max([*inner()], default=0)) > 2:
            print(f"{m!r:>{key}}", *sorted({1, 2}), sep="")
        try:
            assert m, "no"
        except (ValueError, AssertionError) as error:
            raise RuntimeError("x") from error
        finally:
            del m
        with np.errstate(all="ignore"):
            x = {**kwargs, "b": b"", "c": 1j, "d": ...}
        while not x:
            break
        else:
            x = [y for y in x if y for _ in "ab"]
        return (lambda q: ~q)(1), 1.0 if x else -1.0, bool(x and not x)


if __name__ == "__main__":
    print(Environment().step(1))
"""


def test_everyday_python_passes() -> None:
    assert check_source(EVERYDAY) == ()


@pytest.mark.parametrize(
    ("source", "line", "fragment"),
    [
        ("import os", 1, "import of os is not allowed; a program may import numpy"),
        ("x = 1\nfrom sys import modules", 2, "import of sys is not allowed"),
        ("import numpy.f2py", 1, "import of numpy.f2py is not allowed"),
        ("from numpy import ctypeslib", 1, "the attribute ctypeslib is not allowed"),
        (
            "open('x')",
            1,
            "open is not allowed; there are no files to read or write",
        ),
        ("y = eval('1')", 1, "eval is not allowed; write the expression out"),
        ("f = __import__", 1, "__import__ is not allowed; use an import statement"),
        ("().__class__.__bases__", 1, "the attribute __bases__ is not allowed"),
        ("f.__globals__", 1, "the attribute __globals__ is not allowed"),
        ("g.gi_frame.f_back", 1, "the attribute f_back is not allowed"),
        ("import json\njson.codecs", 2, "the attribute codecs is not allowed"),
        ("__builtins__", 1, "the name __builtins__ is not allowed"),
        ("async def f(): pass", 1, "AsyncFunctionDef is not allowed"),
        ("import math as __loader__", 1, "the name __loader__ is not allowed"),
        ("def f(__builtins__): pass", 1, "the name __builtins__ is not allowed"),
    ],
)
def test_refusal_says_where_what_and_why(source: str, line: int, fragment: str) -> None:
    problems = check_source(source)
    assert problems
    assert any(p.line == line and fragment in str(p) for p in problems)


def test_problems_come_in_order_of_lines_and_once() -> None:
    problems = check_source("import os\nx = 1\nimport sys, sys")
    assert [p.line for p in problems] == [1, 3]


def test_syntax_error_is_left_to_the_child() -> None:
    assert check_source("print(") == ()


def test_nesting_that_the_parser_cannot_take_is_refused() -> None:
    problems = check_source("(" * 150 + ")" * 150) + check_source("-" * 60_000 + "1")
    assert any("nested too deeply" in str(p) for p in problems)


def test_size_is_counted_in_bytes() -> None:
    assert check_size("é" * 512, 1) == ()
    assert "at most 1 KiB" in str(check_size("é" * 513, 1)[0])


def test_programs_that_a_language_model_wrote_pass() -> None:
    folder = os.environ.get("CWM_EXAMPLES")
    if folder is None:
        pytest.skip("CWM_EXAMPLES names no folder of example programs")
    paths = sorted(Path(folder).glob("*.py"))
    assert paths
    refused = {p.name: check_source(p.read_text()) for p in paths}
    assert {name: problems for name, problems in refused.items() if problems} == {}


def test_threads_that_check_at_once_leave_the_filters_of_warnings_alone() -> None:
    before = list(warnings.filters)

    def work(number: int) -> None:
        for turn in range(200):
            check_source(f"x = '\\d' # {number} {turn}\n" * 20)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert list(warnings.filters) == before
