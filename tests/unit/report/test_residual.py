"""What a report says of law and residual."""

from dataclasses import replace

from cwm.programs.accuracy import SplitScore
from cwm.programs.residual.report import ResidualReport, ResidualTerm
from cwm.report.residual import residual_lines

LAW = SplitScore(
    num_transitions=100,
    strict=0.9,
    paper=0.9,
    reference=0.9,
    score=0.95,
    part_accuracy={"reward": 0.9, "terminated": 1.0},
)
TERM = ResidualTerm(
    part="reward",
    text="reward + 0.5 where action == 2",
    num_repaired=9,
    num_broken=1,
    num_confirmed=3,
)
REPORT = ResidualReport(
    terms=(TERM,),
    law=LAW,
    whole=replace(LAW, strict=0.98, part_accuracy={"reward": 0.98, "terminated": 1.0}),
    num_learned=1_400,
    num_held_back=600,
    is_capped=True,
    problems=("`reward` stays wrong in 2 of 100 training transitions",),
)


def test_what_the_law_explains_stands_beside_what_the_residual_adds() -> None:
    assert residual_lines(REPORT) == [
        "residual, no law; learned from 1,400 training transitions, confirmed on 600 "
        "others:",
        "  reward + 0.5 where action == 2: repairs 9 training transitions, 3 of them "
        "held back, breaks 1",
        "  and no more terms than --residual.max-terms allows",
        "  everything, train: law 0.9000, law + residual 0.9800",
        "  reward, train: law 0.9000, law + residual 0.9800",
        "  unexplained: `reward` stays wrong in 2 of 100 training transitions",
    ]


def test_where_nothing_was_learned_it_says_why() -> None:
    none = replace(REPORT, terms=(), whole=None)
    assert residual_lines(none) == [
        "residual: none was learned",
        "  unexplained: `reward` stays wrong in 2 of 100 training transitions",
    ]


def test_without_a_residual_there_is_nothing_to_say() -> None:
    assert residual_lines(None) == []
    assert residual_lines(ResidualReport(law=LAW)) == []
