"""A program over a session is the same world model as beside the planner."""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cwm.core.protocols import (
    BatchedWorldModel,
    KeyedWorldModel,
    ModelError,
    RollingWorldModel,
    RolloutBatch,
    StepResult,
)
from cwm.core.spaces import BoxSpec, DiscreteSpec, SpaceSpec, TextSpec, Value
from cwm.evaluation.held_program import PLANNING_DRIVER, HeldProgram, ProgramLost
from cwm.evaluation.inside_model import (
    InsideModel,
    ProgramModel,
    inside_model,
    observation_key,
)
from cwm.evaluation.plan_messages import (
    LegalActions,
    ModelRows,
    PlanningRequest,
    Reply,
    RolloutEnds,
)
from cwm.evaluation.session_model import SessionModel, session_model
from cwm.programs.model_inside import Model, columns_to_send, to_send_all
from cwm.programs.rollouts import model_spec
from cwm.programs.wire_types import ReceivedValues
from sandbox import wire
from sandbox.child import make_loader
from sandbox.limits import Limits
from sandbox.pool import Sandbox
from tests.support.planning_programs import BY_NAME, PlanningProgram, same_value

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)

NAMES = list(BY_NAME)
ARRAYS = ["cartpole", "pendulum", "grid", "slippery"]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    limits = Limits(wall_s=5.0, memory_mib=128)
    with Sandbox(drivers=[PLANNING_DRIVER], limits=limits) as made:
        yield made


def beside(program: PlanningProgram) -> InsideModel:
    spec = model_spec(
        program.source, program.observation_space, program.action_space, 0
    )
    return inside_model(ProgramModel(Model(make_loader(program.source), spec)))


def held(sandbox: Sandbox, program: PlanningProgram) -> HeldProgram:
    spec = model_spec(
        program.source, program.observation_space, program.action_space, 0
    )
    made = HeldProgram(
        sandbox, program.source, PlanningRequest(model=spec, planner=None)
    )
    made.ensure_open()
    return made


@pytest.fixture(params=NAMES)
def pair(
    request: pytest.FixtureRequest, sandbox: Sandbox
) -> Iterator[tuple[PlanningProgram, InsideModel, SessionModel]]:
    program = BY_NAME[request.param]
    one = held(sandbox, program)
    spaces = program.observation_space, program.action_space
    yield program, beside(program), session_model(one, *spaces)
    one.close()


