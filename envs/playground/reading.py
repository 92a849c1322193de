"""What there is in a Playground of which all is observed, read off its numbers."""

from typing import Any

from envs.playground.env import SymbolicPlayground
from envs.playground.rules import GONE, GROUND, HELD, MAX_HELD, NUM_SLOTS, UNDER, Scene
from envs.playground.things import TYPES
from envs.spec import EnvSpec


def check_readable(spec: EnvSpec) -> None:
    """Makes sure that scenes can be read off the observations of an environment.

    Raises:
        ValueError: If it is no Playground of which all is observed.
    """
    made = spec.make()
    made.close()
    if not isinstance(made.unwrapped, SymbolicPlayground):
        raise ValueError(
            "Scenes are read off the Playground of which all is observed "
            f"(cwm/PlaygroundSymbolic-v0), got {spec.id!r}."
        )


def scene_of(observation: Any) -> Scene:
    """Returns the scene that `cwm/PlaygroundSymbolic-v0` shows.

    Models may predict what cannot be. Then the first object under the agent is there
    and others lie about, the first two that are held are and others are gone, and a
    type that there is not is the nearest.
    """
    numbers = [int(number) for number in observation[: 3 * NUM_SLOTS]]
    types, grown, places = numbers[::3], numbers[1::3], numbers[2::3]
    kinds = [min(max(one, 1), len(TYPES)) for one in types]
    things = tuple(2 * t - 2 + g for t, g in zip(kinds, grown, strict=True))
    left = {UNDER: 1, HELD: MAX_HELD}
    instead = {UNDER: GROUND, HELD: GONE}
    possible = []
    for place in places:
        if place in left and not left[place]:
            possible.append(instead[place])
            continue
        if place in left:
            left[place] -= 1
        possible.append(place)
    return Scene(things, tuple(possible))
