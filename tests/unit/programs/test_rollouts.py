"""Rollouts of programs, and sessions that hold a program's model."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cwm.core.codec import decode_columns
from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    NestedSpec,
    SpaceSpec,
    TextSpec,
    TupleSpec,
    Value,
    space_to_json,
)
from cwm.programs.model_inside import to_send
from cwm.programs.model_session import SESSION_DRIVER, ModelSession
from cwm.programs.model_types import ModelSpec, PlannedAction, RolloutsAsk
from cwm.programs.received import check_values
from cwm.programs.rollouts import (
    ROLLOUTS_DRIVER,
    Rollouts,
    read_rollouts,
    rollout,
    rollouts_ask,
    to_columns,
)
from cwm.programs.wire_types import PredictedRows, ReceivedValues
from sandbox import wire
from sandbox.errors import ProtocolError
from sandbox.limits import Limits
from sandbox.outcome import (
    AnyOutcome,
    Completed,
    ProtocolBroken,
    Raised,
    SessionEnded,
    TimedOut,
)
from sandbox.pool import Sandbox

PLANNER = "tests.support.shooting_driver"
LIMITS = Limits(wall_s=5.0, memory_mib=128)
LINE = BoxSpec((1,), "float32")
MOVES = DiscreteSpec(3)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)

# A walk on a line: actions 0, 1, 2 go by -1, 0, 1; the end is at 3.
WALK = """
import numpy as np

class Environment:
    def set_state(self, observation):
        self.x = observation

    def step(self, action):
        self.x += action - 1
        return self.x, -float(abs(self.x[0] - 3)), bool(self.x[0] >= 3)
"""

BATCHED = (
    WALK
    + """
    def step_batch(self, states, actions):
        x = states + (actions - 1)[:, None]
        x = x.astype(np.float32)
        return x, -np.abs(x[:, 0] - 3.0), x[:, 0] >= 3
