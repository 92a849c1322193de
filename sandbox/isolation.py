"""What keeps a candidate in: the layers, the level they add up to, the report."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import msgspec

Layer: TypeAlias = Literal[
    "drop_root",
    "namespaces",
    "empty_root",
    "drop_caps",
    "no_new_privs",
    "landlock",
    "rlimits",
    "seccomp",
]
"""One lock, in the order of closing. All are on by default; tests take some away."""

LAYERS: tuple[Layer, ...] = get_args(Layer)

CGROUP = "cgroup"
"""Reported beside the layers, and never missing: whoever starts the caller sets it."""

Level: TypeAlias = Literal["none", "process", "partial", "kernel"]
"""How strong the isolation is, from weak to strong.

`kernel`: seccomp and rlimits, both verified by probes. `partial`: no seccomp, but
rlimits, and Landlock or namespaces. `process`: a process of its own with rlimits.
`none`: not even those; for debugging.
"""

LEVELS: tuple[Level, ...] = get_args(Level)

ABSENT = "absent: "
"""How the state of a layer begins that is not there; the reason follows."""

WATCHED = "watched"
"""What a probe met that the worker would have ended, not the kernel."""

NEEDED_BY_KERNEL: tuple[Layer, ...] = ("seccomp", "rlimits")

_USER_NAMESPACES = (
    "in Docker allow unshare and mount in the profile of --security-opt seccomp=; on "
    "Ubuntu 24.04 give this Python an AppArmor profile with 'userns,' or set "
    "kernel.apparmor_restrict_unprivileged_userns=0; elsewhere raise "
    "user.max_user_namespaces"
)

ADVICE: dict[str, str] = {
    "drop_root": "run as an ordinary user, or leave CAP_SETUID and CAP_SETGID to root",
    "namespaces": _USER_NAMESPACES,
    "empty_root": _USER_NAMESPACES,
    "drop_caps": "run as an ordinary user",
    "no_new_privs": "do not block prctl in the container's seccomp profile",
    "landlock": (
        "use Linux 5.13 or later with 'landlock' in its boot parameter lsm=, and "
        "Docker 23 or later"
    ),
    "rlimits": "raise the hard limits of the calling process (ulimit -H)",
    "seccomp": (
        "run on Linux (x86-64 or aarch64) whose kernel has seccomp filters; on macOS "
        "and Windows use a Linux container or virtual machine (Docker Desktop, Lima, "
        "WSL2)"
    ),
}
"""What to do where a layer is absent."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """Where and with what a worker runs.

    Attributes:
        platform: Kernel and processor.
        uid: User of the processes that run candidates.
        preload_hash: Changes when the interpreter, the modules that candidates can
            import, or the drivers change; for keys of caches.
        cgroup: State of the control group's limits.
        landlock_version: Version of the kernel's Landlock; 0 if it is not in use.
    """

    platform: str
    uid: int = -1
    preload_hash: str = ""
    cgroup: str = f"{ABSENT}unknown"
    landlock_version: int = 0


@dataclass(frozen=True, kw_only=True)
class IsolationReport:
    """What a worker could lock, and what probes inside it could not do.

    Attributes:
        level: What it adds up to.
        layers: State of each layer: `"verified"` (a probe was refused),
            `"active"`, or `"absent: ..."` with the reason.
        probes: What happened to each forbidden action; `"allowed"` is bad news.
        missing: Layers that are absent.
        platform: Kernel and processor.
        uid: User of the processes that run candidates.
        landlock_version: Version of the kernel's Landlock; 0 if it is not in use.
        preload_hash: Stands for the interpreter, what candidates can import, and
            the drivers.
        policy: Version and mode of the static policy.
        limits: Default limits of a run.
        capabilities: Names of the opt-in capabilities that are on.
    """

    level: Level
    layers: dict[str, str]
    probes: dict[str, str]
    missing: tuple[str, ...] = ()
    platform: str = ""
    uid: int = -1
    landlock_version: int = 0
    preload_hash: str = ""
    policy: str = ""
    limits: dict[str, Any] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data."""
        return {
            "level": self.level,
            "layers": dict(self.layers),
            "probes": dict(self.probes),
            "missing": list(self.missing),
            "platform": self.platform,
            "uid": self.uid,
            "landlock_version": self.landlock_version,
            "preload_hash": self.preload_hash,
            "policy": self.policy,
            "limits": dict(self.limits),
            **({"capabilities": list(self.capabilities)} if self.capabilities else {}),
        }


