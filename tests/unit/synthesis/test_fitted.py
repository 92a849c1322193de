"""The search fits the constants of a program before it scores it, and only once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cwm.core.constants import FittedConstant
from cwm.core.journal import Journal, read_journal
from cwm.execution.budget import Limits
from cwm.execution.progress import SilentProgress
from cwm.programs.constants.fit import Fit, FitReport
from cwm.programs.evaluation import Evaluation
from cwm.synthesis import records
from cwm.synthesis.fitted import FittedPrograms
from cwm.synthesis.loop import SynthesisLoop
from cwm.synthesis.replay import replay
from cwm.synthesis.search import ProgramSearch
from tests.support.corridor import WalkingProposer, corridor_dataset, corridor_task
from tests.support.in_process import InProcessEvaluator
from tests.support.search_runs import new_search

NOTE = "# fitted\n"


class NotingFitter:
    """Writes a line below a program: its text, and nothing else, is another one.

    Attributes:
        sources: What it was given.
    """

    def __init__(self) -> None:
        self.sources: list[str] = []

    def fit(self, source: str) -> Fit:
        self.sources.append(source)
        return Fit(source=f"{source}{NOTE}", report=REPORT)


REPORT = FitReport(
    constants=(
        FittedConstant(
            name="step", kind="named", line=3, before=2.0, after=1.0, verdict="fitted"
        ),
    ),
    strict_after=1.0,
    remainder=("`observation` is off in 3% of the transitions.",),
)


def run(path: Path, fitter: NotingFitter, *, calls: int = 6) -> ProgramSearch:
    dataset = corridor_dataset()
    search = new_search()
    with Journal(path) as journal:
        SynthesisLoop(
            search=search,
            proposer=WalkingProposer(patience=8),
            evaluator=InProcessEvaluator(
                corridor_task(dataset), dataset.batch("validation")
            ),
            fitter=fitter,
            journal=journal,
            limits=Limits(calls=calls),
            progress=SilentProgress(),
            on_best=lambda best: None,
        ).run()
    return search


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def test_what_is_scored_and_kept_is_the_fitted_program(path: Path) -> None:
    search = run(path, NotingFitter())
    for candidate in search.candidates.values():
        assert candidate.source.endswith(NOTE)
        assert candidate.evaluation.fit == REPORT


def test_whoever_improves_it_is_told_of_its_constants(path: Path) -> None:
    search = run(path, NotingFitter())
    parent = search.candidates[1].as_parent()
    assert parent.constants == REPORT.constants
    assert parent.remainder == REPORT.remainder


def test_the_journal_has_what_was_proposed_and_what_came_of_it(path: Path) -> None:
    fitter = NotingFitter()
    run(path, fitter)
    bodies = [
        r.body for r in read_journal(path).records if r.kind == records.EVALUATION
    ]
    assert [body["source"] for body in bodies] == [
        f"{body['proposed']}{NOTE}" for body in bodies
    ]
    assert FitReport.from_json(bodies[0]["evaluation"]["fit"]) == REPORT
    assert fitter.sources == list(dict.fromkeys(body["proposed"] for body in bodies))


def test_a_resumed_run_fits_nothing_again(path: Path) -> None:
    first, resumed = NotingFitter(), NotingFitter()
    run(path, first, calls=4)
    run(path, resumed, calls=8)
    assert not set(first.sources) & set(resumed.sources)


def test_a_replay_fits_nothing_and_ends_in_the_same_tree(path: Path) -> None:
    search = run(path, NotingFitter())
    again = new_search()
    replay(again, read_journal(path).records)
    assert again.digest == search.digest


def scored(scores: dict[str, float]) -> Callable[[str], Evaluation]:
    """Returns who says how programs do whose scores are given."""
    return lambda source: Evaluation(
        outcome_kind="completed", score=scores[source], is_bug=False
    )


@pytest.mark.parametrize(("fitted", "kept"), [(0.4, "a"), (0.6, f"a{NOTE}")])
def test_a_fit_that_scores_worse_on_all_transitions_is_dropped(
    fitted: float, kept: str
) -> None:
    programs = FittedPrograms(NotingFitter(), scored({"a": 0.5, f"a{NOTE}": fitted}))
    source, report = programs.fit("a")
    assert source == kept
    assert report is not None
    assert report.is_changed == (kept != "a")


def test_without_a_fitter_programs_stay_as_they_are() -> None:
    assert FittedPrograms(None, scored({})).fit("a") == ("a", None)


def test_an_evaluation_with_a_fit_comes_back_from_json() -> None:
    evaluation = Evaluation(outcome_kind="completed", score=0.5, is_bug=False)
    fitted = replace(evaluation, fit=REPORT)
    assert Evaluation.from_json(fitted.to_json()) == fitted
