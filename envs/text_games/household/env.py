"""Household games as a Gymnasium environment.

Covers: what is asked, told and scored. Does not cover: the time limit, which the
registry sets and which truncates.
"""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

from envs.text_games.base import Split, TextGame, Told
from envs.text_games.household.experts import known_plan, searching_plan
from envs.text_games.household.games import NUM_GAMES, draw_game, task_of
from envs.text_games.household.goals import is_won, progress
from envs.text_games.household.rules import (
    Scene,
    Turn,
    carry_out,
    first_scene,
    legal_commands,
)
from envs.text_games.household.sources import read_facts
from envs.text_games.household.texts import (
    DIALECTS,
    MIDDLE_OF_ROOM,
    NOTHING_HAPPENS,
    tell_several,
)
from envs.text_games.household.things import TASKS, Game, TaskName

Scoring: TypeAlias = Literal["won", "progress"]
"""What is scored: 1 for a game that is won; the share of the steps to the goal."""


class Household(TextGame):
    """Find things in a room, clean, heat or cool them, and put them somewhere.

    ## Description
    A room has furniture, and objects in or on it. Furniture and objects are called by
    kind and number, such as "drawer 2" and "mug 1". The first text lists the furniture
    and tells the task; the objects have to be looked for. Who goes to a piece of
    furniture sees what is on it, or in it if it is open. Fridges, microwaves, cabinets,
    drawers and safes are closed at first. Pieces that stand close to each other are
    reached from the same place. One object can be held at a time.

    Tasks: put an object of a kind in or on furniture of a kind; the same with one that
    has been cleaned in a sinkbasin, heated in a microwave or cooled in a fridge; put
    two of a kind in or on the same piece; hold an object at a lamp that is on. Each
    object can be put on or into some kinds of furniture only, and only some kinds
    can be cleaned, heated or cooled. Heated objects are no longer cool, and the
    other way round.

    ## Action Space
    A command; O is an object, R a piece of furniture.

    - go to R: if R is not at this place.
    - open R, close R: at R, if it can be opened.
    - take O from R: at R, if it is not closed, with an empty hand.
    - put O in/on R ("move O to R" in the dialect "0.4"): likewise, with O in the hand.
    - clean O with R, heat O with R, cool O with R: at a sinkbasin, a microwave, a
      fridge, with O in the hand. They need not be opened.
    - use O: turns on a lamp that is at this place.
    - slice O with O: with a knife in the hand, what is at this place.
    - examine R, examine O: furniture at this place, the object in the hand.
    - look, inventory; help in the dialect "0.4".

    Other commands cost a step and change nothing.

    ## Observation Space
    What is told, such as "On the desk 1, you see a desklamp 1, and a pen 2.", "The
    drawer 1 is closed.", "You pick up the pen 2 from the desk 1.", or "Nothing
    happens."

    ## Rewards
    1 when the task is done, 0 for any other step. With `score` "progress": by how much
    the share of the steps to the goal (taking, treating, putting down, turning on the
    lamp) exceeds the most so far.

    ## Episode End
    The episode terminates when the task is done.

    ## Arguments
    `split` is "train", "seen" (the same rooms, other goals) or "unseen" (other rooms).
    `tasks` are kinds of tasks, which take turns. `dialect` is "paper" (ALFWorld 0.3
    without a word of arriving), "0.3" or "0.4". `score` is "won" or "progress".

    Attributes:
        state: All that changes within a game; a `rules.Scene` as a plain tuple.

    Raises:
        ValueError: If there is no such split, task, dialect or score.
        PrerequisiteError: If ALFWorld's data are not installed.
    """

    def __init__(
        self,
        *,
        split: Split = "train",
        tasks: Sequence[TaskName] = TASKS,
        dialect: str = "paper",
        score: Scoring = "won",
    ) -> None:
        super().__init__(split=split)
        read_facts()
        if not tasks or not set(tasks) <= set(TASKS):
            raise ValueError(f"tasks must be of {', '.join(TASKS)}, got {tasks!r}.")
        if dialect not in DIALECTS:
            names = ", ".join(DIALECTS)
            raise ValueError(f"dialect must be one of {names}, got {dialect!r}.")
        if score not in get_args(Scoring):
            names = ", ".join(get_args(Scoring))
            raise ValueError(f"score must be one of {names}, got {score!r}.")
        self.tasks = tuple(tasks)
        self.dialect = dialect
        self.scoring = score
        self.state: tuple[Any, ...] = ()

    @property
    def num_games(self) -> int:
        """Games of the split, all tasks together."""
        return NUM_GAMES[self.split]

    @property
    def house(self) -> Game:
        """The present game: the room, what is in it, the goal."""
        return draw_game(self.split, *task_of(self.game, self.tasks))

    @property
    def scene(self) -> Scene:
        """What is where, in which state."""
        return Scene(*self.state)

    def legal_actions(self) -> tuple[str, ...]:
        """Returns the commands that something happens on, sorted; none after the end.

        ALFWorld's admissible commands.
        """
        return () if self.is_over else tuple(legal_commands(self._turn()))

    def expert_actions(self, *, is_searching: bool = True) -> tuple[str, ...]:
        """Returns commands that win the present game from its beginning.

        Args:
            is_searching: Whether they are those of somebody who has to look for
                things; otherwise the fewest for who knows where all is.
        """
        plan = searching_plan if is_searching else known_plan
        return plan(self.house, DIALECTS[self.dialect])

    def _begin(self, game: int) -> str:
        house = self.house
        self.state = tuple(first_scene(house))
        self.task, self.instruction = house.goal.task, f"{house.goal.words}."
        seen = tell_several(piece.name for piece in house.room.furniture)
        return DIALECTS[self.dialect].intro.format(
            room=f"{MIDDLE_OF_ROOM}{seen}.", goal=house.goal.words
        )

    def _do(self, command: str) -> Told:
        turn = self._turn()
        outcome = carry_out(turn, command)
        scene, text = outcome or (turn.scene, NOTHING_HAPPENS)
        self.state = tuple(scene)
        has_won = is_won(turn.game, scene)
        score = float(has_won)
        if self.scoring == "progress":
            score = progress(turn.game, scene)
        return Told(text, score, has_won=has_won, is_legal=outcome is not None)

    def _turn(self) -> Turn:
        return Turn(self.house, self.scene, DIALECTS[self.dialect])
