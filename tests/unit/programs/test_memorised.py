"""Sources with and without the transitions that they were scored on."""

import base64
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cwm.core.spaces import BoxSpec, DiscreteSpec
from cwm.core.trajectories import (
    Transition,
    TransitionBatch,
    batch_trajectories,
    make_trajectory,
)
from cwm.programs.memorised import MemorisedValues, TrainingValues, drop_evidence
from tests.support.corridor import EXACT, corridor_dataset
from tests.support.recorded import CARTPOLE, MOUNTAIN_CAR, PENDULUM, record

EXAMPLES = os.environ.get("CWM_EXAMPLES")
"""Programs that a language model wrote; beside the checkout where there are any."""


def look(source: str, env_id: str = "CartPole-v1") -> MemorisedValues:
    return TrainingValues(record(env_id)).look_for(source)


def rows(number: int, env_id: str = "CartPole-v1") -> np.ndarray:
    batch = record(env_id)
    following = np.asarray(batch.next_observations[""])
    return np.concatenate([batch.observations[""], following], axis=1)[:number]


def joined(table: np.ndarray, form: str) -> str:
    return ", ".join(form.format(x) for x in table.ravel())


def as_cases(table: np.ndarray) -> str:
    cases = [f"    if x == {row[0]!r}: return {row[4:]}" for row in table.tolist()]
    return "\n".join(["def step(x):", *cases])


def as_arguments(table: np.ndarray) -> str:
    values = table.ravel().tolist()
    return f"f({', '.join(f'x{i}={x}' for i, x in enumerate(values))})"


TABLES: dict[str, Callable[[np.ndarray], str]] = {
    "list": lambda t: f"TABLE = {t.tolist()}",
    "array": lambda t: f"import numpy as np\nTABLE = np.{t!r}",
    "dict": lambda t: f"TABLE = { ({tuple(r[:4]): r[4:] for r in t.tolist()}) }",
    "single precision": lambda t: f"TABLE = [{joined(t, '{}')}]",
    "seven digits": lambda t: f"TABLE = [{joined(t, '{:.7g}')}]",
    "six decimals": lambda t: f"TABLE = [{joined(t, '{:.6f}')}]",
    "exponents": lambda t: f"TABLE = [{joined(t, '{:.8e}')}]",
    "JSON": lambda t: f"import json\nTABLE = json.loads('{json.dumps(t.tolist())}')",
    "text": lambda t: f"TABLE = '{joined(t, '{}')}'",
    "bytes": lambda t: f"TABLE = {t.tobytes()!r}",
    "doubles as bytes": lambda t: f"TABLE = {t.astype(float).tobytes()!r}",
    "cases": as_cases,
    "complex": lambda t: f"TABLE = [{joined(t, '{}j')}]",
    "arguments": as_arguments,
}


@pytest.mark.parametrize("form", TABLES)
def test_a_table_of_transitions_is_found_in_whatever_form(form: str) -> None:
    source = TABLES[form](rows(20))
    found = look(source)
    assert found.is_memorised, found
    # Most of 160 numbers are in the table twice, as outcome and as observation.
    assert found.num_matched > 60


def test_a_table_beside_an_honest_program_is_found() -> None:
    source = CARTPOLE + TABLES["dict"](rows(6))
    assert look(source).is_memorised


def test_numbers_that_hide_a_table_do_not_help() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=1500).tolist()
    source = f"NOISE = {noise}\n" + TABLES["list"](rows(20))
    assert len(source) < 64 * 1024
    found = look(source)
    assert found.num_literals > 1500
    assert found.is_memorised


def test_rewards_that_are_real_are_values_to_remember() -> None:
    rewards = record("Pendulum-v1").rewards[:30].tolist()
    assert look(f"REWARDS = {rewards}", "Pendulum-v1").is_memorised


@pytest.mark.parametrize(
    ("source", "env_id"),
    [
        (CARTPOLE, "CartPole-v1"),
        (MOUNTAIN_CAR, "MountainCar-v0"),
        (PENDULUM, "Pendulum-v1"),
    ],
)
def test_an_honest_program_is_not_flagged(source: str, env_id: str) -> None:
    found = look(source, env_id)
    assert not found.is_memorised
    assert found.num_matched == 0


def test_fitted_constants_and_a_few_thresholds_are_not_flagged() -> None:
    rng = np.random.default_rng(0)
    fitted = [float(f"{x:.7g}") for x in rng.normal(size=400)]
    thresholds = rows(10)[:, 0].tolist()
    found = look(f"WEIGHTS = {fitted}\nLIMITS = {thresholds}")
    assert found.num_literals > 400
    assert 10 <= found.num_matched < 16
    assert not found.is_memorised


