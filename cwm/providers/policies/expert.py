"""A trained agent as the one who chooses what is recorded."""

from typing import Any

from cwm.core.errors import ConfigError
from cwm.core.seeding import child_rng
from cwm.core.spaces import Value
from cwm.providers.policies.agents.base import Agent
from cwm.providers.policies.episodes import TextEpisodes
from envs.spec import EnvSpec

IN_WORDS, OBSERVED = "cwm/BabyAI-", "cwm/PrivilegedBabyAI-"


class AgentExpert:
    """Takes the actions of an agent; an `envs.collect.Expert`.

    The agent sees the level in words, whatever is recorded: the same seed gives the
    same episode where all of it is observed.

    Args:
        agent: Who acts.
        spec: A level of BabyAI, in words or with all of it observed.
        kwargs: Keyword arguments of its constructor, in words; they say in which the
            agent reads it.
        window: Most observations that the agent is shown.

    Raises:
        ConfigError: If it is another environment.
    """

    def __init__(
        self, agent: Agent, spec: EnvSpec, kwargs: dict[str, Any], *, window: int
    ) -> None:
        if not spec.id.startswith((IN_WORDS, OBSERVED)):
            raise ConfigError(
                "expert plays levels of BabyAI only (cwm/BabyAI-... or "
                f"cwm/PrivilegedBabyAI-...), got env {spec.id!r}."
            )
        self.policy = agent.name
        self._agent = agent
        self._episodes = TextEpisodes(
            spec.id.replace(OBSERVED, IN_WORDS),
            1,
            kwargs,
            window=window,
            images=agent.needs_images,
        )

    def actions(self, seed: int, length: int) -> list[Value]:
        """Returns what the agent does after `reset(seed)`; at least one action."""
        rng = child_rng(seed, "expert")
        views = self._episodes.reset([seed])
        taken: list[Value] = []
        while len(taken) < length:
            action = int(self._agent.act(views, rng)[0])
            taken.append(action)
            found = self._episodes.step([action])
            if found.ended:
                break
            views = found.views
        return taken
