"""The best program of a run, run once more in the sandbox for its page.

Covers: where it is right (`situations`), and where it goes that is never told what
really happened, beside what did. Only after the search: held-out transitions are not
looked at before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.config import RunConfig
from cwm.core.codec import decode_columns
from cwm.core.spaces import leaves
from cwm.core.trajectories import SPLIT_TITLES, Dataset, Split, Trajectory
from cwm.execution.prerequisites import no_sandbox
from cwm.pages.situations import HeatMap, heat_map
from cwm.programs.accuracy import observation_parts
from cwm.programs.evaluation import NUM_DRAWS, open_sandbox
from cwm.programs.rollouts import ROLLOUTS_DRIVER, Rollouts, rollout
from cwm.programs.runner import ProgramRunner
from cwm.programs.tolerances import Tolerances
from cwm.scoring import table_splits
from sandbox.errors import SandboxUnavailable
from sandbox.isolation import Level
from sandbox.pool import Sandbox

MAX_ROLLOUT_STEPS = 200
MAX_LINES = 8
"""Elements of an observation that are drawn, at most: those that change most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedEpisode:
    """A recorded episode beside the program's own rollout.

    Attributes:
        split: Where the episode is from.
        lines: Name of an element, what was recorded, what the program says.
        first_wrong: First step, from 1, after which an element is off by more than
            its strict tolerance; `None` if none is.
        ending: Why the rollout is shorter than the episode; empty if it is not.
    """

    split: str
    lines: tuple[tuple[str, tuple[float, ...], tuple[float, ...]], ...]
    first_wrong: int | None
    ending: str

    def to_json(self) -> dict[str, Any]:
        """Returns plain data; numbers keep six digits."""
        return {
            "split": self.split,
            "lines": [
                {"part": part, "real": _rounded(real), "model": _rounded(model)}
                for part, real, model in self.lines
            ],
            "first_wrong": self.first_wrong,
            "ending": self.ending,
        }


def _rounded(values: Sequence[float]) -> list[float | None]:
    return [float(f"{v:.6g}") if np.isfinite(v) else None for v in values]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What came of running the best program once more.

    Attributes:
        heat_maps: By split, as far as it runs there.
        episode: An episode that it followed, if there is one to follow.
        problems: What did not run, as sentences.
    """

    heat_maps: tuple[HeatMap, ...] = ()
    episode: FollowedEpisode | None = None
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Returns plain data."""
        return {
            "heat_maps": [one.to_json() for one in self.heat_maps],
            "episode": None if self.episode is None else self.episode.to_json(),
            "problems": list(self.problems),
        }


def check_program(
    source: str, dataset: Dataset, config: RunConfig, *, isolation: Level
) -> Check:
    """Runs a program on the transitions that tables show, and along an episode.

    Args:
        source: The program.
        dataset: The run's transitions.
        config: The run's settings: its limits, capabilities and seed hold here, too.
        isolation: Weakest isolation that is acceptable.

    Raises:
        PrerequisiteError: If programs cannot be run safely on this machine.
    """
    try:
        with open_sandbox(
            limits=config.limits,
            require=isolation,
            capabilities=config.capabilities,
            extra_drivers=(ROLLOUTS_DRIVER,),
        ) as sandbox:
            check = _heat_maps(source, dataset, sandbox, seed=config.seed)
            episode, problem = _follow(source, dataset, sandbox, seed=config.seed)
    except SandboxUnavailable as error:
        raise no_sandbox(error) from error
    problems = (*check.problems, *([problem] if problem else []))
    return replace(check, episode=episode, problems=problems)


