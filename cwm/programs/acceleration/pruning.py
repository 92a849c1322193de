"""Which operations of a graph are needed, and how often each is used."""

from collections import Counter
from typing import Any

from cwm.programs.acceleration.symbols import (
    Append,
    Block,
    Branch,
    Failure,
    Gather,
    Loop,
    Symbol,
)


class Uses:
    """How often each symbol is needed by what a step returns.

    Attributes:
        counts: Uses of each symbol; none of those that are not needed.
        home: The block in which each symbol is computed.
        readers: Blocks in which each symbol is used.
        inputs: The inputs that are used.
    """

    def __init__(self, top: Block, results: list[Any]) -> None:
        self.counts: Counter[int] = Counter()
        self.home: dict[int, Block] = {}
        self.readers: dict[int, set[int]] = {}
        self.inputs: dict[int, Symbol] = {}
        self._owner: dict[int, tuple[Branch | Loop | Gather, int]] = {}
        self._blocks: dict[int, Block] = {}
        self._place(top)
        self._failures: list[tuple[Failure, Block]] = []
        self._collect_failures(top)
        for failure, block in self._failures:
            self._need(failure.condition, block)
        for value in results:
            self._need(value, top)

    def _place(self, block: Block) -> None:
        for line in block.lines:
            match line:
                case Symbol():
                    self.home[line.number] = block
                case Branch():
                    for position, (symbol, _, _) in enumerate(line.results):
                        self._owner[symbol.number] = (line, position)
                        self.home[symbol.number] = block
                    self._place(line.yes)
                    self._place(line.no)
                case Append():
                    self._blocks[id(line)] = block
                case Gather():
                    self._owner[line.count.number] = (line, 0)
                    self.home[line.count.number] = block
                case Loop():
                    for position, (symbol, _, _) in enumerate(line.variables):
                        self._owner[symbol.number] = (line, position)
                        self.home[symbol.number] = block
                    self._place(line.head)
                    self._place(line.body)

    def _collect_failures(self, block: Block) -> None:
        for line in block.lines:
            match line:
                case Failure():
                    self._failures.append((line, block))
                case Branch():
                    self._collect_failures(line.yes)
                    self._collect_failures(line.no)
                case Loop():
                    self._collect_failures(line.head)
                    self._collect_failures(line.body)

    def _need(self, value: Any, reader: Block) -> None:
        """Counts a use, and those of all that it needs, without recursion."""
        waiting = [(value, reader)]
        while waiting:
            value, reader = waiting.pop()
            if not isinstance(value, Symbol):
                continue
            self.counts[value.number] += 1
            self.readers.setdefault(value.number, set()).add(id(reader))
            if self.counts[value.number] > 1:
                continue
            if value.number in self._owner:
                owner, position = self._owner[value.number]
                waiting += self._of_owner(owner, position, self.home[value.number])
            elif value.op == "input":
                self.inputs[value.number] = value
            else:
                home = self.home[value.number]
                waiting += [(argument, home) for argument in value.args]

    def _of_owner(
        self, owner: Branch | Loop | Gather, position: int, home: Block
    ) -> list[tuple[Any, Block]]:
        if isinstance(owner, Gather):
            return [use for line in owner.appends for use in self._of_append(line)]
        if isinstance(owner, Branch):
            _, yes, no = owner.results[position]
            # Twice: the condition is a variable of its own wherever it is used.
            return [
                (owner.condition, home),
                (owner.condition, owner.yes),
                (yes, owner.yes),
                (no, owner.no),
            ]
        _, first, following = owner.variables[position]
        return [
            (first, home),
            (following, owner.body),
            (owner.condition, owner.head),
        ]

    def _of_append(self, line: Append) -> list[tuple[Any, Block]]:
        here = self._blocks[id(line)]
        uses = [(value, here) for value in (line.condition, *line.numbers)]
        if line.branch is not None:
            # A variable of its own, as of every branch.
            outside = self.home_of(line.branch.condition, here)
            uses += [(line.branch.condition, outside)]
        return uses

    def home_of(self, symbol: Symbol, otherwise: Block) -> Block:
        """Returns the block that computes a symbol."""
        return self.home.get(symbol.number, otherwise)

    def is_needed(self, line: Any) -> bool:
        """Returns whether a line does anything that is used."""
        match line:
            case Symbol():
                return self.counts[line.number] > 0
            case Branch():
                return any(self.counts[s.number] for s, _, _ in line.results) or any(
                    map(self.is_needed, [*line.yes.lines, *line.no.lines])
                )
            case Gather():
                return self.counts[line.count.number] > 0
            case Append():
                return self.counts[line.gather.count.number] > 0
            case Loop():
                return any(self.counts[s.number] for s, _, _ in line.variables)
        return True

    def is_inlined(self, symbol: Symbol) -> bool:
        """Returns whether a symbol is used once, in the block that computes it."""
        home = self.home.get(symbol.number)
        return (
            self.counts[symbol.number] == 1
            and self.readers[symbol.number] == {id(home)}
            and symbol.number not in self._owner
        )
