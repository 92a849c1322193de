import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from cwm.providers.hypotheses.evaluation.likelihoods import Difference
from cwm.providers.hypotheses.evaluation.scores import (
    BEST,
    NO_HYPOTHESIS,
    SHUFFLED,
    evaluate_hypotheses,
)
from cwm.providers.hypotheses.worlds import WORLDS
from cwm.report.hypotheses import (
    difference_lines,
    show_difference,
    stand_in_lines,
)
from cwm.report.hypothesis_tables import (
    CHANCE,
    acting_table,
    found_table,
    likelihood_table,
    top_by_type_table,
    top_table,
)
from tests.support.induction_reports import ROWS, RULES, door_report, door_scores
from tests.support.table_statistician import TableStatistician


def shown(table: object) -> list[list[str]]:
    """Returns the cells of a table, line by line."""
    stream = io.StringIO()
    Console(file=stream, width=160).print(table)
    lines = stream.getvalue().splitlines()
    cells = [[c.strip() for c in line.strip("│┃ ").split("│")] for line in lines]
    return [row for row in cells if len(row) > 1]


def text() -> str:
    stream = io.StringIO()
    door_report().show(stream)
    return stream.getvalue()


def test_the_likelihood_of_every_row_by_type() -> None:
    assert shown(likelihood_table(door_scores())) == [
        ["no hypothesis", "-54.0", "-2.000", "-2.000", "-2.000"],
        ["first", "-54.0", "-2.000", "-2.000", "-2.000"],
        # 18 things open the door, 9 do not: -18 - 22.5.
        ["best", "-40.5", "-1.500", "-1.000", "-2.500"],
        ["shuffled", "-54.0", "-2.000", "-2.000", "-2.000"],
    ]


def test_a_type_that_does_not_occur_has_no_number() -> None:
    scores = replace(door_scores(), types=("opened", "burnt"))
    assert shown(likelihood_table(scores))[0][-2:] == ["-2.000", "-"]
    assert shown(top_by_type_table(scores))[0][-2:] == ["1.000", "-"]


def test_top_k_ends_with_random_order() -> None:
    rows = shown(top_table(door_scores()))
    assert [row[0] for row in rows][-2:] == [SHUFFLED, CHANCE]
    assert rows[2] == ["best", "0.667", "1.000", "1.000", "1.000", "0.500", "1.000"]
    assert rows[-1][1:3] == ["0.500", "1.000"]
    by_type = shown(top_by_type_table(door_scores(), k=1))
    assert by_type[2] == ["best", "1.000", "0.000"]


def test_differences_are_to_none_and_of_the_best_to_its_shuffled_words() -> None:
    lines = difference_lines(door_scores())
    assert lines[0].startswith("nats per transition (95 % interval")
    starts = [line.split(":")[0].strip() for line in lines[1:]]
    assert starts == [
        "first against no hypothesis",
        "best against no hypothesis",
        "shuffled against no hypothesis",
        "best against shuffled",
    ]
    assert lines[1].endswith(": +0.000 (+0.000 to +0.000)")
    assert ": +0.500 (+0.215 to +0.785)" in lines[2]
    assert difference_lines(replace(door_scores(), scores={})) == []


def test_a_difference_of_one_transition_has_no_interval() -> None:
    assert show_difference(Difference(mean=-1.0, low=None, high=None)) == "-1.000"


def test_what_was_found_and_when() -> None:
    report = door_report()
    assert report.counts == {"opened": 3, "closed": 15}
    assert report.first_phases() == {"closed": 0, "opened": 1}
    assert shown(found_table(report.counts | {"burnt": 0}, report.first_phases())) == [
        ["opened", "3", "0.1667", "1"],
        ["closed", "15", "0.8333", "0"],
        ["burnt", "0", "0.0000", "-"],
    ]


def test_who_reached_which_goal() -> None:
    oracle = ["2/2", "1.00 (0.34 to 1.00)", "4.0", "4.0"]
    model = ["0/2", "0.00 (0.00 to 0.66)", "30.0", "-"]
    assert shown(acting_table(ROWS)) == [
        ["grow any plant", "oracle", "-", *oracle],
        ["grow any pig", "model", "best", *model],
    ]


