"""Opt-in capabilities: what a sandbox may offer beyond plain Python and NumPy.

Covers: packages that a worker imports before it locks itself, what the policy allows
of them, whether a child may make machine code before it meets the candidate. Does not
cover: Linux's capabilities (`capabilities`), which no child ever has.

None is on by default; those that are on are in the isolation report.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sandbox import physics_engine
from sandbox.errors import CapabilityMissing

Library: TypeAlias = Literal["physics"]
"""Capabilities that candidates themselves use: those that a user decides on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One thing that can be switched on by its name.

    Attributes:
        preload: Modules that a worker imports before it locks itself.
        environment: Environment variables while it does.
        prepare: A function of ours as `module.name`, called in the worker after the
            imports; for what must be opened or looked up while that is possible.
        modules: What a candidate may import of them, by the policy.
        denied_attributes: Attributes that the policy refuses besides the usual ones.
        makes_code: Whether a child may have executable memory until its driver calls
            `load`: the second filter takes that away before any of the candidate's
            code runs.
        extra: The extra of this package that installs what it needs.
    """

    preload: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    prepare: str = ""
    modules: frozenset[str] = frozenset()
    denied_attributes: frozenset[str] = frozenset()
    makes_code: bool = False
    extra: str


CAPABILITIES: dict[str, Capability] = {
    "numba": Capability(
        preload=("numba",),
        prepare="sandbox.warm_compiler.warm_up",
        makes_code=True,
        extra="fast",
    ),
    "physics": Capability(
        preload=(physics_engine.PACKAGE,),
        environment=physics_engine.ENVIRONMENT,
        prepare="sandbox.physics_engine.warm_up",
        modules=frozenset({physics_engine.PACKAGE}),
        denied_attributes=physics_engine.DENIED_ATTRIBUTES,
        extra="mujoco",
    ),
}
"""By name. Candidates import nothing of `numba`: drivers compile for them."""


def chosen(names: Sequence[str]) -> tuple[Capability, ...]:
    """Returns the capabilities of these names.

    Raises:
        ValueError: If there is none of a name.
    """
    for name in names:
        if name not in CAPABILITIES:
            raise ValueError(
                f"capabilities must be among {sorted(CAPABILITIES)}, got {name!r}."
            )
    return tuple(CAPABILITIES[name] for name in names)


def refuse_missing(names: Sequence[str]) -> None:
    """Raises where a package is missing that a capability needs.

    Raises:
        CapabilityMissing: Then, with what to install.
        ValueError: If there is no capability of a name.
    """
    for name, capability in zip(names, chosen(names), strict=True):
        for module in capability.preload:
            if importlib.util.find_spec(module.partition(".")[0]) is None:
                raise CapabilityMissing(
                    f"The capability {name!r} needs the package {module}. Install "
                    f"code-world-models[{capability.extra}]. No candidate was scored."
                )


def name_of(module: str) -> str | None:
    """Returns the capability that lets candidates import a module, if there is one."""
    top = module.partition(".")[0]
    return next((n for n, c in CAPABILITIES.items() if top in c.modules), None)
