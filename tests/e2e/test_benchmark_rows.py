"""All rows beside a result, from the folder of a real run."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cwm import synthesize
from cwm.benchmark.rows import (
    LANGUAGE_MODEL,
    RunMetrics,
    baseline_metrics,
    calls_to_first_strict,
    program_metrics,
    run_metrics,
    score_rows,
)
from cwm.core.dataset_file import save_dataset
from cwm.core.journal import Record
from cwm.evaluation.direct_prediction import DirectConfig
from cwm.evaluation.nearest import NEAREST_NEIGHBOUR
from cwm.llm.chat import ChatMessage
from cwm.llm.scripted import ScriptedChatModel
from cwm.programs.accuracy import SplitScore
from cwm.programs.evaluation import Evaluation
from cwm.report.scores import DO_NOTHING, PROGRAM, TRUE_SIMULATOR
from cwm.scoring import open_evaluator
from cwm.sources import Source
from cwm.synthesis import records
from envs.collect import CollectConfig, collect
from envs.registry import find
from sandbox.limits import Limits
from tests.support.corridor import BROKEN, corridor_dataset
from tests.support.toy_envs import toy

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)

COUNTS_CALLS = """
calls = 0

class Environment:
    def set_state(self, observation):
        self.cell = observation

    def step(self, action):
        global calls
        calls += 1
        self.cell = min(max(self.cell + (1 if action == 1 else -1), 0), 4)
        at_goal = self.cell == 4
        return self.cell, float(at_goal), at_goal or calls > 100
"""


def says_nothing(messages: Sequence[ChatMessage], index: int) -> str:
    return "I do not know."


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    save_dataset(corridor_dataset(), folder / "corridor.npz")
    words = ["--data", str(folder / "corridor.npz"), "--out", str(folder / "run")]
    assert synthesize.main([*words, "--call-budget", "3", "--quiet"]) == 0
    return folder / "run"


def test_a_run_has_all_its_rows(run: Path) -> None:
    model = ScriptedChatModel(says_nothing)
    found = run_metrics(run, model=model, direct=DirectConfig(num_transitions=2))
    assert [row.name for row in found.rows] == [
        PROGRAM,
        DO_NOTHING,
        NEAREST_NEIGHBOUR,
        TRUE_SIMULATOR,
        LANGUAGE_MODEL,
    ]
    program, nothing, nearest, simulator, language_model = found.rows
    assert program.strict("held_out") == 1.0
    assert program.metrics["held_out"] is not None
    rollouts = program.metrics["held_out"].rollouts
    assert rollouts is not None
    # The one held-out trajectory has 6 steps.
    assert [e.strict for e in rollouts.by_steps] == [1.0, 1.0, None, None, None]
    assert program.seconds_per_transition is not None
    assert program.audit is not None
    assert nothing.strict("held_out") == 0.0
    assert nearest.strict("held_out") == 1.0
    assert simulator.strict("held_out") is None
    assert "not at hand" in simulator.note
    assert language_model.strict("held_out") == 0.0
    assert language_model.cost is not None
    assert language_model.cost["num_failures"] == 2
    assert found.row(PROGRAM) is program
    accuracies = score_rows(found.rows)[0].scores["held_out"]
    assert accuracies == program.metrics["held_out"].score
    assert found.calls_to_first_strict is not None
    assert 1 <= found.calls_to_first_strict <= 3
    assert RunMetrics.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_run_without_a_program_has_the_other_rows(run: Path, tmp_path: Path) -> None:
    for path in run.iterdir():
        if path.name not in ("world_model.py", "journal.jsonl"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    found = run_metrics(tmp_path)
    assert found.rows[0].name == DO_NOTHING
    assert found.row(PROGRAM) is None
    assert found.calls_to_first_strict is None


@pytest.mark.parametrize("source", [BROKEN, COUNTS_CALLS], ids=["bug", "inconsistent"])
def test_a_program_that_does_not_count_has_no_metrics(source: str) -> None:
    dataset = corridor_dataset()
    with open_evaluator(
        dataset, isolation="kernel", limits=Limits(), tests=None, seed=0
    ) as evaluator:
        row = program_metrics(source.replace("100", "4"), evaluator, dataset)
    assert set(row.metrics) == {"train", "held_out"}
    assert not any(row.metrics.values())
    assert row.seconds_per_transition is None


def test_the_true_simulator_is_right_and_stochastic_tasks_have_no_rollouts() -> None:
    spec = find(toy("Line"))
    config = CollectConfig(num_trajectories=4, min_transitions=60)
    dataset = collect(spec, config, 0)
    ceiling = baseline_metrics(Source(dataset=dataset, spec=spec))[-1]
    assert ceiling.strict("held_out") == 1.0
    noisy = replace(dataset, is_stochastic=True)
    for row in baseline_metrics(Source(dataset=noisy, spec=spec)):
        metrics = row.metrics["held_out"]
        assert metrics is not None
        assert metrics.rollouts is None
        assert metrics.score.num_draws > 1


def judged(index: int, train: float | None, validation: float | None = None) -> Record:
    def score(strict: float) -> SplitScore:
        return SplitScore(
            num_transitions=1, strict=strict, paper=0.0, reference=0.0, score=strict
        )

    evaluation = Evaluation(
        outcome_kind="raised" if train is None else "completed",
        score=train or 0.0,
        is_bug=train is None,
        train=None if train is None else score(train),
        validation=None if validation is None else score(validation),
    )
    body = {"call": index, "source": "", "evaluation": evaluation.to_json()}
    return Record(index=index, kind=records.EVALUATION, body=body)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], None),
        ([(None, None), (0.9, 0.9)], None),
        ([(None, None), (0.9, 1.0), (1.0, 0.9), (1.0, 1.0), (1.0, 1.0)], 4),
        ([(1.0, None)], 1),
    ],
)
def test_answers_are_counted_to_the_first_that_is_strictly_right(
    outcomes: list[tuple[float | None, float | None]], expected: int | None
) -> None:
    journal = [Record(index=0, kind=records.RUN_STARTED, body={})]
    journal += [judged(i, *outcome) for i, outcome in enumerate(outcomes)]
    assert calls_to_first_strict(journal) == expected
