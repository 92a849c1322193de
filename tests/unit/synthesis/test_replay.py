import json
from dataclasses import replace

import pytest

from cwm.core.errors import DataError
from cwm.core.journal import Record, read_journal
from cwm.synthesis.records import read_run
from cwm.synthesis.replay import replay
from tests.support.search_runs import Run, new_search, run_search


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_search(tmp_path_factory.mktemp("run") / "journal.jsonl", call_budget=8)


@pytest.fixture
def records(run: Run) -> list[Record]:
    return list(read_journal(run.path).records)


def changed(records: list[Record], kind: str, **body: object) -> list[Record]:
    """Returns the records with the last one of a kind changed."""
    position = max(i for i, r in enumerate(records) if r.kind == kind)
    record = records[position]
    replaced = replace(record, body={**record.body, **body})
    return [*records[:position], replaced, *records[position + 1 :]]


def test_a_journal_alone_leads_to_the_tree(run: Run, records: list[Record]) -> None:
    search = new_search()
    result = replay(search, records)
    assert json.dumps(search.tree.to_json(), sort_keys=True) == run.tree
    assert (result.num_calls, result.num_unfinished) == (8, 0)
    assert len(result.lines) == 8
    assert search.best == run.result.best


def test_a_call_without_an_evaluation_is_left_out(records: list[Record]) -> None:
    result = replay(new_search(), records[:-4])
    assert (result.num_calls, result.num_unfinished) == (7, 1)


def test_another_seed_does_not_lead_there(records: list[Record]) -> None:
    with pytest.raises(DataError, match="Call 0 asks for something else"):
        replay(new_search(seed=99), records)


def test_another_tree_is_noticed(records: list[Record]) -> None:
    wrong = changed(records, "tree_update", search="0" * 64)
    with pytest.raises(DataError, match="tree after call 7 is not the one recorded"):
        replay(new_search(), wrong)


def test_another_answer_is_noticed(records: list[Record]) -> None:
    first = [r for r in records if r.body.get("call") == 0]
    others = [r for r in records if r.body.get("call") != 0]
    wrong = [*changed(first, "evaluation", source="something else"), *others]
    with pytest.raises(DataError, match="tree after call 0 is not the one recorded"):
        replay(new_search(), wrong)


def test_records_out_of_order_are_named(records: list[Record]) -> None:
    calls = [r for r in records if r.kind != "run_finished"]
    with pytest.raises(DataError, match=r"record \d+ \(completion of call 0\)"):
        read_run([calls[1], *calls[2:]])


def test_a_call_that_is_missing_is_noticed(records: list[Record]) -> None:
    with pytest.raises(DataError, match=r"\(call_started of call 1\) is out of order"):
        read_run([r for r in records if r.body.get("call") != 0])
