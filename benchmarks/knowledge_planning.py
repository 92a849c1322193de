"""What knowledge of other games is worth to a tree search in a text game.

A state base is made of experts' episodes in games to learn from, told by the
deterministic writer; no language model is asked. In games that nothing was learned from
the next command is then chosen

    prior alone   by the most probable command, without a look ahead
    uniform       by a tree search that knows nothing
    prior         by the same search with the base's probabilities

The model of the search is the true game, run again from its commands (PRIVILEGED: it
knows what no player does). So the rows say what knowledge saves a search, and not what
an agent can reach.

A run of `cwm.knowledge` may speak in the base's place, with its agent beside its base.

    python -m benchmarks.knowledge_planning
    python -m benchmarks.knowledge_planning --env coin --simulations 4 16
    python -m benchmarks.knowledge_planning --run runs/knowledge --row wkm
    python -m benchmarks.knowledge_planning --show
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from cwm.core.protocols import ActionPrior, Context
from cwm.core.seeding import child_rng
from cwm.evaluation.paired_tests import paired_test
from cwm.execution.provenance import environment_report
from cwm.guides.knowledge import KnowledgeGuideConfig, KnowledgeRun, Speaker
from cwm.knowledge_pipeline.games import GameConfig
from cwm.knowledge_pipeline.playing import expert_in
from cwm.providers.knowledge.acting.episodes import play
from cwm.providers.knowledge.base.encoders import HashedEncoder
from cwm.providers.knowledge.base.entries import entries_of
from cwm.providers.knowledge.base.states import StateBase
from cwm.providers.knowledge.guiding import GuidingConfig, KnowledgePrior
from cwm.providers.knowledge.mixing import MixingConfig
from cwm.providers.knowledge.writers.deterministic import DeterministicStateWriter
from cwm.providers.knowledge.writers.roles import state_notes
from envs.snapshots import open_with_snapshots
from envs.spec import EnvSpec
from envs.text_games.base import Split, TextGame
from envs.true_model import TrueModel
from planners.mcts_config import MctsConfig
from planners.planner import Planner, PlanningConfig
from planners.policy import PolicyConfig
from planners.registry import PLANNERS, PlannerSettings

ALONE, UNIFORM, PRIOR = "prior alone", "uniform", "prior"


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        env: Text game.
        env_kwargs: Arguments of its constructor, as a JSON object.
        split: Which games are played: seen or unseen, as the base is made of train.
        train_games: Games whose experts the base is made of.
        episodes: Games that each row plays.
        max_steps: Of an episode.
        simulations: Of each decision of a search.
        rollout_steps: Random steps that value a leaf.
        epsilon: Share that every legal command gets.
        run: Folder of a run of cwm.knowledge, whose knowledge speaks; none if it is
            empty: then a base is made.
        row: Of the run: base, or whose agent speaks, as in cwm.plan.
        agent_contexts: Contexts that the run's agent is asked about in each episode.
        seed: Of the searches.
        show: Prints all rows of the results and measures nothing.
        output: File that one line is appended to; none if it is empty.
    """

    env: str = "twc"
    env_kwargs: str = "{}"
    split: Split = "unseen"
    train_games: int = 100
    episodes: int = 20
    max_steps: int = 30
    simulations: tuple[int, ...] = (4, 16, 64)
    rollout_steps: int = 5
    epsilon: float = 0.1
    run: str = ""
    row: Speaker = "base"
    agent_contexts: int = 64
    seed: int = 0
    show: bool = False
    output: str = str(Path(__file__).parent / "results" / "knowledge_planning.jsonl")


def make_base(games: GameConfig) -> StateBase:
    """Returns the state base of the experts of the games to learn from."""
    writer, entries = DeterministicStateWriter(), []
    with games.open("train") as (env, max_steps):
        for game in range(games.train_games):
            episode = play(
                env,
                expert_in(games, env),
                game,
                env_id=games.id,
                max_steps=max_steps,
                source="expert",
                rng=np.random.default_rng(0),
            ).episode
            if episode.has_won:
                entries += entries_of(episode, state_notes(writer, episode))
    return StateBase.from_entries(entries, HashedEncoder())


@contextmanager
def open_prior(
    config: BenchmarkConfig, spec: EnvSpec, games: GameConfig
) -> Iterator[KnowledgePrior]:
    """Yields what the rows with a prior are guided by."""
    if config.run:
        speaking = KnowledgeGuideConfig(
            row=config.row,
            epsilon=config.epsilon,
            agent_contexts=config.agent_contexts,
        )
        with KnowledgeRun.of(Path(config.run), speaking).open(spec) as guide:
            assert isinstance(guide.prior, KnowledgePrior), "a run of cwm.knowledge"
            yield guide.prior
        return
    mixing = MixingConfig(agent_weight=0.0, epsilon=config.epsilon)
    yield KnowledgePrior(make_base(games), None, GuidingConfig(mixing=mixing))


def make_planner(
    config: BenchmarkConfig, spec: EnvSpec, simulations: int, prior: ActionPrior | None
) -> Planner:
    """Returns a tree search; with 0 simulations who acts by the prior alone."""
    planning = PlanningConfig(horizon=config.max_steps, max_model_steps=100_000)
    name = "mcts" if simulations else "policy"
    settings = PlannerSettings(
        mcts=MctsConfig(
            num_simulations=max(1, simulations), rollout_steps=config.rollout_steps
        ),
        policy=PolicyConfig(greedy=True),
    )
    return PLANNERS[name].make(spec.action_space, planning, settings, prior, None)


