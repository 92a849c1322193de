"""What a node must be like, asked of this machine."""

from pathlib import Path

import pytest

from cwm.execution.ray.nodes import NodeReport, NodeRules, examine
from sandbox.pool import Sandbox


@pytest.fixture(scope="module")
def level() -> str:
    with Sandbox(drivers=(), require="none") as sandbox:
        return sandbox.isolation.level


def test_a_machine_that_has_all_is_taken_with_its_level(
    tmp_path: Path, level: str
) -> None:
    (tmp_path / "probe").write_text("word")
    rules = NodeRules(require="none", shared=((str(tmp_path / "probe"), "word"),))

    assert examine(rules) == (level, "")


@pytest.mark.parametrize("content", ["another word", None])
def test_a_folder_of_the_same_name_is_not_the_same_folder(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "probe").write_text(content)
    rules = NodeRules(require="none", shared=((str(tmp_path / "probe"), "word"),))

    _, refusal = examine(rules)

    assert refusal == f"{str(tmp_path)!r} is not the same folder there"


def test_a_report_says_in_a_line_whether_a_node_is_used() -> None:
    report = NodeReport(node="ab12", num_slots=4, level="partial")
    assert report.line() == "node ab12: 4 slots, isolation partial, used"
    refused = NodeReport(node="ab12", num_slots=4, refusal="it is too old")
    assert refused.line() == "node ab12: 4 slots, not used: it is too old"
