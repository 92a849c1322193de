"""World models that use the physics engine, through the real sandbox."""

from collections.abc import Iterator

import numpy as np
import pytest

from cwm.programs.evaluation import (
    Evaluation,
    ProgramEvaluator,
    always,
    open_sandbox,
)
from sandbox.limits import Limits
from sandbox.pool import Sandbox
from tests.support.physics_programs import PENDULUM, exact_pendulum, with_values
from tests.support.recorded import record, task_of

pytestmark = pytest.mark.mujoco


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    limits = Limits(wall_s=20.0)
    with open_sandbox(limits=limits, require="none", capabilities=["physics"]) as made:
        yield made


def evaluate(sandbox: Sandbox, source: str) -> Evaluation:
    task = task_of(record("InvertedPendulum-v5", num_episodes=8))
    return ProgramEvaluator(task, sandbox=sandbox).evaluate(source, needs_audit=always)


def test_model_with_the_right_numbers_is_exact(sandbox: Sandbox) -> None:
    evaluation = evaluate(sandbox, exact_pendulum())
    assert evaluation.is_perfect, evaluation.feedback
    assert evaluation.audit is not None
    assert evaluation.audit.verdict == "consistent"
    assert evaluation.isolation["capabilities"] == ["physics"]


def test_model_with_other_numbers_is_wrong(sandbox: Sandbox) -> None:
    lighter = with_values(exact_pendulum(), {"pole_mass": 0.4})
    evaluation = evaluate(sandbox, lighter)
    assert evaluation.train is not None
    assert evaluation.train.strict < 0.1


def test_engine_that_is_not_reset_remembers_the_transition_before(
    sandbox: Sandbox,
) -> None:
    # At a stop, the solver of forces begins where it ended before.
    stopped = with_values(exact_pendulum(), {"rail_end": 0.0001}).replace(
        'integrator="RK4"', 'integrator="RK4" iterations="1"'
    )
    reset = "        mujoco.mj_resetData(MODEL, self.data)\n"
    assert reset in stopped
    assert evaluate(sandbox, stopped).outcome_kind == "completed"
    assert evaluate(sandbox, stopped.replace(reset, "")).outcome_kind == "inconsistent"


def test_engine_is_refused_unless_it_is_switched_on() -> None:
    with open_sandbox(require="none") as plain:
        evaluation = evaluate(plain, PENDULUM.read_text(encoding="utf-8"))
    assert evaluation.outcome_kind == "rejected"
    assert "'physics' is off (--capabilities physics)" in evaluation.feedback
    assert "capabilities" not in evaluation.isolation


def test_text_without_memory_for_it_is_a_bug(sandbox: Sandbox) -> None:
    greedy = exact_pendulum().replace("<worldbody>", '<size memory="64G"/><worldbody>')
    evaluation = evaluate(sandbox, greedy)
    assert evaluation.is_bug
    assert "Could not allocate memory" in evaluation.feedback


def test_state_that_is_no_number_scores_nothing(sandbox: Sandbox) -> None:
    # The engine takes such a state for a beginning, with a warning nobody reads.
    lost = exact_pendulum().replace("= observation[2:]", "= np.nan")
    evaluation = evaluate(sandbox, lost)
    assert evaluation.train is not None
    assert evaluation.train.strict == 0.0


def test_model_predicts_the_same_in_this_process(sandbox: Sandbox) -> None:
    batch = record("InvertedPendulum-v5", num_episodes=2)
    evaluator = ProgramEvaluator(task_of(batch), sandbox=sandbox)
    _, inside = evaluator.predict(exact_pendulum(), batch)
    assert inside is not None
    namespace: dict[str, type] = {}
    exec(compile(exact_pendulum(), "<program>", "exec"), namespace)
    environment = namespace["Environment"]()
    columns = zip(batch.observations[""], batch.actions[""], strict=True)
    for row, (observation, action) in enumerate(columns):
        environment.set_state(observation)
        following, reward, terminated = environment.step(action)
        np.testing.assert_array_equal(inside.next_observations[""][row], following)
        assert (inside.rewards[row], inside.terminated[row]) == (reward, terminated)
