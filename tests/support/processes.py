"""What runs on this machine, read from /proc: whose children are left."""

import os
from pathlib import Path


def parents() -> dict[int, int]:
    """Returns the parent of each process that is not a zombie."""
    found: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            text = Path(f"/proc/{name}/stat").read_text(errors="replace")
        except OSError:
            continue
        state, parent = text.rpartition(")")[2].split()[:2]
        if state != "Z":
            found[int(name)] = int(parent)
    return found


def descendants(pid: int) -> set[int]:
    """Returns the living processes that a process has started, at any distance."""
    parent_of = parents()
    found = {pid}
    while True:
        more = {p for p, parent in parent_of.items() if parent in found} - found
        if not more:
            return found - {pid}
        found |= more


def resident_mib(pid: int) -> float:
    """Returns how much memory a process has in use, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def is_alive(pid: int) -> bool:
    """Whether a process exists and is more than a zombie."""
    return pid in parents()
