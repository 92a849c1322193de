"""Hypothesis induction in a suite: its settings, and the run of a cell."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from cwm.config import load_config
from cwm.core.errors import ConfigError
from cwm.execution.progress import Progress
from cwm.induction import (
    RUN_PRESETS,
    EvaluationConfig,
    InductionFolder,
    InductionRunConfig,
    induce,
    make_cast,
    new_folder,
)
from cwm.proposers.config import LanguageModelConfig
from cwm.providers.hypotheses.making import RoleConfig

HYPOTHESES = "hypotheses"
"""What hypothesis induction is called among the searches."""

EVALUATION = EvaluationConfig(evaluate="likelihood", shuffles=0)
"""Of a cell's run: the suite's own measures are the others."""

DEFAULT = InductionRunConfig(evaluation=EVALUATION)

QUICK_PHASES = 2
"""Most phases of a quick run."""


def induction_named(word: str | None) -> InductionRunConfig:
    """Returns settings of induction by name.

    Args:
        word: A preset of `cwm.induce`, or a JSON file of settings; `None` for the
            defaults.

    Raises:
        ConfigError: If there is no such preset or file, or it cannot be read.
    """
    if word is None:
        return DEFAULT
    if word in RUN_PRESETS:
        return replace(RUN_PRESETS[word], evaluation=EVALUATION)
    path = Path(word)
    if not path.is_file():
        raise ConfigError(
            f"induction must be a JSON file or one of {', '.join(RUN_PRESETS)}, got "
            f"{word!r}."
        )
    return load_config(path, DEFAULT)


def roles_with(roles: RoleConfig, models: LanguageModelConfig) -> RoleConfig:
    """Returns who takes the roles: if no model is named, that of the programs.

    Raises:
        ConfigError: If there are several.
    """
    if not models.llm or roles.names:
        return roles
    if len(models.llm) > 1:
        raise ConfigError(
            f"Hypotheses are induced with one --llm, got {len(models.llm)}. Who takes "
            "which role can be said in a file for --induction."
        )
    return replace(
        roles,
        llm=models.llm[0],
        base_url=models.base_url,
        service=models.service,
        local=models.local,
    )


def has_stand_ins(roles: RoleConfig) -> bool:
    """Returns whether a role is left to something that is no language model."""
    return roles.llm is None and None in (roles.scientist_llm, roles.statistician_llm)


def quick_induction(config: InductionRunConfig) -> InductionRunConfig:
    """Returns the settings with few phases, to try things out."""
    induction = config.induction
    phases = min(induction.inference.phases, QUICK_PHASES)
    inference = replace(induction.inference, phases=phases)
    return replace(config, induction=replace(induction, inference=inference))


def check_roles(config: InductionRunConfig) -> None:
    """Makes sure that there is such a world, and who takes the roles; nobody is asked.

    Raises:
        ConfigError: If a setting is wrong, or a model cannot take its role.
        PrerequisiteError: If a package that one needs is missing.
    """
    make_cast(config).roles.close()


def induced_in(
    path: Path, config: InductionRunConfig, progress: Progress
) -> dict[str, Any]:
    """Returns the result of the induction run in a folder, made or continued.

    Raises:
        ConfigError: If the folder holds a run with other settings, or one is wrong.
        CwmError: If the run failed; called again, it goes on.
    """
    folder = InductionFolder(path)
    if not folder.config.exists():
        cast = make_cast(config)
        return induce(cast, new_folder(config, path), progress).to_json()
    if folder.read_config() != config:
        raise ConfigError(
            f"out must hold runs with the settings given now, got {str(path)!r} with "
            "others. Name another folder, or remove that run."
        )
    if folder.result.exists():
        return folder.read_json(folder.result)
    return induce(make_cast(config), folder, progress).to_json()
