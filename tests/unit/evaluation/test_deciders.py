"""What becomes of a decision when a program fails, is lost, or lies."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cwm.core.protocols import Context, ModelError, StepResult, WorldModel
from cwm.core.spaces import BoxSpec, DiscreteSpec, Value
from cwm.evaluation.deciders import (
    STEPS_AT_ONCE,
    SandboxDecider,
    SandboxSettings,
    SessionDecider,
    open_decider,
)
from cwm.evaluation.decisions import Decision, Situation
from cwm.evaluation.held_program import MAX_LOSSES, PLANNING_DRIVER
from cwm.evaluation.model_decider import ModelDecider
from planners.planner import NoLegalAction, Plan, PlanningConfig
from planners.registry import PlannerConfig
from sandbox.limits import Limits
from sandbox.pool import Sandbox

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)

FIELDS = DiscreteSpec(9)
MOVES = DiscreteSpec(2)
SHOOTING = PlannerConfig(name="random-shooting", horizon=5, model_steps=200)
LIMITS = Limits(wall_s=1.0, memory_mib=96)

# A walk to the right: 0 to 8, one step for action 1; the goal is at 8.
WALK = """
class Environment:
    def set_state(self, observation):
        self.field = observation

    def step(self, action):
        HERE
        field = min(self.field + action, 8)
        return field, float(action), field == 8
