"""Small runs of `cwm.knowledge`, with models from nothing."""

from pathlib import Path

from cwm.knowledge.command import main

SMALL = (
    *("--env", "tests.support.tidy:Tidy-v0", "--prompts", "household"),
    *("--train-games", "3", "--test-games", "2", "--max-steps", "5", "--quiet"),
    *("--scratch.layers", "1", "--scratch.width", "32", "--scratch.heads", "2"),
    *("--scratch.num-epochs", "1", "--scratch.vocabulary-size", "400"),
)


def knowledge_run(path: Path, *rows: str) -> Path:
    """Makes a run with some players and returns its folder."""
    words = [word for name in rows for word in ("--rows", name)]
    assert main(["all", *SMALL, *words, "--out", str(path)]) == 0
    return path
