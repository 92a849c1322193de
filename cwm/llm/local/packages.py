"""Packages of the extra [local], imported when they are first needed."""

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from cwm.core.errors import LLMError, PrerequisiteError

REQUIREMENTS = {
    "torch": "torch>=2.8,<2.14",
    "transformers": "transformers>=5.0",
    "accelerate": "accelerate>=1.10",
    "gguf": "gguf>=0.17",
    "peft": "peft>=0.17",
}
"""Package -> what the extra asks for."""

_FOR_GGUF = ("accelerate", "gguf")
_FOR_TRAINING = ("peft",)

Tensor: TypeAlias = Any
"""A `torch.Tensor`; torch need not be there when types are checked."""


class LazyPackage:
    """A package that is imported at the first look at one of its names."""

    def __init__(self, name: str) -> None:
        """Makes the stand-in.

        Args:
            name: Its import name.
        """
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        try:
            module = importlib.import_module(self._name)
        except ImportError as error:
            raise _missing(self._name) from error
        value = getattr(module, attribute)
        # The next look finds it without coming here.
        setattr(self, attribute, value)
        return value


def require_packages(*, gguf: bool, training: bool = False) -> None:
    """Checks, without importing them, that the packages are there.

    Args:
        gguf: Whether a GGUF file is to be read.
        training: Whether a model is to be trained, or was.

    Raises:
        PrerequisiteError: If one is missing; the message has the install line.
    """
    for package in REQUIREMENTS:
        is_needed = (gguf or package not in _FOR_GGUF) and (
            training or package not in _FOR_TRAINING
        )
        if is_needed and importlib.util.find_spec(package) is None:
            raise _missing(package)


@contextmanager
def memory_errors(advice: str) -> Iterator[None]:
    """Turns a lack of memory into an `LLMError`.

    Args:
        advice: What takes less.
    """
    torch = importlib.import_module("torch")
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise LLMError(
            f"The memory of the model's device does not suffice. {advice}",
            retryable=False,
        ) from error


def _missing(package: str) -> PrerequisiteError:
    quoted = " ".join(f"'{requirement}'" for requirement in REQUIREMENTS.values())
    return PrerequisiteError(
        f"Local models need the package {package}, of the extra [local]. "
        f"Run: pip install {quoted}"
    )
