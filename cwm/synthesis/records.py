"""What the search writes into its journal, and how it is read back.

One call leaves four records, in this order; a run that was killed lacks the last
ones of the calls that it was at:

    call_started   parent, kind and hash of the request
    completion     the answer, before anything is done with it
    evaluation     the program that was read from it, with constants that were fitted
                   if any were, and how it did
    tree_update    what the tree made of it, with a hash of the search so far

With several calls in flight their records alternate. The order of `call_started` and
`tree_update` is that in which the tree was asked and told: it decides what the tree
becomes, and a resumed run and a replay keep to it.

Before them stands `run_started`; `run_finished` says why a search ended. Before that
one there may be `residual`: what was learned on top of the best program.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from cwm.core.errors import DataError
from cwm.core.journal import Record
from cwm.core.proposals import Completion, Usage
from cwm.programs.evaluation import Evaluation
from cwm.synthesis.candidates import Candidate
from cwm.synthesis.search import Call, ProgramSearch

RUN_STARTED = "run_started"
RUN_FINISHED = "run_finished"
CALL_STARTED = "call_started"
COMPLETION = "completion"
EVALUATION = "evaluation"
TREE_UPDATE = "tree_update"

PER_CALL = (CALL_STARTED, COMPLETION, EVALUATION, TREE_UPDATE)


Event: TypeAlias = tuple[Literal["ask", "tell"], int]
"""The tree was asked for a call, or told what came of it; with the call's index."""


@dataclass(frozen=True, kw_only=True)
class RecordedCall:
    """What a journal knows of one call; what is missing was not reached.

    Attributes:
        index: The call.
        started: Body of `call_started`.
        completion: The answer.
        source: The program in it.
        proposed: The program before its constants were fitted, if that changed it.
        evaluation: How the program did; there is a `source` as well.
        same_as: The call that brought the same program first, if one did.
        update: Body of `tree_update`.
    """

    index: int
    started: dict[str, Any]
    completion: Completion | None = None
    source: str = ""
    proposed: str | None = None
    evaluation: Evaluation | None = None
    same_as: int | None = None
    update: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class RecordedRun:
    """What a journal knows of a run.

    Attributes:
        calls: All calls, by index.
        events: What the tree went through, in order.
        arrived: Calls with a completion of which the tree was not told, in the order
            of their completions.
    """

    calls: tuple[RecordedCall, ...] = ()
    events: tuple[Event, ...] = ()
    arrived: tuple[int, ...] = ()


def started_body(call: Call) -> dict[str, Any]:
    """Returns the body of `call_started`."""
    return {
        "call": call.index,
        "parent": call.expansion.parent_id,
        "kind": call.request.kind,
        "attempt": call.request.attempt,
        "model": call.request.model,
        "request": call.request_hash,
    }


def completion_body(call: Call, completion: Completion) -> dict[str, Any]:
    """Returns the body of `completion`; its seconds belong to the clock."""
    usage = completion.usage
    return {
        "call": call.index,
        "text": completion.text,
        "annotation": completion.annotation,
        "usage": {
            "calls": usage.calls,
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "usd": usage.usd,
            "saved_tokens": usage.saved_tokens,
        },
    }


def evaluation_body(
    call: Call,
    source: str,
    evaluation: Evaluation,
    *,
    same_as: int | None,
    proposed: str | None = None,
) -> dict[str, Any]:
    """Returns the body of `evaluation`.

    Args:
        call: The call.
        source: The program.
        evaluation: How it did.
        same_as: The call that brought the same program first, if one did; it was not
            run again.
        proposed: The program before its constants were fitted, if that changed it.
    """
    return {
        "call": call.index,
        "source": source,
        "proposed": proposed,
        "same_as": same_as,
        "evaluation": evaluation.to_json(),
    }


def update_body(search: ProgramSearch, candidate: Candidate) -> dict[str, Any]:
    """Returns the body of `tree_update`: what the tree made of a candidate."""
    return {
        "call": candidate.call_index,
        "node": candidate.node_id,
        "value": candidate.evaluation.score,
        "is_bug": candidate.evaluation.is_bug,
        "best_call": None if search.best is None else search.best.call_index,
        "search": search.digest,
    }


def read_run(records: Sequence[Record]) -> RecordedRun:
    """Returns what a journal knows of its run.

    Raises:
        DataError: If the records of a call are not in the order stated above.
    """
    found: list[dict[str, Record]] = []
    events: list[Event] = []
    arrived: dict[int, None] = {}
    for record in records:
        if record.kind not in PER_CALL:
            continue
        index = int(record.body["call"])
        position = PER_CALL.index(record.kind)
        if position == 0 and index == len(found):
            found.append({})
            events.append(("ask", index))
        elif not 0 <= index < len(found) or len(found[index]) != position:
            raise DataError(
                f"Journal record {record.index} ({record.kind} of call {index}) is "
                "out of order."
            )
        elif record.kind == COMPLETION:
            arrived[index] = None
        elif record.kind == TREE_UPDATE:
            events.append(("tell", index))
            del arrived[index]
        found[index][record.kind] = record
    calls = tuple(_recorded_call(index, records) for index, records in enumerate(found))
    return RecordedRun(calls=calls, events=tuple(events), arrived=tuple(arrived))


def _recorded_call(index: int, found: dict[str, Record]) -> RecordedCall:
    completion = source = proposed = evaluation = same_as = update = None
    if COMPLETION in found:
        completion = read_completion(found[COMPLETION])
    if EVALUATION in found:
        source, evaluation = read_evaluation(found[EVALUATION])
        proposed = found[EVALUATION].body.get("proposed")
        same_as = found[EVALUATION].body.get("same_as")
    if TREE_UPDATE in found:
        update = found[TREE_UPDATE].body
    return RecordedCall(
        index=index,
        started=found[CALL_STARTED].body,
        completion=completion,
        source=source or "",
        proposed=proposed,
        evaluation=evaluation,
        same_as=same_as,
        update=update,
    )


def read_completion(record: Record) -> Completion:
    """Returns the completion of a `completion` record."""
    usage = Usage(
        **record.body["usage"], seconds=float(record.clock.get("seconds", 0.0))
    )
    return Completion(
        text=str(record.body["text"]),
        annotation=record.body["annotation"],
        usage=usage,
    )


def read_evaluation(record: Record) -> tuple[str, Evaluation]:
    """Returns the program and the evaluation of an `evaluation` record."""
    body = record.body
    return str(body["source"]), Evaluation.from_json(body["evaluation"])
