"""Stores rows where they are made, instead of taking them out of branches first.

A row that a branch makes is a result of the branch, a number at a time, and what the
result is otherwise does not matter. Storing it within the branch leaves these results
out: for a robot with many contacts they would be a third of the text.
"""

from dataclasses import dataclass
from typing import Any

from cwm.programs.acceleration.symbols import (
    Append,
    Block,
    Branch,
    Gather,
    Graph,
    Loop,
    Symbol,
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a line is: in which block, and in which round of which loop."""

    block: Block
    loop: int


class _Places:
    def __init__(self, top: Block) -> None:
        self.gathers: list[tuple[Gather, _Place]] = []
        self.branches: dict[int, _Place] = {}
        self.makers: dict[int, tuple[Branch, int]] = {}
        self._walk(top, 0)

    def _walk(self, block: Block, loop: int) -> None:
        for line in block.lines:
            match line:
                case Gather():
                    self.gathers.append((line, _Place(block, loop)))
                case Branch():
                    self.branches[id(line)] = _Place(block, loop)
                    for position, (symbol, _, _) in enumerate(line.results):
                        self.makers[symbol.number] = (line, position)
                    self._walk(line.yes, loop)
                    self._walk(line.no, loop)
                case Loop():
                    self._walk(line.head, id(line))
                    self._walk(line.body, id(line))

    def maker(self, line: Append) -> Branch | None:
        """Returns the branch that makes a row, where its condition holds."""
        for number in line.numbers:
            branch, _ = self.makers.get(_number(number), (None, 0))
            if branch is not None and branch.condition is line.condition:
                return branch
        return None

    def within(self, line: Append, branch: Branch) -> list[Any]:
        """Returns the numbers of a row as they are called in the branch."""
        found = []
        for number in line.numbers:
            owner, position = self.makers.get(_number(number), (None, 0))
            found.append(branch.results[position][1] if owner is branch else number)
        return found


def _number(value: Any) -> int:
    return value.number if isinstance(value, Symbol) else -1


def store_where_made(graph: Graph) -> None:
    """Moves the storing of rows into the branches that make them."""
    places = _Places(graph.top)
    for gather, place in places.gathers:
        makers = [places.maker(line) for line in gather.appends]
        if _can_move(places, place, gather.appends, makers):
            _move(places, place.block, gather, makers)


def _can_move(
    places: _Places,
    place: _Place,
    lines: list[Append],
    makers: list[Branch | None],
) -> bool:
    """Returns whether rows are made in one block, in order, in the same round."""
    known = [branch for branch in makers if branch is not None]
    if not known:
        return False
    first = places.branches[id(known[0])]
    if first.loop != place.loop or not all(
        places.branches[id(branch)].block is first.block for branch in known
    ):
        return False
    order = [first.block.lines.index(branch) for branch in known]
    return order == sorted(order) and all(
        _is_known_before(lines[: number + 1], branch)
        for number, branch in enumerate(makers)
        if branch is not None
    )


def _is_known_before(lines: list[Append], branch: Branch) -> bool:
    """Returns whether rows hold nothing that is made after a branch."""
    made = {symbol.number for symbol, _, _ in branch.results}
    return all(
        _number(value) < min(made) or _number(value) in made
        for line in lines
        for value in (line.condition, *line.numbers)
    )


def _move(
    places: _Places, block: Block, gather: Gather, makers: list[Branch | None]
) -> None:
    known = [branch for branch in makers if branch is not None]
    target = places.branches[id(known[0])].block
    block.lines.remove(gather)
    target.lines.insert(target.lines.index(known[0]), gather)
    waiting: list[Append] = []
    for line, branch in zip(gather.appends, makers, strict=True):
        if branch is None:
            waiting.append(line)
            continue
        for other in waiting:
            block.lines.remove(other)
            target.lines.insert(target.lines.index(branch), other)
        waiting = []
        block.lines.remove(line)
        line.numbers = places.within(line, branch)
        line.branch = branch
        branch.yes.lines.append(line)
