"""What a node must be like to be used, and the report that says what it is like."""

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cwm import __version__
from sandbox.errors import SandboxUnavailable
from sandbox.isolation import LEVELS, IsolationReport, Level, shortfall
from sandbox.pool import Sandbox


@dataclass(frozen=True, kw_only=True)
class NodeRules:
    """What a node must have.

    Attributes:
        require: Weakest isolation of programs that is acceptable.
        capabilities: What programs may use besides NumPy.
        shared: Files that must be on it, with their content: those that this process
            has written into folders that all nodes are to share.
    """

    require: Level = "kernel"
    capabilities: tuple[str, ...] = ()
    shared: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class NodeReport:
    """What a node is like.

    Attributes:
        node: Its name in the cluster, shortened; no host name.
        num_slots: Workers that it may have, one for each processor.
        level: Isolation of programs; empty if it is not known.
        versions: Of what decides results.
        refusal: Why it is not used; empty if it is.
    """

    node: str
    num_slots: int
    level: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    refusal: str = ""

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data."""
        return asdict(self) | {"versions": dict(self.versions)}

    def line(self) -> str:
        """Returns the report for people, on one line."""
        use = f"not used: {self.refusal}" if self.refusal else "used"
        level = f"isolation {self.level}, " if self.level else ""
        return f"node {self.node}: {self.num_slots} slots, {level}{use}"


def own_versions() -> tuple[tuple[str, str], ...]:
    """Returns the versions that must be the same everywhere."""
    return (
        ("cwm", __version__),
        ("python", platform.python_version()),
        ("numpy", np.__version__),
    )


def examine(rules: NodeRules) -> tuple[str, str]:
    """Returns the isolation of this machine, and why it is not to be used.

    The isolation is what `python -m sandbox doctor` shows.
    """
    try:
        with Sandbox(
            drivers=(), require="none", capabilities=rules.capabilities
        ) as sandbox:
            report = sandbox.isolation
    except SandboxUnavailable as error:
        return "", _first_line(str(error))
    return report.level, _shortfall(report, rules.require) or _unshared(rules.shared)


def _shortfall(report: IsolationReport, required: Level) -> str:
    if LEVELS.index(report.level) >= LEVELS.index(required):
        return ""
    text = shortfall(report, required).splitlines()
    return " ".join(text[:2])


def _unshared(files: Sequence[tuple[str, str]]) -> str:
    for name, content in files:
        try:
            if Path(name).read_text(encoding="utf-8") == content:
                continue
        except OSError:
            pass
        return f"{str(Path(name).parent)!r} is not the same folder there"
    return ""


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
