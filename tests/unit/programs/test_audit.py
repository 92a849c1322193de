"""Programs run again, through the real sandbox: honest ones and those that peek."""

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from cwm.core.predictions import Predictions
from cwm.core.seeding import child_rng
from cwm.core.spaces import BoxSpec, DiscreteSpec, NestedSpec, TupleSpec
from cwm.core.trajectories import (
    Transition,
    TransitionBatch,
    batch_trajectories,
    make_trajectory,
)
from cwm.programs.audit import Audit, audit, choose_singletons, different_rows
from cwm.programs.evaluation import (
    Evaluation,
    ProgramEvaluator,
    always,
    open_sandbox,
)
from cwm.programs.runner import ProgramRunner
from cwm.synthesis.candidates import refuse_memorised
from sandbox.limits import Limits
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
    """Without the policy: the audit has to see what the policy would refuse."""
    with open_sandbox(limits=Limits(wall_s=20.0), policy="off", require="none") as made:
        yield made


def audited(
    sandbox: Sandbox, source: str, batch: TransitionBatch, **options: bool
) -> Evaluation:
    task = task_of(batch, **options)
    return ProgramEvaluator(task, sandbox=sandbox).evaluate(source, needs_audit=always)


def program(step: str, *, prelude: str = "", set_state: str = "self.s = s") -> str:
    """Returns a program from the bodies of its methods."""

    def indented(text: str) -> str:
        return "\n".join(f"        {line}" for line in text.strip().splitlines())

    return (
        f"import numpy as np\n{prelude}\n\nclass Environment:\n"
        f"    def set_state(self, s):\n{indented(set_state)}\n"
        f"    def step(self, a):\n{indented(step)}\n"
    )


PURE = program("return self.s + 1, 1.0, False")

LRU_CACHE = program(
    "return np.array(force(a, *self.s), dtype=np.float32), 1.0, False",
    prelude="""
from functools import lru_cache

@lru_cache(maxsize=None)
def force(a, *s):
    return [x + a for x in s]
""",
    set_state="self.s = tuple(s.tolist())",
)

OWN_CACHE = program(
    """
key = self.s.tobytes()
if key not in CACHE:
    CACHE[key] = self.s * 2
return CACHE[key].copy(), 1.0, False
""",
    prelude="CACHE = {}",
)

REUSED_ARRAY = program(
    "OUT[:] = self.s\nOUT[0] += a\nreturn OUT, 1.0, False",
    prelude="OUT = np.zeros(4, dtype=np.float32)",
)

NOT_A_NUMBER = program("return self.s * np.float32('nan'), float('nan'), False")

WRONG_FORM = program("return (self.s if self.s[0] > 0 else None), 1.0, False")

HONEST = {
    "pure": PURE,
    "lru_cache": LRU_CACHE,
    "own cache": OWN_CACHE,
    "reused array": REUSED_ARRAY,
    "not a number": NOT_A_NUMBER,
    "wrong form": WRONG_FORM,
    "CartPole": CARTPOLE,
}


@pytest.mark.parametrize("name", HONEST)
def test_a_function_of_its_inputs_is_consistent(sandbox: Sandbox, name: str) -> None:
    batch = record("CartPole-v1")
    evaluation = audited(sandbox, HONEST[name], batch)
    assert not evaluation.is_bug, evaluation.feedback
    found = evaluation.audit
    assert found is not None
    assert found.is_consistent
    assert (found.num_alone, found.num_permuted) == (12, len(batch))
    assert (found.explanation, found.failed_check, found.example) == ("", "", None)
    assert found.memorised is not None


@pytest.mark.parametrize(
    ("source", "env_id"), [(MOUNTAIN_CAR, "MountainCar-v0"), (PENDULUM, "Pendulum-v1")]
)
def test_an_exact_program_stays_perfect(
    sandbox: Sandbox, source: str, env_id: str
) -> None:
    assert audited(sandbox, source, record(env_id)).is_perfect


