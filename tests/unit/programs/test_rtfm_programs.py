"""World models of RTFM, written by hand, from collected data to the score."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cwm.core.proposals import Task
from cwm.core.trajectories import Dataset
from cwm.programs.evaluation import Evaluation, ProgramEvaluator, always, open_sandbox
from cwm.scoring import baseline_rows, make_task
from cwm.sources import Source
from envs.collect import CollectConfig, collect
from envs.registry import find
from sandbox.limits import Limits
from sandbox.pool import Sandbox

PROGRAMS = Path(__file__).parents[2] / "fixtures" / "rtfm"
EXACT, PUBLISHED = (
    (PROGRAMS / f"{name}.txt").read_text() for name in ("exact", "published")
)
IDS = ("cwm/RTFM-v0", "cwm/RTFMManuals-v0")
CONFIG = CollectConfig(
    num_trajectories=10,
    min_transitions=300,
    max_transitions=500,
    planning_steps=500,
)
MIXED_SEEDS = 1


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox(limits=Limits(wall_s=20.0), require="none") as made:
        yield made


@pytest.fixture(scope="module", params=IDS)
def dataset(request: pytest.FixtureRequest) -> Dataset:
    return collect(find(request.param), CONFIG, seed=MIXED_SEEDS)


@pytest.fixture(scope="module")
def small() -> Dataset:
    return collect(find(IDS[0]), CONFIG, seed=MIXED_SEEDS)


def evaluate(sandbox: Sandbox, source: str, dataset: Dataset) -> Evaluation:
    evaluator = ProgramEvaluator(make_task(dataset), sandbox=sandbox)
    return evaluator.evaluate(source, needs_audit=always)


def test_the_data_have_every_kind_of_end(dataset: Dataset) -> None:
    batch = dataset.batch("train")
    assert set(np.unique(batch.rewards)) == {-1.0, 0.0, 1.0}
    assert make_task(dataset).family == "world_model_with_actions"


@pytest.mark.parametrize("source", [EXACT, PUBLISHED], ids=["exact", "published"])
def test_an_exact_program_scores_one(
    sandbox: Sandbox, dataset: Dataset, source: str
) -> None:
    evaluator = ProgramEvaluator(
        make_task(dataset), validation=dataset.batch("validation"), sandbox=sandbox
    )
    found = evaluator.evaluate(source, needs_audit=always)
    assert found.is_perfect, found.feedback
    assert found.train is not None
    assert found.train.strict == found.train.score == 1.0
    assert found.train.part_accuracy["legal_actions"] == 1.0
    held_out = evaluator.score_on(source, dataset.batch("held_out"), audited=True)
    assert held_out.score is not None
    assert held_out.score.strict == 1.0


def test_a_program_without_legal_actions_allows_all_and_is_told(
    sandbox: Sandbox, small: Dataset
) -> None:
    found = evaluate(sandbox, EXACT.replace("def legal_actions", "def moves"), small)
    assert found.train is not None
    assert found.train.strict == found.train.part_accuracy["legal_actions"] < 1.0
    assert found.train.part_accuracy["observation/board"] == 1.0
    example = found.counterexamples[0]
    assert example.wrong_parts == ("legal_actions",)
    assert example.predicted_actions == (0, 1, 2, 3, 4)
    assert example.expected_actions is not None
    assert set(example.expected_actions) < set(example.predicted_actions)
    assert Evaluation.from_json(found.to_json()) == found


def test_actions_before_the_step_are_not_those_after_it(
    sandbox: Sandbox, small: Dataset
) -> None:
    early = EXACT.replace(
        "    def legal_actions(self):",
        "    def legal_actions(self):\n"
        "        return self.before\n\n    def now(self):",
    ).replace(
        "        r, c = self.place\n        down",
        ("        self.before = self.now()\n        r, c = self.place\n        down"),
    )
    found = evaluate(sandbox, early, small)
    assert found.outcome_kind == "completed", found.feedback
    assert found.train is not None
    assert found.train.part_accuracy["legal_actions"] < 1.0


def test_an_exception_in_legal_actions_is_a_bug(
    sandbox: Sandbox, small: Dataset
) -> None:
    broken = EXACT.replace(
        "        if self.over:\n            return []", "        1 / 0"
    )
    found = evaluate(sandbox, broken, small)
    assert (found.outcome_kind, found.is_bug) == ("raised", True)
    assert "ZeroDivisionError" in found.feedback
    assert found.failing_index is not None


def test_legal_actions_that_count_calls_are_found_out(
    sandbox: Sandbox, small: Dataset
) -> None:
    counting = EXACT.replace(
        "        r, c = self.place\n        return [",
        "        CALLS.append(1)\n        r, c = self.place\n"
        "        return [0] if len(CALLS) % 7 == 3 else [",
    ).replace("class Environment", "CALLS = []\n\n\nclass Environment")
    found = evaluate(sandbox, counting, small)
    assert found.outcome_kind == "inconsistent"
    assert "with legal actions (" in found.feedback


def test_four_values_are_no_step_where_actions_are_not_judged(
    sandbox: Sandbox, small: Dataset
) -> None:
    task = make_task(small)
    train = replace(task.train, next_legal_actions=None)
    plain = Task(
        environment_id=task.environment_id,
        description=task.description,
        observation_space=task.observation_space,
        action_space=task.action_space,
        train=train,
    )
    assert plain.family == "world_model"
    evaluator = ProgramEvaluator(plain, sandbox=sandbox)
    assert evaluator.evaluate(EXACT).is_perfect
    found = evaluator.evaluate(PUBLISHED)
    assert "got 4 values" in found.feedback


def test_rows_of_the_table_name_legal_actions(small: Dataset) -> None:
    source = Source(dataset=small, spec=find(small.environment_id))
    nothing, simulator = baseline_rows(source)
    assert simulator.scores["train"] is not None
    assert simulator.scores["train"].strict == 1.0
    assert nothing.scores["train"] is not None
    assert 0 < nothing.scores["train"].part_accuracy["legal_actions"] < 1
