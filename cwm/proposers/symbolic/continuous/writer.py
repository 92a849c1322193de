"""Collects the lines and the named constants of a program."""

import math

from cwm.proposers.symbolic.continuous.laws import Adjustment, Blueprint, Sum

WIDTH = 88
INDENT = "        "


class Writer:
    """Collects lines of code and the constants that they use."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.constants: dict[str, float] = {}
        self.indent = INDENT

    def add(self, text: str) -> None:
        """Writes one line at the present indent."""
        self.lines.append(f"{self.indent}{text}" if text else "")

    def constant(self, name: str, value: float) -> str:
        """Registers a tunable constant; returns the name to write in code."""
        unique, count = name, 2
        while unique in self.constants and self.constants[unique] != value:
            unique, count = f"{name}_{count}", count + 1
        self.constants[unique] = value
        return unique.upper()

    def assign(self, name: str, parts: list[str]) -> None:
        """Writes `name = sum of parts`, over several lines when long."""
        text = join_sum(parts)
        if len(self.indent) + len(name) + 3 + len(text) <= WIDTH:
            self.add(f"{name} = {text}")
            return
        self.add(f"{name} = (")
        for index, part in enumerate(parts):
            self.add(f"    {part if index == 0 else signed(part)}")
        self.add(")")

    def sum_parts(self, owner: str, value: Sum) -> list[str]:
        """Returns the printed terms of a sum, each with its constant."""
        parts = []
        for term, coefficient in zip(value.terms, value.coefficients, strict=True):
            text = term.render()
            if not text:
                parts.append(self.constant(f"{owner}_{term.label()}", coefficient))
            elif abs(coefficient) == 1.0:
                parts.append(text if coefficient > 0 else f"-{text}")
            else:
                name = self.constant(f"{owner}_{term.label()}", coefficient)
                parts.append(f"{name} * {text}")
        return parts


def signed(part: str) -> str:
    """Returns a term with its sign, to follow another one."""
    return f"- {part[1:]}" if part.startswith("-") else f"+ {part}"


def join_sum(parts: list[str]) -> str:
    """Returns the terms as one expression."""
    if not parts:
        return "0.0"
    return " ".join([parts[0], *(signed(part) for part in parts[1:])])


def comment(blueprint: Blueprint, name: str, family: str) -> str:
    """Returns the comment above a part: what it is and how well it fits."""
    fit = blueprint.fits.get(name)
    share = "" if fit is None else f"; right on {100.0 * fit:.2f} %"
    return f"# {name}: {family}{share}"


def write_adjustments(
    writer: Writer, name: str, blueprint: Blueprint, *, is_late: bool = False
) -> None:
    """Writes the clips and wraps that follow a coordinate's law, or all laws."""
    for adjustment in blueprint.adjustments.get(name, ()):
        if adjustment.is_late == is_late:
            _write_adjustment(writer, name, adjustment)


def _write_adjustment(writer: Writer, name: str, adjustment: Adjustment) -> None:
    variable = f"raw_{name}"
    if adjustment.kind == "wrap":
        low = writer.constant(f"{name}_low", adjustment.low)
        high = writer.constant(f"{name}_high", adjustment.high)
        writer.add(f"{variable} = {low} + ({variable} - {low}) % ({high} - {low})")
        return
    text = variable
    if math.isfinite(adjustment.low):
        text = f"max({text}, {writer.constant(f'{name}_min', adjustment.low)})"
    if math.isfinite(adjustment.high):
        text = f"min({text}, {writer.constant(f'{name}_max', adjustment.high)})"
    writer.add(f"{variable} = {text}")
