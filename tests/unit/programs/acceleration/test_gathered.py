"""Lists and arrays whose length values decide: their forms equal the program."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.core.spaces import BoxSpec
from cwm.programs.acceleration.compiled import compiled
from cwm.programs.acceleration.symbols import NoFastForm
from cwm.programs.acceleration.vectorised import vectorised
from cwm.programs.kernels import KERNEL, compile_kernel, kernel_of
from tests.support.fast_programs import (
    LINE,
    PUSH,
    drawn,
    fast,
    load,
    program,
    steps,
    traced,
)

PROGRAMS = Path(__file__).parents[4] / "benchmarks" / "data" / "model_written"
START = "x, v = self.s\na = float(action[0])\nr, t = 0.0, False"
RETURN = "return np.array([x, v]), r, bool(t)"
CONTACTS = """
rows, weights = [], []

def add(row, weight):
    rows.append(row)
    weights.append(weight)

for sign, gap in ((1.0, x - 1.0), (-1.0, -1.0 - x)):
    if gap > 0:
        add(np.array([sign, v * gap]), 1.0 + gap)
for place in range(3):
    depth = v - 0.5 * place
    if depth >= 0.5:
        continue
    for other in (1.0, 2.0):
        add(np.array([other + depth, a]), depth ** 2 + other)
"""
"""Collects rows under conditions, some of them two at a time."""

NEWTON = """
def solved(x):
    for _ in range(30):
        active = J @ x - 1.0 < 0
        Ja, Da = J[active], D[active]
        H = np.eye(2) + Ja.T @ (Da[:, None] * Ja)
        step = np.linalg.solve(H, x + Ja.T @ (Da * (Ja @ x - 1.0)))
        if np.array_equal(J @ (x - step) - 1.0 < 0, active):
            return x - step
        if np.sum(D * np.minimum(J @ x - 1.0, 0.0) ** 2) < 1e-9:
            break
        x = x - 0.5 * step
    return x
"""
"""An active set that changes from round to round, and a return within the loop."""

GATHERED = {
    "sums over rows": f"""
{START}{CONTACTS}
if rows:
    J, D = np.array(rows), np.array(weights)
    f = J.T @ (D * np.minimum(J @ np.array([x, v]) - 1.0, 0.0))
    x, r = x + f[0], f[1] + np.sum(D)
{RETURN}""",
    "an active set": f"""
{START}{CONTACTS}
if not rows:
    return np.array([x, v]), -1.0, False
J, D = np.array(rows), np.array(weights)
{NEWTON}
x, v = solved(np.array([x, v]))
{RETURN}""",
    "rows as tuples": f"""
{START}
rows = []
for place in range(4):
    if x > place - 2:
        rows.append((np.array([x, float(place)]), x * place))
if rows:
    J = np.array([row[0] for row in rows])
    size = np.array([row[1] for row in rows])
    r = float(np.sum(size)) + np.sum(J.T @ size)
{RETURN}""",
    "places": f"""
{START}
depths = np.array([x, v, x - v, x + v]) - 0.3
for place in np.where(depths < 0)[0]:
    r += place * depths[place]
    if depths[place] < -2:
        t = True
{RETURN}""",
    "a mask": f"""
{START}
parts = np.array([x, v, x * v])
r = parts[parts > 0].sum()
t = np.any(parts[parts > 1] > 3)
{RETURN}""",
    "places as an index": f"""
{START}
parts = np.array([x, v, x * v])
x = parts[np.flatnonzero(parts > 0.5)].sum()
{RETURN}""",
    "a list with conditions": f"""
{START}
near = [(p, p * v) for p in (x, x - 1.0, v) if abs(p) < 1.5]
r = len(near) + 0.5 * bool(near)
for p, q in near:
    v += q
{RETURN}""",
    "two lists side by side": f"""
{START}
some, others = [], []
for p in (x, v, a):
    if p > 0:
        some.append(p)
        others.append(p * p)
