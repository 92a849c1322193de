from dataclasses import replace

import pytest

from cwm.core.proposals import Completion
from cwm.core.seeding import child_rng
from cwm.synthesis.candidates import Candidate, is_better, unparsed
from cwm.synthesis.config import SynthesisConfig
from cwm.synthesis.search import Call, ProgramSearch
from mcts.gif import GifConfig, GifMcts
from mcts.linear import LinearSearch
from tests.support.corridor import NEVER_ENDS, corridor_dataset, corridor_task
from tests.support.in_process import InProcessEvaluator
from tests.support.search_runs import new_search

DATASET = corridor_dataset()
EVALUATOR = InProcessEvaluator(corridor_task(DATASET), DATASET.batch("validation"))
TEN_LINES = "".join(f"line {number}\n" for number in range(1, 11))


def accept(
    search: ProgramSearch, call: Call, source: str, *, score: float = 0.5
) -> Candidate:
    evaluation = replace(EVALUATOR.evaluate(NEVER_ENDS), score=score)
    return search.accept(
        call, completion=Completion(text=source), source=source, evaluation=evaluation
    )


def candidate(source: str, *, score: float, strict: float = 0.5) -> Candidate:
    evaluation = EVALUATOR.evaluate(NEVER_ENDS)
    assert evaluation.validation is not None
    validation = replace(evaluation.validation, strict=strict)
    return Candidate(
        call_index=0,
        node_id=1,
        kind="generate",
        source=source,
        evaluation=replace(evaluation, score=score, validation=validation),
    )


def test_the_first_call_generates_from_nothing() -> None:
    call = new_search().next_call()
    assert (call.request.kind, call.request.prefix, call.request.parent) == (
        "generate",
        "",
        None,
    )
    assert (call.index, call.request.attempt) == (0, 0)


@pytest.mark.parametrize("block_length", [2, 3])
def test_generate_below_the_root_keeps_a_block_of_lines_for_each_level(
    block_length: int,
) -> None:
    search = ProgramSearch(
        corridor_task(),
        tree=GifMcts(
            GifConfig(prior_generate=1.0, prior_improve=0.0), child_rng(0, "search")
        ),
        config=SynthesisConfig(block_length=block_length),
        seed=0,
    )
    seen = set()
    for number in range(40):
        call = search.next_call()
        depth = call.expansion.parent_depth
        if call.request.kind == "generate" and depth:
            seen.add(depth)
            lines = TEN_LINES.splitlines(keepends=True)[: depth * block_length]
            assert call.request.prefix == "".join(lines)
        else:
            assert call.request.prefix == ""
        accept(search, call, TEN_LINES, score=0.9 if number < 20 else 0.1)
    assert {1, 2} <= seen


def test_a_program_without_a_new_block_is_terminal() -> None:
    # At depth 1 a block of 2 lines is new: 1 line is terminal, 2 lines are not.
    for source, is_terminal in (("a\n", True), ("a\nb\n", False), ("a\nb", False)):
        search = new_search()
        node = accept(search, search.next_call(), source).node_id
        assert search.tree.tree.nodes[node].is_terminal is is_terminal


def test_a_short_answer_that_is_a_bug_can_still_be_fixed() -> None:
    search = new_search()
    search.accept(
        search.next_call(),
        completion=Completion(text="sorry"),
        source="sorry",
        evaluation=unparsed("There is no code block."),
    )
    assert search.next_call().request.kind == "fix"


def test_the_hash_of_a_request_covers_its_seed() -> None:
    hashes = {new_search(seed).next_call().request_hash for seed in (0, 0, 1)}
    assert len(hashes) == 2


def test_a_node_knows_which_call_made_it() -> None:
    search = new_search()
    made = accept(search, search.next_call(), TEN_LINES)
    assert search.tree.tree.nodes[made.node_id].payload == made.call_index == 0


@pytest.mark.parametrize(
    ("challenger", "best", "wins"),
    [
        (candidate("aaa", score=0.6), candidate("a", score=0.5, strict=0.9), True),
        (candidate("aaa", score=0.5, strict=0.9), candidate("a", score=0.5), True),
        (candidate("a", score=0.5), candidate("aaa", score=0.5), True),
        (candidate("aaa", score=0.5), candidate("aaa", score=0.5), False),
        (candidate("a", score=0.5, strict=0.1), candidate("aaa", score=0.5), False),
        (candidate("a", score=0.0), None, True),
    ],
    ids=["score", "validation", "shorter", "earlier", "worse validation", "first"],
)
def test_the_best_is_chosen_by_score_then_validation_then_length(
    challenger: Candidate, best: Candidate | None, wins: bool
) -> None:
    assert is_better(challenger, best) is wins


def test_a_bug_is_never_better_than_nothing() -> None:
    bug = replace(candidate("a", score=0.5), evaluation=unparsed("why"))
    assert not is_better(bug, None)


def test_validation_only_decides_among_those_that_are_no_worse() -> None:
    search = new_search()
    evaluation = EVALUATOR.evaluate(NEVER_ENDS)
    could = [replace(evaluation, score=score) for score in (0.4, 0.5, 0.6)]
    assert all(search.could_be_best(evaluation) for evaluation in could)
    search.best = candidate("a", score=0.5)
    assert [search.could_be_best(e) for e in could] == [False, True, True]
    assert not search.could_be_best(unparsed("why"))


def test_a_shorter_program_becomes_the_best_but_is_no_gain() -> None:
    search, counts = new_search(), []
    for source, score in (("aaaa\n", 0.5), ("aa\n", 0.5), ("a\n", 0.5), ("aaa\n", 0.6)):
        call = search.next_call()
        assert call is not None
        found = accept(search, call, source, score=score)
        assert search.best is found
        counts.append(search.num_since_gain)
    assert counts == [0, 1, 2, 0]


def test_answers_that_change_nothing_are_counted_along_a_chain() -> None:
    search = ProgramSearch(
        corridor_task(), tree=LinearSearch(), config=SynthesisConfig(), seed=0
    )
    counts = []
    for number in range(4):
        call = search.next_call()
        assert call is not None
        counts.append(call.request.num_unchanged)
        accept(search, call, f"X = 1  # {number}\n")
    # The root asks for a program; the second answer was the first one once more.
    assert counts == [0, 0, 1, 2]


def test_two_broken_programs_are_not_taken_for_the_same() -> None:
    search = ProgramSearch(
        corridor_task(), tree=LinearSearch(), config=SynthesisConfig(), seed=0
    )
    for source in ("def", "class", "if"):
        call = search.next_call()
        assert call is not None
        assert call.request.num_unchanged == 0
        accept(search, call, source)
