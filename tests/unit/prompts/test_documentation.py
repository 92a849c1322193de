"""Documentation without padding."""

from prompts.documentation import compact

TABLE = """\
Above.

    | Num | Observation           | Min   |
    |-----|-----------------------|:------|
    | 0   | Cart    Position      | -4.8  |


Below   stays.  \t
"""


def test_tables_lose_their_padding_and_nothing_else() -> None:
    assert compact(TABLE) == (
        "Above.\n\n| Num | Observation | Min |\n|---|---|:---|\n"
        "| 0 | Cart Position | -4.8 |\n\nBelow   stays."
    )


def test_map_drawn_with_bars_is_left_as_it_is() -> None:
    drawn = "+----------+\n|R:  |  : G|\n|   |   |  |\n|Y|    |B: |\n+----------+"
    assert compact(drawn) == drawn


def test_two_bars_are_no_table() -> None:
    assert compact("|a  b|\n|-----|") == "|a  b|\n|-----|"


def test_compacting_twice_changes_nothing() -> None:
    assert compact(compact(TABLE)) == compact(TABLE)
    assert compact("") == compact(" \n\n ") == ""
