"""What a trained policy is worth to a planner, in levels that it was not trained in.

A small agent learns to go to objects in the smallest room, and is stopped early. In
larger rooms it then acts alone, and as prior and value of a tree search:

    policy        its probabilities alone; what zero simulations are
    uniform       the search with random rollouts, without the policy
    prior         the search with random rollouts and the policy's probabilities
    prior+value   the search with both; no rollouts
    all           the search with rollouts, and the value where they end

each with the true environment as model (PRIVILEGED: it sees through walls) and with a
code world model. The one that comes with this benchmark is written by hand, as a
stand-in for what a search would find, and told as such. All planners act after each
step anew; states are all observed, while the policy is told what an agent sees.

    python -m benchmarks.policy_planning
    python -m benchmarks.policy_planning --policy runs/my-policy --episodes 10
    python -m benchmarks.policy_planning --show
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.recording import append_record
from cwm.agents.runs import PolicyFolder, PolicyRunConfig, TaskConfig, new_folder
from cwm.agents.training import train_policy
from cwm.evaluation.episodes import ActingConfig, EpisodeResult
from cwm.evaluation.parallel import run_episodes
from cwm.evaluation.setups import EnvironmentRef, Setup, usual_tolerances
from cwm.execution.progress import SilentProgress
from cwm.guides.policies import PolicyRuns
from cwm.providers.policies.evaluation import EpisodesPlayed
from planners.mcts_config import MctsConfig
from planners.registry import PlannerConfig, PlannerSettings

BY_HAND = Path(__file__).parent / "data" / "babyai_goto_by_hand.py"
NAMES = {"true": "true, privileged", BY_HAND.stem: "written by hand"}
COLUMNS = ("level", "model", "planner", "simulations")


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        policy: Folder of a run of cwm.ppo train; by default one is trained.
        train_in: Level in which it is trained.
        stop_at: Share of successes at which training ends.
        num_frames: Most steps of training.
        levels: Levels to act in.
        programs: Code world models, as Python files.
        planners: Beside the policy: uniform, prior, prior+value, all.
        simulations: Of each decision.
        rollout_steps: Random steps that value a leaf.
        episodes: Of each row.
        prior_temperature: As in cwm.plan.
        seed: Of everything.
        workers: Episodes at a time.
        show: Prints all rows of the results, the last ones of each name, and measures
            nothing.
        output: File that one line is appended to; none if it is empty.
    """

    policy: str = ""
    train_in: str = "GoToLocalS5N2"
    stop_at: float = 0.7
    num_frames: int = 50_000
    levels: tuple[str, ...] = ("GoToLocalS6N4",)
    programs: tuple[str, ...] = (str(BY_HAND),)
    planners: tuple[str, ...] = ("uniform", "prior", "prior+value", "all")
    simulations: tuple[int, ...] = (8, 32, 128)
    rollout_steps: int = 16
    episodes: int = 30
    prior_temperature: float = 1.0
    seed: int = 0
    workers: int = 1
    show: bool = False
    output: str = str(Path(__file__).parent / "results" / "policy_planning.jsonl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table, before it is measured.

    Attributes:
        level: Where.
        model: Name of the world model: true, or a program's file without its ending.
        planner: policy, uniform, prior, prior+value or all.
        num_simulations: Of each decision; 0 for the policy.
        setup: What acts.
    """

    level: str
    model: str
    planner: str
    num_simulations: int
    setup: Setup

    @property
    def name(self) -> str:
        """What the row is called in the results."""
        return f"{self.level} {self.model} {self.planner} {self.num_simulations}"


def trained(config: BenchmarkConfig) -> Path:
    """Returns the folder of the policy; trains it where none was given."""
    if config.policy:
        return Path(config.policy)
    settings = PolicyRunConfig(
        task=TaskConfig(env=f"BabyAI-{config.train_in}-v0"),
        num_frames=config.num_frames,
        stop_at=config.stop_at,
        seed=config.seed,
    )
    folder: PolicyFolder = new_folder(settings, None)
    train_policy(settings, folder, SilentProgress())
    print(f"policy: {folder.path}", file=sys.stderr)
    return folder.path


def rows(config: BenchmarkConfig, policy: Path) -> Iterator[Row]:
    """Yields the rows in the order of the table."""
    prior = PolicyRuns(prior=policy, value=None, temperature=config.prior_temperature)
    both = replace(prior, value=policy)
    guides = {"uniform": None, "prior": prior, "prior+value": both, "all": both}
    discount = both.discount
    for level in config.levels:
        environment = EnvironmentRef(id=f"cwm/PrivilegedBabyAI-{level}-v0")
        spec = environment.find()
        # The policy asks no model; which one stands there is of no consequence.
        base = Setup(
            name="true",
            environment=environment,
            kind="true",
            guide=prior,
            planner=PlannerConfig(name="policy", discount=discount),
            acting=ActingConfig(execute_steps=1),
            tolerances=usual_tolerances(spec, config.seed),
            seed=config.seed,
        )
        yield Row(
            level=level, model="-", planner="policy", num_simulations=0, setup=base
        )
        for model in ("true", *config.programs):
            with_model = base
            if model != "true":
                source = Path(model).read_text(encoding="utf-8")
                with_model = replace(base, name=model, kind="program", source=source)
            for num_simulations in config.simulations:
                for planner in config.planners:
                    search = searching(
                        config, num_simulations, has_rollouts=planner != "prior+value"
                    )
                    yield Row(
                        level=level,
                        model=Path(model).stem,
                        planner=planner,
                        num_simulations=num_simulations,
                        setup=replace(
                            with_model,
                            guide=guides[planner],
                            planner=replace(search, discount=discount),
                        ),
                    )


def searching(
    config: BenchmarkConfig, num_simulations: int, *, has_rollouts: bool
) -> PlannerConfig:
    """Returns the settings of a search."""
    rollout_steps = config.rollout_steps if has_rollouts else 0
    mcts = MctsConfig(num_simulations=num_simulations, rollout_steps=rollout_steps)
    return PlannerConfig(name="mcts", settings=PlannerSettings(mcts=mcts))


def figures_of(name: str, episodes: Sequence[EpisodeResult]) -> dict[str, list[float]]:
    """Returns what is kept of a row, by name: a number for each episode."""
    return {
        f"{name} return": [one.episode_return for one in episodes],
        f"{name} length": [float(len(one.steps)) for one in episodes],
        f"{name} seconds": [
            mean(s.decision_s for s in one.steps if s.decision_s is not None)
            for one in episodes
        ],
        f"{name} evaluator_calls": [
            mean(s.evaluator_use.num_calls if s.evaluator_use else 0 for s in one.steps)
            for one in episodes
        ],
        f"{name} failures": [float(one.num_failures) for one in episodes],
    }


def print_rows(figures: dict[str, list[float]]) -> None:
    """Prints the table of the figures of some rows."""
    table = Table(
        title="success, length; seconds and evaluator calls of a decision",
        title_justify="left",
    )
    for column in COLUMNS:
        table.add_column(column)
    for column in ("success", "95 %", "length", "seconds", "calls"):
        table.add_column(column, justify="right")
    names = [key.removesuffix(" return") for key in figures if key.endswith(" return")]
    for name in names:
        level, model, planner, number = name.split(" ")
        returns = np.asarray(figures[f"{name} return"])
        lengths = np.asarray(figures[f"{name} length"], dtype=np.int64)
        rate = EpisodesPlayed(
            returns=returns, lengths=lengths, successes=returns > 0
        ).success_rate()
        table.add_row(
            *(level, NAMES.get(model, model), planner, number),
            f"{rate.rate:.2f}",
            f"{rate.low:.2f} to {rate.high:.2f}",
            f"{rate.mean_length:.1f}",
            # Of an episode each decision counts alike, and so does each episode.
            f"{mean(figures[f'{name} seconds']):.3f}",
            f"{mean(figures[f'{name} evaluator_calls']):.1f}",
        )
    Console(soft_wrap=True, width=None if sys.stdout.isatty() else 120).print(table)


def kept_figures(path: Path) -> dict[str, list[float]]:
    """Returns the figures of the results, the last ones of each name."""
    figures: dict[str, list[float]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        figures |= json.loads(line)["repeats"]
    return dict(sorted(figures.items(), key=lambda item: _place(item[0])))


def _place(key: str) -> tuple[str, bool, str, int]:
    """Returns where a row stands in the table: by level, model and simulations."""
    level, model, _, number, _ = key.split(" ")
    return level, model not in ("-", "true"), model, int(number)


def main(config: BenchmarkConfig) -> None:
    """Measures, prints a table and appends a line to the results."""
    if config.show:
        print_rows(kept_figures(Path(config.output)))
        return
    policy = trained(config)
    guide = PolicyRuns(prior=policy, value=policy, temperature=config.prior_temperature)
    figures: dict[str, list[float]] = {}
    for row in rows(config, policy):
        episodes = run_episodes(row.setup, config.episodes, num_workers=config.workers)
        figures |= figures_of(row.name, episodes)
        print(row.name, f"{mean(figures[f'{row.name} return']):.3f}", file=sys.stderr)
    print_rows(figures)
    print(guide.name)
    print(f"processors: {os.cpu_count()}, load: {os.getloadavg()[0]:.1f}")
    names = tuple(Path(program).name for program in config.programs)
    recorded = replace(config, policy=guide.name, programs=names)
    append_record("policy_planning", recorded, figures)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