# How programs come by the inputs of the others, without any answer in the process.
FRAMES = """
import sys

def inputs():
    frame = sys._getframe()
    while "observations" not in frame.f_locals:
        frame = frame.f_back
    return np.array(frame.f_locals["observations"])
"""

HEAP = """
import gc

def inputs():
    found = [
        x for x in gc.get_objects()
        if type(x) is list and len(x) and type(x[0]) is np.ndarray
        and x[0].shape == (4,)
    ]
    return np.array(max(found, key=len))
"""

TRACEBACK = """
import sys

def inputs():
    try:
        raise ValueError
    except ValueError as error:
        frame = error.__traceback__.tb_frame
    while "observations" not in frame.f_locals:
        frame = frame.f_back
    return np.array(frame.f_locals["observations"])
"""

NEAREST = """
distance = np.abs(inputs() - self.s).sum(axis=1)
distance[distance == 0] = np.inf
return inputs()[distance.argmin()], 1.0, False
"""

# Positions two steps later tell the velocity one step later.
SOLVING = """
later = [o for o in inputs() if abs(o[0] - self.s[0] - 0.04 * self.s[1]) < 0.02]
later = later or [self.s]
velocity = (min(later, key=lambda o: abs(o - self.s).sum())[0] - self.s[0]) / 0.04
result = self.s.copy()
result[1] = velocity
return result, 1.0, False
"""

REPEATS = program(
    """
key = (self.s.tobytes(), a)
KNOWN[key] = LAST[0]
LAST[0] = self.s
guess = KNOWN[key]
return (self.s if guess is None else guess), 1.0, False
""",
    prelude="KNOWN, LAST = {}, [None]",
)

CHEATING = {
    "frame walk": program(NEAREST, prelude=FRAMES),
    "heap walk": program(NEAREST, prelude=HEAP),
    "traceback walk": program(NEAREST, prelude=TRACEBACK),
    "solving for the step between": program(SOLVING, prelude=FRAMES),
    "remembering what came before": REPEATS,
    "step counter": program(
        "COUNT.append(a)\nreturn self.s + len(COUNT), 1.0, False", prelude="COUNT = []"
    ),
    "counter in the reward": program(
        "global N\nN += 1\nreturn self.s, float(N), False", prelude="N = 0"
    ),
    "counter in terminated": program(
        "global N\nN += 1\nreturn self.s, 1.0, N > 5", prelude="N = 0"
    ),
    "attribute of the class": program(
        "Environment.total = Environment.total * 0.9 + a\n"
        "return self.s + Environment.total, 1.0, False",
        set_state="self.s = s\nif not hasattr(Environment, 'total'):\n"
        "    Environment.total = 0.0",
    ),
    "default argument": program(
        "return self.s + remember(a), 1.0, False",
        prelude="def remember(a, seen=[]):\n    seen.append(a)\n    return sum(seen)",
    ),
    "state that set_state forgets": program(
        "self.v = getattr(self, 'v', 0.0) + self.s[0]\n"
        "return self.s + self.v, 1.0, False"
    ),
    "clock": program(
        "return self.s + time.perf_counter() % 1, 1.0, False", prelude="import time"
    ),
    "unseeded generator": program(
        "return self.s + np.random.default_rng().random(), 1.0, False"
    ),
    "generator of its own": program(
        "return self.s + G.random(), 1.0, False",
        prelude="G = np.random.Generator(np.random.PCG64(0))",
    ),
    "last bit only": program(
        "global N\nN += 1\n"
        "up = np.nextafter(self.s, np.float32(np.inf))\n"
        "return (up if N == 3 else self.s), 1.0, False",
        prelude="N = 0",
    ),
    "another form later": program(
        "global N\nN += 1\nreturn (self.s if N < 9 else None), 1.0, False",
        prelude="N = 0",
    ),
}


