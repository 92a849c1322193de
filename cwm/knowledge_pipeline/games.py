"""Which games are played: environments in words, by split and number."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from cwm.core.errors import ConfigError
from cwm.execution.options import shown_as
from envs.registry import SHORT_NAMES, find
from envs.spec import Env, EnvSpec
from envs.text_games.base import Split, TextGame

TEST_SPLITS: tuple[Split, ...] = ("seen", "unseen")
"""Splits that nothing is learned from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GameConfig:
    """Which games are learned from and played.

    Attributes:
        env: Environment: a text game, one of twc, cookingworld, coin, mapreader,
            scienceworld, household, textworld.
        env_kwargs: Arguments of the environment's constructor, as a JSON object; not
            split, which is chosen by what the games are for.
        train_games: Games to learn from; at least 1.
        test_games: Games of each test split; at least 1.
        max_steps: Steps after which an episode is cut off; at least 1. The
            environment's own limit if not given.
    """

    env: Annotated[str, shown_as("ID")] = "twc"
    env_kwargs: Annotated[str, shown_as("JSON")] = "{}"
    train_games: int = 200
    test_games: int = 50
    max_steps: Annotated[int | None, shown_as("INT")] = None

    def __post_init__(self) -> None:
        for name in ("train_games", "test_games", "max_steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, got {value}.")

    @property
    def id(self) -> str:
        """The environment's full id."""
        return SHORT_NAMES.get(self.env, self.env)

    @property
    def kwargs(self) -> dict[str, Any]:
        """The arguments.

        Raises:
            ConfigError: If they are no JSON object, or choose the split.
        """
        try:
            found = json.loads(self.env_kwargs)
        except ValueError as error:
            raise ConfigError(f"env_kwargs must be JSON: {error}.") from error
        if not isinstance(found, dict):
            raise ConfigError(f"env_kwargs must be an object, got {self.env_kwargs}.")
        if "split" in found:
            raise ConfigError(
                "env_kwargs must not choose the split: games to learn from are of the "
                "split train, those of tests of seen and unseen."
            )
        return found

    def number(self, split: Split) -> int:
        """Returns how many games of a split are asked for."""
        return self.train_games if split == "train" else self.test_games

    def find(self, split: Split) -> EnvSpec:
        """Returns the environment of a split.

        Raises:
            ConfigError: If there is none, or it is no text game.
            PrerequisiteError: If a package that it needs is missing.
        """
        try:
            return find(self.env, kwargs=self.kwargs | {"split": split})
        except ConfigError:
            # Others have no splits; what is wrong with them is that.
            self._check_kind(find(self.env, kwargs=self.kwargs).make())
            raise

    @contextmanager
    def open(self, split: Split) -> Iterator[tuple[TextGame, int]]:
        """Yields the environment of a split without its time limit, and the limit.

        Raises:
            ConfigError: If there is none, it is no text game, has too few games, or
                no time limit.
            PrerequisiteError: If a package that it needs is missing.
        """
        spec = self.find(split)
        env = spec.make()
        try:
            game = self._check_kind(env)
            if game.num_games < self.number(split):
                name = "train_games" if split == "train" else "test_games"
                raise ConfigError(
                    f"{name} must be at most {game.num_games}, which is how many games "
                    f"{self.env} has in the split {split}, got {self.number(split)}."
                )
            limit = self.max_steps or spec.max_episode_steps
            if limit is None:
                raise ConfigError(
                    f"max_steps must be given: {self.env} has no limit of its own."
                )
            yield game, limit
        finally:
            env.close()

    def _check_kind(self, env: Env) -> TextGame:
        game = env.unwrapped
        if not isinstance(game, TextGame):
            env.close()
            raise ConfigError(
                f"env must be a text game, such as twc or scienceworld, got "
                f"{self.env!r}."
            )
        return game
