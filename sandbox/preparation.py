"""What a worker does once, before it forks: imports, rehearsals, its own locks."""

import importlib
import os
import random  # noqa: TID251 - the candidates' generator
import signal
import sys
from collections.abc import Callable, Sequence

import numpy as np

from sandbox import child
from sandbox.isolation import Layer
from sandbox.linux import Kernel, supports_seccomp

NOBODY = 65534

PRELOAD = (
    "_strptime",
    "abc",
    "bisect",
    "calendar",
    "cmath",
    "collections.abc",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "encodings.ascii",
    "encodings.cp1252",
    "encodings.idna",
    "encodings.latin_1",
    "enum",
    "fractions",
    "functools",
    "heapq",
    "itertools",
    "json",
    "linecache",
    "math",
    "numbers",
    "numpy",
    "numpy.char",
    "numpy.fft",
    "numpy.linalg",
    "numpy.ma",
    "numpy.polynomial",
    "numpy.random",
    "numpy.rec",
    "numpy.typing",
    "operator",
    "queue",
    "random",
    "re",
    "statistics",
    "string",
    "struct",
    "textwrap",
    "time",
    "traceback",
    "types",
    "typing",
    "typing_extensions",
    "warnings",
)
"""What candidates may import: later, nothing can be opened any more."""

_OPTIONAL = frozenset({"typing_extensions"})


def import_everything(drivers: Sequence[str]) -> None:
    """Imports what candidates may and the drivers, and lets those rehearse."""
    for name in PRELOAD:
        try:
            importlib.import_module(name)
        except ImportError:
            if name not in _OPTIONAL:
                raise
    for name in drivers:
        module = importlib.import_module(name)
        if not callable(getattr(module, "run", None)):
            raise TypeError(f"Driver {name!r} must have a function 'run'.")
        child.add_driver(name)
        child.rehearse(name)
    sys.modules.pop(child.CANDIDATE, None)
    os.environ.clear()
    os.chdir("/")
    os.umask(0o077)
    # What is random without a seed is at least alike in all children.
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002, TID251 - the candidates' generator
    # A candidate may print anything; nobody reads it.
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def lock_worker(layers: frozenset[Layer], kernel: Kernel) -> dict[str, str]:
    """Closes the locks that children inherit; returns each layer's state."""
    steps: dict[Layer, Callable[[], str]] = {
        "drop_root": lambda: _drop_root(kernel),
        "namespaces": lambda: _attempt(kernel.enter_namespaces),
        "no_new_privs": lambda: _attempt(kernel.set_no_new_privileges),
        "rlimits": lambda: "active",
        "seccomp": lambda: (
            "active" if supports_seccomp() else "absent: no filter for this system"
        ),
    }
    states: dict[str, str] = {}
    for layer, step in steps.items():
        states[layer] = step() if layer in layers else "absent: switched off"
    if states["seccomp"] == "active" and states["no_new_privs"] != "active":
        states["seccomp"] = "absent: needs no_new_privs"
    if sys.platform == "linux":
        kernel.adopt_orphans()
    return states


def _drop_root(kernel: Kernel) -> str:
    if os.geteuid() != 0:
        return "active"
    try:
        os.setgroups([])
        # As root, these set the real, effective and saved ids alike.
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    except OSError as error:
        return f"absent: {error.strerror}"
    if sys.platform == "linux":
        kernel.set_dumpable()
    return "active"


def _attempt(step: Callable[[], None]) -> str:
    if sys.platform != "linux":
        return "absent: needs Linux"
    try:
        step()
    except OSError as error:
        return f"absent: {error.strerror}"
    return "active"