@pytest.mark.parametrize("name", CHEATING)
def test_a_program_that_is_no_function_is_a_bug_that_says_so(
    sandbox: Sandbox, name: str
) -> None:
    evaluation = audited(sandbox, CHEATING[name], record("CartPole-v1"))
    assert evaluation.outcome_kind == "inconsistent", evaluation.feedback
    assert (evaluation.score, evaluation.is_bug) == (0.0, True)
    assert evaluation.train is None
    assert not evaluation.is_perfect
    assert evaluation.feedback.startswith(
        "Inconsistent: the program is not a function of (observation, action). "
    )
    assert "For example, step(" in evaluation.feedback
    assert "was predicted as " in evaluation.feedback
    assert "set_state must set everything that step reads." in evaluation.feedback
    assert evaluation.audit is not None
    assert evaluation.failing_index == evaluation.audit.example is not None


def test_without_an_audit_they_would_have_scored(sandbox: Sandbox) -> None:
    batch = record("CartPole-v1")
    source = CHEATING["frame walk"]
    evaluator = ProgramEvaluator(task_of(batch), sandbox=sandbox)
    assert not evaluator.evaluate(source).is_bug
    assert evaluator.evaluate(source).score > 0.5
    assert evaluator.evaluate(source).audit is None


def test_only_what_must_be_audited_is(sandbox: Sandbox) -> None:
    evaluator = ProgramEvaluator(task_of(record("CartPole-v1")), sandbox=sandbox)
    seen: list[float] = []

    def is_good(evaluation: Evaluation) -> bool:
        seen.append(evaluation.score)
        return evaluation.score > 0.9

    assert evaluator.evaluate(PURE, needs_audit=is_good).audit is None
    assert evaluator.evaluate(CARTPOLE, needs_audit=is_good).audit is not None
    assert evaluator.evaluate("1 / 0", needs_audit=is_good).outcome_kind == "raised"
    assert seen[1] == 1.0
    assert len(seen) == 2


def test_a_program_that_cannot_be_alone_is_inconsistent(sandbox: Sandbox) -> None:
    source = program(
        "return inputs()[len(inputs()) > 1 and 1], 1.0, 1 // (len(inputs()) - 1) < 0",
        prelude=FRAMES,
    )
    evaluation = audited(sandbox, source, record("CartPole-v1"))
    assert evaluation.outcome_kind == "inconsistent"
    assert evaluation.audit is not None
    assert evaluation.audit.failed_check == "alone"
    assert "Run again, it failed: ZeroDivisionError" in evaluation.feedback
    assert evaluation.failing_index is not None


def test_a_program_that_guesses_rarely_is_seen_by_the_permuted_run(
    sandbox: Sandbox,
) -> None:
    # One prediction of 85 depends on the neighbour two steps later.
    batch = record("CartPole-v1")
    row = 7
    assert batch.trajectory[row] == batch.trajectory[row + 2]
    values = batch.observations[""][[row, row + 2]].tolist()
    source = program(
        f"HERE, LATER = np.array({values}, dtype=np.float32)\n"
        "knows = any((o == LATER).all() for o in inputs())\n"
        "guess = LATER if (self.s == HERE).all() and knows else self.s\n"
        "return guess, 1.0, False",
        prelude=FRAMES,
    )
    evaluation = audited(sandbox, source, batch)
    assert evaluation.audit is not None
    assert evaluation.audit.num_permuted_different == 1
    assert evaluation.failing_index == row


def test_a_program_that_knows_when_it_is_alone_is_seen_by_the_singletons(
    sandbox: Sandbox,
) -> None:
    source = program("return self.s + (len(inputs()) > 1), 1.0, False", prelude=FRAMES)
    found = audited(sandbox, source, record("CartPole-v1")).audit
    assert found is not None
    assert (found.num_alone_different, found.num_permuted_different) == (12, 0)
    assert (found.verdict, found.failed_check) == ("inconsistent", "alone")


def test_without_either_check_some_programs_pass(sandbox: Sandbox) -> None:
    batch = record("CartPole-v1")
    runner = ProgramRunner(sandbox, seed=0)
    source = program("return self.s + (len(inputs()) > 1), 1.0, False", prelude=FRAMES)
    _, draws = runner.predict(source, batch, 1)
    assert draws is not None
    assert audit(source, batch, draws, runner=runner, num_singletons=0).is_consistent
    assert not audit(
        source, batch, draws, runner=runner, num_singletons=1
    ).is_consistent


