"""Rebuilding a run's tree from its journal alone: nothing is asked or run again."""

from collections.abc import Sequence
from dataclasses import dataclass

from cwm.core.errors import DataError
from cwm.core.journal import Record
from cwm.synthesis.loop import call_line, tree_update_body
from cwm.synthesis.records import RecordedCall, recorded_calls, started_body
from cwm.synthesis.search import ProgramSearch


@dataclass(frozen=True, kw_only=True)
class ReplayResult:
    """What a journal replayed to.

    Attributes:
        num_calls: Calls that were taken into the tree.
        num_unfinished: Calls without an evaluation, which were not: 1 in a run
            that was killed inside a call, else 0.
        lines: What each call brought, for people.
    """

    num_calls: int
    num_unfinished: int
    lines: tuple[str, ...]


def replay(search: ProgramSearch, records: Sequence[Record]) -> ReplayResult:
    """Takes all recorded calls into a new search.

    Args:
        search: A search without any call, with the run's settings and data;
            afterwards it holds the run's tree and candidates.
        records: The run's journal.

    Raises:
        DataError: If a request or the tree after it is not what was recorded.
    """
    calls = recorded_calls(records)
    lines = []
    for index, recorded in enumerate(calls):
        if recorded.completion is None or recorded.evaluation is None:
            break
        lines.append(_replay_call(search, index, recorded))
    return ReplayResult(
        num_calls=len(lines), num_unfinished=len(calls) - len(lines), lines=tuple(lines)
    )


def _replay_call(search: ProgramSearch, index: int, recorded: RecordedCall) -> str:
    assert recorded.completion is not None, "only finished calls are replayed"
    assert recorded.evaluation is not None, "only finished calls are replayed"
    call = search.next_call()
    if recorded.started != started_body(call):
        raise DataError(f"Call {index} asks for something else than was recorded.")
    before = search.best
    candidate = search.accept(
        call,
        completion=recorded.completion,
        source=recorded.source,
        evaluation=recorded.evaluation,
    )
    update = tree_update_body(search, candidate)
    if recorded.update is not None and recorded.update != update:
        raise DataError(f"The tree after call {index} is not the one recorded.")
    return call_line(candidate, is_best=search.best is not before)