"""
)

# Says of itself, by the reward, that it was asked for all at once.
TELLING = BATCHED.replace("-np.abs(x[:, 0] - 3.0)", "-np.abs(x[:, 0] - 3.0) - 1e-6")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    drivers = [ROLLOUTS_DRIVER, SESSION_DRIVER, PLANNER]
    with Sandbox(drivers=drivers, limits=LIMITS, policy="off") as made:
        yield made


def roll(
    sandbox: Sandbox,
    source: str,
    first: Any,
    actions: Any,
    observation_space: SpaceSpec = LINE,
    action_space: SpaceSpec = MOVES,
    **options: Any,
) -> tuple[AnyOutcome, Rollouts | None]:
    return rollout(
        sandbox,
        source,
        observation_space=observation_space,
        action_space=action_space,
        first_observations=first,
        actions=actions,
        **options,
    )


def made(found: tuple[AnyOutcome, Rollouts | None]) -> Rollouts:
    outcome, rollouts = found
    assert isinstance(outcome, Completed), outcome.feedback()
    assert rollouts is not None
    return rollouts


def column(values: list[float]) -> Any:
    return np.array(values, dtype=np.float32)[:, None]


FIRST = column([0.0, 2.0, 1.0])
ACTIONS = np.array([[2, 2, 2, 2], [2, 0, 0, 0], [0, 1, 1, 0]])


@pytest.mark.parametrize("source", [WALK, BATCHED])
def test_rollouts_lead_where_the_program_says(sandbox: Sandbox, source: str) -> None:
    found = made(roll(sandbox, source, FIRST, ACTIONS))
    assert found.lengths.tolist() == [3, 1, 4]
    assert found.next_observations[""].dtype == np.float32
    assert found.next_observations[""][..., 0].tolist() == [
        [1, 2, 3, 0],
        [3, 0, 0, 0],
        [0, 0, 0, -1],
    ]
    assert found.rewards.tolist() == [[-2, -1, 0, 0], [0, 0, 0, 0], [-3, -3, -3, -4]]
    assert found.terminated.tolist() == [
        [False, False, True, False],
        [True, False, False, False],
        [False] * 4,
    ]


def test_lists_of_values_are_as_good_as_arrays(sandbox: Sandbox) -> None:
    found = made(roll(sandbox, WALK, [[0.0], [2.0], [1.0]], ACTIONS.tolist()))
    again = made(roll(sandbox, WALK, FIRST, ACTIONS))
    assert np.array_equal(found.next_observations[""], again.next_observations[""])


def test_batches_of_the_programs_own_are_used(sandbox: Sandbox) -> None:
    found = made(roll(sandbox, TELLING, column([0.0]), [[1]]))
    assert found.rewards[0, 0] != -3


def test_batches_are_not_used_by_programs_that_draw(sandbox: Sandbox) -> None:
    found = made(roll(sandbox, f"{TELLING}\n# rng", column([0.0]), [[1]]))
    assert found.rewards[0, 0] == -3


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ("x, -np.abs(x[:, 0] - 4.0), x[:, 0] >= 3", "its reward is another one"),
        ("x + 1, -np.abs(x[:, 0] - 3.0), x[:, 0] >= 3", "its observation is"),
        ("x, -np.abs(x[:, 0] - 3.0), x[:, 0] >= -9", "its terminated is"),
        ("x", "step_batch must return"),
        ("x[:1], -np.abs(x[:, 0] - 3.0), x[:, 0] >= 3", "shape (3, 1), got shape (1,"),
        (
            "x, -np.abs(x[:, 0] - 3.0), [0, 0, 0]",
            "terminated must be booleans, got int64",
        ),
        ("x, x[:, 0] >= 3, x[:, 0] >= 3", "got booleans"),
    ],
)
def test_batch_that_is_not_single_steps_is_refused(
    sandbox: Sandbox, changed: str, reason: str
) -> None:
    source = BATCHED.replace("x, -np.abs(x[:, 0] - 3.0), x[:, 0] >= 3", changed)
    outcome, rollouts = roll(sandbox, source, FIRST, ACTIONS)
    assert isinstance(outcome, Raised)
    assert rollouts is None
    assert outcome.error_type == "ContractViolation"
    assert reason in outcome.message
    assert outcome.position == 0


RAISING = WALK.replace("self.x +=", "assert self.x[0] != 2.5\n        self.x +=")


def test_exception_carries_its_position(sandbox: Sandbox) -> None:
    outcome, rollouts = roll(sandbox, RAISING, column([0.0, 0.5]), [[2] * 4, [2] * 4])
    assert rollouts is None
    assert isinstance(outcome, Raised)
    # The second rollout is at 2.5 after two steps.
    assert (outcome.error_type, outcome.position) == ("AssertionError", 1 * 4 + 2)
    assert outcome.source_line == "assert self.x[0] != 2.5"


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        ("[1, 2], 0.0, False", "observation: expected an array of shape (1,)"),
        ("'text', 0.0, False", "expected an array of shape (1,)"),
        ("self.x, 'a', False", "reward must be a real number, got str"),
        ("self.x, 0.0, 0", "terminated must be a bool, got int"),
        ("self.x, 0.0", "step must return (observation, reward, terminated)"),
    ],
)
def test_result_that_is_not_of_its_form_has_a_position(
    sandbox: Sandbox, returned: str, reason: str
) -> None:
    source = WALK.replace(
        "return self.x, -float(abs(self.x[0] - 3)), bool(self.x[0] >= 3)",
        f"return ({returned}) if self.x[0] == 2 else (self.x, 0.0, False)",
    )
    outcome, _ = roll(sandbox, source, column([0.0]), [[2, 2, 2]])
    assert isinstance(outcome, Raised)
    assert reason in outcome.message
    assert outcome.position == 1


def test_number_beyond_64_bits_has_a_position(sandbox: Sandbox) -> None:
    source = (
        "class Environment:\n    def set_state(self, x): self.x = x\n"
        "    def step(self, a): return self.x + (1 << 63) * a, 0.0, False"
    )
    outcome, _ = roll(sandbox, source, [1], [[0, 1, 0]], DiscreteSpec(9))
    assert isinstance(outcome, Raised)
    assert outcome.position == 1


def test_every_step_starts_from_what_was_predicted(sandbox: Sandbox) -> None:
    # It would count its steps, if nobody reset it.
    source = (
        "class Environment:\n    def set_state(self, x): self.x = x\n"
        "    def step(self, a):\n        self.x = self.x + 0.3\n"
        "        return [self.x[0]], 0.0, False"
    )
    found = made(roll(sandbox, source, column([0.0]), [[1] * 3]))
    expected = np.zeros(4, dtype=np.float32)
    for step in range(3):
        expected[step + 1] = expected[step] + np.float32(0.3)
    assert found.next_observations[""][0, :, 0].tolist() == expected[1:].tolist()


COPYCAT = """
class Environment:
    def set_state(self, observation):
        self.state = observation

    def step(self, action):
        return self.state, 1, self.state == action