def play_game(
    config: BenchmarkConfig,
    spec: EnvSpec,
    model: TrueModel,
    game: int,
    *,
    simulations: int,
    prior: KnowledgePrior | None,
) -> tuple[float, bool, int]:
    """Returns score, whether the game was won, and the steps that were made."""
    planner = make_planner(config, spec, simulations, prior)
    acting = open_with_snapshots(spec, config.seed)
    rng, memory = child_rng(config.seed, "search", simulations, game), None
    try:
        shown = str(acting.reset(game))
        env = acting.env.unwrapped
        assert isinstance(env, TextGame), "GameConfig has seen to it"
        context = Context(instruction=env.instruction, observations=(shown,))
        for step in range(config.max_steps):
            plan = planner.plan(
                model,
                model.state_of(acting, shown),
                rng,
                steps_left=config.max_steps - step,
                context=context,
                memory=memory,
            )
            shown, memory = str(acting.step(plan.actions[0]).observation), plan.memory
            context = context.then(plan.actions[0], shown)
            if env.is_over:
                return env.score, env.has_won, step + 1
        return env.score, False, config.max_steps
    finally:
        acting.close()


def measure(config: BenchmarkConfig) -> list[dict[str, Any]]:
    """Returns a line for each row."""
    games = GameConfig(
        env=config.env,
        env_kwargs=config.env_kwargs,
        train_games=config.train_games,
        test_games=config.episodes,
    )
    spec = games.find(config.split)
    model = TrueModel(spec, config.seed)
    if config.split == "train":
        raise SystemExit("split must be seen or unseen: the base is made of train.")
    with games.open(config.split):
        pass  # It has as many games as are played.
    rows = [
        (ALONE, 0),
        *((name, n) for n in config.simulations for name in (UNIFORM, PRIOR)),
    ]
    try:
        with open_prior(config, spec, games) as prior:
            return [
                measure_row(
                    config,
                    spec,
                    model,
                    name=name,
                    simulations=simulations,
                    prior=None if name == UNIFORM else prior,
                )
                for name, simulations in rows
            ]
    finally:
        model.close()


def measure_row(
    config: BenchmarkConfig,
    spec: EnvSpec,
    model: TrueModel,
    *,
    name: str,
    simulations: int,
    prior: KnowledgePrior | None,
) -> dict[str, Any]:
    """Returns a row's line."""
    played, begin = [], perf_counter()
    asked = 0 if prior is None else prior.num_agent_contexts
    for game in range(config.episodes):
        if prior is not None:
            prior.forget()
        one = play_game(config, spec, model, game, simulations=simulations, prior=prior)
        played.append(one)
    scores = [one[0] for one in played]
    sys.stderr.write(f"{name}, {simulations} simulations: score {fmean(scores):.3f}\n")
    return {
        "row": name,
        "simulations": simulations,
        "scores": scores,
        "won": [one[1] for one in played],
        "steps": [one[2] for one in played],
        "agent_calls": 0 if prior is None else prior.num_agent_contexts - asked,
        "seconds": round(perf_counter() - begin, 3),
    }


def table(record: dict[str, Any]) -> Table:
    """Returns the rows of a record, those of equal simulations compared."""
    config = record["config"]
    knowledge = f"base of {config['train_games']} experts"
    if config.get("run"):
        knowledge = f"{config['row']} of a run of cwm.knowledge"
    title = (
        f"{config['env']} {config['env_kwargs']}, {config['split']} games, "
        f"{config['episodes']} episodes, {knowledge}"
    )
    shown = Table(title=title, title_justify="left")
    columns = ("row", "simulations", "score", "won", "steps", "agent calls", "s a step")
    for column in (*columns, "prior - uniform"):
        shown.add_column(column)
    uniform = {
        one["simulations"]: one["scores"]
        for one in record["rows"]
        if one["row"] == UNIFORM
    }
    for one in record["rows"]:
        difference = ""
        if one["row"] == PRIOR:
            pairs = zip(one["scores"], uniform[one["simulations"]], strict=True)
            differences = {str(i): [a - b] for i, (a, b) in enumerate(pairs)}
            test = paired_test(differences, seed=0)
            assert test is not None, "there is an episode"
            difference = f"{test.mean.value:+.3f}, p {test.sign_flip_p:.3f}"
        shown.add_row(
            one["row"],
            str(one["simulations"]),
            f"{fmean(one['scores']):.3f}",
            f"{sum(one['won'])} of {len(one['won'])}",
            f"{fmean(one['steps']):.1f}",
            f"{one.get('agent_calls', 0) / sum(one['steps']):.1f} a step",
            f"{one['seconds'] / sum(one['steps']):.3f}",
            difference,
        )
    return shown


def main(config: BenchmarkConfig) -> None:
    """Measures and shows, or shows what was measured."""
    console = Console(width=120)
    if config.show:
        for line in Path(config.output).read_text("utf-8").splitlines():
            console.print(table(json.loads(line)))
        return
    record = {
        "benchmark": "knowledge_planning",
        "environment": environment_report(),
        "load_average": os.getloadavg()[0],
        "config": asdict(config)
        | {"output": Path(config.output).name, "run": Path(config.run).name},
        "rows": measure(config),
    }
    console.print(table(record))
    if config.output:
        with Path(config.output).open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig))
