from pathlib import Path

from cwm.pages.runs import distinct_names
from cwm.pages.settings import differing, flat_settings


def test_nested_settings_have_their_full_names() -> None:
    settings = {"seed": 1, "tree": {"mcts": {"exploration": 0.5}, "kinds": ["fix"]}}
    assert flat_settings(settings) == {
        "seed": 1,
        "tree.mcts.exploration": 0.5,
        "tree.kinds": ["fix"],
    }
    assert flat_settings({"limits": {}}) == {"limits": {}}


def test_only_settings_that_differ_are_told() -> None:
    runs = [{"a": 1, "b": 2}, {"a": 1, "b": 3, "c": None}, {"a": 1, "b": 2, "c": 4}]
    assert differing(runs) == {"b": [2, 3, 2], "c": [None, None, 4]}
    assert differing([{"a": 1}]) == {}


def test_runs_are_called_by_what_tells_them_apart() -> None:
    paths = [Path("/x/a/run"), Path("/x/b/run")]
    assert distinct_names(paths) == ["a/run", "b/run"]
    assert distinct_names([Path("/x/a"), Path("/x/b")]) == ["a", "b"]
