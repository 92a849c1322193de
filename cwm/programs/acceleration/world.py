"""What a program has in its hands while it runs: captured, restored, merged."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cwm.programs.acceleration.arrays import Choice, Row
from cwm.programs.acceleration.functions import from_native
from cwm.programs.acceleration.leaving import RESULT
from cwm.programs.acceleration.operations import apply, is_same, select
from cwm.programs.acceleration.symbols import (
    Branch,
    NoFastForm,
    Symbol,
    is_weak,
    kind_of,
    plain,
    widest,
)
from cwm.programs.acceleration.varying import Maybe, has_maybe, slots


@dataclass(eq=False)
class Thing:
    """An instance of one of the program's classes."""

    kind: type
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False, frozen=True)
class Function:
    """A function of the program's, with what it sees around it.

    Attributes:
        node: Its text.
        scopes: The variables of the functions around it, inner ones last.
        owner: What `self` is; `None` for a plain function.
        defaults: Values of the last arguments.
    """

    node: ast.FunctionDef | ast.Lambda
    scopes: tuple[dict[str, Any], ...] = ()
    owner: Thing | None = None
    defaults: tuple[Any, ...] = ()
    key_defaults: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False, frozen=True)
class Unknown:
    """Stands for a value that must not be used, and says why."""

    reason: str


class SplitNeeded(NoFastForm):
    """Two ways cannot be merged here; each may be followed to its function's end."""


NOTHING = Unknown("it is not set on every path")


def imported(value: Any, seen: dict[int, Any]) -> Any:
    """Returns a value of the running program as the interpreter has it.

    What is shared stays shared.
    """
    if id(value) in seen:
        return seen[id(value)][0]
    made: Any = value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufSUO":
        made = _array(value)
    elif type(value) is list:
        made = []
        seen[id(value)] = (made, value)
        made.extend(imported(part, seen) for part in value)
    elif type(value) is tuple:
        made = tuple(imported(part, seen) for part in value)
    elif type(value) is dict:
        made = {}
        seen[id(value)] = (made, value)
        made.update({key: imported(part, seen) for key, part in value.items()})
    elif type(value).__module__ == "candidate" and hasattr(value, "__dict__"):
        made = Thing(type(value))
        seen[id(value)] = (made, value)
        for name, part in vars(value).items():
            made.attributes[name] = imported(part, seen)
    seen[id(value)] = (made, value)
    return made


def _array(value: Any) -> Any:
    try:
        return from_native(value)
    except NoFastForm as error:
        return Unknown(str(error))


Capture = list[tuple[Any, Any]]
"""Containers, each with what was in it."""


def capture(roots: list[Any]) -> Capture:
    """Returns all that can change and can be reached, with what is in it now."""
    found: Capture = []
    seen: set[int] = set()
    waiting = list(roots)
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        match value:
            case Thing():
                waiting.append(value.attributes)
            case Row():
                found.append((value, value.data.copy()))
            case dict():
                found.append((value, dict(value)))
                waiting += value.values()
            case list():
                found.append((value, list(value)))
                waiting += value
            case tuple():
                waiting += value
            case Maybe():
                waiting.append(value.value)
            case Function():
                waiting += [*value.scopes, value.owner]
    return found


def contents(container: Any) -> Any:
    """Returns what is in a container now."""
    return container.data.copy() if isinstance(container, Row) else container.copy()


def put(container: Any, content: Any) -> None:
    """Makes a container hold something else."""
    match container:
        case Row():
            container.data[...] = content
        case dict():
            container.clear()
            container.update(content)
        case _:
            container[:] = content


Pick = Callable[[Any, Any], Any]
"""Returns the number that stands for one of two."""


def by_select(condition: Any) -> Pick:
    """Returns a pick that is an operation of its own."""
    return lambda yes, no: select(condition, yes, no)


def by_branch(branch: Branch) -> Pick:
    """Returns a pick that is a result of a branch."""
    made: dict[tuple[Any, Any], Symbol] = {}

    def pick(yes: Any, no: Any) -> Any:
        if yes is True and no is False:
            return branch.condition
        if yes is False and no is True:
            return apply("not", branch.condition)
        key = (_identity(yes), _identity(no))
        if key not in made:
            graph = branch.condition.graph
            symbol = graph.fresh("result", (), widest(yes, no))
            symbol.weak = is_weak(yes) and is_weak(no)
            branch.results.append((symbol, yes, no))
            made[key] = symbol
        return made[key]

    return pick


def _identity(value: Any) -> Any:
    return ("s", value.number) if isinstance(value, Symbol) else repr(value)


