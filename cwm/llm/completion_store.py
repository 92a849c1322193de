"""Completions on disk, by the hash of their request, shared between processes.

One file for each request, in folders by the first two digits of its hash, written
beside its place and moved there when it is whole and on the disk:

    DIR/3f/3f9c....json    {"format":..,"request":{..},"completions":[..],"sha256":..}

Covers: any number of readers and writers, a process killed at any moment (a file is
    there or not, its lock is gone with it; a `.tmp` file may be left), files that
    were damaged or moved later.
Does not cover: a full disk (the answer is used, and not stored), two writers on a
    file system without locks (both ask; the last answer stays), removing old files.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from cwm.core.errors import ConfigError
from cwm.core.files import write_atomically
from cwm.llm.chat import ChatCompletion
from cwm.llm.notices import warn
from cwm.llm.requests import ChatRequest, canonical_json

FORMAT: Final = "cwm-completions"
VERSION: Final = 1

_LOCK_PAUSE_S = 0.05

_STORED: Final = ("text", "finish_reason", "prompt_tokens", "completion_tokens")
_STORED_IF_SET: Final = ("reused_prompt_tokens", "has_estimated_tokens", "model")


class StoreClosed(Exception):  # noqa: N818 - an event, not a fault
    """Waiting for another process's answer was given up from outside."""


@dataclass(frozen=True, slots=True)
class CompletionStore:
    """The completions in one folder.

    Attributes:
        folder: Where they are.
        warn: Told of what is damaged or cannot be written.
    """

    folder: Path
    warn: Callable[[str], None] = field(default=warn, repr=False)

    def open(self) -> None:
        """Makes the folder.

        Raises:
            ConfigError: If it cannot be written.
        """
        probe = self.folder / f".writable.{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(
                f"cache must be a folder that can be written, got "
                f"{str(self.folder)!r}: {error}."
            ) from error

    def read(self, request: ChatRequest) -> list[ChatCompletion] | None:
        """Returns what is stored for a request; `None` if it is nothing of use."""
        path = self._path(request.request_hash)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            reason = f"it cannot be read ({error})"
        else:
            try:
                return _decode(text, request)
            except ValueError as error:
                reason = str(error)
        self.warn(
            f"The stored completion {str(path)!r} is not used: {reason}. The model is "
            "asked again, and the file replaced."
        )
        return None

    def write(
        self, request: ChatRequest, completions: Sequence[ChatCompletion]
    ) -> None:
        """Stores completions; they are on the disk when this returns.

        A disk that cannot take them is a warning: they have been paid for and are
        of use without being stored.
        """
        path = self._path(request.request_hash)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, _encode(request, completions))
        except OSError as error:
            self.warn(f"A completion could not be stored in {str(path)!r}: {error}.")

    @contextlib.contextmanager
    def locked(self, request: ChatRequest, closed: threading.Event) -> Iterator[None]:
        """Keeps others from asking for the same while the block lasts.

        Args:
            request: What is asked.
            closed: Ends the waiting when it is set.

        Raises:
            StoreClosed: If it is set while another process holds the lock.
        """
        path = self._path(request.request_hash).with_suffix(".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = _lock(path, closed)
        except OSError:
            # No locks here, or no writing: asking twice is better than not at all.
            yield
            return
        try:
            yield
        finally:
            # While we hold it nobody else can have locked a file of this name.
            path.unlink(missing_ok=True)
            os.close(descriptor)

    def _path(self, request_hash: str) -> Path:
        return self.folder / request_hash[:2] / f"{request_hash}.json"


def _lock(path: Path, closed: threading.Event) -> int:
    """Returns the descriptor of the locked file, which is still of that name."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_named(descriptor, path):
                return descriptor
        except BlockingIOError:
            if closed.wait(_LOCK_PAUSE_S):
                os.close(descriptor)
                raise StoreClosed from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_named(descriptor: int, path: Path) -> bool:
    """Returns whether the file was not removed between opening and locking it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _encode(request: ChatRequest, completions: Sequence[ChatCompletion]) -> str:
    content = {
        "request": request.to_json(),
        "completions": [_completion_to_json(c) for c in completions],
    }
    data = {
        "format": FORMAT,
        "version": VERSION,
        "sha256": _checksum(content),
        **content,
    }
    return canonical_json(data) + "\n"


def _decode(text: str, request: ChatRequest) -> list[ChatCompletion]:
    """Returns the completions of a file.

    Raises:
        ValueError: If they are not those of the request, or not as written.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ValueError("it is not whole") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError("it is not a file of completions")
    if data.get("version") != VERSION:
        raise ValueError(f"it has version {data.get('version')!r}, not {VERSION}")
    content = {key: data.get(key) for key in ("request", "completions")}
    if data.get("sha256") != _checksum(content):
        raise ValueError("its checksum does not match")
    if data["request"] != json.loads(canonical_json(request.to_json())):
        raise ValueError("it answers another request")
    known = {f.name for f in fields(ChatCompletion)}
    if any(set(found) - known for found in data["completions"]):
        raise ValueError("it has an unknown field")
    return [ChatCompletion(**found) for found in data["completions"]]


def _completion_to_json(completion: ChatCompletion) -> dict[str, Any]:
    data = asdict(completion)
    stored = {name: data[name] for name in _STORED}
    return stored | {name: data[name] for name in _STORED_IF_SET if data[name]}


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(content).encode("ascii")).hexdigest()
