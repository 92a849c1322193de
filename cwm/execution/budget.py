"""Resources that a run must not exceed."""

from dataclasses import dataclass, field

from cwm.core.errors import BudgetExhausted, ConfigError


@dataclass(slots=True)
class Budget:
    """A count of something that may be used up to a limit.

    Attributes:
        name: The setting that holds the limit, as the user typed it.
        limit: How much may be used; at least 1.
        unit: What is counted, in the plural: `"calls"`, `"tokens"`.
        used: How much has been used so far; never more than `limit`.
    """

    name: str
    limit: int
    unit: str
    used: int = field(default=0)

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ConfigError(
                f"{self.name} must be at least 1, got {self.limit} ({self.unit})."
            )
        if not 0 <= self.used <= self.limit:
            raise ConfigError(
                f"{self.name} must be at least what is used already "
                f"({self.used} {self.unit}), got {self.limit}."
            )

    @property
    def remaining(self) -> int:
        """How much may still be used."""
        return self.limit - self.used

    def spend(self, amount: int = 1) -> None:
        """Uses some of it, all or nothing.

        Args:
            amount: At least 0.

        Raises:
            BudgetExhausted: If less than `amount` remains; nothing is used then.
        """
        if amount < 0:
            raise ValueError(f"amount must be at least 0, got {amount} ({self.unit}).")
        if amount > self.remaining:
            raise BudgetExhausted(
                f"{self.used} of {self.limit} {self.unit} used ({self.name}), "
                f"{amount} more needed."
            )
        self.used += amount
