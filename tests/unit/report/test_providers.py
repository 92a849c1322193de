"""The tables of the suite providers, from cells written by hand."""

from dataclasses import replace
from typing import Any

import pytest

from cwm.evaluation.cell_results import CellKey, CellResult
from cwm.report.providers import (
    ProvidersReport,
    difference,
    make_providers_report,
    show_difference,
    show_success,
)

ROLES = {"random": "no provider", "true": "world model", "true+ppo": "prior"}
ROLES |= {"code": "world model"}


def cell(
    row: str, returns: tuple[float, ...], seed: int = 0, **more: Any
) -> CellResult:
    fields: dict[str, Any] = {
        "suite": "providers",
        "key": CellKey("playground", row, seed),
        "status": "done",
        "made_by": "somebody",
        "returns": returns,
        "successes": tuple(one >= 5.0 for one in returns),
        "figures": {"return": sum(returns) / len(returns) if returns else None},
    }
    return CellResult(**(fields | more))


CELLS = [
    cell("true", (5.0, 1.0, 3.0)),
    cell("true+ppo", (5.0, 5.0, 4.0), is_stand_in=True),
    cell("random", (0.0, 0.0, 0.0)),
    cell("code", (), status="not made", made_by="", reason="no model", figures={}),
]


def report(cells: list[CellResult] = CELLS) -> ProvidersReport:
    results = {one.key: one for one in cells}
    planned = [*results, CellKey("babyai", "true", 0)]
    return make_providers_report(
        planned, results, suite="providers", roles=ROLES, settings=(), folder="here"
    )


def test_every_environment_has_a_table_and_every_row_a_line() -> None:
    first, second = report().tables()
    assert first.title == "providers: playground"
    assert [row[0] for row in first.rows] == ["random", "true", "true+ppo", "code"]
    assert [row[-1] for row in first.rows] == ["", "", "", "not made"]
    assert second.rows[0][-1] == "not finished"


def test_what_could_not_be_made_is_told_with_its_reason() -> None:
    lines = report().lines()
    assert "cells: 5, 1 not made, for the reasons below, 1 not finished" in lines
    assert "playground, code, seed 0: no model" in lines


def test_stand_ins_are_marked_in_their_own_row() -> None:
    makers = {row[0]: row[2] for row in report().tables()[0].rows}
    assert makers["true+ppo"] == "somebody (stand-in)"
    assert makers["true"] == "somebody"
    assert makers["code"] == "-"


def test_differences_are_paired_by_seed_and_episode() -> None:
    cells = [*CELLS, cell("true", (2.0,), seed=1), cell("true+ppo", (0.0,), seed=1)]
    true, ppo = report(cells).rows[1:3]
    found = difference(ppo, true)
    assert found is not None
    # 0, +4, +1 and -2.
    assert found.mean.value == pytest.approx(0.75)
    assert (found.num_wins, found.num_ties, found.num_losses) == (2, 1, 1)
    assert show_difference(found).startswith("+0.75, p ")


def test_episodes_without_a_partner_have_no_difference() -> None:
    alone = cell("true+ppo", (5.0,), seed=7)
    true = report().rows[1]
    rows = report([*CELLS[:1], alone]).rows
    assert difference(rows[1], true) is None
    assert show_difference(None) == "-"


def test_successes_have_wilsons_interval() -> None:
    # Wilson for 1 of 3 by hand: centre 0.4396 ± 0.3534 over 1 + z²/3.
    assert show_success([True, False, False]) == "0.33 (0.06 to 0.79)"
    assert show_success([]) == "-"


def test_returns_of_episodes_survive_the_results_file() -> None:
    one = CELLS[1]
    assert CellResult.from_json(one.to_json()) == one
    bare = replace(one, returns=(), successes=())
    assert "returns" not in bare.to_json()
    assert CellResult.from_json(bare.to_json()) == bare


def test_all_forms_of_the_report_can_be_written() -> None:
    found = report()
    assert "| true+ppo | prior | somebody (stand-in) |" in found.markdown()
    assert "true+ppo" in found.csv()
    assert found.to_json()["rows"][0]["search"] == "random"
