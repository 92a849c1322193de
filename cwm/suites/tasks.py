"""The suites of tasks by name: `cwmb-r`, `cwmb-s`, `rtfm`, `words`, `providers`."""

from collections.abc import Callable

from cwm.core.errors import ConfigError
from cwm.suites.benchmark_task import BenchmarkTask, quick
from cwm.suites.cwmb import cwmb_tasks
from cwm.suites.providers import provider_tasks
from cwm.suites.rtfm import rtfm_tasks
from cwm.suites.shifted import shifted_tasks
from cwm.suites.words import words_tasks

__all__ = ["SUITES", "BenchmarkTask", "quick", "tasks"]

SUITES: dict[str, Callable[[int], tuple[BenchmarkTask, ...]]] = {
    "cwmb-r": lambda seed: cwmb_tasks(),
    "cwmb-s": shifted_tasks,
    "rtfm": lambda seed: rtfm_tasks(),
    "words": lambda seed: words_tasks(),
    "providers": lambda seed: provider_tasks(),
}
"""Suite -> its tasks, from the seed of the constants that it draws."""


def tasks(suite: str, seed: int) -> tuple[BenchmarkTask, ...]:
    """Returns the tasks of a suite, in the order of its tables.

    Args:
        suite: One of `SUITES`.
        seed: Of the constants that CWMB-S draws; the others have none.

    Raises:
        ConfigError: If there is no such suite.
    """
    if suite not in SUITES:
        raise ConfigError(f"suite must be one of {', '.join(SUITES)}, got {suite!r}.")
    return SUITES[suite](seed)
