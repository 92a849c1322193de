"""A model as Python source; `evaluate` is its vectorised twin."""

from dataclasses import dataclass, field

import msgspec
import numpy as np

from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    SpaceSpec,
    TupleSpec,
)
from cwm.proposers.symbolic.discrete.expressions import Expressions
from cwm.proposers.symbolic.discrete.layout import (
    Digit,
    Element,
    elements,
    split_digits,
)
from cwm.proposers.symbolic.discrete.model import (
    Constant,
    Feature,
    Lookup,
    Model,
    Part,
    Rule,
    Shift,
    features_of_part,
)
from cwm.proposers.symbolic.discrete.names import feature_names
from cwm.proposers.symbolic.discrete.table import (
    LEGAL,
    REWARD,
    TERMINATED,
    action_names,
)

MAX_NAMED_REWARDS = 12
"""Most rewards that become tunable constants; more are written where they occur."""

_DRAW = '''

def draw(rng, pairs):
    """Draws one of the values; the chances are proportional to the counts."""
    pick = int(rng.integers(sum(count for _, count in pairs)))
    for value, count in pairs:
        pick -= count
        if pick < 0:
            break
    return value
'''


def ordered_parts(model: Model) -> list[Part]:
    """Returns the parts so that each comes after those whose results it reads.

    Raises:
        ValueError: If parts read each other's results in a circle.
    """
    waiting = {part.target: part for part in model.parts}
    ordered: list[Part] = []
    while waiting:
        ready = [
            part for part in waiting.values() if not (needs(part) & waiting.keys())
        ]
        if not ready:
            raise ValueError(f"Parts must not read each other: {sorted(waiting)}.")
        for part in ready:
            ordered.append(waiting.pop(part.target))
    return ordered


def needs(part: Part) -> set[str]:
    """Returns the targets whose results a part reads."""
    names = features_of_part(part)
    found = {n[5:] for n in names if n.startswith(("next:", "step:"))}
    return found | ({TERMINATED} if TERMINATED in names else set())


@dataclass
class _Writer:
    """Lines of source, and which of them belong to which target."""

    lines: list[str] = field(default_factory=list)
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, text: str = "", *, indent: int = 0) -> None:
        for line in text.split("\n"):
            self.lines.append(" " * indent + line if line else "")

    def span(self, target: str, first: int) -> None:
        self.spans[target] = (first + 1, len(self.lines))


def render(
    model: Model, *, observation_space: SpaceSpec, action_space: SpaceSpec
) -> tuple[str, Model]:
    """Returns the program's source, and the model with the lines of its parts."""
    observed = elements(observation_space)
    digits = split_digits(observed, model.radices)
    acted = elements(action_space)
    names = feature_names(
        model,
        observation_space=observation_space,
        observed=observed,
        digits=digits,
        num_actions=len(acted),
    )
    expressions = Expressions(
        names=names, rewards=_reward_texts(model), moves=model.moves
    )
    body = _Writer()
    _write_step(body, model, expressions, acted)
    init = _Writer()
    _write_init(init, draws=expressions.draws)
    out = _Writer()
    _write_head(out, model, names)
    for name, text in expressions.tables.items():
        out.add(f"{name} = {text}")
    if expressions.draws:
        out.add(_DRAW.rstrip())
    _write_codec(out, observation_space, observed, digits, names)
    out.lines.extend(init.lines)
    offset = len(out.lines)
    out.lines.extend(body.lines)
    spans = {t: (a + offset, b + offset) for t, (a, b) in body.spans.items()}
    source = "\n".join(out.lines) + "\n"
    return source, msgspec.structs.replace(model, lines=spans)


def _reward_texts(model: Model) -> list[str]:
    if len(model.rewards) > MAX_NAMED_REWARDS:
        return [repr(value) for value in model.rewards]
    return [f"REWARD_{i}" for i in range(len(model.rewards))]


