"""Plays the scripts of the golden trees; run as a module, it rewrites the trees.

`python -m tests.golden.gif_scripts` after a change that is meant to change them;
read the difference before committing it.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from mcts.gif import GifConfig, GifMcts
from mcts.search import SearchExhausted

FOLDER = Path(__file__).parent / "gif"

SCRIPTS: dict[str, dict[str, Any]] = {
    "defaults": {
        "config": {},
        "seed": 0,
        "results": [[v, False, False] for v in (0.3, 0.5, 0.4, 0.7, 0.2, 0.7, 0.9)],
    },
    "bugs": {
        "config": {},
        "seed": 1,
        "results": [
            [0.0, True, False],
            [0.0, True, False],
            [0.6, False, False],
            [0.0, True, False],
            [0.0, True, False],
            [0.0, True, False],
            [0.0, True, False],
            [0.8, False, False],
            [0.0, True, False],
            [0.9, False, False],
        ],
    },
    "dead_ends": {
        "config": {"num_fixes": 1, "exploration": 1.0},
        "seed": 2,
        "results": [
            [1.0, False, True],
            [0.0, True, False],
            [0.0, True, False],
            [0.5, False, True],
            [0.4, False, False],
            [0.6, False, True],
        ],
    },
    "exhausted_without_widening": {
        "config": {"widening": False, "num_fixes": 1},
        "seed": 3,
        "results": [
            [0.5, False, False],
            [0.0, True, False],
            [0.0, True, False],
            [0.7, False, True],
            [0.1, False, False],
        ],
    },
}


def play(script: dict[str, Any]) -> dict[str, Any]:
    """Returns the script with what was asked, the tree, and what was learnt."""
    search = GifMcts(
        GifConfig(**script["config"]), np.random.default_rng(script["seed"])
    )
    asked: list[list[Any]] = []
    for value, is_bug, is_terminal in script["results"]:
        try:
            expansion = search.ask()
        except SearchExhausted:
            asked.append(["exhausted"])
            break
        assert expansion is not None, "nothing is outstanding"
        asked.append([expansion.parent_id, expansion.kind, expansion.attempt])
        search.tell(expansion, value=value, is_bug=is_bug, is_terminal=is_terminal)
    saved = search.to_json()
    tree = [
        {
            "parent": n["parent_id"],
            "kind": n["kind"],
            "visits": n["visit_count"],
            "value_sum": round(n["value_sum"], 12),
            "is_bug": n["is_bug"],
            "fixes_left": n["fixes_left"],
            "is_terminal": n["is_terminal"],
        }
        for n in saved["nodes"]
    ]
    return {
        **script,
        "all_settings": saved["config"],
        "asked": asked,
        "tree": tree,
        "learnt": {
            kind: {name: round(number, 12) for name, number in learnt.items()}
            for kind, learnt in saved["statistics"].items()
        },
    }


def write_all() -> None:
    """Rewrites the golden trees."""
    FOLDER.mkdir(exist_ok=True)
    for name, script in SCRIPTS.items():
        text = json.dumps(play(script), indent=1)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_all()
