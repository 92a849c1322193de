"""A decider that says what a test told it to."""

from collections.abc import Callable
from typing import Self

from cwm.evaluation.decisions import Decision, Situation
from planners.planner import Plan

Script = Callable[[Situation], Plan | str]
"""What to plan, or why there is no plan."""


class ScriptedDecider:
    """Decides by a script, and remembers what it was asked.

    Attributes:
        situations: All it was asked about.
        kept: Whether the plan before was kept, each time.
        seeds: Seeds of the episodes that began.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self.situations: list[Situation] = []
        self.kept: list[bool] = []
        self.seeds: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def begin(self, seed: int) -> None:
        """Notes the seed."""
        self.seeds.append(seed)

    def decide(self, situation: Situation, *, keeps_plan: bool = True) -> Decision:
        """Returns what the script says, after a hundredth of a second."""
        self.situations.append(situation)
        self.kept.append(keeps_plan)
        said = self._script(situation)
        if isinstance(said, str):
            return Decision(plan=None, failure=said, seconds=0.01)
        return Decision(plan=said, seconds=0.01)
