"""Writes corrections behind a program: its text stays, and a class over its class.

The text of the law is never changed. What is appended says so in its first line, and
`law_of` cuts it off again.
"""

import ast
from collections.abc import Sequence

from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    SpaceSpec,
    TextSpec,
    TupleSpec,
)
from cwm.programs.program import ENTRY_POINT
from cwm.programs.residual.learning import Correction
from cwm.programs.residual.report import ResidualTerm

MARK = "# Learned residual, not law."
"""First line of what is appended."""

_HEAD = f"""{MARK} The program above is the law, as it was. These terms
# were learned from recorded transitions that it gets wrong, and each set others right
# that it was not learned from.
"""

_ARRAY_STEP = """
    def step(self, action):
        before = self.residual_before
        {names} = {law}.step(self, action)
        predicted = np.array(observation, dtype=np.{dtype})
        after, reward, terminated = {function}(
            before,
            {action},
            predicted.astype(np.float64),
            reward,
            terminated,
        )
        observation = after.astype(np.{dtype})
        if np.any(observation != predicted):
            # The next step goes on from what was corrected.
            {law}.set_state(self, observation.copy())
        self.residual_before = observation.astype(np.float64)
        return {returned}
"""

_OTHER_STEP = """
    def step(self, action):
        before = self.residual_before
        {names} = {law}.step(self, action)
        self.residual_before = {kept}
        _, reward, terminated = {function}(
            before,
            {action},
            self.residual_before,
            reward,
            terminated,
        )
        return {returned}
"""

_ARRAY_BATCH = """
    def step_batch(self, states, actions):
        before = {before}
        observations, rewards, terminated = {law}().step_batch(states, actions)
        predicted = np.array(observations, dtype=np.{dtype})
        after, rewards, terminated = {function}(
            before,
            {actions},
            predicted.astype(np.float64),
            rewards,
            terminated,
        )
        rewards = np.asarray(rewards, dtype=np.float64)
        return after.astype(np.{dtype}), rewards, np.asarray(terminated, dtype=bool)
"""

_OTHER_BATCH = """
    def step_batch(self, states, actions):
        before = {before}
        observations, rewards, terminated = {law}().step_batch(states, actions)
        _, rewards, terminated = {function}(
            before,
            {actions},
            {observations},
            rewards,
            terminated,
        )
        rewards = np.asarray(rewards, dtype=np.float64)
        return observations, rewards, np.asarray(terminated, dtype=bool)
"""


def law_of(source: str) -> str:
    """Returns a program without its residual; as it is if it has none."""
    law, mark, _ = f"\n{source}".rpartition(f"\n{MARK}")
    return f"{law[1:].rstrip()}\n" if mark else source


def with_residual(
    source: str,
    corrections: Sequence[Correction],
    terms: Sequence[ResidualTerm],
    *,
    observation_space: SpaceSpec,
    action_space: SpaceSpec,
    has_actions: bool = False,
) -> str:
    """Returns a program with corrections behind it.

    Args:
        source: The law.
        corrections: One operation each, in the order in which they are made.
        terms: What each is worth.
        observation_space: Of the program's observations.
        action_space: Of its actions.
        has_actions: Whether `step` may return legal actions in second place.
    """
    names = {
        name: _free(name, source) for name in ("Law", "RESIDUAL", "apply_residual")
    }
    is_nested = isinstance(observation_space, TupleSpec | DictSpec)
    imports = ("import copy\n" if is_nested else "") + "import numpy as np\n"
    parts = [
        f"{source.rstrip()}\n",
        f"{_HEAD}{imports}\n{_table(corrections, terms, names['RESIDUAL'])}",
        _function(corrections, names, _dtype(observation_space)),
        f"{names['Law']} = {ENTRY_POINT}\n",
        _class(
            source,
            names,
            observation_space,
            action_space,
            corrects=any(one.part.before for one in corrections),
            has_actions=has_actions,
        ),
    ]
    return "\n\n".join(parts)


def _free(name: str, source: str) -> str:
    while name in source:
        name += "_"
    return name


def _keys(corrections: Sequence[Correction]) -> list[str]:
    counts: dict[str, int] = {}
    keys = []
    for one in corrections:
        counts[one.part.name] = counts.get(one.part.name, 0) + 1
        keys.append(f"{one.part.name} {counts[one.part.name]}")
    return keys


