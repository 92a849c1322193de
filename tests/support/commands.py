"""Commands run in this process, with a proposer of the tests' own."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from cwm import opening, synthesize
from cwm.core.dataset_file import save_dataset
from tests.support.corridor import WalkingProposer, corridor_dataset


class Commands:
    """Runs commands in a folder that holds `corridor.npz`.

    Attributes:
        folder: Where.
        proposer: Who writes the programs of every run.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.proposer = WalkingProposer()
        monkeypatch.chdir(folder)
        monkeypatch.setattr(opening, "make_proposer", lambda config: self.proposer)
        save_dataset(corridor_dataset(), folder / "corridor.npz")

    def synthesize(self, *words: str, code: int = 0) -> dict[str, Any]:
        """Runs `cwm.synthesize --json` and returns its result, `{}` if none."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            got = synthesize.main(["--quiet", "--json", *words])
        assert got == code, err.getvalue()
        data: dict[str, Any] = json.loads(out.getvalue()) if out.getvalue() else {}
        return data
