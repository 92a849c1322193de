"""Several calls on their way at a time: what is kept, in which order, and what ends."""

import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cwm.core.errors import ConfigError, LLMError
from cwm.core.journal import read_journal
from cwm.core.proposals import Completion, ProposalRequest
from cwm.synthesis.records import read_run
from cwm.synthesis.replay import replay
from tests.support.corridor import EXACT, WalkingProposer
from tests.support.search_runs import Run, new_search, run_search


class Crowded(WalkingProposer):
    """Answers its first calls only when all of a number are there at once."""

    def __init__(self, number: int) -> None:
        super().__init__(patience=100)
        self._number = number
        self._barrier = threading.Barrier(number, timeout=30)

    def propose(self, request: ProposalRequest) -> Completion:
        if request.call_index < self._number:
            self._barrier.wait()
        return super().propose(request)


class Ordered(WalkingProposer):
    """Lets its calls end one by one, as a list of choices says.

    Each time that `number` calls are there (or all that are left), the choice says
    which of them, by age, ends first.
    """

    def __init__(self, number: int, choices: list[int], total: int) -> None:
        super().__init__(patience=100)
        self._number = number
        self._choices = list(choices)
        self._left = total
        self._there: list[int] = []
        self._free: set[int] = set()
        self._changed = threading.Condition()

    def propose(self, request: ProposalRequest) -> Completion:
        with self._changed:
            self._there.append(request.call_index)
            self._release()
            if not self._changed.wait_for(
                lambda: request.call_index in self._free, timeout=30
            ):
                raise AssertionError("never released")
            self._release()
        return super().propose(request)

    def _release(self) -> None:
        waiting = sorted(set(self._there) - self._free)
        if waiting and len(waiting) >= min(self._number, self._left):
            choice = self._choices.pop(0) if self._choices else 0
            self._free.add(waiting[choice % len(waiting)])
            self._left -= 1
            self._changed.notify_all()


def run_in_order(path: Path, choices: list[int], *, number: int = 3) -> Run:
    total = 9
    return run_search(
        path,
        proposer=Ordered(number, choices, total),
        call_budget=total,
        concurrency=number,
    )


@pytest.mark.parametrize("number", [2, 8])
def test_as_many_calls_are_on_their_way_as_allowed(tmp_path: Path, number: int) -> None:
    run = run_search(
        tmp_path / "j", proposer=Crowded(number), call_budget=8, concurrency=number
    )
    assert run.result.num_calls == 8
    assert run.result.stopped_by == "budget"


