from pathlib import Path

import pytest

from cwm.core.errors import ConfigError, DataError, LLMError
from cwm.core.journal import Journal, read_journal
from cwm.core.proposals import Completion, ParseFailure, ProposalRequest
from cwm.synthesis.replay import replay
from tests.support.corridor import (
    ALWAYS_RIGHT,
    BROKEN,
    EXACT,
    NEVER_ENDS,
    HopelessProposer,
    WalkingProposer,
)
from tests.support.search_runs import new_search, run_search


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def test_a_broken_program_is_fixed_and_improved_until_it_is_exact(path: Path) -> None:
    run = run_search(path, proposer=WalkingProposer())
    assert run.result.stopped_by == "perfect"
    assert run.result.best is not None
    assert run.result.best.source == EXACT
    assert [r.kind for r in run.proposer.requests[:2]] == ["generate", "fix"]
    assert run.result.num_calls == len(run.proposer.requests) < 12


def test_the_budget_is_used_exactly(path: Path) -> None:
    run = run_search(path, proposer=HopelessProposer(), call_budget=7)
    assert run.result.stopped_by == "budget"
    assert run.result.num_calls == len(run.proposer.requests) == 7
    assert run.result.tree.num_nodes == 7


def test_programs_that_do_not_run_are_never_the_best(path: Path) -> None:
    run = run_search(path, proposer=HopelessProposer(), call_budget=7)
    assert run.result.best is None
    assert run.bests == []


def test_a_search_that_finds_nothing_better_ends_after_its_patience(
    path: Path,
) -> None:
    run = run_search(path, proposer=HopelessProposer(), max_stalled_calls=4)
    assert run.result.stopped_by == "stalled"
    assert run.result.num_calls == 4


def test_patience_is_counted_from_the_best_program(path: Path) -> None:
    slow = WalkingProposer(patience=8)
    run = run_search(path, proposer=slow, call_budget=30, max_stalled_calls=2)
    assert run.result.stopped_by == "stalled"
    assert run.result.best is not None
    assert run.result.num_calls == run.result.best.call_index + 1 + 2


@pytest.mark.parametrize("call_budget", [0, -5])
def test_a_budget_of_nothing_is_refused(path: Path, call_budget: int) -> None:
    with pytest.raises(ConfigError, match="call_budget must be at least 1, got"):
        run_search(path, call_budget=call_budget)


def test_each_new_best_is_reported_once_and_the_last_is_the_result(path: Path) -> None:
    run = run_search(path)
    assert run.bests[-1] == run.result.best
    assert [c.rank for c in run.bests] == sorted(c.rank for c in run.bests)
    assert len({c.call_index for c in run.bests}) == len(run.bests)


def test_a_fix_is_asked_with_what_was_raised_and_where(path: Path) -> None:
    run = run_search(path, proposer=WalkingProposer())
    fix = run.proposer.requests[1]
    assert fix.parent is not None
    assert fix.parent.source == BROKEN
    assert "has no attribute 'sell'" in fix.parent.failure
    assert (fix.parent.failure_line, fix.parent.failing_index) == (10, 0)


def test_an_improve_is_asked_with_counterexamples_and_accuracies(path: Path) -> None:
    run = run_search(path, proposer=WalkingProposer())
    improve = next(r for r in run.proposer.requests if r.kind == "improve")
    assert improve.parent is not None
    assert improve.parent.source.startswith(ALWAYS_RIGHT)
    assert len(improve.parent.counterexamples) == 3
    # Of the 11 training steps, 4 go left and 1 reaches the goal.
    assert improve.parent.score == 6 / 11
    assert improve.parent.part_accuracy == {"observation": 6 / 11}
    # What a live run passes on is what a resumed run will read.
    assert improve.parent.annotation["pair"] == [1, 2]


