"""TextWorldExpress: four games of small houses, thousands of steps a second.

The games are those of TextWorldExpress (Jansen and Côté, 2023,
https://arxiv.org/abs/2208.01174), run by its own program. TextWorld Commonsense is of
Murugesan et al. (2021), CookingWorld that of TextWorld's First Problems, Coin Collector
of Yuan et al. (2018), Map Reader of Jansen and Côté.

Covers: splits, scores, legal commands, gold paths. Does not cover: the package's other
games; the time limit, which the registry sets.
"""

from collections.abc import Iterable, Sequence
from itertools import dropwhile
from typing import ClassVar

import msgspec

from cwm.core.errors import DataError
from envs.text_games.base import Split, Told, tidy
from envs.text_games.java import Interface, JavaPackage, require
from envs.text_games.java_game import JavaGame

PACKAGE = JavaPackage(
    name="textworld_express",
    jar="textworld-express.jar",
    interface="textworldexpress.runtime.PythonInterface",
    options=("-Xmx512m", "-XX:+UseSerialGC"),
)

SEEDS: dict[Split, tuple[str, range]] = {
    "train": ("train", range(900)),
    "seen": ("train", range(900, 1_000)),
    "unseen": ("test", range(20_000, 21_000)),
}
"""Split -> the package's fold, and the seeds of the games in it.

TWC's objects depend on the fold: `seen` has those of `train`, in other games. The other
games draw from the same in all folds.
"""

LOOK = "look around"
"""Shows what the first observation has shown, at the beginning."""

NUM_WAYS = 5
"""Ways to win of which a gold path is the shortest."""

MAX_WALKS = 200
"""Random walks of the package's agent in which that many are to be found."""

_UNKNOWN = "Unknown action"


class _Answer(msgspec.Struct):
    """What the program says of a step; it says more than is read here."""

    observation: str
    score: float
    tasksuccess: bool
    taskfailure: bool
    valid: list[str] = msgspec.field(name="validActions")


_DECODER = msgspec.json.Decoder(_Answer)


class Express(JavaGame):
    """A game of TextWorldExpress; see the classes below.

    Args:
        split: Which games.
        game_params: How games are made, such as `"numLocations=2,includeDoors=0"`;
            what is not named is as in the package. See the classes.

    Raises:
        PrerequisiteError: If the package or Java is missing.
        ValueError: If there is no such split or parameter, or a value is out of range.
    """

    name: ClassVar[str]
    """In the package, and the kind of task."""

    agent: ClassVar[str]
    """Class of the package's agent that knows the game."""

    def __init__(self, *, split: Split = "train", game_params: str = "") -> None:
        require(PACKAGE)
        super().__init__(split=split)
        self.game_params = game_params
        self._interface: Interface | None = None
        if game_params:
            self._loaded()

    @property
    def num_games(self) -> int:
        """Games of the split."""
        return len(SEEDS[self.split][1])

    def expert_actions(self) -> tuple[str, ...]:
        """Returns a gold path of the package's agent, up to the command that wins.

        Without what the game does not understand, and without first looks around.

        Raises:
            DataError: If none wins.
        """
        fold, seeds = SEEDS[self.split]
        interface = self._loaded()
        self._lose()
        paths = self._gold_paths(interface, seeds[self.game], fold)
        wins = []
        for path in paths:
            interface.java.generateNewGameJSON(seeds[self.game], fold, False)
            wins.append(self._up_to_win(interface, path))
        found = min(filter(None, wins), key=len, default=None)
        if found is None:
            raise DataError(
                f"A gold path must win, but that of game {self.game} of {self.name} "
                f"({self.split}) does not."
            )
        return found

    def _gold_paths(
        self, interface: Interface, seed: int, fold: str
    ) -> list[Sequence[str]]:
        """Returns ways to win, the same ones each time, of the package's agent.

        It walks at random; without a seed in the package, here with one.
        """
        agents = interface.classes.textworldexpress.goldagent
        found: list[Sequence[str]] = []
        for number in range(MAX_WALKS):
            interface.java.generateNewGameJSON(seed, fold, False)
            agent = getattr(agents, self.agent)(interface.java.game())
            way = agent.mkGoldPath(interface.classes.scala.util.Random(number))
            if way._1():
                found.append(list(way._2()))
            if len(found) == NUM_WAYS:
                break
        return found

    def _up_to_win(
        self, interface: Interface, path: Sequence[str]
    ) -> tuple[str, ...] | None:
        """Returns what matters of a path; `None` if it does not win."""
        found: list[str] = []
        for command in dropwhile(LOOK.__eq__, path):
            told = self._read(interface.java.stepJSON(command))
            if told.is_legal:
                found.append(command)
            if told.has_won:
                return tuple(found)
        return None

    def _loaded(self) -> Interface:
        """Returns the program's object of this process, ready to make games."""
        if self._interface is None or not self._interface.is_there():
            interface = Interface(PACKAGE)
            refusal = interface.java.load(self.name, self.game_params).strip()
            if refusal:
                raise ValueError(
                    f"game_params must suit {self.name}, got {self.game_params!r}: "
                    f"{refusal}"
                )
            self._interface = interface
        return self._interface

    def _is_there(self) -> bool:
        return self._interface is not None and self._interface.is_there()

    def _start(self, game: int) -> str:
        fold, seeds = SEEDS[self.split]
        java = self._loaded().java
        answer = java.generateNewGameJSON(seeds[game], fold, False)
        self.instruction = tidy(java.getTaskDescription())
        self.task = self.name
        return str(answer)

    def _first(self, answer: str) -> str:
        return tidy(_DECODER.decode(answer).observation)

    def _send(self, command: str) -> str:
        return str(self._loaded().java.stepJSON(command.strip()))

    def _read(self, answer: str) -> Told:
        told = _DECODER.decode(answer)
        return Told(
            text=tidy(told.observation),
            score=told.score,
            has_won=told.tasksuccess,
            has_lost=told.taskfailure,
            is_legal=not told.observation.startswith(_UNKNOWN),
        )

    def _listed(self, answer: str) -> Iterable[str]:
        return _DECODER.decode(answer).valid


