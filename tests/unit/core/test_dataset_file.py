import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwm.core.dataset_file import (
    JSON_MEMBER,
    check_writable,
    load_dataset,
    save_dataset,
)
from cwm.core.errors import DataError
from cwm.core.spaces import BoxSpec, DiscreteSpec, NestedSpec, TextSpec, TupleSpec
from cwm.core.trajectories import Dataset, Split, Transition, make_trajectory

OBSERVATIONS = TupleSpec((BoxSpec(shape=(2,), dtype="float32"), TextSpec()))
ACTIONS = DiscreteSpec(3)


def make_dataset() -> Dataset:
    def value(t: int) -> tuple[Any, str]:
        return np.array([t, t / 3], dtype=np.float32), f"schritt {t} ↑"

    steps = [
        Transition(value(t), t, value(t + 1), 0.1 * t, t == 2, False) for t in range(3)
    ]
    first = make_trajectory(
        steps,
        observation_space=OBSERVATIONS,
        action_space=ACTIONS,
        policy="random",
        seed=7,
        instruction="go to the red ball",
    )
    second = replace(
        first,
        legal_actions=((0, 1), (2,), (), (0, 1, 2)),
        states=np.arange(8.0).reshape(4, 2),
    )
    return Dataset(
        environment_id="Two-v0",
        description="## Title\nwords",
        observation_space=OBSERVATIONS,
        action_space=ACTIONS,
        trajectories=(first, second),
        splits=("train", "held_out"),
        collection={"seed": 3},
        is_stochastic=True,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    target = tmp_path / "data.npz"
    save_dataset(make_dataset(), target)
    return target


def edit(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Rewrites the archive after `change` has had its way with the members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def edit_header(path: Path, **changes: Any) -> None:
    def change(members: dict[str, bytes]) -> None:
        header = json.loads(members[JSON_MEMBER]) | changes
        members[JSON_MEMBER] = json.dumps(header).encode()

    edit(path, change)


def replace_array(path: Path, name: str, array: Any) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {n: archive.read(n) for n in archive.namelist() if n != name}
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
        with archive.open(name, "w") as file:
            np.lib.format.write_array(file, array)


def test_everything_comes_back(path: Path) -> None:
    old, new = make_dataset(), load_dataset(path)
    assert new.environment_id == "Two-v0"
    assert new.is_stochastic
    assert new.collection == {"seed": 3}
    assert new.splits == ("train", "held_out")
    first, second = new.trajectories
    assert (first.policy, first.seed) == ("random", 7)
    assert first.instruction == "go to the red ball"
    assert first.legal_actions is None
    assert first.states is None
    assert second.legal_actions == ((0, 1), (2,), (), (0, 1, 2))
    assert second.states is not None
    assert second.states.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert second.observations["1"] == [f"schritt {t} ↑" for t in range(4)]
    assert first.observations["0"].dtype == np.float32  # type: ignore[union-attr]
    assert first.rewards.tolist() == old.trajectories[0].rewards.tolist()


def test_the_same_data_give_the_same_bytes(path: Path, tmp_path: Path) -> None:
    save_dataset(make_dataset(), tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_numpy_opens_the_file_without_pickle(path: Path) -> None:
    with np.load(path, allow_pickle=False) as archive:
        assert archive["rewards"].tolist() == pytest.approx([0, 0.1, 0.2, 0, 0.1, 0.2])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.npz' must be a readable file"):
        load_dataset(tmp_path / "nothing.npz")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be a readable file"):
        load_dataset(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DataError, match="must be a whole"):
        load_dataset(path)


def test_a_flipped_byte_is_noticed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="must be a whole"):
        load_dataset(path)


def test_another_npz_is_told_from_ours(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(DataError, match=r"must hold a member dataset\.json"):
        load_dataset(tmp_path / "other.npz")


def test_another_version_is_refused(path: Path) -> None:
    edit_header(path, version=99)
    with pytest.raises(DataError, match="must be of version 1, got 99"):
        load_dataset(path)


def test_another_format_is_refused(path: Path) -> None:
    edit_header(path, format="other")
    with pytest.raises(DataError, match="must hold format 'cwm-dataset'"):
        load_dataset(path)


def test_broken_json_is_refused(path: Path) -> None:
    edit(path, lambda members: members.update({JSON_MEMBER: b"{"}))
    with pytest.raises(DataError, match=r"must hold JSON in dataset\.json"):
        load_dataset(path)


def test_a_missing_array_is_named(path: Path) -> None:
    def remove(members: dict[str, bytes]) -> None:
        del members["rewards.npy"]

    edit(path, remove)
    with pytest.raises(DataError, match=r"member rewards\.npy, which is missing"):
        load_dataset(path)


def test_a_missing_header_key_is_a_data_error(path: Path) -> None:
    edit(
        path, lambda m: m.update({JSON_MEMBER: m[JSON_MEMBER].replace(b"texts", b"t")})
    )
    with pytest.raises(DataError, match="texts"):
        load_dataset(path)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("rewards.npy", np.zeros(5), r"rewards as float64\[6\], got float64\[5\]"),
        ("rewards.npy", np.full(6, np.nan), "numbers as rewards, got nan at row 0"),
        ("terminated.npy", np.zeros(6), r"bool\[6\], got float64\[6\]"),
        ("actions.0.npy", np.full(6, 3), "integers from 0 to 2 .* got 3 at row 0"),
        (
            "observations.0.npy",
            np.zeros((8, 3), np.float32),
            r"float32\[8, 2\], got float32\[8, 3\]",
        ),
        ("observations.0.npy", np.zeros((8, 2)), r"got float64\[8, 2\]"),
        ("states.npy", np.zeros((3, 2)), r"4 rows in states, got 3"),
    ],
)
def test_wrong_arrays_are_named_with_rule_and_value(
    path: Path, name: str, array: Any, message: str
) -> None:
    replace_array(path, name, array)
    with pytest.raises(DataError, match=message):
        load_dataset(path)


def test_an_object_array_is_never_unpickled(path: Path) -> None:
    array = np.array([None, {}], dtype=object)
    replace_array(path, "rewards.npy", array)
    with pytest.raises(DataError, match="must hold plain arrays"):
        load_dataset(path)


def test_missing_texts_are_counted(path: Path) -> None:
    edit_header(path, texts={"observations.1": ["a"]})
    with pytest.raises(DataError, match=r"must hold 8 texts in observations\.1, got 1"):
        load_dataset(path)


def test_an_unknown_split_is_refused(path: Path) -> None:
    text = b'"split": "held_out"'
    edit(
        path,
        lambda m: m.update(
            {JSON_MEMBER: m[JSON_MEMBER].replace(text, text[:-5] + b'"')}
        ),
    )
    with pytest.raises(DataError, match="splits must be of"):
        load_dataset(path)


def test_a_data_set_without_trajectories_can_be_kept(tmp_path: Path) -> None:
    empty = replace(make_dataset(), trajectories=(), splits=())
    save_dataset(empty, tmp_path / "empty.npz")
    assert load_dataset(tmp_path / "empty.npz").trajectories == ()


def test_nested_text_comes_back(tmp_path: Path) -> None:
    space = NestedSpec()
    step = Transition([["a"], "b"], 0, [[], "c"], 0.0, False, False)
    trajectory = make_trajectory([step], observation_space=space, action_space=ACTIONS)
    data = replace(
        make_dataset(),
        observation_space=space,
        trajectories=(trajectory,),
        splits=("train",),
    )
    save_dataset(data, tmp_path / "nested.npz")
    loaded = load_dataset(tmp_path / "nested.npz")
    assert loaded.batch("train").transition(0).observation == [["a"], "b"]


def test_an_unwritable_place_is_named_before_and_when_writing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    target = tmp_path / "file" / "data.npz"
    with pytest.raises(DataError, match="must be writable"):
        check_writable(target)
    with pytest.raises(DataError, match="must be writable"):
        save_dataset(make_dataset(), target)
    with pytest.raises(DataError, match="it is a folder"):
        check_writable(tmp_path)


def test_checking_leaves_nothing_behind(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "data.npz")
    assert list((tmp_path / "new").iterdir()) == []


def with_states(*states: Any) -> Dataset:
    """A data set whose trajectories have these hidden states."""
    dataset = make_dataset()
    trajectory = replace(dataset.trajectories[0], states=None)
    splits: tuple[Split, ...] = ("train",) * len(states)
    return replace(
        dataset,
        trajectories=tuple(replace(trajectory, states=s) for s in states),
        splits=splits,
    )


def members(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


@pytest.mark.parametrize(
    ("widths", "expected"),
    [
        ((2, None, 2), ["states.npy"]),
        ((2, None, 3), ["states.0.npy", "states.2.npy"]),
        ((None, None), []),
    ],
)
def test_hidden_states_of_one_shape_are_one_member(
    tmp_path: Path, widths: tuple[int | None, ...], expected: list[str]
) -> None:
    states = [
        None if width is None else np.arange(4.0 * width).reshape(4, width) + number
        for number, width in enumerate(widths)
    ]
    path = tmp_path / "data.npz"
    save_dataset(with_states(*states), path)
    assert [name for name in members(path) if name.startswith("states")] == expected
    for found, state in zip(load_dataset(path).trajectories, states, strict=True):
        if state is None:
            assert found.states is None
        else:
            assert found.states is not None
            assert found.states.tolist() == state.tolist()


def test_a_file_with_a_member_for_each_trajectory_s_states_is_read(path: Path) -> None:
    def as_before(held: dict[str, bytes]) -> None:
        held["states.1.npy"] = held.pop("states.npy")

    edit(path, as_before)
    first, second = load_dataset(path).trajectories
    assert first.states is None
    assert second.states is not None
    assert second.states.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_what_a_planner_visited_is_a_split_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    save_dataset(replace(make_dataset(), splits=("train", "planner")), path)
    dataset = load_dataset(path)
    assert dataset.splits == ("train", "planner")
    assert dataset.num_transitions["planner"] == 3
    assert len(dataset.batch("planner")) == 3
