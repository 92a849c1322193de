from dataclasses import replace
from pathlib import Path

import pytest

from cwm.core.errors import DataError
from cwm.suites.data_hashes import (
    DataHash,
    decided_by,
    differences,
    read_hashes,
    write_hashes,
)

ONE = DataHash(
    task="CartPole-v1",
    seed=0,
    quick=False,
    digest="a" * 64,
    num_transitions={"train": 10},
    decided_by={"numpy": "2.0", "arithmetic": "12345678"},
)
QUICK = replace(ONE, quick=True, digest="b" * 64)


def test_digests_come_back(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "hashes.json"
    write_hashes(path, "cwmb-r", [ONE, QUICK])
    assert read_hashes(path, "cwmb-r") == (ONE, QUICK)


def test_what_a_file_has_of_other_data_sets_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "hashes.json"
    write_hashes(path, "cwmb-r", [ONE, QUICK])
    changed = replace(ONE, digest="c" * 64)
    write_hashes(path, "cwmb-r", [changed])
    assert set(one.digest[0] for one in read_hashes(path, "cwmb-r")) == {"b", "c"}


def test_equal_digests_differ_in_nothing() -> None:
    other = replace(QUICK, decided_by={"numpy": "3.0"})
    assert differences([ONE, QUICK], [other, ONE]) == ()


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ([], "CartPole-v1, seed 0: not in the file"),
        ([QUICK], "CartPole-v1, seed 0: not in the file"),
        (
            [replace(ONE, digest="c" * 64, decided_by={"numpy": "1.26"})],
            "CartPole-v1, seed 0: aaaaaaaaaaaa in place of cccccccccccc; "
            "arithmetic 12345678 here, none there, numpy 2.0 here, 1.26 there",
        ),
        (
            [replace(ONE, digest="c" * 64)],
            "CartPole-v1, seed 0: aaaaaaaaaaaa in place of cccccccccccc; packages and "
            "arithmetic are the same, so that our code made the difference",
        ),
    ],
)
def test_what_differs_is_named_with_what_may_be_the_reason(
    known: list[DataHash], message: str
) -> None:
    assert differences([ONE], known) == (message,)


def test_mujoco_decides_its_own_data_only() -> None:
    versions = {"numpy": "2.0", "mujoco": "3.3"}
    assert decided_by(versions, {"snapshots": "AttributeSnapshots"}) == {"numpy": "2.0"}
    assert decided_by(versions, {"snapshots": "MujocoSnapshots"}) == versions


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "must be a file of digests"),
        ("[", "must be a file of digests"),
        ('{"format": "cwm-data-hashes", "suite": "rtfm"}', "digests of cwmb-r"),
        ('{"format": "other", "suite": "cwmb-r"}', "in the format 'other'"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "hashes.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_hashes(path, "cwmb-r")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be a readable file"):
        read_hashes(tmp_path / "none.json", "cwmb-r")
