"""Where and with what a run was made: versions, commit, machine."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from pathlib import Path
from typing import Any, Final

from cwm import __version__

DISTRIBUTION: Final = "code-world-models"


def environment_report() -> dict[str, Any]:
    """Returns the versions, the commit if there is one, and the machine; JSON-able.

    Holds no host name, user name or path.
    """
    commit, dirty = _commit(Path(__file__).resolve().parents[2])
    return {
        "version": __version__,
        "commit": commit,
        "dirty": dirty,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "num_cpus": os.cpu_count(),
        "packages": package_versions(),
    }


def package_versions() -> dict[str, str]:
    """Returns the version of each installed package that the project names."""
    try:
        named = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return {}
    versions = {}
    for requirement in named:
        name = _distribution_name(requirement)
        try:
            versions[distribution(name).metadata["Name"]] = version(name)
        except PackageNotFoundError:
            continue
    return dict(sorted(versions.items(), key=lambda item: item[0].lower()))


def _distribution_name(requirement: str) -> str:
    for position, character in enumerate(requirement):
        if not (character.isalnum() or character in "-_."):
            return requirement[:position]
    return requirement


def _commit(root: Path) -> tuple[str | None, bool | None]:
    """Commit of the checkout that the code is run from, and whether it is changed."""
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return None, None
    commit = _run([git, "rev-parse", "HEAD"], root)
    status = _run([git, "status", "--porcelain", "--untracked-files=no"], root)
    return commit, None if status is None else bool(status)


def _run(command: Sequence[str], folder: Path) -> str | None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