def _write_head(out: _Writer, model: Model, names: dict[str, str]) -> None:
    out.add('"""World model induced from recorded transitions.')
    out.add()
    out.add("Share of the training transitions that each part explains:")
    for part in model.parts:
        title = names[part.target]
        out.add(f"    {title}: {part.accuracy:.4f} ({part.family})")
    out.add('"""\n\nimport numpy as np\n')
    if len(model.rewards) > MAX_NAMED_REWARDS:
        return
    out.add("CONSTANTS = {")
    for i, value in enumerate(model.rewards):
        reach = max(abs(value), 1.0) * 10
        out.add(
            f'    "reward_{i}": {{"value": {value!r}, "low": {-reach!r}, '
            f'"high": {reach!r}}},'
        )
    out.add("}")
    for i in range(len(model.rewards)):
        out.add(f'REWARD_{i} = CONSTANTS["reward_{i}"]["value"]')
    out.add()


def _write_codec(
    out: _Writer,
    space: SpaceSpec,
    observed: tuple[Element, ...],
    digits: tuple[Digit, ...],
    names: dict[str, str],
) -> None:
    titles = [names[f"x{i}"] for i in range(len(digits))]
    out.add("\n\ndef decode(observation):")
    out.add('    """Returns the digits of an observation."""')
    for title, digit in zip(titles, digits, strict=True):
        text = _read_element(space, observed[digit.element])
        if digit.radix:
            inner = f"({text} - {digit.offset})" if digit.offset else text
            over = f" // {digit.divisor}" if digit.divisor > 1 else ""
            text = f"{inner}{over} % {digit.radix}"
        out.add(f"    {title} = {text}")
    out.add(f"    return {', '.join(titles)}{',' if len(titles) == 1 else ''}")
    out.add(f"\n\ndef encode({', '.join(titles)}):")
    out.add('    """Returns the observation with these digits."""')
    values = [
        _join_digits(
            observed[e],
            [(titles[i], d) for i, d in enumerate(digits) if d.element == e],
        )
        for e in range(len(observed))
    ]
    out.add(f"    return {_build(space, observed, values, '')}")


def _read_element(space: SpaceSpec, element: Element) -> str:
    text = "observation"
    current = space
    for key in element.path.split("/") if element.path else []:
        if isinstance(current, TupleSpec):
            text, current = f"{text}[{int(key)}]", current.members[int(key)]
        elif isinstance(current, DictSpec):
            text, current = f"{text}[{key!r}]", dict(current.members)[key]
    if element.index is None:
        return f"int({text})"
    return f"int(np.ravel({text})[{element.index}])"


def _join_digits(element: Element, members: list[tuple[str, Digit]]) -> str:
    if len(members) == 1 and not members[0][1].radix:
        return members[0][0]
    terms = [f"{name} * {d.divisor}" if d.divisor > 1 else name for name, d in members]
    if element.low:
        terms.append(str(element.low))
    return " + ".join(terms)


def _build(
    space: SpaceSpec, observed: tuple[Element, ...], values: list[str], path: str
) -> str:
    """Returns the expression of a value of `space` from its elements' expressions."""

    def inner(member: SpaceSpec, key: str) -> str:
        return _build(member, observed, values, f"{path}/{key}" if path else key)

    match space:
        case TupleSpec(members=members):
            texts = [inner(member, str(i)) for i, member in enumerate(members)]
            return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
        case DictSpec(members=named):
            return (
                "{"
                + ", ".join(f"{k!r}: {inner(member, k)}" for k, member in named)
                + "}"
            )
    mine = [v for v, e in zip(values, observed, strict=True) if e.path == path]
    match space:
        case MultiDiscreteSpec():
            return f"np.array([{', '.join(mine)}], dtype=np.int64)"
        case BoxSpec(shape=shape, dtype=dtype):
            kind = np.dtype(dtype).name
            return f'np.array([{", ".join(mine)}]).astype("{kind}").reshape({shape!r})'
        case DiscreteSpec():
            return mine[0]
    raise ValueError(f"Leaf {path!r} must be integer-like.")


