"""The last step of a search: a residual on the best law, learned once."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cwm.core.journal import Journal, read_journal
from cwm.execution.budget import Limits
from cwm.execution.progress import SilentProgress
from cwm.programs.accuracy import SplitScore
from cwm.programs.residual.report import Corrected, ResidualReport, ResidualTerm
from cwm.synthesis import records
from cwm.synthesis.corrected import RESIDUAL
from cwm.synthesis.loop import SynthesisLoop
from cwm.synthesis.replay import replay
from cwm.synthesis.results import SynthesisResult
from tests.support.corridor import WalkingProposer, corridor_dataset, corridor_task
from tests.support.in_process import InProcessEvaluator
from tests.support.search_runs import new_search

NOTE = "# corrected\n"
SCORE = SplitScore(num_transitions=4, strict=0.5, paper=0.5, reference=0.5, score=0.5)
REPORT = ResidualReport(
    terms=(
        ResidualTerm(
            part="reward",
            text="reward + 1",
            num_repaired=3,
            num_broken=0,
            num_confirmed=1,
        ),
    ),
    law=SCORE,
    whole=replace(SCORE, strict=0.75),
    num_learned=3,
    num_held_back=1,
    problems=("`terminated` stays wrong in 1 of 4 training transitions",),
)


class NotingCorrector:
    """Writes a line below a program.

    Attributes:
        sources: What it was given.
    """

    def __init__(self, note: str = NOTE, *, seed: int = 0) -> None:
        self.sources: list[str] = []
        self._note = note
        self._seed = seed

    @property
    def settings(self) -> dict[str, Any]:
        return {"seed": self._seed}

    def correct(self, source: str) -> Corrected:
        self.sources.append(source)
        if not self._note:
            return Corrected(source=source, report=ResidualReport(law=SCORE))
        return Corrected(source=f"{source}{self._note}", report=REPORT)


def run(
    path: Path, corrector: NotingCorrector | None, *, calls: int = 3
) -> tuple[SynthesisResult, list[str]]:
    dataset = corridor_dataset()
    kept: list[str] = []
    with Journal(path) as journal:
        result = SynthesisLoop(
            search=new_search(),
            proposer=WalkingProposer(patience=8),
            evaluator=InProcessEvaluator(
                corridor_task(dataset), dataset.batch("validation")
            ),
            corrector=corrector,
            journal=journal,
            limits=Limits(calls=calls),
            progress=SilentProgress(),
            on_best=lambda best: kept.append(best.source),
        ).run()
    return result, kept


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def kinds(path: Path) -> list[str]:
    return [record.kind for record in read_journal(path).records]


def test_the_best_program_of_a_run_has_its_residual(path: Path) -> None:
    result, kept = run(path, NotingCorrector())
    assert result.best is not None
    assert result.corrected is not None
    assert result.best.source == f"{result.corrected.law.source}{NOTE}"
    assert result.corrected.report == REPORT
    assert result.best.evaluation.audit is not None
    assert result.best.evaluation.validation is not None
    assert kept[-1] == result.best.source


def test_no_candidate_of_the_tree_has_one(path: Path) -> None:
    corrector = NotingCorrector()
    result, _ = run(path, corrector)
    assert not any(NOTE in candidate.source for candidate in result.candidates)
    assert len(corrector.sources) == 1


def test_it_stands_before_the_end_in_the_journal(path: Path) -> None:
    run(path, NotingCorrector())
    assert kinds(path)[-2:] == [RESIDUAL, records.RUN_FINISHED]


def test_a_finished_run_learns_nothing_again(path: Path) -> None:
    first, _ = run(path, NotingCorrector())
    before = path.read_bytes()
    again = NotingCorrector()
    resumed, kept = run(path, again)
    assert again.sources == []
    assert resumed.best == first.best
    assert resumed.corrected == first.corrected
    assert kept[-1] == first.best.source if first.best else False
    assert path.read_bytes() == before


def test_that_nothing_was_learned_is_remembered_too(path: Path) -> None:
    first, _ = run(path, NotingCorrector(note=""))
    assert first.corrected is not None
    assert first.best == first.corrected.law
    again = NotingCorrector(note="")
    run(path, again)
    assert again.sources == []


def test_other_settings_learn_it_anew(path: Path) -> None:
    run(path, NotingCorrector())
    again = NotingCorrector(seed=1)
    run(path, again)
    assert len(again.sources) == 1


def test_a_run_that_goes_on_searches_on_from_the_law(path: Path) -> None:
    run(path, NotingCorrector(), calls=3)
    resumed, _ = run(path, NotingCorrector(), calls=6)
    whole, _ = run(path.with_name("whole.jsonl"), NotingCorrector(), calls=6)
    assert resumed.best == whole.best
    assert [c.source for c in resumed.candidates] == [
        c.source for c in whole.candidates
    ]


def test_a_replay_ends_in_the_same_tree(path: Path) -> None:
    result, _ = run(path, NotingCorrector())
    search = new_search()
    replay(search, read_journal(path).records)
    assert search.best is not None
    assert result.corrected is not None
    assert search.best.source == result.corrected.law.source


@pytest.mark.parametrize("verdict", ["inconsistent", "memorised"])
def test_a_residual_that_fails_the_audit_is_dropped(path: Path, verdict: str) -> None:
    result, _ = run(path, NotingCorrector(note=f"# {verdict}\n"))
    assert result.corrected is not None
    assert result.best == result.corrected.law
    assert result.corrected.report.terms == ()
    assert result.corrected.report.problems[-1] == (
        f"the residual was dropped: with it, the program is {verdict}"
    )


def test_journals_without_a_residual_are_read(path: Path) -> None:
    first, _ = run(path, None)
    assert RESIDUAL not in kinds(path)
    resumed, _ = run(path, None)
    assert resumed.best == first.best
