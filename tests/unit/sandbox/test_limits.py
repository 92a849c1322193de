import pytest

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


@pytest.mark.parametrize("name", ["wall_s", "session_s"])
def test_time_beyond_what_the_kernel_waits_for_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be at most 1e6, got inf"):
        Limits(**{name: float("inf")})
