"""Masked PPO on the Playground's features: sb3-contrib's networks, buffer and update.

After Schulman et al., "Proximal policy optimization algorithms", 2017
(https://arxiv.org/abs/1707.06347), with actions that are not legal masked (Huang and
Ontañón, 2020, https://arxiv.org/abs/2006.14171). Random numbers come from seeds that
are passed; the global generators of torch and NumPy are left as they were.
"""

import importlib
import importlib.util
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cwm.core.errors import ConfigError, DataError, PrerequisiteError
from cwm.core.files import write_atomically
from cwm.core.protocols import FloatArray
from cwm.core.seeding import child_seed
from cwm.providers.hypotheses.config import CuriosityConfig
from envs.playground.env import EncodedPlayground

REQUIREMENTS = {"sb3_contrib": "sb3-contrib>=2.7", "torch": "torch>=2.8,<2.14"}
"""Package -> what the extra asks for."""

_FORMAT = "curious policy 1"
_ABOUT, _POLICY, _ADAM = "about", "policy/", "adam/"
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile)
_FIGURES = {
    "entropy_loss": "entropy",
    "policy_gradient_loss": "policy_loss",
    "value_loss": "value_loss",
    "approx_kl": "approximate_kl",
    "clip_fraction": "clip_fraction",
    "explained_variance": "explained_variance",
}
"""What the update says of itself -> what it is called here."""


def require_packages() -> None:
    """Checks, without importing them, that the packages are there.

    Raises:
        PrerequisiteError: If one is missing; the message has the install line.
    """
    for package in REQUIREMENTS:
        if importlib.util.find_spec(package) is None:
            quoted = " ".join(f"'{text}'" for text in REQUIREMENTS.values())
            raise PrerequisiteError(
                f"The curious experimenter needs the package {package}, of the extra "
                f"[rl]. Run: pip install {quoted}"
            )


class Choices(NamedTuple):
    """What the policy does in each of `E` environments.

    Attributes:
        actions: Numbers of legal actions, `[E]`.
        values: What the value function says of the scenes, `[E]`, a tensor.
        log_probs: Of the actions, in nats, `[E]`, a tensor.
    """

    actions: NDArray[np.int64]
    values: Any
    log_probs: Any


class Rollout(NamedTuple):
    """What was met in a collection, but for the rewards.

    Attributes:
        lost_values: `[S, E]`: where an episode was cut off, the value of its last
            scene; else 0.
        last_values: Values of the scenes after the last step, `[E]`, a tensor.
        last_is_over: Whether the last step ended an episode, `[E]`.
        seed: Of the random numbers of the update.
    """

    lost_values: NDArray[np.float32]
    last_values: Any
    last_is_over: NDArray[np.bool_]
    seed: int


