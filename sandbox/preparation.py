"""What a worker does once, before it locks itself: imports and rehearsals."""

import importlib
import os
import random  # noqa: TID251 - the candidates' generator
import signal
import sys
from collections.abc import Sequence

import numpy as np

from sandbox import child
from sandbox.opt_in import Capability

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


def import_everything(
    drivers: Sequence[str], capabilities: Sequence[Capability] = ()
) -> None:
    """Imports what candidates may and the drivers, and lets those rehearse."""
    for name in PRELOAD:
        try:
            importlib.import_module(name)
        except ImportError:
            if name not in _OPTIONAL:
                raise
    for capability in capabilities:
        os.environ.update(capability.environment)
        for name in capability.preload:
            importlib.import_module(name)
        if capability.prepare:
            module, _, function = capability.prepare.rpartition(".")
            getattr(importlib.import_module(module), function)()
    for name in drivers:
        importlib.import_module(name)
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
