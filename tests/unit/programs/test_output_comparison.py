import pytest

from cwm.programs.output_comparison import is_right_output, is_right_value


def lines(output: str, expected: str) -> bool:
    return is_right_output(output, expected, "lines")


def apps(output: str, expected: str) -> bool:
    return is_right_output(output, expected, "apps")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("1 2\n3\n", "1 2\n3"),
        ("  1   2 \r\n\n3", "1 2\n3\n"),
        ("", "\n \n"),
        ("yes", "yes\n"),
        ("0.333333333\n", "0.3333333\n"),
        ("2.0", "2"),
        ("1e3 x", "1000.0 x"),
        ("nan", "nan"),
    ],
)
def test_white_space_and_the_writing_of_numbers_do_not_count(
    output: str, expected: str
) -> None:
    assert lines(output, expected)
    assert apps(output, expected) or "x" in output


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("1 2 3", "1\n2\n3"),
        ("3\n1", "1\n3"),
        ("1\n1", "1"),
        ("Yes", "yes"),
        ("", "0"),
        ("0", ""),
        ("0.3334", "0.3333"),
        ("1000000", "1000001"),
        ("9007199254740993", "9007199254740992"),
        ("9007199254740992.0", "9007199254740993"),
        ("inf", "1.0"),
        ("nan", "inf"),
        ("1.0 2", "1.0"),
    ],
)
def test_other_words_lines_and_orders_are_wrong(output: str, expected: str) -> None:
    assert not lines(output, expected)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        # Lines in another order, tokens in another order, and how often: sets.
        ("3\n1", "1\n3"),
        ("2 1", "1 2"),
        ("YES\nNO", "NO\nYES\nYES\nNO"),
        # Numbers are compared with a tolerance, or by three decimals.
        ("1000001", "1000000"),
        ("0.33341 5", "0.3333 5"),
    ],
)
def test_the_published_rule_accepts_more_than_it_should(
    output: str, expected: str
) -> None:
    assert apps(output, expected)
    assert not lines(output, expected)


@pytest.mark.parametrize(
    ("output", "expected"),
    [("1 2 3", "1\n2\n3"), ("Yes", "yes"), ("0.335", "0.333"), ("4", "5"), ("", "0")],
)
def test_the_published_rule_refuses_the_rest(output: str, expected: str) -> None:
    assert not apps(output, expected)


def test_values_are_equal_up_to_tuples() -> None:
    assert is_right_value((1, [2, (3,)]), [[1, [2, [3]]]])
    assert is_right_value({"a": (1,)}, [0, {"a": [1]}])
    assert not is_right_value([1, 2], [[2, 1]])
    assert not is_right_value("1", [1])
    assert not is_right_value(0.1 + 0.2, [0.3])
