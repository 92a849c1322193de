"""What a report says of constants that were fitted."""

from collections.abc import Sequence
from typing import Any

from cwm.core.constants import FittedConstant, undetermined_groups
from cwm.programs.constants.fit import FitReport

_MAX_LINES = 12


def constants_lines(report: FitReport | None) -> list[str]:
    """Returns the constants that were fitted, for people; nothing if none changed."""
    if report is None or not report.is_changed:
        return []
    changed = [
        constant.sentence()
        for constant in report.constants
        if constant.is_changed and constant.verdict != "undetermined"
    ]
    groups = [
        _together(group)
        for group in undetermined_groups(report.constants)
        if any(constant.is_changed for constant in group)
    ]
    told = [*changed, *groups]
    lines = [f"  {line}" for line in told[:_MAX_LINES]]
    if len(told) > _MAX_LINES:
        lines.append(f"  and {len(told) - _MAX_LINES} more")
    return ["constants, fitted to training transitions:", *lines]


def _together(group: Sequence[FittedConstant]) -> str:
    values = ", ".join(constant.value_text() for constant in group)
    return f"only together: {values}" if len(group) > 1 else f"not told: {values}"


def constants_json(report: FitReport | None) -> dict[str, Any] | None:
    """Returns what was found about constants as plain data."""
    return None if report is None else report.to_json()


def every_constant(report: FitReport) -> list[str]:
    """Returns a line for each constant, and for what is wrong with declarations."""
    groups = undetermined_groups(report.constants)
    lines = [
        constant.sentence()
        for constant in report.constants
        if constant.verdict in ("fitted", "kept")
        and (constant.kind != "literal" or constant.is_changed)
    ]
    lines += [_together(group) for group in groups]
    idle = [c.name for c in report.constants if c.verdict == "no effect"]
    if idle:
        lines.append(f"no effect: {', '.join(idle)}")
    lines += [f"not fitted: {problem}" for problem in report.problems]
    return lines or ["no constants were found"]