def _numbers(one: Correction) -> list[float]:
    """Returns the constants of a correction, its own before those of its region."""
    (operation,) = one.operations
    own = () if one.part.is_flag else operation.numbers
    return [*own, *(c.value for c in one.region.comparisons)]


def _table(
    corrections: Sequence[Correction], terms: Sequence[ResidualTerm], name: str
) -> str:
    lines = [f"{name} = {{"]
    for key, one, term in zip(_keys(corrections), corrections, terms, strict=True):
        lines += [f"    # {term.sentence()}", f'    "{key}": {_numbers(one)!r},']
    return "\n".join([*lines, "}\n"])


def _function(
    corrections: Sequence[Correction], names: dict[str, str], dtype: str
) -> str:
    lines = [
        f"def {names['apply_residual']}(before, action, law, reward, terminated):",
        '    """Returns what the law predicts, corrected: of one step or of many."""',
    ]
    corrects = any(one.part.before for one in corrections)
    lines.append(f"    after = {'law.copy()' if corrects else 'law'}")
    for key, one in zip(_keys(corrections), corrections, strict=True):
        if corrects and not one.part.before:
            # What reads the next observation reads it as it is shown.
            lines.append(f"    after = after.astype(np.{dtype}).astype(np.float64)")
            corrects = False
        lines.append(f'    c = {names["RESIDUAL"]}["{key}"]')
        lines.append(f"    {one.part.target} = {_value(one)}")
    return "\n".join([*lines, "    return after, reward, terminated\n"])


def _value(one: Correction) -> str:
    (operation,) = one.operations
    new = operation.code(one.part, "c")
    if not one.region.comparisons:
        return new
    first = 0 if one.part.is_flag else len(operation.numbers)
    tests = [
        f"{one.elements[test.element].code} {test.sign} c[{first + place}]"
        for place, test in enumerate(one.region.comparisons)
    ]
    test = tests[0] if len(tests) == 1 else f"({tests[0]}) & ({tests[1]})"
    return f"np.where({test}, {new}, {one.part.target})"


def _class(
    source: str,
    names: dict[str, str],
    observation_space: SpaceSpec,
    action_space: SpaceSpec,
    *,
    corrects: bool,
    has_actions: bool,
) -> str:
    dtype = _dtype(observation_space)
    rest = "*legal, " if has_actions else ""
    fields = {
        "law": names["Law"],
        "function": names["apply_residual"],
        "names": f"observation, {rest}reward, terminated",
        "returned": f"observation, {rest}float(reward), bool(terminated)",
        "action": _numeric("action", action_space),
        "actions": _numeric("actions", action_space),
        "before": _numeric("states", observation_space),
        "observations": _numeric("observations", observation_space),
        "kept": _numeric("observation", observation_space, dtype=dtype),
        "dtype": dtype,
    }
    own = f"""class {ENTRY_POINT}({names["Law"]}):
    def set_state(self, observation):
        self.residual_before = {_numeric("observation", observation_space)}
        {names["Law"]}.set_state(self, observation)
"""
    step = (_ARRAY_STEP if corrects else _OTHER_STEP).format(**fields)
    return own + step + _batch(source, observation_space, fields, corrects=corrects)


def _dtype(space: SpaceSpec) -> str:
    return space.dtype if isinstance(space, BoxSpec) else ""


def _batch(
    source: str, space: SpaceSpec, fields: dict[str, str], *, corrects: bool
) -> str:
    """Returns `step_batch`, if the law has one."""
    if not _has_batch(source):
        return ""
    if isinstance(space, TupleSpec | DictSpec | TextSpec):
        return "\n    step_batch = None\n"
    return (_ARRAY_BATCH if corrects else _OTHER_BATCH).format(**fields)


def _has_batch(source: str) -> bool:
    return any(
        isinstance(node, ast.FunctionDef) and node.name == "step_batch"
        for node in ast.walk(ast.parse(source))
    )


def _numeric(name: str, space: SpaceSpec, *, dtype: str = "") -> str:
    """Returns the code of a value that the law cannot change any more.

    Args:
        name: Of the value.
        space: Of the value.
        dtype: What it is rounded to first; nothing if empty.
    """
    match space:
        case BoxSpec() | MultiDiscreteSpec():
            if dtype:
                return f"np.asarray({name}, dtype=np.{dtype}).astype(np.float64)"
            return f"np.array({name}, dtype=np.float64)"
        case DiscreteSpec() | TextSpec():
            return name
    return f"copy.deepcopy({name})"
