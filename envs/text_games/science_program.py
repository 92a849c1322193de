"""ScienceWorld's program: what it answers depends on the game and the commands alone.

Left to itself, it goes through sets by the objects' addresses, and lists valid actions
under names that it draws from the same random numbers as bees and wandering animals
do: whoever lists them changes what happens. Here all objects have one hash, so that
sets have the order of insertion, and the random numbers begin anew for each command and
each list.
"""

import json
from typing import Any

from cwm.core.seeding import child_seed
from envs.text_games.java import Interface, JavaPackage

PACKAGE = JavaPackage(
    name="scienceworld",
    jar="scienceworld.jar",
    interface="scienceworld.runtime.pythonapi.PythonInterface",
    options=(
        *("-Xmx1g", "-XX:+UseSerialGC"),
        *("-XX:+UnlockExperimentalVMOptions", "-XX:hashCode=2"),
        # Java machines other than OpenJDK's do not know these.
        "-XX:+IgnoreUnrecognizedVMOptions",
    ),
)

TELEPORT = "teleport to "
"""How commands begin whose object is elsewhere."""

NOT_UNDERSTOOD = "No known action"
"""How the answer to what is not understood begins."""


class Program:
    """The program, in this process's virtual machine.

    Attributes:
        java: Its interface.
        num_commands: Since the game was loaded.
    """

    def __init__(self) -> None:
        self._interface = Interface(PACKAGE)
        self.java: Any = self._interface.java
        self.num_commands = 0
        random = getattr(self._interface.classes.scala.util, "Random$")
        self._random: Any = getattr(random, "MODULE$")

    def is_there(self) -> bool:
        """Returns whether its virtual machine runs and is this process's."""
        return self._interface.is_there()

    def load(
        self, task: str, variation: int, *, simplification: str, has_gold: bool = False
    ) -> str:
        """Begins a game; returns what the program has against it, or nothing."""
        self.num_commands = 0
        return str(self.java.load(task, variation, simplification, has_gold))

    def step(self, command: str) -> str:
        """Has a command done; returns the answer."""
        self._draw_anew("command")
        self.num_commands += 1
        return str(self.java.step(command))

    def listed(self) -> list[str]:
        """Returns what can be done now, in any order.

        The program lists commands with what is in closed containers, too, does not
        understand them, and would tell by them what nobody has seen.
        """
        self._draw_anew("list")
        # As one text: to fetch them one by one takes much longer than to list them.
        found = json.loads(str(self.java.getValidActionObjectCombinationsJSON()))
        known = self._in_reach()
        return [
            one["action"]
            for one in found["validActions"]
            if one["action"].startswith(TELEPORT) or known.issuperset(one["obj_ids"])
        ]

    def _in_reach(self) -> set[int]:
        """Returns the ids of what is seen in the room and of what is held."""
        seen = json.loads(str(self.java.getPossibleObjectReferentLUTJSON()))
        inventory = self.java.agent().get().getInventoryContainer()
        held = inventory.getContainedObjectsRecursiveAccessible(False).toList()
        ids = {int(held.apply(index).uuid()) for index in range(held.length())}
        return {int(inventory.uuid()), *map(int, seen), *ids}

    def score(self) -> float:
        """Returns the score, rounded to the hundredths that the package gives."""
        return round(100 * float(self.java.getScore())) / 100

    def _draw_anew(self, purpose: str) -> None:
        self._random.setSeed(child_seed(0, "ScienceWorld", purpose, self.num_commands))


class Stage:
    """The program, which has one game at a time: parts of its state are global."""

    def __init__(self) -> None:
        self._program: Program | None = None
        self._holder: object = None

    def is_held_by(self, holder: object) -> bool:
        """Returns whether the program still is where this holder left it."""
        is_there = self._program is not None and self._program.is_there()
        return is_there and self._holder is holder

    def given_to(self, holder: object) -> Program:
        """Returns the program, for whoever begins a game or goes on with its own."""
        if self._program is None or not self._program.is_there():
            self._program = Program()
        self._holder = holder
        return self._program


STAGE = Stage()
"""Of this process."""
