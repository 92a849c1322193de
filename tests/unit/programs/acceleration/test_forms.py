"""Array and compiled forms of programs: each equals the program that it is of."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.core.spaces import BoxSpec, SpaceSpec
from cwm.programs.acceleration.compiled import compiled
from cwm.programs.acceleration.symbols import NoFastForm
from cwm.programs.acceleration.vectorised import vectorised
from cwm.programs.kernels import KERNEL, compile_kernel, kernel_of
from tests.support.fast_programs import (
    CART,
    LINE,
    MOVES,
    PLACES,
    PUSH,
    drawn,
    fast,
    load,
    program,
    steps,
    traced,
)

RETURN = "return np.array([x, v]), r, bool(t)"
START = "x, v = self.s\na = float(action[0])\nr, t = 0.0, False"

NUMERIC = {
    "a branch that sets several variables": f"""
{START}
if x > 0:
    x, r = x - v, 2.0
elif v > 0.5:
    v = -v
else:
    r = a
    t = v < -1.0
{RETURN}""",
    "a return in the middle": f"""
{START}
if x > 1.0:
    return np.array([x, 0.0]), -1.0, True
if v > 1.0:
    return np.array([0.0, v]), 1.0, False
x = x + v
{RETURN}""",
    "a loop that values end": f"""
{START}
while x > math.pi:
    x = x - 2 * math.pi
while x < -math.pi:
    x = x + 2 * math.pi
{RETURN}""",
    "a long loop with break": f"""
{START}
for _ in range(200):
    x = x - 0.1 * math.sin(x) * v
    if abs(x) < 0.2:
        r = 1.0
        break
    v = 0.99 * v
{RETURN}""",
    "a loop over known things with continue and break": f"""
{START}
for k in (1.0, -2.0, 0.5):
    if x > k:
        continue
    r += k * v
    if r > 2.0:
        break
    x = x + 0.1 * k
{RETURN}""",
    "a function that returns on several paths": f"""
{START}
def side(value, far=2.0):
    if value > far:
        return 2
    if value > 0:
        return 1
    return 0
r = float(side(x) + 10 * side(v, far=0.5))
{RETURN}""",
    "lists whose length depends on values": f"""
{START}
parts = []
if x > 0:
    parts.append(x)
if v > 0:
    parts.append(2.0 * v)
if parts:
    r = float(np.sum(np.array(parts) ** 2))
{RETURN}""",
    "an array that is changed in place": f"""
{START}
m = np.eye(2)
m[0, 1] = x
m[1] += v
view = m[:, 0]
view[0] = 3.0
b = np.linalg.solve(m.T @ m + np.eye(2), np.array([a, 1.0]))
x, v = b[0], float(b[1] + m[0, 0])
{RETURN}""",
    "and, or, chains and conditional expressions": f"""
{START}
t = 0 < x < 1 or (v > 0 and not a > 1)
r = 1.0 if t and x > v else min(max(x, -1.0), v)
{RETURN}""",
    "a table at a place that is not known": f"""
{START}
k = int(abs(x)) % 4
r = [1.0, -1.0, 0.5, 4.0][k] + self.table[k]
t = self.name[k] == 'b' or k in (0, 3)
{RETURN}""",
    "remainders of what is within its period, and of what is not": f"""
{START}
r = (x + math.pi) % (2 * math.pi) - math.pi + math.fmod(v, 0.7)
x, v = x % 1.5, (2.0 * x) % -1.5 + x % v
{RETURN}""",
    "numbers of 32 bits": f"""
{START}
f = np.float32(x)
r = float(f * np.float32(0.1) + 0.2)
x = float(np.array([x, v], dtype=np.float32)[0] * f)
{RETURN}""",
}
WHOLE = {
    "a grid with walls": """
row, col = divmod(self.s, 4)
r = -1
if action == 0:
    col = min(col + 1, 3)
elif action == 1 and (row, col) not in self.walls:
    row = max(row - 1, 0)
else:
    r = -10
return row * 4 + col, r, bool((row, col) == (0, 3))""",
    "moves in a dict, and a list that knows a place": """
