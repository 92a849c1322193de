"""Programs against recorded transitions, through the real sandbox."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from cwm.core.errors import DataError
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
)
from cwm.core.trajectories import (
    Transition,
    TransitionBatch,
    batch_trajectories,
    make_trajectory,
)
from cwm.programs.evaluation import Evaluation, ProgramEvaluator, open_sandbox
from cwm.programs.unit_tests import load_unit_tests, parse_unit_tests
from sandbox.limits import Limits
from sandbox.outcome import Raised
from sandbox.pool import Sandbox
from tests.support.recorded import (
    CARTPOLE,
    MOUNTAIN_CAR,
    PENDULUM,
    record,
    task_of,
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox(limits=Limits(wall_s=20.0), require="none") as made:
        yield made


@pytest.fixture(scope="module")
def unchecked() -> Iterator[Sandbox]:
    with open_sandbox(
        limits=Limits(wall_s=20.0), num_workers=1, policy="off", require="none"
    ) as made:
        yield made


def evaluate(
    sandbox: Sandbox, source: str, batch: TransitionBatch, **options: object
) -> Evaluation:
    return ProgramEvaluator(task_of(batch), sandbox=sandbox, **options).evaluate(source)


def test_exact_program_is_perfect(sandbox: Sandbox) -> None:
    result = evaluate(sandbox, CARTPOLE, record("CartPole-v1"))
    assert result.outcome_kind == "completed"
    assert result.score == 1.0
    assert result.is_perfect
    assert result.counterexamples == ()
    assert result.isolation == sandbox.isolation.to_json()


@pytest.mark.parametrize("force", ["0.00101", "0.00099"])
def test_force_one_percent_wrong_fails_strict_and_passes_paper(
    sandbox: Sandbox, force: str
) -> None:
    batch = record("MountainCar-v0")
    wrong = MOUNTAIN_CAR.replace("FORCE = 0.001", f"FORCE = {force}")
    exact = evaluate(sandbox, MOUNTAIN_CAR, batch).train
    shifted = evaluate(sandbox, wrong, batch).train
    assert exact is not None
    assert shifted is not None
    assert exact.strict == exact.paper == 1.0
    assert shifted.strict < 0.5
    assert shifted.paper > 0.99


def test_exact_pendulum_shows_the_defect_of_the_reference(sandbox: Sandbox) -> None:
    train = evaluate(sandbox, PENDULUM, record("Pendulum-v1")).train
    assert train is not None
    assert train.strict == train.score == 1.0
    assert 0.66 < train.reference < 0.92


def test_do_nothing_program_gets_partial_credit_and_no_strict_accuracy(
    sandbox: Sandbox,
) -> None:
    source = (
        "class Environment:\n    def set_state(self, s): self.s = s\n"
        "    def step(self, a): return self.s, 1.0, False"
    )
    train = evaluate(sandbox, source, record("CartPole-v1")).train
    assert train is not None
    assert train.strict == 0.0
    assert 0.5 < train.score < 0.75


def test_exception_anywhere_is_a_bug_that_says_where(sandbox: Sandbox) -> None:
    batch = record("CartPole-v1")
    row = 17
    position = float(batch.observations[""][row, 0])
    source = CARTPOLE.replace(
        "        force =", f"        if x == {position!r}: x / 0\n        force ="
    )
    result = evaluate(sandbox, source, batch)
    assert (result.outcome_kind, result.is_bug, result.score) == ("raised", True, 0.0)
    assert result.failing_index == row
    assert (
        result.failure_line
        == source.split("\n").index(f"        if x == {position!r}: x / 0") + 1
    )
    assert result.feedback.startswith(
        "ZeroDivisionError: float division by zero\nLine 16: if x == "
    )
    assert "This happened in step(" in result.feedback
    assert result.train is None
    assert not result.is_perfect


@pytest.mark.parametrize(
    ("source", "kind", "fragment"),
    [
        ("x = 1", "raised", "The program must define a class 'Environment'"),
        ("def (:", "raised", "SyntaxError"),
        ("import os", "rejected", "Line 1: import of os is not allowed"),
        ("class Environment:\n    def __init__(self, n): pass", "raised", "TypeError"),
        ("while True: pass", "timed_out", "did not finish within 0.5 s"),
        ("x = [0] * 10**10", "memory_exceeded", "Line 1: x = [0] * 10**10"),
    ],
)
def test_program_that_cannot_be_loaded_is_a_bug_with_feedback(
    source: str, kind: str, fragment: str
) -> None:
    limits = Limits(wall_s=0.5 if kind == "timed_out" else 20.0)
    with open_sandbox(limits=limits, num_workers=1, require="none") as made:
        result = evaluate(made, source, record("CartPole-v1"))
    assert (result.outcome_kind, result.is_bug, result.score) == (kind, True, 0.0)
    assert fragment in result.feedback


def stepping(result: str, prelude: str = "") -> str:
    return (
        f"{prelude}\nimport numpy as np\n\nclass Environment:\n"
        "    def set_state(self, s): self.s = s\n"
        f"    def step(self, a): return {result}"
    )


@pytest.mark.parametrize("result", ["None", "self.s, 1.0", "[self.s, 1.0, False]"])
def test_step_that_returns_no_triple_is_a_bug(sandbox: Sandbox, result: str) -> None:
    got = evaluate(sandbox, stepping(result), record("CartPole-v1"))
    assert got.is_bug
    assert "step must return (observation, reward, terminated), got" in got.feedback
    assert got.failing_index is not None


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ("self.s[:3], 1.0, False", "expected an array of shape (4,), got shape (3,)"),
        ("None, 1.0, False", "expected an array of shape (4,), got shape ()"),
        ("self.s > 0, 1.0, False", "got booleans"),
        ("self.s.astype(str), 1.0, False", "expected numbers of type float32"),
        ("self.s, '1', False", "reward must be a real number, got str"),
        ("self.s, True, False", "reward must be a real number, got bool"),
        ("self.s, 1j, False", "reward must be a real number, got complex"),
        ("self.s, 10**400, False", "reward must fit into a float"),
        ("self.s, np.ones(1), False", "reward must be a real number, got ndarray"),
        ("self.s, 1.0, 0", "terminated must be a bool, got int"),
        ("self.s, 1.0, None", "terminated must be a bool, got NoneType"),
    ],
)
def test_value_of_the_wrong_form_is_wrong_and_explained(
    sandbox: Sandbox, result: str, message: str
) -> None:
    got = evaluate(sandbox, stepping(result), record("CartPole-v1"))
    assert not got.is_bug
    assert got.score == 0.0
    assert message in got.counterexamples[0].message
    assert got.counterexamples[0].predicted is None


@pytest.mark.parametrize(
    "result",
    [
        "list(self.s), 1, np.bool_(False)",
        "tuple(self.s.tolist()), np.float32(1), False",
        "self.s.astype(np.float64), np.array(1.0), False",
        "self.s.astype(np.float16) * 0 + self.s, np.int64(1), np.array(False)",
    ],
)
def test_forms_that_the_contract_allows_are_equal_to_the_plain_one(
    sandbox: Sandbox, result: str
) -> None:
    batch = record("CartPole-v1")
    plain = evaluate(sandbox, stepping("self.s, 1.0, False"), batch)
    assert evaluate(sandbox, stepping(result), batch).train == plain.train


ALWAYS_EQUAL = """
import numpy as np

class Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    def __le__(self, other): return True
    def __gt__(self, other): return True
    def __sub__(self, other): return 0.0
    def __abs__(self): return 0.0
    def __len__(self): return 4
    def __getitem__(self, i): return (7.0, 7.0, 7.0, 7.0)[i]
    def __float__(self): return 1.0
    def __bool__(self): return True
    __hash__ = None

class EqualArray(np.ndarray):
    def __eq__(self, other): return np.ones(self.shape, dtype=bool)
    def __sub__(self, other): return np.zeros(self.shape)

class EqualFloat(float):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0
    __hash__ = None
"""


@pytest.mark.parametrize(
    "result",
    [
        "Equal(), Equal(), Equal()",
        "Equal(), 1.0, False",
        "np.full(4, 7.0, dtype=np.float32).view(EqualArray), EqualFloat(7), False",
        "np.ma.masked_all(4, dtype=np.float32), np.ma.masked, False",
        "np.full(4, np.nan, dtype=np.float32), float('nan'), False",
        "[], 1.0, False",
        "{}, 1.0, False",
        "np.array([Equal()] * 4), 1.0, False",
    ],
)
def test_objects_that_equal_everything_are_never_right(
    unchecked: Sandbox, result: str
) -> None:
    batch = record("CartPole-v1", num_episodes=1, max_steps=4)
    got = evaluate(unchecked, stepping(result, ALWAYS_EQUAL), batch)
    strict = 0.0 if got.train is None else got.train.strict
    assert strict == 0.0
    # Reward and flag alone, where they are right, are two of three parts.
    assert got.score <= 2 / 3 + 1e-9


PEEKS = """
import gc
import sys
import numpy as np