def test_the_permuted_run_has_another_order_and_no_neighbours(
    sandbox: Sandbox,
) -> None:
    class Spy(ProgramRunner):
        parts: list[np.ndarray]

        def predict_parts(self, source, batch, parts, num_draws):  # type: ignore[no-untyped-def]
            self.parts = list(parts)
            return super().predict_parts(source, batch, parts, num_draws)

    batch = record("CartPole-v1")
    runner = Spy(sandbox, seed=0)
    _, draws = runner.predict(PURE, batch, 1)
    assert draws is not None
    assert audit(PURE, batch, draws, runner=runner).is_consistent
    alone, groups = runner.parts[:12], runner.parts[12:]
    assert [len(part) for part in alone] == [1] * 12
    assert len(groups) == 4
    assert sorted(np.concatenate(groups).tolist()) == list(range(len(batch)))
    for group in groups:
        assert len(set(batch.time[group] % 4)) == 1
        assert group.tolist() != sorted(group.tolist())


def test_a_table_of_transitions_is_consistent_and_memorised(sandbox: Sandbox) -> None:
    batch = record("CartPole-v1")
    table = {
        (observation.tobytes(), action): following.tolist()
        for observation, action, following in zip(
            batch.observations[""],
            np.asarray(batch.actions[""]).tolist(),
            batch.next_observations[""],
            strict=True,
        )
    }
    source = program(
        "following, ends = TABLE[self.s.tobytes(), a], self.s.tobytes() in ENDS\n"
        "return np.array(following, dtype=np.float32), 1.0, ends",
        prelude=f"TABLE = {table}\n"
        f"ENDS = { ({o.tobytes() for o in batch.observations[''][batch.terminated]}) }",
    )
    evaluation = audited(sandbox, source, batch)
    assert evaluation.is_perfect
    assert evaluation.audit is not None
    assert evaluation.audit.memorised is not None
    assert evaluation.audit.memorised.is_memorised
    refused = refuse_memorised(evaluation)
    assert (refused.score, refused.is_bug) == (0.0, True)
    assert refused.feedback.startswith("Memorised: ")
    honest = audited(sandbox, CARTPOLE, batch)
    assert refuse_memorised(honest) is honest


def test_a_program_too_slow_to_finish_again_is_no_cheat() -> None:
    source = program(
        "if len(inputs()) == 1:\n    while True: pass\nreturn self.s, 1.0, False",
        prelude=FRAMES,
    )
    limits = Limits(wall_s=0.5)
    with open_sandbox(limits=limits, policy="off", require="none") as made:
        evaluation = audited(made, source, record("CartPole-v1"))
    assert (evaluation.outcome_kind, evaluation.score) == ("timed_out", 0.0)
    assert "did not finish within 0.5 s" in evaluation.feedback
    assert "had finished in time once" in evaluation.feedback


def test_a_difference_that_was_seen_counts_more_than_a_later_time_out() -> None:
    source = program(
        "number = len(inputs())\n"
        "while 1 < number < 30: pass\n"
        "return self.s + (number == 1), 1.0, False",
        prelude=FRAMES,
    )
    limits = Limits(wall_s=0.5)
    with open_sandbox(limits=limits, policy="off", require="none") as made:
        evaluation = audited(made, source, record("CartPole-v1"))
    assert evaluation.outcome_kind == "inconsistent"
    assert "Run again, it failed: TimeLimit" in evaluation.feedback


def coins() -> TransitionBatch:
    """A coin in each of 40 places."""
    space = DiscreteSpec(100)
    steps = [
        Transition(i % 40, 0, 41 + i % 2, float(i % 2), True, False) for i in range(80)
    ]
    trajectories = [
        make_trajectory([s], observation_space=space, action_space=space) for s in steps
    ]
    return batch_trajectories(trajectories, space, space)