"""

VALUES: list[tuple[SpaceSpec, list[Value]]] = [
    (DiscreteSpec(5), [1, 3]),
    (TextSpec(), ["a", "b"]),
    (NestedSpec(), [["a", ["b"]], "c"]),
    (DictSpec((("n", DiscreteSpec(3)), ("t", TextSpec()))), [{"n": 1, "t": "x"}] * 2),
    (TupleSpec((DiscreteSpec(3), DiscreteSpec(3))), [(0, 1), (2, 2)]),
]


@pytest.mark.parametrize(("space", "values"), VALUES)
def test_values_that_a_driver_sends_come_as_columns(
    space: SpaceSpec, values: list[Value]
) -> None:
    payload = wire.encode(to_send(space, values[0]))
    sent = wire.decode(payload, ReceivedValues, max_array_bytes=1 << 10)
    assert decode_columns(space, check_values(sent, space, 1)) == [values[0]]
    with pytest.raises(ProtocolError):
        check_values(sent, space, 2)


@pytest.mark.parametrize(("space", "values"), VALUES)
def test_values_of_any_space_are_rolled_out(
    sandbox: Sandbox, space: SpaceSpec, values: list[Value]
) -> None:
    source = COPYCAT.replace("self.state == action", "action == 2")
    found = made(roll(sandbox, source, values, [[0, 2, 0], [0, 1, 0]], space))
    assert found.lengths.tolist() == [2, 3]
    expected = to_columns(space, [values[0]] * 2 + [values[1]] * 3)
    for path, wanted in expected.items():
        got = found.next_observations[path]
        if isinstance(wanted, np.ndarray):
            flat = [*got[0, :2], *got[1]]
            assert np.array_equal(flat, wanted)
        else:
            assert [*got[0][:2], *got[1]] == wanted
            assert got[0][2] == ""


def test_rollout_cannot_go_on_from_a_text_that_is_too_long(sandbox: Sandbox) -> None:
    source = (
        "class Environment:\n    def set_state(self, x): self.x = x\n"
        "    def step(self, a): return self.x + 'a', 0.0, False"
    )
    outcome, rollouts = roll(sandbox, source, [""], [[0] * 3], TextSpec(2))
    assert rollouts is None
    assert isinstance(outcome, Raised)
    assert outcome.position == 2
    assert "expected text of at most 2 characters, got 3" in outcome.message


def test_actions_of_several_numbers_are_rolled_out(sandbox: Sandbox) -> None:
    source = COPYCAT.replace("self.state, 1", "self.state + action, 1").replace(
        "self.state == action", "False"
    )
    found = made(
        roll(
            sandbox,
            source,
            np.array([[0, 0]]),
            np.array([[[1, 0], [1, 2]]]),
            MultiDiscreteSpec((9, 9)),
            MultiDiscreteSpec((9, 9)),
        )
    )
    assert found.next_observations[""].tolist() == [[[1, 0], [2, 2]]]


def test_rollouts_of_random_programs_repeat(sandbox: Sandbox) -> None:
    source = (
        "class Environment:\n    def set_state(self, x): self.x = x\n"
        "    def step(self, a): return self.x + self.rng.normal(), 0.0, False"
    )
    first = made(roll(sandbox, source, column([0.0]), [[1] * 4], seed=1))
    again = made(roll(sandbox, source, column([0.0]), [[1] * 4], seed=1))
    other = made(roll(sandbox, source, column([0.0]), [[1] * 4], seed=2))
    x = first.next_observations[""]
    assert np.array_equal(x, again.next_observations[""])
    assert not np.array_equal(x, other.next_observations[""])
    assert len(set(np.diff(x[0, :, 0]).tolist())) == 3


def test_many_rollouts_take_several_messages(sandbox: Sandbox) -> None:
    source = WALK.replace("self.x[0] >= 3", "False")
    first = np.zeros((50, 1), dtype=np.float32)
    for program in (source, BATCHED.replace("x[:, 0] >= 3", "x[:, 0] >= 1e9")):
        found = made(roll(sandbox, program, first, np.full((50, 60), 0)))
        assert found.next_observations[""][:, -1, 0].tolist() == [-60.0] * 50


@pytest.mark.parametrize(
    ("first", "actions", "reason"),
    [
        ([], [], "each of at least 1 first observations, got 0 for 0"),
        ([[0.0]], [[1], [1]], "got 2 for 1"),
        ([[0.0], [0.0]], [[1], [1, 1]], r"same number of actions.*got \[1, 2\]"),
        ([[0.0]], [[]], r"at least 1, got \[0\]"),
        ([[0.0, 1.0]], [[1]], r"shape \(1,\), got shape \(2,\)"),
        ([[0.0]], [[0.5]], "expected an integer, got a value of type float"),
        ([[0.0]], np.array([[0.5]]), "numbers of type int64, got float64"),
    ],
)
def test_wrong_arguments_are_the_callers_fault(
    sandbox: Sandbox, first: Any, actions: Any, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        roll(sandbox, WALK, first, actions)


def rows(x: list[float], terminated: list[bool], **changes: Any) -> PredictedRows:
    columns: dict[str, Any] = {
        "arrays": {"": column(x)},
        "texts": {},
        "rewards": np.zeros(len(x)),
        "terminated": np.array(terminated, dtype=np.bool_),
        "invalid": {},
    }
    payload = wire.encode(PredictedRows(**(columns | changes)))
    return wire.decode(payload, PredictedRows, max_array_bytes=1 << 20)


ASK = RolloutsAsk(
    observations={"": column([0.0, 0.0])},
    actions={"": np.zeros(6, dtype=np.int64)},
    horizon=3,
)


def test_rows_are_shared_out_by_where_rollouts_end() -> None:
    message = rows([1, 2, 3, 4, 5], [False, True, False, False, False])
    found = read_rollouts([message], LINE, ASK)
    assert found.lengths.tolist() == [2, 3]
    assert found.next_observations[""][..., 0].tolist() == [[1, 2, 0], [3, 4, 5]]


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "0 came"),
        ([rows([1, 2, 3], [False] * 3)], "6 rows were due, 3 came"),
        ([rows([1] * 6, [True] * 6)], "2 rows were due, 6 came"),
        ([rows([1] * 7, [False] * 7)], "more rows than asked for"),
        ([rows([1] * 6, [False] * 6, invalid={2: "x"})], "nothing to go on from"),
        ([rows([1] * 6, [False] * 6, arrays={"": np.zeros(6)})], "of its form"),
    ],
)
def test_rows_that_nobody_asked_for_are_refused(
    messages: list[PredictedRows], reason: str
) -> None:
    with pytest.raises(ProtocolError, match=reason):
        read_rollouts(messages, LINE, ASK)


def hold(
    sandbox: Sandbox,
    source: str,
    observation_space: SpaceSpec = LINE,
    action_space: SpaceSpec = MOVES,
    **limits: Any,
) -> ModelSession:
    return ModelSession(
        sandbox,
        source,
        observation_space=observation_space,
        action_space=action_space,
        limits=replace(LIMITS, **limits),
    )


@pytest.mark.parametrize("source", [WALK, BATCHED])
def test_held_model_answers_request_after_request(
    sandbox: Sandbox, source: str
) -> None:
    with hold(sandbox, source) as session:
        assert session.opening.kind == "completed"
        for x in (0.0, 2.0, -1.0):
            answer, one = session.step(np.array([x], dtype=np.float32), 2)
            assert answer.kind == "completed"
            assert one is not None
            assert one.next_observations[""].tolist() == [[x + 1]]
            assert (one.rewards[0], one.terminated[0]) == (-abs(x - 2), x == 2)
        _, many = session.steps(FIRST, [0, 1, 2])
        assert many is not None
        assert many.next_observations[""][:, 0].tolist() == [-1, 2, 2]
        _, rolled = session.rollouts(FIRST, ACTIONS)
        assert rolled is not None
        assert rolled.lengths.tolist() == [3, 1, 4]
        again = made(roll_after(session, sandbox, source))
        assert np.array_equal(rolled.next_observations[""], again.next_observations[""])


def roll_after(
    session: ModelSession, sandbox: Sandbox, source: str
) -> tuple[AnyOutcome, Rollouts | None]:
    session.close()
    return roll(sandbox, source, FIRST, ACTIONS)


def test_held_model_survives_an_exception(sandbox: Sandbox) -> None:
    with hold(sandbox, RAISING) as session:
        answer, nothing = session.steps(column([0.0, 2.5]), [1, 1])
        assert nothing is None
        assert isinstance(answer, Raised)
        assert answer.position == 1
        assert session.is_open
        answer, _ = session.step([0.5], 1)
        assert answer.kind == "completed"
        answer, _ = session.rollouts(column([0.5]), [[2, 2, 2]])
        assert isinstance(answer, Raised)
        assert answer.position == 2


def test_held_model_has_a_deadline(sandbox: Sandbox) -> None:
    source = WALK.replace("self.x +=", "while action == 1: pass\n        self.x +=")
    with hold(sandbox, source) as session:
        answer, _ = session.step([0.0], 1, deadline_s=0.2)
        assert answer == TimedOut(limit_s=0.2)
        answer, nothing = session.rollouts(FIRST, ACTIONS)
        assert isinstance(answer, SessionEnded)
        assert nothing is None


def test_held_model_that_forges_rows_is_let_go(sandbox: Sandbox) -> None:
    data = wire.frame(wire.VALUE, wire.encode(rows([1, 2], [False, False])))
    source = WALK.replace(
        "self.x +=", f"__import__('os').write(3, {data!r})\n        self.x +="
    )
    with hold(sandbox, source) as session:
        answer, nothing = session.step([0.0], 1)
        assert isinstance(answer, ProtocolBroken)
        assert "more rows than asked for" in answer.reason
        assert nothing is None
        assert not session.is_open


def test_program_without_its_class_is_not_held(sandbox: Sandbox) -> None:
    with hold(sandbox, "x = 1") as session:
        assert isinstance(session.opening, Raised)
        assert "must define a class 'Environment'" in session.opening.message
        answer, _ = session.step([0.0], 1)
        assert isinstance(answer, SessionEnded)


def test_held_model_draws_anew_for_each_step(sandbox: Sandbox) -> None:
    source = (
        "class Environment:\n    def set_state(self, x): self.x = x\n"
        "    def step(self, a): return self.x + self.rng.normal(), 0.0, False"
    )
    with hold(sandbox, source) as session:
        found = [session.step([0.0], 1)[1] for _ in range(4)]
        drawn = {float(one.next_observations[""][0, 0]) for one in found if one}
    assert len(drawn) == 4


def test_wrong_arguments_leave_the_session_open(sandbox: Sandbox) -> None:
    with hold(sandbox, WALK) as session:
        with pytest.raises(ValueError, match="an action for each of at least 1"):
            session.steps([], [])
        with pytest.raises(ValueError, match=r"expected an array of shape \(1,\)"):
            session.step([0.0, 1.0], 1)
        assert session.step([0.0], 1)[0].kind == "completed"


def test_planner_inside_sends_its_action_and_claims(sandbox: Sandbox) -> None:
    spec = ModelSpec(
        observation_space=space_to_json(LINE),
        action_space=space_to_json(MOVES),
        seed=0,
        uses_generator=False,
        uses_random=False,
    )
    with sandbox.open_session(
        WALK, spec, driver=PLANNER, reply=PlannedAction, limits=LIMITS
    ) as session:
        for x in (0.0, 2.0):
            answer = session.ask({"": column([x])})
            assert isinstance(answer, Completed)
            (planned,) = answer.messages
            # Towards the end at 3 is the way to the largest return.
            assert check_values(planned.action, MOVES, 1)[""].tolist() == [2]
            following = check_values(planned.next_observation, LINE, 1)
            assert following[""].tolist() == [[x + 1]]
            assert 1 + 3 * 8 <= planned.num_model_steps <= 1 + 3 * 8 * 5


def test_broken_rows_end_the_session(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise ProtocolError("not as asked")

    monkeypatch.setattr("cwm.programs.model_session.check_rows", refuse)
    with hold(sandbox, WALK) as session:
        answer, nothing = session.step([0.0], 1)
        assert answer == ProtocolBroken(reason="not as asked")
        assert nothing is None
        assert not session.is_open


def test_arguments_become_columns_in_the_order_of_rollouts() -> None:
    ask = rollouts_ask(LINE, MOVES, FIRST, ACTIONS)
    assert ask.horizon == 4
    assert ask.actions[""].tolist() == [2, 2, 2, 2, 2, 0, 0, 0, 0, 1, 1, 0]
