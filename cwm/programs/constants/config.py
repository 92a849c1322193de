"""Settings of the fit of a program's constants."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from cwm.core.errors import ConfigError
from cwm.execution.options import shown_as

FitMode: TypeAlias = Literal["all", "declared", "off"]
"""Which constants are fitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitConfig:
    """Settings of the fit of a program's constants.

    Attributes:
        mode: Which constants: all, those that a program declares in CONSTANTS and
            numbers in its text; declared, the former alone; or off. If not given,
            all, but off where symbolic induction writes the programs: it fits its
            own.
        max_steps: Steps of the program that a fit may take; at least 1. It ends with
            the best values so far.
        max_seconds: Seconds after which no further values are tried; positive. Where
            this ends a fit, another run may end with other values.
        num_rows: Transitions that constants are fitted to; at least 8. The rarer
            kinds are among them.
        num_starts: Values from which least squares begins, if it does not succeed
            from the program's own; at least 1.
        horizon: Steps that predictions go on from their own outcomes; at least 1.
            More than 1 is for noisy observations, where one step says little.
        max_constants: Most constants that are fitted, the declared ones first; at
            least 1.
    """

    mode: Annotated[FitMode | None, shown_as("{all,declared,off}")] = None
    max_steps: int = 300_000
    max_seconds: float = 120.0
    num_rows: int = 300
    num_starts: int = 4
    horizon: int = 1
    max_constants: int = 30

    def __post_init__(self) -> None:
        for name, low, unit in (
            ("max_steps", 1, "steps"),
            ("num_rows", 8, "transitions"),
            ("num_starts", 1, "starts"),
            ("horizon", 1, "steps"),
            ("max_constants", 1, "constants"),
        ):
            value = getattr(self, name)
            if value < low:
                raise ConfigError(
                    f"{name} must be at least {low}, got {value!r} ({unit})."
                )
        if not self.max_seconds > 0:
            raise ConfigError(
                f"max_seconds must be positive, got {self.max_seconds!r} (seconds)."
            )
