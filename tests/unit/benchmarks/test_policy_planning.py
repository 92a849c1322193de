"""The world model of the demonstration is exact, and the table adds up."""

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchmarks
from benchmarks.policy_planning import BenchmarkConfig, main, print_rows
from envs.babyai.env import BabyAIText
from envs.babyai.expert import bot_actions
from envs.babyai.privileged import PrivilegedBabyAI

BY_HAND = Path(benchmarks.__file__).parent / "data" / "babyai_goto_by_hand.py"


@pytest.mark.babyai
@pytest.mark.parametrize(
    "level", ["GoToLocalS5N2", "GoToLocalS6N4", "GoToLocalS8N2", "GoToLocal", "GoToObj"]
)
def test_the_program_by_hand_is_exact(level: str) -> None:
    program: Any = runpy.run_path(str(BY_HAND))["Environment"]()
    whole, text = PrivilegedBabyAI(level), BabyAIText(level)
    rng = np.random.default_rng(0)
    num_steps = num_ends = 0
    for seed in range(60):
        state, _ = whole.reset(seed=seed)
        text.reset(seed=seed)
        planned = bot_actions(text.level, 60)
        is_over = False
        while not is_over:
            # Now and then something else, so that things are taken and put down.
            is_random = seed % 3 == 0 or rng.random() < 0.4 or not planned
            action = int(rng.integers(6)) if is_random else planned.pop(0)
            program.set_state(state.copy())
            expected = program.step(action)
            before = state
            state, reward, terminated, truncated, _ = whole.step(action)
            np.testing.assert_array_equal(expected[0], state)
            assert expected[1:] == (reward, terminated), (before, action)
            is_over = terminated or truncated
            if not terminated:
                assert tuple(program.legal_actions()) == whole.legal_actions()
            num_steps += 1
            num_ends += terminated
    assert num_steps > 500
    assert num_ends > 20


@pytest.mark.babyai
def test_who_stands_before_it_has_gone_there_whatever_is_done_with_it() -> None:
    program: Any = runpy.run_path(str(BY_HAND))["Environment"]()
    whole, text = PrivilegedBabyAI("GoToLocal"), BabyAIText("GoToLocal")
    ends = dict.fromkeys(range(6), 0)
    for seed in range(15):
        text.reset(seed=seed)
        state, _ = whole.reset(seed=seed)
        for action in bot_actions(text.level, 60):
            state, *_ = whole.step(action)
        assert whole.is_over
        for action in ends:
            whole.is_over, whole.state = False, state.copy()
            expected = whole.step(action)
            program.set_state(state.copy())
            following, reward, is_end = program.step(action)
            np.testing.assert_array_equal(following, expected[0])
            assert (reward, is_end) == expected[1:3]
            ends[action] += is_end
    # Turning away is all that can be done instead.
    assert list(ends.values())[2:] == [15] * 4
    assert max(ends[0], ends[1]) < 15


@pytest.mark.babyai
def test_it_knows_no_other_mission() -> None:
    program: Any = runpy.run_path(str(BY_HAND))["Environment"]()
    state, _ = PrivilegedBabyAI("PutNextLocalS5N3").reset(seed=0)
    program.set_state(state)
    with pytest.raises(ValueError, match="that say go to are known"):
        program.step(0)


def test_the_table_says_how_sure_the_share_of_successes_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "GoToLocal true prior 8"
    print_rows(
        {
            f"{name} return": [0.5, 0.0, 0.2, 0.1],
            f"{name} length": [10.0, 20.0, 30.0, 41.0],
            f"{name} seconds": [0.5, 0.25, 0.25, 0.5],
            f"{name} evaluator_calls": [1.0, 2.0, 3.0, 4.0],
            f"{name} failures": [0.0] * 4,
        }
    )
    line = next(x for x in capsys.readouterr().out.splitlines() if "GoToLocal" in x)
    cells = [cell.strip() for cell in line.split("│")[1:-1]]
    assert cells == [
        *("GoToLocal", "true, privileged", "prior", "8"),
        *("0.75", "0.30 to 0.95", "25.2", "0.375", "2.5"),
    ]


@pytest.mark.slow
@pytest.mark.babyai
@pytest.mark.local
def test_one_command_trains_and_compares(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    config = BenchmarkConfig(
        num_frames=1,
        levels=("GoToLocalS5N2",),
        simulations=(2,),
        rollout_steps=2,
        episodes=1,
        output=str(tmp_path / "results.jsonl"),
    )
    main(config)
    table, _, rest = capsys.readouterr().out.rpartition("prior 2")
    lines = [line for line in table.splitlines() if "GoToLocal" in line]
    assert len(lines) == 1 + 2 * 4
    # The program is exact: what is done in it is what is done in the environment.
    assert [x.split("│")[5:8] for x in lines[1:5]] == [
        x.split("│")[5:8] for x in lines[5:]
    ]
    assert "frames)" in rest
    main(replace(config, show=True))
    assert capsys.readouterr().out == table
