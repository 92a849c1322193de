"""Tries the fast forms of a program in the sandbox; the fastest that equals it wins."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from textwrap import shorten
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.spaces import DiscreteSpec, SpaceSpec, space_to_json
from cwm.programs.acceleration.comparing import (
    TOLERANCE,
    Agreement,
    Rows,
    compare,
    differing,
    has_finite_row,
    slack_of,
)
from cwm.programs.acceleration.samples import MAX_PAIRS, Samples
from cwm.programs.acceleration.table import has_table, tabulated
from cwm.programs.acceleration.trial_types import (
    TrialAsk,
    TrialRows,
    WriteAsk,
    Written,
)
from cwm.programs.kernels import kernel_of
from cwm.programs.rollouts import model_spec
from sandbox.limits import Limits
from sandbox.outcome import AnyOutcome, Completed
from sandbox.pool import Sandbox

WRITING_DRIVER = "cwm.programs.acceleration.writing_driver"
TRIAL_DRIVER = "cwm.programs.acceleration.trial_driver"
DRIVERS = (WRITING_DRIVER, TRIAL_DRIVER)
"""What a sandbox must be made with."""

ORIGINAL = "original"
OWN = "its own step_batch"
VECTORISED = "vectorised"
COMPILED = "numba"
TABLE = "table"

MAX_INEXACT = 0.05
"""Share of rows that may differ by more than the tolerance, where the original is not
more exact."""

SIZES = (1, 100, 1000)
"""Rows at a time that speeds are measured with."""

MAX_SOURCE_KIB = 256
"""Longest program that is accepted; a sandbox takes 64 unless it is told otherwise."""

TRIAL_LIMITS = Limits(
    wall_s=300.0,
    memory_mib=2048,
    max_source_kib=MAX_SOURCE_KIB,
    max_array_mib=32,
    max_frame_mib=64,
    max_output_mib=64,
)

FIRST_LIMITS = Limits(max_source_kib=MAX_SOURCE_KIB)
"""What the original may use on `FIRST_ROWS` rows, unless it is told otherwise."""

FIRST_ROWS = 32

WRITING_LIMITS = replace(TRIAL_LIMITS, wall_s=120.0)
"""A program that takes longer to follow than that has more ways than are worth it."""


def fast_limits(limits: Limits) -> Limits:
    """Returns limits that a fast form fits into: long texts, memory to compile them."""
    return replace(
        limits,
        max_source_kib=max(limits.max_source_kib, MAX_SOURCE_KIB),
        memory_mib=max(limits.memory_mib, TRIAL_LIMITS.memory_mib),
    )


_MAX_TOLD_CHARS = 300

_HEAD = """

# What follows was written from the program above, and equals it.

import numpy as np

