"""A world model as a Gymnasium environment.

This one file also goes, as it is, into packages that `python -m cwm.runs export`
makes. So it needs nothing of this project, and no more than NumPy and Gymnasium.

Covers: any program of the contract (`set_state`, `step`, and `legal_actions` if it has
it), started from recorded first observations.
Does not cover: a sandbox (the program runs in this process, with all that it may do),
rendering, or what an observation does not show.
"""

import copy
import json
import string
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

ABOUT = "about.json"
STARTS = "starts.npz"


class WorldModelEnv(gymnasium.Env[Any, Any]):
    """An environment whose every step is the prediction of a program.

    `reset(options={"observation": ...})` starts from that observation; otherwise from
    a recorded first one, drawn by the environment's own generator.

    Args:
        make_model: Makes the program's `Environment`.
        observation_space: Space of the observations.
        action_space: Space of the actions.
        starts: Recorded first observations; at least one.
        draws: Whether the program draws from a generator that it is given, `self.rng`.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - as Gymnasium declares it

    def __init__(
        self,
        make_model: Callable[[], Any],
        *,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        starts: list[Any],
        draws: bool = False,
    ) -> None:
        if not starts:
            raise ValueError("starts must have at least 1 observation, got 0.")
        self.observation_space = observation_space
        self.action_space = action_space
        self._model = make_model()
        self._starts = starts
        self._draws = draws
        self._observation: Any = None
        self._is_over = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins an episode.

        Args:
            seed: Of all that is drawn from now on.
            options: `observation`: where to start.

        Raises:
            ValueError: If that is no observation of the space.
        """
        super().reset(seed=seed)
        given = (options or {}).get("observation")
        if given is None:
            given = self._starts[int(self.np_random.integers(len(self._starts)))]
        self._observation = conform(self.observation_space, given)
        self._is_over = False
        self._model.set_state(copy.deepcopy(self._observation))
        return copy.deepcopy(self._observation), self._info()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Returns what the program predicts.

        It never says `truncated`: a time limit is Gymnasium's to add.

        Raises:
            RuntimeError: If no episode is going on.
            ValueError: If the program returns something else than its contract says.
        """
        if self._is_over:
            raise RuntimeError("reset must be called before step.")
        # A program is a function of observation and action: nothing else is carried on.
        if self._draws:
            self._model.rng = np.random.default_rng(self.np_random.integers(2**63))
        self._model.set_state(copy.deepcopy(self._observation))
        result = self._model.step(conform(self.action_space, action))
        if not isinstance(result, tuple) or len(result) not in (3, 4):
            raise ValueError(
                "step must return (observation, reward, terminated), got "
                f"{type(result).__name__}."
            )
        self._observation = conform(self.observation_space, result[0])
        self._is_over = bool(result[-1])
        info = {} if self._is_over else self._info(result[1:-2])
        seen = copy.deepcopy(self._observation)
        return seen, float(result[-2]), self._is_over, False, info

    def _info(self, told: tuple[Any, ...] = ()) -> dict[str, Any]:
        """Returns the legal actions, where the program says which they are."""
        if told:
            return {"legal_actions": list(told[0])}
        legal = getattr(self._model, "legal_actions", None)
        return {} if legal is None else {"legal_actions": list(legal())}

    @classmethod
    def from_folder(
        cls, folder: Path, make_model: Callable[[], Any]
    ) -> "WorldModelEnv":
        """Returns the environment that the files `ABOUT` and `STARTS` describe.

        Args:
            folder: Where they are.
            make_model: Makes the program's `Environment`.
        """
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        characters = about["characters"]
        observation_space = make_space(about["observation_space"], characters)
        return cls(
            make_model,
            observation_space=observation_space,
            action_space=make_space(about["action_space"], characters),
            starts=read_starts(folder / STARTS, observation_space),
            draws=about["draws"],
        )


def make_space(
    description: Mapping[str, Any], characters: str = ""
) -> spaces.Space[Any]:
    """Returns the Gymnasium space of a description, as data sets have them.

    Args:
        description: The kind of space, and what belongs to it.
        characters: What texts may have besides ASCII's printable characters.

    Raises:
        ValueError: If Gymnasium has no such space: nested lists of texts.
    """
    match description["kind"]:
        case "box":
            dtype, shape = np.dtype(description["dtype"]), tuple(description["shape"])
            low, high = (
                _bound(description[name], dtype, shape) for name in ("low", "high")
            )
            made: Any = spaces.Box(low, high, shape, dtype.type)
            return made  # type: ignore[no-any-return]
        case "discrete":
            return spaces.Discrete(
                description["num_values"], start=description["start"]
            )
        case "multi_discrete":
            return spaces.MultiDiscrete(description["num_values"])
        case "tuple":
            members = [make_space(m, characters) for m in description["members"]]
            return spaces.Tuple(members)
        case "dict":
            # As pairs: of a plain dictionary Gymnasium sorts the keys.
            named = [(k, make_space(m, characters)) for k, m in description["members"]]
            return spaces.Dict(named)
        case "text":
            known = "".join(sorted(set(string.printable) | set(characters)))
            return spaces.Text(description["max_length"], min_length=0, charset=known)
        case kind:
            raise ValueError(f"Gymnasium has no space for values of kind {kind!r}.")


def _bound(
    texts: list[str], dtype: np.dtype[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    """Returns a bound of a box; of integers the next one that they can be."""
    values = np.broadcast_to(
        np.asarray([float(text) for text in texts]),
        int(np.prod(shape, dtype=np.int64)),
    ).reshape(shape)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        # The largest integers are no floats: a bound must not leave the type.
        inside = [min(max(int(v), limits.min), limits.max) for v in _finite(values)]
        return np.array(inside, dtype=dtype).reshape(shape)
    return values.astype(dtype)


def _finite(values: NDArray[Any]) -> list[float]:
    return [
        float(v) for v in np.nan_to_num(values.ravel(), posinf=2**63, neginf=-(2**63))
    ]


def conform(space: spaces.Space[Any], value: Any) -> Any:
    """Returns a value in the type that the space has, without a look at its bounds.

    Raises:
        ValueError: If its type or shape is another one.
    """
    match space:
        case spaces.Box() | spaces.MultiDiscrete():
            array = np.asarray(value)
            if array.shape != space.shape or array.dtype.kind not in "biuf":
                raise ValueError(
                    f"A value must be an array of shape {space.shape}, got one of "
                    f"shape {array.shape} and type {array.dtype}."
                )
            if array.dtype.kind == "f" and np.dtype(space.dtype).kind != "f":
                raise ValueError(f"A value must be made of integers, got {array}.")
            return array.astype(space.dtype)
        case spaces.Discrete():
            array = np.asarray(value)
            if array.size != 1 or array.dtype.kind not in "iu":
                raise ValueError(f"A value must be an integer, got {value!r}.")
            return int(array.item())
        case spaces.Tuple():
            pairs = zip(space.spaces, value, strict=True)
            return tuple(conform(member, v) for member, v in pairs)
        case spaces.Dict():
            return {key: conform(m, value[key]) for key, m in space.spaces.items()}
        case _:
            if not isinstance(value, str):
                raise ValueError(f"A value must be text, got {type(value).__name__}.")
            return value


def read_starts(path: Path, space: spaces.Space[Any]) -> list[Any]:
    """Returns the observations of a file: it has an array for each leaf, in order."""
    with np.load(path, allow_pickle=False) as file:
        columns = [file[f"leaf_{index}"] for index in range(len(file.files))]
    rows = range(len(columns[0])) if columns else ()
    return [_value(space, iter(columns), row) for row in rows]


def _value(space: spaces.Space[Any], columns: Any, row: int) -> Any:
    match space:
        case spaces.Tuple():
            return tuple(_value(member, columns, row) for member in space.spaces)
        case spaces.Dict():
            return {k: _value(m, columns, row) for k, m in space.spaces.items()}
        case spaces.Text():
            return str(next(columns)[row])
        case _:
            return next(columns)[row]
