"""A text game without any package: bring a thing from one place to another.

`tests.support.tidy:Tidy-v0` names it on the command line.
"""

from typing import Any

import gymnasium

from envs.text_games.base import Split, TextGame, Told

PLACES = ("shelf", "table", "bed", "desk")
THINGS: dict[Split, tuple[str, ...]] = {
    "train": ("cup", "book", "lamp", "coat"),
    "seen": ("cup", "book", "lamp", "coat"),
    "unseen": ("hat", "pen"),
}
NUM_GAMES = {"train": 24, "seen": 24, "unseen": 12}


class Tidy(TextGame):
    """Bring a thing to its place.

    Games differ in the thing, where it lies and where it belongs; train and seen have
    the same things, lying elsewhere.
    """

    def __init__(self, *, split: Split = "train") -> None:
        super().__init__(split=split)
        self.at = self.thing = self.lies = self.belongs = ""
        self.holds = False

    @property
    def num_games(self) -> int:
        """Games of the split."""
        return NUM_GAMES[self.split]

    def legal_actions(self) -> tuple[str, ...]:
        """Returns the commands that the game understands now."""
        if self.is_over:
            return ()
        found = [f"go to {place}" for place in PLACES if place != self.at]
        if self.holds:
            found.append(f"put {self.thing} on {self.at}")
        elif self.at == self.lies:
            found.append(f"take {self.thing} from {self.at}")
        return tuple(sorted(found))

    def expert_actions(self) -> tuple[str, ...]:
        """Returns the shortest way to win."""
        return (
            f"go to {self.lies}",
            f"take {self.thing} from {self.lies}",
            f"go to {self.belongs}",
            f"put {self.thing} on {self.belongs}",
        )

    def _begin(self, game: int) -> str:
        things = THINGS[self.split]
        pairs = [(a, b) for a in PLACES[1:] for b in PLACES[1:] if a != b]
        # Half of the ways are kept for the games that nothing is learned from.
        ways = {"train": pairs[:3], "seen": pairs[3:], "unseen": pairs}[self.split]
        self.thing = things[game % len(things)]
        self.lies, self.belongs = ways[game // len(things) % len(ways)]
        self.at, self.holds = PLACES[0], False
        self.task = "tidy"
        self.instruction = f"Put the {self.thing} on the {self.belongs}."
        return f"You are at the {self.at}. There are: {', '.join(PLACES)}."

    def _do(self, command: str) -> Told:
        if command not in self.legal_actions():
            return Told("Nothing happens.", float(self.holds) / 2, is_legal=False)
        verb, *_, place = command.split()
        if verb == "go":
            self.at = place
            seen = f"a {self.thing}" if self.at == self.lies and not self.holds else ""
            return Told(
                f"You arrive at the {place}. You see {seen or 'nothing'}.",
                float(self.holds) / 2,
            )
        if verb == "take":
            self.holds = True
            return Told(f"You take the {self.thing} from the {place}.", 0.5)
        self.holds, self.lies = False, place
        won = place == self.belongs
        text = f"You put the {self.thing} on the {place}."
        return Told(text, 1.0 if won else 0.0, has_won=won)


def register() -> None:
    """Makes the game known to Gymnasium, once."""
    if "Tidy-v0" not in gymnasium.registry:
        entry: Any = Tidy
        gymnasium.register("Tidy-v0", entry_point=entry, max_episode_steps=12)


register()
