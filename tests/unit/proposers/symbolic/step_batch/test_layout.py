"""How long statements are broken."""

import ast

import pytest

from cwm.proposers.symbolic.step_batch.layout import WIDTH, lay_out

LONG = [
    " + ".join(f"constant_{i} * variable_{i}" for i in range(6)) + " - x * (y - z)",
    " | ".join(f"(variable_{i} >= limit_{i})" for i in range(6)),
    "np.select([first_condition & second_condition, third_condition], "
    "[first_value_of_all, second_value_of_all], default_value_of_all)",
    "np.stack([next_s0, next_s1, next_s2, next_s3, next_s4], axis=1, dtype=np.float32)",
    "a_name - (b_name_that_is_long - c_name_that_is_long) - (d_name_that_is_long + e)",
]


@pytest.mark.parametrize("text", LONG)
def test_broken_statements_say_the_same_and_fit(text: str) -> None:
    node = ast.parse(text, mode="eval").body
    lines = lay_out("value = ", node, 8)
    assert len(lines) > 1
    assert all(len(line) <= WIDTH for line in lines)
    source = "\n".join(line[8:] for line in lines)
    assert ast.dump(ast.parse(source)) == ast.dump(ast.parse(f"value = {text}"))


def test_a_short_statement_stays_on_its_line() -> None:
    node = ast.parse("a + b", mode="eval").body
    assert lay_out("x = ", node, 4) == ["    x = a + b"]
