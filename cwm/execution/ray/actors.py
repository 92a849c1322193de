"""What runs on a node: an actor for a slot, and one that examines the node."""

import os
import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from cwm.core.errors import CwmError
from cwm.execution.crew import Failure, OnNote, Work
from cwm.execution.ray.nodes import NodeRules, examine, own_versions
from sandbox.errors import SandboxUnavailable


class Examiner:
    """Says what its node is like."""

    def report(self, rules: NodeRules) -> tuple[str, tuple[tuple[str, str], ...], str]:
        """Returns isolation, versions, and why the node is not to be used."""
        level, refusal = examine(rules)
        return level, own_versions(), refusal


class Station:
    """Holds one kind of work open, and does its pieces.

    All of it in one thread, which lives as long as the actor: notes leave from another
    one while a piece is done.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._stack = ExitStack()
        self._do: Any = None

    def open(self, work: Work[Any, Any, Any]) -> Failure | None:
        """Opens the work; returns what was raised, if anything was."""
        return self._thread.submit(self._open, work).result()

    def _open(self, work: Work[Any, Any, Any]) -> Failure | None:
        try:
            self._do = self._stack.enter_context(work.open(work.settings))
        except (CwmError, SandboxUnavailable) as error:
            return Failure.of(error)
        return None

    def do(self, piece: Any) -> Iterator[tuple[str, Any]]:
        """Yields notes, and at last the result of a piece or what it raised."""
        said: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._thread.submit(self._do_one, piece, said)
        kind = "note"
        while kind == "note":
            kind, content = said.get()
            yield kind, content

    def _do_one(self, piece: Any, said: "queue.SimpleQueue[tuple[str, Any]]") -> None:
        tell: OnNote = lambda note: said.put(("note", note))  # noqa: E731
        try:
            result = self._do(piece, tell)
        except Exception as error:  # noqa: BLE001 - raised by who asked
            said.put(("failed", Failure.of(error)))
        else:
            said.put(("done", result))

    def pid(self) -> int:
        """Returns the process."""
        return os.getpid()

    def close(self) -> None:
        """Closes the work, and what it had opened."""
        self._thread.submit(self._stack.close).result()
