import pytest

from sandbox.isolation import summarise
from sandbox.limits import Limits


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wall_s", r"wall_s must be positive, got 0 \(seconds\)"),
        ("memory_mib", r"memory_mib must be positive, got 0 \(MiB\)"),
        ("max_source_kib", r"max_source_kib must be positive, got 0 \(KiB\)"),
        ("max_messages", r"max_messages must be positive, got 0 \(messages\)"),
        ("cpu_s", r"cpu_s must be at least 1, got 0 \(seconds\)"),
    ],
)
def test_limit_of_zero_is_refused_with_its_unit(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Limits(**{name: 0})


def test_limit_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="wall_s must be positive, got nan"):
        Limits(wall_s=float("nan"))


def test_frame_larger_than_the_output_is_refused_with_both_numbers() -> None:
    with pytest.raises(
        ValueError, match=r"at most max_output_mib \(2\), got 3 \(MiB\)"
    ):
        Limits(max_output_mib=2, max_frame_mib=3)


ACTIVE = dict.fromkeys(
    ("drop_root", "namespaces", "no_new_privs", "rlimits", "seccomp"), "active"
)
REFUSED = dict.fromkeys(
    ("open", "socket", "fork", "kill_parent", "executable_memory", "allocate_too_much"),
    "PermissionError 1",
)


@pytest.mark.parametrize(
    ("layers", "probes", "level"),
    [
        (ACTIVE, REFUSED, "kernel"),
        (ACTIVE, REFUSED | {"open": "allowed"}, "partial"),
        (ACTIVE, REFUSED | {"allocate_too_much": "allowed"}, "none"),
        (ACTIVE, {}, "none"),
        (ACTIVE | {"seccomp": "absent: no filter"}, REFUSED, "partial"),
        (
            ACTIVE | {"seccomp": "absent: x", "namespaces": "absent: x"},
            REFUSED,
            "process",
        ),
    ],
)
def test_level_is_what_the_probes_prove(
    layers: dict[str, str], probes: dict[str, str], level: str
) -> None:
    assert summarise(layers, probes, "test").level == level


def test_layer_whose_probe_got_through_is_missing() -> None:
    report = summarise(ACTIVE, REFUSED | {"socket": "allowed"}, "test")
    assert report.missing == ("seccomp",)
    assert report.layers["seccomp"] == "absent: a probe got through"