# What must be refused before a layer counts as verified. The others cannot be proved
# from inside: they stay "active".
PROOFS: dict[str, tuple[str, ...]] = {
    "drop_root": ("become_root",),
    "namespaces": ("see_processes", "reach_loopback"),
    "empty_root": ("find_files",),
    "drop_caps": ("use_capabilities",),
    "landlock": ("read_directory",),
    "rlimits": ("allocate_too_much", "open_beyond_limit"),
    "seccomp": ("open", "socket", "fork", "thread", "executable_memory", "kill_parent"),
}


def summarise(
    layers: dict[str, str], probes: dict[str, str], surroundings: Surroundings
) -> IsolationReport:
    """Returns the report that what was set and what was probed add up to."""
    states = {
        layer: _proved(layer, probes) if state == "active" else state
        for layer, state in layers.items()
    }
    return IsolationReport(
        level=_level(states),
        layers=states | {CGROUP: surroundings.cgroup},
        probes=dict(probes),
        missing=tuple(n for n, state in states.items() if state.startswith(ABSENT)),
        platform=surroundings.platform,
        uid=surroundings.uid,
        landlock_version=surroundings.landlock_version,
        preload_hash=surroundings.preload_hash,
    )


def _proved(layer: str, probes: dict[str, str]) -> str:
    results = [probes.get(name) for name in PROOFS.get(layer, ())]
    if "allowed" in results:
        return f"{ABSENT}a probe got through"
    if WATCHED in results:
        return "active"
    if None not in results:
        return "verified" if results else "active"
    # A level must not rest on what nobody has seen.
    return f"{ABSENT}not proved" if layer in NEEDED_BY_KERNEL else "active"


def _level(states: dict[str, str]) -> Level:
    if states.get("rlimits") not in ("active", "verified"):
        return "none"
    if states.get("seccomp") == states["rlimits"] == "verified":
        return "kernel"
    depth = {states.get(layer) for layer in ("landlock", "namespaces")}
    return "partial" if depth & {"active", "verified"} else "process"


def shortfall(report: IsolationReport, required: Level) -> str:
    """Returns what to say where isolation is weaker than required, and what to do."""
    first = sorted(report.missing, key=lambda name: name not in NEEDED_BY_KERNEL)
    lines = [
        f"Isolation must be at least {required!r}, got {report.level!r}; missing:",
        *(
            f"- {name} ({report.layers[name]}): {_action(report, name)}"
            for name in first
        ),
        f"Or accept what there is with require={report.level!r}.",
    ]
    return "\n".join(lines)


def downgrade(report: IsolationReport, promised: IsolationReport) -> str:
    """Returns what to say where a worker has less than was reported; else nothing."""
    lost = [name for name in report.missing if name not in promised.missing]
    if not lost:
        return ""
    lines = [
        f"Every worker must have the isolation that was reported, {promised.level!r} "
        f"with {', '.join(lost)}; a later one lacks:",
        *(f"- {name} ({report.layers[name]})" for name in lost),
        "No candidate ran in it. Start again: the report will say what there is.",
    ]
    return "\n".join(lines)


def _action(report: IsolationReport, layer: str) -> str:
    if report.layers[layer] == f"{ABSENT}switched off":
        return "take it into layers="
    return ADVICE[layer]