"""


def walk(at: int, what: str) -> str:
    """Returns the walk with something that happens at one field."""
    return WALK.replace("HERE", f"if self.field == {at}:\n            {what}")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(drivers=[PLANNING_DRIVER], limits=LIMITS, policy="off") as made:
        yield made


@pytest.fixture(params=[SandboxDecider, SessionDecider])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


def decider(sandbox: Sandbox, source: str, kind: Any = SandboxDecider) -> Any:
    return kind(
        source,
        observation_space=FIELDS,
        action_space=MOVES,
        planner=SHOOTING,
        settings=SandboxSettings(sandbox=sandbox),
    )


def at(field: Value, step: int = 0, steps_left: int | None = None) -> Situation:
    return Situation(
        observation=field,
        step=step,
        steps_left=steps_left,
        context=Context(observations=(field,)),
    )


def planned(decision: Decision) -> Plan:
    assert decision.plan is not None, decision.failure
    assert decision.failure == ""
    assert decision.seconds > 0
    return decision.plan


def failure(decision: Decision) -> str:
    assert decision.plan is None
    assert decision.seconds > 0
    return decision.failure


def test_plan_leads_where_the_program_says(sandbox: Sandbox, kind: Any) -> None:
    with decider(sandbox, walk(99, "pass"), kind) as one:
        one.begin(1)
        plan = planned(one.decide(at(6)))
        assert plan.value == 2.0
        assert plan.predictions[-1].observation == 8
        assert plan.predictions[-1].terminated
        assert 1 <= plan.num_model_steps <= 200
        assert plan.memory is None


def test_planner_knows_when_the_episode_is_cut_off(sandbox: Sandbox, kind: Any) -> None:
    with decider(sandbox, walk(99, "pass"), kind) as one:
        one.begin(1)
        assert len(planned(one.decide(at(0, steps_left=2))).actions) <= 2


def test_decisions_follow_from_seed_and_step(sandbox: Sandbox, kind: Any) -> None:
    def plans(seed: int) -> list[tuple[Value, ...]]:
        with decider(sandbox, walk(99, "pass"), kind) as one:
            one.begin(seed)
            return [planned(one.decide(at(0, step))).actions for step in range(4)]

    assert plans(1) == plans(1)
    assert plans(1) != plans(2)
    assert len(set(plans(1))) > 1


def test_episode_forgets_the_one_before(sandbox: Sandbox, kind: Any) -> None:
    # A program that counts its steps, which no model should.
    source = WALK.replace("HERE", "Environment.n = getattr(Environment, 'n', 0) + 1")
    source = source.replace("float(action)", "float(Environment.n)")
    with decider(sandbox, source, kind) as one:
        one.begin(1)
        first = planned(one.decide(at(0)))
        second = planned(one.decide(at(0, 1)))
        one.begin(1)
        again = planned(one.decide(at(0)))
    assert first.value == again.value
    assert first.value < second.value


def test_exception_of_the_program_is_counted_by_the_planner(
    sandbox: Sandbox, kind: Any
) -> None:
    with decider(sandbox, walk(2, "raise KeyError('nothing here')"), kind) as one:
        one.begin(1)
        plan = planned(one.decide(at(0)))
        assert plan.num_failures > 0
        assert one.num_openings == 1


def test_plan_of_which_nothing_was_answered_is_a_failure(
    sandbox: Sandbox, kind: Any
) -> None:
    with decider(sandbox, walk(2, "raise KeyError('nothing here')"), kind) as one:
        one.begin(1)
        assert "answered none of the " in failure(one.decide(at(2)))
        planned(one.decide(at(5, 1)))
        assert one.num_openings == 1


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("while True: pass", "TimeLimit"),
        ("__import__('os')._exit(3)", "exit"),
    ],
)
def test_lost_program_is_a_failure_and_is_opened_again(
    sandbox: Sandbox, kind: Any, what: str, reason: str
) -> None:
    with decider(sandbox, walk(2, what), kind) as one:
        one.begin(1)
        planned(one.decide(at(5)))
        lost = failure(one.decide(at(2, 1)))
        planned(one.decide(at(5, 2)))
        assert one.num_openings == 2
    assert reason in lost


def test_memory_that_runs_out_is_an_answer_that_is_missing(
    sandbox: Sandbox, kind: Any
) -> None:
    with decider(sandbox, walk(2, "self.hoard = bytearray(1 << 30)"), kind) as one:
        one.begin(1)
        decision = one.decide(at(2))
        assert decision.plan is None or decision.plan.num_failures > 0
        planned(one.decide(at(5, 1)))
        assert one.num_openings == 1


def test_program_that_is_lost_each_time_is_given_up(
    sandbox: Sandbox, kind: Any
) -> None:
    with decider(sandbox, walk(2, "__import__('os')._exit(3)"), kind) as one:
        one.begin(1)
        for step in range(MAX_LOSSES):
            assert "given up" not in failure(one.decide(at(2, step)))
        # Now nothing is tried any more, where it would have been right, too.
        assert "given up" in failure(one.decide(at(5, MAX_LOSSES)))
        assert one.num_openings == MAX_LOSSES
        one.begin(2)
        planned(one.decide(at(5)))


def test_losses_that_are_not_in_a_row_do_not_add_up(
    sandbox: Sandbox, kind: Any
) -> None:
    with decider(sandbox, walk(2, "__import__('os')._exit(3)"), kind) as one:
        one.begin(1)
        for step in range(2 * MAX_LOSSES):
            planned(one.decide(at(5, 2 * step)))
            failure(one.decide(at(2, 2 * step + 1)))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("x = 1 / 0", "ZeroDivisionError"),
        ("x = (", "SyntaxError"),
        ("x = 1", "must define a class"),
    ],
)
def test_program_that_cannot_be_loaded_is_a_failure(
    sandbox: Sandbox, kind: Any, source: str, reason: str
) -> None:
    with decider(sandbox, source, kind) as one:
        one.begin(1)
        said = failure(one.decide(at(0)))
    assert "could not be opened" in said
    assert reason in said


def test_rejected_program_is_a_failure() -> None:
    with open_decider(
        "import os\n" + walk(99, "pass"),
        observation_space=FIELDS,
        action_space=MOVES,
        planner=SHOOTING,
    ) as one:
        one.begin(1)
        assert "import of os" in failure(one.decide(at(0)))


def test_lost_worker_is_nobodys_fault(sandbox: Sandbox, kind: Any) -> None:
    with decider(sandbox, walk(99, "pass"), kind) as one:
        one.begin(1)
        planned(one.decide(at(0)))
        os.kill(one._held._session._worker.pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while one.num_openings == 1:
            planned(one.decide(at(0, 1)))
            assert time.monotonic() < deadline


def single_steps(one: Any, fields: Sequence[int]) -> list[Any]:
    found = one.predict_steps(fields, [1] * len(fields))
    return [None if step is None else step.observation for step in found]


def test_single_steps_start_where_they_are_told_to(sandbox: Sandbox, kind: Any) -> None:
    with decider(sandbox, walk(99, "pass"), kind) as one:
        one.begin(1)
        found = one.predict_steps([3, 0, 7], [1, 0, 1])
    assert [tuple(step)[1:] for step in found] == [
        (4, 1.0, False),
        (0, 0.0, False),
        (8, 1.0, True),
    ]


@pytest.mark.parametrize(
    "what", ["raise KeyError('nothing')", "__import__('os')._exit(3)", "return 'five'"]
)
def test_single_step_without_an_answer_costs_no_other_one(
    sandbox: Sandbox, kind: Any, what: str
) -> None:
    with decider(sandbox, walk(2, what), kind) as one:
        one.begin(1)
        assert single_steps(one, [1, 2, 3, 2, 4]) == [2, None, 4, None, 5]


def test_single_steps_end_where_a_program_is_lost_again_and_again(
    sandbox: Sandbox, kind: Any
) -> None:
    with decider(sandbox, walk(2, "__import__('os')._exit(3)"), kind) as one:
        one.begin(1)
        before = one.num_openings
        assert single_steps(one, [1] + [2] * 50) == [2] + [None] * 50
        assert one.num_openings - before <= 2 * MAX_LOSSES


def test_single_steps_may_be_more_than_an_answer_holds(
    sandbox: Sandbox, kind: Any
) -> None:
    fields = [i % 8 for i in range(2 * STEPS_AT_ONCE + 1)]
    with decider(sandbox, walk(99, "pass"), kind) as one:
        one.begin(1)
        assert single_steps(one, fields) == [field + 1 for field in fields]


def test_program_that_cannot_be_loaded_answers_no_step(
    sandbox: Sandbox, kind: Any
) -> None:
    with decider(sandbox, "x = (", kind) as one:
        one.begin(1)
        assert single_steps(one, [1, 2]) == [None, None]


def test_single_steps_know_nothing_of_what_was_planned(
    sandbox: Sandbox, kind: Any
) -> None:
    # A program that counts its steps, which no model should.
    source = WALK.replace("HERE", "Environment.n = getattr(Environment, 'n', 0) + 1")
    source = source.replace("float(action)", "float(Environment.n)")
    with decider(sandbox, source, kind) as one:
        one.begin(1)
        planned(one.decide(at(0)))
        assert [step.reward for step in one.predict_steps([0, 1], [1, 1])] == [1, 2]


# A program that takes the planner's place, as it may in its own process.
FORGERY = """
import sys