def test_one_at_a_time_is_the_sequential_algorithm(tmp_path: Path) -> None:
    threads = {threading.get_ident()}

    class Watched(WalkingProposer):
        def propose(self, request: ProposalRequest) -> Completion:
            threads.add(threading.get_ident())
            return super().propose(request)

    run = run_search(tmp_path / "j", proposer=Watched(patience=8))
    assert len(threads) == 1
    kinds = [kind for _, kind, _ in run.records[:-1]]
    assert kinds == [
        "call_started",
        "completion",
        "evaluation",
        "tree_update",
    ] * (len(kinds) // 4)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(choices=st.lists(st.integers(0, 2), min_size=9, max_size=9))
def test_any_order_of_arrival_is_replayed_to_the_same_tree(
    tmp_path_factory: pytest.TempPathFactory, choices: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    run = run_in_order(folder / "a", choices)
    assert run.result.num_calls == 9
    search = new_search()
    result = replay(search, read_journal(run.path).records)
    assert result.num_calls == 9
    assert search.tree.to_json() == run.search.tree.to_json()
    assert search.digest == run.search.digest


def test_a_run_cut_anywhere_goes_on_and_pays_nothing_twice(tmp_path: Path) -> None:
    whole = run_in_order(tmp_path / "whole", [2, 0, 1, 2, 2, 0, 1, 0, 0])
    lines = whole.path.read_bytes().splitlines(keepends=True)
    for number in range(1, len(lines) + 1):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(b"".join(lines[:number]))
        before = read_run(read_journal(path).records)
        answered = {c.index for c in before.calls if c.completion is not None}
        resumed = run_search(
            path, proposer=WalkingProposer(patience=100), call_budget=9, concurrency=3
        )
        asked = {request.call_index for request in resumed.proposer.requests}
        assert not answered & asked
        assert resumed.result.num_calls == 9
        after = read_run(read_journal(path).records)
        assert after.events[: len(before.events)] == before.events
        result = replay(new_search(), read_journal(path).records)
        assert (result.num_calls, result.num_unfinished) == (9, 0)


def test_answers_that_arrive_after_the_end_are_kept(tmp_path: Path) -> None:
    class Lucky(Crowded):
        def _text(self, request: ProposalRequest) -> str:
            return EXACT

    run = run_search(tmp_path / "j", proposer=Lucky(4), call_budget=40, concurrency=4)
    assert run.result.stopped_by == "perfect"
    found = read_run(read_journal(run.path).records)
    assert all(call.completion is not None for call in found.calls)
    assert len(found.calls) > run.result.num_calls
    assert run.result.usage.calls == len(found.calls)
    result = replay(new_search(), read_journal(run.path).records)
    assert result.num_unfinished == len(found.calls) - run.result.num_calls
    content = run.path.read_bytes()
    again = run_search(run.path, call_budget=40, concurrency=4)
    assert again.proposer.requests == []
    assert run.path.read_bytes() == content


def test_one_dead_call_ends_the_run_and_keeps_the_others(tmp_path: Path) -> None:
    class Dying(Crowded):
        def propose(self, request: ProposalRequest) -> Completion:
            completion = super().propose(request)
            if request.call_index == 1:
                raise LLMError("no answer", retryable=True)
            return completion

    path = tmp_path / "j"
    with pytest.raises(LLMError, match="no answer"):
        run_search(path, proposer=Dying(3), call_budget=9, concurrency=3)
    found = read_run(read_journal(path).records)
    assert {c.index for c in found.calls if c.completion is None} <= {1, 3, 4, 5}
    assert found.calls[0].completion is not None
    assert found.calls[2].completion is not None
    resumed = run_search(path, call_budget=9, concurrency=3)
    assert resumed.result.num_calls == 9
    assert 1 in {request.call_index for request in resumed.proposer.requests}


def test_no_calls_at_a_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"concurrency must be at least 1, got 0 \("):
        run_search(tmp_path / "j", concurrency=0)


def test_what_is_on_its_way_is_kept_when_the_run_fails_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullDiskError(Exception):
        pass

    def fail(self: object, *arguments: object, **others: object) -> None:
        raise FullDiskError

    path = tmp_path / "j"
    monkeypatch.setattr("tests.support.in_process.InProcessEvaluator.evaluate", fail)
    with pytest.raises(FullDiskError):
        run_search(path, proposer=Crowded(4), call_budget=9, concurrency=4)
    found = read_run(read_journal(path).records)
    assert len(found.calls) >= 4
    assert all(call.completion is not None for call in found.calls)


def test_calls_that_do_not_fit_any_more_are_not_made_again(tmp_path: Path) -> None:
    class Dying(WalkingProposer):
        def propose(self, request: ProposalRequest) -> Completion:
            raise LLMError("no answer", retryable=True)

    path = tmp_path / "j"
    with pytest.raises(LLMError):
        run_search(path, proposer=Dying(), call_budget=9, concurrency=3)
    # An answer costs 15 tokens: one fits, of the calls that were on their way.
    run = run_search(path, call_budget=9, concurrency=3, token_budget=20)
    assert [r.call_index for r in run.proposer.requests] == [0]
    assert (run.result.stopped_by, run.result.exhausted) == ("budget", "tokens")
    more = run_search(path, call_budget=9, concurrency=3)
    assert more.result.num_calls == 9
    assert replay(new_search(), read_journal(path).records).num_calls == 9
