"""A compiled game in its interpreter, and what can be done in it.

The interpreter tells what happens; the rules of the game, which are kept beside it,
tell what can be done next. They follow the events that the interpreter names.

Covers: stepping, saving, restoring; legal commands, found when they are asked for.
Does not cover: commands that reach outside the game; they are not passed on.
"""

import re
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from envs.text_games.base import tidy
from envs.text_games.textworld.library import LOGIC, STORY, library

SEED = 1
"""Of the interpreter's random numbers, which games of TextWorld do not use."""

MAX_BYTES = 190
"""Longest command that the interpreter reads whole."""

OUTSIDE = re.compile(
    r"(tw-\S*|save|restore|restart|quit|q|undo|oops|(no|un)?script|transcript)\b", re.I
)
"""Commands about files, the interpreter or the past."""

SEVERAL = re.compile(r"\.|\bthen\b", re.I)
"""What the game's parser takes for the end of one command and the start of another."""

NOT_A_VERB = "That's not a verb I recognise."
"""As the game says it."""

_WON = "*** The End ***"
_LOST = "*** You lost! ***"

_TAG = re.compile(r"\[([^]]+)\]\n?")
"""The interpreter's notes of what happens: `[opening the trunk - succeeded]`."""

_POINTS = re.compile(r"<score>\s*(\d+)\s*</score>", re.S)
_NUMBERS = re.compile(r"<(score|moves)>.*?</\1>\n?", re.S)
_ASKED_AT_END = re.compile(r"\n\s*Would you like to RESTART, .*\Z", re.S)
_BANNER = re.compile(r"\A.*\$\$ *\n", re.S)


class Answer(NamedTuple):
    """What the interpreter says of a command.

    Attributes:
        text: In words, without notes.
        events: What has happened, in the order in which it did.
        points: Of the game so far; `None` if it does not say.
        is_understood: Whether the game knew what to do, or why not.
        has_won: Whether the game is won.
        has_lost: Whether it is lost.
    """

    text: str
    events: tuple[str, ...] = ()
    points: int | None = None
    is_understood: bool = True
    has_won: bool = False
    has_lost: bool = False


class _Scene:
    """What holds at a moment of a game; never changed.

    Args:
        logic: TextWorld's object of the game.
        state: Its facts.
    """

    __slots__ = ("_actions", "_logic", "state")

    def __init__(self, logic: Any, state: Any) -> None:
        self._logic, self.state = logic, state
        self._actions: list[Any] | None = None

    @property
    def actions(self) -> list[Any]:
        """All that can be done; a search, once."""
        if self._actions is None:
            base = self._logic.kb
            found = self.state.all_applicable_actions(
                base.rules.values(), base.types.constants_mapping
            )
            self._actions = list(found)
        return self._actions

    def after(self, action: Any) -> "_Scene":
        """Returns what holds after an action."""
        state = self.state.copy()
        state.apply(action)
        return _Scene(self._logic, state)


class Saved(NamedTuple):
    """A moment of a game; opaque."""

    folder: Path
    memory: Any
    scene: _Scene
    events: tuple[str, ...]


class Machine:
    """An interpreter that plays one game at a time.

    Attributes:
        folder: Files of the present game.
        logic: TextWorld's object of it.
        first_text: What is seen at its beginning.

    Args:
        folder: Files of a game, which begins.
    """

    _frotz: Any
    _inform: Any

    def __init__(self, folder: Path) -> None:
        self._open(folder)
        self.begin()

    def begin(self) -> None:
        """Begins the present game anew."""
        first, _ = self._frotz.reset()
        for wanted in ("tw-trace-actions", "tw-extra-infos score"):
            self._frotz.step(wanted)
        self.first_text = _tidied(_BANNER.sub("", first))
        self._scene = _Scene(self.logic, self.logic.world.state.copy())
        self._events: tuple[str, ...] = ()

    def step(self, command: str) -> Answer:
        """Carries a command out, or says that it is not understood."""
        line = " ".join(command.split())
        is_long = len(line.encode()) > MAX_BYTES
        if is_long or OUTSIDE.match(line) or SEVERAL.search(line):
            return Answer(NOT_A_VERB, is_understood=False)
        answer = read(self._frotz.step(line)[0])
        self._events += answer.events
        return answer

    def legal_commands(self) -> tuple[str, ...]:
        """Returns TextWorld's admissible commands, sorted."""
        scene = self._followed()
        return tuple(sorted(set(self._inform.gen_commands_from_actions(scene.actions))))

    def save(self) -> Saved:
        """Returns the present moment."""
        memory = self._frotz.get_state()
        return Saved(self.folder, memory, self._scene, self._events)

    def restore(self, saved: Saved) -> None:
        """Goes back to a moment, of this game or another."""
        if saved.folder != self.folder:
            self._open(saved.folder)
        self._frotz.set_state(saved.memory)
        self._scene, self._events = saved.scene, saved.events

    def _open(self, folder: Path) -> None:
        logic = library("textworld").Game.load(str(folder / LOGIC))
        with warnings.catch_warnings():
            # That it does not know the score of this game: the game tells it.
            warnings.simplefilter("ignore")
            self._frotz = library("jericho").FrotzEnv(str(folder / STORY), SEED)
        self._inform = library("textworld.generator.inform7").Inform7Game(logic)
        self.folder, self.logic = folder, logic

    def _followed(self) -> _Scene:
        """Returns what holds after all that has happened."""
        for event in self._events:
            action = self._inform.detect_action(event, self._scene.actions)
            if action is not None:
                self._scene = self._scene.after(action)
        self._events = ()
        return self._scene


def winning_path(machine: Machine) -> tuple[str, ...] | None:
    """Returns the generator's way to win, from the beginning; `None` if it does not.

    Up to the command that wins, without what does nothing: some generators have doors
    opened that are open.

    Args:
        machine: Plays the way, from the beginning.
    """
    machine.begin()
    found: list[str] = []
    for command in machine.logic.metadata["walkthrough"]:
        answer = machine.step(command)
        if answer.events:
            found.append(command)
        if answer.has_won:
            return tuple(found)
    return None


def read(raw: str) -> Answer:
    """Returns what the interpreter's answer says."""
    points = _POINTS.search(raw)
    notes = _TAG.findall(raw)
    done = " - succeeded"
    # Those with brackets are parts of others.
    events = (note[: -len(done)] for note in notes if note.endswith(done))
    text = _TAG.sub("", _NUMBERS.sub("", raw))
    text = _ASKED_AT_END.sub("", text)
    return Answer(
        text=_tidied(text),
        events=tuple(event for event in events if "(" not in event),
        points=int(points[1]) if points else None,
        is_understood=bool(notes),
        has_won=_WON in text,
        has_lost=_LOST in text,
    )


def _tidied(text: str) -> str:
    """Returns a text without spaces and empty lines that only lay it out."""
    at_the_left = re.sub(r"^ +(?=\*\*\*)", "", text, flags=re.M)
    return re.sub(r"\n{3,}", "\n\n", tidy(at_the_left))
