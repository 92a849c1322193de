import pytest

from cwm.programs.constants.lifting import lifted_holes


def names(source: str) -> list[str]:
    return [hole.name for hole in lifted_holes(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("self.gravity = 9.8", ["gravity"]),
        ("G: float = 9.8", ["G"]),
        ("def __init__(self, mass=1.5, *, length=0.5): pass", ["mass", "length"]),
        ("forces = [-1.0, 0.0, 1.0]", ["forces[0]", "forces[2]"]),
        ("p = np.array([0.5, 1.5])", ["p[0]", "p[1]"]),
        ("p = {'g': 9.8, 'm': 2.5}", ["p['g']", "p['m']"]),
        ("limit = 12 * 2 * math.pi / 360", ["limit"]),
        ("top_speed = 4 * np.pi", ["top_speed"]),
        ("limit = math.radians(12.0)", ["limit"]),
        ("y = x * 0.5 + 4.0 / 3.0", ["0.5 (line 1)", "1.33333 (line 1)"]),
        ("force = 10\ny = force * x", ["force"]),
        ("limit = 10\nif x < limit: pass", ["limit"]),
        ("def f(): return x, -10, False", ["reward"]),
        ("step_reward = -1\nr = step_reward", ["step_reward"]),
    ],
)
def test_quantities_are_lifted(source: str, expected: list[str]) -> None:
    assert names(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "zero = 0.0",
        "y = x ** 2.0",
        "y = x % 1.5",
        "y = x // 0.5",
        "y = table[3]",
        "y = np.zeros(3.0)",
        "y = np.round(x, 2.0)",
        "if x == 1.5: pass",
        "y = x + 1e-9",
        "for i in range(10): pass",
        "y = np.random.uniform(-0.6, -0.4)",
        "y = (x + np.pi) % (2 * np.pi)",
        "turn = 2 * np.pi",
        "y = x - 2 * math.pi",
        "y = f'{x + 0.5}'",
        "assert x < 2.5",
        "def reset(self): x = 1.5",
        "y = np.sum(x, axis=1.0)",
        "is_open = True",
        "y = 3 * x",
        "n = 3\ny = table[n]",
        "n = 3\nfor i in range(n): pass",
        "steps = 500\nsteps += 1\ny = steps * x",
        "period = 1.5\ny = x % period",
        "n_rows = 4\nrow = min(row, n_rows - 1)",
        "max_episode_steps = 500\ndone = steps >= max_episode_steps",
        "match x:\n    case 1.5: pass",
        "CONSTANTS = {'g': {'value': 9.8, 'low': 1.5, 'high': 20.0}}",
        "x: Literal[1.5]",
        "x = {1.5: 'a'}",
    ],
)
def test_codes_counts_and_powers_are_not(source: str) -> None:
    assert names(source) == []


def test_a_real_bound_may_be_compared_with_what_was_clipped_to_it() -> None:
    source = "low = -1.2\nx = max(x, low)\nif x == low: v = 0.0\n"
    assert names(source) == ["low"]
    assert names(source.replace("-1.2", "-1")) == []


def test_names_that_occur_twice_have_their_line() -> None:
    assert names("reward = 1.5\nreward = 2.5; reward = 3.5") == [
        "reward (line 1)",
        "reward (line 2)",
        "reward (line 2) #2",
    ]


def test_the_numbers_of_a_batched_twin_are_not_taken_apart_from_its_own() -> None:
    source = (
        "class Environment:\n"
        "    def __init__(self): self.g = 9.8\n"
        "    def step(self, a): return x * 0.5\n"
    )
    assert names(source) == ["g", "0.5 (line 3)"]
    twin = "    def step_batch(self, s, a): return x * 0.5\n"
    assert names(source + twin) == ["g"]


def test_a_lifted_number_keeps_its_sign_and_order_of_magnitude() -> None:
    (found,) = lifted_holes("push = -2.0")
    assert (found.low, found.high) == (-20.0, -0.2)
    assert found.is_logarithmic


def test_a_source_that_cannot_be_parsed_has_no_constants() -> None:
    assert lifted_holes("def") == []
    assert lifted_holes("x = (" * 5_000) == []
    assert lifted_holes("x = 1.5\0") == []
