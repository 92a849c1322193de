"""Programs of a run whose constants were fitted, each once."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from cwm.programs.constants.fit import Fit, FitReport
from cwm.programs.evaluation import Evaluation, Needs, never
from cwm.synthesis.candidates import Rank

Ahead: TypeAlias = Callable[[str, Rank | None], None]
"""Is told of a program whose turn comes later, and of the best one's rank so far, from
any thread; returns at once."""


class Evaluator(Protocol):
    """Who runs and scores a program."""

    def evaluate(
        self,
        source: str,
        *,
        needs_validation: Needs,
        needs_audit: Needs,
    ) -> Evaluation:
        """Returns how the program does; never raises for what it does wrong.

        Args:
            source: The program.
            needs_validation: Whether a program with this evaluation must be run on
                the validation transitions.
            needs_audit: Whether a program with this evaluation must be audited.

        Raises:
            sandbox.SandboxUnavailable: If no program can be run at all.
        """
        ...


def on_training(evaluator: Evaluator, source: str) -> Evaluation:
    """Returns how a program does on the training transitions alone."""
    return evaluator.evaluate(source, needs_validation=never, needs_audit=never)


class Fitter(Protocol):
    """Who fits the constants of a program to the training transitions."""

    def fit(self, source: str) -> Fit:
        """Returns the program with constants that fit, and what was found.

        Raises:
            sandbox.SandboxUnavailable: If no program can be run at all.
        """
        ...


class FittedPrograms:
    """Fits constants, and keeps to what was fitted before, in this run or an earlier.

    A fit looks at some of the transitions. Where the program as proposed scores higher
    on all of them, it stays as it is.

    Args:
        fitter: Who fits; `None` for nobody.
        trained: Returns how a program does on all training transitions.
    """

    def __init__(
        self, fitter: Fitter | None, trained: Callable[[str], Evaluation]
    ) -> None:
        self._fitter = fitter
        self._trained = trained
        self._known: dict[str, Fit] = {}

    def fit(self, source: str) -> tuple[str, FitReport | None]:
        """Returns a program to score, and what was found; nothing without a fitter."""
        if self._fitter is None:
            return source, None
        if source not in self._known:
            self._known[source] = self._better(source, self._fitter.fit(source))
        found = self._known[source]
        return found.source, found.report

    def remember(self, proposed: str, source: str, report: FitReport) -> None:
        """Takes over what a journal has of a program."""
        self._known[proposed] = Fit(source=source, report=report)

    def _better(self, source: str, fit: Fit) -> Fit:
        if not fit.is_changed:
            return fit
        if self._trained(fit.source).score >= self._trained(source).score:
            return fit
        return Fit(source=source, report=FitReport(problems=fit.report.problems))
