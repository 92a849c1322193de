"""The service on the corridor, in the sandbox; for the protocol see test_mcp.py."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cwm.core.errors import BudgetExhausted, ConfigError
from cwm.core.trajectories import Dataset
from cwm.mcp.limits import ServiceLimits
from cwm.mcp.service import VerifierService, Workplace
from cwm.programs.evaluation import ProgramEvaluator
from cwm.scoring import open_evaluator
from sandbox.limits import Limits
from tests.support.corridor import (
    BROKEN,
    EXACT,
    NEVER_ENDS,
    corridor_dataset,
)
from tests.support.run_folders import synthesize_run

DATA = corridor_dataset()


@pytest.fixture(scope="module")
def evaluator() -> Iterator[ProgramEvaluator]:
    with open_evaluator(
        DATA, isolation="process", limits=Limits(wall_s=2.0), tests=None, seed=0
    ) as evaluator:
        yield evaluator


@pytest.fixture
def place(evaluator: ProgramEvaluator, tmp_path: Path) -> Workplace:
    return Workplace(
        dataset=DATA,
        evaluator=evaluator,
        stage=None,
        run=None,
        folder=tmp_path / "mcp",
    )


def service(place: Workplace, **limits: int) -> VerifierService:
    return VerifierService(place, ServiceLimits(**limits))


def test_the_description_has_the_contract_and_what_was_recorded(
    place: Workplace,
) -> None:
    found = service(place).describe()
    assert found.environment == "Corridor"
    assert found.num_transitions == {"train": 11, "validation": 5, "held_out": 6}
    assert found.observation_space["kind"] == "discrete"
    assert not found.can_plan
    for words in ("class Environment", "set_state", "corridor of five cells"):
        assert words in found.task
    assert "# Your task" not in found.task
    # Nothing of what is held out: the facts are those of 11 transitions.
    assert "Recorded transitions: 11" in found.task


def test_an_exact_program_is_perfect_and_kept(place: Workplace) -> None:
    found = service(place).verify(EXACT)
    assert (found.outcome, found.score, found.is_perfect) == ("completed", 1.0, True)
    assert (found.train_strict, found.validation_strict) == (1.0, 1.0)
    assert (found.num_wrong, found.is_best, found.calls_left) == (0, True, 499)
    assert (place.folder / "best.py").read_text() == EXACT


def test_a_wrong_program_is_told_what_is_wrong(place: Workplace) -> None:
    one = service(place)
    found = one.verify(NEVER_ENDS)
    # One of the 11 training steps reaches the goal.
    assert found.train_strict == pytest.approx(10 / 11)
    assert found.train_parts["terminated"] == pytest.approx(10 / 11)
    assert found.num_wrong == 1
    assert not found.is_perfect
    shown = one.counterexamples(NEVER_ENDS, 3)
    assert (shown.num_wrong, shown.num_shown) == (1, 1)
    assert "observation: 3" in shown.shown
    assert "terminated: WRONG, must be True, got False" in shown.shown


def test_a_bug_is_told_with_its_line(place: Workplace) -> None:
    one = service(place)
    found = one.verify(BROKEN)
    assert (found.outcome, found.is_bug, found.score) == ("raised", True, 0.0)
    assert "AttributeError" in found.feedback
    assert (
        found.failure_line
        == BROKEN.splitlines().index("        at_goal = self.sell == 4") + 1
    )
    assert one.counterexamples(BROKEN).is_bug
    assert not (place.folder / "best.py").exists()


def test_of_validation_transitions_only_a_share_is_told(place: Workplace) -> None:
    found = service(place).verify(NEVER_ENDS)
    told = {name for name in asdict(found) if "validation" in name}
    assert told == {"validation_strict"}
    assert found.validation_strict == pytest.approx(4 / 5)
    # The counterexample is the training transition, not the one of validation.
    assert service(place).counterexamples(NEVER_ENDS).num_shown == 1


def test_limits_refuse_before_anything_is_run(place: Workplace) -> None:
    one = service(place, max_calls=1)
    with pytest.raises(ConfigError, match="max_source_kib"):
        one.verify("#" * 70_000)
    with pytest.raises(ConfigError, match="limit must be between 1 and 8, got 9"):
        one.counterexamples(EXACT, 9)
    with pytest.raises(ConfigError, match="'Corridor' cannot be made here"):
        one.plan(EXACT)
    one.verify(EXACT)
    with pytest.raises(BudgetExhausted, match="max_calls"):
        one.verify(EXACT)
    # What runs nothing costs nothing.
    assert one.synthesize_status().num_tried == 1


def test_held_out_transitions_are_looked_at_once(place: Workplace) -> None:
    one = service(place)
    # One of the 6 held-out steps reaches the goal.
    found = one.finish(NEVER_ENDS)
    assert found.held_out_strict == pytest.approx(5 / 6)
    assert found.held_out_parts["reward"] == 1.0
    for call in (one.finish, one.verify, one.counterexamples):
        with pytest.raises(BudgetExhausted, match="finish was called"):
            call(EXACT)
    # A new server of the folder knows it, too.
    with pytest.raises(BudgetExhausted, match="finish was called"):
        service(place).verify(EXACT)
    assert service(place).synthesize_status().is_finished


def test_a_program_that_does_not_run_ends_it_without_a_score(place: Workplace) -> None:
    found = service(place).finish(BROKEN)
    assert (found.outcome, found.held_out_strict) == ("raised", None)
    assert "AttributeError" in found.feedback


def test_without_held_out_transitions_there_is_no_end(place: Workplace) -> None:
    data = Dataset(
        environment_id="Corridor",
        description="",
        observation_space=DATA.observation_space,
        action_space=DATA.action_space,
        trajectories=DATA.trajectories[:1],
        splits=("train",),
    )
    one = service(replace(place, dataset=data))
    with pytest.raises(ConfigError, match="no held-out transitions"):
        one.finish(EXACT)
    assert not one.synthesize_status().is_finished


def test_the_status_tells_of_the_runs_own_search(
    place: Workplace, tmp_path: Path
) -> None:
    run = synthesize_run(tmp_path / "run", is_finished=False)
    one = service(replace(place, run=run))
    one.verify(NEVER_ENDS)
    found = one.synthesize_status()
    assert (found.state, found.num_calls, found.best_score) == ("interrupted", 1, 0.5)
    assert found.num_tried == 1
    assert found.best_tried == one.verify(NEVER_ENDS).score
    assert service(place).synthesize_status().state == "none"


def test_two_calls_at_a_time_get_their_own_answers(place: Workplace) -> None:
    one = service(place)
    sources = [EXACT, NEVER_ENDS, BROKEN] * 4
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(one.verify, sources))
    assert [f.outcome for f in found] == ["completed", "completed", "raised"] * 4
    assert [f.is_perfect for f in found] == [True, False, False] * 4
    assert one.synthesize_status().num_tried == 3
    assert (place.folder / "best.py").read_text() == EXACT


def test_where_outcomes_vary_their_likelihood_is_told(
    place: Workplace, evaluator: ProgramEvaluator
) -> None:
    varying = ProgramEvaluator(
        replace(evaluator.task, is_stochastic=True), sandbox=evaluator.sandbox
    )
    one = service(replace(place, evaluator=varying))
    right, wrong = one.verify(EXACT), one.verify(NEVER_ENDS)
    assert right.train_log_likelihood is not None
    assert wrong.train_log_likelihood is not None
    assert wrong.train_log_likelihood < right.train_log_likelihood <= 0
    assert "log-likelihood" in right.text()
    assert service(place).verify(EXACT).train_log_likelihood is None


HOSTILE = {
    "loop": "while True:\n    pass\n",
    "reads a file": EXACT + "\nTEXT = open('/etc/passwd').read()\n",
    "imports os": "import os\n" + EXACT,
    "ends the process": EXACT.replace("self.cell = 0", "raise SystemExit(0)"),
    "allocates": EXACT + "\nBIG = [0] * (10 ** 10)\n",
    "no program": "not Python at all",
    "lies about its type": EXACT.replace("at_goal\n", "1\n"),
    "not a function": EXACT.replace(
        "self.cell = 0", "self.cell = self.calls = 0"
    ).replace("at_goal = self.cell", "self.calls += 1; at_goal = self.calls > 5 or 4"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_program_is_a_bug_and_no_more(place: Workplace, name: str) -> None:
    one = service(place)
    found = one.verify(HOSTILE[name])
    assert not found.is_perfect
    assert found.is_bug or found.score < 1.0
    # The next program is none the worse for it.
    assert one.verify(EXACT).is_perfect
