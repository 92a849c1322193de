import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cwm.core.journal import read_journal
from tests.support.search_runs import Run, run_search

CALL_BUDGET = 10


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that nothing interrupts."""
    path = tmp_path_factory.mktemp("whole") / "journal.jsonl"
    return run_search(path, call_budget=CALL_BUDGET)


def check_resumed(path: Path, whole: Run) -> None:
    """The rest of the run: same tree, same journal, nothing paid for twice."""
    paid = {
        record.body["call"]
        for record in read_journal(path).records
        if record.kind == "completion"
    }
    resumed = run_search(path, call_budget=CALL_BUDGET)
    assert resumed.tree == whole.tree
    assert resumed.records == whole.records
    assert resumed.result.best == whole.result.best
    assert resumed.result.usage.prompt_tokens == whole.result.usage.prompt_tokens
    asked = {request.call_index for request in resumed.proposer.requests}
    assert not paid & asked


def test_a_run_cut_after_any_record_ends_in_the_same_tree(
    tmp_path: Path, whole: Run
) -> None:
    lines = whole.path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 2 + 4 * CALL_BUDGET
    for number in range(len(lines) + 1):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(b"".join(lines[:number]))
        check_resumed(path, whole)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_run_cut_at_any_byte_ends_in_the_same_tree(
    tmp_path_factory: pytest.TempPathFactory, whole: Run, data: st.DataObject
) -> None:
    content = whole.path.read_bytes()
    length = data.draw(st.integers(0, len(content)))
    path = tmp_path_factory.mktemp("cut") / "journal.jsonl"
    path.write_bytes(content[:length])
    check_resumed(path, whole)


KILLED_RUNS = """
import os, signal, sys
from pathlib import Path
from cwm.core.journal import Journal
from tests.support.search_runs import run_search

folder, call_budget = Path(sys.argv[1]), int(sys.argv[2])

def journal_that_dies(number, share):
    class DyingJournal(Journal):
        def _write(self, line, *, sync=True):
            # The header is written before there is a last record.
            if not hasattr(self, "last"):
                position = -1
            else:
                position = 0 if self.last is None else self.last.index
            if position == number:
                os.write(self._file.fileno(), line[: int(share * len(line))])
                os.kill(os.getpid(), signal.SIGKILL)
            super()._write(line, sync=sync)
    return DyingJournal

for number in map(int, sys.argv[3].split()):
    for share in map(float, sys.argv[4].split()):
        child = os.fork()
        if child == 0:
            run_search(
                folder / f"{number}-{share}.jsonl",
                call_budget=call_budget,
                journal_class=journal_that_dies(number, share),
            )
            os._exit(0)
        print(os.waitpid(child, 0)[1])
"""


def check_killed(
    folder: Path, whole: Run, *, numbers: list[int], shares: list[float]
) -> None:
    """Kills real processes after a share of a record's bytes, and resumes them."""
    words = [" ".join(map(str, some)) for some in (numbers, shares)]
    done = subprocess.run(
        [sys.executable, "-c", KILLED_RUNS, str(folder), str(CALL_BUDGET), *words],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    num_runs = len(numbers) * len(shares)
    assert done.stdout.split() == [str(int(signal.SIGKILL))] * num_runs
    for path in sorted(folder.iterdir()):
        check_resumed(path, whole)


def test_a_run_killed_inside_a_write_ends_in_the_same_tree(
    tmp_path: Path, whole: Run
) -> None:
    # The header, the four records of a call, and one far on.
    check_killed(tmp_path, whole, numbers=[-1, 8, 9, 10, 11, 30], shares=[0.5])


@pytest.mark.slow
def test_a_run_killed_at_any_record_ends_in_the_same_tree(
    tmp_path: Path, whole: Run
) -> None:
    numbers = list(range(-1, len(whole.records)))
    check_killed(tmp_path, whole, numbers=numbers, shares=[0.0, 0.5, 1.0])
