"""Reading command lines: preset, then `--config`, then the other options."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import tyro

from cwm.config import PRESETS, ConfigT, RunConfig, load_config
from cwm.core.errors import ConfigError
from cwm.execution.run_folder import open_run_folder

ArgumentsT = TypeVar("ArgumentsT")


def parse(
    arguments: type[ArgumentsT],
    words: Sequence[str],
    *,
    command: str,
    text: str,
    default: ArgumentsT | None = None,
) -> ArgumentsT:
    """Returns the arguments of a command.

    Args:
        arguments: A dataclass; its fields are the options.
        words: The command line without the command.
        command: Name of the command, as in `python -m cwm.<name>`.
        text: What `--help` says first.
        default: Values of what the command line does not say.

    Raises:
        SystemExit: With code 2 after a message if the command line is wrong, or
            0 after `--help`.
    """
    parsed = tyro.cli(
        arguments,
        args=list(words),
        prog=f"python -m cwm.{command}",
        description=text,
        default=default,
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.UseAppendAction),
    )
    assert parsed is not None, "a command line is parsed or ends the process"
    return parsed


def base_config(words: Sequence[str]) -> RunConfig:
    """Returns the settings that the command line starts from.

    Of a run to resume these are its own; otherwise those of `--preset`, changed
    by the file `--config`.

    Raises:
        ConfigError: If there is no such preset, file or run.
    """
    resume = option(words, "--resume")
    if resume is not None:
        folder = open_run_folder(Path(resume))
        return load_config(folder.config, RunConfig())
    return _named_settings(words, PRESETS)


def starting_settings(
    words: Sequence[str],
    presets: Mapping[str, ConfigT],
    read_run: Callable[[Path], ConfigT],
) -> ConfigT:
    """Returns the settings that a command line starts from, of other kinds of runs.

    Args:
        words: The command line.
        presets: Settings by name; `default` if none is named.
        read_run: Returns the settings of the run in a folder.

    Raises:
        ConfigError: If there is no such preset, file or run, or a run to resume is
            to start from something else.
    """
    resume = option(words, "--resume")
    if resume is None:
        return _named_settings(words, presets)
    for name in ("--preset", "--config"):
        if option(words, name) is not None:
            raise ConfigError(f"{name} is for a new run, and not for --resume.")
    return read_run(Path(resume))


def _named_settings(words: Sequence[str], presets: Mapping[str, ConfigT]) -> ConfigT:
    """Returns the settings of `--preset`, changed by the file `--config`."""
    name = option(words, "--preset") or "default"
    if name not in presets:
        raise ConfigError(f"No preset called {name!r}. Known: {', '.join(presets)}.")
    config = option(words, "--config")
    return presets[name] if config is None else load_config(Path(config), presets[name])


def own_models(config: RunConfig, base: RunConfig, words: Sequence[str]) -> RunConfig:
    """Returns the settings with the models that the command line names, if it does.

    Options that may be repeated add to what the settings held before; other models
    than those of a file are meant in their place, and at an address of their own.

    Args:
        config: What was parsed.
        base: What it was parsed upon.
        words: The command line.
    """
    if option(words, "--llm") is None:
        return config
    models = replace(config.models, llm=config.models.llm[len(base.models.llm) :])
    if option(words, "--base-url") is None:
        models = replace(models, base_url=None)
    return replace(config, models=models)


def separated(words: Sequence[str], names: Sequence[str]) -> list[str]:
    """Returns a command line that repeats options which had commas in their values.

    Args:
        words: The command line.
        names: The options, such as `--seeds`: `--seeds 0,1` is `--seeds 0 --seeds 1`.
    """
    found: list[str] = []
    rest = iter(words)
    for word in rest:
        name, sign, value = word.partition("=")
        if name not in names:
            found.append(word)
            continue
        given = value if sign else next(rest, None)
        if given is None:
            found.append(name)  # Its value is missing: the parser says so.
            continue
        for part in given.split(","):
            found += [name, part.strip()]
    return found


def option(words: Sequence[str], name: str) -> str | None:
    """Returns the value of an option before the options are known."""
    value = None
    for position, word in enumerate(words):
        if word == name and position + 1 < len(words):
            value = words[position + 1]
        elif word.startswith(f"{name}="):
            value = word.partition("=")[2]
    return value
