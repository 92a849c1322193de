"""Pictures of an environment, also of states that only an observation tells of.

Covers: environments that Gymnasium draws as arrays; states that can be restored from
an observation (`envs.restart`). Does not cover: windows; what an environment draws
that its observation does not show, such as the last action.
"""

import signal
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

from cwm.core.errors import ConfigError, DataError, PrerequisiteError
from cwm.core.spaces import Value
from envs.failures import show_failure
from envs.registry import find
from envs.restart import Restarter
from envs.snapshots import is_mujoco
from envs.spaces import to_gymnasium, to_value
from envs.spec import Env, EnvSpec

Picture: TypeAlias = NDArray[np.uint8]
"""`[height, width, 3]`, red, green and blue."""

USUAL_FPS = 30

INSTALL_LINE = "pip install 'gymnasium[classic-control,toy-text]'"


class RenderedEnv:
    """An instance of an environment that draws itself; close it.

    Attributes:
        env: The instance.
        frames_per_second: How fast its pictures are meant to be shown.

    Args:
        spec: The environment.
        seed: Seed of every reset, so that what no observation tells, such as a goal,
            is alike in all instances.

    Raises:
        ConfigError: If it cannot be drawn.
        PrerequisiteError: If what it takes to draw it is missing here.
    """

    def __init__(self, spec: EnvSpec, seed: int) -> None:
        self._spec = spec
        self._seed = seed
        kwargs = {**spec.kwargs, "render_mode": "rgb_array"}
        try:
            drawn = find(spec.id, kwargs=kwargs, changes=spec.changes)
        except ConfigError as error:
            raise ConfigError(
                f"{spec.id!r} must have the render mode 'rgb_array' to be shown, but: "
                f"{error}"
            ) from error
        self.env: Env = drawn.make()
        fps = self.env.metadata.get("render_fps")
        self.frames_per_second = float(fps) if fps else float(USUAL_FPS)
        try:
            self._try_out()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes the instance."""
        self.env.close()

    def reset(self) -> Value:
        """Begins the episode; returns what it shows.

        Raises:
            DataError: If the environment raises.
        """
        observation, _ = self._asked(lambda: self.env.reset(seed=self._seed), "reset")
        return to_value(self._spec.observation_space, observation)

    def step(self, action: Value) -> Value:
        """Takes a step; returns what the environment shows then.

        Raises:
            DataError: If the environment raises.
        """
        real = to_gymnasium(self._spec.action_space, action)
        observation = self._asked(lambda: self.env.step(real), "step")[0]
        return to_value(self._spec.observation_space, observation)

    def picture(self) -> Picture:
        """Returns what the environment looks like now.

        Raises:
            DataError: If it cannot be drawn in this state.
        """
        drawn = np.array(self._asked(self.env.render, "draw itself"))
        if drawn.dtype != np.uint8 or drawn.ndim != 3 or drawn.shape[2] != 3:
            raise DataError(
                "An environment must draw bytes of shape [height, width, 3], got "
                f"{drawn.dtype} of shape {drawn.shape}."
            )
        return drawn

    def picture_of(self, restarter: Restarter, observation: Value) -> Picture:
        """Returns what the environment looks like where it shows an observation.

        Args:
            restarter: A way to put the environment into that state.
            observation: Of the environment's space; it may be impossible.

        Raises:
            DataError: If there is no such state, or it cannot be drawn.
        """
        if not _is_finite(observation):
            raise DataError("An observation must be finite to be drawn.")
        self.reset()
        self._asked(lambda: restarter.restart(self.env, observation), "restart")
        return self.picture()

    def _asked(self, call: Callable[[], Any], what: str) -> Any:
        try:
            return call()
        except DependencyNotInstalled:
            raise
        except Exception as error:
            raise DataError(
                f"An environment must {what} without an exception, got "
                f"{show_failure(error)}."
            ) from error

    def _try_out(self) -> None:
        """Draws the first picture.

        Raises:
            ConfigError: If there is none.
            PrerequisiteError: If a package is missing, or a way to draw.
        """
        self.reset()
        try:
            self.picture()
        except DependencyNotInstalled as error:
            raise PrerequisiteError(
                f"{self._spec.id!r} cannot be drawn without a package that is not "
                f"installed. Run: {INSTALL_LINE}"
            ) from error
        except DataError as error:
            if is_mujoco(self.env):
                raise PrerequisiteError(
                    f"{self._spec.id!r} cannot be drawn here: {error} Without a "
                    "display, MuJoCo draws with the environment variable "
                    "MUJOCO_GL=egl or MUJOCO_GL=osmesa."
                ) from error
            raise ConfigError(f"{self._spec.id!r} cannot be drawn: {error}") from error
        finally:
            _give_back_signals()


def _give_back_signals() -> None:
    """Lets SIGTERM end this process again.

    SDL, with which many environments draw, takes it where nobody else did.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    handler = signal.getsignal(signal.SIGTERM)
    if handler is not None:
        signal.signal(signal.SIGTERM, handler)


def _is_finite(value: Value) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, tuple | list):
        return all(map(_is_finite, value))
    array = np.asarray(value)
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())
