"""The Playground by names alone: slow, and written apart from `envs.playground`."""

from dataclasses import dataclass, replace

ANIMALS = {
    "small": ["pig", "cow", "sheep"],
    "big": ["elephant", "giraffe", "rhinoceros"],
}
PLANTS = ["carrot", "potato", "beet", "berry", "pea"]
BABIES = {size: [f"baby {name}" for name in names] for size, names in ANIMALS.items()}
NAMES = [
    *("water", *PLANTS, *(f"{plant} seed" for plant in PLANTS)),
    *(*ANIMALS["small"], *ANIMALS["big"], *BABIES["small"], *BABIES["big"]),
]


@dataclass(frozen=True)
class Thing:
    name: str
    place: str  # "ground", "held" or "gone"


@dataclass(frozen=True)
class World:
    things: tuple[Thing, ...]
    on: int | None

    def held(self) -> list[int]:
        return [i for i, thing in enumerate(self.things) if thing.place == "held"]

    def seen(self) -> list[int]:
        return [i for i, thing in enumerate(self.things) if thing.place == "ground"]

    def text(self) -> str:
        seen = [self.things[i].name for i in self.seen()]
        held = [self.things[i].name for i in self.held()]
        text = "You see " + ", ".join(f"the {name}" for name in seen) + ". "
        if not seen:
            text = "You see nothing. "
        if self.on is not None:
            text += f"You are next to the {self.things[self.on].name}. "
        if len(held) == 2:
            return (
                text + f"In your inventory, there are the {held[0]} and the {held[1]}."
            )
        what = f"the {held[0]}" if held else "nothing"
        return text + f"In your inventory, there is {what}."

    def actions(self) -> list[str]:
        """Returns the legal actions in words, in the published order."""
        held, found = self.held(), []
        if self.on is not None and len(held) < 2:
            found.append("Grasp")
        found += [f"Go to {self.things[i].name}" for i in self.seen()]
        if self.on is None:
            return found
        name = self.things[self.on].name
        items = [self.things[i].name for i in held]
        if name == "water":
            found += [f"Release {item}" for item in items if item.endswith(" seed")]
        if name.endswith(" seed") and "water" in items:
            found.append("Release water")
        if name in PLANTS:
            found += [f"Release {item}" for item in items if item in BABIES["small"]]
        if name in BABIES["small"]:
            found += [f"Release {item}" for item in items if item in PLANTS]
        together = sorted([name, *items], key=lambda one: one in BABIES["big"])
        if len(together) == 3 and together[2] in BABIES["big"]:
            found += ["Release all"] * (set(together[:2]) <= set(PLANTS))
        return found

    def after(self, action: str) -> tuple["World", str, str]:
        """Returns the world after a legal action, its type, and the change told."""
        if action.startswith("Go to "):
            wanted = action.removeprefix("Go to ")
            names = [(i, self.things[i].name) for i in self.seen()]
            on = next(i for i, name in names if name.startswith(wanted))
            return (
                replace(self, on=on),
                "standing",
                f"You are standing on the {wanted}.",
            )
        assert self.on is not None
        on_name, held = self.things[self.on].name, self.held()
        if action == "Grasp":
            old = [self.things[i].name for i in held]
            world = World(self.changed({self.on: Thing(on_name, "held")}), None)
            if old:
                told = f"there are the {old[0]} and the {on_name}."
                return world, "holding2", f"In your inventory, {told}"
            return world, "holding1", f"In your inventory, there is the {on_name}."
        given = held
        if action != "Release all":
            item = action.removeprefix("Release ")
            given = [next(i for i in held if self.things[i].name == item)]
        both = [self.on, *given]
        growing = next(i for i in both if self.things[i].name in self.children())
        new = self.things[growing].name.removeprefix("baby ").removesuffix(" seed")
        changes = {i: Thing(self.things[i].name, "gone") for i in both}
        world = World(self.changed(changes | {growing: Thing(new, "ground")}), growing)
        kind = "SH" if new in ANIMALS["small"] else "BH"
        kind = "P" if new in PLANTS else kind
        return world, f"transform{kind}", f"The objects transform into the {new}."

    @staticmethod
    def children() -> list[str]:
        return [name for name in NAMES if name.startswith("baby") or " seed" in name]

    def changed(self, changes: dict[int, Thing]) -> tuple[Thing, ...]:
        return tuple(changes.get(i, thing) for i, thing in enumerate(self.things))
