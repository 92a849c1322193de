import pytest

from cwm.knowledge_pipeline.measures import by_seed, by_task, compare, measure
from cwm.providers.knowledge.records import Ending, Episode, PlayedEpisode, Step


def played(
    game: int,
    score: float,
    *,
    seed: int = 0,
    legal: tuple[bool, ...] = (True, True),
    task: str = "a",
    ending: Ending = "out_of_steps",
) -> PlayedEpisode:
    steps = tuple(
        Step(action="go", observation="x", score=score, is_legal=one) for one in legal
    )
    episode = Episode(
        id=f"env/seen/{game}",
        env="env",
        task=task,
        split="seen",
        game=game,
        instruction="",
        observation="",
        steps=steps,
        score=score,
        ending=ending,
        source="evaluated",
        made_by="nobody",
    )
    return PlayedEpisode(
        row="row",
        seed=seed,
        episode=episode,
        num_calls=2,
        prompt_tokens=10,
        completion_tokens=4,
        seconds=0.5,
    )


def test_measures_are_means_over_episodes_and_shares_of_steps() -> None:
    found = measure(
        [
            played(0, 1.0, legal=(True,), ending="won"),
            played(1, 0.25, legal=(True, False, False)),
        ]
    )
    assert found.score.value == pytest.approx(62.5)
    assert (found.num_episodes, found.success, found.steps) == (2, 0.5, 2.0)
    assert found.invalid_steps == pytest.approx(2 / 4)
    assert found.invalid_episodes == 0.5
    assert (found.num_calls, found.prompt_tokens, found.seconds) == (2.0, 10.0, 0.5)


def test_few_games_have_no_interval_and_many_have_one() -> None:
    assert measure([played(0, 1.0), played(1, 0.0)]).score.low is None
    many = measure([played(game, game % 2) for game in range(10)]).score
    assert many.low is not None
    assert many.high is not None
    assert many.low < many.value == 50.0 < many.high


def test_differences_pair_the_same_game_and_seed() -> None:
    # Of game 2 there is no other episode; game 0 is better by 50, game 1 by 100.
    row = [played(0, 1.0), played(1, 1.0), played(2, 1.0)]
    other = [played(0, 0.5), played(1, 0.0), played(1, 0.9, seed=1)]
    found = compare(row, other)
    assert found is not None
    assert (found.num_pairs, found.num_wins) == (2, 2)
    # Seeds of a game are no evidence of their own.
    thrice = [played(game, 1.0, seed=s) for game in range(5) for s in range(3)]
    nothing = [played(game, 0.9, seed=s) for game in range(5) for s in range(3)]
    clustered = compare(thrice, nothing)
    assert clustered is not None
    assert (clustered.num_pairs, clustered.sign_flip_p) == (5, 0.0625)
    assert by_seed(thrice, nothing) == pytest.approx({0: 10.0, 1: 10.0, 2: 10.0})
    assert found.mean.value == pytest.approx(75.0)
    assert compare(row, []) is None


def test_a_row_does_not_differ_from_itself() -> None:
    row = [played(game, game / 10) for game in range(10)]
    found = compare(row, row)
    assert found is not None
    assert (found.num_ties, found.sign_flip_p) == (10, 1.0)


def test_kinds_of_tasks_have_means_of_their_own() -> None:
    row = [played(0, 1.0, task="b"), played(1, 0.0, task="b"), played(2, 0.5)]
    assert by_task(row) == {"a": 50.0, "b": 50.0}
