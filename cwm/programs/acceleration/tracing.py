"""A program's `set_state` and `step`, run once with symbols for state and action."""

import ast
from dataclasses import dataclass
from typing import Any

import numpy as np

from cwm.core.spaces import BoxSpec, DiscreteSpec, MultiDiscreteSpec, SpaceSpec
from cwm.programs.acceleration.arrays import Row
from cwm.programs.acceleration.functions import to_bool, to_float
from cwm.programs.acceleration.interpreter import Interpreter
from cwm.programs.acceleration.moving import store_where_made
from cwm.programs.acceleration.symbols import KINDS, Graph, NoFastForm, cast, kind_of
from cwm.programs.acceleration.world import imported
from cwm.programs.program import ENTRY_POINT


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How one observation or action is stored in an array.

    Attributes:
        kind: Kind of its numbers; see `symbols.KINDS`.
        shape: Shape of one; empty for a number.
        is_number: Whether the program is given a plain integer.
    """

    kind: str
    shape: tuple[int, ...] = ()
    is_number: bool = False

    @property
    def size(self) -> int:
        """How many numbers one has."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def dtype(self) -> str:
        """NumPy's name of its type."""
        return np.dtype(KINDS[self.kind]).name


def layout_of(space: SpaceSpec) -> Layout:
    """Returns how values of a space are stored.

    Raises:
        NoFastForm: If they are no rows of an array of usual numbers.
    """
    match space:
        case DiscreteSpec():
            return Layout(kind="i", is_number=True)
        case MultiDiscreteSpec(num_values=counts):
            return Layout(kind="i", shape=(len(counts),))
        case BoxSpec(shape=shape, dtype=dtype):
            for kind, known in KINDS.items():
                if np.dtype(known) == np.dtype(dtype):
                    return Layout(kind=kind, shape=tuple(shape))
    raise NoFastForm(f"values of {type(space).__name__} are no rows of usual numbers")


@dataclass(frozen=True, kw_only=True)
class Traced:
    """What a step computes.

    Attributes:
        graph: The operations.
        observation: The numbers of the next observation, flat.
        reward: The reward.
        terminated: Whether it is terminal.
        state_layout: How states are stored.
        action_layout: How actions are stored.
    """

    graph: Graph
    observation: list[Any]
    reward: Any
    terminated: Any
    state_layout: Layout
    action_layout: Layout


def trace(
    source: str,
    namespace: dict[str, Any],
    *,
    observation_space: SpaceSpec,
    action_space: SpaceSpec,
) -> Traced:
    """Returns what a step of a program computes.

    Runs the program's own `__init__`: call it where the program may run.

    Args:
        source: The program.
        namespace: What it defined when it was executed.
        observation_space: Space of its observations.
        action_space: Space of its actions.

    Raises:
        NoFastForm: If that depends on what cannot be followed.
    """
    layouts = layout_of(observation_space), layout_of(action_space)
    try:
        return _traced(source, namespace, layouts, may_split=False)
    except NoFastForm as error:
        try:
            return _traced(source, namespace, layouts, may_split=True)
        except (NoFastForm, ArithmeticError, LookupError, TypeError, ValueError):
            # Followed one way each, lists may be empty where they never are.
            raise error from None


def _traced(
    source: str,
    namespace: dict[str, Any],
    layouts: tuple[Layout, Layout],
    *,
    may_split: bool,
) -> Traced:
    state_layout, action_layout = layouts
    interpreter = Interpreter(ast.parse(source), namespace)
    interpreter.may_split = may_split
    thing = imported(namespace[ENTRY_POINT](), {})
    # What is around the whole run: the instance, and names at module level.
    interpreter.frames.append({"*thing": thing})
    interpreter.scopes.append(())
    graph = interpreter.graph
    state = _input(graph, "states", state_layout)
    action = _input(graph, "actions", action_layout)
    try:
        interpreter.call(interpreter._of_thing(thing, "set_state"), [state], {})
        result = interpreter.call(interpreter._of_thing(thing, "step"), [action], {})
    except RecursionError as error:
        raise NoFastForm("Functions call each other too deeply.") from error
    if isinstance(result, tuple) and len(result) == 4:
        result = (result[0], *result[2:])
    if not isinstance(result, tuple) or len(result) != 3:
        raise NoFastForm("step returns something else than three values.")
    observation = Row.of(result[0], state_layout.kind)
    if observation.size != max(1, state_layout.size):
        raise NoFastForm("The next observation has another size.")
    store_where_made(graph)
    return Traced(
        graph=graph,
        observation=[_number(v, state_layout.kind) for v in observation.data.flat],
        reward=to_float(result[1]),
        terminated=to_bool(result[2]),
        state_layout=state_layout,
        action_layout=action_layout,
    )


def _number(value: Any, kind: str) -> Any:
    if not kind_of(value):
        raise NoFastForm("The next observation is not set on every path.")
    return cast(value, kind)


def _input(graph: Graph, name: str, layout: Layout) -> Any:
    if layout.is_number:
        symbol = graph.fresh("input", (name, None), layout.kind)
        symbol.weak = True
        return symbol
    data = np.empty((layout.size,), object)
    for position in range(layout.size):
        data[position] = graph.fresh("input", (name, position), layout.kind)
    return Row(data.reshape(layout.shape), layout.kind)
