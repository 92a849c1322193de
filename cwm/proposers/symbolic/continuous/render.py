"""Prints a blueprint as a readable program (docs/program-contract.md)."""

import re

from cwm.core.proposals import Task
from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    SpaceSpec,
    TupleSpec,
)
from cwm.programs.round_numbers import round_significant
from cwm.proposers.symbolic.continuous.laws import (
    Blueprint,
    Condition,
    Law,
    Rule,
    Sum,
)
from cwm.proposers.symbolic.continuous.render_equations import (
    write_ode_methods,
    write_ode_step,
)
from cwm.proposers.symbolic.continuous.simulate import law_order
from cwm.proposers.symbolic.continuous.terms import atom_term
from cwm.proposers.symbolic.continuous.view import Coordinate, Element, View
from cwm.proposers.symbolic.continuous.writer import (
    INDENT,
    Writer,
    comment,
    join_sum,
    write_adjustments,
)

_HEADER = '''"""World model of {environment}, induced from {num} transitions.

Variables: s0, s1, ... are the elements of the observation, a (or a0, a1, ...)
those of the action. raw_x is what the law of x gives, next_x the prediction
after events. "right" is the share of training transitions within tolerance.
"""
'''


def render(blueprint: Blueprint, view: View, task: Task) -> str:
    """Returns the source of the program that a blueprint describes."""
    writer = Writer()
    _write_inputs(writer, view)
    for ode in blueprint.odes:
        write_ode_step(writer, ode, blueprint, view)
    for group in law_order(blueprint, view.coordinates):
        _write_group(writer, group, blueprint, view)
    _write_events(writer, blueprint, view)
    _write_terminated(writer, blueprint)
    _write_reward(writer, blueprint)
    body = writer.lines
    methods = Writer()
    methods.constants = writer.constants
    for index, ode in enumerate(blueprint.odes):
        write_ode_methods(methods, ode, index, view)
    names = ", ".join(f"next_{e.name}" for e in view.elements)
    observation = _build(task.observation_space, view.elements)
    return "\n".join(
        [
            _HEADER.format(environment=_plain(task.environment_id), num=len(view)),
            "import math",
            "",
            "import numpy as np",
            "",
            *_constant_lines(writer.constants),
            "class Environment:",
            "    def __init__(self):",
            f"        self.state = ({_tuple('0.0' for _ in view.elements)})",
            "",
            "    def set_state(self, observation):",
            *_read(task.observation_space, view.elements),
            "",
            *methods.lines,
            "    def step(self, action):",
            *body,
            f"{INDENT}self.state = ({_tuple(names.split(', '))})",
            f"{INDENT}return {observation}, reward, terminated",
            "",
        ]
    )


def _plain(name: str) -> str:
    """Returns a name as text that cannot end a docstring."""
    return re.sub(r"[^\w./:+-]", " ", name)


def _tuple(names: "object") -> str:
    items = list(names)  # type: ignore[call-overload]
    return f"{items[0]}," if len(items) == 1 else ", ".join(items)


def _constant_lines(constants: dict[str, float]) -> list[str]:
    if not constants:
        return [""]
    lines = [
        "# Found by regression on the transitions; low and high bound a refit.",
        "CONSTANTS = {",
    ]
    for name, value in constants.items():
        reach = abs(value) if value else 1.0
        low = round_significant(value - reach, 6)
        high = round_significant(value + reach, 6)
        lines.append(
            f'    "{name}": {{"value": {value!r}, "low": {low!r}, "high": {high!r}}},'
        )
    lines += ["}", ""]
    lines += [f'{name.upper()} = CONSTANTS["{name}"]["value"]' for name in constants]
    return [*lines, "", ""]


def _access(element: Element, root: str) -> str:
    """Returns the expression that reads an element from a nested value."""
    text = root
    for part in element.path.split("/") if element.path else []:
        text += f"[{part}]" if part.isdigit() else f"[{part!r}]"
    if element.position is None:
        return text
    return f"np.ravel({text})[{element.position}]"


