"""An induction done over again from its journal alone: what was proposed, and why.

The journal keeps proposals and likelihoods, not decisions. Those are made again, by the
code that made them, from the same seeds; nobody acts, proposes or weighs.

Covers: runs that go on or were interrupted, as far as their journals reach.
Does not cover: the evaluation at a run's end, which its result has.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from cwm.core.errors import DataError
from cwm.core.journal import Record
from cwm.core.protocols import FloatArray
from cwm.providers.hypotheses.config import InferenceConfig
from cwm.providers.hypotheses.roles import Evidence, Proposal
from cwm.providers.hypotheses.search.inference import Inference
from cwm.providers.hypotheses.search.keeping import RunFiles
from cwm.providers.hypotheses.search.loop import looked_at
from cwm.providers.hypotheses.search.particles import PhaseOutcome, Step
from cwm.providers.hypotheses.search.weighing import Weighed
from cwm.providers.hypotheses.texts import TextTrajectory

KINDS = ("collected", "proposed", "weighed", "log_q")
"""The records of a search; a run has others for learning and for its evaluation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetracedPhase:
    """What a journal has of a phase.

    Attributes:
        number: From 0, the phase before any step.
        collected: What the experimenter brought.
        data: What of it hypotheses had to explain.
        begin: How well the hypotheses that the chains began the phase with explain its
            data; empty where hypotheses are drawn independently.
        steps: What came of the proposals so far.
        outcome: Where inference stood at its end; `None` if the journal ends before.
    """

    number: int
    collected: tuple[TextTrajectory, ...]
    data: tuple[TextTrajectory, ...]
    begin: tuple[Weighed, ...] = ()
    steps: tuple[Step, ...] = ()
    outcome: PhaseOutcome | None = None


def retrace(
    records: Sequence[Record],
    files: RunFiles,
    *,
    settings: InferenceConfig,
    first: Sequence[str],
    seed: int,
) -> tuple[RetracedPhase, ...]:
    """Returns what a run did, phase by phase.

    Args:
        records: Of its journal.
        files: With what its experimenter brought.
        settings: How its hypotheses were found.
        first: Hypotheses that its chains were given.
        seed: Of the run.

    Raises:
        DataError: If the journal is of a run with other settings, or a file of the run
            cannot be read.
    """
    recorder, nobody = _Recorded(records), _Nobody()
    inference = Inference(
        settings, statistician=nobody, scientist=nobody, seed=seed, recorder=recorder
    )
    phases: list[RetracedPhase] = []
    outcome: PhaseOutcome | None = None
    for number in range(settings.phases + 1):
        steps: list[Step] = []
        try:
            digest = recorder.obtain("collected", _never)["digest"]
        except _JournalEndsError:
            break
        collected = files.read(number, str(digest))
        data = looked_at(collected, settings)
        recorder.begin_phase()
        try:
            if outcome is None:
                outcome = inference.begin(data, first)
            else:
                outcome = inference.advance(
                    outcome, data, phase=number, on_step=steps.append
                )
        except _JournalEndsError:
            outcome = None
        phases.append(
            RetracedPhase(
                number=number,
                collected=collected,
                data=data,
                begin=_begin(recorder, settings, number),
                steps=tuple(steps),
                outcome=outcome,
            )
        )
        if outcome is None:
            break
    return tuple(phases)


def _begin(
    recorder: "_Recorded", settings: InferenceConfig, number: int
) -> tuple[Weighed, ...]:
    if number and settings.method == "importance":
        return ()
    found = recorder.weighed[: settings.chains]
    return tuple(Weighed.from_json(one["log_likelihood"]) for one in found)


class _JournalEndsError(Exception):
    """There is no further record."""


class _Recorded:
    """Gives the records of a search back in order, and never makes any.

    Attributes:
        weighed: The likelihoods that were taken since the phase began.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = iter([one for one in records if one.kind in KINDS])
        self.weighed: list[dict[str, Any]] = []

    def begin_phase(self) -> None:
        """Forgets what was taken before."""
        self.weighed = []

    def obtain(self, kind: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Returns the next result.

        Raises:
            DataError: If the next record is of another kind.
        """
        record = next(self._records, None)
        if record is None:
            raise _JournalEndsError
        if record.kind != kind:
            raise DataError(
                f"The journal must have a record {kind!r} in place {record.index}, got "
                f"{record.kind!r}: it is not of a run with these settings."
            )
        if kind == "weighed":
            self.weighed.append(record.body)
        return record.body

    def num_recorded(self, kind: str) -> int:
        """Returns 0: nothing is made after what is recorded."""
        return 0


class _Nobody:
    """Takes the roles of which everything is recorded."""

    name = "nobody"
    is_stand_in = True
    has_log_probs = True

    def propose(
        self, evidence: Sequence[Evidence], *, seeds: Sequence[int]
    ) -> list[Proposal]:
        """Is never asked."""
        _never()

    def log_probs(self, *_: object) -> FloatArray:
        """Is never asked."""
        _never()


def _never() -> NoReturn:
    raise AssertionError("the recorder has it, or says that the journal ends")
