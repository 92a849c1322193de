"""What the benchmarks share: a table of repeats, and a line in the results."""

import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cwm.execution.provenance import environment_report


def seconds(action: Callable[[], object]) -> float:
    """Returns how long a call takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def print_table(figures: Mapping[str, Sequence[float]]) -> None:
    """Prints minimum, median and maximum of each figure's repeats."""
    width = max(32, *(len(name) + 2 for name in figures))
    print(f"{'':{width}}{'min':>14}{'median':>14}{'max':>14}")
    for name, values in figures.items():
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{name:{width}}{low:14,.2f}{middle:14,.2f}{high:14,.2f}")


def append_record(
    benchmark: str, config: Any, figures: Mapping[str, Sequence[float]]
) -> None:
    """Appends a line to the file `config.output`; none if that is empty."""
    if not config.output:
        return
    path = Path(config.output)
    record = {
        "benchmark": benchmark,
        "environment": environment_report(),
        # What else ran: above the number of processors, figures are too low.
        "load_average": os.getloadavg()[0],
        "config": asdict(config) | {"output": path.name},
        "repeats": dict(figures),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
