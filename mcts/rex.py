"""REx, the search of WorldCoder: which candidate to refine is a bandit problem.

Tang et al., NeurIPS 2024 (https://arxiv.org/abs/2405.17503). As the search of
WorldCoder (Tang et al., https://arxiv.org/abs/2402.12275) it is the rival that
Dainese et al. (https://arxiv.org/abs/2405.15383) compare GIF-MCTS with.

The first expansion generates. Each further one draws a number from

    Beta(1 + C * value + successes, 1 + C * (1 - value) + failures)

for each candidate and refines the one of the highest: `fix` if it failed, else
`improve`. Successes and failures are those among the candidate's own refinements:
a value of 1 is a success, any other a failure.

Ours: a refinement in flight counts as a failure until it is told, so that several
at a time spread over the candidates; a terminal candidate is never refined; and if
all are terminal, the search generates again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np

from mcts.beta_arms import BetaArms
from mcts.growing import GrowingSearch, back_up, check_setting, refinement
from mcts.rng import rng_from_json, rng_to_json
from mcts.search import Kind
from mcts.tree import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class RexConfig:
    """Settings of REx; the default is that of WorldCoder in the paper on GIF-MCTS.

    Attributes:
        value_weight: Weight `C` of a candidate's own value, in results that it
            counts as; at least 0, where only failures tell candidates apart. The
            larger, the longer good candidates are refined in vain.
    """

    value_weight: float = 5.0

    def __post_init__(self) -> None:
        check_setting(
            "value_weight", self.value_weight, "be at least 0 and finite", 0.0
        )


class RexSearch(GrowingSearch):
    """The search tree of REx; see `mcts.search.TreeSearch`.

    Attributes:
        config: Settings.
        rng: Draws from the posteriors; of `np.random.default_rng`'s kind. Advanced
            by `ask`, by one draw for each candidate that may be refined.
    """

    name: ClassVar[str] = "worldcoder"

    def __init__(self, config: RexConfig, rng: np.random.Generator) -> None:
        super().__init__()
        rng_to_json(rng)  # Refuses early what could not be saved later.
        self.config = config
        self.rng = rng
        self._arms = BetaArms()
        self._arm_nodes: list[Node] = []
        self._arm_of: dict[int, int] = {}
        self._num_successes: dict[int, int] = {}

    def posterior(self, node: Node) -> tuple[float, float]:
        """Returns both parameters of a candidate's Beta distribution."""
        weight = self.config.value_weight
        successes = self._num_successes.get(node.node_id, 0)
        # Whatever was asked of it and is no success is a failure, in flight or not.
        failures = self.num_asked(node, refinement(node)) - successes
        return (
            1.0 + weight * node.value + successes,
            1.0 + weight * (1.0 - node.value) + failures,
        )

    def _choose(self) -> tuple[Node, Kind] | None:
        if self._arm_nodes:
            node = self._arm_nodes[self._arms.draw(self.rng)]
            return node, refinement(node)
        return None if self.outstanding else (self.tree.root, "generate")

    def _note_ask(self, parent: Node) -> None:
        self._refresh(parent)

    def _learn(self, node: Node) -> None:
        back_up(self.tree, node)
        self._take_in(node)

    def _recall(self) -> None:
        for node in self.tree.nodes[1:]:
            self._take_in(node)

    def _take_in(self, node: Node) -> None:
        """Adds a node to the candidates, and what it says about its parent."""
        parent = self.tree.nodes[node.parent_id or 0]
        if node.value == 1.0:
            successes = self._num_successes.get(parent.node_id, 0)
            self._num_successes[parent.node_id] = successes + 1
        self._refresh(parent)
        if not node.is_terminal:
            self._arm_of[node.node_id] = len(self._arms)
            self._arm_nodes.append(node)
            self._arms.add(*self.posterior(node))

    def _refresh(self, node: Node) -> None:
        if node.node_id in self._arm_of:  # The root is no candidate.
            self._arms.set(self._arm_of[node.node_id], *self.posterior(node))

    def _state_to_json(self) -> dict[str, Any]:
        return {"config": asdict(self.config), "rng": rng_to_json(self.rng)}

    @classmethod
    def _from_state(cls, data: Mapping[str, Any]) -> Self:
        return cls(RexConfig(**data["config"]), rng_from_json(data["rng"]))
