"""A trained policy as prior and value of planners.

A planner's node holds what an agent was told, has seen and done (`Context`); the policy
reads it as it reads an episode. Contexts that read alike are evaluated once, however
planning came there.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from cwm.core.errors import ConfigError
from cwm.core.protocols import Context, FloatArray, ValueSpec
from cwm.core.spaces import DiscreteSpec, Value
from cwm.llm.local.packages import LazyPackage
from cwm.providers.policies.networks.base import PolicyNetwork
from cwm.providers.policies.views import View
from envs.babyai.env import BabyAIText
from envs.babyai.privileged import PrivilegedBabyAI
from envs.babyai.telling import StateTeller, Teller, TextTeller
from envs.babyai.wordings import Wording
from envs.spec import EnvSpec
from prompts.glam import History

torch = LazyPackage("torch")

MAX_KEPT = 100_000
"""Evaluations that are kept at most; then all are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextReader:
    """Makes views of what planners know.

    Attributes:
        teller: Tells of the environment's observations.
        actions: The names of all actions; an action is an index of them.
        window: Most observations of a view; at least 1.
        images: Whether views have images.
    """

    teller: Teller
    actions: tuple[str, ...]
    window: int
    images: bool = False

    def view(self, context: Context) -> View:
        """Returns a context as an agent in words would have it."""
        seen = context.observations[-self.window :]
        done = context.actions[len(context.actions) - (len(seen) - 1) :]
        return View(
            goal=self.teller.mission(context.instruction, context.observations[0]),
            history=History(
                observations=tuple(tuple(self.teller.sentences(one)) for one in seen),
                actions_done=tuple(self.actions[_index(action)] for action in done),
                window=self.window,
            ),
            actions=self.actions,
            images=tuple(map(self.teller.image, seen)) if self.images else (),
        )


def make_reader(
    spec: EnvSpec, *, trained_in: EnvSpec, num_actions: int, window: int, images: bool
) -> ContextReader:
    """Returns what reads the contexts of an environment.

    Args:
        spec: BabyAI, in words or with all of it observed.
        trained_in: Where the policy has learned, in words; states that are integers
            are told in these.
        num_actions: Actions that the policy knows.
        window: Most observations of a view.
        images: Whether the policy needs images.

    Raises:
        ConfigError: If the policy cannot read such contexts, or knows other actions.
    """
    env = _unwrapped(spec)
    if not isinstance(env, BabyAIText | PrivilegedBabyAI):
        raise ConfigError(
            "A trained policy reads BabyAI only, in words (cwm/BabyAI-...) or all of "
            f"it observed (cwm/PrivilegedBabyAI-...), got {spec.id!r}."
        )
    space = spec.action_space
    assert isinstance(space, DiscreteSpec), "BabyAI's actions are numbered"
    if space.num_values != num_actions:
        raise ConfigError(
            f"{spec.id!r} has {space.num_values} actions, and the policy knows "
            f'{num_actions}: give {{"num_actions": {num_actions}}} in --env-kwargs.'
        )
    if images and isinstance(env, BabyAIText):
        raise ConfigError(
            f"The policy sees images, and {spec.id!r} is told in words. Name "
            "cwm/PrivilegedBabyAI-..., of which an image can be made."
        )
    told = env if isinstance(env, BabyAIText) else _unwrapped(trained_in)
    assert isinstance(told, BabyAIText), "a policy learns from text"
    return ContextReader(
        teller=_teller(env, told.wording),
        actions=told.wording.actions[:num_actions],
        window=window,
        images=images,
    )


def _unwrapped(spec: EnvSpec) -> object:
    made = spec.make()
    made.close()
    return made.unwrapped


def _teller(env: BabyAIText | PrivilegedBabyAI, wording: Wording) -> Teller:
    if isinstance(env, BabyAIText):
        return TextTeller()
    level = env.level
    return StateTeller(width=level.width, height=level.height, wording=wording)


