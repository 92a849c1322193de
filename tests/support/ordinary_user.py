"""Runs Python as an ordinary user, for tests that are run by root.

`python -m tests.support.ordinary_user ARGUMENTS` becomes `python ARGUMENTS` of user
65534. Where that user may not enter the folder of the interpreter (root's home, say),
it sees an empty one with only the interpreter in it: in a mount namespace of its own,
so that nothing changes for anybody else.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.linux import Kernel

USER = 65534
ROOT = Path(__file__).parents[2]

_CLONE_NEWNS = 0x00020000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_ANYBODY = 0o005


def run(
    arguments: Sequence[str], *, timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Runs Python with these arguments as an ordinary user; only root can.

    Raises:
        subprocess.TimeoutExpired: If it takes longer.
    """
    return subprocess.run(
        [sys.executable, "-m", "tests.support.ordinary_user", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "HOME": "/"},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )


def _closed_folder(path: Path) -> Path | None:
    """Returns the first folder on the way to a path that others may not enter."""
    for folder in (*reversed(path.parents), path):
        if folder.stat().st_mode & _ANYBODY != _ANYBODY:
            return folder
    return None


def _open_the_way(kernel: Kernel, paths: Sequence[Path]) -> None:
    closed = {path: _closed_folder(path) for path in paths}
    hidden = {folder for folder in closed.values() if folder is not None}
    if not hidden:
        return
    kernel.call("unshare", _CLONE_NEWNS)
    kernel.call("mount", None, b"/", None, _MS_REC | _MS_PRIVATE, None)
    # Through these they are still reached when something lies on top of them.
    opened = {
        path: os.open(path, os.O_RDONLY) for path in paths if closed[path] is not None
    }
    for folder in sorted(hidden):
        kernel.call("mount", b"none", bytes(folder), b"tmpfs", 0, b"mode=0755")
    for path, fd in opened.items():
        path.mkdir(parents=True, exist_ok=True)
        source = f"/proc/self/fd/{fd}".encode()
        kernel.call("mount", source, bytes(path), None, _MS_BIND | _MS_REC, None)
        os.close(fd)


def main() -> None:
    """Becomes Python of an ordinary user."""
    os.umask(0o022)
    places = {Path(name).resolve() for name in (sys.base_prefix, sys.prefix, ROOT)}
    _open_the_way(Kernel(), sorted(places))
    os.chdir(ROOT)
    os.setgroups([])
    os.setgid(USER)
    os.setuid(USER)
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])


if __name__ == "__main__":
    main()
