"""What agent and state base think of the next action, mixed.

    P = w P_agent + (1 - w) P_know         Qiao et al., 2024, section 3.4, there γ for w
                                           (https://arxiv.org/abs/2405.14205)

Over verbs it is the paper's rule. Over whole actions, which it leaves to the agent, the
probability of a verb is divided among the actions that begin with it.

Covers: probabilities from scores and counts that others bring; what happens where one
    side says nothing. Does not cover: scoring, and looking things up.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cwm.core.protocols import FloatArray
from cwm.providers.knowledge.base.states import Neighbours
from cwm.providers.knowledge.base.verbs import cut_action, verb_of

Mode: TypeAlias = Literal["paper", "released"]
"""What the agent's probabilities are: those of its scores; 1 for the best score, and
nothing where a token that begins no candidate is better, as in the released code."""

Arguments: TypeAlias = Literal["agent", "uniform", "counts"]
"""How the probability of a verb is divided among its actions: as the agent does,
evenly, or as often as they followed in the state base."""

PUBLISHED_AGENT_WEIGHTS: Final = {"alfworld": 0.4, "webshop": 0.5, "scienceworld": 0.7}
"""Environment -> γ of the paper."""

MAX_TRACED: Final = 32
"""Most candidates of a trace. ScienceWorld has up to thousands of commands at a step,
and a file of episodes would be a hundred times as long."""

_ROUNDING: Final = 1e-12
"""Sums that are nearer to 1 are left as they are, so that an agent's probabilities come
out bit for bit where only it counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MixingConfig:
    """How the two are mixed.

    Attributes:
        agent_weight: Weight of the agent, from 0, the state base alone, to 1, the
            agent alone (γ in the paper; see `PUBLISHED_AGENT_WEIGHTS`).
        mode: What the agent's probabilities are.
        epsilon: Share that is given to all legal actions evenly, from 0 to 1.
        arguments: How a verb's probability is divided among its actions.
        adaptive: Whether the state base is trusted only as far as it has seen the like
            (not in the paper): the agent's weight is then
            `1 - (1 - w) n / (n + half_support)`, where `n` is the number of entries
            found; 0 if the nearest is too far away.
        half_support: Of `adaptive`: entries with which the base has half of its weight;
            above 0.
        min_similarity: Of `adaptive`: cosine that the nearest entry must have, from -1
            to 1.
    """

    agent_weight: float = 0.5
    mode: Mode = "paper"
    epsilon: float = 0.0
    arguments: Arguments = "agent"
    adaptive: bool = False
    half_support: float = 10.0
    min_similarity: float = -1.0

    def __post_init__(self) -> None:
        for name in ("agent_weight", "epsilon"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(
                    f"{name} must be from 0 to 1, got {getattr(self, name)}."
                )
        if not self.half_support > 0.0:
            raise ValueError(f"half_support must be above 0, got {self.half_support}.")
        if not -1.0 <= self.min_similarity <= 1.0:
            raise ValueError(
                f"min_similarity must be from -1 to 1, got {self.min_similarity}."
            )
        if self.mode not in ("paper", "released"):
            raise ValueError(f"mode must be paper or released, got {self.mode!r}.")
        if self.arguments not in ("agent", "uniform", "counts"):
            raise ValueError(
                f"arguments must be one of agent, uniform, counts, got "
                f"{self.arguments!r}."
            )


class Mixed(NamedTuple):
    """Probabilities, and who made them.

    Attributes:
        probabilities: `[..., A]`; each row sums to 1.
        agent_weight: `[...]`, the weight that the agent had: 1 where the state base
            said nothing of what is legal, 0 where the agent did not, NaN where neither
            did and all is equally probable.
    """

    probabilities: FloatArray
    agent_weight: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixture:
    """The mixture over one state's candidates, with its parts.

    Attributes:
        candidates: Verbs or actions, `A` of them.
        probabilities: Of each, `[A]`; they sum to 1.
        agent: What the agent gave each, `[A]`; NaN if it said nothing.
        knowledge: What the state base gave each, `[A]`; the sum is below 1 where it
            knows of others.
        agent_weight: As in `Mixed`.
        support: Entries of the state base that were counted.
        best_similarity: Cosine of the nearest; -1 if there is none.
    """

    candidates: tuple[str, ...]
    probabilities: FloatArray
    agent: FloatArray
    knowledge: FloatArray
    agent_weight: float
    support: int
    best_similarity: float

    @property
    def best(self) -> str:
        """The most probable candidate; of equally probable ones the first."""
        return self.candidates[int(self.probabilities.argmax())]

    def trace(self) -> dict[str, Any]:
        """Returns what made the decision, as JSON-able figures.

        What was not said is `None`. Of more than `MAX_TRACED` candidates the most
        probable are told, in their order.
        """
        says = not bool(np.isnan(self.agent).any())
        is_weighed = not math.isnan(self.agent_weight)
        best = np.argsort(-self.probabilities, kind="stable")[:MAX_TRACED]
        told = np.sort(best)
        return {
            "candidates": [self.candidates[index] for index in told],
            "num_candidates": len(self.candidates),
            "probabilities": self.probabilities[told].tolist(),
            "agent": self.agent[told].tolist() if says else None,
            "knowledge": self.knowledge[told].tolist() if self.support else None,
            "agent_weight": self.agent_weight if is_weighed else None,
            "support": self.support,
            "best_similarity": self.best_similarity if self.support else None,
        }


def agent_probabilities(
    log_probs: ArrayLike, *, mode: Mode = "paper", best_other: ArrayLike = -math.inf
) -> FloatArray:
    """Returns the agent's probabilities of candidates, `[..., A]`.

    Args:
        log_probs: Score of each candidate, such as the log-probability of its first
            token or of all of it, `[..., A]`. They need not sum to 1.
        mode: As in `MixingConfig`.
        best_other: Of `released`: score of the best token that begins no candidate,
            `[...]`. Where it is higher than all candidates', the agent says nothing.

    Returns:
        The softmax; rows of NaN where the agent says nothing.
    """
    scores = np.asarray(log_probs, dtype=np.float64)
    best = scores.max(axis=-1, keepdims=True)
    if mode == "released":
        is_best = np.arange(scores.shape[-1]) == scores.argmax(-1, keepdims=True)
        other = np.asarray(best_other, dtype=np.float64)[..., None]
        return np.where(other > best, np.nan, is_best.astype(np.float64))
    is_told = np.isfinite(best)
    powers = np.exp(scores - np.where(is_told, best, 0.0))
    totals = powers.sum(axis=-1, keepdims=True)
    probabilities = powers / np.where(is_told, totals, 1.0)
    return np.where(is_told, probabilities, np.nan)


def knowledge_probabilities(
    weights: Mapping[str, float], candidates: Sequence[str]
) -> FloatArray:
    """Returns the share of each candidate in what was counted, `[A]`.

    What was counted but is no candidate has its share as well: the shares sum to less
    than 1 then, and to 0 if nothing was found.
    """
    total = math.fsum(weights.values())
    counts = np.array([weights.get(one, 0.0) for one in candidates], dtype=np.float64)
    return counts / total if total > 0.0 else counts


def mix(
    agent: ArrayLike,
    knowledge: ArrayLike,
    agent_weight: ArrayLike,
    *,
    legal: ArrayLike | None = None,
    epsilon: float = 0.0,
) -> Mixed:
    """Returns the mixture on what is legal, each row made to sum to 1.

    Rows are independent of each other: many at once give what each gives alone.

    Args:
        agent: Probabilities `[..., A]`; a row with NaN says nothing.
        knowledge: Shares `[..., A]`; rows that sum to less than 1 count less, and rows
            of zeros do not count.
        agent_weight: From 0 to 1, `[...]`.
        legal: Which are legal, `[..., A]`, at least one in each row; all by default.
        epsilon: Share that goes to all legal ones evenly, from 0 to 1.

    Raises:
        ValueError: If nothing is legal in a row.
    """
    agents, shares = np.broadcast_arrays(
        np.asarray(agent, dtype=np.float64), np.asarray(knowledge, dtype=np.float64)
    )
    mask = np.ones(agents.shape, bool) if legal is None else np.asarray(legal, bool)
    mask = np.broadcast_to(mask, agents.shape)
    if not mask.any(axis=-1).all():
        raise ValueError("At least one action must be legal in each row.")
    agents, says = _masked(agents, mask)
    shares, knows = _masked(shares, mask)
    weight = np.broadcast_to(np.asarray(agent_weight, dtype=np.float64), says.shape)
    weight = np.where(says & knows, weight, np.where(says, 1.0, 0.0))
    mixed = weight[..., None] * agents + (1.0 - weight[..., None]) * shares
    is_told = says | knows
    evenly = mask / mask.sum(axis=-1, keepdims=True)
    mixed = np.where(is_told[..., None], _normalised(mixed), evenly)
    if epsilon:
        mixed = (1.0 - epsilon) * mixed + epsilon * evenly
    return Mixed(mixed, np.where(is_told, weight, np.nan))


def effective_weight(config: MixingConfig, neighbours: Neighbours) -> float:
    """Returns the agent's weight, with what was found taken into account."""
    if not config.adaptive:
        return config.agent_weight
    is_near = neighbours.best_similarity >= config.min_similarity
    support = neighbours.support if is_near else 0
    trust = support / (support + config.half_support)
    return 1.0 - (1.0 - config.agent_weight) * trust


def mix_verbs(
    verbs: Sequence[str],
    log_probs: ArrayLike,
    neighbours: Neighbours,
    config: MixingConfig,
    *,
    best_other: float = -math.inf,
) -> Mixture:
    """Returns the mixture over verbs: the rule of the paper.

    Args:
        verbs: The candidates, each once, such as those of the legal actions.
        log_probs: The agent's score of each, `[A]`.
        neighbours: What was found for the state.
        config: How the two are mixed.
        best_other: As in `agent_probabilities`.

    Raises:
        ValueError: If there is no verb, or one twice.
    """
    _check(verbs)
    agent = agent_probabilities(log_probs, mode=config.mode, best_other=best_other)
    knowledge = knowledge_probabilities(neighbours.verbs, verbs)
    return _mixture(verbs, agent, knowledge, neighbours, config)


def mix_actions(
    actions: Sequence[str],
    log_probs: ArrayLike,
    neighbours: Neighbours,
    config: MixingConfig,
    *,
    best_other: float = -math.inf,
) -> Mixture:
    """Returns the mixture over whole actions.

    A verb's share in the state base is divided among the actions that begin with it, as
    `config.arguments` says.

    Args:
        actions: The legal ones, each once; their order does not matter.
        log_probs: The agent's score of each, `[A]`.
        neighbours: What was found for the state.
        config: How the two are mixed.
        best_other: As in `agent_probabilities`.

    Raises:
        ValueError: If there is no action, or one twice.
    """
    _check(actions)
    agent = agent_probabilities(log_probs, mode=config.mode, best_other=best_other)
    verbs = [verb_of(action) for action in actions]
    shares = knowledge_probabilities(neighbours.verbs, verbs)
    if config.arguments == "agent":
        weights = np.nan_to_num(agent)
    elif config.arguments == "counts":
        found = [neighbours.actions.get(cut_action(a).lower(), 0.0) for a in actions]
        weights = np.array(found, dtype=np.float64)
    else:
        weights = np.ones(len(actions))
    knowledge = shares * within_verbs(verbs, weights)
    return _mixture(actions, agent, knowledge, neighbours, config)


def within_verbs(verbs: Sequence[str], weights: ArrayLike) -> FloatArray:
    """Returns each action's share among the actions of its verb, `[A]`.

    Where all weights of a verb are 0, its actions share evenly.

    Args:
        verbs: Verb of each action.
        weights: At least 0, `[A]`.
    """
    given = np.asarray(weights, dtype=np.float64)
    shares = np.zeros(len(verbs))
    names = np.array(verbs, dtype=str)
    for verb in set(verbs):
        members = np.flatnonzero(names == verb)
        total = given[members].sum()
        if total > 0.0:
            shares[members] = given[members] / total
        else:
            shares[members] = 1.0 / len(members)
    return shares


def override_threshold(agent_weight: float) -> float:
    """Returns by how much the state base must prefer a verb to the agent's only one.

    Where the agent gives all of its probability to one verb, as in the released code,
    another wins if its share is higher by more than `w / (1 - w)`; where that is 1 or
    more it never does.
    """
    return agent_weight / (1.0 - agent_weight) if agent_weight < 1.0 else math.inf


def _mixture(
    candidates: Sequence[str],
    agent: FloatArray,
    knowledge: FloatArray,
    neighbours: Neighbours,
    config: MixingConfig,
) -> Mixture:
    weight = effective_weight(config, neighbours)
    mixed = mix(agent, knowledge, weight, epsilon=config.epsilon)
    return Mixture(
        candidates=tuple(candidates),
        probabilities=mixed.probabilities,
        agent=agent,
        knowledge=knowledge,
        agent_weight=float(mixed.agent_weight),
        support=neighbours.support,
        best_similarity=neighbours.best_similarity,
    )


def _masked(
    values: NDArray[Any], mask: NDArray[np.bool_]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Returns values where legal, else 0, and which rows say anything there."""
    kept = np.where(mask, values, 0.0)
    says = ~np.isnan(kept).any(axis=-1) & (kept.sum(axis=-1) > 0.0)
    return np.where(says[..., None], kept, 0.0), says


def _normalised(values: FloatArray) -> FloatArray:
    totals = values.sum(axis=-1, keepdims=True)
    is_whole = (np.abs(totals - 1.0) <= _ROUNDING) | (totals <= 0.0)
    normalised: FloatArray = values / np.where(is_whole, 1.0, totals)
    return normalised


def _check(candidates: Sequence[str]) -> None:
    if not candidates or len(set(candidates)) != len(candidates):
        raise ValueError(
            "There must be at least one candidate, and each only once, got "
            f"{list(candidates)}."
        )
