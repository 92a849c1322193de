"""The rules know the words of the games themselves, not only of those written down."""

import importlib
import re

import pytest

from cwm.providers.knowledge.base.encoders import HashedEncoder
from cwm.providers.knowledge.base.entries import entries_of_all
from cwm.providers.knowledge.base.states import StateBase
from cwm.providers.knowledge.records import Episode, Step
from cwm.providers.knowledge.writers.deterministic import (
    DeterministicStateWriter,
    DeterministicTaskWriter,
)
from cwm.providers.knowledge.writers.roles import state_notes
from envs.text_games.base import TextGame

EXPRESS = "envs.text_games.express"
GAMES = [
    pytest.param((EXPRESS, "TWC"), id="twc", marks=pytest.mark.text),
    pytest.param((EXPRESS, "CookingWorld"), id="cooking", marks=pytest.mark.text),
    pytest.param((EXPRESS, "CoinCollector"), id="coin", marks=pytest.mark.text),
    pytest.param((EXPRESS, "MapReader"), id="map", marks=pytest.mark.text),
    pytest.param(
        ("envs.text_games.household.env", "Household"),
        id="household",
        marks=pytest.mark.household,
    ),
    pytest.param(
        ("envs.text_games.science", "ScienceWorld"),
        id="scienceworld",
        marks=[pytest.mark.text, pytest.mark.slow],
    ),
]


def experts_episode(env: TextGame, game: int) -> Episode:
    first, _ = env.reset(seed=game)
    steps: list[Step] = []
    for action in env.expert_actions():
        seen, _, is_over, _, info = env.step(action)
        steps.append(
            Step(
                action=action,
                observation=seen,
                score=info["score"],
                is_legal=info["is_legal"],
            )
        )
        if is_over:
            break
    return Episode(
        id=str(game),
        env="a game",
        task=env.task,
        split=env.split,
        game=env.game,
        instruction=env.instruction,
        observation=first,
        steps=tuple(steps),
        score=env.score,
        ending="won",
        source="expert",
        made_by="expert",
    )


@pytest.fixture(scope="module")
def episodes(request: pytest.FixtureRequest) -> list[Episode]:
    module, name = request.param
    env: TextGame = getattr(importlib.import_module(module), name)()
    try:
        return [experts_episode(env, game) for game in (0, 7, 20)]
    finally:
        env.close()


@pytest.mark.parametrize("episodes", GAMES, indirect=True)
def test_an_experts_deeds_are_followed_and_none_is_taken_for_a_failure(
    episodes: list[Episode],
) -> None:
    for episode in episodes:
        texts = DeterministicStateWriter().write(episode)
        assert len(texts) == len(episode.observations)
        assert all(text.startswith("Goal: ") and "\n" not in text for text in texts)
        # ScienceWorld's own paths have a few commands that do nothing.
        num_failed = sum("failed" in text for text in texts)
        assert num_failed <= len(episode.steps) // 10
        assert len(set(texts)) > len(texts) // 3


@pytest.mark.parametrize("episodes", GAMES, indirect=True)
def test_a_workflow_is_shorter_than_the_episode_and_names_no_one_game(
    episodes: list[Episode],
) -> None:
    for episode in episodes:
        text = DeterministicTaskWriter().write(episode, None)
        steps = re.split(r" \d+\. ", text.partition("workflows are:")[2])[1:]
        assert 2 <= len(steps) <= len(episode.steps) + 2
        assert not any(re.search(r"\d", step) for step in steps)


@pytest.mark.parametrize("episodes", GAMES, indirect=True)
def test_a_base_of_the_episodes_finds_each_moment_again(
    episodes: list[Episode],
) -> None:
    notes = [state_notes(DeterministicStateWriter(), one) for one in episodes]
    entries = entries_of_all(episodes, notes)
    assert len(entries) == sum(len(one.steps) for one in episodes)
    base = StateBase.from_entries(entries, HashedEncoder())
    for entry in entries:
        found = base.neighbours(entry.state, entry.previous)
        assert entry.state in [one.state for one in found.entries]
        assert found.best_similarity == pytest.approx(1.0, abs=1e-5)
