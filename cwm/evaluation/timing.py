"""How many steps of a model fit into the time of a decision."""

import math
from dataclasses import replace

from cwm.core.errors import DataError
from cwm.core.seeding import child_seed
from cwm.evaluation.setups import Setup, open_actor

FIRST_TRIAL_STEPS = 256
"""Model steps of the first decision that is timed."""

TRIAL_FACTOR = 8
MAX_TRIAL_STEPS = 10_000_000

ENOUGH_OF_BUDGET = 0.25
"""Share of the time of a decision after which its speed is taken as known."""


def within_seconds(setup: Setup, seconds: float) -> tuple[Setup, str]:
    """Returns a setup whose decisions take about a given time, and how it was found.

    Decisions are timed with more and more model steps; their speed sets the budget,
    which is the same for all decisions. So a run can be repeated with the budget that
    is reported, on any machine.

    Raises:
        DataError: If the model does not even make one decision.
    """
    limit, rate, found = FIRST_TRIAL_STEPS, 0.0, 0
    while True:
        trial = replace(setup, planner=replace(setup.planner, model_steps=limit))
        with open_actor(trial) as actor:
            actor.try_decision(child_seed(setup.seed, "timing", 0))  # Warms up.
            decision = actor.try_decision(child_seed(setup.seed, "timing", 1))
        if decision.plan is None:
            if rate:
                break  # Too long for the limits of a program; slower is known.
            raise DataError(
                f"{setup.name} must make a decision to be timed, but: "
                f"{decision.failure}"
            )
        used = decision.plan.num_model_steps
        rate = used / max(decision.seconds, 1e-9)
        is_fixed = used <= found
        found = used
        is_enough = decision.seconds >= ENOUGH_OF_BUDGET * seconds
        if is_enough or is_fixed or limit >= MAX_TRIAL_STEPS:
            break
        limit *= TRIAL_FACTOR
    budget = max(1, math.floor(rate * seconds))
    line = (
        f"{rate:,.0f} model steps a second; {budget:,} model steps a decision of "
        f"{seconds:g} s (--model-steps {budget} repeats this)"
    )
    return replace(setup, planner=replace(setup.planner, model_steps=budget)), line
