"""A driver for tests: in its worker, the kernel seems to refuse the filter."""

import errno

from sandbox.linux import Kernel
from tests.support.echo_driver import run

__all__ = ["run"]


def _refuse(self: Kernel) -> None:
    raise OSError(errno.EINVAL, "Invalid argument")


# Workers import drivers before they lock themselves; callers never import this one.
Kernel.install_filter = _refuse  # type: ignore[method-assign]
