"""Hypothesis induction with a real, if tiny, language model of random weights."""

import json
from pathlib import Path
from typing import Any

import pytest

from cwm.induce import main

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model's folder, as an option says it."""
    from tests.support.tiny_language_model import tiny_model  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("model")
    loaded = tiny_model(max_position_embeddings=8192)
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return f"hf:{folder}"


SHORT = (
    *("--phases", "1", "--iterations", "2", "--trajectories", "2", "--subset", "2"),
    *("--trajectory-steps", "4", "--max-tokens", "8", "--evaluate", "likelihood"),
)


def induced(
    capsys: pytest.CaptureFixture[str], *words: str, code: int = 0
) -> dict[str, Any]:
    found = main(["--json", "--quiet", *words])
    shown = capsys.readouterr()
    assert found == code, shown.err
    return json.loads(shown.out or "{}")


@pytest.mark.parametrize("method", ["metropolis-hastings", "importance"])
def test_one_model_takes_all_roles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str, method: str
) -> None:
    result = induced(
        capsys,
        *(*SHORT, "--llm", model, "--experimenter", "llm", "--method", method),
        *("--out", str(tmp_path / "run")),
    )
    assert result["stand_ins"] == []
    assert result["statistician"].startswith("hf:")
    assert len(result["phases"]) == 2
    (step,) = [p for p in result["phases"] if p["phase"] == 1]
    assert step["num_proposed"] == 2


def test_the_model_acts_for_goals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    result = induced(
        capsys,
        *("--llm", model, "--phases", "0", "--first", "Water helps."),
        *("--trajectories", "1", "--subset", "1", "--evaluate", "none"),
        *("--act-episodes", "1"),
        *("--out", str(tmp_path / "run")),
    )
    policies = {(row["policy"], row["hypothesis"]) for row in result["acting"]}
    assert len(policies) == 4
    assert len(result["acting"]) == 4 * 4


def test_the_model_is_fine_tuned_on_what_was_collected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    out = tmp_path / "run"
    run = induced(capsys, *SHORT, "--llm", model, "--out", str(out))
    words = ("--finetune", str(out), "--evaluate", "likelihood")
    words += ("--finetuning.max-transitions", "24", "--finetuning.batch-size", "8")
    words += ("--finetuning.learning-rate", "0.01", "--finetuning.num-epochs", "3")
    tuned = induced(capsys, *words)
    name = tuned["name"]
    assert "fine-tuned on 24 transitions" in name
    assert len(tuned["losses"]) == 9
    rows = tuned["scores"]["scores"]
    assert set(rows) == {*run["scores"]["scores"], name}
    none = rows["no hypothesis"]["likelihood"]["total"]
    assert rows[name]["likelihood"]["total"] > none
    # The second time, nothing is trained, and the same is said.
    again = induced(capsys, *words)
    assert again["scores"] == tuned["scores"]
    other = ("--finetune", str(out), "--finetuning.rank", "2")
    induced(capsys, *other, code=2)


def test_only_models_of_this_machine_are_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    induced(capsys, "--phases", "0", "--evaluate", "none", "--out", str(out))
    assert main(["--quiet", "--finetune", str(out)]) == 2
    assert "nothing else can be trained" in capsys.readouterr().err.replace("\n", " ")
    assert main(["--quiet", "--finetune", str(out), "--phases", "3"]) == 2
    assert "no other setting may be given" in capsys.readouterr().err
