"""AB-MCTS-A: at each node, a bandit decides between going wider and going deeper.

Inoue et al., "Wider or Deeper?", 2025 (https://arxiv.org/abs/2503.04412), the
variant A (node aggregation) with Beta posteriors. Where the paper leaves a choice,
the authors' own code decides (https://github.com/SakanaAI/treequest at e6865b7):
the prior, the order of decisions, and what is backed up where.

Every result `r` in `[0, 1]` (0 for a failure) is an observation that adds `r` to
the first and `1 - r` to the second parameter of a Beta distribution, whose prior is
Jeffreys', Beta(1/2, 1/2). A node X has

- wider: one distribution that observes the results of X's children;
- deeper: one that observes the results of everything below X's children;
- and for each child one that observes the child's result and all those below it.

From the root on: draw from `wider`, then from `deeper`. If the first is at least as
high, expand X. If not, draw from each child, oldest first, go to the one of the
highest and do the same there. A node without children is expanded.

Ours: expanding means `generate` at the root, and below it `improve`, or `fix` for a
failure. Terminal children are no option, and a node that has no others is expanded
without a draw. What is in flight counts nowhere, as in the authors' batches: the
draws spread expansions by themselves. There is one kind of generator here, so that
the paper's choice among several has nothing to decide.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np

from mcts.beta_arms import BetaArms
from mcts.growing import GrowingSearch, back_up, check_setting, refinement
from mcts.rng import rng_from_json, rng_to_json
from mcts.search import Kind
from mcts.tree import Node

Posterior: TypeAlias = tuple[float, float]
"""Both parameters of a Beta distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AbMctsConfig:
    """Settings of AB-MCTS-A; the defaults are those of the authors' code.

    Attributes:
        prior_successes: First parameter of every Beta distribution before there
            is a result; positive.
        prior_failures: Its second parameter; positive. The larger both are, the
            longer the search goes on at random.
    """

    prior_successes: float = 0.5
    prior_failures: float = 0.5

    def __post_init__(self) -> None:
        for name in ("prior_successes", "prior_failures"):
            value = getattr(self, name)
            check_setting(name, value, "be positive and finite", math.ulp(0.0))


@dataclass(slots=True)
class _Arms:
    """The distributions at one node.

    Attributes:
        wider_sum: Sum of the results of its children.
        deeper_sum: Sum of the results of everything below its children.
        num_deeper: Their number.
        children: The children that may be selected, as arms.
        child_ids: Their ids.
    """

    wider_sum: float = 0.0
    deeper_sum: float = 0.0
    num_deeper: int = 0
    children: BetaArms = field(default_factory=BetaArms)
    child_ids: list[int] = field(default_factory=list)


class AbMcts(GrowingSearch):
    """The search tree of AB-MCTS-A; see `mcts.search.TreeSearch`.

    Attributes:
        config: Settings.
        rng: Draws from the posteriors; of `np.random.default_rng`'s kind. Advanced
            by `ask`.
    """

    name: ClassVar[str] = "ab-mcts"

    def __init__(self, config: AbMctsConfig, rng: np.random.Generator) -> None:
        super().__init__()
        rng_to_json(rng)  # Refuses early what could not be saved later.
        self.config = config
        self.rng = rng
        self._arms: dict[int, _Arms] = defaultdict(_Arms)
        self._rank: dict[int, int] = {}

    def wider(self, node: Node) -> Posterior:
        """Returns what is known about new children of a node."""
        return self._posterior(self._arms_of(node).wider_sum, len(node.children))

    def deeper(self, node: Node) -> Posterior:
        """Returns what is known about refining a node's children further."""
        arms = self._arms_of(node)
        return self._posterior(arms.deeper_sum, arms.num_deeper)

    def below(self, child: Node) -> Posterior:
        """Returns what is known about one child: its result and all below it."""
        return self._posterior(child.value_sum, child.visit_count)

    def _posterior(self, total: float, count: int) -> Posterior:
        config = self.config
        return config.prior_successes + total, config.prior_failures + (count - total)

    def _arms_of(self, node: Node) -> _Arms:
        return self._arms.get(node.node_id) or _Arms()

    def _choose(self) -> tuple[Node, Kind] | None:
        node = self.tree.root
        while (arms := self._arms_of(node)).child_ids:
            is_wider = self.rng.beta(*self.wider(node)) >= self.rng.beta(
                *self.deeper(node)
            )
            if is_wider:
                break
            node = self.tree.nodes[arms.child_ids[arms.children.draw(self.rng)]]
        return node, "generate" if node.parent_id is None else refinement(node)

    def _learn(self, node: Node) -> None:
        back_up(self.tree, node)
        self._take_in(node)

    def _recall(self) -> None:
        # In the order of the tells, so that all sums are rounded as they were.
        for node in self.tree.nodes[1:]:
            self._take_in(node)

    def _take_in(self, node: Node) -> None:
        """Adds a node to the options, and its result to the nodes above it."""
        path = self.tree.path(node)
        parent = self._arms[path[-2].node_id]
        parent.wider_sum += node.value
        for ancestor in path[:-2]:
            arms = self._arms[ancestor.node_id]
            arms.deeper_sum += node.value
            arms.num_deeper += 1
        if not node.is_terminal:
            self._rank[node.node_id] = len(parent.child_ids)
            parent.child_ids.append(node.node_id)
            parent.children.add(*self.below(node))
        for above, child in pairwise(path[:-1]):
            arms = self._arms[above.node_id]
            arms.children.set(self._rank[child.node_id], *self.below(child))

    def _state_to_json(self) -> dict[str, Any]:
        return {"config": asdict(self.config), "rng": rng_to_json(self.rng)}

    @classmethod
    def _from_state(cls, data: Mapping[str, Any]) -> Self:
        return cls(AbMctsConfig(**data["config"]), rng_from_json(data["rng"]))
