"""Plans that win: one that knows where all is, one that has to look for it.

The second is told what is told in the game, and looks in the likeliest places first,
as ALFWorld's handcoded expert does. It knows the goal, the room's furniture, and what
kinds of objects can be where.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import permutations

from cwm.core.errors import InternalError
from envs.text_games.household.goals import treatment_of
from envs.text_games.household.rules import (
    TREATMENTS,
    Scene,
    Turn,
    carry_out,
    first_scene,
    is_accessible,
)
from envs.text_games.household.texts import Dialect
from envs.text_games.household.things import LOOK, TWO, Game


def known_plan(game: Game, dialect: Dialect) -> tuple[str, ...]:
    """Returns the shortest plan for who knows where all is, from the beginning."""
    if game.goal.task == LOOK:
        ways: Iterable[tuple[int, ...]] = (
            (thing, lamp) for thing in game.wanted for lamp in game.targets
        )
        walk: Callable[..., _Walk] = _lit_walk
    elif game.goal.task == TWO:
        pairs = permutations(game.wanted, 2)
        ways = ((t, *pair) for pair in pairs for t in game.targets)
        walk = _putting_walk
    else:
        ways = ((target, thing) for thing in game.wanted for target in game.targets)
        walk = _putting_walk
    plans = (walk(game, dialect, *way).commands for way in ways)
    shortest = min(plans, key=len)
    return tuple(shortest)


def searching_plan(game: Game, dialect: Dialect) -> tuple[str, ...]:
    """Returns a plan of somebody who has to look for things, from the beginning."""
    search = _Search(game, dialect)
    wanted = frozenset(game.wanted)
    if game.goal.task == LOOK:
        search.take(search.find(wanted))
        search.turn_on(search.find(frozenset(game.targets)))
        return tuple(search.commands)
    number = 2 if game.goal.task == TWO else 1
    target = None
    for _ in range(number):
        found = search.find(wanted)
        search.take(found)
        search.treat(found)
        if target is None:
            target = search.nearest(game.targets)
        search.put(found, target)
        wanted -= {found}
    return tuple(search.commands)


class _Walk:
    """Somebody on the way through a game.

    Attributes:
        commands: What they have done.
        scene: What is now.
    """

    def __init__(self, game: Game, dialect: Dialect) -> None:
        self.game = game
        self.dialect = dialect
        self.scene: Scene = first_scene(game)
        self.commands: list[str] = []

    def do(self, command: str) -> None:
        """Carries out a command that something happens on."""
        outcome = carry_out(Turn(self.game, self.scene, self.dialect), command)
        if outcome is None:
            raise InternalError(f"An expert's commands must be legal, got {command!r}.")
        self.scene = outcome[0]
        self.commands.append(command)

    def reach(self, index: int) -> None:
        """Goes to a piece of furniture and opens it, where this is needed."""
        piece = self.game.room.furniture[index]
        if piece.place != self.scene.place:
            self.do(f"go to {piece.name}")
        if not is_accessible(piece, index, self.scene):
            self.do(f"open {piece.name}")

    def take(self, thing: int) -> None:
        """Takes an object from where it is."""
        at = self.scene.where[thing]
        self.reach(at)
        name = self.game.things[thing].name
        self.do(f"take {name} from {self.game.room.furniture[at].name}")

    def treat(self, thing: int) -> None:
        """Does to an object in the hand what the goal asks for."""
        treatment = treatment_of(self.game)
        if treatment is None:
            return
        furniture = enumerate(self.game.room.furniture)
        kind = TREATMENTS[treatment]
        tool = self.nearest([i for i, piece in furniture if piece.kind == kind])
        piece = self.game.room.furniture[tool]
        if piece.place != self.scene.place:
            self.do(f"go to {piece.name}")
        self.do(f"{treatment} {self.game.things[thing].name} with {piece.name}")

    def put(self, thing: int, target: int) -> None:
        """Puts an object in the hand somewhere."""
        self.reach(target)
        names = self.game.things[thing].name, self.game.room.furniture[target].name
        self.do(f"{self.dialect.put} {self.dialect.put_between.join(names)}")

    def turn_on(self, lamp: int) -> None:
        """Goes to a lamp and turns it on."""
        piece = self.game.room.furniture[self.scene.where[lamp]]
        if piece.place != self.scene.place:
            self.do(f"go to {piece.name}")
        self.do(f"use {self.game.things[lamp].name}")

    def nearest(self, choices: Iterable[int]) -> int:
        """Returns the piece of furniture that is reached soonest; of equals the last.

        Which is number 1 of its kind.
        """
        furniture, scene = self.game.room.furniture, self.scene
        return min(
            reversed(list(choices)),
            key=lambda i: (
                (furniture[i].place != scene.place)
                + (not is_accessible(furniture[i], i, scene))
            ),
        )


class _Search(_Walk):
    """Somebody who only knows what has been told.

    Attributes:
        seen: Object -> the furniture where it was seen.
        searched: Furniture that has been looked into.
    """

    def __init__(self, game: Game, dialect: Dialect) -> None:
        super().__init__(game, dialect)
        self.seen: dict[int, int] = {}
        self.searched: set[int] = set()

    def do(self, command: str) -> None:
        """Carries out a command, and notes what is seen of furniture."""
        super().do(command)
        name = command.partition(" ")[2].removeprefix("to ")
        index = self.game.furniture_by_name.get(name)
        if index is None:
            return
        if is_accessible(self.game.room.furniture[index], index, self.scene):
            self.searched.add(index)
            things = enumerate(self.scene.where)
            self.seen |= {thing: at for thing, at in things if at == index}

    def find(self, things: frozenset[int]) -> int:
        """Returns one of some objects, which are of one kind, once it has been seen."""
        known = things & self.seen.keys()
        if not known:
            for index in self._likely(things):
                self._look_into(index)
                known = things & self.seen.keys()
                if known:
                    break
        return max(known, key=lambda thing: (self._is_here(thing), thing))

    def _is_here(self, thing: int) -> bool:
        piece = self.game.room.furniture[self.seen[thing]]
        return piece.place == self.scene.place

    def _likely(self, things: frozenset[int]) -> list[int]:
        """Returns furniture that has not been searched, the likeliest first.

        A fridge before one of twenty cabinets.
        """
        furniture = self.game.room.furniture
        fits = self.game.things[min(things)].fits
        kinds = Counter(piece.kind for piece in furniture)
        return sorted(
            (
                index
                for index, piece in enumerate(furniture)
                if piece.kind in fits and index not in self.searched
            ),
            key=lambda index: (kinds[furniture[index].kind], -index),
        )

    def _look_into(self, index: int) -> None:
        piece = self.game.room.furniture[index]
        is_near = piece.place == self.scene.place
        if is_near and is_accessible(piece, index, self.scene):
            self.do(f"examine {piece.name}")
        self.reach(index)


def _putting_walk(game: Game, dialect: Dialect, target: int, *things: int) -> _Walk:
    walk = _Walk(game, dialect)
    for thing in things:
        walk.take(thing)
        walk.treat(thing)
        walk.put(thing, target)
    return walk


def _lit_walk(game: Game, dialect: Dialect, thing: int, lamp: int) -> _Walk:
    walk = _Walk(game, dialect)
    walk.take(thing)
    walk.turn_on(lamp)
    return walk
