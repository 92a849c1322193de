"""Scores without a model: what numbers of rows and texts of errors could tell."""

import sys

import numpy as np
import pytest

from cwm.core.proposals import Task
from cwm.core.spaces import BoxSpec, DiscreteSpec
from cwm.core.trajectories import (
    Transition,
    TransitionBatch,
    batch_trajectories,
    make_trajectory,
)
from cwm.programs.evaluation import ProgramEvaluator, open_sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

SPACE, ACTIONS = BoxSpec((2,), "float32"), DiscreteSpec(4)
MOVES = 0.25 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])


def walks(seed: int, num_episodes: int) -> TransitionBatch:
    """Walks in the plane that end, with the only reward, where they leave a square."""
    rng = np.random.default_rng(seed)
    trajectories = []
    for _ in range(num_episodes):
        place = rng.uniform(-0.2, 0.2, 2).astype(np.float32)
        steps: list[Transition] = []
        while len(steps) < 200:
            action = int(rng.integers(4))
            step = MOVES[action] + 0.05 * np.sin(7 * place)
            following = (place + step).astype(np.float32)
            is_out = bool(np.abs(following).max() > 1.5)
            steps.append(
                Transition(place, action, following, float(is_out), is_out, False)
            )
            place = following
            if is_out:
                break
        trajectories.append(
            make_trajectory(steps, observation_space=SPACE, action_space=ACTIONS)
        )
    return batch_trajectories(trajectories, SPACE, ACTIONS)


def task_of(train: TransitionBatch) -> Task:
    return Task(
        environment_id="square",
        description="",
        observation_space=SPACE,
        action_space=ACTIONS,
        train=train,
    )


NOTHING = """
class Environment:
    def set_state(self, observation):
        self.place = observation

    def step(self, action):
        return self.place, 0.0, False
"""

# Rows are numbered trajectory by trajectory: where the numbers of one child have a
# gap, a trajectory ends. `operator` gets past the policy.
ENDS_FROM_ROWS = """
import operator

ROWS = None


def frame_of(name):
    try:
        1 / 0
    except ZeroDivisionError as error:
        frame = operator.attrgetter("__traceback__.tb_frame")(error)
    back, local = operator.attrgetter("f_back"), operator.attrgetter("f_locals")
    while name not in local(frame):
        frame = back(frame)
    return frame, local


def ends(rows):
    rows = sorted(rows)
    if len(rows) < 8 or rows[0] % 2:
        return set()
    return {a for a, b in zip(rows, rows[1:]) if a == b - rows[0] - 1}


class Environment:
    def set_state(self, observation):
        global ROWS
        if ROWS is None:
            self.frame, self.local = frame_of("steps")
            ROWS = self.local(self.frame)["steps"].indices.tolist()
            Environment.ends = ends(ROWS)
        self.place = observation

    def step(self, action):
        end = ROWS[self.local(self.frame)["index"]] in Environment.ends
        return self.place, (1.0 if end else 0.0), end
"""


@pytest.mark.parametrize("policy", ["off", "enforce"])
def test_numbers_of_rows_do_not_tell_where_trajectories_end(policy) -> None:
    with open_sandbox(policy=policy) as sandbox:
        evaluator = ProgramEvaluator(task_of(walks(1, 60)), sandbox=sandbox)
        nothing = evaluator.evaluate(NOTHING)
        forged = evaluator.evaluate(ENDS_FROM_ROWS)
    assert nothing.outcome_kind == "completed"
    assert forged.score <= nothing.score + 0.01


TELLING = """
import sys


class Environment:
    def __init__(self):
        frame = sys._getframe()
        while "steps" not in frame.f_locals:
            frame = frame.f_back
        rows = frame.f_locals["steps"].observations[""]
        wanted = [r.tobytes().hex() for r in rows if r.tobytes().hex() in WANTED]
        if wanted or ALWAYS:
            raise ValueError(" ".join(wanted[:12]))

    def set_state(self, observation):
        self.place = observation

    def step(self, action):
        return self.place, 0.0, False
"""


def hexes(batch: TransitionBatch) -> set[str]:
    return {row.tobytes().hex() for row in np.asarray(batch.observations[""])}


SHOWING = """
import sys


class Environment:
    def __init__(self):
        frame = sys._getframe()
        while "steps" not in frame.f_locals:
            frame = frame.f_back
        rows = frame.f_locals["steps"].observations[""]
        self.hidden = [r for r in rows if r.tobytes().hex() in WANTED]
        self.number = 0

    def set_state(self, observation):
        self.place = observation

    def step(self, action):
        # A counterexample shows what was predicted; the audit, what changed.
        self.number += 1
        if self.hidden:
            return self.hidden[self.number % len(self.hidden)], 0.0, False
        return self.place + self.number, 0.0, False
"""


def test_predictions_that_are_shown_hold_nothing_of_the_validation_transitions() -> (
    None
):
    train, validation = walks(1, 8), walks(2, 8)
    secrets = hexes(validation) - hexes(train)
    source = f"WANTED = {sorted(secrets)[:200]!r}\n{SHOWING}"
    with open_sandbox(policy="off") as sandbox:
        evaluator = ProgramEvaluator(
            task_of(train), validation=validation, sandbox=sandbox
        )
        found = evaluator.evaluate(source)
        audited = evaluator.evaluate(source, needs_audit=lambda _: True)
    assert found.counterexamples
    for example in found.counterexamples:
        assert example.predicted is not None
        assert example.predicted[0].tobytes().hex() not in secrets
    assert audited.outcome_kind == "inconsistent"
    assert "was predicted as" in audited.feedback
    hidden = {bytes.fromhex(secret) for secret in secrets}
    numbers = {str(x) for b in hidden for x in np.frombuffer(b, np.float32)}
    assert not any(number in audited.feedback for number in numbers)


@pytest.mark.parametrize("always", [True, False])
def test_texts_of_errors_hold_nothing_of_the_validation_transitions(always) -> None:
    train, validation = walks(1, 8), walks(2, 8)
    secrets = hexes(validation) - hexes(train)
    # Which rows these are is told here, so that the check needs no row numbers.
    source = f"WANTED = {sorted(secrets)[:200]!r}\nALWAYS = {always}\n{TELLING}"
    with open_sandbox(policy="off") as sandbox:
        evaluator = ProgramEvaluator(
            task_of(train), validation=validation, sandbox=sandbox
        )
        found = evaluator.evaluate(source)
    assert found.outcome_kind == "raised"
    assert "ValueError" in found.feedback
    assert not any(secret in found.feedback for secret in secrets)