class Environment:
    def set_state(self, s): self.s = s
    def step(self, a):
        best, distance = self.s, 1e9
        for thing in gc.get_objects():
            values = thing if isinstance(thing, list) else []
            for value in values[:5000]:
                if isinstance(value, np.ndarray) and value.shape == (4,):
                    if not np.array_equal(value, self.s):
                        d = float(abs(value[0] - self.s[0] - 0.02 * self.s[1]))
                        if d < distance:
                            best, distance = value, d
        return best.copy(), 1.0, False
"""


def test_searching_memory_for_the_next_observation_finds_nothing(
    unchecked: Sandbox,
) -> None:
    batch = record("CartPole-v1", num_episodes=2, max_steps=30)
    train = evaluate(unchecked, PEEKS, batch).train
    assert train is not None
    assert train.strict == 0.0


def test_program_that_reuses_its_array_is_read_at_once(sandbox: Sandbox) -> None:
    reusing = CARTPOLE.replace(
        "        return np.array(self.state, dtype=np.float32), 1.0, terminated",
        "        BUFFER[:] = self.state\n        return BUFFER, 1.0, terminated",
    ).replace("TAU = 0.02", "TAU = 0.02\nBUFFER = np.zeros(4, dtype=np.float32)")
    assert evaluate(sandbox, reusing, record("CartPole-v1")).is_perfect


def test_program_that_spoils_its_input_harms_itself_alone(sandbox: Sandbox) -> None:
    batch = record("CartPole-v1")
    before = batch.observations[""].copy()
    spoiling = CARTPOLE.replace(
        "self.state = tuple(observation.tolist())",
        "self.state = tuple(observation.tolist()); observation[:] = 7",
    )
    assert evaluate(sandbox, spoiling, batch).is_perfect
    np.testing.assert_array_equal(batch.observations[""], before)


def test_program_that_counts_its_calls_does_not_see_them_in_order(
    sandbox: Sandbox,
) -> None:
    batch = record("CartPole-v1")
    source = (
        "import numpy as np\nSEEN = []\nclass Environment:\n"
        "    def set_state(self, s): SEEN.append(s)\n"
        "    def step(self, a):\n"
        "        last = SEEN[-2] if len(SEEN) > 1 else SEEN[-1]\n"
        "        return last, 1.0, False"
    )
    evaluator = ProgramEvaluator(task_of(batch), sandbox=sandbox)
    _, predictions = evaluator.predict(source, batch)
    assert predictions is not None
    # Each child has every second transition: by time, the last one would be t - 2.
    for distance in (1, 2):
        earlier = batch.observations[""][:-distance]
        seen = predictions.next_observations[""][distance:]
        assert (seen == earlier).all(axis=1).mean() < 0.1


def test_validation_transitions_are_scored_apart(sandbox: Sandbox) -> None:
    train, validation = record("CartPole-v1"), record("CartPole-v1", seed=50)
    wrong = CARTPOLE.replace("GRAVITY = 9.8", "GRAVITY = 9.7")
    alone = evaluate(sandbox, wrong, train)
    both = evaluate(sandbox, wrong, train, validation=validation)
    assert both.train == alone.train
    assert both.validation is not None
    assert both.validation.num_transitions == len(validation)
    assert all(0 <= example.index < len(train) for example in both.counterexamples)


def test_validation_is_only_run_where_it_is_wanted(sandbox: Sandbox) -> None:
    train, validation = record("CartPole-v1"), record("CartPole-v1", seed=50)
    bug = CARTPOLE.replace(
        "        force =", "        assert x in KNOWN\n        force ="
    )
    bug += f"\nKNOWN = {train.observations[''][:, 0].tolist()!r}\n"
    evaluator = ProgramEvaluator(task_of(train), validation=validation, sandbox=sandbox)
    seen: list[Evaluation] = []

    def refuse(evaluation: Evaluation) -> bool:
        seen.append(evaluation)
        return False

    found = evaluator.evaluate(bug, needs_validation=refuse)
    assert seen == [found]
    assert found.train is not None
    assert found.train.strict == 1.0
    assert found.validation is None
    assert evaluator.evaluate(bug).is_bug


def test_bug_in_a_validation_transition_is_a_bug_without_a_training_row(
    sandbox: Sandbox,
) -> None:
    train, validation = record("CartPole-v1"), record("CartPole-v1", seed=50)
    position = float(validation.observations[""][3, 0])
    source = CARTPOLE.replace(
        "        force =", f"        assert x != {position!r}\n        force ="
    )
    result = evaluate(sandbox, source, train, validation=validation)
    assert result.is_bug
    assert result.failing_index is None
    assert "validation transition" in result.feedback


def test_evaluation_repeats_and_survives_json(sandbox: Sandbox) -> None:
    batch = record("CartPole-v1")
    noisy = stepping("self.s + np.random.normal(size=4), 1.0, False")
    first = evaluate(sandbox, noisy, batch)
    assert evaluate(sandbox, noisy, batch).to_json() == first.to_json()
    other = evaluate(sandbox, noisy, batch, seed=1)
    assert other.to_json() != first.to_json()
    text = json.dumps(first.to_json(), allow_nan=False)
    again = Evaluation.from_json(json.loads(text))
    assert again.to_json() == first.to_json()
    assert again.train == first.train
    np.testing.assert_array_equal(
        again.counterexamples[0].observation, first.counterexamples[0].observation
    )


@pytest.mark.parametrize(
    "draw",
    ["self.rng.normal(size=4)", "np.random.normal(size=4)", "random.random()"],
)
def test_draws_depend_on_seed_and_transition_not_on_order(
    sandbox: Sandbox, unchecked: Sandbox, draw: str
) -> None:
    batch = record("CartPole-v1")
    source = stepping(f"self.s + {draw}, 1.0, False", "import random")
    evaluators = [
        ProgramEvaluator(task_of(batch), sandbox=made) for made in (sandbox, unchecked)
    ]
    _, whole = evaluators[0].predict(source, batch)
    _, again = evaluators[1].predict(source, batch)
    assert whole is not None
    assert again is not None
    columns = whole.next_observations[""]
    np.testing.assert_array_equal(columns, again.next_observations[""])
    noise = columns - batch.observations[""]
    assert len(np.unique(noise[:, 0].round(5))) > 0.9 * len(batch)


COIN_SPACE = DiscreteSpec(3)


def coin_batch(num_flips: int = 200) -> TransitionBatch:
    rng = np.random.default_rng(0)
    steps = []
    for _ in range(num_flips):
        heads = bool(rng.random() < 0.7)
        steps.append(Transition(0, 0, 1 if heads else 2, float(heads), True, False))
    return batch_trajectories(
        [
            make_trajectory([s], observation_space=COIN_SPACE, action_space=COIN_SPACE)
            for s in steps
        ],
        COIN_SPACE,
        COIN_SPACE,
    )


COIN = """
class Environment:
    def set_state(self, s): pass
    def step(self, a):
        heads = self.rng.random() < {probability}
        return (1, 1.0, True) if heads else (2, 0.0, True)