COIN = """
import random
import numpy as np

class Environment:
    def set_state(self, s): self.s = s
    def step(self, a):
        heads = {draw} < 0.5
        return 41 + heads, float(heads), True
"""


@pytest.mark.parametrize(
    ("draw", "verdict"),
    [
        ("self.rng.random()", "consistent"),
        ("random.random()", "consistent"),
        ("np.random.rand()", "consistent"),
        ("random.Random().random()", "inconsistent"),
        ("np.random.default_rng().random()", "inconsistent"),
        ("next(rng)", "inconsistent"),
    ],
)
def test_draws_repeat_if_they_are_from_the_seeded_generators(
    sandbox: Sandbox, draw: str, verdict: str
) -> None:
    source = COIN.format(draw=draw) + "\nimport itertools\n"
    source += "rng = itertools.cycle([0.1, 0.2, 0.9])\n"
    evaluation = audited(sandbox, source, coins(), is_stochastic=True)
    assert evaluation.audit is not None
    assert evaluation.audit.verdict == verdict, evaluation.feedback
    # Equal inputs share their draws.
    assert evaluation.audit.num_permuted == 40


def test_a_deterministic_program_of_a_stochastic_task_is_run_once(
    sandbox: Sandbox,
) -> None:
    evaluation = audited(sandbox, COIN.format(draw="0"), coins(), is_stochastic=True)
    assert evaluation.audit is not None
    assert evaluation.audit.is_consistent


def test_a_validation_transition_is_never_shown(sandbox: Sandbox) -> None:
    train, validation = record("CartPole-v1"), record("CartPole-v1", seed=90)
    first = validation.observations[""][0].tolist()
    source = program(
        f"global N\nN += 1\nis_it = (self.s == np.array({first}, np.float32)).all()\n"
        "return self.s + (N if is_it else 0), 1.0, False",
        prelude="N = 0",
    )
    evaluator = ProgramEvaluator(task_of(train), validation=validation, sandbox=sandbox)
    evaluation = evaluator.evaluate(source, needs_audit=always)
    assert evaluation.outcome_kind == "inconsistent"
    assert evaluation.failing_index is None
    assert "For example" not in evaluation.feedback


def test_held_out_transitions_are_audited_themselves(sandbox: Sandbox) -> None:
    train, other = record("CartPole-v1"), record("CartPole-v1", seed=90)
    known = {o.tobytes() for o in train.observations[""]}
    source = program(
        f"if self.s.tobytes() in KNOWN: return self.s, 1.0, False\n{NEAREST.strip()}",
        prelude=f"{FRAMES}\nKNOWN = {known!r}",
    )
    evaluator = ProgramEvaluator(task_of(train), sandbox=sandbox)
    evaluation = evaluator.evaluate(source, needs_audit=always)
    assert evaluation.outcome_kind == "completed"
    outcome, score, found = evaluator.score_on(source, other, audited=True)
    assert outcome.kind == "completed"
    assert score is None
    assert found is not None
    assert found.verdict == "inconsistent"
    assert evaluator.score_on(CARTPOLE, other, audited=True).score is not None


def test_the_audit_of_a_source_is_always_the_same(sandbox: Sandbox) -> None:
    source = CHEATING["step counter"]
    runs = [audited(sandbox, source, record("CartPole-v1")) for _ in range(2)]
    assert runs[0].to_json() == runs[1].to_json()


def test_an_audit_survives_json(sandbox: Sandbox) -> None:
    for source in (CARTPOLE, CHEATING["frame walk"]):
        evaluation = audited(sandbox, source, record("CartPole-v1"))
        data = json.loads(json.dumps(evaluation.to_json()))
        assert Evaluation.from_json(data) == evaluation
    del data["audit"]
    assert Evaluation.from_json(data).audit is None


def test_singletons_are_transitions_with_neighbours_in_their_process() -> None:
    batch = record("CartPole-v1")
    rows = np.arange(len(batch))
    chosen = choose_singletons(batch, rows, 12, child_rng(0))
    assert len(set(chosen.tolist())) == 12
    lengths = np.bincount(batch.trajectory)
    inner = [
        row
        for row in chosen
        if 2 <= batch.time[row] < lengths[batch.trajectory[row]] - 2
    ]
    assert len(inner) >= 6
    other = choose_singletons(batch, rows, 12, child_rng(1))
    assert set(chosen.tolist()) != set(other.tolist())


