"""Writes `step_batch` into the source of an induced program.

The array form is a rewriting of `step` itself, statement by statement, so that it
cannot say anything else: `if` becomes `np.where` or `np.select`, `and` becomes `&`,
tables are read as arrays. What has no such form (draws, text, nested observations)
raises `NoArrayForm`.
"""

import ast
from collections.abc import Iterator

import numpy as np

from cwm.core.spaces import BoxSpec, DiscreteSpec, MultiDiscreteSpec, SpaceSpec
from cwm.proposers.symbolic.step_batch.body import BodyWriter
from cwm.proposers.symbolic.step_batch.expressions import Input, Translator
from cwm.proposers.symbolic.step_batch.tables import AS_ARRAY, Table, TableArrays
from cwm.proposers.symbolic.step_batch.values import NoArrayForm, Value

_HEADER = '''\
    def step_batch(self, states, actions):
        """Takes a step in each of N states; equal to N times `step`."""'''


def add_step_batch(
    source: str, *, observation_space: SpaceSpec, action_space: SpaceSpec
) -> tuple[str, int]:
    """Returns a program with `step_batch`, and by how many lines `step` moved down.

    Args:
        source: A program by one of the renderers of this package.
        observation_space: Space of its observations.
        action_space: Space of its actions.

    Raises:
        NoArrayForm: If something in it has no array form.
    """
    module = ast.parse(source)
    functions = {n.name: n for n in module.body if isinstance(n, ast.FunctionDef)}
    environment = next(n for n in module.body if isinstance(n, ast.ClassDef))
    methods = {n.name: n for n in environment.body if isinstance(n, ast.FunctionDef)}
    names, tables = _constants(module)
    translator = Translator(
        tables=TableArrays(tables=tables),
        names=names,
        inputs={
            "observation": _input("states", observation_space),
            "action": _input("actions", action_space),
        },
    )
    lines = source.splitlines()
    body = BodyWriter(
        translator=translator,
        functions=functions,
        methods=methods,
        comments=dict(_comments(lines)),
    )
    step = methods["step"]
    body.write(step)
    arrays = [f"    {line}" for line in translator.tables.lines()]
    if arrays:
        arrays = ["    # The tables as arrays, for step_batch.", *arrays, ""]
    written = ["", *arrays, _HEADER, *_conversions(translator), *body.lines]
    helper = [*AS_ARRAY.strip("\n").split("\n"), "", ""] if arrays else []
    before, end = environment.lineno - 1, step.end_lineno
    lines = [*lines[:before], *helper, *lines[before:end], *written, *lines[end:]]
    return "\n".join(lines) + "\n", len(helper)


def _input(name: str, space: SpaceSpec) -> Input:
    match space:
        case BoxSpec(shape=shape, dtype=dtype):
            low, high = space.bounds()
            return Input(
                name=name,
                dtype=np.dtype(dtype).name,
                shape=shape,
                low=tuple(low.tolist()),
                high=tuple(high.tolist()),
            )
        case DiscreteSpec(num_values=number, start=start):
            ends = (float(start),), (float(start + number - 1),)
            return Input(name=name, dtype="int64", shape=(), low=ends[0], high=ends[1])
        case MultiDiscreteSpec(num_values=counts):
            return Input(
                name=name,
                dtype="int64",
                shape=(len(counts),),
                low=(0.0,) * len(counts),
                high=tuple(float(count - 1) for count in counts),
            )
    raise NoArrayForm(f"Values of {space!r} are not rows of an array.")


def _conversions(translator: Translator) -> Iterator[str]:
    """Yields the lines that bring inputs into the form in which they are read."""
    for name, kind in translator.reads.items():
        given = translator.inputs[name]
        text = given.name
        if len(given.shape) > 1:
            text += f".reshape(len({given.name}), -1)"
        wanted = "int64" if kind is int else "float64"
        if given.dtype != wanted:
            text += f".astype(np.{wanted})"
        if text != given.name:
            yield f"        {given.name} = {text}"


def _comments(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yields lines that are comments, how well a part fits left out, or empty."""
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.strip().startswith("#"):
            yield number, line.split(";")[0].rstrip()


def _constants(module: ast.Module) -> tuple[dict[str, Value], dict[str, Table]]:
    """Returns the numbers and the tables that are defined at module level."""
    names: dict[str, Value] = {}
    tables: dict[str, Table] = {}
    for statement in module.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript()):
                names[name] = Value(node=ast.Name(name), kind="float", is_array=False)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict() as value):
                table = _table(name, list(value.keys), value.values, names)
                tables.update({name: table} if table else {})
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Set() as value):
                table = _table(name, list(value.elts), [], names)
                tables.update({name: table} if table else {})
    return names, tables


def _table(
    name: str,
    keys: list[ast.expr | None],
    values: list[ast.expr],
    names: dict[str, Value],
) -> Table | None:
    """Returns a table, if its keys are integers and its values numbers."""
    found: list[tuple[int, ...]] = []
    translator = Translator(tables=TableArrays(), names=dict(names))
    try:
        for key in keys:
            literal = ast.literal_eval(key) if key is not None else None
            parts = literal if isinstance(literal, tuple) else (literal,)
            if not all(type(part) is int for part in parts):
                return None
            found.append(parts)
        numbers = tuple(translator.translate(value) for value in values)
    except (NoArrayForm, ValueError):
        return None
    return Table(name=name, keys=tuple(found), values=numbers)
