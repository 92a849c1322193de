"""One browser and one of each run for all tests of pages."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cwm.pages.command import main as write_report
from tests.support.browsing import Visit, open_browser
from tests.support.report_runs import induced_run, scripted_run

Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; while it is open, this thread has an event loop that runs."""
    with open_browser() as found:
        yield found


@pytest.fixture
def visit(browser: Any) -> Iterator[Open]:
    """Opens pages; at the end of the test none of them may have complained."""
    visits: list[Visit] = []

    def open_page(address: str | Path, **context: Any) -> Visit:
        visits.append(Visit(browser, address, **context))
        return visits[-1]

    yield open_page
    for one in visits:
        one.close()
    assert [error for one in visits for error in one.errors] == []


@pytest.fixture(scope="session")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with a scripted language model, with its page."""
    path = scripted_run(tmp_path_factory.mktemp("scripted"))
    assert write_report([str(path)]) == 0
    return path


@pytest.fixture(scope="session")
def induced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of symbolic induction, with its page."""
    path = induced_run(tmp_path_factory.mktemp("induced"))
    assert write_report([str(path)]) == 0
    return path


@pytest.fixture
def page(scripted: Path, visit: Open) -> Visit:
    """The page of the scripted run."""
    return visit(scripted / "report.html")