def test_transitions_without_neighbours_are_chosen_where_there_are_no_others() -> None:
    batch = record("CartPole-v1").select([0, 1, 4])
    chosen = choose_singletons(batch, np.arange(3), 12, child_rng(0))
    assert chosen.tolist() == [0, 1, 2]
    # Times 0, 1, 4: with 2 in place of 1, rows 0 and 1 are neighbours of one another.
    batch = record("CartPole-v1").select([0, 2, 5])
    for seed in range(8):
        chosen = choose_singletons(batch, np.arange(3), 2, child_rng(seed))
        assert {0, 1} & set(chosen.tolist())


def test_rare_outcomes_are_among_the_singletons() -> None:
    batch = record("CartPole-v1")
    assert 0 < batch.terminated.sum() < len(batch) / 10
    for seed in range(8):
        chosen = choose_singletons(batch, np.arange(len(batch)), 12, child_rng(seed))
        assert 2 <= batch.terminated[chosen].sum() <= 6


SPACE = TupleSpec((BoxSpec((2,), "float32"), NestedSpec()))


def predictions(**changes: object) -> Predictions:
    """Three rows, the last of a wrong form."""
    values: dict[str, object] = {
        "next_observations": {
            "0": np.array([[0, 1], [2, np.nan], [0, 0]], dtype=np.float32),
            "1": [["a"], ["b"], ""],
        },
        "rewards": np.array([1.0, np.nan, 0.0]),
        "terminated": np.array([False, True, False]),
        "valid": np.array([True, True, False]),
        "messages": {2: "why"},
        **changes,
    }
    return Predictions(**values)  # type: ignore[arg-type]


ROWS = np.array([2, 0, 1])


def in_order(one: Predictions) -> Predictions:
    columns = one.next_observations
    return replace(
        one,
        next_observations={
            "0": columns["0"][ROWS],
            "1": [columns["1"][row] for row in ROWS],
        },
        rewards=one.rewards[ROWS],
        terminated=one.terminated[ROWS],
        valid=one.valid[ROWS],
    )


def test_equal_bits_are_equal_and_nan_is_itself() -> None:
    again = in_order(predictions(messages={}))
    assert different_rows([predictions()], ROWS, [again]).tolist() == [False] * 3


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"rewards": np.array([1.0, 2.0, 0.0])}, [False, False, True]),
        ({"rewards": np.array([1.0, np.nan, 7.0])}, [False, False, False]),
        ({"rewards": np.array([np.nextafter(1, 2), np.nan, 0])}, [False, True, False]),
        ({"terminated": np.array([True, True, True])}, [False, True, False]),
        ({"valid": np.array([True, True, True])}, [True, False, False]),
        (
            {
                "next_observations": {
                    "0": np.array([[-0.0, 1], [2, np.nan], [5, 5]], dtype=np.float32),
                    "1": [["a"], ["c"], "x"],
                }
            },
            [False, True, True],
        ),
    ],
    ids=["reward", "invalid row", "last bit", "terminated", "form", "observation"],
)
def test_every_part_of_a_prediction_is_compared(
    changes: dict[str, object], expected: list[bool]
) -> None:
    again = in_order(predictions(**changes))
    assert different_rows([predictions()], ROWS, [again]).tolist() == expected


def test_one_draw_that_differs_is_a_difference() -> None:
    same, other = predictions(), predictions(rewards=np.array([2.0, np.nan, 0.0]))
    again = [in_order(same), in_order(same)]
    assert different_rows([same, other], ROWS, again).tolist() == [False, True, False]


def test_an_audit_that_was_not_consistent_has_a_verdict() -> None:
    assert not Audit(verdict="inconsistent").is_consistent
    assert not Audit(verdict="timed_out").is_consistent