def draw(space: SpaceSpec, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    if isinstance(space, DiscreteSpec):
        return rng.integers(space.num_values, size=shape)
    assert isinstance(space, BoxSpec)
    return rng.uniform(-2.0, 2.0, (*shape, *space.shape)).astype(space.dtype)


def plain(action: Any) -> Value:
    return action.item() if isinstance(action, np.generic) else action


def same_step(left: StepResult, right: StepResult) -> bool:
    return all(map(same_value, left, right))


def assert_same_rollouts(left: RolloutBatch, right: RolloutBatch) -> None:
    for name in ("rewards", "lengths", "terminated", "failed"):
        assert same_value(getattr(left, name), getattr(right, name)), name
    assert len(left.observations) == len(right.observations)
    for ours, theirs in zip(left.observations, right.observations, strict=True):
        assert len(ours) == len(theirs)
        assert all(map(same_value, map(plain, ours), map(plain, theirs)))


def test_both_have_the_same_abilities(
    pair: tuple[PlanningProgram, InsideModel, SessionModel],
) -> None:
    program, inside, session = pair
    is_batched = program.name != "cards"
    for model in (inside, session):
        assert isinstance(model, RollingWorldModel)
        assert isinstance(model, KeyedWorldModel)
        assert isinstance(model, BatchedWorldModel) == is_batched


def test_steps_are_the_same_to_the_last_bit(
    pair: tuple[PlanningProgram, InsideModel, SessionModel],
) -> None:
    program, inside, session = pair
    rng = np.random.default_rng(5)
    left_rng, right_rng = np.random.default_rng(6), np.random.default_rng(6)
    state = program.start
    for _ in range(20):
        action = plain(draw(program.action_space, rng, ()))
        try:
            left = inside.step(state, action, left_rng)
        except ModelError:
            with pytest.raises(ModelError, match="KeyError"):
                session.step(state, action, right_rng)
            continue
        right = session.step(state, action, right_rng)
        assert same_step(left, right)
        assert inside.state_key(left.next_state) == session.state_key(right.next_state)
        state = program.start if left.terminated else left.next_state


@pytest.mark.parametrize("number", [1, 12])
@pytest.mark.parametrize("is_array", [True, False])
def test_rollouts_are_the_same_however_plans_are_written(
    pair: tuple[PlanningProgram, InsideModel, SessionModel], number: int, is_array: bool
) -> None:
    program, inside, session = pair
    plans = draw(program.action_space, np.random.default_rng(1), (number, 8))
    written = plans if is_array else [[plain(a) for a in row] for row in plans]
    rngs = [np.random.default_rng(2) for _ in range(3)]
    left = inside.roll_out(program.start, plans, rngs[0])
    assert_same_rollouts(left, inside.roll_out(program.start, written, rngs[1]))
    assert_same_rollouts(left, session.roll_out(program.start, written, rngs[2]))
    states = [rng.bit_generator.state for rng in rngs]
    assert states[0] == states[1] == states[2]


@pytest.mark.parametrize("pair", ARRAYS, indirect=True)
def test_batches_are_the_same(
    pair: tuple[PlanningProgram, InsideModel, SessionModel],
) -> None:
    program, inside, session = pair
    assert isinstance(inside, BatchedWorldModel)
    assert isinstance(session, BatchedWorldModel)
    actions = draw(program.action_space, np.random.default_rng(1), (9,))
    states = np.stack([np.asarray(program.start)] * 9)
    left = inside.step_batch(states, actions, np.random.default_rng(2))
    right = session.step_batch(states, actions, np.random.default_rng(2))
    assert all(map(same_value, left, right))


@pytest.mark.parametrize("name", ["slippery", "cards"])
def test_same_generator_gives_the_same_draws_whatever_came_before(name: str) -> None:
    program = BY_NAME[name]
    model = beside(program)

    def outcomes(seed: int) -> list[Value]:
        rng = np.random.default_rng(seed)
        return [model.step(program.start, 1, rng).observation for _ in range(30)]

    first, other, again = outcomes(1), outcomes(2), outcomes(1)
    assert first == again
    assert first != other
    assert len(set(map(observation_key, first))) > 1


def test_deterministic_programs_leave_the_generator_alone() -> None:
    rng = np.random.default_rng(1)
    before = rng.bit_generator.state
    beside(BY_NAME["grid"]).step(0, 1, rng)
    assert rng.bit_generator.state == before


def test_failed_rollouts_are_told_from_others(sandbox: Sandbox) -> None:
    program = BY_NAME["holey"]
    with_one = held(sandbox, program)
    model = session_model(with_one, program.observation_space, program.action_space)
    # From field 1 down to 6, and there down again, of which it knows nothing.
    plans = np.array([[0, 1, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]])
    found = model.roll_out(0, plans, np.random.default_rng(0))
    assert found.lengths.tolist() == [2, 4, 4]
    assert found.failed.tolist() == [True, False, False]
    assert list(found.observations[0]) == [1, 6]
    with_one.close()


def test_rollouts_that_all_fail_at_once_have_no_steps(sandbox: Sandbox) -> None:
    program = BY_NAME["holey"]
    one = held(sandbox, program)
    model = session_model(one, program.observation_space, program.action_space)
    found = model.roll_out(6, np.array([[1, 1], [1, 0]]), np.random.default_rng(0))
    assert found.lengths.tolist() == [0, 0]
    assert found.failed.tolist() == [True, True]
    assert [list(seen) for seen in found.observations] == [[], []]
    one.close()


def test_batch_with_a_failure_has_no_answer(sandbox: Sandbox) -> None:
    program = BY_NAME["holey"]
    one = held(sandbox, program)
    model = session_model(one, program.observation_space, program.action_space)
    assert isinstance(model, BatchedWorldModel)
    with pytest.raises(ModelError, match="KeyError: 6\nLine"):
        model.step_batch(np.array([0, 6]), np.array([1, 1]), np.random.default_rng(0))
    assert model.step(0, 1, np.random.default_rng(0)).observation == 5
    one.close()


def test_legal_actions_are_those_of_the_program(
    pair: tuple[PlanningProgram, InsideModel, SessionModel],
) -> None:
    program, inside, session = pair
    expected = [0, 1] if program.name == "cards" else None
    assert inside.legal_actions(program.start) == expected
    assert session.legal_actions(program.start) == expected
    if program.name == "cards":
        assert session.legal_actions((7, 4)) == inside.legal_actions((7, 4)) == [0]


@pytest.mark.parametrize(
    ("returned", "reason"),
    [("'01'", "must return a list, got str"), ("[0.5]", "expected an integer")],
)
def test_legal_actions_of_another_form_are_refused(
    sandbox: Sandbox, returned: str, reason: str
) -> None:
    cards = BY_NAME["cards"]
    program = PlanningProgram(
        name="odd",
        source=cards.source.replace("[0, 1] if self.cards < 4 else [0]", returned),
        observation_space=cards.observation_space,
        action_space=cards.action_space,
        start=cards.start,
    )
    one = held(sandbox, program)
    model = session_model(one, program.observation_space, program.action_space)
    with pytest.raises(ModelError, match=reason):
        model.legal_actions(program.start)
    with pytest.raises(ModelError, match="ContractViolation"):
        beside(program).legal_actions(program.start)
    one.close()


def test_texts_are_states_like_others(sandbox: Sandbox) -> None:
    source = (
        "class Environment:\n    def set_state(self, x): self.x = x\n"
        "    def step(self, a): return self.x + a, len(self.x), a == 'stop'"
    )
    program = PlanningProgram(
        name="text",
        source=source,
        observation_space=TextSpec(),
        action_space=TextSpec(),
        start="<",
    )
    one = held(sandbox, program)
    model = session_model(one, program.observation_space, program.action_space)
    plans = [["a", "b"], ["stop", "b"]]
    left = beside(program).roll_out("<", plans, np.random.default_rng(0))
    right = model.roll_out("<", plans, np.random.default_rng(0))
    assert_same_rollouts(left, right)
    assert list(right.observations[0]) == ["<a", "<ab"]
    assert right.terminated.tolist() == [False, True]
    one.close()


def test_integers_that_cannot_be_sent_are_no_answer() -> None:
    program = PlanningProgram(
        name="huge",
        source=(
            "class Environment:\n    def set_state(self, x): self.x = x\n"
            "    def step(self, a): return self.x + (1 << 70), 0.0, False"
        ),
        observation_space=DiscreteSpec(3),
        action_space=DiscreteSpec(2),
        start=0,
    )
    with pytest.raises(ModelError, match="ContractViolation"):
        beside(program).step(0, 1, np.random.default_rng(0))


class Says:
    """A held program whose process answers what a test wants."""

    def __init__(self, *replies: Any) -> None:
        grid = BY_NAME["grid"]
        spec = model_spec(grid.source, grid.observation_space, grid.action_space, 0)
        self.request = PlanningRequest(model=spec, planner=None)
        self.has_legal_actions = True
        self._replies = tuple(sent(reply) for reply in replies)

    def ask(self, _: object) -> tuple[Any, ...]:
        return self._replies

    def lose_as_broken(self, reason: str) -> None:
        raise ProgramLost(reason)


def sent(reply: Any) -> Any:
    reader: Any = Reply
    return wire.decode(wire.encode(reply), reader, max_array_bytes=1 << 20)


def rows(fields: list[int], ends: list[bool], rewards: Any = None) -> ModelRows:
    values = columns_to_send(DiscreteSpec(25), {"": np.array(fields, dtype=np.int64)})
    return ModelRows(
        arrays=values.arrays,
        texts={},
        rewards=np.zeros(len(fields)) if rewards is None else rewards,
        terminated=np.array(ends, dtype=np.bool_),
        invalid={},
    )


def ends(lengths: list[int], failed: list[bool]) -> RolloutEnds:
    return RolloutEnds(
        lengths=np.array(lengths, dtype=np.int64),
        failed=np.array(failed, dtype=np.bool_),
    )


def saying(*replies: Any) -> SessionModel:
    grid = BY_NAME["grid"]
    says: Any = Says(*replies)
    return session_model(says, grid.observation_space, grid.action_space)


PLANS = np.array([[0, 1], [1, 1]])


def test_rollouts_are_read_as_they_were_sent() -> None:
    model = saying(
        ends([1, 2], [False, False]), rows([3, 1, 2], [True, False, False], np.ones(3))
    )
    found = model.roll_out(0, PLANS, np.random.default_rng(0))
    assert found.rewards.tolist() == [[1, 0], [1, 1]]
    assert found.terminated.tolist() == [True, False]
    assert [list(seen) for seen in found.observations] == [[3], [1, 2]]


@pytest.mark.parametrize(
    "replies",
    [
        [],
        [rows([1], [False])],
        [ends([2], [False]), rows([1, 2], [False, False])],
        [ends([3, 2], [False, False]), rows([1] * 5, [False] * 5)],
        [ends([-1, 2], [True, False]), rows([1], [False])],
        [ends([2, 2], [True, False]), rows([1] * 4, [False] * 4)],
        # They stop before the end, or go on after it.
        [ends([1, 2], [False, False]), rows([1] * 3, [False] * 3)],
        [ends([2, 2], [False, False]), rows([1] * 4, [True, False, False, False])],
        [ends([2, 2], [False, False]), rows([1] * 4, [True, True, False, False])],
        [ends([2, 1], [False, True]), rows([1] * 3, [False, False, True])],
        [ends([2, 2], [False, False]), rows([1] * 3, [False] * 3)],
        [ends([2, 2], [False, False]), rows([1] * 5, [False] * 5)],
        [ends([2, 2], [False, False]), ends([2, 2], [False, False])],
        [RolloutEnds(lengths=np.ones(2), failed=np.zeros(2, dtype=np.bool_))],
    ],
)
def test_rollouts_that_cannot_be_end_the_session(replies: list[Any]) -> None:
    with pytest.raises(ProgramLost):
        saying(*replies).roll_out(0, PLANS, np.random.default_rng(0))


@pytest.mark.parametrize(
    "replies",
    [
        [],
        [rows([1, 2], [False, False])],
        [rows([1], [False], np.zeros(1, dtype=np.float32))],
        [ends([1], [False])],
    ],
)
def test_steps_that_cannot_be_end_the_session(replies: list[Any]) -> None:
    with pytest.raises(ProgramLost):
        saying(*replies).step(0, 1, np.random.default_rng(0))


@pytest.mark.parametrize(
    "reply",
    [
        LegalActions(actions=to_send_all(DiscreteSpec(4), [0, 1]), number=3),
        LegalActions(actions=to_send_all(DiscreteSpec(4), [0, 1]), number=-1),
        LegalActions(actions=to_send_all(DiscreteSpec(4), [0]), number=1 << 40),
        LegalActions(actions=ReceivedValues(arrays={}, texts={}), number=2),
        rows([1], [False]),
    ],
)
def test_legal_actions_that_cannot_be_end_the_session(reply: Any) -> None:
    with pytest.raises(ProgramLost):
        saying(reply).legal_actions(0)
