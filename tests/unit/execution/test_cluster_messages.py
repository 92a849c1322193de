"""What Ray says when there is no cluster, as people are told it."""

import pytest

from cwm.execution.ray.cluster import reason_of

ADVICE = (
    "Please specify the one to connect to by setting the `--address` flag or "
    "`RAY_ADDRESS` environment variable."
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            f"Could not find any running Ray instance. {ADVICE}",
            "Could not find any running Ray instance.",
        ),
        (
            f"Found multiple active Ray instances: {{'10.0.0.1:1'}}. {ADVICE}",
            "Found multiple active Ray instances: {'10.0.0.1:1'}.",
        ),
        ("Version mismatch:\n  Ray: 2.50", "Ray: 2.50"),
        ("", "no reason given"),
    ],
)
def test_options_of_ray_are_not_advised(text: str, reason: str) -> None:
    assert reason_of(ConnectionError(text)) == reason