def test_an_answer_without_a_program_is_a_bug_that_can_be_fixed(path: Path) -> None:
    class Speechless(WalkingProposer):
        def _text(self, request: ProposalRequest) -> str:
            if request.kind == "generate":
                return "no program"
            return super()._text(request)

    run = run_search(path, proposer=Speechless())
    fix = run.proposer.requests[1]
    assert fix.kind == "fix"
    assert fix.parent is not None
    assert fix.parent.failure == "There is no class Environment in the answer."
    first = run.search.candidates[1]
    assert (first.evaluation.outcome_kind, first.evaluation.is_bug) == (
        "unparsed",
        True,
    )
    assert "no program" not in run.evaluator.sources


def test_the_same_seed_writes_the_same_journal(tmp_path: Path) -> None:
    runs = [run_search(tmp_path / name) for name in ("a", "b")]
    assert runs[0].records == runs[1].records
    assert runs[0].tree == runs[1].tree


def test_another_seed_asks_with_other_seeds(tmp_path: Path) -> None:
    runs = [run_search(tmp_path / str(seed), seed=seed) for seed in (1, 2)]
    seeds = [{r.seed for r in run.proposer.requests} for run in runs]
    assert not seeds[0] & seeds[1]
    assert len(seeds[0]) == len(runs[0].proposer.requests)


def test_a_completion_is_on_the_disk_before_it_is_evaluated(path: Path) -> None:
    class StopError(Exception):
        pass

    class Stopping(WalkingProposer):
        def parse(self, completion: Completion, request: ProposalRequest) -> str:
            raise StopError

    with pytest.raises(StopError):
        run_search(path, proposer=Stopping())
    with Journal(path) as journal:
        assert [r.kind for r in journal.records] == ["call_started", "completion"]
        assert journal.records[1].body["text"] == BROKEN


def test_a_dead_service_is_no_score_and_the_run_can_go_on(path: Path) -> None:
    class Dying(WalkingProposer):
        def propose(self, request: ProposalRequest) -> Completion:
            if request.call_index == 4:
                raise LLMError("no answer", retryable=True)
            return super().propose(request)

    with pytest.raises(LLMError):
        run_search(path, proposer=Dying(patience=8))
    resumed = run_search(path)
    assert resumed.tree == run_search(path.with_name("whole")).tree
    assert resumed.proposer.requests[0].call_index == 4


def test_what_all_calls_cost_is_added_up_also_over_a_resume(path: Path) -> None:
    run_search(path, call_budget=3)
    run = run_search(path, call_budget=6)
    assert run.result.usage.calls == 6
    assert run.result.usage.prompt_tokens == 60
    assert run.result.usage.completion_tokens == 30


def test_a_larger_budget_continues_a_run_that_ended(tmp_path: Path) -> None:
    run_search(tmp_path / "parts", call_budget=5)
    run = run_search(tmp_path / "parts", call_budget=12)
    assert run.tree == run_search(tmp_path / "whole", call_budget=12).tree
    assert run.proposer.requests[0].call_index == 5


def test_a_budget_below_the_calls_used_is_refused(path: Path) -> None:
    run_search(path, call_budget=5)
    with pytest.raises(ConfigError, match=r"at least 5, .* got 4 \(calls\)"):
        run_search(path, call_budget=4)


def test_a_finished_run_is_resumed_without_any_new_record(path: Path) -> None:
    first = run_search(path)
    content = path.read_bytes()
    again = run_search(path)
    assert path.read_bytes() == content
    assert again.proposer.requests == []
    assert again.tree == first.tree
    assert again.result.best == first.result.best


def test_a_journal_of_another_seed_is_refused(path: Path) -> None:
    run_search(path, seed=1, call_budget=5)
    with pytest.raises(DataError, match=r"Call 0 in journal .* other settings"):
        run_search(path, seed=2, call_budget=5)


class Cheating(WalkingProposer):
    """Begins with a program that would be perfect, but for its audit."""

    comment = "# inconsistent"

    def _text(self, request: ProposalRequest) -> str:
        if request.kind == "generate":
            return f"{EXACT}NOTE = '{self.comment}, call {request.call_index}'\n"
        return super()._text(request)


