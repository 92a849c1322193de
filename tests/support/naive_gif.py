"""GIF-MCTS as its description reads: nothing is remembered, everything looked up.

A second opinion for `mcts.gif`, whose cost does not grow with the tree. Each step
here goes over all nodes and all outstanding expansions.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from mcts.gif import GifConfig
from mcts.kind_statistics import KindStatistics
from mcts.search import KINDS, Expansion, Kind, SearchExhausted
from mcts.tree import Node, Tree

Choice = tuple[float, Kind, Node | None]
"""Score, kind, and the child; `None` for an untried one."""


@dataclass
class NaiveGif:
    """The same search as `mcts.gif.GifMcts`."""

    config: GifConfig
    rng: np.random.Generator
    tree: Tree = field(default_factory=Tree)
    outstanding: list[Expansion] = field(default_factory=list)
    num_asked: int = 0

    def __post_init__(self) -> None:
        self.tree.root.visit_count = 1
        config = self.config
        priors = (config.prior_generate, config.prior_improve, config.prior_fix)
        self.statistics = {
            kind: KindStatistics(
                mean=prior,
                count=config.prior_count,
                weight_global=config.weight_global,
                weight_local=config.weight_local,
            )
            for kind, prior in zip(KINDS, priors, strict=True)
        }

    def ask(self) -> Expansion | None:
        node = self.tree.root
        while True:
            choices = self.choices(node)
            if not choices:
                if self.outstanding:
                    return None
                raise SearchExhausted
            best = max(score for score, _, _ in choices)
            ties = [choice for choice in choices if choice[0] == best]
            index = 0 if len(ties) == 1 else int(self.rng.integers(len(ties)))
            _, kind, child = ties[index]
            if child is None:
                break
            node = child
        expansion = Expansion(
            number=self.num_asked,
            parent_id=node.node_id,
            kind=kind,
            depth=node.depth + 1,
            attempt=self.num_tried(node, kind),
            num_siblings=sum(self.num_tried(node, each) for each in KINDS),
        )
        self.num_asked += 1
        self.outstanding.append(expansion)
        return expansion

    def choices(self, node: Node) -> list[Choice]:
        log_visits = math.log(node.visit_count + self.num_in_flight(node))
        choices: list[Choice] = []
        for kind in self.untried(node):
            value = self.statistics[kind].estimate(self.local_mean(node, kind))
            bonus = self.bonus(log_visits, self.num_tried(node, kind))
            choices.append((value + bonus, kind, None))
        for child in self.tree.children(node):
            if self.is_open(child):
                visits = child.visit_count + self.num_in_flight(child)
                bonus = self.bonus(log_visits, visits)
                choices.append((child.value_estimate + bonus, "generate", child))
        return choices

    def bonus(self, log_visits: float, visits: int) -> float:
        root = math.sqrt(log_visits / (visits + self.config.epsilon))
        return self.config.exploration * root

    def untried(self, node: Node) -> list[Kind]:
        if node.is_terminal:
            return []
        if node.was_bug:
            return [] if self.num_tried(node, "fix") else ["fix"]
        kinds: list[Kind] = ["generate"]
        if node is not self.tree.root:
            kinds = [k for k in ("generate", "improve") if k in self.config.kinds]
        if self.config.widening:
            return kinds
        return [kind for kind in kinds if not self.num_tried(node, kind)]

    def is_open(self, node: Node) -> bool:
        below = any(self.is_open(child) for child in self.tree.children(node))
        return not node.is_terminal and (bool(self.untried(node)) or below)

    def num_in_flight(self, node: Node) -> int:
        parents = [self.tree.nodes[e.parent_id] for e in self.outstanding]
        return sum(node in self.tree.path(parent) for parent in parents)

    def num_tried(self, node: Node, kind: Kind) -> int:
        asked = [(e.parent_id, e.kind) for e in self.outstanding]
        asked += [(node.node_id, c.kind) for c in self.tree.children(node)]
        return asked.count((node.node_id, kind))

    def local_mean(self, node: Node, kind: Kind) -> float | None:
        means = [c.value_estimate for c in self.tree.children(node) if c.kind == kind]
        return sum(means) / len(means) if means else None

    def tell(
        self, expansion: Expansion, *, value: float, is_bug: bool, is_terminal: bool
    ) -> None:
        self.outstanding.remove(expansion)
        parent = self.tree.nodes[expansion.parent_id]
        value = 0.0 if is_bug else value
        local = self.local_mean(parent, expansion.kind)
        self.statistics[expansion.kind].update(value, local)
        node = self.tree.add(parent, expansion.kind)
        node.value, node.is_bug, node.was_bug = value, is_bug, is_bug
        node.is_terminal = is_terminal
        if is_bug:
            self.tell_bug(node, parent)
        else:
            self.tell_running(node)

    def tell_running(self, node: Node) -> None:
        for visited in (node, *self.tree.ancestors(node)):
            visited.value_sum += node.value
            visited.visit_count += 1
        for link in self.repaired_by(node):
            link.is_bug = False
            link.value_sum = node.value * link.visit_count

    def tell_bug(self, node: Node, parent: Node) -> None:
        left = self.config.num_fixes if "fix" in self.config.kinds else 0
        left = parent.fixes_left - 1 if node.kind == "fix" else left
        node.fixes_left = 0 if node.is_terminal else left
        node.is_terminal = node.fixes_left == 0
        optimistic = self.config.bug_value(node.fixes_left)
        for ancestor in self.tree.ancestors(node):
            ancestor.value_sum += ancestor.value_estimate
            ancestor.visit_count += 1
        node.visit_count, node.value_sum = 1, optimistic
        for link in self.repaired_by(node):
            link.value_sum = optimistic * link.visit_count
            link.is_bug = link.is_bug and node.is_terminal
            link.is_terminal = node.is_terminal

    def repaired_by(self, node: Node) -> list[Node]:
        chain: list[Node] = []
        while node.kind == "fix":
            node = self.tree.nodes[node.parent_id or 0]
            chain.append(node)
        return chain
