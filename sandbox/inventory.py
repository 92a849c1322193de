"""What a worker finds out about itself before its files are gone.

Paths are text here: every worker would have to import `pathlib`, and what that needs.
"""

import hashlib
import os
import platform
import sys
from collections.abc import Iterable

from sandbox.isolation import ABSENT

_HASH_DIGITS = 16


def platform_name() -> str:
    """Returns kernel and processor, such as `Linux 6.1.0 x86_64`."""
    return f"{platform.system()} {platform.release()} {platform.machine()}"


def preload_hash(modules: Iterable[str], drivers: Iterable[str]) -> str:
    """Returns 16 hexadecimal digits that stand for all that a candidate runs on.

    They change with the interpreter, with the version of a module that candidates
    can import, and with the text of a driver: where they are equal, a candidate may
    be expected to do the same.

    Args:
        modules: Names of modules that have been imported, if they exist here.
        drivers: Names of drivers that have been imported.
    """
    digest = hashlib.sha256(f"{sys.version}\n{platform.machine()}\n".encode())
    for name in modules:
        module = sys.modules.get(name)
        version = getattr(module, "__version__", "") if module else "missing"
        digest.update(f"{name} {version}\n".encode())
    for name in drivers:
        path = getattr(sys.modules[name], "__file__", None)
        digest.update(f"{name}\n".encode())
        digest.update(_read(path).encode() if path else b"")
    return digest.hexdigest()[:_HASH_DIGITS]


def cgroup_state(proc: str = "/proc/self/cgroup", root: str = "/sys/fs/cgroup") -> str:
    """Returns which limits the process's control group has: for the report only."""
    try:
        lines = _read(proc).split()
        group = next((line[3:] for line in lines if line.startswith("0::")), None)
        if group is None or not os.path.exists(f"{root}/cgroup.controllers"):
            return f"{ABSENT}no unified hierarchy"
        found = _limits(root, group)
    except OSError as error:
        return f"{ABSENT}{type(error).__name__}"
    if not found:
        return f"{ABSENT}no limits"
    return "active: " + ", ".join(f"{name} {value}" for name, value in found.items())


def _limits(root: str, group: str) -> dict[str, str]:
    """Returns the limits of a group and those above it; the nearest counts."""
    found: dict[str, str] = {}
    names = [name for name in group.split("/") if name]
    for depth in range(len(names), -1, -1):
        folder = "/".join([root, *names[:depth]])
        for name in ("memory.max", "pids.max"):
            path = f"{folder}/{name}"
            value = _read(path).strip() if os.path.exists(path) else "max"
            if value != "max":
                found.setdefault(name, value)
    return found


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
