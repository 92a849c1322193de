"""Proximal policy optimisation: the gradient steps of an update."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.errors import ConfigError
from cwm.core.seeding import child_rng
from cwm.llm.local.packages import LazyPackage, Tensor, memory_errors
from cwm.providers.policies.learning.config import PPOConfig
from cwm.providers.policies.learning.losses import PPOLoss, ppo_loss
from cwm.providers.policies.learning.processes import Processes
from cwm.providers.policies.learning.rollouts import Rollout, advantages_of
from cwm.providers.policies.networks.base import PolicyNetwork
from cwm.providers.policies.views import View

torch = LazyPackage("torch")

_LESS_MEMORY = "Take a smaller pass_size, window or model."


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateFigures:
    """What an update did; means over its gradient steps where nothing else is said.

    Attributes:
        policy_loss: Minus the clipped surrogate.
        value_loss: Squared error of the values.
        entropy: Of the policy, in nats.
        grad_norm: Norm of the gradient before it was shortened.
        kl: How far the policy has moved at the last step, in nats.
        clipped: Share of ratios outside of the clip.
        explained_variance: Share of the returns' variance that the values of the
            rollout explain; at most 1, 0 for a constant.
        num_steps: Gradient steps; fewer than planned if the policy moved too far.
    """

    policy_loss: float
    value_loss: float
    entropy: float
    grad_norm: float
    kl: float
    clipped: float
    explained_variance: float
    num_steps: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Batch:
    """The transitions of an update, one after the other."""

    views: list[View]
    actions: NDArray[np.int64]
    log_probs: NDArray[np.float64]
    values: NDArray[np.float64]
    advantages: NDArray[np.float64]
    targets: NDArray[np.float64]

    @classmethod
    def of(cls, rollout: Rollout, config: PPOConfig) -> "_Batch":
        advantages, targets = advantages_of(rollout, config)
        counts = rollout.counts
        flat = [view for row in rollout.views for view in row]
        return cls(
            views=[v for v, c in zip(flat, counts.ravel(), strict=True) if c],
            actions=rollout.actions[counts],
            log_probs=rollout.log_probs[counts],
            values=rollout.values[counts],
            advantages=advantages[counts],
            targets=targets[counts],
        )


class PPOLearner:
    """Changes a network by what it did.

    Args:
        network: It; its weights that ask for a gradient are trained.
        config: How; learning rates must be given.
        seed: Of the order of transitions.
        processes: Those that train together; `None` is this one alone.
    """

    def __init__(
        self,
        network: PolicyNetwork,
        config: PPOConfig,
        *,
        seed: int,
        processes: Processes | None = None,
    ) -> None:
        self._processes = processes or Processes()
        assert config.learning_rate is not None, "the caller resolves it"
        self._network, self._config, self._seed = network, config, seed
        apart = network.value_parameters()
        ids = {id(weight) for weight in apart}
        policy = [
            weight
            for weight in network.module.parameters()
            if weight.requires_grad and id(weight) not in ids
        ]
        rates = (config.learning_rate, config.value_learning_rate)
        groups = [
            {"params": weights, "lr": rate or config.learning_rate}
            for weights, rate in zip((policy, apart), rates, strict=True)
            if weights
        ]
        self._policy_weights, self._value_weights = policy, apart
        self._weights = [*policy, *apart]
        self._optimizer = torch.optim.Adam(groups, eps=config.adam_eps)

    @property
    def optimizer(self) -> Any:
        """Adam, whose state belongs to a checkpoint."""
        return self._optimizer

    def update(self, rollout: Rollout, update: int) -> UpdateFigures:
        """Learns from a rollout.

        Args:
            rollout: What the network, as it is, did.
            update: The update's number, from 0.

        Raises:
            ConfigError: If the loss is no longer finite.
            LLMError: If the memory does not suffice.
        """
        batch = _Batch.of(rollout, self._config)
        only_value = update < self._config.warmup_updates
        figures, kl = _Means(), 0.0
        with memory_errors(_LESS_MEMORY):
            if _is_rounded(self._network):
                self._recompute(batch, update)
            for indices in self._minibatches(len(batch.views), update):
                kl, step = self._gradient(batch, indices, only_value=only_value)
                target = self._config.target_kl
                if target is not None and kl > target and not only_value:
                    # The pending step is not taken.
                    self._optimizer.zero_grad(set_to_none=True)
                    break
                step["grad_norm"] = self._step()
                figures.add(step)
        means = figures.means()
        return UpdateFigures(
            policy_loss=means.get("policy", 0.0),
            value_loss=means.get("value", 0.0),
            entropy=means.get("entropy", 0.0),
            grad_norm=means.get("grad_norm", 0.0),
            clipped=means.get("clipped", 0.0),
            kl=kl,
            explained_variance=explained_variance(batch.values, batch.targets),
            num_steps=figures.count,
        )

    def _minibatches(self, size: int, update: int) -> Iterator[NDArray[np.int64]]:
        for epoch in range(self._config.num_epochs):
            rank = self._processes.rank
            order = child_rng(self._seed, "minibatches", update, epoch, rank)
            indices = order.permutation(size)
            for start in range(0, size, self._config.minibatch_size):
                yield indices[start : start + self._config.minibatch_size]

    def _recompute(self, batch: _Batch, update: int) -> None:
        """Replaces the log-probabilities of the rollout by those of these passes.

        In 16 bits the same view has other numbers in other company, and ratios would
        differ from 1 before anything has changed.
        """
        size = -(-len(batch.views) // self._config.minibatch_size)
        for indices in islice(self._minibatches(len(batch.views), update), size):
            for part in self._parts(batch, indices):
                with torch.no_grad():
                    given = self._network.evaluate([batch.views[i] for i in part])
                log_probs = given.log_probs.double().cpu().numpy()
                batch.log_probs[part] = log_probs[
                    np.arange(len(part)), batch.actions[part]
                ]

    def _parts(
        self, batch: _Batch, indices: NDArray[np.int64]
    ) -> Iterator[NDArray[np.int64]]:
        """Yields the passes of a minibatch; views of like length are padded less."""
        lengths = [len(batch.views[i].history.observations[-1]) for i in indices]
        ordered = indices[np.argsort(lengths, kind="stable")]
        size = self._config.pass_size or len(ordered)
        for start in range(0, len(ordered), size):
            yield ordered[start : start + size]

    def _gradient(
        self, batch: _Batch, indices: NDArray[np.int64], *, only_value: bool
    ) -> tuple[float, dict[str, float]]:
        """Adds up the gradients of a minibatch; returns the move and its figures."""
        config = self._config
        self._optimizer.zero_grad(set_to_none=True)
        totals = dict.fromkeys(("policy", "value", "entropy", "kl", "clipped"), 0.0)
        for part in self._parts(batch, indices):
            loss, log_ratios = self._loss(batch, part)
            policy = loss.policy - config.entropy_coef * loss.entropy
            total = config.value_coef * loss.value
            if config.baseline != "value":
                total = policy
            elif not only_value:
                total = total + policy
            (total / len(indices)).backward()
            for name, value in _sums(loss, log_ratios, config.clip).items():
                totals[name] += value / len(indices)
        if only_value:
            for weight in self._policy_weights:
                weight.grad = None
        totals = self._processes.mean(totals)
        if not math.isfinite(sum(totals.values())):
            raise ConfigError(
                "learning_rate must be small enough for a finite loss, got "
                f"{config.learning_rate} and a loss that is not."
            )
        return totals.pop("kl"), totals

    def _loss(self, batch: _Batch, part: NDArray[np.int64]) -> tuple[PPOLoss, Tensor]:
        given = self._network.evaluate([batch.views[index] for index in part])
        device = given.log_probs.device

        def numbers(values: NDArray[Any]) -> Tensor:
            dtype = torch.int64 if values.dtype == np.int64 else torch.float32
            return torch.tensor(values[part], dtype=dtype, device=device)

        actions, old = numbers(batch.actions), numbers(batch.log_probs)
        loss = ppo_loss(
            given.log_probs,
            given.values,
            actions=actions,
            old_log_probs=old,
            old_values=numbers(batch.values),
            advantages=numbers(batch.advantages),
            targets=numbers(batch.targets),
            config=self._config,
        )
        taken = given.log_probs.detach().gather(1, actions[:, None])[:, 0]
        return loss, taken - old

    def _step(self) -> float:
        self._processes.average_gradients(self._weights)
        norm = torch.nn.utils.clip_grad_norm_(self._weights, self._config.max_grad_norm)
        self._optimizer.step()
        return float(norm)


def _is_rounded(network: PolicyNetwork) -> bool:
    """Returns whether a network computes in 16 bits."""
    rounded = (torch.bfloat16, torch.float16)
    return any(weight.dtype in rounded for weight in network.module.parameters())


def _sums(loss: PPOLoss, log_ratios: Tensor, clip: float) -> dict[str, float]:
    ratios = log_ratios.exp()
    return {
        "policy": float(loss.policy.detach()),
        "value": float(loss.value.detach()),
        "entropy": float(loss.entropy.detach()),
        # An estimate without bias that is never negative.
        "kl": float((ratios - 1.0 - log_ratios).sum()),
        "clipped": float(((ratios - 1.0).abs() > clip).sum()),
    }


def explained_variance(
    values: NDArray[np.float64], targets: NDArray[np.float64]
) -> float:
    """Returns `1 - var(targets - values) / var(targets)`; 0 for equal targets."""
    spread = float(np.var(targets))
    if spread < 1e-12:
        return 0.0
    return 1.0 - float(np.var(targets - values)) / spread


class _Means:
    """Means of figures over steps."""

    def __init__(self) -> None:
        self.count = 0
        self._sums: dict[str, float] = {}

    def add(self, figures: dict[str, float]) -> None:
        """Counts a step."""
        self.count += 1
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def means(self) -> dict[str, float]:
        """Returns the means; empty before the first step."""
        return {name: value / self.count for name, value in self._sums.items()}
