import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.defects import (
    DEMONSTRATIONS,
    BenchmarkConfig,
    Demonstration,
    data_of,
    main,
    make_table,
    markdown,
    recorded_tables,
    with_means,
)
from benchmarks.defects_metric import (
    EXACT_PROGRAMS,
    float_rewards,
    idle,
    no_held_out,
    predict,
    published_form,
    remembered,
    reward_classes,
    true_simulator,
)
from benchmarks.defects_planning import (
    Pairs,
    deepcopy_of,
    oracle_of,
    planner_queries,
)
from benchmarks.defects_planning import _farther as farther
from benchmarks.defects_planning import _share_new as share_new
from cwm.core.errors import PrerequisiteError
from cwm.core.spaces import DiscreteSpec
from cwm.core.trajectories import TransitionBatch
from cwm.programs.accuracy import reference_accuracy, score_predictions
from cwm.programs.tolerances import Tolerances
from envs.registry import find

ROOT = Path(__file__).parents[3]


def train(env_id: str) -> TransitionBatch:
    return data_of(env_id, 0, True).batch("train")


@pytest.mark.parametrize("env_id", EXACT_PROGRAMS)
def test_programs_that_are_called_exact_are(env_id: str) -> None:
    batch = train(env_id)
    predictions = predict(EXACT_PROGRAMS[env_id], batch)
    score = score_predictions(predictions, batch, Tolerances.from_batch(batch))
    assert (score.strict, score.paper) == (1.0, 1.0)


def test_an_exact_pendulum_gets_two_thirds_by_equality_in_double_precision() -> None:
    row = float_rewards("Pendulum-v1", train("Pendulum-v1"))
    assert row["reference, NumPy 1"] == pytest.approx(2 / 3, abs=0.02)
    assert row["reference, NumPy 2, np.float64"] == row["reference, NumPy 1"]
    assert 0.8 < row["reference, NumPy 2, Python float"] < 1.0
    assert row["strict"] == 1.0


def test_the_emulated_rule_of_numpy_1_is_the_one_of_the_reference() -> None:
    batch = train("Pendulum-v1")
    predictions = predict(EXACT_PROGRAMS["Pendulum-v1"], batch)
    row = float_rewards("Pendulum-v1", batch)
    assert row["reference, NumPy 1"] == reference_accuracy(predictions, batch)


def test_rewards_of_one_have_no_such_trouble() -> None:
    row = float_rewards("CartPole-v1", train("CartPole-v1"))
    assert set(row.values()) == {1.0}


def test_doing_nothing_is_a_third_and_never_strictly_right() -> None:
    table, missing = make_table(
        "do-nothing", BenchmarkConfig(envs=("Pendulum-v1",), quick=True)
    )
    row = table["Pendulum-v1"]
    assert (list(table), missing) == (["Pendulum-v1"], [])
    assert row["idle, reference"] == pytest.approx(1 / 3, abs=0.01)
    assert row["on the published id"] == row["idle, reference"]
    assert row["idle, strict"] == 0.0
    assert row["GIF-MCTS, GPT-4 Turbo"] == 0.38
    assert row["WorldCoder, GPT-4 Turbo"] == 0.38


def test_the_idle_program_predicts_what_it_says() -> None:
    batch = train("CartPole-v1")
    predictions = idle(batch)
    assert predictions.next_observations is batch.observations
    assert set(predictions.rewards) == {1.0}
    assert not predictions.terminated.any()


def test_the_true_pendulum_lacks_what_equality_and_time_limits_take() -> None:
    batch = train("Pendulum-v1")
    cut = batch.truncated.copy()
    cut[0] = True
    row = true_simulator(find("Pendulum-v1"), replace(batch, truncated=cut))
    assert row["reference"] < row["time limits apart"] < 0.7
    assert row["rewards within 1e-5 too"] == row["strict"] == 1.0


