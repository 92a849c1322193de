"""GIF-MCTS: tree search whose actions generate, improve or fix a candidate.

Dainese et al., "Generating Code World Models with Large Language Models Guided by
Monte Carlo Tree Search", NeurIPS 2024 (https://arxiv.org/abs/2405.15383, Section 4).
Several expansions at a time as in WU-UCT: Liu et al., "Watch the Unobserved: A
Simple Approach to Parallelizing Monte Carlo Tree Search", ICLR 2020
(https://arxiv.org/abs/1810.11755). What is in flight counts as a visit in the
exploration term and nowhere else.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np

from mcts.frontier import Frontier
from mcts.growing import GrowingSearch, as_kind, check_setting, fix_chain
from mcts.kind_statistics import KindStatistics
from mcts.rng import rng_from_json, rng_to_json
from mcts.search import KINDS, Kind
from mcts.tree import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class GifConfig:
    """Settings of GIF-MCTS; the defaults are the paper's.

    Attributes:
        exploration: Weight `c` of the term `c * sqrt(ln N / (n + epsilon))`, where
            a node has `N` visits and its child `n`; at least 0. At 0 the search
            always follows the highest estimate.
        epsilon: Added to the child's visits in that term; positive, since an
            untried child can have no visit.
        widening: Whether a node offers one more `generate` and `improve` however
            many it has (progressive widening). If not, it has at most one child of
            a kind, and the search can come to an end.
        num_fixes: Fix attempts for a fresh bug; at least 0, where every bug is a
            dead end.
        max_bug_value: Mean value, in `[0, 1]`, that a bug with all its fixes left
            is given in advance. With fewer left it is evenly less, down to 0.
        prior_generate: Value, in `[0, 1]`, that is expected of `generate` before
            there is a result.
        prior_improve: Value, in `[0, 1]`, that is expected of `improve` before
            there is a result.
        prior_fix: Value, in `[0, 1]`, that is expected of `fix` before there is a
            result.
        prior_count: How many results these priors count as; at least 1.
        weight_global: Weight of the mean over the whole tree in the estimate of an
            untried child; positive. The search starts from it and adjusts it.
        weight_local: Weight of the mean over siblings in the same estimate;
            positive. The search starts from it and adjusts it.
        kinds: The kinds that may be asked, for ablations. The root generates
            whatever stands here. Without `fix` every bug is a dead end.
    """

    exploration: float = 0.1
    epsilon: float = 1.0
    widening: bool = True
    num_fixes: int = 3
    max_bug_value: float = 0.99
    prior_generate: float = 0.5
    prior_improve: float = 0.55
    prior_fix: float = 0.5
    prior_count: int = 2
    weight_global: float = 0.5
    weight_local: float = 0.5
    kinds: tuple[Kind, ...] = KINDS

    def __post_init__(self) -> None:
        for name in ("max_bug_value", "prior_generate", "prior_improve", "prior_fix"):
            check_setting(name, getattr(self, name), "be between 0 and 1", 0.0, 1.0)
        tiny = math.ulp(0.0)
        for name in ("epsilon", "weight_global", "weight_local"):
            check_setting(name, getattr(self, name), "be positive and finite", tiny)
        check_setting("exploration", self.exploration, "be at least 0 and finite", 0.0)
        check_setting("num_fixes", self.num_fixes, "be at least 0", 0)
        check_setting("prior_count", self.prior_count, "be at least 1", 1)
        if len({as_kind(kind) for kind in self.kinds}) < len(self.kinds):
            raise ValueError(f"kinds must name each kind once, got {self.kinds!r}.")

    @property
    def fixes_of_fresh_bug(self) -> int:
        """Fix attempts for a fresh bug; 0 if `fix` may not be asked."""
        return self.num_fixes if "fix" in self.kinds else 0

    def bug_value(self, fixes_left: int) -> float:
        """Returns the optimistic mean of a bug with `fixes_left` fixes left."""
        if self.num_fixes == 0:
            return 0.0
        return self.max_bug_value * (fixes_left / self.num_fixes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One child that selection weighs, for people to look at.

    Attributes:
        kind: The child's kind.
        child: The expanded child; `None` for the untried one of its kind.
        value_estimate: Its mean value, or what is expected of it.
        score: What selection maximises.
    """

    kind: Kind
    child: Node | None
    value_estimate: float
    score: float


