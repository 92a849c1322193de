"""A report of hypothesis induction on the door, with numbers worked out by hand."""

from cwm.providers.hypotheses.evaluation.acting import ActingRow
from cwm.providers.hypotheses.evaluation.scores import (
    WorldScores,
    evaluate_hypotheses,
    named_hypotheses,
)
from cwm.providers.hypotheses.search.weighing import Weighed
from cwm.providers.hypotheses.texts import TextTransition
from cwm.providers.hypotheses.worlds import WORLDS
from cwm.report.hypotheses import InductionReport, PhaseReport
from envs.door import OPENED
from tests.support.table_statistician import TableStatistician

RULES = "Doors open\n[always], it costs $1 or $2."
FIRST_RULES = "Nothing opens."


def believes(hypothesis: str | None, one: TextTransition) -> float:
    """Told the rules, it expects doors to open; told nothing, neither of the two."""
    if hypothesis != RULES:
        return -2.0
    return -1.0 if one.change == OPENED else -2.5


def door_scores() -> WorldScores:
    return evaluate_hypotheses(
        TableStatistician(believes),
        WORLDS["door"],
        named_hypotheses(RULES, first=FIRST_RULES),
    )


def phase(number: int, *, accepted: int, opened: int, closed: int) -> PhaseReport:
    by_type = {"opened": -2.0 + number / 2, "closed": -2.0 - number / 4}
    return PhaseReport(
        phase=number,
        hypothesis=RULES if number else None,
        num_proposed=4 if number else 0,
        num_accepted=accepted,
        counts={"opened": opened, "closed": closed},
        data=Weighed(by_trajectory=(-3.0, -1.5), by_type={"closed": -2.25}),
        test=Weighed(by_trajectory=(-8.0,), by_type=by_type),
    )


ROWS = (
    ActingRow(
        policy="oracle",
        goal="grow any plant",
        hypothesis="",
        num_steps=(4, 4),
        reached=(True, True),
    ),
    ActingRow(
        policy="model",
        goal="grow any pig",
        hypothesis="best",
        num_steps=(30, 30),
        reached=(False, False),
    ),
)


def door_report() -> InductionReport:
    return InductionReport(
        statistician="table",
        scientist="a model",
        experimenter="random",
        stand_ins=("statistician",),
        seed=7,
        phases=(
            phase(0, accepted=0, opened=0, closed=6),
            phase(1, accepted=3, opened=2, closed=4),
            phase(2, accepted=1, opened=1, closed=5),
        ),
        scores=door_scores(),
        acting=ROWS,
        files=("plot: induction.png",),
        next_commands=("python -m cwm.plan",),
        seconds=1.25,
    )
