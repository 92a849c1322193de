"""ScienceWorld: experiments of elementary school, in a house and around it.

The game is that of Wang et al. (2022, https://arxiv.org/abs/2203.07540), run by its own
program. What differs from its Python package: valid actions are listed only when asked
for, and episodes repeat themselves (see `envs.text_games.science_program`).

Covers: splits, scores, time limits by task, gold paths, shortened where that keeps the
score. Does not cover: two games at a time in one process. They take turns, and do their
commands again when it is theirs.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache

from cwm.core.errors import DataError
from envs.text_games.base import Split, Told, tidy
from envs.text_games.java import require
from envs.text_games.java_game import JavaGame
from envs.text_games.science_program import NOT_UNDERSTOOD, PACKAGE, STAGE
from envs.text_games.science_tasks import TASKS, games, named_tasks

SIMPLIFICATIONS = (
    *("teleportAction", "openDoors", "openContainers", "selfWateringFlowerPots"),
    *("noElectricalAction", "easy"),
)
"""What makes the game easier, by its own names; `easy` is all of the others."""

ELECTRICAL = ("power-component", "conductivity")
"""Parts of the names of tasks that cannot do without electrical actions."""

_NO_ANSWER = "Unknown action"
"""Told when a number was asked for; that question is closed then, and time passes."""

_HEADING = "Task Description:"


class ScienceWorld(JavaGame):
    """Carry out an experiment of elementary science by commands in words.

    ## Description
    A house with kitchen, workshop, art studio, greenhouse and other rooms, and what is
    outside, has hundreds of objects: substances that melt and boil, stoves, sinks,
    thermometers, plants and animals that grow, batteries, wires and lamps. The task is
    given in words, such as to boil water, to grow a plant, to find out whether
    something conducts, to find the animal that lives longest. "focus on X" tells the
    game which object the task is done with; on a wrong one, the task is lost.

    ## Action Space
    A command: "look around", "look at X", "look in X", "read X", "open X", "close X",
    "pick up X", "put down X", "move X to Y", "pour X into Y", "dunk X into Y", "mix X",
    "eat X", "use X on Y", "activate X", "deactivate X", "connect X to Y", "disconnect
    X", "go to X", "teleport to X", "focus on X", "wait" (ten times), "wait1", "task",
    "inventory". X and Y are named as in the observations. Where a command could mean
    several things, the game numbers them, and the next command is a number; anything
    else is lost. What is not understood changes nothing, and no time passes.

    ## Observation Space
    What the game answers to the command. The first observation is the look of the room.

    ## Rewards
    What the command adds to the best score so far: the share of the task's goals that
    have been reached, from 0 to 1.

    ## Episode End
    The episode terminates when the task is done (score 1), and when it is lost: by a
    focus on the wrong object, for example.

    ## Arguments
    `split`: "train", "seen" (official dev variations), "unseen" (official test
    variations). `task`: name of a task, or several in a list, which take turns; with ""
    24 tasks do. `simplification`: "easy", or names of simplifications with commas
    between them, or "".
    `looks_around`: whether the first observation is the look of the room, or the
    task as in the papers. `max_steps`: time limit; `None` for that of the task in the
    papers, where it has one.
    """

    def __init__(
        self,
        *,
        split: Split = "train",
        task: str | Sequence[str] = "",
        simplification: str = "easy",
        looks_around: bool = True,
        max_steps: int | None = None,
    ) -> None:
        require(PACKAGE)
        super().__init__(split=split)
        tasks = named_tasks(task)
        _check(tasks, simplification, max_steps)
        self.simplification = simplification
        self.looks_around = looks_around
        self._own_max_steps = max_steps
        self._games = games(tasks, split)

    @property
    def num_games(self) -> int:
        """Games of the split."""
        return len(self._games)

    def expert_actions(self) -> tuple[str, ...]:
        """Returns the game's gold path, up to the command that completes the task.

        With teleports in place of walks where they are allowed and the score stays
        the same: some tasks depend on the time that walking takes. Found out by
        playing, in a few seconds, once in a process.

        Without what the game does not understand.

        Raises:
            DataError: If no gold path is known that completes the task.
        """
        return gold_path(*self._games[self.game], self.simplification)

    def _is_there(self) -> bool:
        return STAGE.is_held_by(self)

    def _start(self, game: int) -> str:
        program = STAGE.given_to(self)
        self.task, variation = self._games[game]
        refusal = program.load(self.task, variation, simplification=self.simplification)
        if refusal:
            raise DataError(f"{self.task} {variation} must load, got {refusal!r}.")
        told = program.java.freeActionTaskDesc()
        self.instruction = tidy(told.strip().removeprefix(_HEADING))
        limit = self._own_max_steps
        self.max_steps = TASKS[self.task].max_steps if limit is None else limit
        return str(program.java.freeActionLook())

    def _first(self, answer: str) -> str:
        return tidy(answer) if self.looks_around else self.instruction

    def _send(self, command: str) -> str:
        return STAGE.given_to(self).step(command.strip())

    def _read(self, answer: str) -> Told:
        program = STAGE.given_to(self)
        score = program.score()
        has_won = score == 1.0
        return Told(
            text=tidy(answer),
            score=score,
            has_won=has_won,
            has_lost=not has_won and (score < 0 or bool(program.java.getCompleted())),
            is_legal=not answer.startswith((NOT_UNDERSTOOD, _NO_ANSWER)),
        )

    def _listed(self, answer: str) -> Iterable[str]:
        return STAGE.given_to(self).listed()


@cache
def gold_path(task: str, variation: int, simplification: str) -> tuple[str, ...]:
    """Returns how to complete a task; see `ScienceWorld.expert_actions`.

    Raises:
        DataError: If no gold path is known that completes it.
    """
    program = STAGE.given_to(None)
    program.load(task, variation, simplification=simplification, has_gold=True)
    path = tuple(map(str, program.java.getGoldActionSequence()))
    paths = [path]
    if {"easy", "teleportAction"} & set(simplification.split(",")):
        paths.insert(0, with_teleports(path))
    for candidate in paths:
        program.load(task, variation, simplification=simplification)
        found: list[str] = []
        for command in candidate:
            if not program.step(command).startswith(NOT_UNDERSTOOD):
                found.append(command)
            if program.score() == 1.0:
                return tuple(found)
    raise DataError(
        f"A gold path must complete the task, but that of {task} {variation} does not."
    )


def with_teleports(path: Sequence[str]) -> tuple[str, ...]:
    """Returns a path with each walk through doors as one teleport to its end."""
    found: list[str] = []
    walk: list[str] = []
    for command in (*path, ""):
        if re.match(r"(open door|go) to ", command):
            walk.append(command)
            continue
        rooms = [part[len("go to ") :] for part in walk if part.startswith("go to ")]
        found += [f"teleport to {rooms[-1]}"] if rooms else walk
        walk.clear()
        found.append(command)
    return tuple(found[:-1])


def _check(tasks: Sequence[str], simplification: str, max_steps: int | None) -> None:
    names = [name for name in simplification.split(",") if name]
    unknown = [name for name in names if name not in SIMPLIFICATIONS]
    if unknown:
        raise ValueError(
            f"simplification must be made of {', '.join(SIMPLIFICATIONS)}, "
            f"got {unknown[0]!r}."
        )
    electrical = [one for one in tasks if any(part in one for part in ELECTRICAL)]
    if "noElectricalAction" in names and electrical:
        raise ValueError(
            "simplification must leave electrical actions where tasks need them, got "
            f"{simplification!r} for {', '.join(electrical)}."
        )
    if max_steps is not None and max_steps < 1:
        raise ValueError(f"max_steps must be at least 1 step, got {max_steps}.")
