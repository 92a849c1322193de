"""The loop: ask the tree, propose, run, score, tell; every step in the journal.

With one call at a time it is the sequential algorithm. With several, answers are
taken in the order in which they arrive, each into the tree as it then is.

A run that was killed goes on from its journal: recorded answers and evaluations
are taken instead of new ones, so nothing is paid for twice, and the tree grows
through the same states as it did before.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import perf_counter

from cwm.core.errors import ConfigError, DataError
from cwm.core.journal import Journal
from cwm.core.proposals import Completion, ParseFailure, Proposer, Usage
from cwm.execution.budget import Budget, Limits, Spending
from cwm.execution.progress import Progress, Status
from cwm.programs.evaluation import Evaluation
from cwm.programs.identity import program_hash
from cwm.synthesis import records
from cwm.synthesis.candidates import UNPARSED, Candidate, refuse_memorised, unparsed
from cwm.synthesis.corrected import (
    RESIDUAL,
    CorrectedBest,
    Corrector,
    correct_best,
    recorded_best,
)
from cwm.synthesis.fitted import (
    Ahead,
    Evaluator,
    FittedPrograms,
    Fitter,
    on_training,
)
from cwm.synthesis.flight import Arrival, Flight, OneAtATime, Threads
from cwm.synthesis.records import RecordedCall, read_run
from cwm.synthesis.results import (
    StopReason,
    SynthesisResult,
    call_line,
    spending,
)
from cwm.synthesis.search import Call, ProgramSearch
from mcts.export import tree_statistics
from mcts.search import SearchExhausted

_NOT_REMEMBERED = (UNPARSED, "timed_out")
"""Outcomes that say nothing of a program that comes again: its words could not be
read, or the machine was slow."""


class SynthesisLoop:
    """One run of the search, new or resumed."""

    def __init__(
        self,
        *,
        search: ProgramSearch,
        proposer: Proposer,
        evaluator: Evaluator,
        fitter: Fitter | None = None,
        corrector: Corrector | None = None,
        ahead: Ahead | None = None,
        journal: Journal,
        limits: Limits,
        concurrency: int = 1,
        max_stalled_calls: int = 0,
        progress: Progress,
        on_best: Callable[[Candidate], None],
    ) -> None:
        """Prepares a run; nothing is asked yet.

        Args:
            search: A search without any call.
            proposer: Who writes candidates.
            evaluator: Who runs and scores them.
            fitter: Who fits their constants before; nobody if not given.
            corrector: Who learns a residual of the best one at the end; nobody if not
                given.
            ahead: Is told of a program as soon as its answer is there; nobody if not
                given.
            journal: Empty, or the one of the run to resume.
            limits: What the run may use in all, recorded calls included; time counts
                from now.
            concurrency: Calls on their way at a time; at least 1.
            max_stalled_calls: Calls without a better program after which the
                run ends; 0: any number.
            progress: Told of every call.
            on_best: Called with each new best candidate; with that of the recorded
                calls once, when they are taken over.

        Raises:
            ConfigError: If there may be fewer calls than the journal holds already,
                or `concurrency` is below 1.
            DataError: If the journal is not one of such a run.
        """
        if concurrency < 1:
            raise ConfigError(
                f"concurrency must be at least 1, got {concurrency} (calls)."
            )
        self._search = search
        self._proposer = proposer
        self._evaluator = evaluator
        self._fitted = FittedPrograms(fitter, partial(on_training, evaluator))
        self._corrector = corrector
        self._ahead = ahead
        self._journal = journal
        self._recorded = read_run(journal.records)
        if len(self._recorded.calls) > limits.calls:
            raise ConfigError(
                f"call_budget must be at least {len(self._recorded.calls)}, the calls "
                f"that this run has used already, got {limits.calls} (calls)."
            )
        self._budget = Budget(limits)
        self._concurrency = concurrency
        self._flight: Flight = (
            OneAtATime(self._answer) if concurrency == 1 else Threads(self._answer)
        )
        self._max_stalled_calls = max_stalled_calls
        self._progress = progress
        self._on_best = on_best
        self._usages = [Usage(calls=0) for _ in search.models.records]
        self._highest: dict[int, Spending] = {}
        # Calls that the tree was asked for, and that did not fit the budget.
        self._held: deque[Call] = deque()
        self._is_taking_over = True
        self._is_exhausted = False
        self._error: BaseException | None = None
        # Programs by what they say, whatever their comments and layout: the call that
        # brought each first, and how it did.
        self._known: dict[str, tuple[int, Evaluation]] = {}
        self._num_repeated = 0

    def run(self) -> SynthesisResult:
        """Searches until a program is perfect, or a budget or the tree ends.

        Calls that are on their way at the end are waited for, and their answers are
        kept in the journal.

        Raises:
            LLMError: If the proposer's service failed; the run can be resumed.
            sandbox.SandboxUnavailable: If programs cannot be run.
            DataError: If the journal's calls are not those that this search
                makes: other settings, other data, or another version.
        """
        try:
            self._take_over()
            while True:
                self._fill()
                if not self._flight.num_calls:
                    break
                self._land(self._flight.land())
        except BaseException:
            # What is on its way is paid for: it is waited for and kept. Whoever does
            # not want to wait interrupts once more.
            while self._flight.num_calls:
                self._flight.land()
            raise
        if self._error is not None:
            raise self._error
        return self._result()

    @property
    def _goal_reached(self) -> StopReason | None:
        """Why no further answer is looked at, if that is so."""
        if self._search.is_perfect:
            return "perfect"
        is_stalled = 0 < self._max_stalled_calls <= self._search.num_since_gain
        return "stalled" if is_stalled and self._search.num_calls else None

    def _take_over(self) -> None:
        """Takes the recorded calls into the tree, and up those that were cut off."""
        recorded = self._recorded
        calls: dict[int, Call] = {}
        for event, index in recorded.events:
            if event == "ask":
                calls[index] = self._recorded_call(recorded.calls[index])
            else:
                self._tell(calls.pop(index), recorded.calls[index])
        for index in recorded.arrived:
            completion = recorded.calls[index].completion
            if completion is not None and recorded.calls[index].evaluation is None:
                self._begin(calls[index], completion)
        for index in recorded.arrived:
            if self._goal_reached is None:
                self._tell(calls.pop(index), recorded.calls[index])
        # Calls that were begun by a run that was killed are made again, if they still
        # fit the budget.
        self._held.extend(
            call
            for index, call in calls.items()
            if recorded.calls[index].completion is None
        )
        self._is_taking_over = False
        if self._search.best is not None:
            self._on_best(self._search.best)

    def _recorded_call(self, recorded: RecordedCall) -> Call:
        """Returns the call that this search makes where one was recorded."""
        try:
            call = self._search.next_call()
        except SearchExhausted:
            call = None
        if call is None or recorded.started != records.started_body(call):
            raise _mismatch(self._journal, recorded.index, "it asks for something else")
        usage = Usage() if recorded.completion is None else recorded.completion.usage
        if recorded.completion is not None:
            self._budget.spent += spending(usage)
            self._count(call, usage)
        return call

    def _fill(self) -> None:
        """Starts calls, as many as may be on their way."""
        while (
            self._flight.num_calls < self._concurrency
            and self._error is None
            and self._goal_reached is None
        ):
            call = self._held.popleft() if self._held else self._ask()
            if call is None:
                return
            highest = self._highest_of(call)
            if highest is None or not self._budget.reserve(highest):
                # It is made when others have cost less than they might have, or
                # when the run is resumed with more to spend.
                self._held.appendleft(call)
                return
            self._highest[call.index] = highest
            self._show(f"{call.request.kind}, call {call.index + 1}")
            self._flight.start(call)

    def _ask(self) -> Call | None:
        """Returns the next call of the tree; `None` if there is none now."""
        if not self._budget.allows(Spending(calls=1)):
            return None
        try:
            call = self._search.next_call()
        except SearchExhausted:
            self._is_exhausted = True
            return None
        if call is not None:
            self._journal.append(
                records.CALL_STARTED, records.started_body(call), is_paid=False
            )
        return call

    def _highest_of(self, call: Call) -> Spending | None:
        """Returns what a call may cost at most; `None` if its price must be known."""
        usage = self._proposer.highest_usage(call.request)
        if usage.usd is None and self._budget.limits.usd is not None:
            self._budget.exhausted = "usd"
            return None
        return spending(usage)

    def _answer(self, call: Call) -> Completion:
        """Makes a call and keeps its answer; any number of threads may be here."""
        start = perf_counter()
        completion = self._proposer.propose(call.request)
        record = self._journal.append(
            records.COMPLETION,
            records.completion_body(call, completion),
            {"seconds": round(perf_counter() - start, 6)},
        )
        found = records.read_completion(record)
        self._begin(call, found)
        return found

    def _begin(self, call: Call, completion: Completion) -> None:
        """Has somebody else begin with a program whose turn comes later."""
        if self._ahead is None:
            return
        parsed = self._proposer.parse(completion, call.request)
        if not isinstance(parsed, ParseFailure):
            self._ahead(parsed, self._search.best_rank)

    def _land(self, arrival: Arrival) -> None:
        call = arrival.call
        highest = self._highest.pop(call.index)
        if arrival.completion is None:
            self._budget.release(highest)
            self._error = self._error or arrival.error
            return
        usage = arrival.completion.usage
        self._budget.settle(highest, spending(usage))
        self._count(call, usage)
        if self._concurrency > 1:
            # The next call need not wait for the evaluation of this one.
            self._fill()
        if self._goal_reached is None:
            recorded = RecordedCall(
                index=call.index,
                started=records.started_body(call),
                completion=arrival.completion,
            )
            self._tell(call, recorded)

    def _tell(self, call: Call, recorded: RecordedCall) -> None:
        """Evaluates an answer and takes it into the tree, as far as that is to do."""
        completion = recorded.completion
        assert completion is not None, "only answered calls are told"
        if recorded.evaluation is None:
            self._show(f"evaluating call {call.index + 1}")
            source, evaluation = self._evaluate(call, completion)
        else:
            source, evaluation = recorded.source, recorded.evaluation
        before = self._search.best
        candidate = self._search.accept(
            call, completion=completion, source=source, evaluation=evaluation
        )
        if evaluation.fit is not None:
            proposed = source if recorded.proposed is None else recorded.proposed
            self._fitted.remember(proposed, source, evaluation.fit)
        key = candidate.program_hash
        if key is not None and evaluation.outcome_kind not in _NOT_REMEMBERED:
            first, _ = self._known.setdefault(key, (call.index, evaluation))
            self._num_repeated += first != call.index
        update = records.update_body(self._search, candidate)
        if recorded.update is None:
            self._journal.append(records.TREE_UPDATE, update, is_paid=False)
        elif recorded.update != update:
            raise _mismatch(self._journal, call.index, "the tree differs after it")
        is_best = self._search.best is not before
        if is_best and not self._is_taking_over:
            self._on_best(candidate)
        self._progress.event(call_line(candidate, is_best=is_best))
        self._show("")

    def _evaluate(self, call: Call, completion: Completion) -> tuple[str, Evaluation]:
        start = perf_counter()
        parsed = self._proposer.parse(completion, call.request)
        same_as = proposed = None
        if isinstance(parsed, ParseFailure):
            source, evaluation = completion.text, unparsed(parsed.reason)
        else:
            source, report = self._fitted.fit(parsed)
            proposed = parsed if source != parsed else None
            known = self._known.get(program_hash(source) or "")
            if known is None or self._must_be_audited(call, source, known[1]):
                evaluation = self._evaluate_program(call, source)
            else:
                same_as, evaluation = known
            evaluation = replace(evaluation, fit=report)
        record = self._journal.append(
            records.EVALUATION,
            records.evaluation_body(
                call, source, evaluation, same_as=same_as, proposed=proposed
            ),
            {"seconds": round(perf_counter() - start, 6)},
            is_paid=False,
        )
        return records.read_evaluation(record)

    def _evaluate_program(self, call: Call, source: str) -> Evaluation:
        """Returns how a program does; one that would be the best is audited first."""
        evaluation = self._evaluator.evaluate(
            source,
            needs_validation=self._search.could_be_best,
            needs_audit=lambda found: self._search.would_be_best(source, found),
        )
        return refuse_memorised(evaluation)

    def _must_be_audited(self, call: Call, source: str, known: Evaluation) -> bool:
        """Whether a known program would be the best now, and never was audited."""
        return known.audit is None and self._search.would_be_best(source, known)

    def _count(self, call: Call, usage: Usage) -> None:
        self._usages[call.request.model] += usage

    def _result(self) -> SynthesisResult:
        exhausted = None
        reason = self._goal_reached
        if reason is None and self._is_exhausted:
            reason = "exhausted"
        elif reason is None:
            reason, exhausted = "budget", self._budget.exhausted
        best = self._search.best
        corrected = self._corrected(best)
        body = {
            "stopped_by": reason,
            "exhausted": exhausted,
            "calls": self._search.num_calls,
            "best_call": None if best is None else best.call_index,
        }
        last = self._journal.last
        if last is None or (last.kind, last.body) != (records.RUN_FINISHED, body):
            self._journal.append(records.RUN_FINISHED, body)
        return SynthesisResult(
            best=best if corrected is None else corrected.candidate,
            corrected=corrected,
            stopped_by=reason,
            exhausted=exhausted,
            num_calls=self._search.num_calls,
            num_repeated=self._num_repeated,
            candidates=tuple(self._search.candidates.values()),
            models=tuple(self._search.models.records),
            tree=tree_statistics(self._search.tree.tree),
            usages=tuple(self._usages),
        )

    def _corrected(self, best: Candidate | None) -> CorrectedBest | None:
        """Returns the best candidate with a residual, learned now or recorded."""
        corrector = self._corrector
        if corrector is None or best is None or best.evaluation.is_perfect:
            return None
        found = recorded_best(best, corrector, self._journal.records)
        if found is None:
            self._show("learning a residual")
            found = correct_best(best, corrector, self._evaluator)
            self._journal.append(RESIDUAL, found.body(corrector), is_paid=False)
        if found.is_changed:
            self._on_best(found.candidate)
        return found

    def _show(self, activity: str) -> None:
        best = self._search.best
        search = self._search
        score = "none yet" if best is None else f"{best.evaluation.score:.4f}"
        measures = {
            "best score": score,
            "nodes": ", ".join(f"{n} {kind}" for kind, n in search.num_by_kind.items()),
            "depth": str(search.max_depth),
        }
        self._progress.update(
            Status(
                completed=self._search.num_calls,
                total=self._budget.limits.calls,
                unit="calls",
                activity=activity,
                measures=measures,
            )
        )


def _mismatch(journal: Journal, index: int, what: str) -> DataError:
    return DataError(
        f"Call {index} in journal {str(journal.path)!r} is not the one that this "
        f"search makes: {what}. The run was written with other settings, other data "
        "or another version."
    )
