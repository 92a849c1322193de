import json
from pathlib import Path

import pytest

from benchmarks.data_coverage import ENVS, BenchmarkConfig, main, table

ROOT = Path(__file__).parents[3]


def test_each_line_says_on_which_commit_and_machine_it_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "data_coverage.jsonl"
    main(BenchmarkConfig(envs=("CliffWalking-v1",), num_seeds=1, output=str(output)))
    (line,) = map(json.loads, output.read_text().splitlines())
    assert line["env"] == "CliffWalking-v1"
    assert {"commit", "dirty", "platform", "num_cpus", "packages"} <= set(
        line["machine"]
    )
    assert "CliffWalking-v1" in capsys.readouterr().out


def test_the_table_of_the_page_comes_from_the_results_file() -> None:
    page = (ROOT / "docs" / "data.md").read_text()
    shown = table(Path(BenchmarkConfig().output), ENVS)
    for line in shown.splitlines():
        assert line in page
