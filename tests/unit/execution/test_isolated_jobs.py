import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cwm.execution.isolated_jobs import Isolated
from tests.support.isolated import work
from tests.support.processes import descendants, is_alive


def runner(folder: Path, **settings: object) -> Isolated[str, str]:
    return Isolated(
        function=work,
        num_workers=2,
        messages=lambda job: folder / job / "messages.txt",
        **settings,  # type: ignore[arg-type]
    )


def test_each_way_to_fail_is_one_failed_job(tmp_path: Path) -> None:
    jobs = ["fine", "refuses", "raises", "killed", "crashes", "leaves", "last"]
    notes: list[tuple[str, str]] = []
    crew = runner(tmp_path, on_note=lambda job, text: notes.append((job, text)))
    ended = {one.job: one for one in crew.run(jobs)}
    assert {job: one.result for job, one in ended.items() if not one.failure} == {
        "fine": "FINE",
        "last": "LAST",
    }
    failures = {job: one.failure for job, one in ended.items() if one.failure}
    assert failures == {
        "refuses": "seed must be at least 0, got -1.",
        "raises": "A bug of ours: ZeroDivisionError: division by zero (messages.txt)",
        "killed": "Its process was ended by SIGKILL (short of memory?).",
        "crashes": "Its process was ended by SIGSEGV.",
        "leaves": "Its process ended with exit code 7 and without a word.",
    }
    assert ("fine", "begins fine") in notes
    assert (tmp_path / "fine" / "messages.txt").read_text() == "fine speaks\n"
    assert "Traceback" in (tmp_path / "raises" / "messages.txt").read_text()
    assert "Segmentation" in (tmp_path / "crashes" / "messages.txt").read_text()


def test_a_job_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    crew = runner(tmp_path, max_seconds=4.0)
    ended = {one.job: one.failure for one in crew.run(["hangs", "fine"])}
    assert ended["fine"] == ""
    assert ended["hangs"] == "It was ended after 4 s, as long as it may take."
    assert not multiprocessing.active_children()


def test_who_stops_listening_ends_what_runs(tmp_path: Path) -> None:
    crew = runner(tmp_path)
    ended = crew.run(["fine", "hangs"])
    assert next(ended).job == "fine"
    start = time.perf_counter()
    ended.close()
    assert time.perf_counter() - start < 9.0
    assert not multiprocessing.active_children()


def test_there_must_be_a_worker(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="num_workers must be at least 1, got 0"):
        Isolated(function=work, num_workers=0, messages=lambda job: tmp_path / job)


MAIN = """
import sys
from pathlib import Path
from tests.support.isolated import work
from cwm.execution.isolated_jobs import Isolated

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    crew = Isolated(
        function=work,
        num_workers=2,
        messages=lambda job: folder / job / "messages.txt",
        on_note=lambda job, text: print(text, flush=True),
    )
    list(crew.run(["hangs"]))
"""


def test_jobs_die_with_who_started_them(tmp_path: Path) -> None:
    main = tmp_path / "main.py"
    main.write_text(MAIN)
    process = subprocess.Popen(
        [sys.executable, str(main), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begins hangs\n"
    jobs = descendants(process.pid)
    assert jobs
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    deadline = time.perf_counter() + 20
    while any(map(is_alive, jobs)):
        assert time.perf_counter() < deadline
        time.sleep(0.05)
