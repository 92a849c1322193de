"""What CWMB-S draws: the constants of each of its tasks, and their ranges.

A range is about half to twice the original's value where the task bears it, and never
nearer to it than `cwm.suites.constants.MARGIN`. The test of "bears it" is cheap: what
a hand-written controller needs to reach the goal (`is_solvable`, and the tests).
"""

import math
from collections.abc import Callable
from typing import Any

from cwm.suites.constants import Constant, Drawn, times
from envs.grids import TeleportGrid, can_terminate

MAX_LAYOUT = 1_000_000


def _argument(
    name: str, low: float, high: float, original: float | None, path: str | None = None
) -> Constant:
    return Constant(
        name=name,
        low=low,
        high=high,
        original=original,
        target="argument",
        distribution="uniform" if low < 0 else "log",
        paths=(path,) if path else None,
    )


def _whole(name: str, low: int, high: int, original: int | None) -> Constant:
    return Constant(
        name=name,
        low=low,
        high=high,
        original=original,
        target="argument",
        distribution="integer",
    )


def _factor(name: str, low: float, high: float, *paths: str) -> Constant:
    return Constant(
        name=name,
        low=low,
        high=high,
        original=1.0,
        paths=tuple(f"model.{path}" for path in paths),
        form=times,
    )


def _pole_factors(value: float) -> Any:
    """Returns a change of the third body only: world, cart, pole."""
    return times([1.0, 1.0, value])


_GRAVITY = ("opt.gravity",)
_MASS = ("body_mass", "body_inertia")
_GEAR = ("actuator_gear",)
_DAMPING = ("dof_damping",)
_FRICTION = ("geom_friction",)

_LAYOUT = _whole("layout_seed", 1, MAX_LAYOUT, None)
_STEP_REWARD = _argument("step_reward", -2.5, -0.3, -1.0)

