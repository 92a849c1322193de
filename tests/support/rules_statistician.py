"""A statistician that knows the rules of the Playground."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from cwm.core.protocols import FloatArray
from cwm.providers.hypotheses.texts import TextTransition
from envs.playground.applying import say_action, shown_actions
from envs.playground.rules import GROUND, HELD, UNDER, Scene, take
from envs.playground.texts import read, tell_change
from envs.playground.things import THINGS

UNLIKELY = -50.0


def scene_of(text: str) -> Scene:
    """Returns a scene with this text; objects that are held come last."""
    shown = read(text)
    names = (*shown.visible, *shown.items)
    places = [GROUND] * len(shown.visible) + [HELD] * len(shown.items)
    if shown.under is not None:
        places[shown.visible.index(shown.under)] = UNDER
    return Scene(tuple(THINGS[name] for name in names), tuple(places))


@cache
def true_change(text: str, said: str) -> str:
    """Returns what comes of an action, by the rules."""
    number = next(a for a in shown_actions(text) if say_action(text, a) == said)
    return tell_change(take(scene_of(text), number))


class RulesStatistician:
    """Gives 0 to the true change and -50 to all others, whatever the hypothesis."""

    name = "rules"
    is_stand_in = True

    def log_probs(
        self, hypothesis: str | None, transitions: Sequence[TextTransition]
    ) -> FloatArray:
        truths = (true_change(one.state, one.action) for one in transitions)
        return np.array(
            [
                0.0 if one.change == truth else UNLIKELY
                for one, truth in zip(transitions, truths, strict=True)
            ]
        )
