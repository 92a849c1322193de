"""Resources that a run must not exceed: calls, tokens, money and time."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from time import perf_counter
from typing import Literal, TypeAlias

from cwm.core.errors import ConfigError

Resource: TypeAlias = Literal["calls", "tokens", "usd", "seconds"]

SETTINGS: dict[Resource, str] = {
    "calls": "call_budget",
    "tokens": "token_budget",
    "usd": "cost_budget",
    "seconds": "time_budget",
}
"""The setting that caps each resource, as the user types it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What something costs, or may cost at most.

    Attributes:
        calls: Answers asked for.
        tokens: Tokens sent and received.
        usd: Money, in US dollars.
    """

    calls: int = 0
    tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: "Spending") -> "Spending":
        return Spending(
            calls=self.calls + other.calls,
            tokens=self.tokens + other.tokens,
            usd=self.usd + other.usd,
        )

    def __sub__(self, other: "Spending") -> "Spending":
        return Spending(
            calls=self.calls - other.calls,
            tokens=self.tokens - other.tokens,
            usd=self.usd - other.usd,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps of a run; `None` is no cap.

    Attributes:
        calls: Answers; at least 1.
        tokens: Tokens sent and received together; at least 1.
        usd: Money, in US dollars; positive.
        seconds: Wall-clock time, in seconds, after which nothing more is asked;
            positive.
    """

    calls: int
    tokens: int | None = None
    usd: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            lowest = 1 if one.name in ("calls", "tokens") else 0
            if value is None or (value >= lowest and value > 0):
                continue
            rule = "be at least 1" if lowest else "be positive"
            name = SETTINGS[one.name]  # type: ignore[index]
            raise ConfigError(f"{name} must {rule}, got {value} ({one.name}).")


@dataclass(slots=True)
class Budget:
    """What a run has spent, and what is in the air, against its caps.

    Before a call its highest cost is reserved; afterwards the true cost takes its
    place. So calls that run at the same time cannot exceed a cap together, as long as
    no call costs more than was reserved for it.

    Attributes:
        limits: The caps.
        spent: What is paid.
        reserved: The highest cost of what runs.
        exhausted: The cap that refused a reservation last.
        clock: Seconds; the time that counts begins when the budget is made.
    """

    limits: Limits
    spent: Spending = field(default_factory=Spending)
    reserved: Spending = field(default_factory=Spending)
    exhausted: Resource | None = None
    clock: Callable[[], float] = perf_counter
    _start: float = field(init=False)

    def __post_init__(self) -> None:
        self._start = self.clock()

    @property
    def seconds(self) -> float:
        """Time since the beginning."""
        return self.clock() - self._start

    def allows(self, highest: Spending) -> bool:
        """Returns whether the caps allow a call that costs this at most."""
        total = self.spent + self.reserved + highest
        limits = self.limits
        checks: dict[Resource, bool] = {
            "calls": total.calls <= limits.calls,
            "tokens": limits.tokens is None or total.tokens <= limits.tokens,
            "usd": limits.usd is None or total.usd <= limits.usd,
            "seconds": limits.seconds is None or self.seconds < limits.seconds,
        }
        self.exhausted = next((name for name, fits in checks.items() if not fits), None)
        return self.exhausted is None

    def reserve(self, highest: Spending) -> bool:
        """Sets the highest cost of a call aside; returns whether the caps allow it."""
        is_allowed = self.allows(highest)
        if is_allowed:
            self.reserved += highest
        return is_allowed

    def settle(self, highest: Spending, actual: Spending) -> None:
        """Puts what a call has cost in the place of what was reserved for it."""
        self.reserved -= highest
        self.spent += actual

    def release(self, highest: Spending) -> None:
        """Gives back what was reserved for a call that failed."""
        self.reserved -= highest
