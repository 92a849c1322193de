"""The complete settings of a run, and reading them strictly from a file.

Each part of `RunConfig` is declared beside the code that it configures; that
code receives its own part, never the whole.
"""

import difflib
import json
import types
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
import tyro

from cwm.core.errors import ConfigError
from cwm.execution.options import shown_as
from cwm.execution.run_folder import RunFolder
from cwm.programs.constants.config import FitConfig
from cwm.programs.residual.config import ResidualConfig
from cwm.proposers.config import LanguageModelConfig
from cwm.synthesis.config import BudgetConfig, SynthesisConfig, TreeConfig
from envs.collect import CollectConfig
from mcts.registry import PRESETS as SEARCH_PRESETS
from prompts.config import PROMPT_PRESETS
from sandbox.isolation import Level
from sandbox.limits import Limits
from sandbox.opt_in import Library

ConfigT = TypeVar("ConfigT")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """Which transitions a command works on.

    Attributes:
        env: Environment: a Gymnasium id such as CartPole-v1, module:EnvId, or one
            of ours such as cwm/TaxiGrid-v0. Its transitions are collected first.
        data: Recorded transitions instead of --env: a file written by
            cwm.collect, the folder of a run, or a Minari data set (its folder, or
            minari:ID).
        env_kwargs: Arguments of the environment's constructor, as a JSON object
            such as '{"is_slippery": false}'.
        set: Constant of the environment to change, such as gravity=3.7.
        description: Text file that describes the environment, instead of its
            own documentation.
        hypotheses: Folder of a run of cwm.induce; the rules that it has found are
            added to the description.
        collect: How the transitions of --env are collected.
    """

    env: Annotated[str | None, shown_as("ID")] = None
    data: Annotated[str | None, shown_as("FILE")] = None
    env_kwargs: Annotated[str, shown_as("JSON")] = "{}"
    set: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE")] = ()
    description: Annotated[Path | None, shown_as("FILE")] = None
    hypotheses: Annotated[Path | None, shown_as("RUN")] = None
    collect: CollectConfig = field(default_factory=CollectConfig)

    def check(self) -> None:
        """Refuses settings that do not say where the transitions come from.

        Raises:
            ConfigError: If not exactly one of `env` and `data` is given.
        """
        if (self.env is None) == (self.data is None):
            raise ConfigError(
                "Exactly one of env and data must be given, got "
                f"{'neither' if self.env is None else 'both'}. Name an environment "
                "(--env CartPole-v1) or a file of transitions (--data FILE)."
            )
        if self.data is not None and (self.set or self.env_kwargs != "{}"):
            raise ConfigError("set and env_kwargs need env, got data.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Everything that decides what a run does.

    Attributes:
        source: Which transitions.
        tests: Python file with unit tests of the world model, functions
            test_...(Environment); they make 20 % of the score.
        start_from: Program to begin with: it is the answer to the first call, which
            asks nobody.
        models: Who writes the programs.
        seed: Seed of everything random in the run; at least 0.
        budget: What it may spend.
        synthesis: How programs are asked for.
        tree: The search.
        fit: How constants of programs are fitted to the training transitions before
            a program is scored.
        residual: What is learned on top of the best program at the end.
        isolation: Weakest isolation of programs that is acceptable, where kernel
            is the strongest; with less, no program is run. docs/sandbox.md says
            what each keeps out.
        capabilities: What a program may use besides NumPy: physics, the physics engine
            MuJoCo, without files. docs/physics-engines.md.
        limits: What a program may use while it runs.
    """

    source: Annotated[SourceConfig, tyro.conf.arg(name="")] = field(
        default_factory=SourceConfig
    )
    tests: Annotated[Path | None, shown_as("FILE")] = None
    start_from: Annotated[Path | None, shown_as("FILE")] = None
    models: Annotated[LanguageModelConfig, tyro.conf.arg(name="")] = field(
        default_factory=LanguageModelConfig
    )
    seed: int = 0
    budget: Annotated[BudgetConfig, tyro.conf.arg(name="")] = field(
        default_factory=BudgetConfig
    )
    synthesis: SynthesisConfig = field(default_factory=SynthesisConfig)
    tree: Annotated[TreeConfig, tyro.conf.arg(name="")] = field(
        default_factory=TreeConfig
    )
    fit: FitConfig = field(default_factory=FitConfig)
    residual: ResidualConfig = field(default_factory=ResidualConfig)
    isolation: Level = "kernel"
    capabilities: tuple[Library, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ConfigError(f"seed must be at least 0, got {self.seed}.")
        if self.source.hypotheses is not None and not self.models.llm:
            raise ConfigError(
                "hypotheses need llm, the model that reads them: name one with --llm. "
                "Symbolic induction reads no description."
            )

    @property
    def max_stalled_calls(self) -> int:
        """Calls without a better program that are allowed; 0: any number."""
        if self.budget.patience is None:
            return 0 if self.models.llm else SYMBOLIC_PATIENCE
        return self.budget.patience

    @property
    def fitting(self) -> FitConfig:
        """How constants are fitted, with a mode where none was given."""
        if self.fit.mode is not None:
            return self.fit
        is_own = not self.models.llm and self.start_from is None
        return replace(self.fit, mode="off" if is_own else "all")

    @property
    def correcting(self) -> ResidualConfig:
        """What residual is learned, with a mode where none was given."""
        if self.residual.mode is not None:
            return self.residual
        is_own = not self.models.llm and self.start_from is None
        return replace(self.residual, mode="off" if is_own else "sparse")


SYMBOLIC_PATIENCE = 15
"""Calls that symbolic induction gets to improve on its best program."""

PRESETS: dict[str, RunConfig] = {
    "default": RunConfig(),
    # The other defaults are the paper's now; under this name they stay so.
    "paper": RunConfig(
        budget=BudgetConfig(call_budget=50, patience=0),
        fit=FitConfig(mode="off"),
        residual=ResidualConfig(mode="off"),
        models=LanguageModelConfig(prompts=PROMPT_PRESETS["paper"]),
        synthesis=SynthesisConfig(block_length=2),
        tree=TreeConfig(settings=SEARCH_PRESETS["paper"]),
    ),
    "quick": RunConfig(budget=BudgetConfig(call_budget=10)),
}
"""Named settings to start from; `--config` and flags change them."""


def config_to_json(config: object) -> dict[str, Any]:
    """Returns settings as plain data; `config_from_json` is its inverse."""
    assert is_dataclass(config), "settings are dataclasses"
    assert not isinstance(config, type), "of which this is one"
    plain = json.loads(json.dumps(asdict(config), default=_encode))
    assert isinstance(plain, dict), "a dataclass becomes a dict"
    return plain


def _encode(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"A setting of type {type(value).__name__} cannot be written.")


def load_config(path: Path, base: ConfigT) -> ConfigT:
    """Returns `base` with the settings of a JSON file in place of its own.

    Raises:
        ConfigError: If the file cannot be read, has a key that is no setting, or
            a value of the wrong type.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"Config {str(path)!r} cannot be read: {error}.") from error
    if not isinstance(data, dict):
        raise ConfigError(f"Config {str(path)!r} must hold a JSON object.")
    return config_from_json(data, base, name=str(path))