def _read(space: SpaceSpec, elements: tuple[Element, ...]) -> list[str]:
    if isinstance(space, BoxSpec) and len(space.shape) == 1:
        return [f"{INDENT}self.state = tuple(float(x) for x in observation)"]
    lines = [f"{INDENT}self.state = ("]
    lines += [f"{INDENT}    float({_access(e, 'observation')})," for e in elements]
    return [*lines, f"{INDENT})"]


def _write_inputs(writer: Writer, view: View) -> None:
    names = [e.name for e in view.elements]
    writer.add(f"{_tuple(names)} = self.state".replace(",  =", ", ="))
    if len(view.actions) == 1 and view.actions[0].position is None:
        cast = "int" if view.actions[0].is_integer else "float"
        writer.add(
            f"{view.actions[0].name} = {cast}({_access(view.actions[0], 'action')})"
        )
    else:
        for element in view.actions:
            writer.add(f"{element.name} = float({_access(element, 'action')})")
    for coordinate in view.coordinates:
        if coordinate.is_angle:
            cosine, sine = (view.elements[i].name for i in coordinate.elements)
            writer.add(f"{coordinate.name} = math.atan2({sine}, {cosine})")
    writer.add("")


def _write_group(
    writer: Writer, group: tuple[str, ...], blueprint: Blueprint, view: View
) -> None:
    laws = [blueprint.laws[name] for name in group]
    for name, law in zip(group, laws, strict=True):
        writer.add(comment(blueprint, name, law.family))
    coupled = any(other in group for law in laws for other, _ in law.couplings)
    if not coupled:
        for name, law in zip(group, laws, strict=True):
            parts = writer.sum_parts(name, with_base(law))
            parts += _known_couplings(writer, name, law, group)
            writer.assign(f"raw_{name}", parts)
    else:
        _write_system(writer, group, laws)
    for name in group:
        write_adjustments(writer, name, blueprint)


def with_base(law: Law) -> Sum:
    """Returns the law's sum with its base as one of the terms."""
    if law.base is None:
        return law.change
    base = atom_term(law.base)
    pairs = {base: 1.0}
    for term, coefficient in zip(
        law.change.terms, law.change.coefficients, strict=True
    ):
        pairs[term] = pairs.get(term, 0.0) + coefficient
    kept = {t: c for t, c in pairs.items() if c != 0.0}
    return Sum(tuple(kept), tuple(kept.values()))


def _known_couplings(
    writer: Writer, name: str, law: Law, group: tuple[str, ...]
) -> list[str]:
    parts = []
    for other, coupling in law.couplings:
        if other in group:
            continue
        inner = join_sum(writer.sum_parts(f"{name}_per_{other}", coupling))
        parts.append(f"({inner}) * (raw_{other} - {other})")
    return parts


def _write_system(writer: Writer, group: tuple[str, ...], laws: list[Law]) -> None:
    """Writes changes that depend on each other, as the solution of M x = b."""
    size = len(group)
    for i, (name, law) in enumerate(zip(group, laws, strict=True)):
        parts = writer.sum_parts(name, law.change)
        parts += _known_couplings(writer, name, law, group)
        writer.assign(f"b{i}", parts)
        couplings = dict(law.couplings)
        for j, other in enumerate(group):
            diagonal = ["1.0"] if i == j else []
            inner = []
            if other in couplings:
                inner = writer.sum_parts(f"{name}_per_{other}", couplings[other])
                inner = [f"-({join_sum(inner)})"]
            writer.assign(f"m{i}{j}", diagonal + inner)
    if size == 1:
        changes = ["b0 / m00"]
    elif size == 2:
        writer.add("determinant = m00 * m11 - m01 * m10")
        changes = [
            "(m11 * b0 - m01 * b1) / determinant",
            "(m00 * b1 - m10 * b0) / determinant",
        ]
    else:
        rows = "], [".join(
            ", ".join(f"m{i}{j}" for j in range(size)) for i in range(size)
        )
        right = ", ".join(f"b{i}" for i in range(size))
        writer.add(f"changes = np.linalg.solve([[{rows}]], [{right}]).tolist()")
        changes = [f"changes[{i}]" for i in range(size)]
    for name, law, change in zip(group, laws, changes, strict=True):
        base = f"{law.base} + " if law.base else ""
        writer.add(f"raw_{name} = {base}{change}")


