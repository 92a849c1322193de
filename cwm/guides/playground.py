"""An agent trained in the Playground, and its oracle's moments, as priors of planners.

Both read the variant of which all is observed: the agent as the features that it was
trained on, the moments as the sentences that the variant in words tells.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cwm.agents.playground import WEIGHTS, PlaygroundPolicyFolder
from cwm.core.errors import ConfigError
from cwm.core.protocols import (
    ActionPrior,
    Context,
    FloatArray,
    ValueFunction,
    ValueSpec,
)
from cwm.core.spaces import Value
from cwm.evaluation.decisions import EvaluatorUse
from cwm.evaluation.guides import Guide
from cwm.providers.hypotheses.experimenters.masked_ppo import MaskedPPO
from cwm.providers.knowledge.base.encoders import HashedEncoder
from cwm.providers.knowledge.base.entries import Entry
from cwm.providers.knowledge.base.states import DEFAULT_RETRIEVAL, StateBase
from cwm.providers.knowledge.base.storing import load_base, read_manifest
from cwm.providers.knowledge.base.verbs import FIRST_ACTION
from cwm.providers.knowledge.mixing import MixingConfig, mix_actions
from envs.playground.encoding import action_mask, encode
from envs.playground.expert import OracleExpert
from envs.playground.reading import check_readable, scene_of
from envs.playground.rules import (
    GOES_TO,
    GRASP,
    NUM_SLOTS,
    RELEASE_ALL,
    RELEASE_FIRST,
    Scene,
    inventory,
)
from envs.playground.texts import action_sentence, describe
from envs.playground.things import NAMES
from envs.spec import EnvSpec

MAX_STEPS = 1_000
"""Of an episode of the oracle; it ends far before."""

KNOWLEDGE_MIXING = MixingConfig(agent_weight=0.0, epsilon=0.1, arguments="counts")
"""No agent speaks beside the base, so that what followed says whole actions, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaygroundPolicy:
    """An agent of the Playground as prior, and as value; an `OpenableGuide`.

    Attributes:
        path: Folder that `train_in_playground` has written.
        gives_value: Whether it is the value, too.
    """

    path: Path
    gives_value: bool = False

    @property
    def name(self) -> str:
        """Which agent it is, in words."""
        frames = self._result()["num_frames"]
        role = "prior and value" if self.gives_value else "prior"
        return f"{role} {self.path.name} ({frames:,} frames)"

    @contextmanager
    def open(self, spec: EnvSpec) -> Iterator[Guide]:
        """Yields prior and value, nothing evaluated yet.

        Raises:
            ConfigError: If the environment is another.
            DataError: If the agent cannot be read.
            PrerequisiteError: If a package of the extra [rl] is missing.
        """
        _check(spec)
        config, policy, _ = PlaygroundPolicyFolder(self.path).read()
        reader = _PolicyReader(policy, discount=config.ppo.discount)
        yield _Open(
            counts=reader.counts,
            prior=reader,
            value=_PolicyValue(reader) if self.gives_value else None,
        )

    def to_json(self) -> dict[str, Any]:
        """Returns which agent it is."""
        weights = (self.path / WEIGHTS).read_bytes()
        told: dict[str, Any] = {
            "run": self.path.name,
            "num_frames": self._result()["num_frames"],
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
        }
        return {"prior": told, "value": told if self.gives_value else None}

    def _result(self) -> dict[str, Any]:
        return PlaygroundPolicyFolder(self.path).read_result()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaygroundKnowledge:
    """What the oracle did where things stood alike, as a prior; an `OpenableGuide`.

    Attributes:
        path: Folder of the state base (`save_base`) of `oracle_moments`.
    """

    path: Path

    @property
    def name(self) -> str:
        """Which base it is, in words."""
        number = read_manifest(self.path).num_entries
        return f"prior {self.path.name} (state base, {number:,} moments)"

    @contextmanager
    def open(self, spec: EnvSpec) -> Iterator[Guide]:
        """Yields the prior, nothing looked up yet.

        Raises:
            ConfigError: If the environment is another.
            DataError: If the base cannot be read.
        """
        _check(spec)
        prior = _KnowledgePrior(load_base(self.path, HashedEncoder()))
        yield _Open(counts=prior.counts, prior=prior, value=None)

    def to_json(self) -> dict[str, Any]:
        """Returns which base it is."""
        manifest = read_manifest(self.path)
        told = {"run": self.path.name, "base_sha256": manifest.entries_sha256}
        return {"prior": told}


def oracle_moments(spec: EnvSpec, seeds: Sequence[int]) -> list[Entry]:
    """Returns what the oracle does in some scenes, moment by moment, in words.

    Args:
        spec: The Playground of which all is observed.
        seeds: Of the scenes.

    Raises:
        ConfigError: If it is another environment.
    """
    _check(spec)
    expert, env = OracleExpert(spec), spec.make().unwrapped
    entries: list[Entry] = []
    for seed in seeds:
        observation, _ = env.reset(seed=seed)
        previous = FIRST_ACTION
        for action in expert.actions(seed, MAX_STEPS):
            scene = scene_of(observation)
            (words,) = action_words(scene, [int(action)])
            entries.append(
                Entry(
                    state=describe(scene),
                    previous=previous,
                    next=words,
                    task="grow",
                    episode=f"{spec.id}/{seed}",
                )
            )
            previous = words
            observation, *_ = env.step(action)
    return entries