"""
_TAIL = "\n\nEnvironment = Fast\n"


@dataclass(frozen=True, kw_only=True)
class WayResult:
    """How one way went.

    Attributes:
        name: The way.
        source: The program with its fast form; empty if there is none.
        reason: Why it is not accepted; empty if it is.
        agreement: How it compares with the original; `None` if it did not run.
        speeds: Steps a second for each of `SIZES`; empty if it did not run.
        opening_s: How long loading took, compiling included.
    """

    name: str
    source: str = ""
    reason: str = ""
    agreement: Agreement | None = None
    speeds: tuple[float, ...] = ()
    opening_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Acceleration:
    """What became of a program.

    Attributes:
        original: The program as it is.
        ways: Each way that was tried.
        num_samples: Rows on which they had to equal it.
        num_recorded: How many of these were recorded.
        num_failed: Rows on which the original raises; they are not compared.
        tolerance: Largest difference that was allowed.
    """

    original: WayResult
    ways: tuple[WayResult, ...]
    num_samples: int
    num_recorded: int
    num_failed: int
    tolerance: float

    @property
    def best(self) -> WayResult:
        """The fastest way that is accepted; the original if none is faster."""
        accepted = [way for way in self.ways if not way.reason]
        return max([self.original, *accepted], key=lambda way: way.speeds[-1])


class Trials:
    """Tries forms of one program.

    Args:
        source: The program.
        observation_space: Space of its observations.
        action_space: Space of its actions.
        samples: On what forms must equal it.
        sandbox: Made with `DRIVERS`.
        compiling: Likewise, with the capability to compile; `None` if there is none.
        tolerance: Largest difference of a real number, relative to its size or one.
        seconds: How long to measure each speed.
        limits: What the original may use on a few rows, before anything else is run;
            one that is compiled may use what its forms may.
    """

    def __init__(
        self,
        source: str,
        *,
        observation_space: SpaceSpec,
        action_space: SpaceSpec,
        samples: Samples,
        sandbox: Sandbox,
        compiling: Sandbox | None,
        tolerance: float = TOLERANCE,
        seconds: float = 0.3,
        limits: Limits = FIRST_LIMITS,
    ) -> None:
        self._source = source
        self._spaces = (observation_space, action_space)
        self._samples = samples
        self._sandbox = sandbox
        self._compiling = compiling
        self._tolerance = tolerance
        self._seconds = seconds
        self._limits = limits

    def run(self, others: Mapping[str, str] | None = None) -> Acceleration:
        """Tries all ways.

        Args:
            others: Further forms by name: texts with a class `Fast(Environment)` that
                has `step_batch`, such as a language model writes.

        Raises:
            ValueError: If the original cannot be run, or draws at random; the text
                says why.
        """
        spec = model_spec(self._source, *self._spaces, 0)
        if spec.uses_generator or spec.uses_random:
            raise ValueError("its steps may draw at random, and rows share no draws")
        states, actions = self._samples.states, self._samples.actions
        if not (spec.kernel and self._compiling is not None):
            few = np.linspace(0, len(states) - 1, FIRST_ROWS).astype(np.intp)
            self._stepped(states[few], actions[few], sizes=(), limits=self._limits)
        outcome = self._stepped(states, actions)
        good = np.flatnonzero(~outcome.failed)
        if not len(good):
            raise ValueError("it raises on every state that was tried")
        rows = outcome.observations, outcome.rewards, outcome.terminated
        wanted: Rows = tuple(part[good] for part in rows)  # type: ignore[assignment]
        if not has_finite_row(wanted):
            raise ValueError("it returns no finite numbers from any state tried")
        original = WayResult(
            name=ORIGINAL,
            source=self._source,
            speeds=tuple(outcome.speeds),
            opening_s=outcome.opening_s,
        )
        written = self._written()
        ways = [
            self._try(name, form, good, wanted, reason=reason)
            for name, form, reason in self._forms(
                written, rows, outcome.failed, others or {}
            )
        ]
        ways = [self._with_steps(w, written, original, good, wanted) for w in ways]
        if "def step_batch(" in self._source:
            ways.insert(0, self._judged(OWN, self._source, good, wanted))
        return Acceleration(
            original=original,
            ways=tuple(ways),
            num_samples=len(self._samples),
            num_recorded=self._samples.num_recorded,
            num_failed=len(self._samples) - len(good),
            tolerance=self._tolerance,
        )

    def _stepped(
        self,
        states: NDArray[Any],
        actions: NDArray[Any],
        *,
        sizes: tuple[int, ...] = SIZES,
        limits: Limits = TRIAL_LIMITS,
    ) -> TrialRows:
        """Returns steps of the original; an error if it does not run."""
        outcome = self._steps(
            self._source, states, actions, is_batch=False, sizes=sizes, limits=limits
        )
        if not isinstance(outcome, TrialRows):
            raise ValueError(f"it does not run: {_told(outcome)}")
        return outcome

    def _with_steps(
        self,
        way: WayResult,
        written: Written,
        original: WayResult,
        good: NDArray[np.intp],
        wanted: Rows,
    ) -> WayResult:
        """Returns a compiled way with single steps compiled, if they are faster."""
        if way.name != COMPILED or way.reason:
            return way
        other = self._try(COMPILED, written.compiled_steps, good, wanted, reason="")
        is_faster = not other.reason and other.speeds[0] > original.speeds[0]
        return other if is_faster else way

    def _forms(
        self,
        written: Written,
        rows: Rows,
        failed: NDArray[np.bool_],
        others: Mapping[str, str],
    ) -> list[tuple[str, str, str]]:
        """Returns name and text of each form, and why there is none."""
        forms = [(VECTORISED, written.vectorised, written.reason)]
        reason = written.reason
        if self._compiling is None:
            reason = "numba is not installed: pip install 'code-world-models[fast]'"
        forms.append((COMPILED, "" if reason else written.compiled, reason))
        if has_table(*self._spaces):
            states, actions = self._spaces
            assert isinstance(states, DiscreteSpec), "only such have a table"
            assert isinstance(actions, DiscreteSpec), "only such have a table"
            # All pairs are the last samples, as they were asked for.
            number = states.num_values * actions.num_values
            assert number <= MAX_PAIRS, "a table has fewer pairs than samples may"
            if failed[-number:].any():
                forms.append((TABLE, "", "the program raises on some pairs"))
            else:
                last: Any = tuple(part[-number:] for part in rows)
                forms.append((TABLE, tabulated(states, actions, last), ""))
        return [*forms, *((name, text, "") for name, text in others.items())]

    def _written(self) -> Written:
        spaces = [space_to_json(space) for space in self._spaces]
        outcome = self._sandbox.run(
            self._source,
            WriteAsk(self._source, *spaces),
            driver=WRITING_DRIVER,
            reply=Written,
            limits=WRITING_LIMITS,
        )
        if isinstance(outcome, Completed):
            return outcome.messages[0]
        return Written("", "", "", f"writing failed: {_told(outcome)}")

    def _try(
        self,
        name: str,
        form: str,
        good: NDArray[np.intp],
        wanted: Rows,
        *,
        reason: str,
    ) -> WayResult:
        if not form:
            return WayResult(name=name, reason=reason or "there is no text")
        source = self._source.rstrip() + _HEAD + form.strip() + _TAIL
        size_kib = len(source.encode()) / 1024
        way = WayResult(name=name, source=source)
        if size_kib > MAX_SOURCE_KIB:
            text = f"too long: {size_kib:.0f} KiB, more than {MAX_SOURCE_KIB}"
            return replace(way, reason=text)
        if name == COMPILED and not kernel_of(source):
            return replace(way, reason="its kernel is more than plain arithmetic")
        return self._judged(name, source, good, wanted)

    def _judged(
        self, name: str, source: str, good: NDArray[np.intp], wanted: Rows
    ) -> WayResult:
        """Returns how a program with `step_batch` compares with the original."""
        way = WayResult(name=name, source=source)
        states, actions = self._samples.states[good], self._samples.actions[good]
        found = self._steps(source, states, actions, is_batch=True)
        if not isinstance(found, TrialRows):
            return replace(way, reason=_told(found))
        rows = (found.observations, found.rewards, found.terminated)
        slack = self._slack(good, wanted, rows)
        agreement = compare(wanted, rows, tolerance=self._tolerance, slack=slack)
        return replace(
            way,
            reason=f"differs: {agreement.problem}" if agreement.problem else "",
            agreement=agreement,
            speeds=tuple(found.speeds),
            opening_s=found.opening_s,
        )

    def _slack(
        self, good: NDArray[np.intp], wanted: Rows, rows: Rows
    ) -> NDArray[np.float64] | None:
        """Returns what rows are granted on which the original is not exact itself.

        Found out on rows that differ, if they are few: the original steps from states
        whose last bits are changed.
        """
        if not self._tolerance or any(
            want.shape != got.shape or want.dtype != got.dtype
            for want, got in zip(wanted, rows, strict=True)
        ):
            return None
        bad = np.flatnonzero(differing(wanted, rows, self._tolerance))
        states, actions = self._samples.states[good[bad]], self._samples.actions
        if not 0 < len(bad) <= MAX_INEXACT * len(good) or states.dtype.kind != "f":
            return None
        moved: list[Rows] = []
        for end in (-np.inf, np.inf):
            near = np.nextafter(states, states.dtype.type(end))
            found = self._steps(
                self._source, near, actions[good[bad]], is_batch=False, sizes=()
            )
            if not isinstance(found, TrialRows) or found.failed.any():
                return None
            moved.append((found.observations, found.rewards, found.terminated))
        few: Rows = tuple(part[bad] for part in wanted)  # type: ignore[assignment]
        slack = np.zeros(len(good))
        slack[bad] = slack_of(few, moved)
        return slack

    def _steps(
        self,
        source: str,
        states: NDArray[Any],
        actions: NDArray[Any],
        *,
        is_batch: bool,
        sizes: tuple[int, ...] = SIZES,
        limits: Limits = TRIAL_LIMITS,
    ) -> TrialRows | AnyOutcome:
        spec = model_spec(source, *self._spaces, 0)
        sandbox = self._sandbox
        if spec.kernel and self._compiling is not None:
            sandbox = self._compiling
        ask = TrialAsk(spec, states, actions, is_batch, list(sizes), self._seconds)
        outcome = sandbox.run(
            source, ask, driver=TRIAL_DRIVER, reply=TrialRows, limits=limits
        )
        if isinstance(outcome, Completed):
            return outcome.messages[0]
        return outcome


def _told(outcome: AnyOutcome) -> str:
    return shorten(outcome.feedback(), _MAX_TOLD_CHARS, placeholder=" ...")
