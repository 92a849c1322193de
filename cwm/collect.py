"""`python -m cwm.collect`: records curated trajectories of an environment."""

import json
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from cwm.agents.experts import read_expert
from cwm.arguments import parse
from cwm.cli import EXIT_DONE, run_command
from cwm.core.dataset_file import check_writable, save_dataset
from cwm.core.errors import ConfigError
from cwm.core.trajectories import SPLIT_TITLES, Dataset, Trajectory
from cwm.execution.options import shown_as
from cwm.sources import parse_changes, parse_kwargs
from envs.collect import EXPERT_EVERY, CollectConfig, collect
from envs.coverage import coverage, end_labels
from envs.registry import find
from envs.spec import EnvSpec, with_description

DESCRIPTION = """\
Records trajectories of an environment, from low to high return.

  python -m cwm.collect --env CartPole-v1
  python -m cwm.collect --env CartPole-v1 --set gravity=3.7 --set length=0.8
  python -m cwm.collect --env FrozenLake-v1 --env-kwargs '{"is_slippery": false}'
  python -m cwm.collect --env babyai-privileged --expert bot
  python -m cwm.collect --env twc --expert gold --expert-every 1

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""


@dataclass(frozen=True, kw_only=True)
class CollectCommand:
    """Records trajectories of an environment, from low to high return.

    Attributes:
        env: Environment: a Gymnasium id such as CartPole-v1, module:EnvId, or one
            of ours such as cwm/TaxiGrid-v0.
        out: File (.npz) for the transitions; if not given, it is in the current folder
            and has the environment's name.
        seed: Seed of everything random; at least 0.
        description: Text file that describes the environment, instead of its own
            documentation.
        env_kwargs: Arguments of the environment's constructor, as a JSON object
            such as '{"is_slippery": false}'.
        set: Constant of the environment to change, such as gravity=3.7.
        expert: Who takes some of the trajectories. In levels of BabyAI: bot, which
            knows the true grid, or ppo:RUN, an agent trained by cwm.ppo. In text
            games: gold, the way to win that the game knows.
        expert_every: Of the fewest trajectories every so many is the expert's; with 1
            all are.
        config: How much to collect.
        json: Print the result as JSON.
    """

    env: Annotated[str, tyro.conf.arg(metavar="ID")]
    out: Annotated[Path | None, shown_as("FILE")] = None
    seed: int = 0
    description: Annotated[Path | None, shown_as("FILE")] = None
    env_kwargs: Annotated[str, shown_as("JSON")] = "{}"
    set: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE")] = ()
    expert: Annotated[str | None, shown_as("EXPERT")] = None
    expert_every: int = EXPERT_EVERY
    config: Annotated[CollectConfig, tyro.conf.arg(name="")] = field(
        default_factory=CollectConfig
    )
    json: bool = False


def environment(
    env: str, env_kwargs: str, assignments: tuple[str, ...], description: Path | None
) -> EnvSpec:
    """Returns the environment that a command's options describe.

    Raises:
        ConfigError: If an option breaks its rule or there is no such environment.
        PrerequisiteError: If the environment takes a package that is missing.
    """
    spec = find(
        env, kwargs=parse_kwargs(env_kwargs), changes=parse_changes(assignments)
    )
    if description is None:
        return spec
    try:
        return with_description(spec, description.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"--description must be a readable text file, got '{description}': {error}"
        ) from error


def default_path(env_id: str) -> Path:
    """Returns the file that a data set goes to unless told otherwise."""
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in env_id)
    return Path(f"{name}.npz")


def show(dataset: Dataset, console: Console) -> None:
    """Prints the trajectories, their splits and what they cover."""
    table = Table(title=f"{dataset.environment_id}: trajectories", title_justify="left")
    for name in ("split", "policy", "number", "steps", "return", "ended by"):
        numeric = name in ("number", "steps", "return")
        table.add_column(name, justify="right" if numeric else "left")
    for row in table_rows(dataset):
        table.add_row(*row)
    console.print(table)
    counts = ", ".join(
        f"{number:,} {SPLIT_TITLES[split]}"
        for split, number in dataset.num_transitions.items()
        if number or split != "planner"
    )
    seen = dataset.num_transitions["train"] + dataset.num_transitions["validation"]
    console.print(f"Transitions: {counts} ({seen:,} for the search).")
    found_pairs = coverage(dataset).num_pairs
    if found_pairs is not None:
        console.print(f"Distinct (observation, action) pairs: {found_pairs:,}.")
    if dataset.is_stochastic:
        console.print("Outcomes vary: the environment is stochastic.")


MAX_ROWS = 60
"""More trajectories than this are shown by kind, with their mean return."""


def table_rows(dataset: Dataset) -> list[tuple[str, ...]]:
    """Returns the rows of the table: one per trajectory, or per kind of many."""
    labels = end_labels(dataset.trajectories, dataset.observation_space)
    groups: dict[tuple[Any, ...], list[Trajectory]] = {}
    zipped = zip(dataset.trajectories, dataset.splits, labels, strict=True)
    for index, (trajectory, split, label) in enumerate(zipped):
        own = index if len(labels) <= MAX_ROWS else -1
        key = (split, trajectory.policy, label, own)
        groups.setdefault(key, []).append(trajectory)
    rows: list[tuple[str, ...]] = []
    for (split, policy, label, _), members in groups.items():
        steps = sum(len(member) for member in members)
        mean = sum(member.episode_return for member in members) / len(members)
        rows.append(
            (split, policy, str(len(members)), str(steps), f"{mean:.4g}", label)
        )
    return rows


def summary(dataset: Dataset, path: Path) -> dict[str, Any]:
    """Returns what `--json` prints."""
    covered = coverage(dataset)
    return {
        "file": str(path),
        "environment": dataset.environment_id,
        "is_stochastic": dataset.is_stochastic,
        "transitions": dict(dataset.num_transitions),
        "trajectories": {
            split: len(dataset.in_split(split)) for split in dataset.num_transitions
        },
        "ends": covered.ends,
        "distinct_pairs": covered.num_pairs,
    }


def run(command: CollectCommand) -> int:
    """Collects, writes the file and prints what is in it.

    Raises:
        CwmError: If a setting breaks its rule or the file cannot be written.
    """
    if command.seed < 0:
        raise ConfigError(f"--seed must be at least 0, got {command.seed}.")
    spec = environment(
        command.env, command.env_kwargs, command.set, command.description
    )
    path = command.out or default_path(command.env)
    # Before the work, not after it.
    check_writable(path)
    with redirect_stdout(sys.stderr):  # Environments print; the result stands alone.
        expert = None
        if command.expert is not None:
            kwargs = parse_kwargs(command.env_kwargs)
            expert = read_expert(command.expert, spec, kwargs)
        dataset = collect(
            spec,
            command.config,
            command.seed,
            expert=expert,
            expert_every=command.expert_every,
        )
    save_dataset(dataset, path)
    if command.json:
        sys.stdout.write(json.dumps(summary(dataset, path)) + "\n")
        return EXIT_DONE
    console = Console()
    show(dataset, console)
    console.print(f"Written to {path}", soft_wrap=True)
    console.print(f"Next: python -m cwm.synthesize --data {path}", soft_wrap=True)
    return EXIT_DONE


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    return run_command(
        lambda: run(
            parse(
                CollectCommand,
                words,
                command="collect",
                text=DESCRIPTION,
            )
        )
    )


if __name__ == "__main__":
    sys.exit(main())
