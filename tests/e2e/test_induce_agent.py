"""An agent of `cwm.ppo` as experimenter of `cwm.induce`, from the command line."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cwm.core.journal import comparable, read_journal
from cwm.induce import main
from cwm.ppo.command import main as ppo

pytestmark = [pytest.mark.babyai, pytest.mark.local]

TINY = (
    *("--env", "BabyAI-GoToRedBallNoDists-v0", "--ppo.num-envs", "4"),
    *("--ppo.rollout-steps", "8", "--ppo.num-epochs", "1", "--num-frames", "32"),
    *("--network.head-width", "16"),
)
SCRATCH = (
    *("--network.scratch.layers", "1", "--network.scratch.width", "16"),
    *("--network.scratch.heads", "2", "--network.window", "2"),
)
SHORT = (
    *("--phases", "2", "--iterations", "2", "--trajectories", "2", "--subset", "2"),
    *("--evaluate", "likelihood"),
)


def trained(out: Path, *words: str) -> Path:
    assert ppo(["train", "--quiet", *TINY, *words, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that has learned next to nothing."""
    return trained(tmp_path_factory.mktemp("runs") / "agent", *SCRATCH)


def induced(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code = main(["--json", "--quiet", *words])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    found: dict[str, Any] = json.loads(shown.out)
    return {k: v for k, v in found.items() if k not in ("seconds", "made_with")}


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["--quiet", *SHORT, *words]) in (1, 2)
    return " ".join(capsys.readouterr().err.split())


def test_a_trained_agent_collects_and_a_run_that_was_cut_short_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], agent: Path
) -> None:
    capsys.readouterr()
    out = tmp_path / "run"
    words = (*SHORT, "--experimenter", "agent", "--agent", str(agent))
    whole = induced(capsys, *words, "--out", str(out))
    assert whole["experimenter"] == "agent (scratch, 32 frames)"
    assert whole["stand_ins"] == ["statistician", "scientist"]
    assert sum(whole["counts"].values()) == 3 * 2 * 30
    assert whole["scores"]["difference_to_no_hypothesis"]["best"]["low"] > 0
    kept = tmp_path / "kept"
    shutil.copytree(out, kept)
    # As if the power had failed in the second phase.
    (out / "result.json").unlink()
    (out / "trajectories" / "0002.json.gz").unlink()
    lines = (out / "journal.jsonl").read_text().splitlines(keepends=True)
    (phase,) = [i for i, line in enumerate(lines) if '"digest"' in line][2:]
    (out / "journal.jsonl").write_text("".join(lines[:phase]))
    assert induced(capsys, "--resume", str(out)) == whole
    for name in ("0001", "0002"):
        path = f"trajectories/{name}.json.gz"
        assert (out / path).read_bytes() == (kept / path).read_bytes()
    one, other = (read_journal(run / "journal.jsonl").records for run in (out, kept))
    assert comparable(one) == comparable(other)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--policy", "symbolic"), "got symbolic, which chooses among the actions"),
        ((*SCRATCH, "--network.head", "actions"), "got scratch with head actions"),
    ],
)
def test_an_agent_that_cannot_name_other_actions_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    expected: str,
) -> None:
    run = trained(tmp_path / "agent", *words)
    asked = ("--experimenter", "agent", "--agent", str(run))
    assert expected in refused(capsys, *asked, "--out", str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_what_is_no_run_or_has_learned_nothing_yet_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], agent: Path
) -> None:
    out = ("--out", str(tmp_path / "run"))
    asked = ("--experimenter", "agent", *out)
    assert "agent needs agent: name a run" in refused(capsys, *asked)
    no_run = refused(capsys, *asked, "--agent", str(tmp_path))
    assert "must be the folder of a run of cwm.ppo train" in no_run
    begun = tmp_path / "begun"
    begun.mkdir()
    shutil.copy(agent / "config.json", begun)
    assert "has no checkpoint yet" in refused(capsys, *asked, "--agent", str(begun))
    asked = (*out, "--agent", str(agent))
    assert "agent is for experimenter agent" in refused(capsys, *asked)
    assert not (tmp_path / "run").exists()