class PolicyGuide:
    """A network as an `ActionPrior` (`prior`) and a `ValueFunction` (`value`).

    Both share what was evaluated. No gradients are kept.

    Args:
        network: Gives log-probabilities and values.
        reader: Makes its views.
        discount: Of the values.
        reward_scale: How many of a value's units a reward of 1 is.
        highest: Largest return of the environment; none is below 0.
        temperature: The prior's log-probabilities are divided by it before they are
            normalised again: above 1, less probable actions become more so. Above 0.
        batch_size: Most views that the network sees at once; at least 1.

    Attributes:
        prior: Its probabilities over exactly the legal actions.
        value: Its values, within 0 and the largest return.
        num_contexts: Contexts that it was asked about.
        num_evaluations: Of these, how many the network has evaluated: the others read
            like one before.
        num_calls: Calls of the network.

    Raises:
        ConfigError: If a number is too small.
    """

    def __init__(
        self,
        network: PolicyNetwork,
        reader: ContextReader,
        *,
        discount: float,
        reward_scale: float = 1.0,
        highest: float = 1.0,
        temperature: float = 1.0,
        batch_size: int = 64,
    ) -> None:
        if not 0.0 < temperature < math.inf:
            raise ConfigError(
                f"temperature must be positive and finite, got {temperature!r}."
            )
        if batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, got {batch_size}.")
        self._network, self._reader = network, reader
        self._batch_size = batch_size
        self._kept: dict[Hashable, _Evaluation] = {}
        self.num_contexts = self.num_evaluations = self.num_calls = 0
        self.prior = _Prior(self, temperature)
        spec = ValueSpec(
            discount=discount,
            scale=1.0 / reward_scale,
            low=0.0,
            high=highest * reward_scale,
        )
        self.value = _Value(self, spec)

    def forget(self) -> None:
        """Forgets what was evaluated; nothing else depends on it but the counts."""
        self._kept.clear()

    def evaluate(self, contexts: Sequence[Context]) -> "list[_Evaluation]":
        """Returns what the network says of contexts, asked once about each text."""
        views = [self._reader.view(context) for context in contexts]
        keys = [_key(view) for view in views]
        self.num_contexts += len(views)
        known = {key: self._kept[key] for key in keys if key in self._kept}
        new = {
            key: view for key, view in zip(keys, views, strict=True) if key not in known
        }
        pairs = list(new.items())
        for start in range(0, len(pairs), self._batch_size):
            part = pairs[start : start + self._batch_size]
            found = self._ask([view for _, view in part])
            known |= zip((key for key, _ in part), found, strict=True)
        if len(self._kept) + len(new) > MAX_KEPT:
            self._kept.clear()
        self._kept |= {key: known[key] for key in new}
        return [known[key] for key in keys]

    def _ask(self, views: Sequence[View]) -> "list[_Evaluation]":
        with torch.inference_mode():
            found = self._network.evaluate(views)
        self.num_evaluations += len(views)
        self.num_calls += 1
        log_probs = found.log_probs.double().cpu().numpy()
        values = found.values.double().cpu().tolist()
        return [_Evaluation(*both) for both in zip(log_probs, values, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class _Evaluation:
    """What a network says of a view: `[A]` log-probabilities, and the value."""

    log_probs: FloatArray
    value: float


class _Prior:
    def __init__(self, guide: PolicyGuide, temperature: float) -> None:
        self._guide, self._temperature = guide, temperature

    def evaluate(
        self, contexts: Sequence[Context], legal: Sequence[Sequence[Value]]
    ) -> list[FloatArray]:
        """Returns log-probabilities of exactly the legal actions; see `ActionPrior`.

        Raises:
            ValueError: If the policy does not know an action.
        """
        return [
            self._of_legal(found.log_probs, actions)
            for found, actions in zip(
                self._guide.evaluate(contexts), legal, strict=True
            )
        ]

    def _of_legal(self, log_probs: FloatArray, legal: Sequence[Value]) -> FloatArray:
        indices = [_index(action) for action in legal]
        if any(not 0 <= index < len(log_probs) for index in indices):
            raise ValueError(
                f"Legal actions must be from 0 to {len(log_probs) - 1}, got {indices}."
            )
        logs: FloatArray = log_probs[indices] / self._temperature
        logs = logs - logs.max()
        normalised: FloatArray = logs - np.log(np.exp(logs).sum())
        return normalised


class _Value:
    def __init__(self, guide: PolicyGuide, spec: ValueSpec) -> None:
        self._guide, self.spec = guide, spec

    def evaluate(self, contexts: Sequence[Context]) -> FloatArray:
        """Returns estimates of the return to come, `[N]`; see `ValueFunction`."""
        values = [found.value for found in self._guide.evaluate(contexts)]
        clipped: FloatArray = np.clip(np.asarray(values), self.spec.low, self.spec.high)
        return clipped


def _index(action: Value) -> int:
    return int(action)


def _key(view: View) -> Hashable:
    """Returns what decides all that a network says of a view of one environment."""
    images = tuple(image.tobytes() for image in view.images)
    return view.goal, view.history.observations, view.history.actions_done, images