class GifMcts(GrowingSearch):
    """The search tree of GIF-MCTS; see `mcts.search.TreeSearch`.

    Attributes:
        config: Settings.
        rng: Breaks ties; of `np.random.default_rng`'s kind, so that its state
            can be saved. Advanced by `ask`, and only where there is a tie.
        statistics: What was learnt about each kind.
    """

    name: ClassVar[str] = "gif-mcts"

    def __init__(self, config: GifConfig, rng: np.random.Generator) -> None:
        super().__init__()
        rng_to_json(rng)  # Refuses early what could not be saved later.
        self.config = config
        self.rng = rng
        # The root counts as visited once, so that ln N exists (Section 4).
        self.tree.root.visit_count = 1
        priors: dict[Kind, float] = {
            "generate": config.prior_generate,
            "improve": config.prior_improve,
            "fix": config.prior_fix,
        }
        self.statistics = {
            kind: KindStatistics(
                mean=prior,
                count=config.prior_count,
                weight_global=config.weight_global,
                weight_local=config.weight_local,
            )
            for kind, prior in priors.items()
        }
        self._recall()

    @property
    def generates_below_root(self) -> bool:
        """Whether `generate` is asked of other nodes than the root."""
        return "generate" in self.config.kinds

    def options(self, node: Node) -> list[Option]:
        """Returns what selection can choose from at `node`; may be empty.

        For people to look at: its cost grows with the number of children.
        """
        options = [self._option(node, kind, None) for kind in self._untried_kinds(node)]
        for child in self.tree.children(node):
            if self._frontier.is_open(child):
                options.append(self._option(node, as_kind(child.kind), child))
        return options

    def _option(self, node: Node, kind: Kind, child: Node | None) -> Option:
        if child is None:
            value, count = self._estimate(node, kind), self.num_asked(node, kind)
        else:
            value, count = child.value_estimate, self._frontier.num_visits(child)
        return Option(
            kind=kind,
            child=child,
            value_estimate=value,
            score=value + self._bonus(self._log_visits(node), count),
        )

    def _choose(self) -> tuple[Node, Kind] | None:
        node = self.tree.root
        if not self._frontier.is_open(node):
            return None
        while True:
            picked = self._pick(node)
            if not isinstance(picked, int):
                return node, picked
            node = self.tree.nodes[picked]

    def _pick(self, node: Node) -> Kind | int:
        """Returns the best option at a node: an untried kind or a child's id."""
        log_visits = self._log_visits(node)
        best, child_ids = self._frontier.best_children(
            node, lambda count: self._bonus(log_visits, count)
        )
        kinds: list[Kind] = []
        for kind in self._untried_kinds(node):
            bonus = self._bonus(log_visits, self.num_asked(node, kind))
            score = self._estimate(node, kind) + bonus
            if score > best:
                best, kinds, child_ids = score, [kind], []
            elif score == best:
                kinds.append(kind)
        ties = [*kinds, *child_ids]
        return ties[0] if len(ties) == 1 else ties[int(self.rng.integers(len(ties)))]

    def _log_visits(self, node: Node) -> float:
        return math.log(self._frontier.num_visits(node))

    def _bonus(self, log_visits: float, count: int) -> float:
        root = math.sqrt(log_visits / (count + self.config.epsilon))
        return self.config.exploration * root

    def _estimate(self, node: Node, kind: Kind) -> float:
        local = self._frontier.local_mean(node, kind)
        return self.statistics[kind].estimate(local)

    def _untried_kinds(self, node: Node) -> tuple[Kind, ...]:
        if node.is_terminal:
            return ()
        if node.was_bug:
            # A failure has one fix as its only child, for good: once that is
            # asked for, the search waits for it and then goes on below it.
            return () if self.num_asked(node, "fix") else ("fix",)
        kinds = self._running_kinds if node.parent_id is not None else ("generate",)
        if self.config.widening:
            return kinds
        return tuple(kind for kind in kinds if not self.num_asked(node, kind))

    def _note_ask(self, parent: Node) -> None:
        self._frontier.walk_up(parent, in_flight=1)

    def _learn(self, node: Node) -> None:
        parent = self.tree.nodes[node.parent_id or 0]
        kind = as_kind(node.kind)
        local = self._frontier.local_mean(parent, kind)
        self.statistics[kind].update(node.value, local)
        if node.was_bug:
            self._back_up_bug(node, parent)
        else:
            self._back_up_running(node)
        self._frontier.add(node)

    def _back_up_running(self, node: Node) -> None:
        for visited in (node, *self.tree.ancestors(node)):
            visited.value_sum += node.value
            visited.visit_count += 1
        if node.kind == "fix":
            for link in fix_chain(self.tree, node):
                link.is_bug = False
                link.value_sum = node.value * link.visit_count

    def _back_up_bug(self, node: Node, parent: Node) -> None:
        if node.kind == "fix":
            fixes_left = parent.fixes_left - 1
        else:
            fixes_left = self.config.fixes_of_fresh_bug
        node.fixes_left = 0 if node.is_terminal else fixes_left
        node.is_terminal = node.fixes_left == 0
        bug_value = self.config.bug_value(node.fixes_left)
        for ancestor in self.tree.ancestors(node):
            # A bug says nothing about the value of its ancestors: means stay.
            ancestor.value_sum += ancestor.value_estimate
            ancestor.visit_count += 1
        node.visit_count, node.value_sum = 1, bug_value
        if node.kind == "fix":
            for link in fix_chain(self.tree, node):
                link.value_sum = bug_value * link.visit_count
                # The child carries the bug on, unless the chain ends with it.
                link.is_bug = link.is_bug and node.is_terminal
                link.is_terminal = node.is_terminal

    def _recall(self) -> None:
        self._running_kinds = tuple(
            kind for kind in KINDS if kind != "fix" and kind in self.config.kinds
        )
        self._frontier = Frontier(
            self.tree, has_untried=lambda node: bool(self._untried_kinds(node))
        )
        for expansion in self.outstanding:
            self._note_ask(self.tree.nodes[expansion.parent_id])

    def _state_to_json(self) -> dict[str, Any]:
        return {
            "config": {**asdict(self.config), "kinds": list(self.config.kinds)},
            "rng": rng_to_json(self.rng),
            "statistics": {k: asdict(s) for k, s in self.statistics.items()},
        }

    @classmethod
    def _from_state(cls, data: Mapping[str, Any]) -> Self:
        config = {**data["config"], "kinds": tuple(data["config"]["kinds"])}
        search = cls(GifConfig(**config), rng_from_json(data["rng"]))
        search.statistics = {
            kind: KindStatistics(**data["statistics"][kind]) for kind in KINDS
        }
        return search
