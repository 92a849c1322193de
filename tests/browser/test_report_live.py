import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cwm.pages.runs import RunReader
from cwm.pages.serving import LiveData, LiveServer
from tests.support.browsing import Visit

pytestmark = pytest.mark.browser

Open = Callable[..., Visit]


class GrowingRun:
    """A copy of a run that is still at its beginning.

    Attributes:
        path: Its folder.
        lines: All lines of its journal.
    """

    def __init__(self, finished: Path, path: Path) -> None:
        self.path = Path(shutil.copytree(finished, path))
        self._result = (path / "result.json").read_bytes()
        for name in ("result.json", "tree.json", "tree.graphml", "report.html"):
            (path / name).unlink()
        self.lines = (path / "journal.jsonl").read_bytes().splitlines(keepends=True)

    def write(self, num_calls: int, *, torn: int = 0) -> None:
        """Writes the journal up to some calls, and `torn` bytes of the next line."""
        # The header, what began the run, and four records for each call.
        end = 2 + 4 * num_calls
        text = b"".join(self.lines[:end]) + [*self.lines, b""][end][:torn]
        (self.path / "journal.jsonl").write_bytes(text)

    def finish(self) -> None:
        """Writes what the end of the search leaves."""
        (self.path / "journal.jsonl").write_bytes(b"".join(self.lines))
        (self.path / "result.json").write_bytes(self._result)


@pytest.fixture
def growing(scripted: Path, tmp_path: Path) -> GrowingRun:
    run = GrowingRun(scripted, tmp_path / "growing")
    run.write(3, torn=40)
    return run


@pytest.fixture
def address(growing: GrowingRun) -> Iterator[str]:
    reader = RunReader(path=growing.path, name="growing", runs_program=False)
    with LiveServer(LiveData([reader]), 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server.address
        server.shutdown()
        thread.join()


def test_a_page_shows_the_nodes_as_they_come(
    growing: GrowingRun, address: str, visit: Open
) -> None:
    found = visit(address)
    items = found.page.locator("[role=treeitem]")
    assert items.count() == 3
    assert "not ended" in found.text("#verdict")
    found.page.locator("#item-2").click()
    found.page.locator("#tab-answer").click()
    growing.write(6, torn=100)
    found.until("document.querySelectorAll('[role=treeitem]').length === 6")
    # What was chosen and what is open stay so.
    assert found.text("#node-title") == "Node 2"
    assert found.page.locator("#tab-answer").get_attribute("aria-selected") == "true"
    growing.finish()
    found.until("document.getElementById('live').textContent.includes('has ended')")
    assert items.count() == 10
    assert "Node 10 gets 1.0000" in found.text("#verdict")


def test_calls_on_their_way_are_in_the_tree(
    growing: GrowingRun, address: str, visit: Open
) -> None:
    path = growing.path / "journal.jsonl"
    path.write_bytes(b"".join(growing.lines[: 2 + 4 * 3 + 1]))
    found = visit(address)
    assert found.page.locator("#tree .pending").count() == 1
    assert "1 call on the way" in found.text("#verdict")


def test_a_run_without_any_call_says_so(
    growing: GrowingRun, address: str, visit: Open
) -> None:
    growing.write(0)
    found = visit(address)
    assert "No call has been answered yet." in found.text("#verdict")
    growing.write(1)
    found.until("document.querySelectorAll('[role=treeitem]').length === 1")


def test_a_page_whose_server_has_gone_says_so(growing: GrowingRun, visit: Open) -> None:
    reader = RunReader(path=growing.path, name="growing", runs_program=False)
    with LiveServer(LiveData([reader]), 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        found = visit(server.address)
        server.shutdown()
        thread.join()
    found.until("document.getElementById('live').textContent.startsWith('Not live')")
    assert all("ERR_CONNECTION_REFUSED" in error for error in found.errors)
    found.errors.clear()
