"""A language model as experimenter, and as a policy that is told a hypothesis."""

from collections.abc import Sequence

import numpy as np

from cwm.core.protocols import FloatArray
from cwm.core.seeding import child_rng, child_seed
from cwm.llm.scoring import ScoringModel, check_scoring
from cwm.providers.hypotheses.experimenters.scripted import number_by_words, play
from cwm.providers.hypotheses.roles import Assignment
from cwm.providers.hypotheses.statisticians.language_model import chat_messages
from cwm.providers.hypotheses.texts import TextTrajectory
from cwm.providers.hypotheses.worlds import TextWorld
from prompts.hypotheses import HypothesisPrompts


class LanguageModelExperimenter:
    """Draws actions by the probability that a language model gives to their words.

    `p(action) = exp(l(action)) / sum of exp(l)` over the legal actions, where `l` is
    the log-probability of the action's words and the end of the turn, as the answer to
    a prompt with the present hypothesis, the goal, the actions and the state. Words
    that occur repeatedly among the legal actions count once.
    """

    def __init__(
        self,
        model: ScoringModel,
        world: TextWorld,
        *,
        goal: str | None = None,
        max_steps: int | None = None,
    ) -> None:
        """Makes the experimenter.

        Args:
            model: Who scores actions; one call for each step.
            world: Where it acts.
            goal: What it is told to reach; by default the world's, empty for nothing.
            max_steps: Most steps of an episode; at least 1, by default the world's.

        Raises:
            ValueError: If `max_steps` is below 1.
        """
        if max_steps is not None and max_steps < 1:
            raise ValueError(f"max_steps must be at least 1, got {max_steps}.")
        self._model = model
        self._world = world
        self._prompts = HypothesisPrompts(world.prompts)
        self._goal = world.goal if goal is None else goal
        self._max_steps = min(max_steps or world.max_steps, world.max_steps)

    @property
    def name(self) -> str:
        """The model's id, as one that acts."""
        return f"llm ({self._model.name})"

    def check(self) -> None:
        """Makes sure that the model gives log-probabilities, before it is paid for.

        Raises:
            ConfigError: If it gives none.
            LLMError: If there is no answer.
        """
        check_scoring(self._model)

    def collect(self, assignment: Assignment) -> tuple[TextTrajectory, ...]:
        """Returns `num_trajectories` episodes, each from a seed of its own.

        Raises:
            LLMError: If a prompt does not fit into the context, or there is no answer.
        """
        env = self._world.open()
        rng = child_rng(assignment.seed, "actions")

        def choose(state: str, actions: Sequence[tuple[int, str]]) -> int:
            return self.policy(state, actions, rng, hypothesis=assignment.hypothesis)

        return tuple(
            play(
                env,
                choose,
                max_steps=self._max_steps,
                seed=child_seed(assignment.seed, "episode", number),
            )
            for number in range(assignment.num_trajectories)
        )

    def policy(
        self,
        state: str,
        actions: Sequence[tuple[int, str]],
        rng: np.random.Generator,
        *,
        hypothesis: str | None = None,
        greedy: bool = False,
    ) -> int:
        """Returns the number of a legal action.

        Args:
            state: What is seen.
            actions: The legal actions: numbers and words, some repeatedly; at least 1.
            rng: Source of all randomness; advanced by one draw, or not if `greedy`.
            hypothesis: What is to be believed; `None` for nothing.
            greedy: Whether the likeliest is taken, the first of several.

        Raises:
            ValueError: If there is no action.
            LLMError: If a prompt does not fit into the context, or there is no answer.
        """
        if not actions:
            raise ValueError("actions must hold a legal action, got none.")
        numbers = number_by_words(actions)
        chances = self.probabilities(state, list(numbers), hypothesis=hypothesis)
        place = int(chances.argmax()) if greedy else _draw(chances, rng)
        return list(numbers.values())[place]

    def probabilities(
        self, state: str, actions: Sequence[str], *, hypothesis: str | None = None
    ) -> FloatArray:
        """Returns the probability of each of `A` different actions, `[A]`."""
        prompt = self._prompts.experimenter(hypothesis, state, actions, goal=self._goal)
        found = self._model.log_probs(
            chat_messages(prompt), list(actions), end_of_turn=True
        )
        log_probs = np.array([one.total for one in found], dtype=np.float64)
        weights = np.exp(log_probs - log_probs.max())
        return np.asarray(weights / weights.sum(), dtype=np.float64)


def _draw(chances: FloatArray, rng: np.random.Generator) -> int:
    place = int(np.searchsorted(chances.cumsum(), rng.random(), side="right"))
    return min(place, len(chances) - 1)
