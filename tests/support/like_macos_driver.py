"""A driver for tests: its worker misses what macOS does not have.

No pidfd, no `waitid`, and no address space that the kernel would limit.
"""

import os
import sys
from typing import Any

from tests.support.echo_driver import run

__all__ = ["run"]

# Workers import drivers before they lock themselves; callers never import this one.
_zygote: Any = sys.modules["sandbox.zygote"]
_zygote.address_space_bytes = lambda: 0
for _name in ("waitid", "pidfd_open"):
    if hasattr(os, _name):
        delattr(os, _name)