def merge(  # noqa: PLR0911 - one a kind
    pick: Pick, condition: Symbol, yes: Any, no: Any
) -> Any:
    """Returns what a value is after two paths of which one counts."""
    if yes is no or is_same(yes, no):
        return yes
    if kind_of(yes) and kind_of(no):
        return pick(yes, no)
    if isinstance(yes, Row) and isinstance(no, Row) and yes.shape == no.shape:
        return Row(
            _merged_elements(pick, condition, yes.data, no.data),
            yes.kind if yes.kind == no.kind else "f",
        )
    if type(yes) in (list, tuple) and type(yes) is type(no) and len(yes) == len(no):
        pairs = zip(yes, no, strict=True)
        return type(yes)(merge(pick, condition, a, b) for a, b in pairs)
    if isinstance(yes, dict) and isinstance(no, dict):
        return merged_names(pick, condition, yes, no)
    if isinstance(yes, str | bytes) and isinstance(no, str | bytes):
        return yes if yes == no else Choice(condition, [no, yes])
    unknown = next((v for v in (yes, no) if isinstance(v, Unknown)), None)
    return unknown or Unknown("it is of another kind on each path")


def _merged_elements(pick: Pick, condition: Symbol, yes: Any, no: Any) -> Any:
    result = np.empty(yes.shape, object)
    for place in np.ndindex(yes.shape):
        result[place] = merge(pick, condition, yes[place], no[place])
    return result


def merged_names(
    pick: Pick, condition: Symbol, yes: dict[Any, Any], no: dict[Any, Any]
) -> dict[Any, Any]:
    """Returns variables after two paths of which one counts."""
    names = [*yes, *(name for name in no if name not in yes)]
    merged = {
        name: merge(pick, condition, yes.get(name, NOTHING), no.get(name, NOTHING))
        for name in names
    }
    if (RESULT in yes) != (RESULT in no):
        # Looked at only where a loop has returned.
        merged[RESULT] = kept(pick, (yes | no)[RESULT], is_yes=RESULT in yes)
    return merged


def merged_contents(
    pick: Pick,
    condition: Symbol,
    yes: Any,
    no: Any,
    *,
    is_over: bool = False,
    may_split: bool = False,
) -> Any:
    """Returns what a container holds after two paths of which one counts.

    Args:
        pick: Stands for one of two numbers.
        condition: Whether the first path counts.
        yes: What it held after the first.
        no: After the second.
        is_over: Whether the function has ended: what only it had is not needed then.
        may_split: Whether both paths are followed on where a list is longer on one;
            otherwise the list has elements that are there on one path only.

    Raises:
        SplitNeeded: If they are.
    """
    if isinstance(yes, np.ndarray):
        return _merged_elements(pick, condition, yes, no)
    if isinstance(yes, dict):
        return merged_names(pick, condition, yes, no)
    if len(yes) != len(no) or has_maybe(yes) or has_maybe(no):
        same = _num_same(yes, no)
        if same == len(yes) == len(no):
            return yes
        if is_over:
            return [Unknown("how long a list is depends on values")]
        if may_split:
            raise SplitNeeded("How long a list is depends on values.")
        return [
            *yes[:same],
            *(_kept(pick, slot, is_yes=True) for slot in slots(yes[same:])),
            *(_kept(pick, slot, is_yes=False) for slot in slots(no[same:])),
        ]
    pairs = zip(yes, no, strict=True)
    return [merge(pick, condition, a, b) for a, b in pairs]


def _num_same(left: list[Any], right: list[Any]) -> int:
    """Returns how many elements two lists begin with that are the same."""
    pairs = enumerate(zip(left, right, strict=False))
    return next(
        (i for i, (a, b) in pairs if not (a is b or is_same(a, b))),
        min(len(left), len(right)),
    )


def _kept(pick: Pick, slot: Maybe, *, is_yes: bool) -> Maybe:
    condition = pick(slot.condition, False) if is_yes else pick(False, slot.condition)
    return Maybe(condition, kept(pick, slot.value, is_yes=is_yes))


def kept(pick: Pick, value: Any, *, is_yes: bool) -> Any:
    """Returns a value that one path has made, for use where that path counts."""
    if isinstance(value, Symbol):
        zero = plain(0, value.kind)
        return pick(value, zero) if is_yes else pick(zero, value)
    if isinstance(value, Row):
        data = np.empty(value.shape, object)
        for place in np.ndindex(value.shape):
            data[place] = kept(pick, value.data[place], is_yes=is_yes)
        return Row(data, value.kind)
    if type(value) in (list, tuple):
        return type(value)(kept(pick, part, is_yes=is_yes) for part in value)
    return value


def kept_zero(value: Any) -> Any:
    """Returns zeros in the form of a value."""
    if isinstance(value, Row):
        return Row.of(np.zeros(value.shape), value.kind)
    if type(value) in (list, tuple):
        return type(value)(map(kept_zero, value))
    return plain(0, kind_of(value)) if kind_of(value) else value


def leaves(value: Any) -> Iterator[Any]:
    """Yields the numbers in a value, in a fixed order."""
    if kind_of(value):
        yield value
    elif isinstance(value, Row):
        yield from value.data.flat
    elif isinstance(value, np.ndarray):
        for part in value.flat:
            yield from leaves(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from leaves(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from leaves(part)