def _condition(writer: Writer, condition: Condition, owner: str) -> str:
    left = join_sum(writer.sum_parts(owner, condition.left))
    name = f"{owner}_limit"
    if len(condition.left.terms) == 1:
        name = f"{owner}_{condition.left.terms[0].label()}_limit"
    right = writer.constant(name, condition.right)
    return f"{left} {condition.comparison} {right}"


def _rule(writer: Writer, rule: Rule, owner: str) -> str:
    alternatives = []
    for conjunction in rule.alternatives:
        text = " and ".join(_condition(writer, c, owner) for c in conjunction)
        several = len(rule.alternatives) > 1 and len(conjunction) > 1
        alternatives.append(f"({text})" if several else text)
    return " or ".join(alternatives) or "False"


def _write_events(writer: Writer, blueprint: Blueprint, view: View) -> None:
    for coordinate in view.coordinates:
        write_adjustments(writer, coordinate.name, blueprint, is_late=True)
    for coordinate in view.coordinates:
        name = coordinate.name
        writer.add(f"next_{name} = raw_{name}")
        for event in blueprint.events.get(name, ()):
            writer.add(f"if {_rule(writer, event.rule, f'{name}_event')}:")
            writer.indent += "    "
            parts = writer.sum_parts(f"{name}_event", event.value)
            writer.assign(f"next_{name}", parts)
            writer.indent = INDENT
        if coordinate.is_angle:
            _write_angle(writer, coordinate, view)
    writer.add("")


def _write_angle(writer: Writer, coordinate: Coordinate, view: View) -> None:
    cosine, sine = (view.elements[i].name for i in coordinate.elements)
    writer.add(f"next_{cosine} = math.cos(next_{coordinate.name})")
    writer.add(f"next_{sine} = math.sin(next_{coordinate.name})")


def _write_terminated(writer: Writer, blueprint: Blueprint) -> None:
    writer.add(comment(blueprint, "terminated", "rule"))
    alternatives = [
        " and ".join(_condition(writer, c, "terminal") for c in conjunction)
        for conjunction in blueprint.terminated.alternatives
    ]
    if len(alternatives) <= 1:
        writer.add(f"terminated = {alternatives[0] if alternatives else 'False'}")
        return
    writer.add("terminated = (")
    for index, text in enumerate(alternatives):
        writer.add(f"    {'or ' if index else ''}({text})")
    writer.add(")")


def _write_reward(writer: Writer, blueprint: Blueprint) -> None:
    writer.add(comment(blueprint, "reward", "formula"))
    for index, case in enumerate(blueprint.reward):
        owner = "reward" if len(blueprint.reward) == 1 else f"reward_{index}"
        parts = writer.sum_parts(owner, case.value)
        if len(blueprint.reward) == 1:
            writer.assign("reward", parts)
            return
        if case.rule is None:
            writer.add("else:")
        else:
            word = "if" if index == 0 else "elif"
            writer.add(f"{word} {_rule(writer, case.rule, owner)}:")
        writer.indent += "    "
        writer.assign("reward", parts)
        writer.indent = INDENT


def _build(space: SpaceSpec, elements: tuple[Element, ...], path: str = "") -> str:
    """Returns the expression that assembles the predicted observation."""
    match space:
        case TupleSpec(members=members):
            inner = [
                _build(m, elements, f"{path}/{i}" if path else str(i))
                for i, m in enumerate(members)
            ]
            return f"({_tuple(inner)})"
        case DictSpec(members=named):
            inner = [
                f"{k!r}: {_build(m, elements, f'{path}/{k}' if path else k)}"
                for k, m in named
            ]
            return "{" + ", ".join(inner) + "}"
    own = [f"next_{e.name}" for e in elements if e.path == path]
    match space:
        case DiscreteSpec():
            return f"int(round({own[0]}))"
        case MultiDiscreteSpec():
            return (
                f"np.array([{', '.join(f'round({n})' for n in own)}], dtype=np.int64)"
            )
        case BoxSpec(shape=shape, dtype=dtype):
            array = f"np.array([{', '.join(own)}], dtype=np.{dtype})"
            return array if len(shape) == 1 else f"{array}.reshape({shape!r})"
        case _:
            raise ValueError(f"Every leaf must be numeric, got {space!r}.")
