"""Acting as a network says."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cwm.core.errors import ConfigError
from cwm.llm.local.packages import LazyPackage
from cwm.providers.policies.agents.drawing import sample_actions
from cwm.providers.policies.networks.base import PolicyNetwork
from cwm.providers.policies.views import View

torch = LazyPackage("torch")


class NetworkAgent:
    """Draws actions with the probabilities of a network; an `Agent`.

    Args:
        network: Gives probabilities; its weights are read at each call.
        greedy: Whether the most probable action is taken, the first of several,
            instead of a draw.
        temperature: Log-probabilities are divided by it before they are normalised
            again: below 1, probable actions become more so. Above 0.
        batch_size: Most views that the network sees at once; at least 1. Views with
            prompts of similar lengths go together.

    Raises:
        ConfigError: If a number is too small.
    """

    def __init__(
        self,
        network: PolicyNetwork,
        *,
        greedy: bool = False,
        temperature: float = 1.0,
        batch_size: int = 64,
    ) -> None:
        if not 0.0 < temperature < np.inf:
            raise ConfigError(
                f"temperature must be positive and finite, got {temperature!r}."
            )
        if batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, got {batch_size}.")
        self.network = network
        self.name = network.name
        self.needs_images = network.needs_images
        self.greedy = greedy
        self.temperature = temperature
        self.batch_size = batch_size

    def act(self, views: Sequence[View], rng: np.random.Generator) -> NDArray[np.int64]:
        """Returns an action for each view, `[N]`.

        Args:
            views: All with the same actions.
            rng: Advanced by one draw for each, whatever the batches; not used if the
                agent is greedy.
        """
        log_probs = self._log_probs(views)
        if self.greedy:
            return np.asarray(log_probs.argmax(axis=1), dtype=np.int64)
        scaled = log_probs / self.temperature
        return sample_actions(scaled - scaled.max(axis=1, keepdims=True), rng)

    def _log_probs(self, views: Sequence[View]) -> NDArray[np.float64]:
        """Returns `[N, A]`, computed in batches of similar lengths."""
        lengths = [len(view.prompt()) for view in views]
        order = np.argsort(lengths, kind="stable")
        found = np.empty((len(views), len(views[0].actions)))
        with torch.inference_mode():
            for start in range(0, len(views), self.batch_size):
                chosen = order[start : start + self.batch_size]
                evaluated = self.network.evaluate([views[int(i)] for i in chosen])
                found[chosen] = evaluated.log_probs.cpu().numpy()
        return found