def test_the_head_names_the_roles_and_marks_stand_ins() -> None:
    head = door_report().head()
    assert head[:2] == [
        "door, seed 7",
        "statistician: table; scientist: a model; experimenter: random",
    ]
    assert head[2].startswith("The statistician is a stand-in, no language model: ")
    assert head[3:] == [
        "best hypothesis:",
        "  Doors open",
        "  [always], it costs $1 or $2.",
    ]
    real = replace(door_report(), stand_ins=())
    assert not any("stand-in" in line for line in real.head())


@pytest.mark.parametrize(
    ("roles", "start"),
    [
        (("scientist",), "The scientist is a stand-in, "),
        (("statistician", "scientist"), "The statistician and the scientist are st"),
        (("a", "b", "c"), "The a, the b and the c are stand-ins, "),
    ],
)
def test_several_stand_ins_are_all_named(roles: tuple[str, ...], start: str) -> None:
    (line,) = stand_in_lines(roles)
    assert line.startswith(start)


def test_without_a_hypothesis_the_head_says_so() -> None:
    scores = evaluate_hypotheses(
        TableStatistician(lambda *_: -1.0), WORLDS["door"], {NO_HYPOTHESIS: None}
    )
    report = replace(door_report(), scores=scores)
    assert report.best is None
    assert report.head()[-1] == "no hypothesis was found"
    blank = evaluate_hypotheses(
        TableStatistician(lambda *_: -1.0), WORLDS["door"], {BEST: " \n"}
    )
    assert replace(report, scores=blank).head()[-1] == "  (blank)"


def test_ties_are_told_with_the_published_figures() -> None:
    (line,) = [line for line in door_report().lines() if "in random order" in line]
    assert line.startswith("door: candidates of the same score count as in random")
    # The best hypothesis tells the two candidates apart.
    assert line.endswith("be no hypothesis 1.000, first 1.000, shuffled 1.000")


def test_a_report_for_people_has_all_parts_and_markup_is_text() -> None:
    found = text()
    assert "[always]" in found
    assert "door: test log-likelihood, nats" in found
    assert "door: top-3 by type" in found
    assert "goals that were reached" in found
    assert "phases: 2, with 8 proposals, 4 of them accepted, and 18 trans" in found
    assert found.rstrip().endswith("next:\n  python -m cwm.plan")


def test_what_was_not_measured_is_not_shown() -> None:
    scores = evaluate_hypotheses(
        TableStatistician(lambda *_: -1.0), WORLDS["door"], {BEST: RULES}, ranked=()
    )
    report = replace(
        door_report(), scores=scores, acting=(), phases=(), next_commands=()
    )
    stream = io.StringIO()
    report.show(stream)
    for words in ("among the best", "top-3 by type", "goals", "nats per", "next:"):
        assert words not in stream.getvalue()
    assert report.to_json()["scores"]["chance"] is None


def test_other_words_have_tables_of_their_own() -> None:
    other = replace(door_scores(), world="door-reworded")
    stream = io.StringIO()
    replace(door_report(), reworded=other).show(stream)
    assert "door-reworded: test log-likelihood" in stream.getvalue()


def test_plain_data_can_be_written_and_have_everything() -> None:
    data = json.loads(json.dumps(door_report().to_json(), allow_nan=False))
    assert data["environment"] == "door"
    assert data["best"] == RULES
    assert data["stand_ins"] == ["statistician"]
    assert data["counts"] == {"opened": 3, "closed": 15}
    assert [one["acceptance"] for one in data["phases"]] == [None, 0.75, 0.25]
    assert data["phases"][0]["data"]["total"] == -4.5
    assert data["phases"][1]["test"]["by_type"] == {"opened": -1.5, "closed": -2.25}
    assert data["scores"]["scores"]["best"]["ranking"]["top"]["1"] == pytest.approx(
        2 / 3
    )
    assert data["reworded"] is None
    assert len(data["acting"]) == 2


def test_phases_without_likelihoods_are_plain_data_too() -> None:
    (first, *_) = door_report().phases
    data = replace(first, data=None, test=None).to_json()
    assert data["data"] is data["test"] is None
