"""What the search writes into its journal, and how it is read back.

One call leaves four records, in this order; a run that was killed lacks the last
ones of its last call:

    call_started   node, kind and hash of the request
    completion     the answer, before anything is done with it
    evaluation     the program that was read from it, and how it did
    tree_update    what the tree made of it, with a hash of the whole tree

Before them stands `run_started`; `run_resumed` and `run_finished` mark the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cwm.core.errors import DataError
from cwm.core.journal import Record
from cwm.core.proposals import Completion, Usage
from cwm.programs.evaluation import Evaluation
from cwm.synthesis.search import Call

RUN_STARTED = "run_started"
RUN_RESUMED = "run_resumed"
RUN_FINISHED = "run_finished"
CALL_STARTED = "call_started"
COMPLETION = "completion"
EVALUATION = "evaluation"
TREE_UPDATE = "tree_update"

PER_CALL = (CALL_STARTED, COMPLETION, EVALUATION, TREE_UPDATE)


@dataclass(frozen=True, kw_only=True)
class RecordedCall:
    """What a journal knows of one call; what is missing was not reached.

    Attributes:
        started: Body of `call_started`.
        completion: The answer.
        source: The program in it.
        evaluation: How the program did; there is a `source` as well.
        update: Body of `tree_update`.
    """

    started: dict[str, Any]
    completion: Completion | None = None
    source: str = ""
    evaluation: Evaluation | None = None
    update: dict[str, Any] | None = None


def started_body(call: Call) -> dict[str, Any]:
    """Returns the body of `call_started`."""
    return {
        "call": call.index,
        "node": call.expansion.node_id,
        "parent": call.expansion.parent_id,
        "kind": call.request.kind,
        "attempt": call.request.attempt,
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
        },
    }


def evaluation_body(call: Call, source: str, evaluation: Evaluation) -> dict[str, Any]:
    """Returns the body of `evaluation`."""
    return {
        "call": call.index,
        "source": source,
        "evaluation": evaluation.to_json(),
    }


def recorded_calls(records: Sequence[Record]) -> list[RecordedCall]:
    """Returns the calls of a journal, in order.

    Raises:
        DataError: If the records of a call are not in the order stated above.
    """
    bodies: list[dict[str, Record]] = []
    for record in records:
        if record.kind not in PER_CALL:
            continue
        index = int(record.body["call"])
        position = PER_CALL.index(record.kind)
        if position == 0 and index == len(bodies):
            bodies.append({})
        elif index != len(bodies) - 1 or len(bodies[index]) != position:
            raise DataError(
                f"Journal record {record.index} ({record.kind} of call {index}) is "
                "out of order."
            )
        bodies[index][record.kind] = record
    return [_recorded_call(body) for body in bodies]


def _recorded_call(found: dict[str, Record]) -> RecordedCall:
    completion = source = evaluation = update = None
    if COMPLETION in found:
        completion = read_completion(found[COMPLETION])
    if EVALUATION in found:
        source, evaluation = read_evaluation(found[EVALUATION])
    if TREE_UPDATE in found:
        update = found[TREE_UPDATE].body
    return RecordedCall(
        started=found[CALL_STARTED].body,
        completion=completion,
        source=source or "",
        evaluation=evaluation,
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
