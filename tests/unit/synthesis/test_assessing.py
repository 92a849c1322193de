"""Programs assessed ahead of their turn: what is there when the turn comes."""

import json
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import assume, given
from hypothesis import strategies as st

from cwm.assessing import Assessors, Piece, Stages, assess, stages_of
from cwm.core.errors import ClusterError
from cwm.execution.crew import OnNote, ignore
from cwm.programs.accuracy import SplitScore
from cwm.programs.constants.fit import Fit, FitReport
from cwm.programs.evaluation import Evaluation, Needs
from cwm.synthesis.candidates import Rank, beats, could_beat
from tests.support.corridor import corridor_dataset, corridor_task
from tests.support.in_process import InProcessEvaluator
from tests.support.search_runs import run_search

SHARES = st.sampled_from([0.0, 0.5, 1.0])
RANKS = st.tuples(SHARES, SHARES, st.integers(-4, -1))
KINDS = st.sampled_from(["good", "bug", "bug in validation", "inconsistent"])


def split(strict: float) -> SplitScore:
    return SplitScore(
        num_transitions=4, strict=strict, paper=strict, reference=strict, score=strict
    )


@dataclass
class Scripted:
    """Scores every program as it is told, and counts what it had to do."""

    kind: str = "good"
    train: float = 1.0
    validation: float | None = 1.0
    work: list[str] = field(default_factory=list)

    def evaluate(
        self,
        source: str,
        *,
        needs_validation: Needs,
        needs_audit: Needs,
    ) -> Evaluation:
        self.work.append("train")
        bug = Evaluation(outcome_kind=self.kind, score=0.0, is_bug=True)
        if self.kind == "bug":
            return bug
        found = Evaluation(
            outcome_kind="completed",
            score=self.train,
            is_bug=False,
            train=split(self.train),
        )
        if self.validation is not None and needs_validation(found):
            self.work.append("validation")
            if self.kind == "bug in validation":
                return bug
            found = replace(found, validation=split(self.validation))
        if not needs_audit(found):
            return found
        self.work.append("audit")
        if self.kind == "inconsistent":
            return bug
        return replace(found, feedback="audited")


def needs(source: str, best: Rank | None) -> dict[str, Needs]:
    return {
        "needs_validation": lambda found: could_beat(found, best),
        "needs_audit": lambda found: beats(source, found, best),
    }


@given(
    kind=KINDS,
    train=SHARES,
    validation=st.none() | SHARES,
    before=st.none() | RANKS,
    now=st.none() | RANKS,
)
def test_what_was_found_earlier_holds_all_that_a_later_turn_needs(
    kind: str,
    train: float,
    validation: float | None,
    before: Rank | None,
    now: Rank | None,
) -> None:
    # The best only gets better.
    assume(before is None or (now is not None and now >= before))
    evaluator = Scripted(kind, train, validation)

    stages = stages_of(evaluator, "abc", before)

    expected = evaluator.evaluate("abc", **needs("abc", now))
    assert stages.evaluation(**needs("abc", now)) == expected
    read = Stages.from_json(json.loads(json.dumps(stages.to_json())))
    assert read.evaluation(**needs("abc", now)) == expected


def test_a_best_that_got_worse_would_need_steps_that_are_missing() -> None:
    stages = stages_of(Scripted(train=0.5), "abc", (1.0, 1.0, -1))

    assert stages.evaluation(**needs("abc", None)) is None


def test_nothing_is_done_that_no_turn_could_need() -> None:
    evaluator = Scripted(train=0.5)
    stages_of(evaluator, "abc", (1.0, 1.0, -1))

    assert evaluator.work == ["train"]


class Here:
    """A crew of this process; keeps the pieces."""

    num_workers = 1

    def __init__(self, do: Callable[[Piece, OnNote], bytes]) -> None:
        self._do = do
        self.pieces: list[Piece] = []

    def submit(
        self,
        piece: Piece,
        *,
        on_note: OnNote = ignore,
        max_seconds: float | None = None,
    ) -> "Future[bytes]":
        self.pieces.append(piece)
        future: Future[bytes] = Future()
        try:
            future.set_result(self._do(piece, on_note))
        except ClusterError as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        pass


class Doubling:
    """Fits a program by writing it twice, which never makes it worse."""

    def fit(self, source: str) -> Fit:
        return Fit(source=source * 2, report=FitReport(strict_after=0.5))


def asking(evaluator: object, fitter: object = None) -> tuple[Assessors, Here]:
    crew = Here(lambda piece, tell: assess(evaluator, fitter, piece, tell))  # type: ignore[arg-type]
    return Assessors(crew, is_fitted=fitter is not None), crew


def test_a_program_that_was_begun_ahead_is_asked_about_once() -> None:
    assessors, crew = asking(Scripted())
    assessors.begin("abc", None)
    assessors.begin("abc", None)

    found = assessors.evaluate("abc", **needs("abc", (0.5, 0.5, -9)))

    assert found.feedback == "audited"
    assert len(crew.pieces) == 1


def test_who_was_not_begun_is_asked_about_in_its_turn() -> None:
    assessors, crew = asking(Scripted())

    found = assessors.evaluate("abc", **needs("abc", (1.0, 1.0, -1)))

    assert found.feedback == ""
    assert crew.pieces == [Piece("abc", False, None)]


def test_a_step_that_is_missing_is_made_up_for() -> None:
    assessors, crew = asking(Scripted(train=0.5))
    assessors.begin("abc", (1.0, 1.0, -1))

    found = assessors.evaluate("abc", **needs("abc", None))

    assert found.feedback == "audited"
    assert [piece.best for piece in crew.pieces] == [(1.0, 1.0, -1), None]


def test_a_fitted_program_is_scored_without_asking_again() -> None:
    assessors, crew = asking(Scripted(), Doubling())
    assessors.begin("abc", None)

    fit = assessors.fit("abc")
    found = assessors.evaluate(fit.source, **needs(fit.source, None))

    assert (fit.source, fit.report.strict_after) == ("abcabc", 0.5)
    assert found.feedback == "audited"
    assert len(crew.pieces) == 1


def test_a_search_with_programs_assessed_ahead_is_the_same(tmp_path: Path) -> None:
    dataset = corridor_dataset()
    evaluator = InProcessEvaluator(corridor_task(dataset), dataset.batch("validation"))
    assessors, crew = asking(evaluator)

    plain = run_search(tmp_path / "plain.jsonl")
    ahead = run_search(tmp_path / "ahead.jsonl", assessors=assessors)

    assert ahead.tree == plain.tree
    assert ahead.records == plain.records
    assert len(crew.pieces) > 2
