"""The locks that a worker closes once, and that its children inherit.

Covers: their order, and the state of each. Does not cover: the locks that a child
closes itself (`child.steps_after_fork`): limits and filter.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox import capabilities, landlock, namespaces
from sandbox.isolation import ABSENT, LAYERS, Layer
from sandbox.linux import Kernel, explain
from sandbox.seccomp import supports_seccomp

NOBODY = 65534


@dataclass
class Locked:
    """What came of closing the locks.

    Attributes:
        states: State of each layer; `"active"` or `"absent: ..."`.
        user_id: User of the worker and its children; -1 before.
        landlock_version: Version of the kernel's Landlock; 0 if it is not in use.
    """

    states: dict[str, str] = field(default_factory=dict)
    user_id: int = -1
    landlock_version: int = 0

    @property
    def layers(self) -> frozenset[Layer]:
        """Those that are there."""
        return frozenset(name for name in LAYERS if self.states[name] == "active")


@dataclass(frozen=True, slots=True)
class Start:
    """How a worker's life began, for `lock_worker`.

    Attributes:
        entry: Its way into namespaces, of which the first step is done; `None`
            without namespaces.
        obstacles: What is in the way of namespaces; `None` if they are not wanted.
    """

    entry: namespaces.Entry | None = None
    obstacles: namespaces.Obstacles | None = None


def start_worker(names: str, control_fd: int) -> Start:
    """Goes on in the first process of a new namespace, if that is wanted and works.

    Call it before the imports: a process that has imported little is cheap to fork,
    and the children of the new process are cheaper than those of one that shares its
    pages with another.

    Args:
        names: The worker's layers, with blanks between them.
        control_fd: The socket to the caller, to be kept by the process that goes on.
    """
    layers = names.split()
    if "namespaces" not in layers or sys.platform != "linux":
        return Start()
    kernel = Kernel()
    changes_user = "drop_root" in layers and os.geteuid() == 0
    obstacles = namespaces.find_obstacles(
        kernel,
        changes_user=changes_user,
        change_user=lambda: _drop_user(frozenset(layers), kernel),
    )
    if obstacles.namespaces:
        return Start(obstacles=obstacles)
    entry = namespaces.Entry(kernel, changes_user=changes_user)
    # What worked in the trial must work now: errors end the worker.
    entry.fork_first(control_fd)
    return Start(entry, obstacles)


def lock_worker(layers: frozenset[Layer], kernel: Kernel, start: Start) -> Locked:
    """Closes the locks that children inherit.

    With namespaces it leaves the worker in an empty root without `/proc`: what is to
    be imported, opened or measured there has been before.

    Args:
        layers: Which locks to close.
        kernel: The calls.
        start: What `start_worker` returned for these layers.
    """
    locked = Locked({layer: f"{ABSENT}switched off" for layer in LAYERS})
    states = locked.states
    if "drop_root" in layers:
        states["drop_root"] = _drop_user(layers, kernel)
    # In a namespace the number may be another one.
    locked.user_id = os.geteuid()
    if sys.platform == "linux":
        _leave_the_world(layers, kernel, start, states)
        _give_up_rights(layers, kernel, locked)
        kernel.adopt_orphans()
        # Nothing asks for /proc/self any more, and processes of the same user have
        # no business in the memory of a worker or a child.
        kernel.set_dumpable(False)
    else:
        for layer in layers - {"drop_root"}:
            states[layer] = f"{ABSENT}needs Linux"
    if "rlimits" in layers:
        states["rlimits"] = "active"
    return locked


def _leave_the_world(
    layers: frozenset[Layer], kernel: Kernel, start: Start, states: dict[str, str]
) -> None:
    found = start.obstacles
    if found is None:
        if "empty_root" in layers:
            states["empty_root"] = f"{ABSENT}needs namespaces"
        return
    for layer in layers & {"namespaces", "empty_root"}:
        obstacle = found.namespaces if layer == "namespaces" else found.empty_root
        states[layer] = f"{ABSENT}{obstacle}" if obstacle else "active"
    if start.entry is not None:
        start.entry.finish()
    if states["empty_root"] == "active":
        namespaces.make_root_empty(kernel)


def _give_up_rights(layers: frozenset[Layer], kernel: Kernel, locked: Locked) -> None:
    states = locked.states
    if "drop_caps" in layers:
        states["drop_caps"] = _attempt(lambda: _drop_capabilities(kernel))
    if "no_new_privs" in layers:
        states["no_new_privs"] = _attempt(kernel.set_no_new_privileges)
    if "landlock" in layers:
        locked.landlock_version, states["landlock"] = _landlock(kernel, states)
    if "seccomp" in layers:
        states["seccomp"] = _seccomp(states)


def _drop_user(layers: frozenset[str], kernel: Kernel) -> str:
    """Becomes an ordinary user, if root; returns the layer's state."""
    if "drop_root" not in layers or os.geteuid() != 0:
        return "active"
    try:
        if "drop_caps" in layers and sys.platform == "linux":
            capabilities.empty_bounding_set(kernel)
        os.setgroups([])
        # As root, these set the real, effective and saved ids alike.
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    except OSError as error:
        return f"{ABSENT}{explain(error)}"
    if sys.platform == "linux":
        kernel.set_dumpable(True)
    return "active"


def _drop_capabilities(kernel: Kernel) -> None:
    capabilities.drop_all(kernel)
    if capabilities.has_any(kernel):
        raise OSError(0, "some are left", "capset")


def _landlock(kernel: Kernel, states: dict[str, str]) -> tuple[int, str]:
    if states["no_new_privs"] != "active":
        return 0, f"{ABSENT}needs no_new_privs"
    try:
        return landlock.deny_everything(kernel), "active"
    except OSError as error:
        return 0, f"{ABSENT}{explain(error)}"


def _seccomp(states: dict[str, str]) -> str:
    if not supports_seccomp():
        return f"{ABSENT}no filter for this system"
    if states["no_new_privs"] != "active":
        return f"{ABSENT}needs no_new_privs"
    return "active"


def _attempt(step: Callable[[], None]) -> str:
    try:
        step()
    except OSError as error:
        return f"{ABSENT}{explain(error)}"
    return "active"
