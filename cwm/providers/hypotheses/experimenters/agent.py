"""An agent that was trained in BabyAI, as experimenter."""

from collections.abc import Sequence

import numpy as np

from cwm.core.errors import ConfigError
from cwm.core.seeding import child_rng, child_seed
from cwm.providers.hypotheses.experimenters.scripted import number_by_words, play
from cwm.providers.hypotheses.roles import Assignment
from cwm.providers.hypotheses.texts import TextTrajectory
from cwm.providers.hypotheses.worlds import TextWorld
from cwm.providers.policies.agents.base import Agent
from cwm.providers.policies.agents.network import NetworkAgent
from cwm.providers.policies.networks.base import PolicyNetwork
from cwm.providers.policies.networks.config import NetworkConfig
from cwm.providers.policies.networks.language import LanguageNetwork
from cwm.providers.policies.views import View
from prompts.glam import History

NO_GOAL = "see what comes of it"
"""What an agent is told to do in a world that has no goal."""


class AgentExperimenter:
    """Draws actions as a trained network scores their words.

    It is shown what an agent in BabyAI is shown: a goal, the last observations in
    sentences, what was done between them, and the names of the actions, here the
    different words of the legal ones, all without full stops, as BabyAI is told. Words
    that occur repeatedly among the legal actions count once. It is told no hypothesis,
    and does not learn.

    An agent that was trained in BabyAI has never seen such a world. One from scratch
    knows BabyAI's words alone and takes each other word for the same one, so that it
    cannot tell a carrot seed from a berry seed; a pretrained one reads them all.
    """

    def __init__(
        self,
        network: PolicyNetwork,
        settings: NetworkConfig,
        world: TextWorld,
        *,
        num_frames: int,
        goal: str | None = None,
    ) -> None:
        """Makes the experimenter.

        Args:
            network: Who scores words; one call for each step.
            settings: Its settings, as `complete` returns them; `window` is how many
                states it is shown.
            world: Where it acts.
            num_frames: Steps that it has learned from, for its name.
            goal: What it is told to reach; by default the world's, and `NO_GOAL` in a
                world without one.

        Raises:
            ConfigError: If the network can take the actions of BabyAI only.
        """
        if not isinstance(network, LanguageNetwork) or settings.head != "scores":
            what = network.name
            if isinstance(network, LanguageNetwork):
                what += f" with head {settings.head}"
            raise ConfigError(
                "agent must be a run whose network scores the words of any action "
                "(policy scratch, hf: or gguf:, with network.head scores), got "
                f"{what}, which chooses among the actions of its level only."
            )
        assert settings.window is not None, "complete fills it in"
        self.name = f"agent ({network.name}, {num_frames:,} frames)"
        self._agent = NetworkAgent(network)
        self._window = settings.window
        self._world = world
        self._goal = (world.goal if goal is None else goal) or NO_GOAL

    def collect(self, assignment: Assignment) -> tuple[TextTrajectory, ...]:
        """Returns `num_trajectories` episodes, each from a seed of its own.

        Raises:
            LLMError: If what is shown does not fit into the network's context.
        """
        env = self._world.open()
        rng = child_rng(assignment.seed, "actions")
        return tuple(
            play(
                env,
                _Episode(self._agent, self._goal, self._window, rng).choose,
                max_steps=self._world.max_steps,
                seed=child_seed(assignment.seed, "episode", number),
            )
            for number in range(assignment.num_trajectories)
        )


class _Episode:
    """Who chooses in one episode, and remembers what has been seen and done in it."""

    def __init__(
        self, agent: Agent, goal: str, window: int, rng: np.random.Generator
    ) -> None:
        self._agent, self._goal, self._window = agent, goal, window
        self._rng = rng
        self._history: History | None = None
        self._done = ""

    def choose(self, state: str, actions: Sequence[tuple[int, str]]) -> int:
        """Returns the number of a legal action; the generator makes one draw."""
        sentences = _bare(state).split(". ")
        if self._history is None:
            self._history = History.begin(sentences, self._window)
        else:
            self._history = self._history.after(self._done, sentences)
        numbers = number_by_words((number, _bare(words)) for number, words in actions)
        names = tuple(numbers)
        view = View(goal=self._goal, history=self._history, actions=names)
        self._done = names[int(self._agent.act([view], self._rng)[0])]
        return numbers[self._done]


def _bare(text: str) -> str:
    """Returns a text without its last full stop."""
    return text.removesuffix(".")
