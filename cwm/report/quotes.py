"""What a run would cost, before it begins."""

from dataclasses import dataclass
from typing import Any

from cwm.core.proposals import Usage
from cwm.execution.budget import Limits


@dataclass(frozen=True, kw_only=True)
class Quote:
    """What a run would cost if it used all its calls.

    Attributes:
        proposer: Who would be asked.
        limits: What the run may spend.
        expected: What a call is expected to cost.
        highest: What a call may cost at most.
    """

    proposer: str
    limits: Limits
    expected: Usage
    highest: Usage

    def to_json(self) -> dict[str, Any]:
        """Returns the quote as plain data."""
        return {
            "made_by": self.proposer,
            "calls": self.limits.calls,
            "expected": _total(self.expected, self.limits),
            "highest": _total(self.highest, self.limits),
            "token_budget": self.limits.tokens,
            "cost_budget": self.limits.usd,
            "time_budget": self.limits.seconds,
        }

    def lines(self) -> list[str]:
        """Returns the quote for people."""
        lines = [f"made by: {self.proposer}", f"calls: at most {self.limits.calls}"]
        if not self.highest.prompt_tokens:
            return [*lines, "No language model is asked: no tokens, no cost."]
        for name, usage in (("expected", self.expected), ("at most", self.highest)):
            total = _total(usage, self.limits)
            cost = "price not known"
            if total["usd"] is not None:
                cost = f"${total['usd']:.2f}"
            lines.append(
                f"{name}: {total['prompt_tokens']:,} tokens sent, "
                f"{total['completion_tokens']:,} received, {cost}"
            )
        caps = {
            "token budget": self.limits.tokens,
            "cost budget, in dollars": self.limits.usd,
            "time budget, in seconds": self.limits.seconds,
        }
        lines += [f"{name}: {cap}" for name, cap in caps.items() if cap is not None]
        return [*lines, "A search ends before its last call when a program is perfect."]


def _total(usage: Usage, limits: Limits) -> dict[str, Any]:
    return {
        "prompt_tokens": limits.calls * usage.prompt_tokens,
        "completion_tokens": limits.calls * usage.completion_tokens,
        "usd": None if usage.usd is None else limits.calls * usage.usd,
    }
