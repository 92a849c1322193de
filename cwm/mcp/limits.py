"""What a client may use of a server, and keeping count of it."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from cwm.core.errors import BudgetExhausted, ConfigError

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLimits:
    """What a client may use.

    Attributes:
        max_source_kib: Longest program, in KiB; at least 1.
        max_calls: Calls of tools that run a program, in all; at least 1.
        calls_per_minute: Likewise, in any minute; at least 1.
        max_seconds: After so many seconds no program is run any more; above 0.
        max_episodes: Episodes of one call of plan; at least 1.
        max_steps: Steps after which an episode is cut off, of plan; at least 1.
        max_real_steps: Steps in the real environment, of all calls of plan; at least
            1.
        plan_seconds: Longest call of plan, in seconds; above 0.
    """

    max_source_kib: int = 64
    max_calls: int = 500
    calls_per_minute: int = 60
    max_seconds: float = 86_400.0
    max_episodes: int = 5
    max_steps: int = 500
    max_real_steps: int = 20_000
    plan_seconds: float = 120.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if name in ("max_seconds", "plan_seconds"):
                if not value > 0:
                    raise ConfigError(f"{name} must be positive, got {value!r} (s).")
            elif value < 1:
                raise ConfigError(f"{name} must be at least 1, got {value}.")

    def check_source(self, source: str) -> None:
        """Refuses a program that is too long, or that is no text.

        Raises:
            ConfigError: If it is.
        """
        try:
            num_bytes = len(source.encode("utf-8"))
        except UnicodeEncodeError as error:
            raise ConfigError(f"source must be text: {error.reason}.") from error
        if num_bytes > self.max_source_kib * 1024:
            raise ConfigError(
                f"source must be at most {self.max_source_kib} KiB (max_source_kib), "
                f"got {num_bytes / 1024:.1f} KiB."
            )
        if not source.strip():
            raise ConfigError("source must be a Python program, got nothing.")


class Allowance:
    """What is left of the limits; any number of threads may use it.

    Args:
        limits: The limits.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(
        self, limits: ServiceLimits, clock: Callable[[], float] = monotonic
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._start = clock()
        self._lock = threading.Lock()
        self._recent: deque[float] = deque()
        self._num_calls = 0
        self._real_steps = 0

    @property
    def calls_left(self) -> int:
        """Calls that may still be made."""
        return self._limits.max_calls - self._num_calls

    @property
    def real_steps_left(self) -> int:
        """Steps in the real environment that may still be made."""
        return self._limits.max_real_steps - self._real_steps

    def take_call(self) -> None:
        """Counts a call.

        Raises:
            BudgetExhausted: If there may be none now; the message names the limit.
        """
        limits = self._limits
        with self._lock:
            now = self._clock()
            if now - self._start >= limits.max_seconds:
                raise BudgetExhausted(
                    f"The time of this server is used: {limits.max_seconds:g} s "
                    "(max_seconds)."
                )
            if self._num_calls >= limits.max_calls:
                raise BudgetExhausted(
                    f"All {limits.max_calls} calls are used (max_calls)."
                )
            while self._recent and now - self._recent[0] >= MINUTE_S:
                self._recent.popleft()
            if len(self._recent) >= limits.calls_per_minute:
                wait = MINUTE_S - (now - self._recent[0])
                raise BudgetExhausted(
                    f"{limits.calls_per_minute} calls were made in the last minute "
                    f"(calls_per_minute). Wait {wait:.0f} s."
                )
            self._recent.append(now)
            self._num_calls += 1

    def take_real_steps(self, number: int) -> None:
        """Reserves steps in the real environment.

        Raises:
            BudgetExhausted: If there are not as many left.
        """
        with self._lock:
            left = self.real_steps_left
            if number > left:
                raise BudgetExhausted(
                    f"plan may take {number:,} real steps at most (episodes x steps), "
                    f"and {max(left, 0):,} of {self._limits.max_real_steps:,} are left "
                    "(max_real_steps). Ask for fewer."
                )
            self._real_steps += number

    def give_back_real_steps(self, number: int) -> None:
        """Returns reserved steps that were not made."""
        with self._lock:
            self._real_steps -= number
