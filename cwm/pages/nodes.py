"""The calls of a run as a page shows them, from the journal alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cwm.core.journal import Record
from cwm.core.proposals import Usage
from cwm.pages.prompts import Conversation
from cwm.pages.texts import TextStore
from cwm.pages.values import example_view
from cwm.programs.accuracy import SplitScore
from cwm.programs.evaluation import Evaluation
from cwm.synthesis.candidates import UNPARSED
from cwm.synthesis.records import (
    COMPLETION,
    EVALUATION,
    RecordedCall,
    RecordedRun,
)


@dataclass(frozen=True, kw_only=True)
class NodeView:
    """One call that the tree was told of, and its node.

    Attributes:
        node_id: The node; the root, which no call made, is 0.
        parent_id: The node that it was made from.
        depth: Edges from the root.
        call: The call.
        call_after: The position in which the tree was told of it, from 0.
        became_best: Whether it was the best of all then.
        is_best: Whether it is the best of all.
        seconds: What the answer and its evaluation took.
    """

    node_id: int
    parent_id: int
    depth: int
    call: RecordedCall
    call_after: int
    became_best: bool
    is_best: bool
    seconds: tuple[float, float]

    @property
    def evaluation(self) -> Evaluation:
        """How its program did."""
        assert self.call.evaluation is not None, "the tree was told of it"
        return self.call.evaluation


def node_views(run: RecordedRun, records: Sequence[Record]) -> tuple[NodeView, ...]:
    """Returns the calls that the tree was told of, in that order."""
    clocks = _clocks(records)
    told = [run.calls[index] for event, index in run.events if event == "tell"]
    best_call = _best_call(told[-1]) if told else None
    depths = {0: 0}
    views: list[NodeView] = []
    best_before: int | None = None
    for position, call in enumerate(told):
        assert call.update is not None, "the tree was told of it"
        node, parent = int(call.update["node"]), int(call.started["parent"])
        depths[node] = depths[parent] + 1
        best = _best_call(call)
        views.append(
            NodeView(
                node_id=node,
                parent_id=parent,
                depth=depths[node],
                call=call,
                call_after=position,
                became_best=best == call.index and best != best_before,
                is_best=best_call == call.index,
                seconds=clocks.get(call.index, (0.0, 0.0)),
            )
        )
        best_before = best
    return tuple(views)


def _best_call(call: RecordedCall) -> int | None:
    assert call.update is not None, "the tree was told of it"
    found = call.update["best_call"]
    return None if found is None else int(found)


def _clocks(records: Sequence[Record]) -> dict[int, tuple[float, float]]:
    """Returns the seconds of each call's answer and evaluation."""
    found: dict[int, list[float]] = {}
    for record in records:
        if record.kind in (COMPLETION, EVALUATION):
            pair = found.setdefault(int(record.body["call"]), [0.0, 0.0])
            seconds = float(record.clock.get("seconds", 0.0))
            pair[record.kind == EVALUATION] = seconds
    return {call: (pair[0], pair[1]) for call, pair in found.items()}


def elapsed_s(records: Sequence[Record]) -> float:
    """Returns the seconds from the first record to the last one."""
    times = [
        datetime.fromisoformat(record.clock["at"])
        for record in (*records[:1], *records[-1:])
        if "at" in record.clock
    ]
    return (times[-1] - times[0]).total_seconds() if times else 0.0


def pending(run: RecordedRun) -> list[dict[str, Any]]:
    """Returns the calls that the tree waits for, as plain data."""
    return [
        {
            "call": call.index,
            "parent": call.started["parent"],
            "kind": call.started["kind"],
            "stage": "waiting" if call.completion is None else "running",
        }
        for call in run.calls
        if call.update is None
    ]


class NodeWriter:
    """Makes plain data of nodes; what many of them have in common is there once.

    Args:
        texts: Takes their programs, prompts and answers.
        conversations: What was asked, by call.
    """

    def __init__(
        self, texts: TextStore, conversations: Mapping[int, Conversation]
    ) -> None:
        self.isolations: list[dict[str, Any]] = []
        self._texts = texts
        self._conversations = conversations
        self._programs: dict[int, str] = {}

    def write(self, view: NodeView) -> dict[str, Any]:
        """Returns a node as plain data; its parent must have been written before."""
        evaluation, call = view.evaluation, view.call
        is_program = evaluation.outcome_kind != UNPARSED
        program = self._texts.add_program(call.source) if is_program else None
        if program is not None:
            self._programs[view.node_id] = program
        proposed = call.proposed
        return {
            "node": view.node_id,
            "parent": view.parent_id,
            "depth": view.depth,
            "call": call.index,
            "order": view.call_after,
            "kind": call.started["kind"],
            "attempt": call.started["attempt"],
            "model": call.started["model"],
            "outcome": evaluation.outcome_kind,
            "is_bug": evaluation.is_bug,
            "score": None if evaluation.is_bug else evaluation.score,
            "became_best": view.became_best,
            "is_best": view.is_best,
            "program": program,
            "proposed": proposed and self._texts.add_program(proposed),
            "changes": self._changes(view, program),
            "same_as": call.same_as,
            "seconds": [round(seconds, 3) for seconds in view.seconds],
            **self._words(call),
            **self._judgement(evaluation),
        }

    def _changes(self, view: NodeView, program: str | None) -> list[Any] | None:
        """Returns how the program came from the nearest one above it."""
        before = self._programs.get(view.parent_id)
        if before is None or program is None:
            return None
        return [list(change) for change in self._texts.changes(before, program)]

    def _words(self, call: RecordedCall) -> dict[str, Any]:
        completion = call.completion
        assert completion is not None, "the tree was told of it"
        asked = self._conversations.get(call.index)
        return {
            "answer": self._texts.add_text(completion.text),
            "finish_reason": completion.annotation.get("finish_reason"),
            "usage": usage_json(completion.usage),
            "messages": asked
            and [
                {"role": role, "text": self._texts.add_text(text)}
                for role, text in asked.messages
            ],
            "is_as_sent": asked and asked.is_as_sent,
        }

    def _judgement(self, evaluation: Evaluation) -> dict[str, Any]:
        audit, fit, tests = evaluation.audit, evaluation.fit, evaluation.unit_tests
        return {
            "feedback": evaluation.feedback,
            "failure_line": evaluation.failure_line,
            "failing_index": evaluation.failing_index,
            "train": score_json(evaluation.train),
            "validation": score_json(evaluation.validation),
            "unit_tests": None if tests is None else tests.to_json(),
            "counterexamples": [
                example_view(example).to_json()
                for example in evaluation.counterexamples
            ],
            "audit": None if audit is None else audit.to_json(),
            "fit": None if fit is None else fit.to_json(),
            "isolation": self._isolation(evaluation.isolation),
        }

    def _isolation(self, report: dict[str, Any]) -> int | None:
        if not report:
            return None
        if report not in self.isolations:
            self.isolations.append(report)
        return self.isolations.index(report)


def usage_json(usage: Usage) -> dict[str, Any]:
    """Returns what a call cost, as plain data."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "saved_tokens": usage.saved_tokens,
        "usd": usage.usd,
    }


def score_json(score: SplitScore | None) -> dict[str, Any] | None:
    """Returns a score as plain data."""
    return None if score is None else score.to_json()
