"""Fixed moments at which a network is asked again and again while it learns."""

from typing import Any

from cwm.llm.local.packages import LazyPackage
from cwm.providers.policies.episodes import EpisodeSource
from cwm.providers.policies.networks.base import PolicyNetwork

torch = LazyPackage("torch")

SEEDS = (0, 1, 2, 3)
"""Episodes whose first moment is asked about."""


class Probes:
    """The first moments of some episodes, and what a network says of them.

    Args:
        source: Gives the episodes; one environment.
        network: Is asked.
    """

    def __init__(self, source: EpisodeSource, network: PolicyNetwork) -> None:
        self._views = [source.reset([seed])[0] for seed in SEEDS]
        self._network = network

    def ask(self) -> dict[str, Any]:
        """Returns goals, probabilities of all actions and values, as plain data."""
        with torch.inference_mode():
            given = self._network.evaluate(self._views)
        return {
            "goals": [view.goal for view in self._views],
            "actions": list(self._views[0].actions),
            "probabilities": given.log_probs.exp().cpu().numpy().round(5).tolist(),
            "values": given.values.cpu().numpy().round(5).tolist(),
        }
