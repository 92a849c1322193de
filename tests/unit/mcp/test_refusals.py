from typing import Literal

import pytest
from pydantic import BaseModel, ValidationError

from cwm.mcp.refusals import refusal_of


class Wanted(BaseModel):
    source: str
    steps: int | None = None
    planner: Literal["auto", "beam"] = "auto"
    factor: float = 1.0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "source must be given, got nothing."),
        ({"source": 3}, "source must be text, got 3."),
        ({"source": "", "steps": "x"}, "steps must be a whole number, got 'x'."),
        ({"source": "", "steps": 1.5}, "steps must be a whole number, got 1.5."),
        ({"source": "", "steps": [1]}, "steps must be a whole number, got [1]."),
        (
            {"source": "", "planner": "best"},
            "planner must be 'auto' or 'beam', got 'best'.",
        ),
        (
            {"source": "", "factor": "x"},
            "factor must be as the schema of the tool says, got 'x'.",
        ),
        (
            {"steps": "x"},
            "source must be given, got nothing. steps must be a whole number, got 'x'.",
        ),
    ],
)
def test_wrong_arguments_are_told_with_rule_and_value(
    given: dict[str, object], told: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Wanted.model_validate(given)
    assert refusal_of(caught.value.errors()) == told


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(ValidationError) as caught:
        Wanted.model_validate({"source": ["#" * 10_000]})
    assert len(refusal_of(caught.value.errors())) < 100