def action_words(scene: Scene, actions: Sequence[int]) -> list[str]:
    """Returns actions as commands, each another one.

    Numbers that stand for nothing here, such as giving what is not held, are told as
    doing nothing; whether anything comes of the others is not looked at.
    """
    items = [NAMES[one] for one in inventory(scene)]
    found: list[str] = []
    for action in actions:
        sentence = "do nothing"
        gives_one = RELEASE_FIRST <= action < RELEASE_FIRST + len(items)
        if action in GOES_TO or action in (GRASP, RELEASE_ALL) or gives_one:
            sentence = action_sentence(action, items)
        words = sentence.removeprefix("You ").removesuffix(".")
        found.append(words if words not in found else f"{words} {action}")
    return found


class _Counts:
    """How often a guide was asked."""

    def __init__(self) -> None:
        self.contexts = self.evaluated = self.calls = 0


@dataclass(frozen=True, kw_only=True)
class _Open:
    counts: _Counts
    prior: ActionPrior | None
    value: ValueFunction | None

    @property
    def use(self) -> EvaluatorUse:
        """How much it was used."""
        counts = self.counts
        return EvaluatorUse(
            num_contexts=counts.contexts,
            num_evaluations=counts.evaluated,
            num_calls=counts.calls,
        )

    def forget(self) -> None:
        """Forgets nothing: what is answered depends on the scene alone."""


@dataclass
class _PolicyReader:
    """The prior of an agent."""

    policy: MaskedPPO
    discount: float
    counts: _Counts = field(default_factory=_Counts)

    def evaluate(
        self, contexts: Sequence[Context], legal: Sequence[Sequence[Value]]
    ) -> list[FloatArray]:
        """Returns log-probabilities of exactly the legal actions; see `ActionPrior`."""
        numbers = [[int(action) for action in one] for one in legal]
        self.count(len(contexts))
        masks = np.stack([action_mask(tuple(one)) for one in numbers])
        logs = self.policy.log_probs(features_of(contexts), masks)
        return [row[one] for row, one in zip(logs, numbers, strict=True)]

    def count(self, number: int) -> None:
        """Notes that the network was called."""
        self.counts.contexts += number
        self.counts.evaluated += number
        self.counts.calls += 1


class _PolicyValue:
    """The value of an agent: of what is still to grow."""

    def __init__(self, reader: _PolicyReader) -> None:
        self._reader = reader
        # Nothing but what there is can grow.
        self.spec = ValueSpec(discount=reader.discount, low=0.0, high=float(NUM_SLOTS))

    def evaluate(self, contexts: Sequence[Context]) -> FloatArray:
        """Returns estimates of the return to come, `[N]`; see `ValueFunction`."""
        self._reader.count(len(contexts))
        values = self._reader.policy.values(features_of(contexts)).numpy()
        clipped: FloatArray = np.clip(
            np.asarray(values, dtype=np.float64), self.spec.low, self.spec.high
        )
        return clipped


def features_of(contexts: Sequence[Context]) -> Any:
    """Returns the features of what is seen last, `[N, 416]`."""
    return np.stack([encode(scene_of(one.observations[-1])) for one in contexts])


class _KnowledgePrior:
    """The prior of a state base."""

    def __init__(self, base: StateBase) -> None:
        self.counts = _Counts()
        self._base = base

    def evaluate(
        self, contexts: Sequence[Context], legal: Sequence[Sequence[Value]]
    ) -> list[FloatArray]:
        """Returns log-probabilities of exactly the legal actions; see `ActionPrior`."""
        scenes = [scene_of(one.observations[-1]) for one in contexts]
        found = self._base.neighbours_of_all(
            [describe(scene) for scene in scenes],
            [_previous(one) for one in contexts],
            DEFAULT_RETRIEVAL,
        )
        self.counts.contexts += len(contexts)
        self.counts.evaluated += len(contexts)
        results = []
        for scene, near, actions in zip(scenes, found, legal, strict=True):
            words = action_words(scene, [int(action) for action in actions])
            silent = np.full(len(words), -np.inf)
            mixed = mix_actions(words, silent, near, KNOWLEDGE_MIXING)
            with np.errstate(divide="ignore"):
                results.append(np.log(mixed.probabilities))
        return results


def _previous(context: Context) -> str:
    """Returns what was done last, in words."""
    if not context.actions:
        return FIRST_ACTION
    before = scene_of(context.observations[-2])
    (words,) = action_words(before, [int(context.actions[-1])])
    return words


def _check(spec: EnvSpec) -> None:
    try:
        check_readable(spec)
    except ValueError as error:
        raise ConfigError(str(error)) from error