CONSTANTS: dict[str, tuple[Constant, ...]] = {
    "Blackjack-S": (
        _whole("dealer_stands_at", 15, 20, 17),
        _whole("limit", 20, 25, 21),
        _whole("num_tens", 1, 8, 4),
        _argument("win_reward", 0.5, 2.0, 1.0),
        _argument("loss_reward", -2.0, -0.5, -1.0),
        _argument("tie_reward", -0.4, -0.1, 0.0),
    ),
    "CliffWalking-S": (
        _whole("num_rows", 3, 7, 4),
        _whole("num_columns", 6, 16, 12),
        _STEP_REWARD,
        _argument("cliff_reward", -180.0, -30.0, -100.0),
    ),
    "Taxi-S": (
        _whole("num_rows", 3, 6, 5),
        _whole("num_columns", 3, 6, 5),
        _whole("num_locations", 2, 5, 4),
        _whole("num_walls", 1, 4, None),
        _LAYOUT,
        _STEP_REWARD,
        _argument("illegal_reward", -25.0, -4.0, -10.0),
        _argument("delivery_reward", 8.0, 50.0, 20.0),
    ),
    "Teleport-S": (
        _whole("num_rows", 4, 8, 6),
        _whole("num_columns", 4, 8, 6),
        _whole("num_walls", 2, 8, 6),
        _whole("num_teleports", 1, 3, 2),
        _LAYOUT,
        _STEP_REWARD,
        _argument("goal_reward", 4.0, 25.0, 10.0),
    ),
    "CartPole-S": (
        Constant(name="gravity", low=5.0, high=16.0, original=9.8),
        Constant(name="masscart", low=0.5, high=2.0, original=1.0),
        Constant(name="masspole", low=0.05, high=0.4, original=0.1),
        Constant(name="length", low=0.3, high=1.0, original=0.5),
        Constant(name="force_mag", low=6.0, high=16.0, original=10.0),
        Constant(name="tau", low=0.012, high=0.028, original=0.02),
        Constant(name="x_threshold", low=1.6, high=3.6, original=2.4),
        Constant(
            name="theta_threshold_radians",
            low=0.14,
            high=0.32,
            original=12 * 2 * math.pi / 360,
        ),
    ),
    "MountainCar-S": (
        Constant(name="force", low=0.0007, high=0.0016, original=0.001),
        Constant(name="gravity", low=0.0017, high=0.0035, original=0.0025),
        Constant(name="max_speed", low=0.045, high=0.1, original=0.07),
        Constant(name="goal_position", low=0.35, high=0.58, original=0.5, margin=0.08),
    ),
    "Acrobot-S": (
        Constant(name="dt", low=0.14, high=0.26, original=0.2),
        Constant(name="LINK_LENGTH_1", low=0.7, high=1.4, original=1.0),
        Constant(name="LINK_MASS_1", low=0.6, high=1.5, original=1.0),
        Constant(name="LINK_MASS_2", low=0.6, high=1.5, original=1.0),
        Constant(name="LINK_COM_POS_1", low=0.35, high=0.65, original=0.5),
        Constant(name="LINK_COM_POS_2", low=0.35, high=0.65, original=0.5),
        Constant(name="LINK_MOI", low=0.6, high=1.5, original=1.0),
        Constant(
            name="torque",
            low=0.8,
            high=1.8,
            original=1.0,
            paths=("AVAIL_TORQUE",),
            form=lambda value: [-value, 0.0, value],
        ),
    ),
    "Pendulum-S": (
        Constant(name="g", low=5.0, high=15.0, original=10.0),
        Constant(name="m", low=0.6, high=1.6, original=1.0),
        Constant(name="l", low=0.7, high=1.5, original=1.0),
        Constant(name="dt", low=0.035, high=0.07, original=0.05),
        Constant(name="max_speed", low=6.0, high=12.0, original=8.0),
        Constant(name="max_torque", low=1.2, high=4.0, original=2.0),
    ),
    "Reacher-S": (
        _factor("gear", 0.5, 1.6, *_GEAR),
        _factor("damping", 0.5, 2.0, *_DAMPING),
        _factor("time step", 0.7, 1.4, "opt.timestep"),
        _argument("distance weight", 0.5, 2.0, 1.0, "reward_dist_weight"),
        _argument("control weight", 0.3, 2.5, 1.0, "reward_control_weight"),
    ),
    "Pusher-S": (
        _factor("gear", 0.6, 1.7, *_GEAR),
        _factor("damping", 0.6, 1.8, *_DAMPING),
        _argument("near weight", 0.2, 1.2, 0.5, "reward_near_weight"),
        _argument("distance weight", 0.5, 2.0, 1.0, "reward_dist_weight"),
        _argument("control weight", 0.04, 0.25, 0.1, "reward_control_weight"),
    ),
    "InvertedPendulum-S": (
        _factor("gravity", 0.5, 1.6, *_GRAVITY),
        Constant(
            name="mass of the pole",
            low=0.4,
            high=2.0,
            original=1.0,
            paths=("model.body_mass", "model.body_inertia"),
            form=_pole_factors,
        ),
        _factor("gear", 0.6, 1.6, *_GEAR),
        _factor("damping", 0.4, 3.0, *_DAMPING),
        _factor("time step", 0.7, 1.3, "opt.timestep"),
    ),
    "InvertedDoublePendulum-S": (
        _factor("gravity", 0.5, 1.5, *_GRAVITY),
        _factor("gear", 0.6, 1.5, *_GEAR),
        _factor("damping", 0.4, 3.0, *_DAMPING),
        _argument("healthy reward", 5.0, 18.0, 10.0, "healthy_reward"),
    ),
    "HalfCheetah-S": (
        _factor("gravity", 0.6, 1.4, *_GRAVITY),
        _factor("gear", 0.6, 1.4, *_GEAR),
        _factor("friction", 0.5, 1.8, *_FRICTION),
        _factor("joint stiffness", 0.5, 1.6, "jnt_stiffness"),
        _argument("forward weight", 0.5, 2.0, 1.0, "forward_reward_weight"),
        _argument("control weight", 0.03, 0.3, 0.1, "ctrl_cost_weight"),
    ),
    "Hopper-S": (
        _factor("gravity", 0.6, 1.25, *_GRAVITY),
        _factor("mass", 0.6, 1.4, *_MASS),
        _factor("gear", 0.75, 1.5, *_GEAR),
        _factor("friction", 0.6, 1.6, *_FRICTION),
        _argument("forward weight", 0.5, 2.0, 1.0, "forward_reward_weight"),
        _argument("healthy reward", 0.5, 2.0, 1.0, "healthy_reward"),
    ),
    "Swimmer-S": (
        _factor("viscosity", 0.3, 3.0, "opt.viscosity"),
        _factor("density", 0.5, 1.8, "opt.density"),
        _factor("gear", 0.5, 1.6, *_GEAR),
        _argument("forward weight", 0.5, 2.0, 1.0, "forward_reward_weight"),
        _argument("control weight", 5e-5, 1e-3, 1e-4, "ctrl_cost_weight"),
    ),
    "Walker2d-S": (
        _factor("gravity", 0.6, 1.25, *_GRAVITY),
        _factor("mass", 0.6, 1.4, *_MASS),
        _factor("gear", 0.75, 1.5, *_GEAR),
        _factor("friction", 0.6, 1.6, *_FRICTION),
        _argument("forward weight", 0.5, 2.0, 1.0, "forward_reward_weight"),
        _argument("healthy reward", 0.5, 2.0, 1.0, "healthy_reward"),
    ),
    "Ant-S": (
        _factor("gravity", 0.6, 1.4, *_GRAVITY),
        _factor("gear", 0.6, 1.4, *_GEAR),
        _factor("damping", 0.5, 2.0, *_DAMPING),
        _argument("forward weight", 0.5, 2.0, 1.0, "forward_reward_weight"),
        _argument("control weight", 0.15, 1.0, 0.5, "ctrl_cost_weight"),
        _argument("healthy reward", 0.5, 2.0, 1.0, "healthy_reward"),
    ),
    "Humanoid-S": (
        _factor("gravity", 0.6, 1.3, *_GRAVITY),
        _factor("gear", 0.7, 1.5, *_GEAR),
        _factor("damping", 0.5, 2.0, *_DAMPING),
        _argument("forward weight", 0.6, 2.5, 1.25, "forward_reward_weight"),
        _argument("control weight", 0.03, 0.3, 0.1, "ctrl_cost_weight"),
        _argument("healthy reward", 2.5, 9.0, 5.0, "healthy_reward"),
    ),
    "HumanoidStandup-S": (
        _factor("gravity", 0.6, 1.3, *_GRAVITY),
        _factor("gear", 0.7, 1.5, *_GEAR),
        _factor("damping", 0.5, 2.0, *_DAMPING),
        _argument("control weight", 0.03, 0.3, 0.1, "ctrl_cost_weight"),
    ),
}
"""Task -> what is drawn for it; factors multiply the original's value."""


