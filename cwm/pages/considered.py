"""The hypotheses of an induction: what each was compared with, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from cwm.providers.hypotheses.config import InferenceConfig
from cwm.providers.hypotheses.roles import Proposal
from cwm.providers.hypotheses.search.inference import log_target
from cwm.providers.hypotheses.search.particles import PhaseOutcome, Step
from cwm.providers.hypotheses.search.retracing import RetracedPhase
from cwm.providers.hypotheses.search.weighing import Weighed


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The hypothesis that a chain was at when another was proposed.

    Attributes:
        id: Its number; `None` for no hypothesis.
        weighed: How well it explains the same data.
    """

    id: int | None
    weighed: Weighed


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """A hypothesis that a chain began with, or that was proposed.

    Attributes:
        id: Its number, from 1, in the order of the proposals.
        phase: When.
        iteration: Step of the phase, from 1; 0 for what a chain began with.
        chain: Whose it is; 0 of what was drawn independently.
        proposal: The hypothesis.
        weighed: How well it explains the data of the phase.
        before: What it was compared with; `None` if with nothing.
        gain: By how much its log target is larger than that of `before`.
        log_ratio: As in `Step`.
        log_draw: As in `Step`.
        is_accepted: As in `Step`.
    """

    id: int
    phase: int
    iteration: int
    chain: int
    proposal: Proposal
    weighed: Weighed
    before: Compared | None = None
    gain: float | None = None
    log_ratio: float | None = None
    log_draw: float | None = None
    is_accepted: bool = True

    @property
    def correction(self) -> float | None:
        """Part of the log ratio that the scientist's probabilities give."""
        if self.gain is None or self.log_ratio is None:
            return None
        return self.log_ratio - self.gain


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """All hypotheses of a run.

    Attributes:
        items: In the order in which they were proposed.
        best: Number of the best hypothesis at the end of each phase that has ended;
            `None` for no hypothesis.
    """

    items: tuple[Considered, ...]
    best: tuple[int | None, ...]


def course_of(phases: Sequence[RetracedPhase], settings: InferenceConfig) -> Course:
    """Returns the hypotheses of a run one by one.

    Args:
        phases: What its journal has.
        settings: How its hypotheses were found.
    """
    items: list[Considered] = []
    best: list[int | None] = []
    current: list[int | None] = []
    for phase in phases:
        if not phase.number:
            current = _begin(phase, items)
        elif settings.method == "importance":
            current = _drawn(phase, items)
        else:
            _walk(phase, items, current, settings)
        if phase.outcome is not None:
            best.append(_best(phase.outcome, items, current))
    return Course(items=tuple(items), best=tuple(best))


def _begin(phase: RetracedPhase, items: list[Considered]) -> list[int | None]:
    """Adds what the chains began with, and returns where each of them is."""
    current: list[int | None] = []
    particles = () if phase.outcome is None else phase.outcome.particles
    for chain, particle in enumerate(particles):
        if particle.proposal is None:
            current.append(None)
            continue
        items.append(
            Considered(
                id=len(items) + 1,
                phase=0,
                iteration=0,
                chain=chain,
                proposal=particle.proposal,
                weighed=particle.weighed,
            )
        )
        current.append(len(items))
    return current


def _walk(
    phase: RetracedPhase,
    items: list[Considered],
    current: list[int | None],
    settings: InferenceConfig,
) -> None:
    """Adds the steps of chains, and moves them on."""
    weighed = list(phase.begin)
    for index, step in enumerate(phase.steps):
        chain = step.chain
        known = current[chain]
        text = None if known is None else items[known - 1].proposal.hypothesis
        old = log_target(text, weighed[chain], settings)
        new = log_target(step.proposal.hypothesis, step.weighed, settings)
        items.append(
            Considered(
                id=len(items) + 1,
                phase=phase.number,
                iteration=index // settings.chains + 1,
                chain=chain,
                proposal=step.proposal,
                weighed=step.weighed,
                before=Compared(id=known, weighed=weighed[chain]),
                gain=new - old,
                log_ratio=step.log_ratio,
                log_draw=step.log_draw,
                is_accepted=step.is_accepted,
            )
        )
        if step.is_accepted:
            current[chain], weighed[chain] = len(items), step.weighed


def _drawn(phase: RetracedPhase, items: list[Considered]) -> list[int | None]:
    """Adds independent draws, and returns those that are gone on from."""

    def item(number: int, step: Step) -> Considered:
        return Considered(
            id=len(items) + number + 1,
            phase=phase.number,
            iteration=number + 1,
            chain=0,
            proposal=step.proposal,
            weighed=step.weighed,
            log_ratio=step.log_ratio,
            is_accepted=step.is_accepted,
        )

    drawn = [item(number, step) for number, step in enumerate(phase.steps)]
    items += drawn
    return [one.id for one in drawn if one.is_accepted]


def _best(
    outcome: PhaseOutcome, items: Sequence[Considered], current: Sequence[int | None]
) -> int | None:
    text = outcome.best.hypothesis
    if text is None:
        return None
    known = [one for one in current if one is not None]
    return next(one for one in known if items[one - 1].proposal.hypothesis == text)