"""


def test_stochastic_program_with_the_right_odds_scores_highest(
    sandbox: Sandbox,
) -> None:
    evaluator = ProgramEvaluator(
        task_of(coin_batch(), is_stochastic=True), sandbox=sandbox
    )
    scores = {
        p: evaluator.evaluate(COIN.format(probability=p)).score
        for p in (0.0, 0.1, 0.7, 1.0)
    }
    assert max(scores, key=scores.__getitem__) == 0.7
    assert 0.0 < scores[0.0] < scores[0.7] < 1.0
    best = evaluator.evaluate(COIN.format(probability=0.7))
    assert best.train is not None
    assert best.train.num_draws == 32
    # -0.7 ln 0.7 - 0.3 ln 0.3 = 0.611 nats is the entropy of the coin.
    assert best.train.log_likelihood == pytest.approx(-0.611, abs=0.1)
    assert not best.is_perfect


def test_program_that_draws_nothing_is_run_once_and_judged_as_if_repeated(
    sandbox: Sandbox,
) -> None:
    evaluator = ProgramEvaluator(
        task_of(coin_batch(), is_stochastic=True), sandbox=sandbox
    )
    plain = COIN.replace("self.rng.random() < {probability}", "True")
    repeated = COIN.format(probability=1.0)
    assert evaluator.evaluate(plain).train == evaluator.evaluate(repeated).train


def test_stochastic_counterexamples_are_outcomes_never_drawn(sandbox: Sandbox) -> None:
    evaluator = ProgramEvaluator(
        task_of(coin_batch(), is_stochastic=True), sandbox=sandbox
    )
    result = evaluator.evaluate(COIN.format(probability=1.0))
    assert result.counterexamples
    assert all(e.expected == (2, 0.0, True) for e in result.counterexamples)
    assert evaluator.evaluate(COIN.format(probability=0.5)).counterexamples == ()


COMPOSITE = DictSpec(
    (
        ("box", BoxSpec((2, 2), "float64")),
        ("cards", TupleSpec((DiscreteSpec(32), MultiDiscreteSpec((2, 3))))),
        ("words", NestedSpec()),
        ("text", TextSpec()),
    )
)
ACTIONS: SpaceSpec = TextSpec()


def composite_batch() -> TransitionBatch:
    def value(number: int) -> Value:
        return {
            "box": np.full((2, 2), float(number)),
            "cards": (number, np.array([number % 2, number % 3])),
            "words": [["wall", str(number)], []],
            "text": f"é{number}",
        }

    steps = [
        Transition(value(i), f"go {i}", value(i + 1), 0.5, False, False)
        for i in range(6)
    ]
    trajectory = make_trajectory(
        steps, observation_space=COMPOSITE, action_space=ACTIONS
    )
    return batch_trajectories([trajectory], COMPOSITE, ACTIONS)


COMPOSITE_PROGRAM = """
import numpy as np