def car_arrives(drawn: Drawn) -> bool:
    """Returns whether a car that is pushed the way it moves arrives in time.

    That is within `CAR_STEPS` steps from the ends and the middle of the range that
    episodes start in.
    """
    return all(_car_arrives_from(start, drawn) for start in (-0.6, -0.5, -0.4))


CAR_STEPS = 150
"""Of the 200 that an episode lasts."""


def _car_arrives_from(position: float, drawn: Drawn) -> bool:
    velocity, limit = 0.0, drawn["max_speed"]
    for _ in range(CAR_STEPS):
        push = drawn["force"] if velocity >= 0 else -drawn["force"]
        velocity += push - math.cos(3 * position) * drawn["gravity"]
        velocity = min(max(velocity, -limit), limit)
        position = max(position + velocity, -1.2)
        if position >= drawn["goal_position"]:
            return True
        if position == -1.2:
            velocity = max(velocity, 0.0)
    return False


def pendulum_can_rise(drawn: Drawn) -> bool:
    """Returns whether the speed limit and the torque let a rod swing up.

    From hanging to standing takes the speed `sqrt(6 g / l)` at the bottom. The torque
    is not less than 0.3 of what would hold the rod level: with the original's 0.4 it
    takes two swings.
    """
    g, mass, length = drawn["g"], drawn["m"], drawn["l"]
    is_fast = drawn["max_speed"] >= 1.02 * math.sqrt(6 * g / length)
    return is_fast and drawn["max_torque"] >= 0.3 * mass * g * length / 2


def maze_can_end(drawn: Drawn) -> bool:
    """Returns whether the goal can be reached from all starts, with the key."""
    whole = ("num_rows", "num_columns", "num_walls", "num_teleports", "layout_seed")
    try:
        maze = TeleportGrid(*(int(drawn[name]) for name in whole))
    except ValueError:
        # Too many walls and teleports for the room.
        return False
    return can_terminate(maze)


def dealer_can_lose(drawn: Drawn) -> bool:
    """Returns whether the dealer neither always stands nor always overdraws."""
    return 2 <= drawn["limit"] - drawn["dealer_stands_at"] <= 7


SOLVABLE: dict[str, Callable[[Drawn], bool]] = {
    "Blackjack-S": dealer_can_lose,
    "MountainCar-S": car_arrives,
    "Pendulum-S": pendulum_can_rise,
    "Teleport-S": maze_can_end,
}
"""Task -> what must hold for constants together; they are drawn again until it does."""
