"""What each hypothesis was compared with, with numbers worked out by hand."""

import pytest

from cwm.pages.considered import Considered, Course, course_of
from cwm.providers.hypotheses.config import InferenceConfig
from cwm.providers.hypotheses.roles import Proposal
from cwm.providers.hypotheses.search.particles import Particle, PhaseOutcome, Step
from cwm.providers.hypotheses.search.retracing import RetracedPhase
from cwm.providers.hypotheses.search.weighing import Weighed


def worth(total: float) -> Weighed:
    return Weighed(by_trajectory=(total,), by_type={"all": total})


def particle(text: str | None, total: float) -> Particle:
    proposal = None if text is None else Proposal(hypothesis=text)
    return Particle(proposal=proposal, weighed=worth(total))


def step(
    chain: int, text: str, total: float, *, ratio: float | None, accepted: bool
) -> Step:
    return Step(
        chain=chain,
        proposal=Proposal(hypothesis=text),
        weighed=worth(total),
        log_ratio=ratio,
        is_accepted=accepted,
        log_draw=-1.0,
    )


def phase(
    number: int,
    *,
    begin: tuple[float, ...] = (),
    steps: tuple[Step, ...] = (),
    outcome: tuple[Particle, ...] = (),
    best: int = 0,
) -> RetracedPhase:
    ended = PhaseOutcome(particles=outcome, best=outcome[best]) if outcome else None
    return RetracedPhase(
        number=number,
        collected=(),
        data=(),
        begin=tuple(map(worth, begin)),
        steps=steps,
        outcome=ended,
    )


TWO_CHAINS = InferenceConfig(
    chains=2, likelihood_temperature=2.0, length_penalty=0.5, phases=1
)


def walked() -> Course:
    """Two chains, one of which begins with nothing; two steps, two accepted."""
    return course_of(
        [
            phase(0, outcome=(particle("a b", -9.0), particle(None, -12.0))),
            phase(
                1,
                begin=(-10.0, -14.0),
                steps=(
                    step(0, "a", -11.0, ratio=0.0, accepted=True),
                    step(1, "c d", -8.0, ratio=2.5, accepted=True),
                    step(0, "e", -20.0, ratio=-4.5, accepted=False),
                    step(1, "c", -8.0, ratio=0.5, accepted=False),
                ),
                outcome=(particle("a", -11.0), particle("c d", -8.0)),
                best=1,
            ),
        ],
        TWO_CHAINS,
    )


def compared(item: Considered) -> tuple[int | None, float]:
    assert item.before is not None
    return item.before.id, item.before.weighed.total


def test_each_is_compared_with_where_its_chain_is() -> None:
    first, *others = walked().items
    assert first.before is None
    assert (first.phase, first.iteration, first.is_accepted) == (0, 0, True)
    # Weighed on the data of the phase: not -9 and -12, which were of other data.
    assert [compared(one) for one in others] == [
        (1, -10.0),
        (None, -14.0),
        (2, -11.0),
        (3, -8.0),
    ]
    assert [one.iteration for one in others] == [1, 1, 2, 2]


def test_the_gain_is_of_log_targets_and_the_rest_of_the_ratio_is_the_correction() -> (
    None
):
    _, one, two, three, four = walked().items
    # (-11 + 10) / 2 nats, and a word less at half a nat.
    assert one.gain == pytest.approx(-0.5 + 0.5)
    assert two.gain == pytest.approx(3.0 - 1.0)
    assert three.gain == pytest.approx(-4.5)
    assert four.gain == pytest.approx(0.5)
    corrections = [x.correction for x in (one, two, three, four)]
    assert corrections == pytest.approx([0.0, 0.5, 0.0, 0.0])


def test_the_best_of_each_phase_is_one_of_the_hypotheses() -> None:
    assert walked().best == (1, 3)


def test_no_hypothesis_may_be_the_best() -> None:
    begin = phase(0, outcome=(particle(None, -1.0),))
    found = course_of([begin], InferenceConfig(phases=0))
    assert found == Course(items=(), best=(None,))


def test_independent_draws_are_compared_with_nothing() -> None:
    settings = InferenceConfig(method="importance", phases=1, chains=2)
    steps = (
        step(0, "a", -5.0, ratio=-3.0, accepted=False),
        step(1, "b", -2.0, ratio=-1.0, accepted=True),
    )
    found = course_of(
        [
            phase(0, outcome=(particle("x", -9.0), particle("y", -9.0))),
            phase(1, steps=steps, outcome=(particle("b", -2.0),) * 2),
        ],
        settings,
    )
    assert [one.before for one in found.items] == [None] * 4
    assert [one.log_ratio for one in found.items] == [None, None, -3.0, -1.0]
    assert found.best == (1, 4)


def test_a_phase_that_goes_on_has_no_best_yet() -> None:
    begin = phase(0, outcome=(particle("a", -1.0),))
    going = phase(
        1, begin=(-2.0,), steps=(step(0, "b", -1.5, ratio=0.5, accepted=True),)
    )
    found = course_of([begin, going], InferenceConfig(phases=2))
    assert len(found.items) == 2
    assert found.best == (1,)
