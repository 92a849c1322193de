"""What counts as a kernel: one function of plain arithmetic, and nothing else."""

import numpy as np
import pytest

from cwm.core.spaces import BoxSpec, DiscreteSpec
from cwm.programs.kernels import (
    KERNEL,
    capabilities_for,
    compile_kernel,
    kernel_of,
)
from cwm.programs.program import may_draw

HEAD = "def advance_rows(states, actions, following, rewards, terminated):\n"
LOOP = "    for row in range(len(states)):\n"
GOOD = (
    "import numpy as np\nTABLE_0 = np.array([1.5, 2.5], dtype=np.float64)\n"
    f"{HEAD}{LOOP}"
    "        following[row] = states[row] + actions[row]\n"
    "        rewards[row] = TABLE_0[actions[row]] * np.sin(0.0)\n"
    "        terminated[row] = states[row] > 3\n"
)


def test_a_kernel_is_found_with_its_tables() -> None:
    found = kernel_of(f"{GOOD}\nclass Environment:\n    pass\n")
    assert found.startswith("TABLE_0 = np.array([1.5, 2.5], dtype=np.float64)\n")
    assert "class" not in found
    assert capabilities_for(GOOD) == ("numba",)
    assert capabilities_for("class Environment:\n    pass\n") == ()


@pytest.mark.parametrize(
    "source",
    [
        f"@print\n{HEAD}{LOOP}        pass\n",
        "def advance_rows(states, actions, following, rewards, terminated=print()):\n"
        "    return\n",
        f"{HEAD}    import os\n",
        f"{HEAD}    states.tofile('x')\n",
        f"{HEAD}    np.save('x', states)\n",
        f"{HEAD}    helper(states)\n",
        f"{HEAD}    x = states.__class__\n",
        f"{HEAD}    x = [n for n in (1, 2)]\n",
        f"{HEAD}    np = 3\n",
        f"{HEAD}    x = lambda: 0\n",
        "def advance_rows(states):\n    return\n",
        f"{GOOD}{GOOD}",
        "def advance_rows(",
    ],
)
def test_whatever_is_more_is_no_kernel(source: str) -> None:
    assert kernel_of(source) == ""


@pytest.mark.fast
def test_a_compiled_kernel_does_what_it_says() -> None:
    kernel = compile_kernel(
        kernel_of(GOOD),
        observation_space=DiscreteSpec(5),
        action_space=DiscreteSpec(2),
    )
    following, rewards = np.zeros(2, np.int64), np.zeros(2)
    terminated = np.zeros(2, np.bool_)
    kernel(np.array([3, 4]), np.array([1, 0]), following, rewards, terminated)
    assert following.tolist() == [4, 4]
    assert terminated.tolist() == [False, True]


@pytest.mark.fast
def test_a_division_by_zero_is_infinite_as_in_numpy() -> None:
    text = f"{HEAD}{LOOP}        rewards[row] = 1.0 / states[row, 0]\n"
    box = BoxSpec((1,), "float64")
    kernel = compile_kernel(kernel_of(text), observation_space=box, action_space=box)
    rows, rewards = np.zeros((2, 1)), np.zeros(2)
    kernel(rows, rows, rows.copy(), rewards, np.zeros(2, np.bool_))
    assert rewards.tolist() == [np.inf, np.inf]


def test_the_name_of_the_kernel_is_part_of_the_contract() -> None:
    assert f"def {KERNEL}(" in GOOD


@pytest.mark.parametrize(
    ("step", "draws"),
    [("return 1", False), ("return self.move()", True), ("return SPREAD", True)],
)
def test_a_program_draws_if_what_a_step_reaches_does(step: str, draws: bool) -> None:
    source = (
        "import random\nSPREAD = 1\n"
        "class Environment:\n    def __init__(self):\n        self.reset()\n"
        "    def reset(self):\n        self.s = random.random()\n"
        "    def set_state(self, s):\n        self.s = s\n"
        "    def move(self):\n        return self.far()\n"
        "    def far(self):\n        return random.random()\n"
        f"    def step(self, a):\n        {step}\n"
    ).replace("SPREAD = 1", "SPREAD = random.random()" if "SPREAD" in step else "")
    assert may_draw(source) is draws


def test_a_program_that_cannot_be_read_may_draw() -> None:
    assert may_draw("def step(:")


@pytest.mark.fast
def test_a_kernel_may_have_numbers_that_numpy_has_computed() -> None:
    head = HEAD.replace("terminated)", "terminated, prepared)")
    text = f"{head}{LOOP}        rewards[row] = prepared[1, row]\n"
    box = BoxSpec((1,), "float64")
    kernel = compile_kernel(kernel_of(text), observation_space=box, action_space=box)
    rows, rewards = np.zeros((2, 1)), np.zeros(2)
    prepared = np.array([[1.0, 2.0], [3.0, 4.0]])
    kernel(rows, rows, rows.copy(), rewards, np.zeros(2, np.bool_), prepared)
    assert rewards.tolist() == [3.0, 4.0]
    assert kernel_of(text.replace("prepared", "others")) == ""


@pytest.mark.fast
def test_a_kernel_may_have_rows_of_its_own() -> None:
    text = (
        f"{HEAD}    ROWS_0 = np.zeros((3, 2))\n{LOOP}"
        "        ROWS_0[2, 1] = states[row, 0]\n"
        "        rewards[row] = ROWS_0[2, 1] + ROWS_0[0, 0]\n"
    )
    box = BoxSpec((1,), "float64")
    kernel = compile_kernel(kernel_of(text), observation_space=box, action_space=box)
    rows, rewards = np.array([[5.0], [7.0]]), np.zeros(2)
    kernel(rows, rows, rows.copy(), rewards, np.zeros(2, np.bool_))
    assert rewards.tolist() == [5.0, 7.0]
