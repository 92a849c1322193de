"""Runs of `cwm.ppo` as prior and value of planners."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cwm.core.errors import ConfigError
from cwm.core.protocols import ActionPrior, ValueFunction
from cwm.evaluation.decisions import EvaluatorUse
from cwm.evaluation.guides import Guide
from envs.spec import EnvSpec

if TYPE_CHECKING:
    # Imported where they are used: they take as long as all else of cwm.plan.
    from cwm.agents.training import TrainedPolicy
    from cwm.providers.policies.guiding import PolicyGuide


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRuns:
    """Trained policies as prior and value; an `OpenableGuide`.

    Attributes:
        prior: Folder of the run that is the prior; `None` for a uniform one.
        value: Folder of the run that is the value; `None` for none. The same folder
            is read, and a context evaluated, once for both.
        temperature: Of the prior.

    Raises:
        ConfigError: If a run is none, cannot be read, or has learned no value.
        DataError: If it has no checkpoint.
        PrerequisiteError: If a package is missing.
    """

    prior: Path | None
    value: Path | None
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.value is not None:
            config = _read(self.value).config
            if config.learner != "ppo":
                raise ConfigError(
                    "value must be a run of learner ppo, which learns what return is "
                    f"to come, but {str(self.value)!r} is of learner {config.learner}."
                )
            baseline = config.ppo.baseline
            if baseline != "value":
                raise ConfigError(
                    f"value must be a run that has learned one, but "
                    f"{str(self.value)!r} was trained with the baseline {baseline}."
                )

    @property
    def discount(self) -> float | None:
        """That of the value; `None` without one."""
        return None if self.value is None else _read(self.value).config.ppo.discount

    @property
    def name(self) -> str:
        """Which runs they are, in words."""
        told = []
        for role, run in self.to_json().items():
            if run is not None:
                words = f"{role} {run['run']} ({run['num_frames']:,} frames"
                if role == "prior" and self.temperature != 1.0:
                    words += f", temperature {self.temperature:g}"
                told.append(f"{words})")
        return "; ".join(told)

    @contextmanager
    def open(self, spec: EnvSpec) -> Iterator[Guide]:
        """Yields prior and value in an environment, nothing evaluated yet.

        Raises:
            ConfigError: If a policy cannot read what it shows.
        """
        made: dict[Path, PolicyGuide] = {}
        for path in (self.prior, self.value):
            if path is not None and path not in made:
                made[path] = _guide(_read(path), spec, self.temperature)
        yield _OpenRuns(
            parts=tuple(made.values()),
            prior=None if self.prior is None else made[self.prior].prior,
            value=None if self.value is None else made[self.value].value,
        )

    def to_json(self) -> dict[str, Any]:
        """Returns which runs they are, after how many frames, and their settings."""
        found: dict[str, Any] = {"prior": None, "value": None}
        if self.prior is not None:
            temperature = {"temperature": self.temperature}
            found["prior"] = _provenance(self.prior) | temperature
        if self.value is not None:
            ppo = _read(self.value).config.ppo
            units = {"discount": ppo.discount, "reward_scale": ppo.reward_scale}
            found["value"] = _provenance(self.value) | units
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenRuns:
    parts: "tuple[PolicyGuide, ...]"
    prior: ActionPrior | None
    value: ValueFunction | None

    @property
    def use(self) -> EvaluatorUse:
        """How much they were used."""
        return EvaluatorUse(
            num_contexts=sum(part.num_contexts for part in self.parts),
            num_evaluations=sum(part.num_evaluations for part in self.parts),
            num_calls=sum(part.num_calls for part in self.parts),
        )

    def forget(self) -> None:
        """Forgets what was evaluated."""
        for part in self.parts:
            part.forget()


def _guide(policy: "TrainedPolicy", spec: EnvSpec, temperature: float) -> "PolicyGuide":
    from cwm.providers.policies.guiding import (  # noqa: PLC0415 - see above
        PolicyGuide,
        make_reader,
    )

    window = policy.network.window
    assert window is not None, "a network's settings are complete"
    network, ppo = policy.made.network, policy.config.ppo
    reader = make_reader(
        spec,
        trained_in=policy.config.task.find(),
        num_actions=policy.num_actions,
        window=window,
        images=network.needs_images,
    )
    return PolicyGuide(
        network,
        reader,
        discount=ppo.discount,
        reward_scale=ppo.reward_scale,
        temperature=temperature,
    )


def _provenance(path: Path) -> dict[str, Any]:
    policy = _read(path)
    weights = _checkpoint(path).read_bytes()
    return {
        "run": path.resolve().name,
        "policy": policy.config.policy,
        "network": asdict(policy.network),
        "trained_in": policy.config.task.id,
        "num_frames": policy.num_frames,
        "checkpoint_sha256": hashlib.sha256(weights).hexdigest(),
    }


def _checkpoint(path: Path) -> Path:
    from cwm.agents.runs import PolicyFolder  # noqa: PLC0415 - see above

    return PolicyFolder(path).checkpoint


def _read(path: Path) -> "TrainedPolicy":
    """Returns what a run has trained; read once as long as its checkpoint is the same.

    Raises:
        CwmError: As `read_policy` does.
    """
    checkpoint = _checkpoint(path)
    time = checkpoint.stat().st_mtime_ns if checkpoint.is_file() else 0
    return _read_once(path.resolve(), time)


@lru_cache(maxsize=2)
def _read_once(path: Path, time: int) -> "TrainedPolicy":
    from cwm.agents.training import read_policy  # noqa: PLC0415 - see above

    return read_policy(path)
