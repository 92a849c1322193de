"""Traps: secrets to read, files to spoil, listeners to reach, and who fell in."""

import contextlib
import os
import secrets
import shutil
import socket
import tempfile
from pathlib import Path
from types import TracebackType

SECRET_VARIABLE = "ATTACK_SUITE_SECRET"
"""Environment variable of the caller that no candidate may see."""

_CANARY_TEXT = "sing\n"
_CANARY_TIME = 1_000_000_000


class Scene:
    """Everything that an attack may reach for; one for each lane of attacks.

    Args:
        secret: A text that must never come out.
    """

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.root = Path(tempfile.mkdtemp(prefix="attacks-"))
        self.drop = self.root / "drop"
        self.cage = self.root / "cage"
        for folder in (self.root, self.drop, self.cage):
            folder.mkdir(exist_ok=True)
            # As open as can be: nothing but the sandbox protects it.
            folder.chmod(0o777)
        self.secret_file = self.root / "secret"
        self.secret_file.write_text(f"secret {secret}\n")
        self.secret_file.chmod(0o644)
        self.canary = self.cage / "canary"
        self._set_up_canary()
        self._abstract = f"attacks-{secrets.token_hex(8)}"
        self._listeners = self._listen()

    def __enter__(self) -> "Scene":
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for listener in self._listeners.values():
            listener.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def _set_up_canary(self) -> None:
        if self.canary.exists() or self.canary.is_symlink():
            self.canary.unlink()
        self.canary.write_text(_CANARY_TEXT)
        self.canary.chmod(0o666)
        os.utime(self.canary, (_CANARY_TIME, _CANARY_TIME))

    def _listen(self) -> dict[str, socket.socket]:
        stream, datagram = socket.SOCK_STREAM, socket.SOCK_DGRAM
        local = ("127.0.0.1", 0)
        wanted = {
            "tcp": (socket.AF_INET, stream, local),
            "udp": (socket.AF_INET, datagram, local),
            "unix": (socket.AF_UNIX, stream, str(self.root / "socket")),
            "abstract": (socket.AF_UNIX, datagram, "\0" + self._abstract),
        }
        found: dict[str, socket.socket] = {}
        for name, (family, kind, address) in wanted.items():
            listener = socket.socket(family, kind)
            listener.bind(address)
            if kind == stream:
                listener.listen(64)
            listener.setblocking(False)
            found[name] = listener
        (self.root / "socket").chmod(0o777)
        return found

    def traps(self) -> str:
        """Returns the lines at the head of each program that say where things are."""
        values = {
            "SECRET_FILE": str(self.secret_file),
            "CANARY": str(self.canary),
            "DROP": str(self.drop),
            "UNIX_PATH": str(self.root / "socket"),
            "ABSTRACT": "\0" + self._abstract,
            "TCP_PORT": self._listeners["tcp"].getsockname()[1],
            "UDP_PORT": self._listeners["udp"].getsockname()[1],
            "CALLER": os.getpid(),
            # In two parts, so that the whole is in no program.
            "SECRET_HEAD": self.secret[:8],
        }
        return "".join(f"{name} = {value!r}\n" for name, value in values.items())

    def sprung(self) -> list[str]:
        """Returns what was touched since the last call, and sets it up again."""
        return [*self._marks(), *self._spoilt(), *self._connections()]

    def _marks(self) -> list[str]:
        found = []
        for path in self.drop.iterdir():
            found.append(f"left a mark: {path.name}")
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()
        return found

    def _spoilt(self) -> list[str]:
        with contextlib.suppress(OSError):
            state = self.canary.stat()
            if (
                [p.name for p in self.cage.iterdir()] == ["canary"]
                and not self.canary.is_symlink()
                and self.canary.read_text() == _CANARY_TEXT
                and state.st_mode & 0o7777 == 0o666
                and state.st_mtime == _CANARY_TIME
            ):
                return []
        for path in self.cage.iterdir():
            path.unlink()
        self._set_up_canary()
        return ["spoilt the canary"]

    def _connections(self) -> list[str]:
        found = []
        for name, listener in self._listeners.items():
            with contextlib.suppress(BlockingIOError):
                while True:
                    if listener.type == socket.SOCK_STREAM:
                        listener.accept()[0].close()
                    else:
                        listener.recv(4096)
                    found.append(f"reached the listener: {name}")
        return found
