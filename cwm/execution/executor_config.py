"""Where a command does its work: on this machine, or on a cluster."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cwm.core.errors import ConfigError
from cwm.execution.options import shown_as


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorConfig:
    """Where programs are run. What comes out does not depend on it.

    Attributes:
        executor: local: on this machine. ray: on the nodes of a Ray cluster, each
            with a sandbox of its own; needs the extra [ray]. docs/cluster.md.
        ray_address: Head of the cluster, as HOST:PORT, or auto for the one that this
            machine is a node of; if not given, ray is started on this machine.
    """

    executor: Literal["local", "ray"] = "local"
    ray_address: Annotated[str | None, shown_as("HOST:PORT")] = None

    def __post_init__(self) -> None:
        address = self.ray_address
        if address is None:
            return
        if self.executor != "ray":
            raise ConfigError(
                f"ray_address is for the executor ray, got {address!r} with "
                f"{self.executor!r}. Give --executor ray."
            )
        _, colon, port = address.rpartition(":")
        if "://" in address or (address != "auto" and not (colon and port.isdigit())):
            raise ConfigError(
                f"ray_address must be HOST:PORT or auto, got {address!r}. Run the "
                "command on a machine that is a node of the cluster."
            )

    @property
    def is_ray(self) -> bool:
        """Whether a cluster does the work."""
        return self.executor == "ray"

    def check(self) -> None:
        """Refuses a cluster that this machine has no package for, before the work.

        Raises:
            PrerequisiteError: If Ray is not installed.
        """
        if self.is_ray:
            # Only who asks for a cluster needs the package.
            from cwm.execution.ray.cluster import import_ray  # noqa: PLC0415

            import_ray()

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as plain data, without the address."""
        return {"executor": self.executor}
