"""Games that run in Java: one virtual machine for each package and process.

Covers: starting it when a game is first needed, telling what is missing, ending it with
the process, processes forked meanwhile (they start their own). Does not cover: threads;
a process may use a game from one thread at a time.
"""

import atexit
import importlib
import os
import shutil
import subprocess
import threading
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import IO, Any

from cwm.core.errors import PrerequisiteError

INSTALL = "pip install 'code-world-models[text]'"

END_WAIT_S = 10.0
"""Longest wait for a virtual machine that was told to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JavaPackage:
    """A Python package that brings a game in Java.

    Attributes:
        name: What is imported; also the folder of the jar and of its data.
        jar: Name of the jar.
        interface: Java class, with its package, of which each object is a game.
        options: For the virtual machine.
    """

    name: str
    jar: str
    interface: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Machine:
    """A virtual machine that this process, or the one it was forked from, started."""

    number: int
    gateway: Any
    process: "subprocess.Popen[bytes]"
    reader: threading.Thread


_MACHINES: dict[str, _Machine] = {}
"""By the package's name."""

_NUMBERS = count()

_INHERITED: list[_Machine] = []
"""Those of the process that this one was forked from: not ours to use or to end."""


def require(package: JavaPackage) -> None:
    """Checks that a package and Java are there; starts nothing.

    Raises:
        PrerequisiteError: If one of them is missing.
    """
    for name in ("py4j", package.name):
        if find_spec(name) is None:
            raise PrerequisiteError(
                f"These games need the package {name}, which is not installed. "
                f"Run: {INSTALL}"
            )
    if shutil.which("java") is None:
        raise PrerequisiteError(
            f"{package.name} needs Java 8 or later, and there is no java on the PATH. "
            "Install one, such as Debian's default-jre-headless."
        )


class Interface:
    """An object of a package's interface, in the virtual machine of this process.

    Attributes:
        java: The object; not to be used unless `is_there`.
        classes: All classes of the virtual machine, by their packages.

    Args:
        package: Whose; its virtual machine is started if there is none.

    Raises:
        PrerequisiteError: If the package or Java is missing, or Java does not start.
    """

    def __init__(self, package: JavaPackage) -> None:
        machine = _machine(package)
        self.classes = made = machine.gateway.jvm
        for part in package.interface.split("."):
            made = getattr(made, part)
        self.java: Any = made()
        self._name, self._number = package.name, machine.number

    def is_there(self) -> bool:
        """Returns whether its machine runs and is this process's."""
        machine = _MACHINES.get(self._name)
        return machine is not None and machine.number == self._number


def stop_machines() -> None:
    """Ends the virtual machines of this process; games start them again."""
    while _MACHINES:
        _, machine = _MACHINES.popitem()
        _stop(machine)


def _machine(package: JavaPackage) -> _Machine:
    machine = _MACHINES.get(package.name)
    if machine is None:
        require(package)
        machine = _MACHINES[package.name] = _start(package)
    return machine


def _start(package: JavaPackage) -> _Machine:
    # An extra, and slow to import.
    java_gateway = importlib.import_module("py4j.java_gateway")
    spec = find_spec(package.name)
    assert spec is not None, "looked for by `require`"
    assert spec.origin is not None, "a package with files"
    folder = Path(spec.origin).parent
    process = _launched(package, folder, java_gateway.find_jar_path())
    assert process.stdout is not None, "a pipe"
    line = process.stdout.readline().strip()
    if not line.isdigit():
        process.communicate()
        raise PrerequisiteError(
            f"{package.name} needs Java 8 or later, and `java` did not start with "
            f"{' '.join(package.options)}. Try `java -version`."
        )
    # What games print would block them if nobody read it.
    reader = threading.Thread(target=_read_all, args=(process.stdout,), daemon=True)
    reader.start()
    parameters = java_gateway.GatewayParameters(port=int(line))
    gateway = java_gateway.JavaGateway(gateway_parameters=parameters)
    return _Machine(next(_NUMBERS), gateway, process, reader)


def _launched(
    package: JavaPackage, folder: Path, gateway_jar: str
) -> "subprocess.Popen[bytes]":
    """Returns the process, which ends when its standard input does."""
    jars = os.pathsep.join((gateway_jar, str(folder / package.jar)))
    server = ("py4j.GatewayServer", "--die-on-broken-pipe", "0")
    return subprocess.Popen(
        [str(shutil.which("java")), "-classpath", jars, *package.options, *server],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        # An interrupt is for this process, which may still want to go on playing.
        start_new_session=True,
    )


def _read_all(stream: IO[bytes]) -> None:
    with stream:
        while stream.read(4_096):
            pass


def _stop(machine: _Machine) -> None:
    machine.gateway.shutdown()
    process = machine.process
    assert process.stdin is not None, "a pipe"
    process.stdin.close()
    try:
        process.wait(END_WAIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    machine.reader.join()


def _forget_inherited() -> None:
    """Keeps a forked process off its parent's connection, finalizers included."""
    for machine in _MACHINES.values():
        machine.gateway._gateway_client.is_connected = False
        _INHERITED.append(machine)
    _MACHINES.clear()


atexit.register(stop_machines)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_inherited)
