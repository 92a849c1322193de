"""Numbers that a correction may read, each with its words and its code.

The names in the code are those of the arguments of the written function: `before`,
`action`, `law` (what the law predicts next), `after` (that, corrected), `terminated`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import Column, Columns
from cwm.core.spaces import BoxSpec, DictSpec, SpaceSpec, TupleSpec, leaves

FloatArray = NDArray[np.float64]

MAX_ELEMENTS = 40
"""Numbers of one observation or action that are read, the first ones."""

_LAW = "law"
_LARGEST_ANGLE = 4.0 * np.pi
_SMALLEST_ANGLE = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """One number of each transition.

    Attributes:
        words: What it is, for people.
        code: The same as an expression.
        values: `[N]`.
        is_real: Whether it is a real number, and no code or count.
        num_parts: How many simpler numbers it is made of.
    """

    words: str
    code: str
    values: FloatArray
    is_real: bool = True
    num_parts: int = 1


def elements_of(
    space: SpaceSpec, columns: Columns, *, name: str, words: str
) -> list[Element]:
    """Returns the numbers of observations or actions.

    Args:
        space: Of the values.
        columns: The values.
        name: What the code calls one value.
        words: What people call it.
    """
    found: list[Element] = []
    for path, leaf in leaves(space):
        column: Column = columns[path]
        if not isinstance(column, np.ndarray) or column.dtype.kind not in "biuf":
            continue
        where = access(space, path, name)
        if path:
            where = f"np.asarray({where}, dtype=np.float64)"
        title = f"{words}/{path}" if path else words
        is_real = isinstance(leaf, BoxSpec) and not leaf.is_integer
        found += _of_leaf(column, where, title, is_real=is_real)
    return [e for e in found[:MAX_ELEMENTS] if np.ptp(e.values) > 0]


def _of_leaf(
    column: NDArray[np.generic], code: str, words: str, *, is_real: bool
) -> Iterator[Element]:
    values = np.nan_to_num(column.astype(np.float64), posinf=1e30, neginf=-1e30)
    if values.ndim == 1:
        yield Element(words, code, values, is_real)
        return
    for index in np.ndindex(*values.shape[1:]):
        place = ", ".join(map(str, index))
        yield Element(
            f"{words}[{place.replace(' ', '')}]",
            f"{code}[..., {place}]",
            values[(slice(None), *index)],
            is_real,
        )


def access(space: SpaceSpec, path: str, name: str) -> str:
    """Returns the code that leads to a leaf of a value."""
    if not path:
        return name
    key, _, rest = path.partition("/")
    match space:
        case DictSpec(members=members):
            return access(dict(members)[key], rest, f"{name}[{key!r}]")
        case TupleSpec(members=parts):
            return access(parts[int(key)], rest, f"{name}[{int(key)}]")
    raise AssertionError("only dicts and tuples have paths")


def for_conditions(elements: Sequence[Element]) -> list[Element]:
    """Returns what conditions compare: the numbers, and sizes of signed real ones."""
    sizes = [
        Element(f"|{e.words}|", f"np.abs({e.code})", np.abs(e.values), True, 2)
        for e in elements
        if e.is_real and e.values.min() < 0.0 < e.values.max()
    ]
    return [*elements, *sizes]


def library(
    elements: Sequence[Element], max_size: int, *, number: int
) -> list[Element]:
    """Returns the terms of a sparse sum, the simplest first.

    1, numbers, their functions, products of two of these, and squares times one.

    Args:
        elements: The numbers.
        max_size: Most terms.
        number: Rows.
    """
    one = Element("1", "1.0", np.ones(number), True, 0)
    atoms = sorted(
        (atom for e in elements for atom in _atoms(e)), key=lambda a: a.term.num_parts
    )
    pairs = [
        (a.term, b.term)
        for i, a in enumerate(atoms)
        for b in atoms[i:]
        if not _is_known(a, b)
    ]
    pairs.sort(key=lambda pair: pair[0].num_parts + pair[1].num_parts)
    found = [one, *(atom.term for atom in atoms)]
    found += [_product(*pair) for pair in pairs[: max_size // 2]]
    for e in elements:
        if e.is_real and len(found) < max_size:
            square = _product(e, e)
            found += [_product(square, b.term) for b in atoms if b.term is not e]
    return [e for e in found[:max_size] if np.isfinite(e.values).all()]


@dataclass(frozen=True, slots=True)
class _Atom:
    """A number, or a function of one.

    Attributes:
        term: It.
        function: `""`, `"abs"`, `"sign"`, `"sin"` or `"cos"`.
        of: The number.
    """

    term: Element
    function: str
    of: Element


_KNOWN = {
    ("", "sign"),
    ("abs", "abs"),
    ("abs", "sign"),
    ("sign", "sign"),
    ("cos", "cos"),
}
"""Functions of one number whose product is another term, or 1, or a sum of others."""


def _is_known(a: _Atom, b: _Atom) -> bool:
    return a.of is b.of and (a.function, b.function) in _KNOWN


def _product(a: Element, b: Element) -> Element:
    parts = a.num_parts + b.num_parts
    if a is b:
        return Element(f"{a.words}^2", f"{a.code} ** 2", a.values**2, True, parts)
    words, code = f"{a.words} * {b.words}", f"{a.code} * {b.code}"
    return Element(words, code, a.values * b.values, True, parts)


def _atoms(e: Element) -> Iterator[_Atom]:
    yield _Atom(e, "", e)
    if not e.is_real or e.code.startswith(_LAW):
        # What the law predicts goes with what was before: one of them is enough.
        return
    low, high = float(e.values.min()), float(e.values.max())
    functions = []
    if low < 0.0 < high:
        functions += [("abs", f"|{e.words}|", np.abs), ("sign", "", np.sign)]
    if _SMALLEST_ANGLE <= max(abs(low), abs(high)) <= _LARGEST_ANGLE:
        functions += [("sin", "", np.sin), ("cos", "", np.cos)]
    for name, words, function in functions:
        shown, code = words or f"{name}({e.words})", f"np.{name}({e.code})"
        yield _Atom(Element(shown, code, function(e.values), True, 2), name, e)
