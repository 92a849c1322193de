"""What the three roles of hypothesis induction are asked.

Covers: the messages to statistician, scientist and experimenter, of the structure of
    Levy et al., 2025 (https://arxiv.org/abs/2506.06725), in sentences of our own.
Does not cover: reading answers. A hypothesis is a whole answer as it stands, and
    predictions and actions are scored, not written.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Protocol

from prompts.fill import fill
from prompts.render import Prompt

_PLACE = "hypotheses"


class ShownTrajectory(Protocol):
    """An episode in words."""

    @property
    def states(self) -> Sequence[str]:
        """`T + 1` texts; of these, the first is shown."""
        ...

    @property
    def actions(self) -> Sequence[str]:
        """`T` actions."""
        ...

    @property
    def changes(self) -> Sequence[str]:
        """`T` sentences, what came of each action."""
        ...


@dataclass(frozen=True, slots=True)
class HypothesisPrompts:
    """The prompts of one environment.

    A blank hypothesis is none: the prompt is the same as without one.

    Attributes:
        folder: Folder of the environment's templates in
            `prompts/templates/hypotheses`; those that it lacks are the ones beside it.
    """

    folder: str

    def __post_init__(self) -> None:
        known = sorted(
            one.name for one in (_templates() / _PLACE).iterdir() if one.is_dir()
        )
        if self.folder not in known:
            raise ValueError(
                f"folder must be one of {', '.join(known)}, got {self.folder!r}."
            )

    def statistician(self, hypothesis: str | None, state: str, action: str) -> Prompt:
        """Returns the prompt whose answer is what changes.

        The hypothesis stands before the state, so that what stands before the state
        is the same for all transitions and has to be read once.

        Args:
            hypothesis: What is to be believed; `None` for nothing.
            state: What is seen before the action.
            action: The action in words.
        """
        known = self._known(hypothesis)
        return self._prompt("statistician", known=known, state=state, action=action)

    def scientist(
        self,
        trajectories: Sequence[ShownTrajectory],
        *,
        previous: str | None = None,
        worst: Sequence[ShownTrajectory] = (),
        max_steps: int | None = None,
    ) -> Prompt:
        """Returns the prompt whose answer is a hypothesis.

        Args:
            trajectories: What was found out; of each, the first state, then action
                and change of every step.
            previous: The hypothesis to begin from; `None` for nothing.
            worst: Trajectories to be shown once more, as those that the previous
                hypothesis explains worst; without one they are left out.
            max_steps: Of each trajectory only so many first steps are shown; at least
                1, `None` is all.
        """
        told = ""
        if _is_said(previous):
            told = "\n\n" + self._text("previous", hypothesis=previous or "")
            if worst:
                again = _tell(worst, max_steps)
                told += "\n\n" + self._text("worst", trajectories=again)
        return self._prompt(
            "scientist", trajectories=_tell(trajectories, max_steps), previous=told
        )

    def experimenter(
        self,
        hypothesis: str | None,
        state: str,
        actions: Sequence[str],
        *,
        goal: str = "",
    ) -> Prompt:
        """Returns the prompt whose answer is an action.

        Args:
            hypothesis: What is to be believed; `None` for nothing.
            state: What is seen.
            actions: What can be done.
            goal: What is to be reached; empty for nothing.
        """
        return self._prompt(
            "experimenter",
            known=self._known(hypothesis),
            goal=self._text("goal", goal=goal) + "\n\n" if goal else "",
            actions="\n".join(f"- {action}" for action in actions),
            state=state,
        )

    def _known(self, hypothesis: str | None) -> str:
        if not _is_said(hypothesis):
            return ""
        return self._text("known", hypothesis=hypothesis or "") + "\n\n"

    def _prompt(self, name: str, **fields: str) -> Prompt:
        description = self._text("description")
        return Prompt(
            system=self._text("system"),
            user=self._text(name, description=description, **fields),
        )

    def _text(self, name: str, **fields: str) -> str:
        return _filled(self.folder, name, tuple(fields.items()))


@lru_cache(maxsize=256)
def _filled(folder: str, name: str, fields: tuple[tuple[str, str], ...]) -> str:
    """Returns a text of an environment; its constant parts are in every prompt."""
    own = f"{_PLACE}/{folder}/{name}"
    is_own = _templates().joinpath(*f"{own}.md".split("/")).is_file()
    return fill(own if is_own else f"{_PLACE}/{name}", dict(fields)).strip()


def _templates() -> Traversable:
    return files("prompts") / "templates"


def _is_said(hypothesis: str | None) -> bool:
    return hypothesis is not None and bool(hypothesis.strip())


def _tell(trajectories: Iterable[ShownTrajectory], max_steps: int | None) -> str:
    """Returns the trajectories as text; those of one step take one line each."""
    shown = list(trajectories)
    if all(len(one.changes) <= 1 for one in shown):
        return "\n".join(f"- {_tell_line(one)}" for one in shown)
    return "\n\n".join(
        _tell_steps(number, one, max_steps) for number, one in enumerate(shown, start=1)
    )


def _tell_line(one: ShownTrajectory) -> str:
    return " ".join([one.states[0], *one.actions, *one.changes])


def _tell_steps(number: int, one: ShownTrajectory, max_steps: int | None) -> str:
    steps = list(zip(one.actions, one.changes, strict=True))[:max_steps]
    lines = [f"Experience {number}", f"At first you see: {one.states[0]}"]
    for action, change in steps:
        lines += [f"What you do: {action}", f"What changes: {change}"]
    return "\n".join(lines)
