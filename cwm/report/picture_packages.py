"""Packages of the extra [plot], imported when they are first needed."""

import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any

from cwm.core.errors import PrerequisiteError

REQUIREMENTS = {
    "matplotlib": "matplotlib>=3.9",
    "PIL": "pillow>=10.1",
    "imageio": "imageio>=2.31",
    "imageio_ffmpeg": "imageio-ffmpeg>=0.5",
    "gymnasium": "gymnasium[classic-control,toy-text]>=1.1",
}
"""Package -> what the extra asks for; Gymnasium's are what environments draw with."""

FOR_PLOT = ("matplotlib",)
FOR_GIF = ("PIL",)
FOR_MP4 = ("PIL", "imageio", "imageio_ffmpeg")


def require_packages(packages: Sequence[str], *, option: str) -> None:
    """Checks, without importing them, that packages are there.

    Args:
        packages: Of `REQUIREMENTS`.
        option: The option that needs them, for people.

    Raises:
        PrerequisiteError: If one is missing; the message has the install line.
    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            quoted = " ".join(f"'{text}'" for text in REQUIREMENTS.values())
            raise PrerequisiteError(
                f"{option} needs the package {package}, of the extra [plot]. "
                f"Run: pip install {quoted}"
            )


def load(module: str) -> Any:
    """Returns a module of these packages, which need not be there for types."""
    return importlib.import_module(module)