for p, q in zip(some, others):
    r += p * q
{RETURN}""",
    "a condition within a condition": f"""
{START}
rows = [np.array([1.0, x])]
if x > 0:
    if v > 0:
        rows.append(np.array([x * v, v]))
    else:
        rows.append(np.array([v, x / (1.0 + v * v)]))
        if a > 0:
            rows.append(np.array([a, a]))
x, v = np.array(rows).sum(axis=0)
{RETURN}""",
    "rows changed after they were added": f"""
{START}
rows, row = [], np.array([x, v])
if x > 0:
    rows.append(row.copy())
row += 1.0
if v > 0:
    rows.append(row)
if rows:
    r = np.sum(np.array(rows) @ np.array([1.0, 2.0]))
{RETURN}""",
    "a list that is taken up again in a loop": f"""
{START}
for _ in range(40):
    rows = []
    if x > 0:
        rows.append(x)
    if v > 0:
        rows.append(v)
    if rows:
        r += 0.01 * np.sum(np.array(rows))
    x, v = x - 0.1 * v, v + 0.1 * x
{RETURN}""",
}
by_name = pytest.mark.parametrize(
    "source", [program(step) for step in GATHERED.values()], ids=list(GATHERED)
)


def assert_equal(found: object, wanted: object) -> None:
    for got, want in zip(found, wanted, strict=True):  # type: ignore[call-overload]
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


@by_name
def test_the_array_form_equals_single_steps(source: str) -> None:
    rows = drawn(LINE, PUSH)
    form = vectorised(traced(source, LINE, PUSH))
    assert_equal(fast(source, form).step_batch(*rows), steps(source, *rows))


@by_name
def test_the_kernel_without_a_compiler_equals_single_steps(source: str) -> None:
    rows = drawn(LINE, PUSH)
    form = compiled(traced(source, LINE, PUSH), replaces_step=False)
    assert_equal(fast(source, form).step_batch(*rows), steps(source, *rows))


@pytest.mark.fast
def test_a_kernel_with_rows_is_compiled() -> None:
    source = program(GATHERED["an active set"])
    form = compiled(traced(source, LINE, PUSH), replaces_step=False)
    text = f"{source}\n\nimport numpy as np\n\n{form}\n\nEnvironment = Fast\n"
    names = load(text)
    names[KERNEL] = compile_kernel(
        kernel_of(text), observation_space=LINE, action_space=PUSH
    )
    rows = drawn(LINE, PUSH)
    found = names["Environment"]().step_batch(*rows)
    assert_equal(found, steps(source, *rows))


def test_a_row_is_stored_by_the_branch_that_makes_it() -> None:
    """Otherwise each of its numbers is a result of the branch, set on both ways."""
    step = f"{START}\nrows = []\n"
    for place in range(3):
        terms = " + ".join(f"np.sin(x + {place}.{n} * v)" for n in range(60))
        step += f"if x > {place}:\n    rows.append(np.array([{terms}, v]))\n"
    step += f"if rows:\n    r = np.sum(np.array(rows))\n{RETURN}"
    source = program(step)
    text = compiled(traced(source, LINE, PUSH), replaces_step=False)
    assert text.count("else:") == 1
    rows = drawn(LINE, PUSH, number=50)
    assert_equal(fast(source, text).step_batch(*rows), steps(source, *rows))


@pytest.mark.parametrize(
    "change",
    [("1] = 3.0", "1] = 2.0"), ("s0 > 1.0", "s0 > 1.5")],
    ids=["a number", "a condition"],
)
def test_a_kernel_that_errs_in_one_row_differs(change: tuple[str, str]) -> None:
    """Broken twins: what the comparison above is for."""
    source = program(GATHERED["rows as tuples"])
    form = compiled(traced(source, LINE, PUSH), replaces_step=False)
    rows = drawn(LINE, PUSH)
    assert change[0] in form
    twin = fast(source, form.replace(*change))
    with pytest.raises(AssertionError):
        assert_equal(twin.step_batch(*rows), steps(source, *rows))


COLLECTED = f"{START}\nrows = []\nif x > 0:\n    rows.append(x)\nif v > 0:\n" + (
    "    rows.append(v)\n"
)


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (f"r = np.sort(np.array(rows))[0]\n{RETURN}", "sort"),
        (f"r = np.array(rows)[0]\n{RETURN}", "One element"),
        (
            f"J = np.array(rows)\nr = np.sum(J[J > 1] * J[J > 2])\n{RETURN}",
            "several varying lengths",
        ),
        (f"r = np.sum(np.array([x, v]) @ np.array(rows))\n{RETURN}", "product"),
    ],
)
def test_what_rows_have_no_fast_form_for_is_said(step: str, reason: str) -> None:
    with pytest.raises(NoFastForm, match=reason):
        traced(program(COLLECTED + step), LINE, PUSH)


@pytest.mark.parametrize(
    "step",
    [
        "r = rows[0] if rows else 0.0",
        "r = float(x in rows)",
        "for n in range(len(rows)):\n    r += 1",
    ],
)
def test_where_rows_cannot_be_kept_each_way_is_followed(step: str) -> None:
    source = program(f"{COLLECTED}{step}\n{RETURN}")
    rows = drawn(LINE, PUSH)
    form = vectorised(traced(source, LINE, PUSH))
    assert_equal(fast(source, form).step_batch(*rows), steps(source, *rows))


_ROW = st.sampled_from(["x", "v * x", "a", "1.5", "x - v", "v"])
_TEST = st.sampled_from(["x > 0", "v < a", "x * v > 0.5", "abs(a) > 1", "True"])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(_TEST, _TEST, _ROW, _ROW), min_size=1, max_size=5),
    st.sampled_from(["J[:, 0] > 0.5", "J @ b < 1.0", "D >= 0.25"]),
)
def test_whatever_is_collected_equals_single_steps(
    collected: list[tuple[str, str, str, str]], mask: str
) -> None:
    lines = [START, "rows, weights, b = [], [], np.array([x, a])"]
    for outer, inner, first, second in collected:
        lines += [
            f"if {outer}:",
            f"    rows.append(np.array([{first}, {second}]))",
            f"    weights.append(({first}) ** 2)",
            f"    if {inner}:",
            f"        rows.append(np.array([{second}, 1.0]))",
            "        weights.append(0.5)",
        ]
    lines += [
        "if rows:",
        "    J, D = np.array(rows), np.array(weights)",
        f"    mask = {mask}",
        "    f = J[mask].T @ (D[mask] * (J[mask] @ b))",
        "    x, v, r = f[0], f[1] + len(rows), np.sum(np.maximum(J @ f, 0.0))",
        RETURN,
    ]
    source = program("\n".join("\n".join(lines).splitlines()))
    given_rows = drawn(LINE, PUSH, number=40)
    wanted = steps(source, *given_rows)
    made = traced(source, LINE, PUSH)
    for form in (vectorised(made), compiled(made, replaces_step=False)):
        assert_equal(fast(source, form).step_batch(*given_rows), wanted)


@pytest.mark.slow
def test_a_robot_with_contacts_equals_single_steps() -> None:
    """Its kernel without a compiler; joints at their limits and feet in the ground."""
    source = (PROGRAMS / "HalfCheetah.py").read_text(encoding="utf-8")
    spaces = BoxSpec((17,), "float64"), BoxSpec((6,), "float32")
    form = compiled(traced(source, *spaces), replaces_step=False)
    rng = np.random.default_rng(0)
    states = rng.normal(0.0, 0.5, (12, 17))
    states[:, 0] -= 0.2
    actions = rng.uniform(-1.0, 1.0, (12, 6)).astype(np.float32)
    found = fast(source, form).step_batch(states, actions)
    for got, want in zip(found, steps(source, states, actions), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)
