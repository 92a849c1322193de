"""Knowledge in a search, with the true game of `tests.support.tidy` as the model."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from cwm.core.protocols import ActionPrior, Context
from cwm.providers.knowledge.acting.episodes import play
from cwm.providers.knowledge.acting.players import ExpertPlayer
from cwm.providers.knowledge.base.encoders import HashedEncoder
from cwm.providers.knowledge.base.entries import entries_of_all
from cwm.providers.knowledge.base.states import StateBase
from cwm.providers.knowledge.guiding import GuidingConfig, KnowledgePrior
from cwm.providers.knowledge.mixing import MixingConfig
from cwm.providers.knowledge.records import Episode
from cwm.providers.knowledge.writers.deterministic import DeterministicStateWriter
from cwm.providers.knowledge.writers.roles import state_notes
from envs.registry import find
from envs.snapshots import SnapshotEnv, open_with_snapshots
from envs.true_model import TrueModel
from planners.planner import PlanningConfig
from planners.registry import PLANNERS, PlannerSettings
from tests.support.tidy import Tidy

SPEC = find("tests.support.tidy:Tidy-v0")
SEEN = find("tests.support.tidy:Tidy-v0", kwargs={"split": "seen"})


def expert_episode(game: int) -> Episode:
    env = Tidy()
    env.reset(seed=game)
    actions = env.expert_actions()
    return play(
        env,
        ExpertPlayer(lambda _: actions),
        game,
        env_id="Tidy-v0",
        max_steps=12,
        source="expert",
        rng=np.random.default_rng(0),
    ).episode


@pytest.fixture(scope="module")
def base() -> StateBase:
    experts = [expert_episode(game) for game in range(12)]
    writer = DeterministicStateWriter()
    notes = [state_notes(writer, one) for one in experts]
    return StateBase.from_entries(entries_of_all(experts, notes), HashedEncoder(256))


@contextmanager
def in_game(seed: int) -> Iterator[tuple[TrueModel, SnapshotEnv, str]]:
    model, env = TrueModel(SEEN), open_with_snapshots(SEEN, 0)
    try:
        yield model, env, env.reset(seed)
    finally:
        model.close()
        env.close()


def first_value(prior: ActionPrior | None, *, model_steps: int, seed: int) -> float:
    """Returns what a search predicts of the game's beginning."""
    planning = PlanningConfig(horizon=12, max_model_steps=model_steps)
    planner = PLANNERS["mcts"].make(
        SEEN.action_space, planning, PlannerSettings(), prior, None
    )
    with in_game(seed) as (model, env, shown):
        context = Context(
            instruction=env.env.unwrapped.instruction,  # type: ignore[attr-defined]
            observations=(shown,),
        )
        plan = planner.plan(
            model,
            model.state_of(env, shown),
            np.random.default_rng(seed),
            context=context,
        )
    return plan.value


@pytest.mark.parametrize("seed", range(3))
def test_a_search_with_an_empty_prior_is_the_search_without_one(seed: int) -> None:
    values = [
        first_value(prior, model_steps=60, seed=seed)
        for prior in (None, KnowledgePrior(None))
    ]
    assert values[0] == values[1]


def test_knowledge_of_other_games_shows_a_search_what_is_worth_trying(
    base: StateBase,
) -> None:
    mixing = MixingConfig(agent_weight=0.0, epsilon=0.1)
    told, untold = [], []
    for seed in range(12):
        prior = KnowledgePrior(base, None, GuidingConfig(mixing=mixing))
        told.append(first_value(prior, model_steps=60, seed=seed))
        untold.append(first_value(None, model_steps=60, seed=seed))
    assert np.mean(told) > np.mean(untold)
