"""What the evaluator must do with candidates that forge or flood its messages."""

import itertools
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from cwm.core.spaces import BoxSpec, DiscreteSpec
from cwm.core.trajectories import Transition, batch_trajectories, make_trajectory
from cwm.programs.evaluation import ProgramEvaluator, open_sandbox
from sandbox.limits import Limits
from sandbox.pool import Sandbox
from tests.support.corridor import EXACT, corridor_task
from tests.support.recorded import task_of

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)

# Finds the job in the frames that lead to the candidate, and sends by itself.
FORGING = """
import os, struct, sys
import numpy as np
from sandbox import wire

frame = sys._getframe()
while "job" not in frame.f_locals:
    frame = frame.f_back
NONCE = frame.f_locals["job"].nonce

def send(data):
    view = memoryview(data)
    while view:
        view = view[os.write(3, view):]

def message(arrays, texts, invalid):
    rows = [wire.encode(np.zeros(1)), wire.encode(np.zeros(1, bool))]
    send(wire.frame(wire.VALUE, b"\\x95" + b"".join([arrays, texts, *rows, invalid])))

def many(item):
    return b"\\xdf" + struct.pack(">I", 100_000) + b"".join(
        item(i) for i in range(100_000)
    )

def key(i):
    return b"\\xa6%06d" % i

NONE = b"\\x80"
"""
END = "\nsend(wire.frame(wire.DONE, NONCE))\nos._exit(0)\n"

FLOODS = {
    "more messages than rows": (
        "for _ in range(50_000): message(NONE, NONE, NONE)",
        "larger than 1 messages",
    ),
    "a message with too many arrays": (
        "message(many(lambda i: key(i) + wire.encode(np.zeros(()))), NONE, NONE)",
        "columns that the space does not have",
    ),
    "a message with too many columns of text": (
        "message(NONE, many(lambda i: key(i) + b'\\x90'), NONE)",
        "columns that the space does not have",
    ),
    "a message with too many texts": (
        "message(NONE, b'\\x81\\xa0\\xdd' + struct.pack('>I', 10**6) + bytes([0xa0]) "
        "* 10**6, NONE)",
        "columns that the space does not have",
    ),
    "a message with too many invalid rows": (
        "message(NONE, NONE, many(lambda i: struct.pack('>BIB', 0xce, i, 0xa0)))",
        "reasons of invalid rows are not of their form",
    ),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox(limits=Limits(wall_s=5.0), num_workers=1, policy="off") as made:
        yield made


@pytest.mark.parametrize("name", FLOODS)
def test_flood_of_small_entries_is_refused_before_it_is_decoded(
    sandbox: Sandbox, name: str
) -> None:
    flood, reason = FLOODS[name]
    evaluator = ProgramEvaluator(corridor_task(), sandbox=sandbox)
    evaluation = evaluator.evaluate(FORGING + flood + END)
    assert evaluation.score == 0.0
    assert reason in evaluation.feedback
    assert evaluator.evaluate(EXACT).score == 1.0


def test_large_observations_come_in_as_many_messages_as_they_need(
    sandbox: Sandbox,
) -> None:
    space, actions = BoxSpec((64, 64), "uint8"), DiscreteSpec(2)
    images = [np.full(space.shape, i % 256, dtype=np.uint8) for i in range(2501)]
    steps = [
        Transition(before, 0, after, 1.0, False, False)
        for before, after in itertools.pairwise(images)
    ]
    trajectory = make_trajectory(steps, observation_space=space, action_space=actions)
    task = task_of(batch_trajectories([trajectory], space, actions))
    program = (
        "class Environment:\n"
        "    def set_state(self, observation): self.image = observation\n"
        "    def step(self, action): return self.image + 1, 1.0, False\n"
    )
    assert ProgramEvaluator(task, sandbox=sandbox).evaluate(program).score == 1.0