def test_an_environment_that_cannot_be_restarted_has_no_row() -> None:
    demonstration = replace(DEMONSTRATIONS["true-simulator"], row=lambda *_: {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(dict_of(), "true-simulator", demonstration)
        table, missing = make_table(
            "true-simulator", BenchmarkConfig(envs=("Taxi-v4",), quick=True)
        )
    assert table == {}
    assert missing == ["Taxi-v4: cannot be restarted from its observations"]


def dict_of() -> dict[str, Demonstration]:
    assert isinstance(DEMONSTRATIONS, dict)
    return DEMONSTRATIONS


def test_a_table_of_transitions_knows_these_and_no_others() -> None:
    row = no_held_out(data_of("Pendulum-v1", 0, True))
    assert row["table, training, reference"] == row["table, training, strict"] == 1.0
    assert row["table, held out, reference"] == pytest.approx(1 / 3, abs=0.01)
    assert row["table, held out, strict"] == 0.0


def test_what_is_not_remembered_is_predicted_to_stay() -> None:
    batch = train("CartPole-v1")
    known, unknown = batch.select([0]), batch.select([1])
    predictions = remembered(known, unknown)
    assert (predictions.next_observations[""] == unknown.observations[""]).all()
    assert (predictions.rewards[0], predictions.terminated[0]) == (1.0, False)
    again = remembered(known, known)
    assert (again.next_observations[""] == known.next_observations[""]).all()


def test_the_published_form_has_done_and_single_precision() -> None:
    batch = train("Pendulum-v1").select([0, 1])
    cut = replace(batch, truncated=np.array([False, True]))
    form = published_form(cut)
    assert form.terminated.tolist() == [False, True]
    assert (form.rewards == batch.rewards.astype(np.float32)).all()
    assert not (form.rewards == batch.rewards).all()


def test_one_transition_of_a_class_of_its_own_outweighs_the_rest() -> None:
    batch = train("CartPole-v1").select(list(range(10)))
    rewards = np.array([5.0] + [1.0] * 9)
    row = reward_classes(replace(batch, rewards=rewards))
    assert (row["classes"], row["transitions"], row["of the rarest"]) == (2, 10, 1)
    assert row["right on all others, strict"] == pytest.approx(0.9)
    assert row["reference"] == pytest.approx(0.5)
    assert row["right on the rarest alone, strict"] == pytest.approx(0.1)
    assert row["its reference"] == pytest.approx(0.5)


def test_equal_rewards_are_one_class() -> None:
    assert set(reward_classes(train("CartPole-v1"))) == {
        "classes",
        "transitions",
        "of the rarest",
    }


def test_a_question_is_new_where_no_transition_is() -> None:
    spec = find("CartPole-v1")
    known: Pairs = [(np.array([0.0, 0, 0, 0]), 0), (np.array([1.0, 1, 1, 1]), 1)]
    inside, outside = np.full(4, 0.5), np.array([0.5, 0.5, 0.5, 1.5])
    below = np.array([-0.5, 0.5, 0.5, 0.5])
    found = share_new(spec, known, [(inside, 0), (outside, 0), (below, 1)])
    assert found == pytest.approx(2 / 3)
    table = replace(spec, observation_space=DiscreteSpec(9))
    codes: Pairs = [(1, 0), (2, 1)]
    assert share_new(table, codes, [(1, 0), (1, 1), (2, 1), (3, 0)]) == 0.5


def test_questions_like_held_out_transitions_are_half_of_the_time_farther() -> None:
    spec = find("CartPole-v1")
    rng = np.random.default_rng(0)

    def pairs(scale: float) -> Pairs:
        return [
            (scale * rng.standard_normal(4), int(rng.integers(2))) for _ in range(400)
        ]

    known, held_out = pairs(1.0), pairs(1.0)
    assert farther(spec, known, held_out, pairs(1.0)) == pytest.approx(0.5, abs=0.05)
    assert farther(spec, known, held_out, pairs(9.0)) > 0.9
    assert farther(spec, known, held_out, known) == 0.0


@pytest.mark.slow
def test_random_data_lack_what_a_planner_asks() -> None:
    spec = find("CartPole-v1")
    row = planner_queries(
        spec, {"quick": data_of("CartPole-v1", 0, True)}, num_queries=100, seed=0
    )
    assert row["quick: new questions"] > row["quick: new held-out transitions"]
    assert row["quick: farther than held out"] > 0.5


def test_classic_environments_survive_a_copy() -> None:
    row = deepcopy_of(find("Pendulum-v1"), num_episodes=2, seed=0)
    assert set(row.values()) == {0.0}


@pytest.mark.mujoco
@pytest.mark.parametrize("env_id", ["InvertedPendulum-v5", "Reacher-v5"])
def test_a_copied_mujoco_environment_is_in_another_state(env_id: str) -> None:
    row = deepcopy_of(find(env_id), num_episodes=3, seed=0)
    assert row["next observation after deepcopy, off by"] > 0.01
    assert row["wrong first transitions, deepcopy"] == 1.0
    assert row["wrong first transitions, snapshot"] == 0.0


@pytest.mark.mujoco
def test_saving_by_deepcopy_keeps_a_pendulum_up_that_acts_at_random() -> None:
    spec = find("InvertedPendulum-v5")
    row = oracle_of(spec, max_steps=25, num_episodes=2, seed=0)
    assert row["positions moved by, deepcopy"] > 0.01
    assert row["then from the default pose"] == 0.0
    assert row["positions moved by, snapshot"] == 0.0
    assert row["planning every 1, deepcopy"] == 25.0
    assert row["random return, never planning"] < 20.0
    assert row["planning every 1, snapshot"] == row["random return, never planning"]


def test_a_missing_extra_leaves_a_row_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(env_id: str) -> None:
        raise PrerequisiteError("mujoco is missing.")

    monkeypatch.setattr("benchmarks.defects.find", refuse)
    table, missing = make_table(
        "deepcopy", BenchmarkConfig(envs=("Hopper-v5",), quick=True)
    )
    assert (table, missing) == ({}, ["Hopper-v5: mujoco is missing."])


def test_a_mean_is_of_the_numbers_that_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    demonstration = replace(
        DEMONSTRATIONS["do-nothing"],
        means={"mean": ("x", "y"), "of others": ("x", "z")},
    )
    monkeypatch.setitem(dict_of(), "do-nothing", demonstration)
    table = {"x": {"a": 1.0, "b": math.nan, "c": 3.0}, "y": {"a": 0.0, "c": math.nan}}
    found = with_means("do-nothing", table)
    assert list(found) == ["x", "y", "mean"]
    assert found["mean"]["a"] == 0.5
    assert math.isnan(found["mean"]["b"])
    assert found["mean"]["c"] == 3.0


def test_a_table_rounds_down_and_writes_counts_as_counts() -> None:
    table = {"x": {"share": 0.99999, "count": 1.0}, "y": {"count": 1234.0}}
    assert markdown(table, 3).splitlines() == [
        "| environment | share | count |",
        "|---|---|---|",
        "| x | 0.999 | 1 |",
        "| y | - | 1,234 |",
    ]


def test_the_command_prints_and_records_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "defects.jsonl"
    config = BenchmarkConfig(names=("float-rewards",), quick=True, output=str(output))
    main(config)
    shown = capsys.readouterr().out
    ((name, table),) = recorded_tables(output)
    assert name == "float-rewards"
    assert table in shown
    main(replace(config, table=True))
    assert table in capsys.readouterr().out


def test_unknown_defects_are_refused() -> None:
    with pytest.raises(SystemExit, match=r"names must be of float-rewards.*got rain\."):
        main(BenchmarkConfig(names=("rain",)))


def test_the_tables_of_the_page_come_from_the_results_file() -> None:
    page = (ROOT / "docs" / "benchmark-defects.md").read_text()
    tables = dict(recorded_tables(Path(BenchmarkConfig().output)))
    assert set(tables) == set(DEMONSTRATIONS)
    for name, table in tables.items():
        assert f"`python -m benchmarks.defects {name}`" in page
        assert table in page, name