class MaskedPPO:
    """A policy and a value function over 416 features and 30 actions, and their update.

    The features go in as they are, counts and flags; the original makes 1,664 zeros and
    ones of them, four for each.
    """

    def __init__(self, config: CuriosityConfig, *, seed: int) -> None:
        """Draws the weights.

        Args:
            config: How to learn.
            seed: Of the weights; at least 0.

        Raises:
            ConfigError: If the last batch of a pass would be a single transition.
            PrerequisiteError: If a package is missing.
        """
        require_packages()
        num_transitions = config.num_envs * config.num_steps
        if num_transitions % config.batch_size == 1:
            raise ConfigError(
                "num_envs * num_steps must leave more than one transition for the last "
                f"batch, got {num_transitions} and batches of {config.batch_size}: "
                "advantages are divided by their standard deviation."
            )
        self._torch = importlib.import_module("torch")
        self._config = config
        with self.numbers(child_seed(seed, "weights")):
            self._ppo = _make_ppo(config)
        self.num_updates = 0

    @contextmanager
    def numbers(self, seed: int) -> Iterator[None]:
        """Lets the library draw from a seed, on one thread, and restores both after.

        More threads would add up in another order, and networks so small do not get
        faster by them.
        """
        torch = self._torch
        num_threads = torch.get_num_threads()
        # The library shuffles with NumPy's global generator.
        old = np.random.get_state()  # noqa: NPY002
        with torch.random.fork_rng(devices=[]):
            try:
                torch.set_num_threads(1)
                torch.default_generator.manual_seed(seed)
                own = np.random.RandomState(seed)
                np.random.set_state(own.get_state())  # noqa: NPY002
                yield
            finally:
                torch.set_num_threads(num_threads)
                np.random.set_state(old)  # noqa: NPY002

    def begin(self) -> None:
        """Forgets the last rollout."""
        self._ppo.rollout_buffer.reset()
        self._ppo.policy.set_training_mode(False)

    def act(self, features: NDArray[np.int8], masks: NDArray[np.bool_]) -> Choices:
        """Draws legal actions.

        Args:
            features: `[E, 416]`.
            masks: Which actions are legal, `[E, 30]`.
        """
        torch = self._torch
        with torch.no_grad():
            actions, values, log_probs = self._ppo.policy(
                torch.from_numpy(features), action_masks=masks
            )
        return Choices(actions.numpy(), values.flatten(), log_probs)

    def values(self, features: NDArray[np.int8]) -> Any:
        """Returns what the value function says of scenes, `[E]`, a tensor."""
        torch = self._torch
        with torch.no_grad():
            return self._ppo.policy.predict_values(torch.from_numpy(features)).flatten()

    def log_probs(
        self, features: NDArray[np.int8], masks: NDArray[np.bool_]
    ) -> FloatArray:
        """Returns how probable actions are, in nats, `[E, 30]`; very low where masked.

        Args:
            features: `[E, 416]`.
            masks: Which actions are legal, at least one in each row, `[E, 30]`.
        """
        torch = self._torch
        with torch.no_grad():
            found = self._ppo.policy.get_distribution(
                torch.from_numpy(features), action_masks=masks
            )
        return np.asarray(found.distribution.logits.numpy(), dtype=np.float64)

    def record(
        self,
        features: NDArray[np.int8],
        masks: NDArray[np.bool_],
        begins: NDArray[np.bool_],
        choices: Choices,
    ) -> None:
        """Keeps one step of all environments; its rewards come later.

        Args:
            features: What was seen before it, `[E, 416]`.
            masks: Which actions were legal, `[E, 30]`.
            begins: Whether it is the first of an episode, `[E]`.
            choices: What was done.
        """
        self._ppo.rollout_buffer.add(
            features,
            choices.actions,
            np.zeros(len(features), dtype=np.float32),
            begins,
            choices.values,
            choices.log_probs,
            action_masks=masks,
        )

    def update(self, rewards: FloatArray, rollout: Rollout) -> dict[str, float]:
        """Learns from the steps that were recorded; returns figures of the update.

        Args:
            rewards: Of each step and environment, `[S, E]`.
            rollout: What else was met.
        """
        config, buffer = self._config, self._ppo.rollout_buffer
        buffer.rewards[:] = rewards
        if config.time_limit == "cuts":
            buffer.rewards += config.discount * rollout.lost_values
        buffer.compute_returns_and_advantage(
            last_values=rollout.last_values, dones=rollout.last_is_over
        )
        with self.numbers(rollout.seed):
            self._ppo.train()
        self.num_updates += 1
        said = self._ppo.logger.name_to_value
        figures = {
            name: float(said[f"train/{source}"]) for source, name in _FIGURES.items()
        }
        return figures | {"entropy": -figures["entropy"]}

    def save(self, path: Path) -> None:
        """Writes weights and the state of the optimiser to one file, in one step.

        The file is NumPy's `.npz`, without pickled objects.

        Raises:
            OSError: If the folder cannot be written.
        """
        about = self._about() | {"num_updates": self.num_updates}
        policy = self._ppo.policy
        arrays = {_ABOUT: np.array(json.dumps(about))}
        for name, tensor in policy.state_dict().items():
            arrays[f"{_POLICY}{name}"] = tensor.numpy()
        for number, moments in policy.optimizer.state_dict()["state"].items():
            for name, tensor in moments.items():
                arrays[f"{_ADAM}{number}/{name}"] = tensor.numpy()
        content = BytesIO()
        np.savez(content, allow_pickle=False, **arrays)
        write_atomically(path, content.getvalue())

    def load(self, path: Path) -> None:
        """Goes on from what `save` wrote.

        Raises:
            DataError: If the file is none of its own, or of a policy of another form.
        """
        try:
            # NumPy would leave a file open that is no archive after all.
            with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as file:
                arrays = dict(file)
            about = json.loads(str(arrays.pop(_ABOUT)))
            num_updates = int(about.pop("num_updates"))
        except _UNREADABLE as error:
            raise DataError(
                f"{path} must be a curious policy's file: {error}"
            ) from error
        if about != self._about():
            raise DataError(
                f"{path} must be the file of a policy such as {self._about()}, got "
                f"{about}."
            )
        try:
            self._restore(arrays)
        except (KeyError, ValueError, RuntimeError) as error:
            raise DataError(f"{path} must be whole: {error}") from error
        self.num_updates = num_updates

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        from_numpy, policy = self._torch.from_numpy, self._ppo.policy
        weights: dict[str, Any] = {}
        moments: dict[int, dict[str, Any]] = {}
        for key, array in arrays.items():
            if key.startswith(_POLICY):
                weights[key.removeprefix(_POLICY)] = from_numpy(array)
            else:
                number, name = key.removeprefix(_ADAM).split("/")
                moments.setdefault(int(number), {})[name] = from_numpy(array)
        policy.load_state_dict(weights)
        groups = policy.optimizer.state_dict()["param_groups"]
        policy.optimizer.load_state_dict({"state": moments, "param_groups": groups})

    def _about(self) -> dict[str, Any]:
        ppo = self._ppo
        return {
            "format": _FORMAT,
            "features": int(ppo.observation_space.shape[0]),
            "actions": int(ppo.action_space.n),
            "hidden_sizes": list(self._config.hidden_sizes),
        }


def _make_ppo(config: CuriosityConfig) -> Any:
    # It imports the old gym where there is one, which prints that it is old.
    with redirect_stderr(StringIO()):
        contrib = importlib.import_module("sb3_contrib")
    widths = list(config.hidden_sizes)
    ppo = contrib.MaskablePPO(
        "MlpPolicy",
        # Acting is our own affair.
        None,
        learning_rate=config.learning_rate,
        n_steps=config.num_steps,
        batch_size=config.batch_size,
        n_epochs=config.num_epochs,
        gamma=config.discount,
        gae_lambda=config.gae_lambda,
        clip_range=config.clip_range,
        ent_coef=config.entropy_weight,
        vf_coef=config.value_weight,
        max_grad_norm=config.max_grad_norm,
        policy_kwargs={"net_arch": {"pi": widths, "vf": widths}},
        device="cpu",
        _init_setup_model=False,
    )
    spaces = EncodedPlayground()
    ppo.observation_space = spaces.observation_space
    ppo.action_space = spaces.action_space
    ppo.n_envs = config.num_envs
    ppo._setup_model()
    logger = importlib.import_module("stable_baselines3.common.logger")
    ppo.set_logger(logger.Logger(folder=None, output_formats=[]))
    return ppo
