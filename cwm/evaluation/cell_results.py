"""What came of each cell of a suite (a task, a search and a seed), in one file."""

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from cwm.core.errors import DataError
from cwm.evaluation.summary import Interval

Status: TypeAlias = Literal["done", "no program", "not made", "failed"]
"""How a cell ended: with a world model, with none that runs, without what it needs,
which is not here, or not at all."""

STATUSES: tuple[Status, ...] = get_args(Status)


class CellKey(NamedTuple):
    """Which cell.

    Attributes:
        task: Name of the task or problem.
        search: Name of the search.
        seed: The seed.
    """

    task: str
    search: str
    seed: int

    def __str__(self) -> str:
        return f"{self.task}, {self.search}, seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that cells have.

    Attributes:
        title: What it is called in tables.
        digits: Decimals of a share; `None` for other numbers.
        is_cost: Whether less is better.
    """

    title: str
    digits: int | None = None
    is_cost: bool = False


FIGURES: dict[str, Figure] = {
    "train_strict": Figure("train strict", 4),
    "held_out_strict": Figure("held-out strict", 4),
    "planner_strict": Figure("planner-visited strict", 4),
    "train_reference": Figure("train reference", 4),
    "held_out_reference": Figure("reference", 4),
    "planner_reference": Figure("planner-visited reference", 4),
    "held_out_observation": Figure("held-out observation", 4),
    "planner_observation": Figure("planner-visited observation", 4),
    "held_out_tolerance_area": Figure("tolerance area", 4),
    "held_out_rollout_10": Figure("right after 10 steps", 4),
    "held_out_rmse": Figure("normalised RMSE", is_cost=True),
    "do_nothing_held_out_strict": Figure("do nothing", 4),
    "do_nothing_held_out_reference": Figure("do nothing, reference", 4),
    "do_nothing_planner_strict": Figure("do nothing, planner-visited", 4),
    "nearest_held_out_strict": Figure("nearest neighbour", 4),
    "nearest_held_out_reference": Figure("nearest neighbour, reference", 4),
    "nearest_held_out_observation": Figure("nearest neighbour, observation", 4),
    "nearest_planner_strict": Figure("nearest neighbour, planner-visited", 4),
    "simulator_held_out_strict": Figure("true simulator", 4),
    "simulator_held_out_reference": Figure("true simulator, reference", 4),
    "simulator_planner_strict": Figure("true simulator, planner-visited", 4),
    "asked_held_out_strict": Figure("model asked", 4),
    "held_out_nats": Figure("held-out log-likelihood"),
    "planner_nats": Figure("planner-visited log-likelihood"),
    "test_nats": Figure("test log-likelihood"),
    "no_rules_test_nats": Figure("no rules, test log-likelihood"),
    "normalised_return": Figure("normalised return", 3),
    "return": Figure("return"),
    "random_return": Figure("random"),
    "oracle_return": Figure("oracle"),
    "offline_return": Figure("offline RL"),
    "success": Figure("success", 4),
    "strict": Figure("strict", 4),
    "accuracy": Figure("accuracy", 4),
    "hidden_accuracy": Figure("hidden tests", 4),
    "calls": Figure("calls", is_cost=True),
    "calls_to_strict": Figure("calls to first 1.0", is_cost=True),
    "tokens": Figure("tokens", is_cost=True),
    "usd": Figure("US dollars", is_cost=True),
    "seconds": Figure("s of calls", is_cost=True),
    "program_ms": Figure("ms per transition", is_cost=True),
    "decision_s": Figure("s a decision", is_cost=True),
    "making_s": Figure("s to make", is_cost=True),
    "making_frames": Figure("frames to make", is_cost=True),
    "making_games": Figure("games to make", is_cost=True),
    "asked_tokens": Figure("tokens, model asked", is_cost=True),
    "asked_ms": Figure("ms per transition, model asked", is_cost=True),
}
"""Every figure by name; the last part of a name says which transitions, or what."""


RETURNS = (
    "normalised_return",
    "return",
    "random_return",
    "oracle_return",
    "offline_return",
)
"""Figures of episodes, which can be compared if these were played in one way."""


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """What came of a cell.

    Attributes:
        suite: Name of the suite.
        key: Which cell.
        status: How it ended.
        reason: Why it failed, or has no program; may be empty otherwise.
        made_by: Who wrote the programs or the rules; empty if it failed before.
        is_stand_in: Whether that was no model, but something in its place.
        data: Digest of the transitions, or of the problem: cells can be compared if
            it is the same.
        playing: What decides the returns, by name: planner, steps, number of
            episodes; empty if it is not known, or there are none.
        figures: By name; of those that are not there nothing is known. `None` where
            there can be none.
        normalised: The normalised return with its interval over episodes.
        returns: Of each episode, in order; empty where only their mean is kept.
        successes: Whether each of them succeeded.
        notes: What a reader must know.
        folder: Where the run is, within that of the results.
    """

    suite: str
    key: CellKey
    status: Status
    reason: str = ""
    made_by: str = ""
    is_stand_in: bool = False
    data: str = ""
    playing: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, float | None] = field(default_factory=dict)
    normalised: Interval | None = None
    returns: tuple[float, ...] = ()
    successes: tuple[bool, ...] = ()
    notes: tuple[str, ...] = ()
    folder: str = ""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.figures) - set(FIGURES))
        assert not unknown, f"figures without a title: {unknown}"

    def figure(self, name: str) -> float | None:
        """Returns a figure; `None` if it is not known."""
        return self.figures.get(name)

    def played_otherwise(self, playing: Mapping[str, Any]) -> tuple[str, ...]:
        """Returns what another way of playing differs in, such as `horizon 25, 50`.

        Nothing if one of the two is not known.
        """
        mine = self.playing
        if not mine or not playing:
            return ()
        return tuple(
            f"{name} {mine.get(name)}, {playing.get(name)}"
            for name in dict.fromkeys((*mine, *playing))
            if mine.get(name) != playing.get(name)
        )

    def not_finite(self) -> tuple[str, ...]:
        """Returns the names of the figures that are no numbers, with their values."""
        values: dict[str, float | None] = dict(self.figures)
        if self.normalised is not None:
            values |= {
                f"normalised {name}": value
                for name, value in asdict(self.normalised).items()
            }
        return tuple(
            f"{name} {value}"
            for name, value in values.items()
            if value is not None and not math.isfinite(value)
        )

    def to_json(self) -> dict[str, Any]:
        """Returns plain data; `from_json` is the inverse."""
        data = asdict(self)
        del data["key"]
        for name in ("returns", "successes"):
            if not data[name]:
                del data[name]
        return {"suite": data.pop("suite"), **self.key._asdict(), **data}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "CellResult":
        """Returns the result that `to_json` described.

        Raises:
            DataError: If it did not.
        """
        fields = dict(data)
        try:
            key = CellKey(*(fields.pop(name) for name in CellKey._fields))
            normalised = fields.pop("normalised")
            if fields["status"] not in STATUSES:
                raise DataError(f"No cell can be {fields['status']!r}.")
            lists = ("notes", "returns", "successes")
            return cls(
                **fields | {n: tuple(fields[n]) for n in lists if n in fields},
                key=key,
                normalised=None if normalised is None else Interval(**normalised),
            )
        except (KeyError, TypeError, AssertionError) as error:
            raise DataError(f"The result of a cell cannot be read: {error}.") from error


class ResultsFile:
    """The file of results: a line for each cell, of which the last counts.

    A line is appended by one write. What a kill left of one is dropped when the next
    one is appended, and not read before.

    Attributes:
        path: The file; need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        """Makes it; reads and writes nothing."""
        self.path = path

    def read(self) -> dict[CellKey, CellResult]:
        """Returns the results; the newest of each cell.

        Raises:
            DataError: If the file cannot be read.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{str(self.path)!r} cannot be read: {error}.") from error
        found: dict[CellKey, CellResult] = {}
        # What follows the last line end was never finished.
        for number, line in enumerate(text.split("\n")[:-1], start=1):
            try:
                result = CellResult.from_json(json.loads(line))
            except (ValueError, AttributeError, DataError) as error:
                raise DataError(
                    f"{str(self.path)!r} is damaged in line {number}: {error}"
                ) from error
            found[result.key] = result
        return found

    def append(self, result: CellResult) -> None:
        """Writes the result of a cell; no end of this process can lose it.

        Raises:
            DataError: If the file cannot be written.
        """
        line = json.dumps(result.to_json(), allow_nan=False) + "\n"
        try:
            with self.path.open("ab+", buffering=0) as file:
                self._drop_torn_line(file)
                file.write(line.encode())
                os.fsync(file.fileno())
        except OSError as error:
            raise DataError(
                f"{str(self.path)!r} cannot be written: {error}."
            ) from error

    @staticmethod
    def _drop_torn_line(file: Any) -> None:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        content = file.read(size)
        whole = content.rfind(b"\n") + 1
        if whole < size:
            file.truncate(whole)


def by_task(
    results: Iterable[CellResult], figure: Callable[[CellResult], float | None]
) -> dict[str, list[float]]:
    """Returns the known values of a figure, by task."""
    found: dict[str, list[float]] = {}
    for result in results:
        value = figure(result)
        if value is not None:
            found.setdefault(result.key.task, []).append(value)
    return found