def read_run_config(
    folder: RunFolder, base: ConfigT, *, command: str, key: str
) -> ConfigT:
    """Returns the settings of a run.

    Args:
        folder: Of the run.
        base: Supplies what the file does not say.
        command: Whose runs are meant, for messages.
        key: A setting that only its runs have.

    Raises:
        ConfigError: If there is no such run, or its settings break a rule.
        DataError: If they cannot be read.
    """
    wanted = f"{str(folder.path)!r} must be the folder of a run of {command}, but it "
    if not folder.config.is_file():
        raise ConfigError(f"{wanted}has no config.json.")
    data = folder.read_json(folder.config)
    if key not in data:
        raise ConfigError(f"{wanted}is of another command.")
    return config_from_json(data, base, name=str(folder.config))


def config_from_json(
    data: Mapping[str, Any], base: ConfigT, *, name: str, prefix: str = ""
) -> ConfigT:
    """Returns `base` with the settings in `data` in place of its own.

    Args:
        data: Settings by name; nested settings as nested mappings.
        base: Supplies what `data` does not say.
        name: Where `data` is from, for messages.
        prefix: Where in the settings `base` stands, for messages.

    Raises:
        ConfigError: If a key is no setting, or a value breaks its rule.
    """
    assert is_dataclass(base), "settings are dataclasses"
    hints = get_type_hints(type(base))
    known = [f.name for f in fields(base)]
    changes: dict[str, Any] = {}
    for key, value in data.items():
        if key not in known:
            raise ConfigError(_unknown_key(f"{prefix}{key}", key, known, name, prefix))
        current = getattr(base, key)
        if is_dataclass(current) and isinstance(value, Mapping):
            changes[key] = config_from_json(
                value, current, name=name, prefix=f"{prefix}{key}."
            )
        else:
            changes[key] = _convert(value, hints[key], f"{prefix}{key}", name)
    try:
        return replace(base, **changes)  # type: ignore[type-var]
    except ValueError as error:
        raise ConfigError(f"Config {name!r}: {error}") from error


def _unknown_key(full: str, key: str, known: list[str], name: str, prefix: str) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f" Did you mean {prefix}{near[0]}?" if near else ""
    return f"Config {name!r} has an unknown key {full}.{hint}"


def _convert(value: Any, hint: Any, full: str, name: str) -> Any:
    try:
        return msgspec.convert(value, hint, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"Config {name!r}: {full} must be {_show_type(hint)}, got {value!r}."
        ) from error


def _decode(hint: type, value: Any) -> Any:
    if issubclass(hint, Path) and isinstance(value, str):
        return hint(value)
    raise NotImplementedError


def _show_type(hint: Any) -> str:
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_show_type(member) for member in get_args(hint))
    if hint is type(None):
        return "null"
    return getattr(hint, "__name__", str(hint))
