"""What a command leads to.

The game is ALFWorld's, quirks included: microwaves heat and fridges cool without being
opened; what is in the hand can be examined, what lies about cannot; with a knife in the
hand all at this place can be sliced, as often as one likes; lamps are only turned on.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from envs.text_games.household.texts import (
    MIDDLE_OF_ROOM,
    Dialect,
    tell_contents,
    tell_list,
    tell_several,
    tell_thing,
)
from envs.text_games.household.things import MIDDLE, Furniture, Game

NOBODY = -1
"""Where an object is that is in the hand; and what is in an empty hand."""

TREATMENTS = {"heat": "Microwave", "cool": "Fridge", "clean": "SinkBasin"}
"""What is done to objects -> the kind of furniture that does it."""


class Scene(NamedTuple):
    """All that changes in a game; objects and furniture by their index.

    Attributes:
        place: Where the agent stands.
        held: What it has in its hand.
        where: The furniture that each object is in or on.
        opened: Furniture that is open.
        hot: Objects that are hot; likewise the next four.
        cool: Objects that are cool.
        clean: Objects that are clean.
        sliced: Objects that are sliced.
        lit: Lamps that have been turned on.
        left: Objects with furniture that they were taken from and not put back to.
    """

    place: int
    held: int
    where: tuple[int, ...]
    opened: frozenset[int] = frozenset()
    hot: frozenset[int] = frozenset()
    cool: frozenset[int] = frozenset()
    clean: frozenset[int] = frozenset()
    sliced: frozenset[int] = frozenset()
    lit: frozenset[int] = frozenset()
    left: frozenset[tuple[int, int]] = frozenset()


Outcome: TypeAlias = tuple[Scene, str]
"""What is then, and what is told."""


class Turn(NamedTuple):
    """What a command meets.

    Attributes:
        game: The game.
        scene: What is before it.
        dialect: The words.
    """

    game: Game
    scene: Scene
    dialect: Dialect


def first_scene(game: Game) -> Scene:
    """Returns how a game begins."""
    return Scene(MIDDLE, NOBODY, game.start)


def carry_out(turn: Turn, command: str) -> Outcome | None:
    """Returns what a command leads to; `None` if nothing happens."""
    verb, _, rest = command.strip().partition(" ")
    if verb == turn.dialect.put:
        name, between, target = rest.partition(turn.dialect.put_between)
        return _put(turn, name, target) if between else None
    if verb in _TWO_NAMES:
        word, act = _TWO_NAMES[verb]
        name, between, target = rest.partition(word)
        return act(turn, name, target) if between else None
    if verb in _TREATING:
        name, between, target = rest.partition(" with ")
        return _treat(turn, verb, (name, target)) if between else None
    one = _ONE_NAME.get(verb)
    if one is not None:
        return one(turn, rest)
    return _alone(turn, verb) if not rest else None


def legal_commands(turn: Turn) -> list[str]:
    """Returns the commands that something happens on, sorted."""
    game, scene, dialect = turn
    commands = ["inventory", "look"]
    if dialect.help_text:
        commands.append("help")
    here = []
    for index, piece in enumerate(game.room.furniture):
        if piece.place == scene.place:
            here.append(index)
        else:
            commands.append(f"go to {piece.name}")
    for index in here:
        commands += _commands_at(turn, index)
    if scene.held != NOBODY:
        commands.append(f"examine {game.things[scene.held].name}")
    for index, at in enumerate(scene.where):
        if at not in here:
            continue
        thing = game.things[index]
        if "use" in thing.abilities:
            commands.append(f"use {thing.name}")
        if "slice" in thing.abilities and _has_knife(turn):
            commands.append(f"slice {thing.name} with {game.things[scene.held].name}")
    return sorted(commands)


def _commands_at(turn: Turn, index: int) -> list[str]:
    """Returns the commands about a piece of furniture here."""
    game, scene, dialect = turn
    piece = game.room.furniture[index]
    commands = [f"examine {piece.name}"]
    if piece.can_open:
        word = "close" if index in scene.opened else "open"
        commands.append(f"{word} {piece.name}")
    if scene.held == NOBODY:
        if is_accessible(piece, index, scene):
            commands += [
                f"take {thing.name} from {piece.name}"
                for thing, at in zip(game.things, scene.where, strict=True)
                if at == index and "take" in thing.abilities
            ]
        return commands
    thing = game.things[scene.held]
    if piece.kind in thing.fits and is_accessible(piece, index, scene):
        commands.append(f"{dialect.put} {thing.name}{dialect.put_between}{piece.name}")
    commands += [
        f"{verb} {thing.name} with {piece.name}"
        for verb, kind in TREATMENTS.items()
        if kind == piece.kind and verb in thing.abilities
    ]
    return commands


def is_accessible(piece: Furniture, index: int, scene: Scene) -> bool:
    """Returns whether one sees, and can reach, what is in or on a piece."""
    return not piece.can_open or index in scene.opened


def contents(game: Game, scene: Scene, index: int) -> list[str]:
    """Returns the names of what is in or on a piece of furniture."""
    return [
        thing.name
        for thing, at in zip(game.things, scene.where, strict=True)
        if at == index
    ]


def _has_knife(turn: Turn) -> bool:
    held = turn.scene.held
    return held != NOBODY and turn.game.things[held].can_slice


def _here(turn: Turn, name: str) -> int | None:
    """Returns the furniture of a name if it is at this place."""
    index = turn.game.furniture_by_name.get(name)
    if index is None or turn.game.room.furniture[index].place != turn.scene.place:
        return None
    return index


def _in_hand(turn: Turn, name: str) -> int | None:
    """Returns the object of a name if it is in the hand."""
    index = turn.game.thing_by_name.get(name)
    return index if index is not None and index == turn.scene.held else None


def _tell_piece(turn: Turn, scene: Scene, index: int) -> str:
    piece = turn.game.room.furniture[index]
    is_open = index in scene.opened
    names = contents(turn.game, scene, index)
    return tell_contents(piece, names, is_open=is_open)


def _go(turn: Turn, rest: str) -> Outcome | None:
    to, _, name = rest.partition(" ")
    index = turn.game.furniture_by_name.get(name)
    if to != "to" or index is None:
        return None
    piece = turn.game.room.furniture[index]
    if piece.place == turn.scene.place:
        return None
    scene = turn.scene._replace(place=piece.place)
    arrival = turn.dialect.arrival.format(place=piece.place, furniture=name)
    return scene, arrival + _tell_piece(turn, scene, index)


def _open(turn: Turn, name: str) -> Outcome | None:
    index = _here(turn, name)
    if index is None or index in turn.scene.opened:
        return None
    if not turn.game.room.furniture[index].can_open:
        return None
    scene = turn.scene._replace(opened=turn.scene.opened | {index})
    return scene, f"You open the {name}. {_tell_piece(turn, scene, index)}"


def _close(turn: Turn, name: str) -> Outcome | None:
    index = _here(turn, name)
    if index is None or index not in turn.scene.opened:
        return None
    scene = turn.scene._replace(opened=turn.scene.opened - {index})
    return scene, f"You close the {name}."


def _take(turn: Turn, name: str, source: str) -> Outcome | None:
    game, scene, _ = turn
    index, at = game.thing_by_name.get(name), _here(turn, source)
    if index is None or at is None or scene.held != NOBODY:
        return None
    if scene.where[index] != at or "take" not in game.things[index].abilities:
        return None
    if not is_accessible(game.room.furniture[at], at, scene):
        return None
    taken = scene._replace(
        held=index,
        where=_moved(scene.where, index, NOBODY),
        left=scene.left | {(index, at)},
    )
    return taken, f"You pick up the {name} from the {source}."


def _put(turn: Turn, name: str, target: str) -> Outcome | None:
    game, scene, dialect = turn
    index, at = _in_hand(turn, name), _here(turn, target)
    if index is None or at is None:
        return None
    piece = game.room.furniture[at]
    if piece.kind not in game.things[index].fits:
        return None
    if not is_accessible(piece, at, scene):
        return None
    put = scene._replace(
        held=NOBODY,
        where=_moved(scene.where, index, at),
        left=scene.left - {(index, at)},
    )
    return put, dialect.told_put.format(thing=name, furniture=target)


def _moved(where: tuple[int, ...], index: int, at: int) -> tuple[int, ...]:
    return (*where[:index], at, *where[index + 1 :])


def _treat(turn: Turn, verb: str, names: tuple[str, str]) -> Outcome | None:
    name, tool = names
    index, at = _in_hand(turn, name), _here(turn, tool)
    if index is None or at is None:
        return None
    if turn.game.room.furniture[at].kind != TREATMENTS[verb]:
        return None
    if verb not in turn.game.things[index].abilities:
        return None
    return _TREATING[verb](
        turn.scene, index
    ), f"You {verb} the {name} using the {tool}."


def _heated(scene: Scene, index: int) -> Scene:
    return scene._replace(hot=scene.hot | {index}, cool=scene.cool - {index})


def _cooled(scene: Scene, index: int) -> Scene:
    return scene._replace(cool=scene.cool | {index}, hot=scene.hot - {index})


def _cleaned(scene: Scene, index: int) -> Scene:
    return scene._replace(clean=scene.clean | {index})


def _slice(turn: Turn, name: str, knife: str) -> Outcome | None:
    index = turn.game.thing_by_name.get(name)
    if index is None or _in_hand(turn, knife) is None or not _has_knife(turn):
        return None
    if "slice" not in turn.game.things[index].abilities or not _lies_here(turn, index):
        return None
    scene = turn.scene._replace(sliced=turn.scene.sliced | {index})
    return scene, f"You sliced the {name} with the {knife}."


def _lies_here(turn: Turn, index: int) -> bool:
    at = turn.scene.where[index]
    place = turn.scene.place
    return at != NOBODY and turn.game.room.furniture[at].place == place


def _use(turn: Turn, name: str) -> Outcome | None:
    index = turn.game.thing_by_name.get(name)
    if index is None or "use" not in turn.game.things[index].abilities:
        return None
    if not _lies_here(turn, index):
        return None
    scene = turn.scene._replace(lit=turn.scene.lit | {index})
    return scene, f"You turn on the {name}."


def _examine(turn: Turn, name: str) -> Outcome | None:
    at, scene = _here(turn, name), turn.scene
    if at is not None:
        return scene, _tell_piece(turn, scene, at)
    index = _in_hand(turn, name)
    if index is None:
        return None
    states = ("hot", "cool", "clean", "sliced")
    found = [state for state in states if index in getattr(scene, state)]
    return scene, tell_thing(turn.game.things[index], found)


def _alone(turn: Turn, word: str) -> Outcome | None:
    """Returns what a command of one word leads to."""
    scene = turn.scene
    if word == "look":
        return scene, _look(turn)
    if word == "inventory":
        if scene.held == NOBODY:
            return scene, "You are not carrying anything."
        name = turn.game.things[scene.held].name
        return scene, f"You are carrying: {tell_several([name])}."
    if word == "help" and turn.dialect.help_text:
        return scene, turn.dialect.help_text
    return None


def _look(turn: Turn) -> str:
    game, scene, _ = turn
    if scene.place == MIDDLE:
        return f"{MIDDLE_OF_ROOM}nothing."
    here = {
        index: piece.name
        for index, piece in enumerate(game.room.furniture)
        if piece.place == scene.place
    }
    # What was taken from one piece and put to another one of this place.
    beside = [
        game.things[index].name
        for index, at in sorted(scene.left)
        if at in here and scene.where[index] in here
    ]
    facing = tell_list(list(here.values()))
    return f"You are facing the {facing}. Next to it, you see {tell_several(beside)}."


_TWO_NAMES: dict[str, tuple[str, Callable[[Turn, str, str], Outcome | None]]] = {
    "take": (" from ", _take),
    "slice": (" with ", _slice),
}

_TREATING = {"heat": _heated, "cool": _cooled, "clean": _cleaned}

_ONE_NAME: dict[str, Callable[[Turn, str], Outcome | None]] = {
    "go": _go,
    "open": _open,
    "close": _close,
    "use": _use,
    "examine": _examine,
}
