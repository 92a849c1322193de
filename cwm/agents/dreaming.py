"""Training an agent inside a world model: which program, and where episodes begin."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np

from cwm.agents.runs import DreamConfig
from cwm.core.errors import ConfigError, DataError
from cwm.core.protocols import StepResult
from cwm.core.seeding import child_seed
from cwm.core.spaces import DiscreteSpec, Value
from cwm.evaluation.held_program import ProgramLost
from cwm.evaluation.opened_program import OpenedProgram, opened_program
from cwm.execution.prerequisites import no_sandbox
from cwm.named_models import read_model
from cwm.providers.policies.guiding import make_reader
from cwm.providers.policies.imagined import ImaginedEpisodes
from envs.babyai.telling import StateTeller
from envs.registry import find
from envs.spec import EnvSpec
from sandbox.errors import SandboxUnavailable

_IN_WORDS, _OBSERVED = "cwm/BabyAI-", "cwm/PrivilegedBabyAI-"

_ONLY_IN_WORDS = ("wording", "kind_per_instance")
"""Arguments that first states do not depend on: each is of a reset of its own."""


def read_program(config: DreamConfig) -> str | None:
    """Returns the program; `None` if training is to take place in the level.

    Raises:
        ConfigError: If it is no program.
        DataError: If it cannot be read.
    """
    if config.model is None:
        return None
    found = read_model(config.model)
    if found.kind != "program":
        raise ConfigError(
            "model must be a run of cwm.synthesize or a Python file to train in, "
            f"got {config.model!r}."
        )
    return found.source


def observed_level(env_id: str, kwargs: Mapping[str, Any]) -> EnvSpec:
    """Returns a level of BabyAI with all of it observed.

    Args:
        env_id: The level in words.
        kwargs: Its arguments.

    Raises:
        ConfigError: If it is no such level, or has no such variant.
    """
    if not env_id.startswith(_IN_WORDS):
        raise ConfigError(
            f"model is for levels of BabyAI in words (cwm/BabyAI-...), got {env_id!r}."
        )
    others = {
        name: value for name, value in kwargs.items() if name not in _ONLY_IN_WORDS
    }
    return find(env_id.replace(_IN_WORDS, _OBSERVED), kwargs=others)


@contextmanager
def dream(
    program: str,
    told: EnvSpec,
    kwargs: Mapping[str, Any],
    config: DreamConfig,
    *,
    num_envs: int,
    window: int,
    images: bool,
    seed: int,
) -> Iterator[ImaginedEpisodes]:
    """Yields episodes that take place in a program.

    Args:
        program: Predicts the level.
        told: The level in words.
        kwargs: Its arguments.
        config: How the program is run, and how many first states are taken.
        num_envs: Episodes at once.
        window: Most observations of a view.
        images: Whether views have images.
        seed: Of the real resets.

    Raises:
        ConfigError: If the level is not told of.
        DataError: If the program cannot be opened, or is lost again and again.
        PrerequisiteError: If programs cannot be run safely on this machine.
    """
    spec, actions = observed_level(told.id, kwargs), told.action_space
    assert isinstance(actions, DiscreteSpec), "BabyAI's actions are numbered"
    reader = make_reader(
        spec,
        trained_in=told,
        num_actions=actions.num_values,
        window=window,
        images=images,
    )
    assert isinstance(reader.teller, StateTeller), "all of the level is observed"
    opened = opened_program(
        program, spec, limits=config.limits, isolation=config.isolation
    )
    try:
        with opened as model:
            yield ImaginedEpisodes(
                Lasting(model, renewed_s=config.limits.session_s / 2),
                first_states(spec, config.model_starts, seed),
                reader.teller,
                reader.actions,
                num_envs=num_envs,
                window=window,
                images=images,
            )
    except ProgramLost as error:
        raise DataError(f"The world model cannot be used: {error}") from error
    except SandboxUnavailable as error:
        raise no_sandbox(error) from error


def first_states(spec: EnvSpec, number: int, seed: int) -> list[Any]:
    """Returns the first states of real episodes; none is stepped."""
    env = spec.make()
    try:
        return [
            env.reset(seed=child_seed(seed, "model starts", index))[0]
            for index in range(number)
        ]
    finally:
        env.close()


class Lasting:
    """A program that is opened again when its process ends; a `StepsApart`.

    Args:
        opened: The program, just opened.
        renewed_s: Age at which it gets another process, in seconds: so early that no
            step is lost because a session ends.
    """

    def __init__(self, opened: OpenedProgram, *, renewed_s: float) -> None:
        self._held, self._model = opened.held, opened.model
        self._renewed_s, self._since = renewed_s, time.monotonic()

    def single_steps(
        self,
        observations: Sequence[Value],
        actions: Sequence[Value],
        rngs: Sequence[np.random.Generator],
    ) -> list[StepResult | None]:
        """Returns the outcomes; none has an answer where the program was lost.

        A loss that is not the program's fault is made good once, with the same random
        numbers.
        """
        if time.monotonic() - self._since > self._renewed_s:
            self._held.close()
            self._since = time.monotonic()
        for _ in range(2):
            self._held.ensure_open()
            try:
                found = self._model.single_steps(observations, actions, deepcopy(rngs))
            except ProgramLost as error:
                if error.is_blameless:
                    continue
                break
            self._held.note_answer()
            return found
        # Opened again by the next call, unless that was too often.
        return [None] * len(observations)
