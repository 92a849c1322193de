import math
from typing import Any

import pytest
from gymnasium import error

from cwm.core.errors import DataError
from envs.text_games.base import Split, TextGame, Told, tidy
from envs.text_games.curator import TextCurator

LAST = 4


class Stairs(TextGame):
    """Climbs `LAST` stairs by "up"; "down" scores less, and a "jump" from above 1 ends.

    Attributes:
        stair: Where the player is.
    """

    stair = 0

    @property
    def num_games(self) -> int:
        return 3

    def legal_actions(self) -> tuple[str, ...]:
        return () if self.is_over else ("down", "jump", "up")

    def expert_actions(self) -> tuple[str, ...]:
        if self.game == 2:
            raise DataError("No way is known.")
        return ("up",) * LAST

    def _begin(self, game: int) -> str:
        self.stair = 0
        self.instruction, self.task = f"climb {LAST} stairs", "stairs"
        return f"house {game}"

    def _do(self, command: str) -> Told:
        if command == "jump":
            return Told("ouch", -1.0, has_lost=self.stair > 1)
        if command not in ("up", "down"):
            return Told("What?", self.stair / LAST, is_legal=False)
        self.stair += 1 if command == "up" else -1
        text = f"stair {self.stair}"
        return Told(text, self.stair / LAST, has_won=self.stair == LAST)


class Measureless(Stairs):
    def _do(self, command: str) -> Told:
        return Told("", math.nan)


def played(game: TextGame, *commands: str) -> list[float]:
    game.reset(seed=0)
    return [float(game.step(command)[1]) for command in commands]


def test_the_return_is_the_best_score_so_far() -> None:
    game = Stairs()
    # Up to 1/4 and 2/4, down to 1/4, up to 2/4 (as good as before), 3/4.
    rewards = played(game, "up", "up", "down", "up", "up")
    assert rewards == [0.25, 0.25, 0.0, 0.0, 0.25]
    assert game.score == 0.75
    assert not game.is_over


def test_a_score_below_nothing_takes_nothing_away() -> None:
    assert played(Stairs(), "up", "jump") == [0.25, 0.0]


def test_winning_terminates_and_nothing_is_legal_then() -> None:
    game = Stairs()
    game.reset(seed=0)
    ends = [game.step("up")[2:4] for _ in range(LAST)]
    assert ends == [(False, False)] * 3 + [(True, False)]
    assert game.has_won
    assert game.legal_actions() == ()
    with pytest.raises(error.ResetNeeded):
        game.step("up")


def test_what_is_lost_for_good_terminates_without_a_win() -> None:
    game = Stairs()
    game.reset(seed=0)
    for command in ("up", "up"):
        game.step(command)
    _, reward, terminated, _, info = game.step("jump")
    assert terminated
    assert reward == 0.0
    assert info == {"score": 0.5, "won": False, "is_legal": True}


def test_what_is_not_understood_is_a_step_that_changes_nothing() -> None:
    game = Stairs()
    game.reset(seed=0)
    text, reward, terminated, truncated, info = game.step("sing")
    assert (text, reward, terminated, truncated) == ("What?", 0.0, False, False)
    assert not info["is_legal"]
    assert game.commands == ("sing",)


def test_a_games_own_limit_truncates_but_not_what_has_ended() -> None:
    game = Stairs()
    game.max_steps = LAST
    game.reset(seed=0)
    assert [game.step("down")[3] for _ in range(LAST)] == [False] * 3 + [True]
    game.reset(seed=0)
    assert [game.step("up")[3] for _ in range(LAST)] == [False] * LAST


def test_a_seed_names_a_game_and_without_one_any_is_played() -> None:
    game = Stairs()
    assert [game.reset(seed=seed)[0] for seed in (0, 1, 5)] == [
        "house 0",
        "house 1",
        "house 2",
    ]
    game.reset(seed=4)
    assert {game.reset()[0] for _ in range(30)} == {"house 0", "house 1", "house 2"}


def test_a_score_that_is_no_number_is_refused() -> None:
    game = Measureless()
    game.reset(seed=0)
    with pytest.raises(ValueError, match="must be a number, got nan"):
        game.step("up")


def test_an_unknown_split_is_refused() -> None:
    other: Any = "test"
    split: Split = other
    with pytest.raises(ValueError, match="one of train, seen, unseen, got 'test'"):
        Stairs(split=split)


def test_samples_are_legal_commands_as_long_as_there_are_any() -> None:
    game = Stairs()
    game.reset(seed=0)
    game.action_space.seed(0)
    samples = [game.action_space.sample() for _ in range(60)]
    assert set(samples) == {"down", "jump", "up"}
    game.action_space.seed(0)
    assert [game.action_space.sample() for _ in range(60)] == samples
    game.is_over = True
    assert game.action_space.sample() in game.action_space


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("You eat it.  It is good. ", "You eat it. It is good."),
        ("\nHere: \n  a map\n\n", "Here:\n  a map"),
        ("\ttabs stay\t", "\ttabs stay"),
        ("", ""),
    ],
)
def test_texts_are_tidied(text: str, tidied: str) -> None:
    assert tidy(text) == tidied


def test_curated_policies_are_random_gold_and_between() -> None:
    curator = TextCurator(Stairs(), seed=1)
    found = [curator.choose(i, [0], length=30, enough=5) for i in range(8)]
    assert {choice.policy for choice in found} == {"random", "slips", "gold"}
    for choice in found:
        assert 1 <= len(choice.actions) <= 30
        if choice.policy == "gold":
            assert choice.actions == ["up"] * LAST
    assert [found[0].actions] != [found[4].actions]
    again = TextCurator(Stairs(), seed=1).choose(4, [0], length=30, enough=5)
    assert again == found[4]


def test_a_game_without_a_known_way_is_not_curated_as_gold() -> None:
    curator = TextCurator(Stairs(), seed=0)
    with pytest.raises(DataError, match="No way"):
        curator.choose(2, [2], length=5, enough=5)
    assert curator.choose(0, [2], length=5, enough=5).policy == "random"
