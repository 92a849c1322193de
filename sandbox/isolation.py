"""What keeps a candidate in: the layers, the level they add up to, the report."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

Layer: TypeAlias = Literal[
    "drop_root", "namespaces", "no_new_privs", "rlimits", "seccomp"
]
"""One lock. All are on by default; tests take single ones away."""

LAYERS: tuple[Layer, ...] = get_args(Layer)

Level: TypeAlias = Literal["none", "process", "partial", "kernel"]
"""How strong the isolation is, from weak to strong.

`kernel`: seccomp and rlimits, both verified by a probe. `partial`: no seccomp, but
namespaces and rlimits. `process`: a process of its own with rlimits. `none`: not
even those; for debugging.
"""

LEVELS: tuple[Level, ...] = get_args(Level)


@dataclass(frozen=True, kw_only=True)
class IsolationReport:
    """What a worker could lock, and what a probe inside it could not do.

    Attributes:
        level: What it adds up to.
        layers: State of each layer: `"verified"` (a probe was refused),
            `"active"`, or `"absent: ..."` with the reason.
        probes: What happened to each forbidden action; `"allowed"` is bad news.
        missing: Layers that are absent.
        platform: Kernel and processor.
    """

    level: Level
    layers: dict[str, str]
    probes: dict[str, str]
    missing: tuple[str, ...] = ()
    platform: str = ""
    limits: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data."""
        return {
            "level": self.level,
            "layers": dict(self.layers),
            "probes": dict(self.probes),
            "missing": list(self.missing),
            "platform": self.platform,
            "limits": dict(self.limits),
        }


# What a probe must show before its layer counts as verified.
_PROOFS: dict[str, tuple[str, ...]] = {
    "seccomp": ("open", "socket", "fork", "executable_memory", "kill_parent"),
    "rlimits": ("allocate_too_much",),
}


def summarise(
    layers: dict[str, str], probes: dict[str, str], platform: str
) -> IsolationReport:
    """Returns the report that what was set and what was probed add up to."""
    proved = {
        layer: all(probes.get(name, "allowed") != "allowed" for name in names)
        for layer, names in _PROOFS.items()
    }
    states = dict(layers)
    for layer, holds in proved.items():
        if states.get(layer) == "active":
            states[layer] = "verified" if holds else "absent: a probe got through"
    return IsolationReport(
        level=_level(states),
        layers=states,
        probes=dict(probes),
        missing=tuple(n for n, state in states.items() if state.startswith("absent")),
        platform=platform,
    )


def _level(states: dict[str, str]) -> Level:
    if states.get("rlimits") != "verified":
        return "none"
    if states.get("seccomp") == "verified":
        return "kernel"
    return "partial" if states.get("namespaces") == "active" else "process"
