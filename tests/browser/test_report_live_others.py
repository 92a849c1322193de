"""Pages of other kinds of runs, while those go on."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cwm.pages.kinds import make_reader
from cwm.pages.serving import LiveData, LiveServer
from tests.support.browsing import Visit
from tests.support.induced_runs import rules_run

pytestmark = pytest.mark.browser

Open = Callable[..., Visit]


@contextmanager
def served(run: Path) -> Iterator[str]:
    """Serves the live page of a run."""
    with LiveServer(LiveData([make_reader(run, name="growing")]), 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.address
        finally:
            server.shutdown()
            thread.join()


def test_a_page_shows_proposals_as_they_come(tmp_path: Path, visit: Open) -> None:
    run = rules_run(tmp_path)
    journal, result = run / "journal.jsonl", run / "result.json"
    lines = journal.read_bytes().splitlines(keepends=True)
    shutil.move(result, tmp_path / "result.json")
    proposed = [i for i, line in enumerate(lines) if b'"kind":"proposed"' in line]
    # Up to where the third is weighed, and half of a line.
    journal.write_bytes(b"".join(lines[: proposed[2] + 2]) + lines[proposed[3]][:50])
    with served(run) as address:
        found = visit(address)
        assert found.page.locator("[role=option]").count() == 3
        assert "not ended" in found.text("#verdict dl")
        assert "is the best so far" in found.text("#verdict .lead")
        found.page.locator("#item-2").click()
        found.page.locator("#tab-why").click()
        journal.write_bytes(b"".join(lines))
        shutil.move(tmp_path / "result.json", result)
        found.until("document.getElementById('live').textContent.includes('has ended')")
        # What was chosen and what is open stay so.
        assert found.text("#node-title").startswith("Hypothesis 2")
        shown = found.page.locator("#tab-why").get_attribute("aria-selected")
        assert shown == "true"
        assert found.page.locator("[role=option]").count() == 5
        assert "makes a test transition" in found.text("#verdict .lead")
