"""World models as a command line names them, and what they say of an environment."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cwm.config import SourceConfig, config_from_json
from cwm.core.dataset_file import load_dataset
from cwm.core.errors import ConfigError, CwmError
from cwm.core.trajectories import Dataset
from cwm.evaluation.setups import (
    EnvironmentRef,
    ModelKind,
    OpenableModel,
    usual_tolerances,
)
from cwm.execution.run_folder import RunFolder
from cwm.programs.acceleration.files import FastFiles
from cwm.programs.acceleration.ways import fast_limits
from cwm.programs.tolerances import Tolerances
from cwm.providers.hypotheses.making import RoleConfig
from cwm.providers.hypotheses.models.induced import read_induced
from cwm.providers.hypotheses.search.keeping import HYPOTHESES
from cwm.sources import environment_of, find_env, read_text
from envs.collect import varies
from envs.snapshots import open_with_snapshots
from envs.spec import EnvSpec
from sandbox.limits import Limits

TRUE = "true"
RANDOM = "random"
RUN_PROGRAM = "world_model.py"
RUN_DATASET = "dataset.npz"


@dataclass(frozen=True, kw_only=True)
class NamedModel:
    """A world model as the user named it.

    Attributes:
        name: What the user typed; for rules in words also who believes them.
        kind: What it is.
        source: The program, if it is one.
        fast_source: Its fast form, if it was asked for and lies beside it.
        model: The rules in words, if it is such a run's.
        dataset: What it was made from, if it is a run's.
    """

    name: str
    kind: ModelKind
    source: str = ""
    fast_source: str = ""
    model: OpenableModel | None = None
    dataset: Dataset | None = None

    def limits(self, limits: Limits) -> Limits:
        """Returns limits, wide enough for the fast form if it has one."""
        return fast_limits(limits) if self.fast_source else limits


def read_model(word: str, *, for_planning: bool = False) -> NamedModel:
    """Returns the model that a word of the command line names.

    Args:
        word: `true`, `random`, the folder of a run, or a Python file.
        for_planning: Whether to read a program's fast form, too; all else is said of
            the original, whatever lies beside it.

    Raises:
        ConfigError: If it is a folder without a program or rules, or the settings of
            a run are wrong.
        DataError: If a file cannot be read, a run has found no rules, or a fast form
            that was asked for is of another program.
    """
    if word == TRUE:
        return NamedModel(name=word, kind="true")
    if word == RANDOM:
        return NamedModel(name=word, kind="random")
    path = Path(word)
    if not path.is_dir():
        return _program(word, path, for_planning=for_planning)
    if not (path / RUN_PROGRAM).is_file():
        if (path / HYPOTHESES).is_file():
            return _read_rules(path)
        raise ConfigError(
            "A model must be true, random, a Python file or the folder of a run with "
            f"{RUN_PROGRAM} or {HYPOTHESES}, got {word!r}, a folder without one."
        )
    dataset = None
    if (path / RUN_DATASET).is_file():
        dataset = load_dataset(path / RUN_DATASET)
    return _program(word, path / RUN_PROGRAM, dataset, for_planning=for_planning)


def _program(
    word: str, path: Path, dataset: Dataset | None = None, *, for_planning: bool
) -> NamedModel:
    source = read_text(path)
    fast = FastFiles.beside(path).read(source) if for_planning else None
    return NamedModel(
        name=word,
        kind="program",
        source=source,
        fast_source=fast or "",
        dataset=dataset,
    )


def _read_rules(path: Path) -> NamedModel:
    """Returns the model that a run of `cwm.induce` has made."""
    run = RunFolder(path)
    settings = run.read_json(run.config).get("roles", {})
    name = str(run.config)
    roles = config_from_json(settings, RoleConfig(), name=name, prefix="roles.")
    model = read_induced(path, roles)
    return NamedModel(name=model.name, kind="other", model=model)


def environment_for(source: SourceConfig, models: Sequence[NamedModel]) -> EnvSpec:
    """Returns the environment to act in: as named, or that of a run.

    Raises:
        ConfigError: If there is none.
    """
    if source.env is not None:
        return find_env(source)
    if source.set or source.env_kwargs != "{}":
        raise ConfigError("set and env_kwargs need env.")
    for model in models:
        if model.model is not None:
            return EnvironmentRef(id=model.model.environment_id).find()
        if model.dataset is None:
            continue
        spec = environment_of(model.dataset)
        if spec is None:
            raise ConfigError(
                f"The environment of {model.name!r}, "
                f"{model.dataset.environment_id!r}, cannot be made here. Name one "
                "with --env."
            )
        return spec
    raise ConfigError("env must be given unless a model is the folder of a run.")


def tolerances_for(
    spec: EnvSpec, models: Sequence[NamedModel], *, seed: int
) -> tuple[Tolerances, str]:
    """Returns the tolerances of predictions, the same for all rows, and their origin.

    They are those of a run's training transitions, or those of random episodes.
    """
    for model in models:
        data = model.dataset
        if data is not None and data.observation_space == spec.observation_space:
            tolerances = Tolerances.from_batch(data.batch("train"))
            return tolerances, f"the training transitions of {model.name}"
    return usual_tolerances(spec, seed), "random episodes"


def is_stochastic(spec: EnvSpec, models: Sequence[NamedModel], seed: int) -> bool:
    """Returns whether outcomes vary in an environment, or may for all that is known.

    That is what the transitions of a run say of it; else it is tried.
    """
    for model in models:
        if model.dataset is not None:
            return model.dataset.is_stochastic
    with suppress(CwmError):
        env = open_with_snapshots(spec, seed)
        try:
            return varies(env, seed)
        finally:
            env.close()
    return True