import numpy as np

driver = sys.modules["cwm.evaluation.planning_driver"]
made = driver._planned


def forged(plan, observation_space, action_space):
    reply = made(plan, observation_space, action_space)
    FORGED
    return reply


driver._planned = forged
"""


@pytest.mark.parametrize(
    ("forged", "reason"),
    [
        ("reply.num_actions = 0", "1 to 5 actions, not 0"),
        ("reply.num_actions = 6", "1 to 5 actions, not 6"),
        (
            "reply.actions.arrays[''] = 9 + reply.actions.arrays['']",
            "outside its space",
        ),
        ("reply.rewards = np.zeros(99)", "rewards"),
        ("reply.num_model_steps = 1 << 40", "model steps"),
        ("reply.statistics = {'x' * i: i for i in range(999)}", "figures"),
        ("reply = 'a plan'", "decoding"),
        ("reply = driver.ModelFacts(has_legal_actions=True)", "one plan was due"),
        ("channel.emit(1)", "channel"),
    ],
)
def test_forged_plans_are_failures(sandbox: Sandbox, forged: str, reason: str) -> None:
    source = FORGERY.replace("FORGED", forged) + walk(99, "pass")
    with decider(sandbox, source) as one:
        one.begin(1)
        assert reason in failure(one.decide(at(0)))


def test_forged_plan_of_the_right_form_is_only_a_plan(sandbox: Sandbox) -> None:
    # That it is a bad one shows in the environment, and nowhere else.
    source = FORGERY.replace("FORGED", "reply.value = 1e9") + walk(99, "pass")
    with decider(sandbox, source) as one:
        one.begin(1)
        assert planned(one.decide(at(0))).value == 1e9


def test_decider_must_be_entered_and_begun(sandbox: Sandbox, kind: Any) -> None:
    one = decider(sandbox, walk(99, "pass"), kind)
    with pytest.raises(RuntimeError, match="must be entered"):
        one.begin(1)
    with one, pytest.raises(RuntimeError, match="must have begun"):
        one.decide(at(0))


def test_actions_without_bounds_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="finite bounds"):
        open_decider(
            WALK,
            observation_space=FIELDS,
            action_space=BoxSpec((1,), "float32"),
            planner=SHOOTING,
        )


class Uniform:
    """A prior that knows nothing."""

    def evaluate(self, contexts: Any, legal: Any) -> Any:
        return [np.full(len(actions), -np.log(len(actions))) for actions in legal]


def test_prior_brings_the_planner_into_this_process() -> None:
    made = [
        open_decider(
            WALK,
            observation_space=FIELDS,
            action_space=MOVES,
            planner=SHOOTING,
            prior=prior,
        )
        for prior in (None, Uniform())
    ]
    assert [type(one) for one in made] == [SandboxDecider, SessionDecider]


def test_planner_beside_the_program_takes_no_prior(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="takes no prior and no value"):
        SandboxDecider(
            WALK,
            observation_space=FIELDS,
            action_space=MOVES,
            planner=SHOOTING,
            settings=SandboxSettings(sandbox=sandbox),
            prior=Uniform(),
        )


def test_decider_has_a_sandbox_of_its_own() -> None:
    made = open_decider(
        walk(99, "pass"),
        observation_space=FIELDS,
        action_space=MOVES,
        planner=SHOOTING,
        settings=SandboxSettings(limits=LIMITS, isolation="process"),
    )
    assert made.isolation is None
    with made as one:
        assert one.isolation is not None
        one.begin(1)
        planned(one.decide(at(0)))
    assert made.isolation is None


class Recorder:
    """A planner that keeps what it was given, for `ModelDecider`."""

    config = PlanningConfig()

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.states: list[Any] = []
        self.memories: list[Any] = []

    def plan(
        self,
        model: WorldModel,
        state: Any,
        rng: np.random.Generator,
        *,
        steps_left: int | None = None,
        context: Context | None = None,
        memory: Any = None,
    ) -> Plan:
        assert context is not None
        self.states.append(state)
        self.memories.append(memory)
        if self.error is not None:
            raise self.error
        return Plan(actions=(int(rng.integers(100)),), memory=len(self.states))


class NoModel:
    """A model that nobody asks."""

    def step(self, state: Any, action: Value, rng: np.random.Generator) -> StepResult:
        raise AssertionError

    def legal_actions(self, state: Any) -> None:
        return None


def test_model_in_this_process_starts_from_its_own_state() -> None:
    planner = Recorder()
    with ModelDecider(planner, NoModel()) as one:
        one.begin(1)
        one.decide(at(3))
        one.decide(replace(at(3, 1), state="snapshot"))
    assert planner.states == [3, "snapshot"]


def test_memory_lasts_as_long_as_the_plan_is_kept() -> None:
    planner = Recorder()
    with ModelDecider(planner, NoModel()) as one:
        one.begin(1)
        for step, keeps_plan in enumerate([True, True, False, True]):
            assert (
                planned(one.decide(at(3, step), keeps_plan=keeps_plan)).memory is None
            )
        one.begin(2)
        one.decide(at(3))
    assert planner.memories == [None, 1, None, 3, None]


@pytest.mark.parametrize(
    "error", [ModelError("it raised"), NoLegalAction("nothing to do")]
)
def test_failure_in_this_process_is_a_decision_too(error: Exception) -> None:
    planner = Recorder(error)
    with ModelDecider(planner, NoModel()) as one:
        one.begin(1)
        assert failure(one.decide(at(3))) == str(error)
        planner.error = None
        planned(one.decide(at(3, 1)))


def test_errors_of_ours_are_not_failures_of_the_model() -> None:
    with ModelDecider(Recorder(TypeError("ours")), NoModel()) as one:
        one.begin(1)
        with pytest.raises(TypeError, match="ours"):
            one.decide(at(3))
