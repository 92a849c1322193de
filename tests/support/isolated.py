"""Jobs that end in every way, for tests of who runs them."""

import os
import signal
import sys
import time
from collections.abc import Callable

from cwm.core.errors import ConfigError


def work(job: str, note: Callable[[str], None]) -> str:
    """Ends as its name says."""
    note(f"begins {job}")
    sys.stdout.write(f"{job} speaks\n")
    sys.stdout.flush()
    match job:
        case "refuses":
            raise ConfigError("seed must be at least 0, got -1.")
        case "raises":
            raise ZeroDivisionError("division by zero")
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "leaves":
            os._exit(7)
        case "hangs":
            time.sleep(600)
    return job.upper()
