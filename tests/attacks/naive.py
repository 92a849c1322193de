"""The usual way to score a program, for comparison: everything in one process.

The program is executed where the answers are, and its objects are compared where it
can see and patch the comparison. Attacks that score nothing in the sandbox and win
here are no duds. Reads `[name, source, second source]` triples as JSON, each is run
in a fork of its own; prints by name how it did best, from 0 to 1.
"""

import contextlib
import json
import math
import os
import select
import signal
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.attacks.harness import LIMITS, cart_pole_task

ANSWER_FD = 1
NOBODY = 65534


def with_allclose(predicted: Any, expected: Any) -> bool:
    return bool(np.allclose(predicted[0], expected[0])) and all(
        np.allclose(p, e) for p, e in zip(predicted[1:], expected[1:], strict=True)
    )


def with_equality(predicted: Any, expected: Any) -> bool:
    return bool(
        np.all(predicted[0] == expected[0])
        and predicted[1] == expected[1]
        and predicted[2] == expected[2]
    )


def with_differences(predicted: Any, expected: Any) -> bool:
    return all(
        abs(p - e) <= 1e-5
        for p, e in zip(predicted[0], expected[0])  # noqa: B905 - as people write it
    )


def without_larger(predicted: Any, expected: Any) -> bool:
    return not np.any(np.abs(np.asarray(predicted[0]) - expected[0]) > 1e-5)


COMPARISONS = (with_allclose, with_equality, with_differences, without_larger)


def score(source: str, compare: Callable[[Any, Any], bool]) -> float:
    """Returns the share of transitions that a program is credited with."""
    batch = cart_pole_task().train
    transitions = [batch.transition(index) for index in range(len(batch))]
    namespace: dict[str, Any] = {"__name__": "candidate"}
    exec(source, namespace)
    environment = namespace["Environment"]()
    num_right = 0
    for transition in transitions:
        expected = (
            transition.next_observation,
            transition.reward,
            transition.terminated,
        )
        environment.set_state(transition.observation)
        predicted = environment.step(transition.action)
        try:
            num_right += compare(predicted, expected)
        except Exception:  # noqa: BLE001 - as people write it
            continue
    return num_right / len(transitions)


def found_evidence(source: str) -> bool:
    """Whether the second program sees what the first one left."""
    try:
        score(source, with_allclose)
    except Exception as error:  # noqa: BLE001 - evidence comes as one
        return type(error).__name__ == "PWNED"
    return False


def best(source: str, second: str) -> float:
    """Returns what an attack achieves by any of the comparisons."""
    if second:
        return _in_a_fork(lambda: _left(source, second))
    return max(_in_a_fork(lambda c=c: score(source, c)) for c in COMPARISONS)


def _left(source: str, second: str) -> float:
    with contextlib.suppress(Exception):
        score(source, with_allclose)
    return float(found_evidence(second))


def _in_a_fork(work: Callable[[], float]) -> float:
    """Returns the result of some work; 0 if it raises, exits or takes too long."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.dup2(2, ANSWER_FD)
        # No answer is an answer, too.
        with contextlib.suppress(BaseException):
            os.write(writable, repr(float(work())).encode())
        os._exit(0)
    os.close(writable)
    # What hangs is killed from outside.
    select.select([readable], [], [], 2 * LIMITS.wall_s)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    answer = os.read(readable, 100) or b"0"
    os.close(readable)
    value = float(answer)
    return value if math.isfinite(value) else 0.0


def main() -> None:
    """Runs what comes on standard input."""
    todo = json.load(sys.stdin)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    found = {name: best(source, second) for name, source, second in todo}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
