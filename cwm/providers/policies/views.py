"""What an agent knows when it is to act."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from prompts.glam import ENGLISH, History, PromptWording


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """One moment of an episode, as an agent is shown it.

    Attributes:
        goal: What the agent is to do, in words.
        history: The last observations, in sentences, and what was done between them.
        actions: The names of all actions; an agent answers with the index of one.
        images: The same observations as minigrid shows them, each `[7, 7, 3]`, oldest
            first; empty where nobody asked for them.
    """

    goal: str
    history: History
    actions: tuple[str, ...]
    images: tuple[NDArray[np.uint8], ...] = ()

    def prompt(self, wording: PromptWording = ENGLISH) -> str:
        """Returns what a language model reads before the actions are scored."""
        return self.history.prompt(self.goal, self.actions, wording)

    def after(
        self,
        action: int,
        sentences: list[str],
        image: NDArray[np.uint8] | None = None,
    ) -> "View":
        """Returns the view one step later in the same episode.

        Args:
            action: Index of what was done.
            sentences: What was seen then.
            image: The same as minigrid shows it, if images are kept.
        """
        images = () if image is None else (*self.images, image)[-self.history.window :]
        history = self.history.after(self.actions[action], sentences)
        return replace(self, history=history, images=images)