class Environment:
    def set_state(self, observation):
        self.number = observation["cards"][0]
        assert observation["words"] == [["wall", str(self.number)], []]
        assert isinstance(observation["box"], np.ndarray)

    def step(self, action):
        assert action == f"go {self.number}"
        n = self.number + 1
        observation = {
            "box": [[n, n], [n, n]],
            "cards": (n, [n % 2, n % 3]),
            "words": (("wall", str(n)), ()),
            "text": f"é{n}",
        }
        return observation, 0.5, False
"""


def test_composite_spaces_and_text_actions_go_through(sandbox: Sandbox) -> None:
    result = evaluate(sandbox, COMPOSITE_PROGRAM, composite_batch())
    assert result.feedback == ""
    assert result.is_perfect


def test_wrong_members_of_composite_observations_are_named(sandbox: Sandbox) -> None:
    source = COMPOSITE_PROGRAM.replace('f"é{n}"', '"e"').replace(
        '"wall", str(n)', '"wall", "x"'
    )
    result = evaluate(sandbox, source, composite_batch())
    assert result.counterexamples[0].wrong_parts == (
        "observation/words",
        "observation/text",
    )


def test_row_of_the_wrong_form_does_not_spoil_its_neighbours(sandbox: Sandbox) -> None:
    source = COMPOSITE_PROGRAM.replace("(n, [n % 2", "(n if n != 3 else 2**70, [n % 2")
    train = evaluate(sandbox, source, composite_batch()).train
    assert train is not None
    assert train.strict == pytest.approx(5 / 6)


def test_text_longer_than_its_space_is_of_the_wrong_form(sandbox: Sandbox) -> None:
    def value(number: int) -> Value:
        return (number, "é" * (number % 3))

    space = TupleSpec((DiscreteSpec(9), TextSpec(max_length=2)))
    steps = [Transition(value(i), 0, value(i + 1), 0.0, False, False) for i in range(6)]
    trajectory = make_trajectory(
        steps, observation_space=space, action_space=DiscreteSpec(1)
    )
    batch = batch_trajectories([trajectory], space, DiscreteSpec(1))
    source = (
        "class Environment:\n    def set_state(self, x): self.n = x[0] + 1\n"
        "    def step(self, a): return (self.n, 'é' * (self.n % 3)), 0.0, False\n"
    )
    assert evaluate(sandbox, source, batch).is_perfect
    longer = evaluate(
        sandbox, source.replace("% 3", "% 3 if self.n != 4 else 3"), batch
    )
    (example,) = longer.counterexamples
    assert example.predicted is None
    assert example.message == (
        "observation: expected text of at most 2 characters, got 3"
    )


def test_counterexamples_of_texts_without_an_end_are_short(sandbox: Sandbox) -> None:
    source = COMPOSITE_PROGRAM.replace('f"é{n}"', '"x" * 100_000').replace(
        '("wall", str(n))', '["wall"] * 10_000'
    )
    result = evaluate(sandbox, source, composite_batch())
    assert len(result.counterexamples) == 6
    assert len(json.dumps(result.to_json())) < 100_000


TESTS = """
import numpy as np