def test_five_digits_that_agree_by_chance_are_not_flagged() -> None:
    # 2,000 recorded values between 1 and 2, and 300 literals of five digits there:
    # each has a recorded value within half a unit with a chance of about 0.02.
    values = 1 + np.random.default_rng(0).random((2000, 1))
    space = BoxSpec((1,), "float64")
    steps = [
        Transition(v, 0, w, 0.0, False, False) for v, w in itertools.pairwise(values)
    ]
    batch = batch_trajectories(
        [make_trajectory(steps, observation_space=space, action_space=DiscreteSpec(1))],
        space,
        DiscreteSpec(1),
    )
    literals = sorted({1 + round(i / 997, 4) for i in range(1, 997)})
    found = TrainingValues(batch).look_for(f"x = {literals}")
    assert found.num_matched >= 16
    assert found.num_by_chance == pytest.approx(found.num_matched, rel=0.5)
    assert not found.is_memorised


def test_values_that_come_again_and_again_are_levels() -> None:
    levels = (np.arange(40) / 7).astype(np.float32).reshape(-1, 1)
    space = BoxSpec((1,), "float32")
    steps = [
        Transition(levels[i % 40], 0, levels[(i + 1) % 40], 0.0, False, False)
        for i in range(400)
    ]

    def batch(number: int) -> TransitionBatch:
        trajectory = make_trajectory(
            steps[:number], observation_space=space, action_space=DiscreteSpec(1)
        )
        return batch_trajectories([trajectory], space, DiscreteSpec(1))

    source = f"LEVELS = {levels.ravel().tolist()}"
    assert not TrainingValues(batch(400)).look_for(source).is_memorised
    assert TrainingValues(batch(39)).look_for(source).is_memorised


def test_values_that_anyone_would_write_are_no_memory() -> None:
    # Each of 400 positions is recorded once, and each has at most four digits.
    positions = (np.arange(1, 401) / 1000).astype(np.float32).reshape(-1, 1)
    space = BoxSpec((1,), "float32")
    steps = [
        Transition(here, 0, there, 0.0, False, False)
        for here, there in itertools.pairwise(positions)
    ]
    trajectory = make_trajectory(
        steps, observation_space=space, action_space=DiscreteSpec(1)
    )
    values = TrainingValues(batch_trajectories([trajectory], space, DiscreteSpec(1)))
    found = values.look_for(f"x = {[round(i / 1000, 3) for i in range(1, 401)]}")
    assert (found.num_literals, found.num_matched) == (0, 0)


def test_of_codes_nothing_is_said_from_the_source() -> None:
    train = corridor_dataset().batch("train")
    values = TrainingValues(train)
    assert len(values) == 0
    table = {i: i + 1 for i in range(10_000, 12_000)}
    found = values.look_for(EXACT + f"TABLE = {table}")
    assert (found.num_literals, found.is_memorised) == (0, False)


@pytest.mark.parametrize("source", ["def (", "x = 1\0", "x = " + "(" * 500, ""])
def test_a_source_that_cannot_be_read_holds_nothing(source: str) -> None:
    assert look(source).num_literals == 0


@pytest.mark.filterwarnings("error")
def test_numbers_beyond_any_type_are_passed_over() -> None:
    huge = "9" * 400
    source = f"x = [{huge}, 1e999, 1.23456789e-320, 1.23456e300, '{huge}', '1e-9999']"
    ones = b"\xff" * 64
    source += f"\ny = {ones!r}, True, 1.23456j\nz = '\\d'\n"
    assert look(source).num_matched == 0


def test_encoded_tables_are_not_found() -> None:
    # What the module's docstring says that it does not cover.
    text = base64.b85encode(rows(20).tobytes()).decode()
    assert not look(f"TABLE = {text!r}").is_memorised


def test_the_author_is_told_what_to_do() -> None:
    found = MemorisedValues(num_literals=60, num_matched=50, num_by_chance=0.1)
    assert found.explanation() == (
        "Memorised: 50 of the 60 numbers in the source that are not simple are "
        "recorded values of training transitions. A table of recorded transitions "
        "predicts nothing else. Write the rule that leads from observation and action "
        "to the outcome, with the few constants that it needs."
    )


@pytest.mark.parametrize(
    ("train", "held_out", "is_drop"),
    [
        (1.0, 0.79, True),
        (0.95, 0.2, True),
        (1.0, 0.81, False),
        (0.89, 0.1, False),
        (0.9, 0.95, False),
    ],
)
def test_a_large_drop_on_held_out_transitions_is_evidence(
    train: float, held_out: float, is_drop: bool
) -> None:
    clause = drop_evidence(train, held_out)
    assert bool(clause) is is_drop
    if is_drop:
        assert f"{train:.4f} on training" in clause


@pytest.mark.skipif(
    EXAMPLES is None, reason="CWM_EXAMPLES names no folder of example programs"
)
def test_no_program_of_a_language_model_is_flagged() -> None:
    names = {
        "Acrobot": "Acrobot-v1",
        "CartPole": "CartPole-v1",
        "MountainCar": "MountainCar-v0",
        "Pendulum": "Pendulum-v1",
    }
    batches = [record(name) for name in names.values()]
    values = [TrainingValues(batch) for batch in batches]
    paths = sorted(Path(str(EXAMPLES)).glob("*.py"))
    assert paths
    for path in paths:
        source = path.read_text()
        assert all(v.look_for(source).num_matched < 4 for v in values), path.name
