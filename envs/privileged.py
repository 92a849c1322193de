"""MuJoCo tasks whose observation is the whole state, marked as privileged.

The ordinary observations of these tasks hide or round what the next step needs. Here
each step is worked out from the observation alone, so that the true simulator can go
on from any of them, to the last bit.
"""

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium import error, spaces
from numpy.typing import NDArray

from envs.spec import LEFT_OUT_SECTIONS, drop_sections

State: TypeAlias = NDArray[np.float64]
"""Joint positions, joint velocities, and for some what lags behind."""


def _torso(simulation: Any) -> NDArray[np.float64]:
    """Returns a view of where the main body is along the x axis, `[1]`."""
    found: NDArray[np.float64] = simulation.data.body(simulation._main_body).xpos[:1]
    return found


def _centres(simulation: Any) -> NDArray[np.float64]:
    """Returns a view of where all bodies are along the x axis, `[B]`."""
    found: NDArray[np.float64] = simulation.data.xipos[:, 0]
    return found


def _mean(positions: NDArray[np.float64], simulation: Any) -> float:
    masses = simulation.model.body_mass
    return float(positions @ masses / masses.sum())


def _first(positions: NDArray[np.float64], simulation: Any) -> float:
    return float(positions[0])


Lagging: TypeAlias = tuple[
    Callable[[Any], NDArray[np.float64]],
    Callable[[NDArray[np.float64], Any], float],
    str,
]

LAGGING: dict[str, Lagging] = {
    "Ant": (_torso, _first, "the torso"),
    "Humanoid": (_centres, _mean, "the centre of mass"),
}
"""Task -> a view of the positions that its next reward starts from, the number that
stands for them, and what that is.

MuJoCo computes positions of bodies from the joints' at the beginning of a substep, so
that after a step they lag one substep behind; the next reward is the way from there.
"""

HIDDEN: dict[str, str] = {
    "InvertedDoublePendulum": "velocities beyond a limit",
    "Reacher": "whether the elbow has turned beyond its stop, past half a turn",
    "Pusher": "the object's velocity and its position after the last substep",
    "Hopper": "velocities beyond a limit",
    "Walker2d": "velocities beyond a limit",
    "Ant": "the position that the next reward is counted from",
    "Humanoid": "the position that the next reward is counted from",
    "HumanoidStandup": "where the solver of contact forces begins",
}
"""Task -> what its ordinary observation does not show, and the next step needs.

The others hide nothing but the place along axes that nothing depends on.
"""

VERSION = "v5"

EPISODE_STEPS = {"Reacher": 50, "Pusher": 100}
"""Time limits that are not the usual 1,000 steps."""

TEXT = """
## Description
PRIVILEGED: the observation is the whole state of the simulator, for diagnosis. Results
are not comparable with those of the ordinary task, {task}-{version}, which hides
{hidden}.

## Observation Space
The positions of all joints, {num_positions} numbers in the order of MuJoCo's `qpos`
(places and angles; a free joint has a place of 3 and a quaternion of 4), then their
velocities, {num_velocities} numbers in the order of `qvel`, without any limit.{lagging}

The next observation, the reward and the end of the episode follow from observation and
action alone.
"""

LAGGING_TEXT = """ The last
number is the x coordinate of {what} as it was one substep before: the reward for
moving forward is the way from there to where it is one substep before the next
observation, divided by the duration of a step."""


class PrivilegedMujoco(gymnasium.Env[State, Any]):
    """A MuJoCo task of Gymnasium whose observation is the state of the simulator.

    Each step begins from `state`, the observation, and from nothing else; the solver
    of contact forces starts cold.

    Attributes:
        simulation: The ordinary environment, without wrappers.
        state: The present observation; another one may be set.
        documentation: What a proposer is told in place of the class documentation.
    """

    metadata = {  # noqa: RUF012 - Gymnasium declares it as the instance's
        "render_modes": ["human", "rgb_array", "depth_array", "rgbd_tuple"],
    }

    def __init__(
        self, task: str, render_mode: str | None = None, **kwargs: Any
    ) -> None:
        if task not in HIDDEN:
            raise ValueError(f"task must be one of {', '.join(HIDDEN)}, got {task!r}.")
        env_id = f"{task}-{VERSION}"
        made: Any = gymnasium.make(
            env_id, disable_env_checker=True, render_mode=render_mode, **kwargs
        )
        self.simulation: Any = made.unwrapped
        self.render_mode = render_mode
        self.metadata = self.simulation.metadata
        self._lagging = LAGGING.get(task)
        self._num_positions = int(self.simulation.model.nq)
        self._num_velocities = int(self.simulation.model.nv)
        self.action_space = self.simulation.action_space
        size = self._num_positions + self._num_velocities + bool(self._lagging)
        self.observation_space = spaces.Box(
            low=-np.inf, high=np.inf, shape=(size,), dtype=np.float64
        )
        self.state: State = np.empty(0)
        self.documentation = self._documentation(task)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[State, dict[str, Any]]:
        """Starts an episode as the ordinary task does."""
        super().reset(seed=seed)
        self.simulation.reset(seed=seed, options=options)
        self.state = self._read()
        return self.state.copy(), {}

    def step(self, action: Any) -> tuple[State, float, bool, bool, dict[str, Any]]:
        """Moves on from `state` as the ordinary task does.

        Raises:
            ResetNeeded: If no episode was started.
        """
        if not self.state.size:
            raise error.ResetNeeded("There is no state: reset the environment.")
        self._write(self.state)
        _, reward, terminated, truncated, _ = self.simulation.step(action)
        self.state = self._read()
        return self.state.copy(), float(reward), bool(terminated), bool(truncated), {}

    def render(self) -> Any:
        """Draws the simulator as it is after the last step."""
        return self.simulation.render()

    def close(self) -> None:
        """Closes the ordinary environment."""
        self.simulation.close()

    def _read(self) -> State:
        data = self.simulation.data
        parts = [data.qpos, data.qvel]
        if self._lagging:
            view, number, _ = self._lagging
            parts.append(np.array([number(view(self.simulation), self.simulation)]))
        return np.concatenate(parts)

    def _write(self, state: State) -> None:
        data = self.simulation.data
        split = self._num_positions + self._num_velocities
        data.qpos[:] = state[: self._num_positions]
        data.qvel[:] = state[self._num_positions : split]
        # What it starts from is a matter of at most 1e-5, but would be hidden.
        data.qacc_warmstart[:] = 0
        if self._lagging:
            self._lagging[0](self.simulation)[:] = state[split]

    def _documentation(self, task: str) -> str:
        lagging = LAGGING_TEXT.format(what=self._lagging[2]) if self._lagging else ""
        told = TEXT.format(
            task=task,
            version=VERSION,
            hidden=HIDDEN[task],
            num_positions=self._num_positions,
            num_velocities=self._num_velocities,
            lagging=lagging,
        )
        ordinary = type(self.simulation).__doc__ or ""
        left_out = (*LEFT_OUT_SECTIONS, "observation space")
        ordinary = drop_sections(inspect.cleandoc(ordinary), left_out)
        return f"{told.strip()}\n\nThe ordinary task:\n\n{ordinary}"