def _heat_maps(source: str, dataset: Dataset, sandbox: Sandbox, *, seed: int) -> Check:
    runner = ProgramRunner(sandbox, seed=seed)
    train = dataset.batch("train")
    maps: list[HeatMap] = []
    problems: list[str] = []
    num_draws = NUM_DRAWS if dataset.is_stochastic else 1
    for split, batch in table_splits(dataset).items():
        outcome, draws = runner.predict(source, batch, num_draws)
        title = SPLIT_TITLES[split]
        if draws is None:
            reason = outcome.feedback().partition("\n")[0]
            problems.append(f"It does not run on {title} transitions: {reason}")
        else:
            maps.append(heat_map(title, draws, batch, train=train))
    # What the search never saw comes first.
    return Check(heat_maps=tuple(reversed(maps)), problems=tuple(problems))


def _follow(
    source: str, dataset: Dataset, sandbox: Sandbox, *, seed: int
) -> tuple[FollowedEpisode | None, str]:
    """Returns the longest unseen episode beside a rollout, or why there is none."""
    split: Split = "held_out" if dataset.in_split("held_out") else "train"
    trajectory = max(dataset.in_split(split), key=len)
    trajectory = trajectory.piece(0, min(len(trajectory), MAX_ROLLOUT_STEPS))
    numeric = all(
        isinstance(trajectory.observations[path], np.ndarray)
        for path, _ in leaves(dataset.observation_space)
    )
    if not numeric:
        return None, ""
    observations = decode_columns(dataset.observation_space, trajectory.observations)
    outcome, rollouts = rollout(
        sandbox,
        source,
        observation_space=dataset.observation_space,
        action_space=dataset.action_space,
        first_observations=observations[:1],
        actions=[decode_columns(dataset.action_space, trajectory.actions)],
        seed=seed,
    )
    if rollouts is None:
        reason = outcome.feedback().partition("\n")[0]
        return None, f"It cannot be followed through an episode: {reason}"
    return _beside(trajectory, rollouts, dataset, SPLIT_TITLES[split]), ""


def _beside(
    trajectory: Trajectory, rollouts: Rollouts, dataset: Dataset, title: str
) -> FollowedEpisode:
    length = int(rollouts.lengths[0])
    real = _flat(trajectory.observations, dataset)
    made = {p: c[0][:length] for p, c in rollouts.next_observations.items()}
    model = np.concatenate([real[:1], _flat(made, dataset)])
    names = [
        (name, columns.start)
        for name, columns in observation_parts(dataset.observation_space)
        if columns.stop - columns.start == 1
    ]
    changing = sorted(names, key=lambda item: -float(np.ptp(real[:, item[1]])))
    drawn = [item for item in names if item in changing[:MAX_LINES]]
    return FollowedEpisode(
        split=title,
        lines=tuple(
            (name, tuple(real[:, column]), tuple(model[:, column]))
            for name, column in drawn
        ),
        first_wrong=_first_wrong(trajectory, made, dataset),
        ending=_ending(trajectory, length),
    )


def _flat(columns: dict[str, Any], dataset: Dataset) -> NDArray[np.float64]:
    """Returns numeric columns side by side, `[N, elements]`."""
    return np.concatenate(
        [
            np.asarray(columns[path], dtype=np.float64).reshape(len(columns[path]), -1)
            for path, _ in leaves(dataset.observation_space)
        ],
        axis=1,
    )


def _first_wrong(
    trajectory: Trajectory, made: dict[str, Any], dataset: Dataset
) -> int | None:
    tolerances = Tolerances.from_batch(dataset.batch("train"))
    first: list[int] = []
    for path, _ in leaves(dataset.observation_space):
        model = np.asarray(made[path])
        real = np.asarray(trajectory.observations[path])[1 : len(model) + 1]
        bounds: Any = 0.0
        if path in tolerances.observation:
            bounds = tolerances.bounds(path, real)
        error = np.abs(model.astype(np.float64) - real.astype(np.float64))
        wrong = ~(error <= bounds).reshape(len(model), -1).all(axis=1)
        first += np.flatnonzero(wrong)[:1].tolist()
    return min(first) + 1 if first else None


def _ending(trajectory: Trajectory, length: int) -> str:
    if length == len(trajectory):
        return ""
    return f"The program says that the episode ends after step {length}."