d = {0: 1, 1: -1, 2: 4}[action]
s = (self.s + d) % 12
found = self.goals.index(s) if s in self.goals else -1
return s, float(found), found == 1""",
}
EXTRA = (
    "self.table = np.array([0.5, 0.25, -0.5, 2.0])\nself.name = 'abcb'\n"
    "self.walls = {(1, 1), (2, 3)}\nself.goals = [7, 3]"
)
CASES: list[tuple[str, str, SpaceSpec, SpaceSpec]] = [
    *((n, program(t, extra=EXTRA), LINE, PUSH) for n, t in NUMERIC.items()),
    *((n, program(t, extra=EXTRA), PLACES, MOVES) for n, t in WHOLE.items()),
    ("a program with all of it", CART, LINE, PUSH),
]
by_name = pytest.mark.parametrize(
    ("source", "observations", "actions"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)


def assert_equal(found: object, wanted: object) -> None:
    for got, want in zip(found, wanted, strict=True):  # type: ignore[call-overload]
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


@by_name
def test_the_array_form_equals_single_steps(
    source: str, observations: SpaceSpec, actions: SpaceSpec
) -> None:
    rows = drawn(observations, actions)
    form = vectorised(traced(source, observations, actions))
    assert_equal(fast(source, form).step_batch(*rows), steps(source, *rows))


@by_name
def test_the_kernel_without_a_compiler_equals_single_steps(
    source: str, observations: SpaceSpec, actions: SpaceSpec
) -> None:
    rows = drawn(observations, actions, number=60)
    form = compiled(traced(source, observations, actions), replaces_step=True)
    environment = fast(source, form)
    wanted = steps(source, *rows)
    assert_equal(environment.step_batch(*rows), wanted)
    environment.set_state(rows[0][7])
    for got, want in zip(environment.step(rows[1][7]), wanted, strict=True):
        np.testing.assert_allclose(got, want[7], rtol=1e-12, atol=1e-12)


@pytest.mark.fast
@by_name
def test_the_compiled_kernel_equals_single_steps(
    source: str, observations: SpaceSpec, actions: SpaceSpec
) -> None:
    form = compiled(traced(source, observations, actions), replaces_step=False)
    text = f"{source}\n\nimport numpy as np\n\n{form}\n\nEnvironment = Fast\n"
    kernel = compile_kernel(
        kernel_of(text), observation_space=observations, action_space=actions
    )
    names = load(text)
    names[KERNEL] = kernel
    rows = drawn(observations, actions)
    found = names["Environment"]().step_batch(*rows)
    assert_equal(found, steps(source, *rows))


ENDS = [0.0, -0.0, 0.7, -0.7, 1.4, -1.4, 1e-320, -1e-320, 0.7 - 1e-16, 1e300, np.nan]


def test_remainders_are_the_same_to_the_bit_at_the_ends_of_their_period() -> None:
    source = program(
        "x, v = self.s\nreturn np.array([np.mod(x, 0.7), np.fmod(v, 0.7)]), 0.0, False"
    )
    states = np.stack([ENDS, ENDS], axis=1)
    form = compiled(traced(source, LINE, PUSH), replaces_step=False)
    assert "if 0.0 < s0 < 0.7 else" in form
    following, _, _ = fast(source, form).step_batch(states, np.zeros((len(ENDS), 1)))
    wanted = np.stack([np.mod(ENDS, 0.7), np.fmod(ENDS, 0.7)], axis=1)
    assert following.tobytes() == wanted.tobytes()


ANGLE = program(
    "return np.array([math.sin(self.angle), np.cos(self.angle)]), self.angle, False",
    state=(
        "c, s = np.asarray(state, dtype=np.float64)\n"
        "self.angle = float(np.arctan2(s, c))"
    ),
)


@pytest.mark.parametrize(
    "form", [vectorised, lambda t: compiled(t, replaces_step=False)]
)
def test_the_sine_of_an_angle_that_was_made_from_it_is_not_computed(
    form: object,
) -> None:
    directions = BoxSpec((2,), "float32")
    circle = np.linspace(-np.pi, np.pi, 101)
    ends = [(0.0, 0.0), (1.0, 0.0), (-1.0, 0.0), (0.0, 3.0), (3e38, 3e38), (1e-45, 0.0)]
    states = np.vstack([np.stack([np.cos(circle), np.sin(circle)], axis=1), ends])
    states = states.astype(np.float32)
    text = form(traced(ANGLE, directions, PUSH))  # type: ignore[operator]
    assert "np.arctan2(" in text
    assert "np.sin(" not in text
    assert "np.cos(" not in text
    rows = states, np.zeros((len(states), 1))
    following, angles, _ = fast(ANGLE, text).step_batch(*rows)
    wanted = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    np.testing.assert_allclose(following, wanted.astype(np.float32), rtol=0, atol=1e-7)
    np.testing.assert_allclose(angles, steps(ANGLE, *rows)[1], rtol=1e-15)


def test_squares_that_may_not_exist_are_not_taken() -> None:
    assert "np.sin(" in vectorised(traced(ANGLE, LINE, PUSH))


def test_inputs_stay_as_they_are() -> None:
    states, actions = drawn(LINE, PUSH)
    copies = states.copy(), actions.copy()
    fast(CART, vectorised(traced(CART, LINE, PUSH))).step_batch(states, actions)
    np.testing.assert_array_equal(states, copies[0])
    np.testing.assert_array_equal(actions, copies[1])


def test_what_always_holds_is_not_computed() -> None:
    """The count of steps begins at 0, so that the time limit is never reached."""
    form = vectorised(traced(CART, LINE, PUSH))
    assert "200" not in form
    assert "random" not in form


@pytest.mark.parametrize(
    "form", [vectorised, lambda t: compiled(t, replaces_step=False)]
)
def test_rows_that_raise_make_the_batch_raise(form: object) -> None:
    source = program(
        "if action > 1:\n    raise ValueError('no such move')\n"
        "return self.s, 0.0, False"
    )
    environment = fast(source, form(traced(source, PLACES, MOVES)))  # type: ignore[operator]
    good, bad = np.array([0, 1, 1]), np.array([0, 2, 1])
    assert environment.step_batch(good, good)[0].tolist() == [0, 1, 1]
    with pytest.raises(ValueError, match="no such move"):
        environment.step_batch(good, bad)


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ("x = list(range(int(action[0])))\n" + RETURN, "depends on values"),
        (f"{START}\nwhile True:\n    x = 1.0\n{RETURN}", "does not end"),
        (
            f"{START}\nparts = np.array([x, v])\nr = np.array([1, 2])[parts]\n{RETURN}",
            "picked by values",
        ),
        (f"{START}\nif x > 0:\n    y = 1.0\nr = y\n{RETURN}", "not set on every path"),
        (f"{START}\nr = np.sort(np.array([x, v]))[0]\n{RETURN}", "sort"),
        ("return self.s, 0.0", "three values"),
    ],
)
def test_what_has_no_fast_form_is_said_to_have_none(step: str, reason: str) -> None:
    with pytest.raises(NoFastForm, match=reason):
        traced(program(step), LINE, PUSH)


_NUMBERS = st.sampled_from(["x", "v", "a", "0.5", "-2.0", "3", "math.pi"])


def _expressions(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(parts, parts)
    return st.one_of(
        st.builds("({0[0]} {1} {0[1]})".format, pair, st.sampled_from("+-*")),
        st.builds(
            "{1}({0})".format,
            parts,
            st.sampled_from(["math.sin", "np.cos", "abs", "np.tanh", "float", "-"]),
        ),
        st.builds(
            "{1}({0[0]}, {0[1]})".format,
            pair,
            st.sampled_from(["min", "max", "np.minimum", "np.arctan2"]),
        ),
        st.builds("({0[0]} if {1} > {0[1]} else {1})".format, pair, parts),
        st.builds("({0}) ** 2".format, parts),
    )


@settings(max_examples=60, deadline=None)
@given(
    expressions=st.lists(
        st.recursive(_NUMBERS, _expressions, max_leaves=12), min_size=3, max_size=3
    )
)
def test_any_arithmetic_is_the_same_over_rows(expressions: list[str]) -> None:
    first, second, reward = expressions
    source = program(
        f"{START}\nx, v = {first}, {second}\nif x > v:\n    r = {reward}\n"
        "else:\n    t = a > 0\n" + RETURN
    )
    rows = drawn(LINE, PUSH, number=30)
    form = vectorised(traced(source, LINE, PUSH))
    for got, want in zip(
        fast(source, form).step_batch(*rows), steps(source, *rows), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
