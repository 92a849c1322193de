"""GIF-MCTS builds the trees that were checked by hand, and no others."""

import json

import pytest

from tests.golden.gif_scripts import FOLDER, SCRIPTS, play


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripted_results_build_the_golden_tree(name: str) -> None:
    golden = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert play(golden_script(golden)) == golden


def test_every_golden_tree_has_its_script() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(SCRIPTS)


def golden_script(golden: dict[str, object]) -> dict[str, object]:
    return {name: golden[name] for name in ("config", "seed", "results")}
