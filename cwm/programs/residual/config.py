"""Settings of the learned residual."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from cwm.core.errors import ConfigError
from cwm.execution.options import shown_as

ResidualMode: TypeAlias = Literal["sparse", "off"]
"""Whether a residual is learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualConfig:
    """Settings of the learned residual.

    Attributes:
        mode: sparse: a few readable corrections are learned on top of the best program,
            where it explains most but not all, and written into it; or off. If not
            given, sparse, but off where symbolic induction writes the programs, and
            in cwm.fit.
        max_terms: Most corrections of one program; at least 1. Fewer read better and
            memorise less.
        min_rows: Training transitions that a correction must set right; at least 4.
        min_explained: Share of what doing nothing gets wrong of a part that the
            program must explain before that part is corrected, in [0, 1]; a part with
            as large a share of its transitions right is corrected, too.
        held_back_fraction: Share of the training transitions that a correction is not
            learned from, and on which it must gain; in (0, 0.5].
    """

    mode: Annotated[ResidualMode | None, shown_as("{sparse,off}")] = None
    max_terms: int = 8
    min_rows: int = 5
    min_explained: float = 0.5
    held_back_fraction: float = 0.3

    def __post_init__(self) -> None:
        for name, low, unit in (
            ("max_terms", 1, "terms"),
            ("min_rows", 4, "transitions"),
        ):
            value = getattr(self, name)
            if value < low:
                raise ConfigError(
                    f"{name} must be at least {low}, got {value!r} ({unit})."
                )
        if not 0.0 <= self.min_explained <= 1.0:
            raise ConfigError(
                f"min_explained must be in [0, 1], got {self.min_explained!r}."
            )
        if not 0.0 < self.held_back_fraction <= 0.5:
            raise ConfigError(
                "held_back_fraction must be in (0, 0.5], got "
                f"{self.held_back_fraction!r}."
            )
