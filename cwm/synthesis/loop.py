"""The loop: ask the tree, propose, run, score, tell; every step in the journal.

A run that was killed goes on from its journal: recorded answers and evaluations
are taken instead of new ones, so nothing is paid for twice, and the tree grows
through the same states as it did before.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal, Protocol, TypeAlias

from cwm.core.errors import ConfigError, DataError
from cwm.core.journal import Journal
from cwm.core.proposals import Completion, ParseFailure, Proposer, Usage
from cwm.execution.budget import Budget
from cwm.execution.progress import Progress, Status
from cwm.programs.evaluation import Evaluation
from cwm.synthesis import records
from cwm.synthesis.candidates import Candidate, refuse_memorised, unparsed
from cwm.synthesis.records import RecordedCall, recorded_calls
from cwm.synthesis.search import Call, ProgramSearch
from mcts.export import TreeStatistics, tree_statistics
from mcts.gif import SearchExhausted

StopReason: TypeAlias = Literal["perfect", "budget", "exhausted", "stalled"]
"""Why a search ended: nothing left to improve, to spend, or to expand, or no
better program for as many calls as were allowed."""


class Evaluator(Protocol):
    """Who runs and scores a program."""

    def evaluate(
        self,
        source: str,
        *,
        needs_validation: Callable[[Evaluation], bool],
        needs_audit: Callable[[Evaluation], bool],
    ) -> Evaluation:
        """Returns how the program does; never raises for what it does wrong.

        Args:
            source: The program.
            needs_validation: Whether a program with this evaluation must be run on
                the validation transitions.
            needs_audit: Whether a program with this evaluation must be audited.

        Raises:
            sandbox.SandboxUnavailable: If no program can be run at all.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class SynthesisResult:
    """How a search ended.

    Attributes:
        best: The best program that runs, if there is one.
        stopped_by: Why it ended.
        num_calls: Calls used.
        tree: Figures about the tree.
        usage: What all calls together cost.
    """

    best: Candidate | None
    stopped_by: StopReason
    num_calls: int
    tree: TreeStatistics
    usage: Usage