def _write_init(out: _Writer, *, draws: bool) -> None:
    """Writes the class up to `step`; only a program that draws has a generator."""
    out.add("\n\nclass Environment:")
    out.add('    """Predicts one step from an observation and an action."""\n')
    out.add("    def __init__(self):")
    out.add("        self.state = None")
    if draws:
        out.add("        self.rng = np.random.default_rng(0)")
    out.add("\n    def set_state(self, observation):")
    out.add("        self.state = observation\n")


def _write_step(
    out: _Writer, model: Model, expressions: Expressions, acted: tuple[Element, ...]
) -> None:
    names = expressions.names
    digits = [part.target for part in model.parts if part.target.startswith("x")]
    digits.sort(key=lambda target: int(target[1:]))
    titles = [names[target] for target in digits]
    comma = "," if len(titles) == 1 else ""
    out.add("    def step(self, action):")
    out.add(f"        {', '.join(titles)}{comma} = decode(self.state)")
    _write_action(out, len(acted), acted)
    if any(LEGAL in features_of_part(part) for part in model.parts):
        out.add("legal = int(action in self.legal_actions())", indent=8)
    for move in _read_moves(model):
        first = len(out.lines)
        text = expressions.shift(move)
        out.add(f"moved_{names[move.feature]} = {text}", indent=8)
        out.span(f"moved:{move.feature}", first)
    for index, relation in enumerate(model.relations):
        text = expressions.relation(relation, index)
        out.add(f"{names[f'rel:{index}']} = {text}", indent=8)
    for part in ordered_parts(model):
        first = len(out.lines)
        _write_part(out, part, expressions)
        out.span(part.target, first)
    nexts = ", ".join(f"next_{title}" for title in titles)
    out.add(f"self.state = encode({nexts})", indent=8)
    reward = names[REWARD]
    out.add(f"return self.state, float({reward}), bool(terminated)", indent=8)


def _read_moves(model: Model) -> list[Shift]:
    """Returns the moves that some part or relation reads."""
    read = {name for part in model.parts for name in features_of_part(part)}
    read.update(name for relation in model.relations for name in relation.features)
    bases = [part.base for part in model.parts]
    return [m for m in model.moves if m in bases or f"moved:{m.feature}" in read]


def _write_action(out: _Writer, count: int, acted: tuple[Element, ...]) -> None:
    if count == 1 and acted[0].index is None:
        out.add("action = int(action)", indent=8)
        return
    for i, name in enumerate(action_names(count)):
        out.add(f"{name} = int(np.ravel(action)[{i}])", indent=8)


def _write_part(out: _Writer, part: Part, expressions: Expressions) -> None:
    """Writes how one target comes about: its base, then rules as if / elif."""
    title = expressions.target_name(part.target)
    out.add(
        f"# {expressions.names[part.target]}: {part.family}, "
        f"{_count(len(part.rules), 'rule')}; explains {part.accuracy:.4f} of the data.",
        indent=8,
    )
    merged = _single_table(part)
    if merged is not None:
        out.add(f"{title} = {expressions.outcome(merged, part.target)}", indent=8)
        return
    if not part.rules:
        out.add(f"{title} = {expressions.outcome(part.base, part.target)}", indent=8)
        return
    for index, rule in enumerate(part.rules):
        word = "elif" if index else "if"
        out.add(f"{word} {expressions.condition(rule, part.target)}:", indent=8)
        out.add(f"{title} = {_rule_value(rule, part.target, expressions)}", indent=12)
    out.add("else:", indent=8)
    out.add(f"{title} = {expressions.outcome(part.base, part.target)}", indent=12)


def _rule_value(rule: Rule, target: str, expressions: Expressions) -> str:
    if isinstance(rule.outcome, Lookup):
        return expressions.item(rule.outcome, target)
    return expressions.outcome(rule.outcome, target)


def _single_table(part: Part) -> Lookup | None:
    """Returns base and only rule as one table with a default, where that is all."""
    if len(part.rules) != 1 or part.rules[0].conditions:
        return None
    outcome = part.rules[0].outcome
    if not isinstance(outcome, Lookup) or not isinstance(part.base, Constant | Feature):
        return None
    return msgspec.structs.replace(outcome, default=part.base)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
