import json
from dataclasses import replace
from pathlib import Path

import pytest

from cwm.config import SourceConfig
from cwm.core.dataset_file import save_dataset
from cwm.core.errors import ConfigError, DataError
from cwm.core.trajectories import Dataset
from cwm.execution.progress import SilentProgress
from cwm.providers.hypotheses.search.keeping import FoundRules
from cwm.sources import (
    Source,
    environment_of,
    obtain,
    parse_changes,
    parse_kwargs,
    with_held_out,
)
from tests.support.corridor import corridor_dataset, trajectory_of


def unsplit(num_trajectories: int) -> Dataset:
    """A data set whose file says nothing about splits."""
    return replace(
        corridor_dataset(),
        trajectories=(trajectory_of([1, 1]),) * num_trajectories,
        splits=("train",) * num_trajectories,
    )


def obtained(config: SourceConfig) -> Source:
    return obtain(config, seed=0, progress=SilentProgress())


@pytest.mark.parametrize(
    ("num_trajectories", "expected"),
    [
        (1, (1, 0, 0)),
        (2, (2, 0, 0)),
        (3, (1, 1, 1)),
        (10, (6, 2, 2)),
    ],
)
def test_a_fifth_is_held_out_where_the_file_does_not_say(
    num_trajectories: int, expected: tuple[int, int, int]
) -> None:
    dataset = with_held_out(unsplit(num_trajectories))
    counts = [len(dataset.in_split(s)) for s in ("train", "validation", "held_out")]
    assert tuple(counts) == expected


def test_splits_of_a_file_are_kept() -> None:
    dataset = corridor_dataset()
    assert with_held_out(dataset) is dataset


def test_data_without_training_transitions_are_refused(tmp_path: Path) -> None:
    dataset = replace(corridor_dataset(), splits=("held_out",) * 3)
    save_dataset(dataset, tmp_path / "a.npz")
    with pytest.raises(DataError, match="must have training transitions"):
        obtained(SourceConfig(data=str(tmp_path / "a.npz")))


def test_a_description_file_replaces_the_recorded_one(tmp_path: Path) -> None:
    save_dataset(corridor_dataset(), tmp_path / "a.npz")
    (tmp_path / "about.txt").write_text("A hall.")
    config = SourceConfig(
        data=str(tmp_path / "a.npz"), description=tmp_path / "about.txt"
    )
    assert obtained(config).dataset.description == "A hall."


@pytest.mark.parametrize("own", [None, "A corridor in words."])
def test_rules_that_were_found_are_added_to_the_description(
    tmp_path: Path, own: str | None
) -> None:
    path, run, text = tmp_path / "c.npz", tmp_path / "run", tmp_path / "text.md"
    save_dataset(corridor_dataset(), path)
    environment = corridor_dataset().environment_id
    run.mkdir()
    rules = {"best": "Walls stop you.\n", "environment": environment}
    (run / "hypotheses.json").write_text(json.dumps(rules))
    if own is not None:
        text.write_text(own)
    source = obtained(
        SourceConfig(
            data=str(path),
            hypotheses=run,
            description=None if own is None else text,
        )
    )
    found = source.dataset.description
    assert found.startswith(own or corridor_dataset().description)
    assert found.endswith("incomplete or wrong.\n\nWalls stop you.\n")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "that is done, but hypotheses.json cannot be read"),
        ("{", "cannot be read"),
        ('{"best": "x"}', "cannot be read"),
        ('{"best": null, "environment": "a"}', "has found no hypothesis"),
        ('{"best": "  ", "environment": "a"}', "has found no hypothesis"),
    ],
)
def test_a_run_without_rules_is_refused(
    tmp_path: Path, content: str | None, expected: str
) -> None:
    path = tmp_path / "c.npz"
    save_dataset(corridor_dataset(), path)
    if content is not None:
        (tmp_path / "hypotheses.json").write_text(content)
    with pytest.raises(DataError, match=expected):
        obtained(SourceConfig(data=str(path), hypotheses=tmp_path))


def test_rules_of_another_environment_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    save_dataset(corridor_dataset(), path)
    rules = {"best": "Grow.", "environment": "cwm/Playground-v0"}
    (tmp_path / "hypotheses.json").write_text(json.dumps(rules))
    with pytest.raises(ConfigError, match="got some about cwm/Playground-v0"):
        obtained(SourceConfig(data=str(path), hypotheses=tmp_path))
    # Before anything is collected.
    with pytest.raises(ConfigError, match="must be about CartPole-v1"):
        obtained(SourceConfig(env="CartPole-v1", hypotheses=tmp_path))


def test_rules_of_one_playground_are_about_the_others() -> None:
    rules = FoundRules(text="Grow.", environment="cwm/Playground-v0")
    rules.check("cwm/PlaygroundSymbolic-v0")
    with pytest.raises(ConfigError):
        rules.check("cwm/Door-v0")


def test_an_environment_that_nobody_has_is_not_at_hand() -> None:
    assert environment_of(corridor_dataset()) is None


def test_an_environment_with_other_spaces_is_another_one() -> None:
    assert environment_of(replace(corridor_dataset(), environment_id="Taxi-v4")) is None


def test_changed_constants_are_numbers_lists_or_text() -> None:
    assert parse_changes(("gravity=3.7", "goal=[1, 2]", "kind=nips")) == {
        "gravity": 3.7,
        "goal": [1, 2],
        "kind": "nips",
    }


@pytest.mark.parametrize("assignment", ["gravity", "=3"])
def test_a_constant_without_name_or_value_is_refused(assignment: str) -> None:
    with pytest.raises(ConfigError, match="--set must be given name=value"):
        parse_changes((assignment,))


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_constructor_arguments_must_be_a_json_object(text: str) -> None:
    with pytest.raises(ConfigError, match="--env-kwargs must be"):
        parse_kwargs(text)
