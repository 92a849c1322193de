"""The rows of an evaluation: who acts, told what, guided by what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cwm.core.errors import ConfigError

AgentKind: TypeAlias = Literal[
    "random", "expert", "untrained", "plain", "task", "kind", "explicit"
]
"""Who acts: two that know no language; the language model as it is; trained without
knowledge; with that of each game; with one text for each kind of task; with that of
each game and with the state in what it reads."""

TrainedAgent: TypeAlias = Literal["plain", "task", "kind", "explicit"]

Told: TypeAlias = Literal["nothing", "model", "oracle", "kind"]
"""Task knowledge in what the agent reads: none; what the knowledge model says; what the
writer says of this very game, having seen its expert; the text of the kind of task."""

StateUse: TypeAlias = Literal["none", "base", "context"]
"""What state knowledge does: nothing; finds moments in the state base; is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A player of an evaluation.

    Attributes:
        agent: Who acts.
        told: What task knowledge it is told.
        state: What state knowledge does.
        released: Whether the next verb is the one whose first token the agent likes
            best, the state base without weight, as the published code has it.
        about: What the row stands for, in words.
    """

    agent: AgentKind
    told: Told = "nothing"
    state: StateUse = "none"
    released: bool = False
    about: str

    @property
    def needs_knowledge(self) -> bool:
        """Whether a knowledge model is asked."""
        return self.told == "model" or self.state != "none"


ROWS: Mapping[str, Row] = {
    "random": Row(agent="random", about="any legal command"),
    "expert": Row(agent="expert", about="the ceiling"),
    "prompted": Row(agent="untrained", about="the language model as it is"),
    "prompted-task": Row(
        agent="untrained",
        told="model",
        about="the language model as it is, told what the knowledge model says",
    ),
    "none": Row(agent="plain", about="trained on the experts, without knowledge (SFT)"),
    "state": Row(agent="plain", state="base", about="state knowledge only"),
    "task": Row(agent="task", told="model", about="task knowledge only"),
    "wkm": Row(agent="task", told="model", state="base", about="both: the paper's WKM"),
    "explicit": Row(
        agent="explicit",
        told="model",
        state="context",
        about="both, the state in what the agent reads",
    ),
    "released": Row(
        agent="task",
        state="base",
        released=True,
        about="as in the published code, the agent is not told the knowledge that it "
        "was trained with, and the state base has no weight (here verbs are legal)",
    ),
    "oracle": Row(
        agent="task",
        told="oracle",
        about="task knowledge written by who has seen this game's expert, and nothing "
        "that was explored",
    ),
    "kind": Row(
        agent="kind", told="kind", about="one task knowledge for each kind of task"
    ),
}
"""Rows by name, in the order of tables."""

DEFAULT_ROWS = ("random", "none", "state", "task", "wkm", "explicit", "oracle")

BASELINE = "none"
"""The row that the others are compared with, where it is played."""


def read_rows(names: Sequence[str]) -> dict[str, Row]:
    """Returns rows by name, in the order of tables.

    Raises:
        ConfigError: If there is none of a name, or no name.
    """
    unknown = [name for name in names if name not in ROWS]
    if unknown or not names:
        raise ConfigError(
            f"rows must be some of {', '.join(ROWS)}, got "
            f"{', '.join(unknown) or 'none'}."
        )
    return {name: row for name, row in ROWS.items() if name in names}


def agents_of(rows: Sequence[Row]) -> list[TrainedAgent]:
    """Returns the agents that rows need to be trained, each once."""
    trained: tuple[TrainedAgent, ...] = ("plain", "task", "kind", "explicit")
    return [kind for kind in trained if any(row.agent == kind for row in rows)]
