"""GIF-MCTS: tree search whose actions generate, improve or fix a candidate.

Dainese et al., "Generating Code World Models with Large Language Models Guided by
Monte Carlo Tree Search", NeurIPS 2024 (https://arxiv.org/abs/2405.15383, Section 4).
The evaluation is slow and happens outside: `ask` says what to try next, `tell`
takes how it went.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from mcts.rng import rng_from_json, rng_to_json
from mcts.tree import Node, Tree

Kind: TypeAlias = Literal["generate", "improve", "fix"]
"""What an expansion asks for."""

KINDS: tuple[Kind, ...] = get_args(Kind)

JSON_VERSION = 1
"""Form of `GifMcts.to_json`; another one is refused."""


class SearchExhausted(ValueError):  # noqa: N818 - an event, not a mistake
    """Nothing can be selected any more: every branch has come to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GifConfig:
    """Settings of GIF-MCTS; the defaults are the paper's.

    Attributes:
        exploration: Weight `c` of the exploration term; at least 0. At 0 the
            search always follows the highest estimate.
        epsilon: Added to the visit count below the root sign; more than 0, since
            an untried child can have no visit.
        widening: Whether each `generate` or `improve` that was tried leaves a
            further untried one beside it. Without it each node has at most one
            child of a kind and the search can come to an end.
        num_fixes: Fix attempts for a fresh bug; 0 makes every bug a dead end.
        max_bug_value: Optimistic mean of a bug with all its fixes left, in
            `[0, 1]`. Fewer fixes left scale it down evenly, to 0 with none.
        prior_generate: Prior mean value of `generate`, in `[0, 1]`.
        prior_improve: Prior mean value of `improve`, in `[0, 1]`.
        prior_fix: Prior mean value of `fix`, in `[0, 1]`.
        prior_count: Results that a prior counts as; at least 1.
        weight_global: First weight of the mean over the whole tree; positive.
        weight_local: First weight of the mean over siblings; positive.
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

    def __post_init__(self) -> None:
        for name in ("max_bug_value", "prior_generate", "prior_improve", "prior_fix"):
            _check(name, getattr(self, name), "be between 0 and 1", 0.0, 1.0)
        tiny = math.ulp(0.0)
        for name in ("epsilon", "weight_global", "weight_local"):
            _check(name, getattr(self, name), "be positive and finite", tiny)
        _check("exploration", self.exploration, "be at least 0 and finite", 0.0)
        _check("num_fixes", self.num_fixes, "be at least 0", 0)
        _check("prior_count", self.prior_count, "be at least 1", 1)

    def bug_value(self, fixes_left: int) -> float:
        """Returns the optimistic mean of a bug with `fixes_left` fixes left."""
        if self.num_fixes == 0:
            return 0.0
        return self.max_bug_value * (fixes_left / self.num_fixes)


def _check(
    name: str, value: float, rule: str, low: float, high: float = math.inf
) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name} must {rule}, got {value!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """What to try next.

    Attributes:
        node_id: Id that the new node will have.
        parent_id: The node to expand; 0 is the root, which has no payload.
        kind: generate, improve or fix.
        depth: Depth of the new node, from 1.
        attempt: Children of this kind that the parent already has.
    """

    node_id: int
    parent_id: int
    kind: Kind
    depth: int
    attempt: int

    @property
    def parent_depth(self) -> int:
        """Depth of the node to expand: how many blocks its prefix has."""
        return self.depth - 1


@dataclass(slots=True, kw_only=True)
class KindStatistics:
    """What the search has learnt about one kind of expansion.

    Attributes:
        mean: Running mean of the values obtained, prior included.
        count: Results in the mean, pseudo-counts of the prior included.
        weight_global: Weight of `mean` in the estimate of an untried child.
        weight_local: Weight of the mean over the siblings of the same kind.
    """

    mean: float
    count: int
    weight_global: float
    weight_local: float

    def estimate(self, local: float | None) -> float:
        """Returns the expected value of an untried child, in `[0, 1]`.

        Args:
            local: Mean value of its siblings of the same kind, if there are any.
        """
        return min(1.0, max(0.0, self._mixture(local)))

    def _mixture(self, local: float | None) -> float:
        total = self.weight_global + self.weight_local
        # Steps can drive the weights to opposite signs; at a sum of exactly 0
        # the mixture does not exist and the global mean stands alone.
        if local is None or total == 0.0:
            return self.mean
        return (self.weight_global * self.mean + self.weight_local * local) / total

    def update(self, value: float, local: float | None) -> None:
        """Learns from one result: the weights first, then the mean.

        One gradient step on `(estimate - value)**2` with the rate `1 / (1 + count)`,
        that is 1/3, 1/4, ... with two pseudo-counts. Where the estimate is clipped
        it does not depend on the weights, so that they stay.
        """
        mixture = self._mixture(local)
        total = self.weight_global + self.weight_local
        if local is not None and total != 0.0 and 0.0 <= mixture <= 1.0:
            step = 2.0 * (mixture - value) / total / (1 + self.count)
            self.weight_global -= step * (self.mean - mixture)
            self.weight_local -= step * (local - mixture)
        self.count += 1
        self.mean += (value - self.mean) / self.count


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


@dataclass(slots=True)
class GifMcts:
    """The search tree of GIF-MCTS, driven by `ask` and `tell` in turn.

    Attributes:
        config: Settings.
        rng: Breaks ties; of `np.random.default_rng`'s kind, so that its state
            can be saved. Advanced by `ask`, and only where there is a tie.
        tree: All nodes; `payload` of each is what `tell` was given.
        statistics: What was learnt about each kind.
        pending: The expansion that waits for its `tell`.
    """

    config: GifConfig
    rng: np.random.Generator
    tree: Tree = field(init=False)
    statistics: dict[Kind, KindStatistics] = field(init=False)
    pending: Expansion | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        rng_to_json(self.rng)  # Refuses early what could not be saved later.
        self.tree = Tree()
        # The root counts as visited once, so that ln N exists (Section 4).
        self.tree.root.visit_count = 1
        config = self.config
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

    def ask(self) -> Expansion:
        """Returns what to try next; `tell` must answer it before the next call.

        Raises:
            SearchExhausted: If no node can be expanded.
            ValueError: If the last expansion has not been told yet.
        """
        if self.pending is not None:
            raise ValueError(
                "ask must follow a tell, got an ask while the expansion of node "
                f"{self.pending.parent_id} is outstanding."
            )
        node = self.tree.root
        while True:
            options = self.options(node)
            if not options:
                raise SearchExhausted(
                    f"All {len(self.tree) - 1} nodes of the search are at their end."
                )
            chosen = self._pick(options)
            if chosen.child is None:
                break
            node = chosen.child
        self.pending = Expansion(
            node_id=len(self.tree),
            parent_id=node.node_id,
            kind=chosen.kind,
            depth=node.depth + 1,
            attempt=len(self._siblings(node, chosen.kind)),
        )
        return self.pending

    def tell(
        self,
        expansion: Expansion,
        *,
        value: float,
        is_bug: bool,
        is_terminal: bool = False,
        payload: Any = None,
    ) -> Node:
        """Adds the result of an expansion to the tree and returns its node.

        Args:
            expansion: What `ask` returned.
            value: The evaluation, in `[0, 1]`; a bug counts as 0, whatever is
                said here.
            is_bug: Whether it failed in a way that a fix may repair.
            is_terminal: Whether nothing is left to continue from it. A bug that
                is terminal gets no fix.
            payload: Kept in the node; JSON-able, or `to_json` fails.

        Raises:
            ValueError: If `expansion` is not the outstanding one, or the value is
                outside `[0, 1]`.
        """
        if expansion != self.pending:
            raise ValueError(
                f"tell must answer the outstanding expansion {self.pending}, "
                f"got {expansion}."
            )
        _check("value", value, "be between 0 and 1", 0.0, 1.0)
        parent = self.tree.nodes[expansion.parent_id]
        kind = expansion.kind
        result = 0.0 if is_bug else float(value)
        self.statistics[kind].update(result, self._local_mean(parent, kind))
        node = self.tree.add(parent, kind)
        node.value, node.payload = result, payload
        node.is_bug = node.was_bug = is_bug
        if is_bug:
            self._tell_bug(node, parent, is_terminal)
        else:
            self._tell_running(node, parent, is_terminal)
        self.pending = None
        return node

    def _tell_running(self, node: Node, parent: Node, is_terminal: bool) -> None:
        node.is_terminal = is_terminal
        for visited in (node, *self.tree.ancestors(node)):
            visited.value_sum += node.value
            visited.visit_count += 1
        if node.kind == "fix":
            for link in self._fix_chain(parent):
                link.is_bug = False
                link.value_sum = node.value * link.visit_count

    def _tell_bug(self, node: Node, parent: Node, is_terminal: bool) -> None:
        if node.kind == "fix":
            fixes_left = parent.fixes_left - 1
        else:
            fixes_left = self.config.num_fixes
        node.fixes_left = 0 if is_terminal else fixes_left
        node.is_terminal = node.fixes_left == 0
        bug_value = self.config.bug_value(node.fixes_left)
        for ancestor in self.tree.ancestors(node):
            # A bug says nothing about the value of its ancestors: means stay.
            ancestor.value_sum += ancestor.value_estimate
            ancestor.visit_count += 1
        node.visit_count, node.value_sum = 1, bug_value
        if node.kind == "fix":
            for link in self._fix_chain(parent):
                link.value_sum = bug_value * link.visit_count
                # The child carries the bug on, unless the chain ends with it.
                link.is_bug = link.is_bug and node.is_terminal
                link.is_terminal = node.is_terminal

    def _fix_chain(self, parent: Node) -> Iterator[Node]:
        """Yields `parent` and up, to the first node that no fix has made."""
        for node in (parent, *self.tree.ancestors(parent)):
            yield node
            if node.kind != "fix":
                return

    def options(self, node: Node) -> list[Option]:
        """Returns what selection can choose from at `node`; may be empty."""
        options = [self._option(node, kind, None) for kind in self._untried_kinds(node)]
        for child in self.tree.children(node):
            if self._is_open(child):
                options.append(self._option(node, _as_kind(child.kind), child))
        return options

    def _option(self, node: Node, kind: Kind, child: Node | None) -> Option:
        if child is None:
            value = self.statistics[kind].estimate(self._local_mean(node, kind))
            count = len(self._siblings(node, kind))
        else:
            value, count = child.value_estimate, child.visit_count
        term = math.sqrt(math.log(node.visit_count) / (count + self.config.epsilon))
        score = value + self.config.exploration * term
        return Option(kind=kind, child=child, value_estimate=value, score=score)

    def _untried_kinds(self, node: Node) -> tuple[Kind, ...]:
        kinds: tuple[Kind, ...]
        if node.is_terminal:
            return ()
        if node.was_bug:
            # A failure has one fix as its only child, for good: once that child
            # exists, the search goes on below it.
            return () if node.children else ("fix",)
        kinds = ("generate",) if node.parent_id is None else ("generate", "improve")
        if self.config.widening:
            return kinds
        return tuple(kind for kind in kinds if not self._siblings(node, kind))

    def _is_open(self, node: Node) -> bool:
        """Returns whether something can still be expanded at or below `node`."""
        stack = [node]
        while stack:
            current = stack.pop()
            if current.is_terminal:
                continue
            if self._untried_kinds(current):
                return True
            stack.extend(self.tree.children(current))
        return False

    def _pick(self, options: list[Option]) -> Option:
        best = max(option.score for option in options)
        ties = [option for option in options if option.score == best]
        if len(ties) == 1:
            return ties[0]
        return ties[int(self.rng.integers(len(ties)))]

    def _siblings(self, node: Node, kind: Kind) -> list[Node]:
        return [child for child in self.tree.children(node) if child.kind == kind]

    def _local_mean(self, node: Node, kind: Kind) -> float | None:
        siblings = self._siblings(node, kind)
        if not siblings:
            return None
        return sum(child.value_estimate for child in siblings) / len(siblings)

    def to_json(self) -> dict[str, Any]:
        """Returns the whole search, JSON-able; `from_json` goes on identically."""
        return {
            "version": JSON_VERSION,
            "config": asdict(self.config),
            "rng": rng_to_json(self.rng),
            "statistics": {k: asdict(s) for k, s in self.statistics.items()},
            "pending": None if self.pending is None else asdict(self.pending),
            "nodes": self.tree.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "GifMcts":
        """Returns the search that `to_json` described, state of `rng` included.

        Raises:
            ValueError: If the description is of another version or inconsistent.
        """
        if data.get("version") != JSON_VERSION:
            raise ValueError(
                f"version must be {JSON_VERSION}, got {data.get('version')!r}."
            )
        search = cls(GifConfig(**data["config"]), rng_from_json(data["rng"]))
        search.tree = Tree.from_json(data["nodes"])
        search.statistics = {
            kind: KindStatistics(**data["statistics"][kind]) for kind in KINDS
        }
        if data["pending"] is not None:
            search.pending = Expansion(**data["pending"])
        return search


def _as_kind(kind: str) -> Kind:
    for known in KINDS:
        if kind == known:
            return known
    raise ValueError(f"kind must be one of {KINDS}, got {kind!r}.")