def test_gravity_pulls(Environment):
    env = Environment()
    env.set_state(np.array([0, 0, 0.1, 0], dtype=np.float32))
    observation, reward, terminated = env.step(1)
    assert reward == 1.0

def test_nothing_is_right(Environment):
    assert 1 + 1 == 3, "sums"

def helper(): pass
"""


def test_unit_tests_enter_the_score_and_the_counterexamples(sandbox: Sandbox) -> None:
    result = evaluate(
        sandbox, CARTPOLE, record("CartPole-v1"), unit_tests=parse_unit_tests(TESTS)
    )
    assert result.score == pytest.approx(0.8 + 0.2 * 0.5)
    assert not result.is_perfect
    assert result.unit_tests is not None
    assert result.unit_tests.failed == ("test_nothing_is_right",)
    (failure,) = result.counterexamples
    assert failure.index == -1
    assert failure.message == (
        "test_nothing_is_right failed: AssertionError: sums\n"
        'Line 11 of the tests: assert 1 + 1 == 3, "sums"'
    )
    again = Evaluation.from_json(result.to_json())
    assert again.unit_tests == result.unit_tests


def test_program_that_raises_in_a_unit_test_fails_it_with_its_line(
    sandbox: Sandbox,
) -> None:
    tests = parse_unit_tests("def test_x(Environment):\n    Environment().step(1)\n")
    result = evaluate(sandbox, CARTPOLE, record("CartPole-v1"), unit_tests=tests)
    assert not result.is_bug
    assert "AttributeError" in result.counterexamples[0].message
    assert "of the program: x, x_dot, theta" in result.counterexamples[0].message


def test_unit_tests_that_cannot_run_have_failed(sandbox: Sandbox) -> None:
    tests = parse_unit_tests("import nothing\ndef test_x(Environment): pass\n")
    result = evaluate(sandbox, CARTPOLE, record("CartPole-v1"), unit_tests=tests)
    assert result.unit_tests is not None
    assert result.unit_tests.num_passed == 0
    assert "No module named 'nothing'" in result.counterexamples[0].message


def test_file_without_tests_is_refused(tmp_path: object) -> None:
    with pytest.raises(DataError, match="at least one function test_"):
        parse_unit_tests("x = 1")
    with pytest.raises(DataError, match="must be a Python file"):
        parse_unit_tests("def (")
    with pytest.raises(DataError, match=r"test_x in tests.py must take one argument"):
        parse_unit_tests("def test_x(): pass", origin="tests.py")
    with pytest.raises(DataError, match="Cannot read the tests"):
        load_unit_tests(tmp_path / "missing.py")  # type: ignore[operator]


def test_other_transitions_are_scored_with_the_training_tolerances(
    sandbox: Sandbox,
) -> None:
    train, other = record("CartPole-v1"), record("CartPole-v1", seed=90)
    evaluator = ProgramEvaluator(task_of(train), sandbox=sandbox)
    outcome, score, audit = evaluator.score_on(CARTPOLE, other)
    assert (outcome.kind, audit) == ("completed", None)
    assert score is not None
    assert score.strict == 1.0
    outcome, score, _ = evaluator.score_on("1 / 0", other, audited=True)
    assert isinstance(outcome, Raised)
    assert score is None
