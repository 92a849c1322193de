"""Rebuilding a run's tree from its journal alone: nothing is asked or run again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cwm.core.errors import DataError
from cwm.core.journal import Record
from cwm.synthesis.records import RecordedCall, read_run, started_body, update_body
from cwm.synthesis.results import call_line
from cwm.synthesis.search import Call, ProgramSearch
from mcts.search import SearchExhausted


@dataclass(frozen=True, kw_only=True)
class ReplayResult:
    """What a journal replayed to.

    Attributes:
        num_calls: Calls that were taken into the tree.
        num_unfinished: Calls that were not: those that were on their way when the
            run ended, or was killed.
        lines: What each call brought, for people.
    """

    num_calls: int
    num_unfinished: int
    lines: tuple[str, ...]


def replay(
    search: ProgramSearch,
    records: Sequence[Record],
    *,
    on_call: Callable[[Call], None] = lambda call: None,
) -> ReplayResult:
    """Takes all recorded calls into a new search, in the recorded order.

    Args:
        search: A search without any call, with the run's settings and data;
            afterwards it holds the run's tree and candidates.
        records: The run's journal.
        on_call: Is told of each call that the search asks for again.

    Raises:
        DataError: If a request or the tree after it is not what was recorded.
    """
    run = read_run(records)
    calls: dict[int, Call] = {}
    lines = []
    for event, index in run.events:
        recorded = run.calls[index]
        if event == "ask":
            calls[index] = _ask(search, recorded)
            on_call(calls[index])
        else:
            lines.append(_tell(search, calls.pop(index), recorded))
    # A run that was killed between an evaluation and the tree had it paid for.
    for index in run.arrived:
        if run.calls[index].evaluation is not None:
            lines.append(_tell(search, calls.pop(index), run.calls[index]))
    return ReplayResult(
        num_calls=len(lines), num_unfinished=len(calls), lines=tuple(lines)
    )


def _ask(search: ProgramSearch, recorded: RecordedCall) -> Call:
    try:
        call = search.next_call()
    except SearchExhausted:
        call = None
    if call is None or recorded.started != started_body(call):
        raise DataError(
            f"Call {recorded.index} asks for something else than was recorded."
        )
    return call


def _tell(search: ProgramSearch, call: Call, recorded: RecordedCall) -> str:
    assert recorded.completion is not None, "only finished calls are replayed"
    assert recorded.evaluation is not None, "only finished calls are replayed"
    before = search.best
    candidate = search.accept(
        call,
        completion=recorded.completion,
        source=recorded.source,
        evaluation=recorded.evaluation,
    )
    update = update_body(search, candidate)
    if recorded.update is not None and recorded.update != update:
        raise DataError(f"The tree after call {call.index} is not the one recorded.")
    return call_line(candidate, is_best=search.best is not before)
