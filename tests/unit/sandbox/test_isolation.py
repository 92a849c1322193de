from pathlib import Path

import pytest

from sandbox import inventory
from sandbox.isolation import (
    ADVICE,
    LAYERS,
    PROOFS,
    Surroundings,
    shortfall,
    summarise,
)

HERE = Surroundings(platform="test", uid=7, preload_hash="12ab", cgroup="active: x 1")
ACTIVE = dict.fromkeys(LAYERS, "active")
REFUSED = {name: "PermissionError 1" for names in PROOFS.values() for name in names}


@pytest.mark.parametrize(
    ("layers", "probes", "level"),
    [
        (ACTIVE, REFUSED, "kernel"),
        (ACTIVE, REFUSED | {"open": "allowed"}, "partial"),
        (ACTIVE, REFUSED | {"allocate_too_much": "allowed"}, "none"),
        (ACTIVE, REFUSED | {"open_beyond_limit": "allowed"}, "none"),
        (ACTIVE, {}, "none"),
        (ACTIVE | {"seccomp": "absent: no filter"}, REFUSED, "partial"),
        (
            ACTIVE | {"seccomp": "absent: x", "namespaces": "absent: x"},
            REFUSED,
            "partial",
        ),
        (
            ACTIVE | {"seccomp": "absent: x", "landlock": "absent: x"},
            REFUSED,
            "partial",
        ),
        (
            ACTIVE | dict.fromkeys(("seccomp", "landlock", "namespaces"), "absent: x"),
            REFUSED,
            "process",
        ),
        (
            ACTIVE | {"seccomp": "absent: x"},
            REFUSED | {"read_directory": "allowed", "see_processes": "allowed"},
            "process",
        ),
    ],
)
def test_level_is_what_the_probes_prove(
    layers: dict[str, str], probes: dict[str, str], level: str
) -> None:
    assert summarise(layers, probes, HERE).level == level


@pytest.mark.parametrize(
    ("layer", "probe"), [(layer, name) for layer in PROOFS for name in PROOFS[layer]]
)
def test_layer_with_a_probe_that_got_through_is_missing(layer: str, probe: str) -> None:
    report = summarise(ACTIVE, REFUSED | {probe: "allowed"}, HERE)
    assert report.missing == (layer,)
    assert report.layers[layer] == "absent: a probe got through"


def test_layer_that_no_probe_shows_is_active_and_no_more() -> None:
    report = summarise(ACTIVE, REFUSED, HERE)
    assert report.layers["no_new_privs"] == "active"
    assert {report.layers[name] for name in PROOFS} == {"verified"}
    assert report.missing == ()


def test_level_does_not_rest_on_probes_that_did_not_run() -> None:
    report = summarise(ACTIVE, {}, HERE)
    assert report.layers["seccomp"] == report.layers["rlimits"] == "absent: not proved"
    assert report.layers["landlock"] == "active"
    assert report.missing == ("rlimits", "seccomp")


def test_state_of_an_absent_layer_keeps_its_reason() -> None:
    report = summarise(ACTIVE | {"landlock": "absent: too old"}, REFUSED, HERE)
    assert report.layers["landlock"] == "absent: too old"


def test_report_says_where_and_with_what() -> None:
    data = summarise(ACTIVE, REFUSED, HERE).to_json()
    assert (data["platform"], data["uid"], data["preload_hash"]) == ("test", 7, "12ab")
    assert data["layers"]["cgroup"] == "active: x 1"


def test_control_groups_are_never_missing() -> None:
    report = summarise(ACTIVE, REFUSED, Surroundings(platform="test"))
    assert report.layers["cgroup"] == "absent: unknown"
    assert report.missing == ()


def test_shortfall_has_one_action_for_each_missing_layer() -> None:
    states = {name: f"absent: {name} reason" for name in LAYERS}
    text = shortfall(summarise(states, {}, HERE), "kernel")
    lines = text.splitlines()
    assert lines[0] == "Isolation must be at least 'kernel', got 'none'; missing:"
    for name in LAYERS:
        assert f"- {name} (absent: {name} reason): {ADVICE[name]}" in lines
    # What the level needs comes first.
    assert [line.split()[1] for line in lines[1:3]] == ["rlimits", "seccomp"]
    assert lines[-1] == "Or accept what there is with require='none'."


def test_shortfall_by_choice_needs_no_other_system() -> None:
    states = ACTIVE | {"seccomp": "absent: switched off"}
    text = shortfall(summarise(states, REFUSED, HERE), "kernel")
    assert "- seccomp (absent: switched off): take it into layers=" in text


def test_preload_hash_changes_with_what_candidates_run_on() -> None:
    drivers = ["tests.support.echo_driver"]
    __import__("tests.support.echo_driver")
    __import__("sandbox.canary")
    first = inventory.preload_hash(["json", "numpy"], drivers)
    assert len(first) == 16
    assert inventory.preload_hash(["json", "numpy"], drivers) == first
    others = [
        inventory.preload_hash(["json"], drivers),
        inventory.preload_hash(["json", "numpy", "no_such_module"], drivers),
        inventory.preload_hash(["json", "numpy"], ["sandbox.canary"]),
    ]
    assert len({first, *others}) == 4


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("4:memory:/x\n", {}, "absent: no unified hierarchy"),
        ("0::/a/b\n", {}, "absent: no unified hierarchy"),
        ("0::/a/b\n", {"cgroup.controllers": ""}, "absent: no limits"),
        (
            "0::/a/b\n",
            {"cgroup.controllers": "", "a/b/memory.max": "max\n"},
            "absent: no limits",
        ),
        (
            "0::/a/b\n",
            {
                "cgroup.controllers": "",
                "a/b/memory.max": "max\n",
                "a/memory.max": "1000\n",
                "a/b/pids.max": "64\n",
                "a/pids.max": "99\n",
            },
            "active: pids.max 64, memory.max 1000",
        ),
    ],
)
def test_control_group_is_reported(
    tmp_path: Path, membership: str, files: dict[str, str], expected: str
) -> None:
    write(tmp_path, {"self": membership} | {f"fs/{k}": v for k, v in files.items()})
    (tmp_path / "fs").mkdir(exist_ok=True)
    assert inventory.cgroup_state(f"{tmp_path}/self", f"{tmp_path}/fs") == expected


def test_control_group_that_cannot_be_read_is_absent(tmp_path: Path) -> None:
    state = inventory.cgroup_state(f"{tmp_path}/no such file", str(tmp_path))
    assert state == "absent: FileNotFoundError"
