"""The template stand-in: what it proposes, and with which probability."""

from collections import Counter
from itertools import combinations
from math import exp, inf, sqrt

import numpy as np
import pytest

from cwm.providers.hypotheses.roles import Evidence, Proposal, Scientist
from cwm.providers.hypotheses.scientists.regularities import find_rules
from cwm.providers.hypotheses.scientists.templates import TemplateScientist
from cwm.providers.hypotheses.statisticians.ngram import NGramStatistician
from cwm.providers.hypotheses.texts import TextTrajectory, transitions_of
from cwm.providers.hypotheses.worlds import WORLDS

SHORT = (WORLDS["playground"].test_set()[0].first(3),)
POOL = find_rules(SHORT)
FOREIGN = "Everything is made of cheese."
NUM_DRAWS = 2_000


def hypothesis(*rules: str) -> str:
    return "\n".join(sorted(rules))


EVIDENCE = {
    "nothing": Evidence(trajectories=SHORT),
    "blank": Evidence(trajectories=SHORT, previous=" \n"),
    "one": Evidence(trajectories=SHORT, previous=POOL[0]),
    "two": Evidence(trajectories=SHORT, previous=hypothesis(*POOL[1:3])),
    "most": Evidence(trajectories=SHORT, previous=hypothesis(*POOL[:3])),
    "foreign": Evidence(
        trajectories=SHORT, previous=f"{POOL[1]}\n\n  {FOREIGN}\n{POOL[0]}"
    ),
    "whole": Evidence(trajectories=SHORT, previous=hypothesis(*POOL)),
    "no data": Evidence(trajectories=()),
    "no data, one": Evidence(trajectories=(), previous=FOREIGN),
}


def all_hypotheses() -> list[str]:
    """Returns every set of rules that could be proposed in these tests."""
    rules = [*POOL, FOREIGN]
    return [
        hypothesis(*some)
        for size in range(len(rules) + 1)
        for some in combinations(rules, size)
    ]


@pytest.mark.parametrize("name", EVIDENCE)
def test_its_probabilities_sum_to_1(name: str) -> None:
    proposals = [Proposal(hypothesis=text) for text in all_hypotheses()]
    evidence = [EVIDENCE[name]] * len(proposals)
    found = TemplateScientist(max_rules=3).log_probs(proposals, evidence)
    assert np.exp(found).sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", EVIDENCE)
def test_it_proposes_as_often_as_its_probabilities_say(name: str) -> None:
    scientist: Scientist = TemplateScientist(max_rules=3)
    evidence = [EVIDENCE[name]] * NUM_DRAWS
    drawn = scientist.propose(evidence, seeds=range(NUM_DRAWS))
    counts = Counter(one.hypothesis for one in drawn)
    for text, count in counts.items():
        (found,) = scientist.log_probs([Proposal(hypothesis=text)], evidence[:1])
        chance = exp(found)
        spread = sqrt(NUM_DRAWS * chance * (1.0 - chance))
        assert abs(count - NUM_DRAWS * chance) <= 4.5 * spread


def test_the_pool_is_small_enough_for_these_tests() -> None:
    assert len(POOL) == 4


def test_a_move_has_a_hand_computed_probability_both_ways() -> None:
    scientist = TemplateScientist(max_rules=3)
    two, three = hypothesis(*POOL[1:3]), hypothesis(*POOL[:3])
    found = scientist.log_probs(
        [Proposal(hypothesis=three), Proposal(hypothesis=two)],
        [EVIDENCE["two"], EVIDENCE["most"]],
    )
    # From two, of three kinds, one of two rules is added; from three, the most, of
    # two kinds, one of three rules is dropped.
    np.testing.assert_allclose(np.exp(found), [1 / 3 / 2, 1 / 2 / 3])


def test_a_dropped_foreign_line_never_comes_back() -> None:
    scientist = TemplateScientist()
    with_line = hypothesis(POOL[0], FOREIGN)
    away, back = scientist.log_probs(
        [Proposal(hypothesis=POOL[0]), Proposal(hypothesis=with_line)],
        [
            Evidence(trajectories=SHORT, previous=with_line),
            Evidence(trajectories=SHORT, previous=POOL[0]),
        ],
    )
    assert away > -inf
    assert back == -inf


def test_the_last_rule_is_never_dropped() -> None:
    scientist = TemplateScientist()
    (found,) = scientist.log_probs([Proposal(hypothesis="")], [EVIDENCE["one"]])
    assert found == -inf


def test_which_rule_comes_first_changes_nothing() -> None:
    """Otherwise a chain that begins with somebody's text could have no way back."""
    one, other = (
        TemplateScientist().log_probs(
            [Proposal(hypothesis="\n".join(rules))], [EVIDENCE["nothing"]]
        )
        for rules in (sorted(POOL[:2]), sorted(POOL[:2], reverse=True))
    )
    assert one == other > -inf


def test_a_proposal_depends_on_its_own_seed_alone() -> None:
    scientist = TemplateScientist()
    evidence = [EVIDENCE["nothing"], EVIDENCE["two"]]
    together = scientist.propose(evidence, seeds=[3, 9])
    assert together[1:] == scientist.propose(evidence[1:], seeds=[9])
    assert together == TemplateScientist().propose(evidence, seeds=[3, 9])


def test_its_changes_climb_to_a_better_hypothesis() -> None:
    trajectories = WORLDS["playground"].test_set()[:4]
    rows = transitions_of(trajectories)
    scientist, statistician = TemplateScientist(), NGramStatistician()

    def total(text: str | None) -> float:
        return float(statistician.log_probs(text, rows).sum())

    best = find_rules(trajectories)[0]
    start = total(best)
    for seed in range(40):
        evidence = Evidence(trajectories=trajectories, previous=best)
        (new,) = scientist.propose([evidence], seeds=[seed])
        best = max(best, new.hypothesis, key=total)
    assert total(best) > start + 100.0
    assert total(best) > total(None) + 300.0


def test_it_says_that_it_is_a_stand_in() -> None:
    scientist = TemplateScientist()
    assert scientist.is_stand_in
    assert scientist.has_log_probs
    assert scientist.name == "template stand-in"


def test_a_hypothesis_needs_room_for_a_rule() -> None:
    with pytest.raises(ValueError, match="max_rules must be at least 1, got 0"):
        TemplateScientist(max_rules=0)


def test_an_empty_trajectory_is_no_evidence() -> None:
    empty = TextTrajectory(
        states=("s",), actions=(), changes=(), types=(), action_ids=()
    )
    (found,) = TemplateScientist().propose([Evidence(trajectories=(empty,))], seeds=[0])
    assert found == Proposal(hypothesis="")
