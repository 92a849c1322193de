"""The whole search with a real model on this machine: a test of the path, no more.

The model has 135 million parameters and is far too small for the task. What must
hold: the run ends, says honestly what it reached, and can be replayed.
"""

import json
from pathlib import Path

import pytest

from cwm import replay, synthesize
from cwm.core.dataset_file import save_dataset
from cwm.core.journal import read_journal
from tests.support import smollm2
from tests.support.corridor import corridor_dataset

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("gguf")
pytestmark = [pytest.mark.local, pytest.mark.slow]


def test_a_small_local_model_runs_the_whole_search(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = smollm2.gguf_file()
    monkeypatch.chdir(tmp_path)
    save_dataset(corridor_dataset(), tmp_path / "corridor.npz")
    words = ["--data", "corridor.npz", "--llm", f"gguf:{model}", "--out", "run"]
    short = ["--call-budget", "2", "--sampling.max-tokens", "60"]
    small = ["--prompts.num-examples", "2", "--local.num-threads", "1"]
    code = synthesize.main([*words, *short, *small, "--quiet", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["num_calls"] == 2
    assert result["usage"]["prompt_tokens"] > 300
    assert 0 < result["usage"]["completion_tokens"] <= 120
    assert result["usage"]["usd"] == 0.0
    # Whatever it wrote, the report is of that and of nothing else.
    assert code == (0 if result["best"] else 3)
    records = read_journal(Path("run/journal.jsonl")).records
    texts = [r.body["text"] for r in records if r.kind == "completion"]
    assert len(texts) == 2
    assert all(texts)
    assert replay.main(["run", "--quiet"]) == 0
