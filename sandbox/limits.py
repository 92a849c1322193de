"""What one run of a candidate may use."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one run; every one of them is enforced from outside the source.

    Attributes:
        wall_s: Seconds from fork to the end, by the clock on the wall; at most a
            million. The process group is killed then. In a session, seconds for each
            answer.
        cpu_s: Seconds of processor time; `None` for `wall_s` (in a session,
            `session_s`) rounded up. A backstop in the kernel for the case that
            nobody is left to kill the child.
        session_s: Seconds from a session's fork to its end, by the clock on the
            wall, idle time included; at most a million.
        memory_mib: Address space that the candidate may add to what the warm
            interpreter already maps.
        stack_mib: Largest stack of the main thread.
        max_source_kib: Largest source text; longer ones are rejected unread.
        max_output_mib: Bytes of all results together.
        max_frame_mib: Bytes of one result message; at most `max_output_mib`.
        max_array_mib: Bytes of one array inside a message.
        max_messages: Result messages: small ones take more memory and time to decode
            than to send. Callers that know how many are due should say so. In a
            session, the limits on output hold for each answer.
        grace_s: How long past `wall_s` the worker itself may stay silent before it
            is replaced.
    """

    wall_s: float = 10.0
    cpu_s: int | None = None
    session_s: float = 3600.0
    memory_mib: int = 512
    stack_mib: int = 16
    max_source_kib: int = 64
    max_output_mib: int = 32
    max_frame_mib: int = 8
    max_array_mib: int = 4
    max_messages: int = 100_000
    grace_s: float = 2.0

    def __post_init__(self) -> None:
        for name, unit in (
            ("wall_s", "seconds"),
            ("session_s", "seconds"),
            ("memory_mib", "MiB"),
            ("stack_mib", "MiB"),
            ("max_source_kib", "KiB"),
            ("max_output_mib", "MiB"),
            ("max_frame_mib", "MiB"),
            ("max_array_mib", "MiB"),
            ("max_messages", "messages"),
            ("grace_s", "seconds"),
        ):
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name} must be positive, got {value!r} ({unit}).")
        for name in ("wall_s", "session_s"):
            value = getattr(self, name)
            if value > 1e6:
                raise ValueError(
                    f"{name} must be at most 1e6, got {value!r} (seconds)."
                )
        if self.cpu_s is not None and self.cpu_s < 1:
            raise ValueError(f"cpu_s must be at least 1, got {self.cpu_s!r} (seconds).")
        if self.max_frame_mib > self.max_output_mib:
            raise ValueError(
                f"max_frame_mib must be at most max_output_mib "
                f"({self.max_output_mib}), got {self.max_frame_mib} (MiB)."
            )
