"""Products of simple functions of named variables: what laws are sums of.

A term can do three things: evaluate itself on columns of data, print itself as
a Python expression, and travel as JSON in a program's blueprint.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
Variables: TypeAlias = Mapping[str, FloatArray]
"""Named columns, each `[N]`."""


def _inverse(x: FloatArray) -> FloatArray:
    return np.asarray(np.divide(1.0, x), dtype=np.float64)


_FUNCTIONS: dict[str, tuple[Callable[[FloatArray], FloatArray], str]] = {
    "identity": (np.asarray, "{}"),
    "sin": (np.sin, "math.sin({})"),
    "cos": (np.cos, "math.cos({})"),
    "abs": (np.abs, "abs({})"),
    "sqrt_abs": (lambda x: np.sqrt(np.abs(x)), "math.sqrt(abs({}))"),
    "exp": (np.exp, "math.exp({})"),
    "inverse": (_inverse, "(1.0 / {})"),
    "sign": (np.sign, "float(np.sign({}))"),
    "tanh": (np.tanh, "math.tanh({})"),
}
"""Name -> (vectorised function, how it prints)."""


@dataclass(frozen=True, slots=True)
class Atom:
    """One function of one variable.

    Attributes:
        variable: Name of the variable.
        function: A key of the function table, or `"is"` for the indicator of
            `variable == factor`.
        factor: Multiplies the variable inside the function.
    """

    variable: str
    function: str = "identity"
    factor: float = 1.0

    def evaluate(self, variables: Variables) -> FloatArray:
        """Returns the atom's value in each row, `[N]`."""
        x = variables[self.variable]
        if self.function == "is":
            return np.asarray(x == self.factor, dtype=np.float64)
        if self.factor != 1.0:
            x = self.factor * x
        with np.errstate(all="ignore"):
            return np.asarray(_FUNCTIONS[self.function][0](x), dtype=np.float64)

    def render(self) -> str:
        """Returns the atom as a Python expression."""
        if self.function == "is":
            return f"({self.variable} == {self.factor:g})"
        inner = self.variable
        if self.factor != 1.0:
            inner = f"{self.factor!r} * {self.variable}"
            if self.function in ("identity", "inverse"):
                inner = f"({inner})"
        return _FUNCTIONS[self.function][1].format(inner)

    def label(self) -> str:
        """Returns an identifier-like name for constants."""
        if self.function == "is":
            return f"{self.variable}_is_{self.factor:g}".replace("-", "m")
        name = self.variable
        if self.factor != 1.0:
            name = f"{self.factor:g}{name}".replace(".", "p").replace("-", "m")
        return name if self.function == "identity" else f"{self.function}_{name}"


@dataclass(frozen=True, slots=True)
class Term:
    """A product of powers of atoms; the empty product is the constant 1."""

    factors: tuple[tuple[Atom, int], ...] = ()

    def evaluate(self, variables: Variables) -> FloatArray:
        """Returns the term's value in each row, `[N]`; `[1]` for the constant."""
        product: FloatArray = np.ones(1)
        for atom, power in self.factors:
            product = product * atom.evaluate(variables) ** power
        return product

    def render(self) -> str:
        """Returns the term as a Python expression, `""` for the constant."""
        parts = []
        for atom, power in self.factors:
            text = atom.render()
            parts.append(text if power == 1 else f"{text} ** {power}")
        return " * ".join(parts)

    def label(self) -> str:
        """Returns an identifier-like name for constants."""
        if not self.factors:
            return "offset"
        return "_".join(
            atom.label() + (f"_{power}" if power != 1 else "")
            for atom, power in self.factors
        )

    @property
    def variables(self) -> frozenset[str]:
        """Names of the variables that the term reads."""
        return frozenset(atom.variable for atom, _ in self.factors)

    @property
    def degree(self) -> int:
        """Sum of the powers."""
        return sum(power for _, power in self.factors)

    def times(self, other: "Term") -> "Term":
        """Returns the product of two terms."""
        powers: dict[Atom, int] = {}
        for atom, power in (*self.factors, *other.factors):
            if atom.function == "is":
                powers[atom] = 1
            else:
                powers[atom] = powers.get(atom, 0) + power
        return Term(tuple(sorted(powers.items(), key=_order)))

    def to_json(self) -> list[list[Any]]:
        """Returns a JSON-able form; `from_json` is its inverse."""
        return [[a.variable, a.function, a.factor, p] for a, p in self.factors]

    @staticmethod
    def from_json(data: Iterable[Iterable[Any]]) -> "Term":
        """Returns the term that `to_json` described."""
        rows = [tuple(row) for row in data]
        return Term(
            tuple((Atom(str(v), str(f), float(k)), int(p)) for v, f, k, p in rows)
        )


def _order(item: tuple[Atom, int]) -> tuple[str, str, float]:
    atom, _ = item
    return atom.variable, atom.function, atom.factor


CONSTANT = Term()


def atom_term(variable: str, function: str = "identity", factor: float = 1.0) -> Term:
    """Returns the term of one atom to the first power."""
    return Term(((Atom(variable, function, factor), 1),))


def products(terms: Iterable[Term], max_degree: int) -> list[Term]:
    """Returns all products of up to `max_degree` of the terms, 1 included.

    Ordered by the number of factors, so simpler products come first. Products of
    two indicators are left out.
    """
    base = list(terms)
    found: dict[Term, None] = {CONSTANT: None}
    layer = [CONSTANT]
    for _ in range(max_degree):
        layer = list(
            dict.fromkeys(
                left.times(right)
                for left in layer
                for right in base
                if not (_has_indicator(left) and _has_indicator(right))
            )
        )
        found.update(dict.fromkeys(layer))
    return list(found)


def _has_indicator(term: Term) -> bool:
    return any(atom.function == "is" for atom, _ in term.factors)


def design_matrix(terms: Iterable[Term], variables: Variables) -> FloatArray:
    """Returns the terms' values as columns, `[N, K]`."""
    num_rows = len(next(iter(variables.values())))
    columns = [np.broadcast_to(t.evaluate(variables), num_rows) for t in terms]
    return np.stack(columns, axis=1) if columns else np.zeros((num_rows, 0))
