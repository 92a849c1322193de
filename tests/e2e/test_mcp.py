"""`python -m cwm.mcp` and a real client of the protocol, over pipes and HTTP."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from cwm.core.dataset_file import save_dataset
from cwm.mcp.command import main as serve
from envs.collect import CollectConfig, collect
from envs.registry import find
from tests.support.corridor import EXACT as CORRIDOR
from tests.support.run_folders import synthesize_run
from tests.support.toy_envs import toy

pytestmark = [pytest.mark.mcp, pytest.mark.slow]

ROOT = Path(__file__).parents[2]

EXACT = """\
class Environment:
    def set_state(self, observation):
        self.place = observation

    def step(self, action):
        self.place = min(max(self.place + 2 * action - 1, 0), 5)
        return self.place, float(self.place), self.place == 5
"""

Work = Callable[[Any], Awaitable[None]]


def with_client(words: list[str], work: Work) -> None:
    """Starts a server with the words of a command line, and works with a client."""
    import anyio  # noqa: PLC0415 - it comes with the extra
    from mcp import Client, StdioServerParameters  # noqa: PLC0415
    from mcp.client.stdio import stdio_client  # noqa: PLC0415

    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "cwm.mcp", *words],
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        cwd=str(ROOT),
    )

    async def main() -> None:
        async with Client(stdio_client(server)) as client:
            await work(client)

    anyio.run(main)


async def answer(client: Any, tool: str, **arguments: Any) -> dict[str, Any]:
    found = await client.call_tool(tool, arguments)
    assert not found.is_error, found.content[0].text
    assert found.content[0].text
    structured: dict[str, Any] = found.structured_content
    return structured


async def refusal(client: Any, tool: str, **arguments: Any) -> str:
    found = await client.call_tool(tool, arguments)
    assert found.is_error
    text: str = found.content[0].text
    return text


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Transitions of an environment that the server can make itself."""
    config = CollectConfig(
        num_trajectories=4, min_transitions=20, max_transitions=200, planning_steps=0
    )
    path = tmp_path_factory.mktemp("line") / "line.npz"
    save_dataset(collect(find(toy("Line")), config), path)
    return path


def test_a_client_finds_verifies_plans_and_ends(line: Path, tmp_path: Path) -> None:
    out = tmp_path / "work"

    async def work(client: Any) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {
            *("describe", "verify", "counterexamples", "plan"),
            *("synthesize_status", "finish"),
        }
        for tool in tools.values():
            assert tool.description
            assert tool.output_schema["type"] == "object"
            # No tool takes a path.
            assert set(tool.input_schema["properties"]) <= {
                *("source", "limit", "episodes", "max_steps", "planner"),
            }
        task = await answer(client, "describe")
        assert task["can_plan"]
        assert "class Environment" in task["task"]
        wrong = EXACT.replace("self.place == 5", "False")
        assert (await answer(client, "verify", source=wrong))["train_strict"] < 1.0
        shown = await answer(client, "counterexamples", source=wrong, limit=1)
        assert "terminated: WRONG" in shown["shown"]
        found = await answer(client, "verify", source=EXACT)
        assert (found["is_perfect"], found["is_best"]) == (True, True)
        acted = await answer(
            client, "plan", source=EXACT, episodes=2, max_steps=10, planner="beam"
        )
        # From 2, and back and forth before the end: 3 + 4 + 3 + 4 + ...
        assert acted["returns"] == [35.0, 35.0]
        assert acted["num_wrong"] == 0
        assert acted["real_steps_left"] == 20_000 - 20
        ended = await answer(client, "finish", source=EXACT)
        assert ended["held_out_strict"] == 1.0
        assert "finish was called" in await refusal(client, "verify", source=EXACT)

    with_client(
        ["--data", str(line), "--out", str(out), "--isolation", "process"], work
    )
    assert (out / "best.py").read_text() == EXACT
    tools = [
        json.loads(li)["tool"] for li in (out / "log.jsonl").read_text().splitlines()
    ]
    assert tools == ["verify", "counterexamples", "verify", "plan", "finish"]
    kept = {".lock", "best.py", "dataset.npz", "log.jsonl"}
    assert {path.name for path in out.iterdir()} == kept


