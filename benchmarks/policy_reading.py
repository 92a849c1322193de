"""Does the goal decide what an agent does, or does it go to whatever it sees?

Two answers for levels of going to a thing, from moments that the bot comes through:

    turns     of the moments in which one thing is told level with the agent on its left
              and another on its right: the goal names the one, then the other. How
              often the turn towards it is the likelier of the two turns; 0.5 for an
              agent that does not read the goal.
    bot       how often the bot's action is the most probable one, by where the thing
              that the goal names is told: ahead, aside (and ahead), level (on the left
              or right, where the agent has to turn), absent, or several.

`turns` needs no bot, which knows the true grid and so what an agent is not told.

    python -m benchmarks.policy_reading runs/agent runs/clone
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import tyro
from numpy.typing import NDArray

from benchmarks.recording import append_record
from cwm.agents.training import read_policy
from cwm.llm.local.packages import LazyPackage
from cwm.providers.policies.learning.cloning import (
    Demonstration,
    collect_demonstrations,
)
from cwm.providers.policies.networks.base import PolicyNetwork
from cwm.providers.policies.views import View

torch = LazyPackage("torch")

PLACES = ("ahead", "aside", "level", "absent", "several")

_LEFT, _RIGHT = 0, 1
"""Actions, as BabyAI numbers them."""

_AT_ONCE = 128
_THING = re.compile(
    r"You see a (?P<name>\w+ \w+) \d steps? (?P<side>left|right)?(?P<ahead>.*)"
)
_GOAL = re.compile(r"go to (?:the|a) (\w+ \w+)")


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        runs: Folders of runs of cwm.ppo train.
        level: Where the bot plays; missions must be to go to a thing.
        episodes: That it plays.
        seed: Of the episodes.
        output: File that one line is appended to; none if it is empty.
    """

    runs: Annotated[tuple[str, ...], tyro.conf.Positional]
    level: str = "GoToLocal"
    episodes: int = 500
    seed: int = 991
    output: str = str(Path(__file__).parent / "results" / "policy_reading.jsonl")


class Thing(NamedTuple):
    """What a sentence tells of a thing.

    Attributes:
        name: Colour and kind.
        side: left, right, or nothing if it is straight ahead.
        is_level: Whether it is no step ahead.
    """

    name: str
    side: str
    is_level: bool


def things_told(sentences: Sequence[str]) -> list[Thing]:
    """Returns the things of an observation; walls and doors are none."""
    found = [_THING.fullmatch(sentence) for sentence in sentences]
    return [
        Thing(one["name"], one["side"] or "", bool(one["side"]) and not one["ahead"])
        for one in found
        if one
    ]


def place_of_goal(view: View) -> str:
    """Returns where the thing that the goal names is told, one of `PLACES`.

    Raises:
        ValueError: If the goal is not to go to a thing.
    """
    goal = _GOAL.fullmatch(view.goal)
    if goal is None:
        raise ValueError(f"The goal must be to go to a thing, got {view.goal!r}.")
    told = things_told(view.history.observations[-1])
    named = [thing for thing in told if thing.name == goal[1]]
    if len(named) != 1:
        return "several" if named else "absent"
    if named[0].is_level:
        return "level"
    return "aside" if named[0].side else "ahead"


def opposite_goals(view: View) -> tuple[View, View] | None:
    """Returns the moment with a goal on the left, and with one on the right.

    Returns:
        `None` unless there is a thing of its own name level with the agent on either
        side.
    """
    told = things_told(view.history.observations[-1])
    names = [thing.name for thing in told]
    both = []
    for side in ("left", "right"):
        fit = [
            thing.name
            for thing in told
            if thing.side == side and thing.is_level and names.count(thing.name) == 1
        ]
        if not fit:
            return None
        both.append(replace(view, goal=f"go to the {fit[0]}"))
    return both[0], both[1]


def log_probs(network: PolicyNetwork, views: Sequence[View]) -> NDArray[np.float64]:
    """Returns what a network says of views, `[N, A]`."""
    with torch.inference_mode():
        parts = [
            network.evaluate(views[start : start + _AT_ONCE]).log_probs.double()
            for start in range(0, len(views), _AT_ONCE)
        ]
    return np.asarray(torch.cat(parts).cpu().numpy())


def turns(network: PolicyNetwork, views: Sequence[View]) -> list[bool]:
    """Returns, for every goal on either side, whether the turn to it is likelier."""
    pairs = [pair for view in views if (pair := opposite_goals(view)) is not None]
    if not pairs:
        return []
    said = log_probs(network, [view for pair in pairs for view in pair])
    goes_left = said[:, _LEFT] > said[:, _RIGHT]
    is_left = np.arange(len(said)) % 2 == 0
    return [bool(one) for one in goes_left == is_left]


def agreements(
    network: PolicyNetwork, shown: Sequence[Demonstration]
) -> dict[str, list[bool]]:
    """Returns, by where the goal is told, whether the bot's action is the likeliest."""
    likeliest = log_probs(network, [one.view for one in shown]).argmax(axis=1)
    found: dict[str, list[bool]] = {place: [] for place in PLACES}
    for one, action in zip(shown, likeliest, strict=True):
        found[place_of_goal(one.view)].append(bool(one.action == action))
    return found


def measure(run: str, config: BenchmarkConfig) -> dict[str, list[bool]]:
    """Returns what counts and what does not, by the name of the figure."""
    policy = read_policy(Path(run))
    assert policy.network.window is not None, "complete fills it in"
    shown = collect_demonstrations(
        f"cwm/BabyAI-{config.level}-v0",
        num_episodes=config.episodes,
        seed=config.seed,
        window=policy.network.window,
        images=policy.made.network.needs_images,
    )
    network = policy.made.network
    agreed = {f"bot, {k}": v for k, v in agreements(network, shown).items()}
    return {"turns": turns(network, [one.view for one in shown])} | agreed


def main(config: BenchmarkConfig) -> None:
    """Measures, shows and records."""
    figures: dict[str, list[float]] = {}
    for run in config.runs:
        print(f"{run}, {config.level}")
        for name, counted in measure(run, config).items():
            share = float(np.mean(counted)) if counted else float("nan")
            print(f"  {name:16}{share:8.3f}  of {len(counted):,}")
            figures[f"{Path(run).name}, {name}"] = [share, float(len(counted))]
    append_record("policy_reading", config, figures)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig))