class TWC(Express):
    """Put objects of a household where they usually belong.

    ## Description
    A few rooms have furniture, and objects that are out of place: socks on the floor of
    the bedroom, moccasins in the corridor. The agent walks from room to room, takes
    objects, several at a time, opens furniture and puts each object where it usually
    belongs, such as dirty clothes in the laundry basket. The game does not say where
    that is.

    ## Action Space
    A command: "look around", "inventory", "move north" (or south, east, west), "open
    X", "close X", "take X", "put X in Y"; with doors also "open door to north". X and Y
    are named as in the observations. What is not understood changes nothing.

    ## Observation Space
    What the game answers to the command: the room with its furniture, what lies there
    and the exits, where it is entered or looked at; else what was done, such as "You
    open the fridge. It's empty inside."

    ## Rewards
    What the command adds to the best score so far. The score is the share of what is
    to be done: half for an object that the agent has, all of it where the object
    belongs.

    ## Episode End
    The episode terminates when all objects are where they belong.

    ## Arguments
    `split`: "train", "seen" (other games with the same objects), "unseen" (with other
    objects). `game_params`: numLocations (3; 1 to 3), numItemsToPutAway (4),
    includeDoors (0), limitInventorySize (0), as in "numLocations=1,includeDoors=1".
    """

    name, agent = "twc", "TWCGoldAgent"


class CookingWorld(Express):
    """Find a recipe, gather the ingredients, prepare them as it says, and eat.

    ## Description
    The kitchen of a house has a cookbook. The agent reads it, gathers the ingredients,
    which lie about in the rooms or are in furniture, cuts them (with a knife) and cooks
    them as the recipe says, prepares the meal in the kitchen and eats it. A stove
    fries, an oven roasts, a barbeque grills. Not everything that lies about is needed.

    ## Action Space
    A command: "look around", "inventory", "move north" (or south, east, west), "open
    door to north", "open X", "close X", "take X", "put X in Y", "examine X", "read
    cookbook", "chop X", "slice X", "dice X", "cook X in Y", "prepare meal", "eat X". X
    and Y are named as in the observations. What is not understood changes nothing.

    ## Observation Space
    What the game answers to the command: the room with its furniture, what lies there
    and the exits, where it is entered or looked at; else what was done.

    ## Rewards
    What the command adds to the best score so far: the share of what is to be done, of
    ingredients had, cut and cooked as they should be, the meal prepared and eaten.

    ## Episode End
    The episode terminates when the meal is eaten, and when an ingredient is spoiled
    for good: eaten, or cut or cooked otherwise than the recipe says.

    ## Arguments
    `split`: "train", "seen", "unseen" (other houses and recipes, of the same
    ingredients). `game_params`: numLocations (11), numDistractorItems (10),
    numIngredients (3), includeDoors (1), limitInventorySize (1), as in
    "numLocations=3,includeDoors=0".
    """

    name, agent = "cookingworld", "CookingWorldGoldAgent"


class CoinCollector(Express):
    """Find the coin in a house of many rooms, and take it.

    ## Description
    Somewhere in a house there is a coin. The agent walks from room to room, opens doors
    that are in the way, and takes the coin.

    ## Action Space
    A command: "look around", "inventory", "move north" (or south, east, west), "open
    door to north", "close door to north", "take coin". What is not understood changes
    nothing.

    ## Observation Space
    What the game answers to the command: the room with its furniture, what lies there
    and the exits, where it is entered or looked at; else what was done.

    ## Rewards
    1 for taking the coin.

    ## Episode End
    The episode terminates when the coin is taken.

    ## Arguments
    `split`: "train", "seen", "unseen" (all differ in their seeds only). `game_params`:
    numLocations (11), numDistractorItems (0), includeDoors (1), limitInventorySize
    (1), as in "numLocations=5,includeDoors=0".
    """

    name, agent = "coin", "CoinGoldAgent"


class MapReader(Express):
    """Fetch a coin from a named room and put it into a box in another.

    ## Description
    The agent has a map, which says which rooms are connected. It finds the way to the
    room that the task names, takes the coin there, goes back and puts it into the box.

    ## Action Space
    A command: "look around", "inventory", "task" (tells the task again), "read map",
    "move north" (or south, east, west), "take X", "put X in box". What is not
    understood changes nothing.

    ## Observation Space
    What the game answers to the command: the room, what lies there and the exits, where
    it is entered or looked at; the map; else what was done.

    ## Rewards
    0.5 for taking the coin the first time, 0.5 for putting it into the box.

    ## Episode End
    The episode terminates when the coin is in the box.

    ## Arguments
    `split`: "train", "seen", "unseen" (all differ in their seeds only). `game_params`:
    numLocations (15), maxDistanceApart (4), maxDistractorItemsPerLocation (3),
    includeDoors (0), limitInventorySize (0), as in "numLocations=6".
    """

    name, agent = "mapreader", "MapReaderGoldAgent"