class SynthesisLoop:
    """One run of the search, new or resumed."""

    def __init__(
        self,
        *,
        search: ProgramSearch,
        proposer: Proposer,
        evaluator: Evaluator,
        journal: Journal,
        call_budget: int,
        max_stalled_calls: int = 0,
        progress: Progress,
        on_best: Callable[[Candidate], None],
    ) -> None:
        """Prepares a run; nothing is asked yet.

        Args:
            search: A search without any call.
            proposer: Who writes candidates.
            evaluator: Who runs and scores them.
            journal: Empty, or the one of the run to resume.
            call_budget: Calls that the run may use in all, recorded ones
                included; at least 1.
            max_stalled_calls: Calls without a better program after which the
                run ends; 0: any number.
            progress: Told of every call.
            on_best: Called with each new best candidate, also while recorded
                calls are taken over.

        Raises:
            ConfigError: If `call_budget` is below 1, or below the calls that
                the journal holds already.
            DataError: If the journal is not one of such a run.
        """
        self._search = search
        self._proposer = proposer
        self._evaluator = evaluator
        self._journal = journal
        self._budget = Budget(name="call_budget", limit=call_budget, unit="calls")
        self._max_stalled_calls = max_stalled_calls
        self._progress = progress
        self._on_best = on_best
        self._recorded = recorded_calls(journal.records)
        self._usage = Usage(calls=0)
        if len(self._recorded) > call_budget:
            raise ConfigError(
                f"call_budget must be at least {len(self._recorded)}, the calls that "
                f"this run has used already, got {call_budget} (calls)."
            )

    def run(self) -> SynthesisResult:
        """Searches until a program is perfect, or the budget or the tree ends.

        Raises:
            LLMError: If the proposer's service failed; the run can be resumed.
            sandbox.SandboxUnavailable: If programs cannot be run.
            DataError: If the journal's calls are not those that this search
                makes: other settings, other data, or another version.
        """
        while (reason := self._stop_reason()) is None:
            try:
                call = self._search.next_call()
            except SearchExhausted:
                reason = "exhausted"
                break
            self._budget.spend()
            self._perform(call)
        self._finish(reason)
        return SynthesisResult(
            best=self._search.best,
            stopped_by=reason,
            num_calls=self._search.num_calls,
            tree=tree_statistics(self._search.tree.tree),
            usage=self._usage,
        )

    def _stop_reason(self) -> StopReason | None:
        if self._search.is_perfect:
            return "perfect"
        if self._budget.remaining == 0:
            return "budget"
        best = self._search.best
        since = self._search.num_calls - (0 if best is None else best.call_index + 1)
        is_stalled = 0 < self._max_stalled_calls <= since
        return "stalled" if is_stalled else None

    def _perform(self, call: Call) -> None:
        recorded = self._take_recorded(call)
        if recorded is None:
            self._journal.append(records.CALL_STARTED, records.started_body(call))
            recorded = RecordedCall(started=records.started_body(call))
        self._show(f"{call.request.kind}, node {call.expansion.node_id}")
        completion = recorded.completion or self._propose(call)
        if recorded.evaluation is None:
            source, evaluation = self._evaluate(call, completion)
        else:
            source, evaluation = recorded.source, recorded.evaluation
        before = self._search.best
        candidate = self._search.accept(
            call, completion=completion, source=source, evaluation=evaluation
        )
        update = tree_update_body(self._search, candidate)
        if recorded.update is None:
            self._journal.append(records.TREE_UPDATE, update)
        elif recorded.update != update:
            raise _mismatch(self._journal, call, "the tree differs after it")
        self._count(completion.usage)
        if self._search.best is not before:
            self._on_best(candidate)
        self._tell(candidate, is_best=self._search.best is candidate)

    def _take_recorded(self, call: Call) -> RecordedCall | None:
        if call.index >= len(self._recorded):
            return None
        recorded = self._recorded[call.index]
        if recorded.started != records.started_body(call):
            raise _mismatch(self._journal, call, "it asks for something else")
        return recorded

    def _propose(self, call: Call) -> Completion:
        start = perf_counter()
        completion = self._proposer.propose(call.request)
        record = self._journal.append(
            records.COMPLETION,
            records.completion_body(call, completion),
            {"seconds": round(perf_counter() - start, 6)},
        )
        return records.read_completion(record)

    def _evaluate(self, call: Call, completion: Completion) -> tuple[str, Evaluation]:
        start = perf_counter()
        parsed = self._proposer.parse(completion, call.request)
        if isinstance(parsed, ParseFailure):
            source, evaluation = completion.text, unparsed(parsed.reason)
        else:
            source, evaluation = parsed, self._evaluate_program(call, parsed)
        record = self._journal.append(
            records.EVALUATION,
            records.evaluation_body(call, source, evaluation),
            {"seconds": round(perf_counter() - start, 6)},
        )
        return records.read_evaluation(record)

    def _evaluate_program(self, call: Call, source: str) -> Evaluation:
        """Returns how a program does; one that would be the best is audited first."""
        evaluation = self._evaluator.evaluate(
            source,
            needs_validation=self._search.could_be_best,
            needs_audit=lambda found: self._search.would_be_best(call, source, found),
        )
        return refuse_memorised(evaluation)

    def _count(self, usage: Usage) -> None:
        total = self._usage
        self._usage = Usage(
            calls=total.calls + usage.calls,
            prompt_tokens=total.prompt_tokens + usage.prompt_tokens,
            completion_tokens=total.completion_tokens + usage.completion_tokens,
            seconds=total.seconds + usage.seconds,
        )

    def _finish(self, reason: StopReason) -> None:
        best = self._search.best
        body = {
            "stopped_by": reason,
            "calls": self._search.num_calls,
            "best_call": None if best is None else best.call_index,
        }
        last = self._journal.records[-1] if self._journal.records else None
        if last is None or (last.kind, last.body) != (records.RUN_FINISHED, body):
            self._journal.append(records.RUN_FINISHED, body)

    def _tell(self, candidate: Candidate, *, is_best: bool) -> None:
        self._progress.event(call_line(candidate, is_best=is_best))
        self._show("")

    def _show(self, activity: str) -> None:
        best = self._search.best
        tree = tree_statistics(self._search.tree.tree)
        score = "none yet" if best is None else f"{best.evaluation.score:.4f}"
        measures = {
            "best score": score,
            "nodes": ", ".join(f"{n} {kind}" for kind, n in tree.num_by_kind.items()),
            "depth": str(tree.max_depth),
        }
        self._progress.update(
            Status(
                completed=self._search.num_calls,
                total=self._budget.limit,
                unit=self._budget.unit,
                activity=activity,
                measures=measures,
            )
        )


def call_line(candidate: Candidate, *, is_best: bool) -> str:
    """Returns what one call brought, for people, on one line."""
    evaluation = candidate.evaluation
    if evaluation.is_bug:
        result = f"bug ({evaluation.outcome_kind})"
    else:
        result = f"score {evaluation.score:.4f}"
        if evaluation.train is not None:
            result += f", strict {evaluation.train.strict:.4f}"
    mark = "  best so far" if is_best else ""
    return (
        f"call {candidate.call_index + 1:>3}  {candidate.kind:<8}  "
        f"node {candidate.node_id:<3}  {result}{mark}"
    )


def tree_update_body(search: ProgramSearch, candidate: Candidate) -> dict[str, Any]:
    """Returns the body of `tree_update`: what the tree made of a candidate."""
    return {
        "call": candidate.call_index,
        "node": candidate.node_id,
        "value": candidate.evaluation.score,
        "is_bug": candidate.evaluation.is_bug,
        "best_call": None if search.best is None else search.best.call_index,
        "tree": tree_hash(search),
    }


def tree_hash(search: ProgramSearch) -> str:
    """Returns the SHA-256 of the whole tree, its random state included."""
    text = json.dumps(search.tree.to_json(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _mismatch(journal: Journal, call: Call, what: str) -> DataError:
    return DataError(
        f"Call {call.index} in journal {str(journal.path)!r} is not the one that this "
        f"search makes: {what}. The run was written with other settings, other data "
        "or another version."
    )
