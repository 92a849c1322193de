"""TextWorld as a Gymnasium environment.

Covers: splits, scores, legal commands, ways to win, saving and restoring. Does not
cover: the time limit, which the registry sets and which truncates.
"""

from pathlib import Path

from cwm.core.errors import DataError
from envs.snapshots import AttributeSnapshots, Snapshot
from envs.spec import Env
from envs.text_games.base import Split, TextGame, Told
from envs.text_games.textworld.cache import default_cache, game_folder
from envs.text_games.textworld.kinds import SEEDS, Setting, checked, of_generator
from envs.text_games.textworld.library import require
from envs.text_games.textworld.machine import Machine, Saved, winning_path


class TextWorld(TextGame):
    """Play a game of TextWorld, made from a seed, by commands in words.

    ## Description
    A house has rooms, which are connected by exits and doors. In the rooms are
    furniture, containers, which can be closed, and things, which can be taken. What is
    to be done depends on the kind of game.

    - cooking: find the kitchen, read the cookbook, gather the ingredients, cut and cook
      them as it says, prepare the meal there and eat it. A stove fries, an oven roasts,
      a BBQ grills; what has been cooked is burned if it is cooked again.
    - coin_collector: find the coin and take it.
    - treasure_hunter: take the thing that the task names; another one is a trap.
    - simple: leave the bedroom, the key of which is in a container, fetch some food and
      put it on the stove. Who eats it has lost.
    - custom: rooms, things and a task drawn at random.

    ## Action Space
    A command; X and Y are named as in the observations: "look", "inventory", "go north"
    (or south, east, west), "examine X", "take X", "take X from Y", "drop X", "put X on
    Y", "insert X into Y", "open X", "close X", "lock X with Y", "unlock X with Y", "eat
    X"; in cooking also "cook X with Y", "chop X with Y", "slice X with Y", "dice X with
    Y", "prepare meal". What is not understood changes nothing. One command at a time.

    ## Observation Space
    What the game answers to the command: the room with its furniture, what lies there
    and the exits, where it is entered or looked at; else what was done. The first
    observation tells the task and the room.

    ## Rewards
    What the command adds to the best score so far, which is the share of the game's
    points: in cooking one for each ingredient had, cut and cooked as it should be, for
    the meal prepared and eaten; in simple one for each step on the way ("dense"), for
    some ("balanced"), for the last ("sparse"); in the other kinds one for the task.

    ## Episode End
    The episode terminates when the task is done, and when it is lost: in cooking by an
    ingredient that was eaten, burned, or cut or cooked otherwise than the recipe says.

    ## Arguments
    `kind`: "cooking", "coin_collector", "treasure_hunter", "simple", "custom". `split`:
    "train", "seen" (other games), "unseen" (in cooking of food, or ways to prepare it,
    that the others lack; in simple with other food to fetch; else other games).
    `cache`: folder of the games' files; `None` for one in the user's cache. Settings of
    the kinds: level (coin_collector 1 to 300, treasure_hunter 1 to 30); rewards, goal
    (simple); recipe, take, go, open, cook, cut, drop (cooking); world_size, nb_objects,
    quest_length (custom).

    Attributes:
        kind: Of the games.
        settings: Of their generator, all of them.

    Raises:
        PrerequisiteError: If TextWorld is missing.
        ValueError: If there is no such split, kind or setting, or a value is out of
            range.
    """

    def __init__(
        self,
        *,
        split: Split = "train",
        kind: str = "cooking",
        cache: str | None = None,
        **settings: Setting,
    ) -> None:
        require()
        super().__init__(split=split)
        self.kind = kind
        self.settings = checked(kind, settings)
        self._cache = default_cache() if cache is None else Path(cache).expanduser()
        self._machine: Machine | None = None
        self._points = 0

    @property
    def num_games(self) -> int:
        """Games of the split."""
        return len(SEEDS[self.split])

    def legal_actions(self) -> tuple[str, ...]:
        """Returns TextWorld's admissible commands, sorted; none after the end."""
        return () if self.is_over else self._played().legal_commands()

    def expert_actions(self) -> tuple[str, ...]:
        """Returns the generator's way to win, up to the command that wins.

        Played before it is given, without what does nothing.

        Raises:
            DataError: If it does not win.
        """
        machine = self._played()
        before = machine.save()
        try:
            found = winning_path(machine)
        finally:
            machine.restore(before)
        if found is None:
            raise DataError(
                f"A way to win must win, but that of game {self.game} of {self.kind} "
                f"({self.split}) does not."
            )
        return found

    def snapshot_adapter(self, env: Env) -> "MachineSnapshots":
        """Returns how to save and restore an episode."""
        return MachineSnapshots(env, self)

    def machine(self) -> Saved:
        """Returns the moment of the game in the interpreter."""
        return self._played().save()

    def set_machine(self, saved: Saved) -> None:
        """Puts the interpreter into a moment of this game or another."""
        if self._machine is None:
            self._machine = Machine(saved.folder)
        self._machine.restore(saved)

    def _begin(self, game: int) -> str:
        folder = game_folder(
            self.kind,
            of_generator(self.kind, self.settings, self.split),
            seed=SEEDS[self.split][game],
            cache=self._cache,
        )
        if self._machine is not None and self._machine.folder == folder:
            self._machine.begin()
        else:
            self._machine = Machine(folder)
        self.task = self.kind
        self.instruction = self._machine.logic.objective.strip()
        self._points = 0
        return self._machine.first_text

    def _do(self, command: str) -> Told:
        machine = self._played()
        answer = machine.step(command)
        if answer.points is not None:
            self._points = answer.points
        return Told(
            text=answer.text,
            score=self._points / machine.logic.max_score,
            has_won=answer.has_won,
            has_lost=answer.has_lost,
            is_legal=answer.is_understood,
        )

    def _played(self) -> Machine:
        assert self._machine is not None, "made by reset"
        return self._machine


class MachineSnapshots(AttributeSnapshots):
    """Copies the attributes, and the interpreter's memory.

    Args:
        env: The environment, wrappers included.
        game: What is wrapped.
    """

    def __init__(self, env: Env, game: TextWorld) -> None:
        super().__init__(env)
        self._game = game

    def save(self) -> Snapshot:
        """Returns the attributes and the moment of the game."""
        return super().save(), self._game.machine()

    def restore(self, snapshot: Snapshot) -> None:
        """Sets both."""
        attributes, machine = snapshot
        super().restore(attributes)
        self._game.set_machine(machine)