class Memorising(Cheating):
    comment = "# memorised"


def test_only_what_could_be_the_best_is_validated(path: Path) -> None:
    run = run_search(path)
    bests = {c.source for c in run.bests}
    assert bests <= set(run.evaluator.validated) < set(run.evaluator.sources)


def test_only_what_would_be_the_best_is_audited(path: Path) -> None:
    run = run_search(path)
    assert run.evaluator.audited == [c.source for c in run.bests]
    assert len(run.evaluator.audited) < len(run.evaluator.sources)
    assert all(c.evaluation.audit is not None for c in run.bests)


@pytest.mark.parametrize(
    ("proposer", "kind", "text"),
    [
        (Cheating(), "inconsistent", "Inconsistent: says its comment."),
        (Memorising(), "memorised", "Memorised: 20 of the 20 numbers in the source"),
    ],
)
def test_a_winner_that_fails_its_audit_is_a_bug_to_be_fixed(
    path: Path, proposer: Cheating, kind: str, text: str
) -> None:
    run = run_search(path, proposer=proposer)
    first = run.search.candidates[1].evaluation
    assert (first.outcome_kind, first.is_bug, first.score) == (kind, True, 0.0)
    assert first.train is None
    assert not first.is_perfect
    fix = run.proposer.requests[1]
    assert fix.kind == "fix"
    assert fix.parent is not None
    assert text in fix.parent.failure
    assert fix.parent.counterexamples == ()
    assert run.result.stopped_by == "perfect"
    assert run.result.best is not None
    assert run.result.best.source == EXACT
    assert first not in [c.evaluation for c in run.bests]


def test_a_run_with_failed_audits_is_resumed_to_the_same_tree(tmp_path: Path) -> None:
    whole = run_search(tmp_path / "whole", proposer=Cheating())
    lines = whole.path.read_bytes().splitlines(keepends=True)
    for number in range(len(lines)):
        path = tmp_path / str(number)
        path.write_bytes(b"".join(lines[:number]))
        resumed = run_search(path, proposer=Cheating())
        assert resumed.tree == whole.tree
        assert resumed.records == whole.records
    search = new_search()
    replay(search, read_journal(whole.path).records)
    assert search.best == whole.result.best


def test_a_right_program_after_its_own_unreadable_text_is_taken(path: Path) -> None:
    class Mumbling(WalkingProposer):
        """First the program without its class line's meaning, then the program."""

        def _text(self, request: ProposalRequest) -> str:
            return EXACT

        def parse(self, completion: Completion, request: ProposalRequest):
            if request.call_index == 0:
                return ParseFailure("Parts of the program are left out.")
            return completion.text

    run = run_search(path, proposer=Mumbling())
    assert run.result.stopped_by == "perfect"
    assert run.result.num_calls == 2
    assert run.result.num_repeated == 0


def test_a_repeated_program_is_audited_before_it_becomes_the_best(path: Path) -> None:
    class Shortening(WalkingProposer):
        """The same scores: a first program, a longer one, and that without comments."""

        def _text(self, request: ProposalRequest) -> str:
            longer = f"{NEVER_ENDS}X = 1\n"
            texts = [f"{NEVER_ENDS}# {'x' * 40}\n", f"{longer}# {'y' * 90}\n", longer]
            return texts[min(request.call_index, 2)]

    run = run_search(path, proposer=Shortening(), call_budget=3)
    assert run.result.best is not None
    assert run.result.best.call_index == 2
    assert run.result.best.evaluation.audit is not None


def test_a_resumed_run_shows_its_best_program_once(path: Path) -> None:
    first = run_search(path, call_budget=9)
    assert len(first.bests) > 1
    again = run_search(path, call_budget=9)
    assert again.bests == [first.result.best]
