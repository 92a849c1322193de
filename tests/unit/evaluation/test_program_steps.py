"""Programs as predictors of rollouts that survive what they raise."""

import sys
from collections.abc import Iterator

import pytest

from cwm.evaluation.program_steps import seconds_per_step, surviving
from cwm.evaluation.rollout_error import RolloutErrors, rollout_errors
from cwm.programs.evaluation import ProgramEvaluator, open_sandbox
from cwm.programs.tolerances import Tolerances
from sandbox.limits import Limits
from tests.support.corridor import EXACT, corridor_dataset, corridor_task

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)

DATASET = corridor_dataset()
TRAIN = DATASET.batch("train")
TOLERANCES = Tolerances.from_batch(TRAIN)

RAISES = EXACT.replace(
    "self.cell = min", "1 / (self.cell - CELL)\n        self.cell = min"
)
SLOW = EXACT.replace("self.cell = min", "sum(range(20_000))\n        self.cell = min")
BROKEN_SYNTAX = "class Environment:\n    def (:\n"


@pytest.fixture(scope="module")
def evaluator() -> Iterator[ProgramEvaluator]:
    with open_sandbox(limits=Limits(wall_s=20.0, memory_mib=256)) as sandbox:
        yield ProgramEvaluator(corridor_task(), sandbox=sandbox)


def rollouts(evaluator: ProgramEvaluator, source: str, *steps: int) -> RolloutErrors:
    found = rollout_errors(surviving(evaluator, source), TRAIN, TOLERANCES, steps=steps)
    assert found is not None
    return found


def test_an_exact_program_stays_right(evaluator: ProgramEvaluator) -> None:
    found = rollouts(evaluator, EXACT, 1, 11)
    assert [(e.strict, e.num_lost) for e in found.by_steps] == [(1.0, 0), (1.0, 0)]


@pytest.mark.parametrize(
    ("cell", "lost", "strict"),
    [(2, (0, 3), (1.0, 2 / 5)), (3, (2, 1), (4 / 6, 4 / 5))],
)
def test_what_raises_loses_its_rollout_only(
    evaluator: ProgramEvaluator,
    cell: int,
    lost: tuple[int, int],
    strict: tuple[float, float],
) -> None:
    # Windows of two steps: 0 1 0, 0 0 1, 1 2 1, 1 2 3, 3 2 3, and 3 4.
    source = RAISES.replace("CELL", str(cell))
    found = rollouts(evaluator, source, 1, 2).by_steps
    assert tuple(e.num_lost for e in found) == lost
    assert tuple(e.strict for e in found) == pytest.approx(strict)


def test_a_program_that_does_not_load_loses_all(evaluator: ProgramEvaluator) -> None:
    (only,) = rollouts(evaluator, BROKEN_SYNTAX, 1).by_steps
    assert (only.strict, only.num_lost) == (0.0, only.num_rollouts)


def test_a_slower_program_takes_longer(evaluator: ProgramEvaluator) -> None:
    quick = seconds_per_step(evaluator, EXACT, TRAIN)
    slow = seconds_per_step(evaluator, SLOW, TRAIN)
    assert quick is not None
    assert slow is not None
    assert 0.0 <= quick < slow < 0.1
    assert slow > 5e-5


def test_what_does_not_get_through_has_no_time(evaluator: ProgramEvaluator) -> None:
    assert seconds_per_step(evaluator, RAISES.replace("CELL", "0"), TRAIN) is None
