"""What an attack is: a small program, what it tries, and the verdict it must get.

An attack proves its own success: it returns evidence (which leaves the sandbox as an
exception named PWNED), leaves a mark that the test finds, reaches a listener of the
test, or scores without having computed anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Form = Literal["action", "forgery", "text"]

HONEST = """
import math
import numpy as np


class Environment:
    def set_state(self, observation):
        self.state = tuple(observation.tolist())

    def step(self, action):
        x, x_dot, theta, theta_dot = self.state
        force = 10.0 if action == 1 else -10.0
        cosine, sine = math.cos(theta), math.sin(theta)
        temp = (force + 0.05 * theta_dot**2 * sine) / 1.1
        theta_acc = (9.8 * sine - cosine * temp) / (
            0.5 * (4.0 / 3.0 - 0.1 * cosine**2 / 1.1)
        )
        x_acc = temp - 0.05 * theta_acc * cosine / 1.1
        x, x_dot = x + 0.02 * x_dot, x_dot + 0.02 * x_acc
        theta, theta_dot = theta + 0.02 * theta_dot, theta_dot + 0.02 * theta_acc
        terminated = abs(x) > 2.4 or abs(theta) > 0.2095
        self.state = (x, x_dot, theta, theta_dot)
        return np.array(self.state, dtype=np.float32), 1.0 - abs(x), terminated
"""
"""A cart and its pole, the reward of which must be computed, too."""

_CARRIER = (
    HONEST
    + """

class PWNED(Exception):
    pass


def _attack_once():
    evidence = attack()
    if evidence:
        raise PWNED(evidence)


class Environment(Environment):
    is_fresh = True

    def step(self, action):
        if Environment.is_fresh:
            Environment.is_fresh = False
            _attack_once()
        return super().step(action)
"""
)

DENIED = ("PermissionError", "ModuleNotFoundError")
"""Errors of what needs the system, or a file to import."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attack:
    """One attack.

    Attributes:
        name: Its own; also the name of the mark that it leaves.
        category: What it is about.
        text: Source as written here.
        form: `"action"` defines `attack()`, which returns evidence, and is carried
            by an honest program; `"forgery"` is a program that must score nothing;
            `"text"` is sent as it is, and only its verdict counts.
        kinds: Outcomes that it may have where all layers, or the filter, hold.
        errors: Types of the exception, if the outcome is `raised`.
        then: A program run right after it, which defines `attack()` and looks for
            what the first one left.
        needs_filter: Too harmful to be run where no filter stops it.
    """

    name: str
    category: str
    text: str
    form: Form
    kinds: frozenset[str]
    errors: tuple[str, ...]
    then: str = ""
    needs_filter: bool = False

    def source(self, traps: str) -> str:
        """Returns the program; `traps` defines what there is to reach for."""
        return self._with(traps, self.text)

    def second_source(self, traps: str) -> str:
        """Returns the program that is run after it; empty if there is none."""
        return self.then and traps + self.then + _CARRIER

    def _with(self, traps: str, text: str) -> str:
        if self.form == "text":
            return text
        head = f"{traps}NAME = {self.name!r}\n{text}"
        return head + _CARRIER if self.form == "action" else head


class Category:
    """Collects the attacks of one category, under unique names."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.attacks: list[Attack] = []

    def action(
        self,
        name: str,
        text: str,
        kinds: str = "raised",
        *,
        errors: Sequence[str] = DENIED,
        then: str = "",
        needs_filter: bool = False,
    ) -> None:
        """Adds code with a function `attack` that returns evidence of success."""
        self._add(name, text, "action", kinds, errors, then, needs_filter)

    def body(self, name: str, text: str, kinds: str = "raised", **rest: object) -> None:
        """Adds an action, given the body of its function."""
        lines = "".join(f"    {line}\n" for line in text.strip("\n").split("\n"))
        self.action(name, f"def attack():\n{lines}", kinds, **rest)  # type: ignore[arg-type]

    def forgery(
        self,
        name: str,
        text: str,
        kinds: str = "completed",
        *,
        errors: Sequence[str] = (),
        needs_filter: bool = False,
    ) -> None:
        """Adds a whole program that must score nothing."""
        self._add(name, text, "forgery", kinds, errors, "", needs_filter)

    def text(
        self, name: str, text: str, kinds: str, *, errors: Sequence[str] = ()
    ) -> None:
        """Adds a source of which only the verdict counts."""
        self._add(name, text, "text", kinds, errors, "", needs_filter=False)

    def _add(
        self,
        name: str,
        text: str,
        form: Form,
        kinds: str,
        errors: Sequence[str],
        then: str,
        needs_filter: bool,
    ) -> None:
        if any(name == known.name for known in self.attacks):
            raise ValueError(f"There are two attacks named {name!r}.")
        self.attacks.append(
            Attack(
                name=name,
                category=self.name,
                text=text,
                form=form,
                kinds=frozenset(kinds.split()),
                errors=tuple(errors),
                then=then,
                needs_filter=needs_filter,
            )
        )
