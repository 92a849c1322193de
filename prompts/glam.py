r"""GLAM's prompt: what an agent reads before its actions are scored.

Carta et al., "Grounding Large Language Models in Interactive Environments with Online
Reinforcement Learning", ICML 2023 (https://arxiv.org/abs/2302.02662), to the letter of
its code: a blank before and after each newline, `", "` after each sentence, the last
one too, and a blank at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

DEFAULT_WINDOW = 3
"""Observations in the published prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptWording:
    """What stands around actions, goal and observations.

    Attributes:
        actions: Before the possible actions.
        goal: Before the goal.
        observation: Before the number of an observation.
        action: Before the number of an action.
    """

    actions: str = "Possible action of the agent:"
    goal: str = "Goal of the agent:"
    observation: str = "Observation"
    action: str = "Action"


ENGLISH = PromptWording()
FRENCH = PromptWording(
    actions="Actions possibles pour l'agent:", goal="But de l'agent:"
)

WORDINGS: dict[str, PromptWording] = {
    "english": ENGLISH,
    "french": FRENCH,
    "first-person-speaker": replace(ENGLISH, goal="I would like the agent to:"),
    "first-person-agent": replace(ENGLISH, goal="You have to:"),
}
"""Named wordings; the last two are tests of generalisation."""


def prompt(
    goal: str,
    actions: Sequence[str],
    observations: Sequence[Sequence[str]],
    actions_done: Sequence[str],
    wording: PromptWording = ENGLISH,
) -> str:
    """Returns the prompt; the text of an action is to follow it.

    Args:
        goal: What the agent is to do.
        actions: Names of all actions, in the order of the configuration.
        observations: The last ones, oldest first, each a list of sentences; at least
            one. They are numbered from 0 within the prompt.
        actions_done: What was done after each of them but the last.
        wording: What stands around them.

    Raises:
        ValueError: If there is not one action less than observations.
    """
    if len(actions_done) != len(observations) - 1:
        raise ValueError(
            "actions_done must be one less than the observations "
            f"({len(observations)}), got {len(actions_done)}."
        )
    text = f"{wording.actions} {', '.join(actions)} \n {wording.goal} {goal}"
    for index, sentences in enumerate(observations):
        told = "".join(f"{sentence}, " for sentence in sentences)
        done = actions_done[index] if index < len(actions_done) else ""
        text += f" \n {wording.observation} {index}: {told}"
        text += f"\n {wording.action} {index}: {done}"
    return text


def short_prompt(
    goal: str, observations: Sequence[Sequence[str]], actions_done: Sequence[str]
) -> str:
    """Returns a prompt without the list of actions, for small models.

    With one observation it is that of lamorel's PPO example, but for the blank at its
    end.

    Args:
        goal: What the agent is to do.
        observations: The last ones, oldest first, each a list of sentences.
        actions_done: What was done after each of them but the last.
    """
    lines = [f"Goal of the agent: {goal}"]
    for index, sentences in enumerate(observations):
        lines.append(f"Observation: {', '.join(sentences)}")
        done = actions_done[index] if index < len(actions_done) else ""
        lines.append(f"Action: {done}")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What an agent remembers of an episode; never changed, so that trees can share it.

    Attributes:
        observations: The last observations, oldest first; at least one.
        actions_done: What was done between them.
        window: Most observations; at least 1.
    """

    observations: tuple[tuple[str, ...], ...]
    actions_done: tuple[str, ...] = ()
    window: int = DEFAULT_WINDOW

    @classmethod
    def begin(cls, sentences: Sequence[str], window: int = DEFAULT_WINDOW) -> "History":
        """Returns the history of an episode that has just begun."""
        if window < 1:
            raise ValueError(f"window must be at least 1 observation, got {window}.")
        return cls(observations=(tuple(sentences),), window=window)

    def after(self, action: str, sentences: Sequence[str]) -> "History":
        """Returns the history one step later."""
        observations = (*self.observations, tuple(sentences))[-self.window :]
        actions_done = (*self.actions_done, action)
        first = len(actions_done) - (len(observations) - 1)
        return replace(
            self, observations=observations, actions_done=actions_done[first:]
        )

    def prompt(
        self, goal: str, actions: Sequence[str], wording: PromptWording = ENGLISH
    ) -> str:
        """Returns the prompt at this point."""
        return prompt(goal, actions, self.observations, self.actions_done, wording)