def test_hostile_programs_and_limits_do_not_end_the_server(tmp_path: Path) -> None:
    run = synthesize_run(tmp_path / "run", is_finished=False)
    words = ["--isolation", "process", "--limits.wall-s", "2", "--max-calls", "6"]

    async def work(client: Any) -> None:
        assert "max_source_kib" in await refusal(
            client, "verify", source="#" * 10_000_000
        )
        told = await refusal(client, "verify")
        assert told.endswith("verify: source must be given, got nothing.")
        told = await refusal(client, "plan", source="", episodes="x", planner="best")
        assert "episodes must be a whole number, got 'x'. planner must be " in told
        assert "pydantic" not in told
        assert "cannot be made here" in await refusal(client, "plan", source=CORRIDOR)
        for source, outcome in (
            ("while True:\n    pass\n", "timed_out"),
            ("import os\n" + CORRIDOR, "rejected"),
            (CORRIDOR + "\nprint(open('/etc/passwd').read())\n", "rejected"),
            (CORRIDOR.replace("self.cell = 0", "raise SystemExit"), "raised"),
        ):
            found = await answer(client, "verify", source=source)
            assert found["is_bug"]
            assert found["outcome"] == outcome
        status = await answer(client, "synthesize_status")
        assert (status["state"], status["num_calls"]) == ("interrupted", 1)
        assert status["num_tried"] == 4
        assert (await answer(client, "verify", source=CORRIDOR))["is_perfect"]
        await answer(client, "counterexamples", source=CORRIDOR)
        assert "All 6 calls are used" in await refusal(
            client, "verify", source=CORRIDOR
        )

    with_client([str(run), *words], work)
    assert (run / "mcp" / "best.py").read_text() == CORRIDOR


def test_two_calls_at_a_time_are_answered_each(tmp_path: Path) -> None:
    run = synthesize_run(tmp_path / "run")
    wrong = CORRIDOR.replace("float(at_goal)", "0.0")

    async def work(client: Any) -> None:
        import anyio  # noqa: PLC0415

        found: dict[str, Any] = {}

        async def ask(name: str, source: str) -> None:
            found[name] = await answer(client, "verify", source=source)

        async with anyio.create_task_group() as group:
            group.start_soon(ask, "right", CORRIDOR)
            group.start_soon(ask, "wrong", wrong)
        assert found["right"]["is_perfect"]
        assert found["wrong"]["train_parts"]["reward"] == pytest.approx(10 / 11)

    with_client([str(run), "--isolation", "process"], work)


def test_planning_that_takes_too_long_is_ended(line: Path, tmp_path: Path) -> None:
    out = tmp_path / "work"
    words = ["--data", str(line), "--out", str(out), "--plan-seconds", "0.1"]

    async def work(client: Any) -> None:
        told = await refusal(client, "plan", source=EXACT)
        assert "ended after 0.1 s" in told
        # What was reserved for it is not given back: nobody knows what it used.
        assert (await answer(client, "synthesize_status"))["num_tried"] == 1

    with_client([*words, "--isolation", "process"], work)
    assert "ended after" in json.loads((out / "log.jsonl").read_text())["failure"]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def posted(port: int, **headers: str) -> int:
    """Returns the status of a request with these headers."""
    usual = {"Content-Type": "application/json", "Connection": "close"}
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("POST", "/mcp", body="{}", headers=usual | headers)
        with connection.getresponse() as response:
            response.read()
            return response.status


def test_over_http_a_client_of_this_machine_is_served(tmp_path: Path) -> None:
    import anyio  # noqa: PLC0415
    from mcp import Client  # noqa: PLC0415

    run, port = synthesize_run(tmp_path / "run"), free_port()
    words = [str(run), "--isolation", "process", "--http", str(port)]
    server = subprocess.Popen(
        [sys.executable, "-m", "cwm.mcp", *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )

    async def main() -> None:
        async with Client(f"http://127.0.0.1:{port}/mcp") as client:
            found = await answer(client, "verify", source=CORRIDOR)
            assert found["is_perfect"]

    try:
        assert server.stderr is not None
        for line in server.stderr:
            if "Uvicorn running on http://127.0.0.1" in line:
                break
        else:
            pytest.fail("the server ended before it listened")
        anyio.run(main)
        # A page in a browser must not reach it by a name that leads to this machine.
        for name, value in (("Host", "other.example"), ("Origin", "http://x.example")):
            assert posted(port, **{name: value}) in (403, 421)
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Exactly one of RUN and transitions .* must be given, got neither"),
        (["--data", "x.npz"], "out must be given with --env or --data"),
        (["nowhere"], "must be the folder of a run"),
        (["nowhere", "--http", "0"], "http must be a port"),
    ],
)
def test_wrong_command_lines_are_named(
    words: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert serve(words) == 2
    assert re.search(message, capfd.readouterr().err)


def test_a_run_in_which_nothing_can_be_written_is_not_served(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = synthesize_run(tmp_path / "run")
    (run / "mcp").touch()
    assert serve([str(run), "--isolation", "process"]) == 1
    assert "mcp/log.jsonl' must be writable, got " in capfd.readouterr().err
