from pathlib import Path

import pytest

from cwm.core.errors import ConfigError
from cwm.runs.comparing import compare_runs, flatten
from cwm.runs.looking_commands import read_run
from tests.support.corridor import corridor_dataset
from tests.support.run_folders import synthesize_run


def test_only_settings_that_differ_are_shown_and_all_results(tmp_path: Path) -> None:
    a = read_run(synthesize_run(tmp_path / "a", seed=0, held_out=1.0))
    b = read_run(synthesize_run(tmp_path / "b", seed=1, held_out=0.5))
    found = compare_runs([a, b], allows_other_data=False)
    assert found.names == ("a", "b")
    assert found.settings == {"seed": (0, 1)}
    assert found.results["held-out strict"] == (1.0, 0.5)
    assert found.results["program, held_out strict"] == (1.0, 0.5)
    assert found.results["do nothing, held_out strict"] == (0.1, 0.1)
    assert not found.has_other_data
    assert found.to_json()["settings"] == {"seed": [0, 1]}


def test_runs_on_other_transitions_are_refused_unless_that_is_said(
    tmp_path: Path,
) -> None:
    data = corridor_dataset()
    other = type(data)(
        **{name: getattr(data, name) for name in data.__dataclass_fields__}
        | {"description": "Another one."}
    )
    a = read_run(synthesize_run(tmp_path / "a"))
    b = read_run(synthesize_run(tmp_path / "b", dataset=other))
    with pytest.raises(ConfigError, match=f"data {b.data[:12]}"):
        compare_runs([a, b], allows_other_data=False)
    assert compare_runs([a, b], allows_other_data=True).has_other_data


def test_a_run_is_not_compared_with_itself_or_with_one_of_another_kind(
    tmp_path: Path,
) -> None:
    a = read_run(synthesize_run(tmp_path / "a"))
    with pytest.raises(ConfigError, match="at least two runs, each once"):
        compare_runs([a, a], allows_other_data=False)
    (tmp_path / "ppo").mkdir()
    (tmp_path / "ppo" / "config.json").write_text(
        '{"learner": "ppo", "policy": "scratch", "seed": 1, "task": {"env": "E"}}'
    )
    with pytest.raises(ConfigError, match="of one kind, got synthesize, ppo"):
        compare_runs([a, read_run(tmp_path / "ppo")], allows_other_data=True)


def test_runs_with_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    a = read_run(synthesize_run(tmp_path / "x" / "a"))
    b = read_run(synthesize_run(tmp_path / "y" / "a"))
    found = compare_runs([a, b], allows_other_data=False)
    assert found.names == (str(tmp_path / "x" / "a"), str(tmp_path / "y" / "a"))


def test_nested_settings_have_dotted_names() -> None:
    assert flatten({"a": {"b": {"c": 1}, "d": [2]}, "e": None}) == {
        "a.b.c": 1,
        "a.d": [2],
        "e": None,
    }
