"""Where the transitions of a command come from: an environment or a file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cwm.config import SourceConfig
from cwm.core.errors import ConfigError, CwmError, DataError
from cwm.core.trajectories import Dataset, Split
from cwm.execution.progress import Progress
from cwm.providers.hypotheses.search.keeping import read_rules
from envs.collect import collect
from envs.data import load_data
from envs.registry import find
from envs.spec import EnvSpec, with_description

MIN_TRAJECTORIES_TO_SPLIT = 3
"""Fewer trajectories without splits of their own are all used for training."""

HELD_OUT_FRACTION = 0.2


@dataclass(frozen=True, kw_only=True)
class Source:
    """Transitions, and the environment that they are from where it is at hand.

    Attributes:
        dataset: The transitions, in splits.
        spec: The environment; for the ceiling only, nothing else may see it.
    """

    dataset: Dataset
    spec: EnvSpec | None


def obtain(config: SourceConfig, *, seed: int, progress: Progress) -> Source:
    """Returns the transitions that the settings ask for: collected, or read.

    Raises:
        ConfigError: If a setting is wrong, such as an unknown environment.
        DataError: If a file cannot be read or is not of the stated form.
        PrerequisiteError: If a package that is needed is missing.
    """
    config.check()
    text = None if config.description is None else read_text(config.description)
    rules = None if config.hypotheses is None else read_rules(config.hypotheses)
    if config.data is not None:
        progress.phase(f"Reading {config.data}")
        dataset = with_held_out(load_data(config.data))
        spec = environment_of(dataset)
    else:
        spec = find_env(config)
        if rules is not None:
            rules.check(spec.id)
        progress.phase(f"Collecting transitions of {spec.id}")
        dataset = collect(spec, config.collect, seed)
    if text is None and not dataset.description and spec is not None:
        text = spec.description
    if rules is not None:
        rules.check(dataset.environment_id)
        known = dataset.description if text is None else text
        text = with_hypotheses(known, rules.text)
    if text is not None:
        dataset = replace(dataset, description=text)
    if not dataset.in_split("train"):
        raise DataError(
            f"The data of {dataset.environment_id} must have training transitions, "
            "got none."
        )
    return Source(dataset=dataset, spec=spec)


def with_hypotheses(description: str, hypotheses: str) -> str:
    """Returns a description with rules that somebody has found in words."""
    head = "## Hypotheses\nFound by experience; they may be incomplete or wrong.\n\n"
    return f"{description.rstrip()}\n\n{head}{hypotheses.strip()}\n"


def find_env(config: SourceConfig) -> EnvSpec:
    """Returns the environment as the settings name it.

    Raises:
        ConfigError: If there is no such environment, or a setting is wrong.
        PrerequisiteError: If a package that it needs is missing.
    """
    assert config.env is not None, "checked before: there is an environment"
    return find(
        config.env,
        kwargs=parse_kwargs(config.env_kwargs),
        changes=parse_changes(config.set),
    )


def environment_of(dataset: Dataset) -> EnvSpec | None:
    """Returns the environment that recorded transitions name, if it can be made.

    It is only used if its spaces are those of the data: otherwise it is another
    environment of the same name. It has the description that the data have.
    """
    collection = dataset.collection
    try:
        spec = find(
            dataset.environment_id,
            kwargs=collection.get("env_kwargs"),
            changes=collection.get("env_changes"),
        )
    except CwmError:
        return None
    spaces = (spec.observation_space, spec.action_space)
    if spaces != (dataset.observation_space, dataset.action_space):
        return None
    if dataset.description:
        return with_description(spec, dataset.description)
    return spec


def with_held_out(dataset: Dataset) -> Dataset:
    """Returns a data set that has transitions to be scored after the search.

    Where the file says nothing (all trajectories are for training), the last
    fifth of them is held out, and as many before them validate.
    """
    num = len(dataset.trajectories)
    if set(dataset.splits) != {"train"} or num < MIN_TRAJECTORIES_TO_SPLIT:
        return dataset
    num_held_out = max(1, round(HELD_OUT_FRACTION * num))
    num_train = num - 2 * num_held_out
    train: Split = "train"
    validation: Split = "validation"
    held_out: Split = "held_out"
    splits = (
        [train] * num_train + [validation] * num_held_out + [held_out] * num_held_out
    )
    return replace(dataset, splits=tuple(splits))


def parse_kwargs(text: str) -> dict[str, Any]:
    """Returns the constructor arguments that `--env-kwargs` gives.

    Raises:
        ConfigError: If the text is not a JSON object.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ConfigError(
            f"--env-kwargs must be JSON, got {text!r}: {error}"
        ) from error
    if not isinstance(found, dict):
        raise ConfigError(f"--env-kwargs must be a JSON object, got {text!r}.")
    return found


def parse_changes(assignments: Sequence[str]) -> dict[str, Any]:
    """Returns the changed constants that `--set` gives.

    Raises:
        ConfigError: If one is not of the form `name=value`.
    """
    changes: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            raise ConfigError(f"--set must be given name=value, got {assignment!r}.")
        try:
            changes[name] = json.loads(value)
        except ValueError:
            changes[name] = value
    return changes


def read_text(path: Path) -> str:
    """Returns the content of a text file that the user named.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.") from error
