from collections.abc import Sequence

import numpy as np

from cwm.providers.knowledge.acting.episodes import Played, play
from cwm.providers.knowledge.acting.players import (
    ExpertPlayer,
    Legal,
    Move,
    OutOfContext,
    Player,
    RandomPlayer,
    Session,
    Start,
    Usage,
)
from cwm.providers.knowledge.conversations import FORMAT_ERROR
from tests.support.tidy import Tidy


class Reciter:
    """Says given commands, and keeps what it was told."""

    name = "reciter"

    def __init__(self, *actions: str, readable: int = 100) -> None:
        self.actions, self.readable = actions, readable
        self.told: list[tuple[str, bool]] = []
        self.usage = Usage()

    def begin(self, start: Start, rng: np.random.Generator) -> Session:
        self.start, self.left = start, list(self.actions)
        return self

    def act(self, legal: Legal) -> Move:
        if len(self.told) >= self.readable:
            raise OutOfContext
        self.usage += Usage(num_calls=1, prompt_tokens=10, completion_tokens=2)
        return Move(action=self.left.pop(0), thought="so", trace={"left": 1})

    def see(self, observation: str, *, is_legal: bool) -> None:
        self.told.append((observation, is_legal))


def played(player: Player, *, game: int = 0, max_steps: int = 12) -> Played:
    return play(
        Tidy(),
        player,
        game,
        env_id="Tidy-v0",
        max_steps=max_steps,
        source="evaluated",
        rng=np.random.default_rng(0),
    )


def test_the_expert_wins_in_its_four_steps() -> None:
    # Game 0: the cup lies on the table and belongs on the bed.
    def actions_of(start: Start) -> Sequence[str]:
        assert start.key == "Tidy-v0/train/0"
        env = Tidy()
        env.reset(seed=0)
        return env.expert_actions()

    episode = played(ExpertPlayer(actions_of)).episode
    assert episode.instruction == "Put the cup on the bed."
    assert episode.actions == (
        "go to table",
        "take cup from table",
        "go to bed",
        "put cup on bed",
    )
    assert [step.score for step in episode.steps] == [0.0, 0.5, 0.5, 1.0]
    assert (episode.ending, episode.score, episode.has_won) == ("won", 1.0, True)


def test_an_expert_whose_commands_do_not_win_gives_up() -> None:
    episode = played(ExpertPlayer(lambda _: ["go to table"])).episode
    assert (len(episode.steps), episode.ending, episode.has_won) == (
        1,
        "gave_up",
        False,
    )


def test_a_player_is_told_nothing_after_the_last_step_that_it_may_make() -> None:
    player = Reciter("go to table", "go to bed")
    assert played(player, max_steps=2).episode.ending == "out_of_steps"
    assert len(player.told) == 1


def test_steps_are_counted_however_they_fail() -> None:
    player = Reciter("dance", "", "go to table", "go to bed")
    found = played(player, max_steps=4)
    assert [step.is_legal for step in found.episode.steps] == [
        False,
        False,
        True,
        True,
    ]
    assert found.episode.observations[1:3] == ("Nothing happens.", FORMAT_ERROR)
    assert player.told[:2] == [("Nothing happens.", False), (FORMAT_ERROR, False)]
    assert (found.episode.ending, found.episode.score) == ("out_of_steps", 0.0)
    assert found.usage == Usage(num_calls=4, prompt_tokens=40, completion_tokens=8)
    assert found.traces == ({"left": 1},) * 4


def test_an_episode_that_cannot_be_read_further_keeps_what_was_reached() -> None:
    player = Reciter("go to table", "take cup from table", "go to bed", readable=2)
    episode = played(player).episode
    assert len(episode.steps) == 2
    assert (episode.ending, episode.score) == ("out_of_context", 0.5)


def test_a_player_is_told_nothing_after_the_end() -> None:
    player = Reciter(
        "go to table", "take cup from table", "go to bed", "put cup on bed"
    )
    assert played(player).episode.has_won
    assert len(player.told) == 3


def test_random_commands_are_legal_and_repeatable() -> None:
    one, other = (played(RandomPlayer(), game=3).episode for _ in range(2))
    assert one.actions == other.actions
    assert all(step.is_legal for step in one.steps)
