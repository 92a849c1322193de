"""Numbers that others have published, with what they can be compared with.

The numbers are in `published_data/`, one file for each table:

    {table}.json       source, columns, rows, and what is comparable
    environments.json  the 18 environments: their ids, and what changed since
    notes.json         why numbers cannot be compared, by name
    sources.json       the papers

Nothing here is copied into our own figures; reports show it beside them.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, TypeAlias, cast, get_args

Measure: TypeAlias = Literal[
    "accuracy",
    "normalised_return",
    "return",
    "strict_accuracy",
    "seconds_per_transition",
]
"""What a number is. `accuracy` is the published metric, our `reference`."""

MEASURES: tuple[Measure, ...] = get_args(Measure)

TABLES = (
    "cwmb-means",
    "cwmb-environments-llama",
    "cwmb-environments-gpt-4",
    "cwmb-returns",
    "cwmb-ablation",
    "rtfm",
    "apps",
    "seconds",
    "later",
)
"""Names of the tables, in the order in which they are read."""

LLAMA, GPT_4 = "Llama 3 70B", "GPT-4 Turbo"

SOURCE = "Dainese et al. (2024), Table 12"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedNumber:
    """One cell of a published table.

    Attributes:
        table: Name of the table, one of `TABLES`.
        row: What it is about: an environment's name without its version, or as the
            table says.
        method: What made it: `"GIF-MCTS"`, `"CQL"`, `"oracle"`.
        model: The language model; empty if there is none.
        num_calls: Calls of the language model; `None` where that means nothing.
        num_seeds: Runs; `None` if not reported.
        measure: What the number is.
        value: The number; `None` if there is none.
        error: As reported behind a plus-minus sign; `None` if there is none.
        missing: Why there is no number; empty if there is one.
    """

    table: str
    row: str
    method: str
    model: str
    num_calls: int | None
    num_seeds: int | None
    measure: Measure
    value: float | None
    error: float | None = None
    missing: str = ""

    @property
    def maker(self) -> str:
        """The method, with the language model if there is one."""
        return f"{self.method}, {self.model}" if self.model else self.method


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedTable:
    """A published table.

    Attributes:
        name: One of `TABLES`.
        title: What it shows.
        citation: The paper.
        url: Of the paper.
        where: The table in the paper.
        is_secondary: Whether the numbers are from a summary of the paper.
        about: How to read it.
        comparable: What of ours the numbers can be put beside.
        not_comparable: Why they are not the same, in sentences.
        numbers: All cells, row by row.
    """

    name: str
    title: str
    citation: str
    url: str
    where: str
    is_secondary: bool
    about: str
    comparable: str
    not_comparable: tuple[str, ...]
    numbers: tuple[PublishedNumber, ...]

    def get(
        self, row: str, measure: Measure, method: str, model: str | None = None
    ) -> PublishedNumber:
        """Returns the one cell of this description.

        Args:
            row: As in `PublishedNumber`.
            measure: What the number is.
            method: What made it.
            model: The language model; `None` if the rest says which cell it is.

        Raises:
            KeyError: If there is no such cell, or more than one.
        """
        found = [
            number
            for number in self.numbers
            if (number.row, number.measure, number.method) == (row, measure, method)
            and model in (None, number.model)
        ]
        if len(found) != 1:
            raise KeyError(
                f"{self.name} must have 1 cell of {row!r}, {measure!r}, {method!r}, "
                f"{model!r}, got {len(found)}."
            )
        return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedEnvironment:
    """An environment of the published benchmark.

    Attributes:
        name: Its name without version: `"HalfCheetah"`.
        id: The id that we use.
        published_id: The id of the published benchmark.
        actions: Of which half it is: with discrete or with continuous actions.
        differences: What differs between the two, in sentences.
    """

    name: str
    id: str
    published_id: str
    actions: Literal["discrete", "continuous"]
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PublishedReturns:
    """Mean returns on one environment.

    Attributes:
        random: Random actions.
        offline_rl: Conservative Q-learning on as many trajectories; `None` if not
            reported.
        llama: GIF-MCTS with Llama 3 70B, 50 calls; `None` if there was no program.
        gpt_4: GIF-MCTS with GPT-4 Turbo, 10 calls.
        oracle: The published planner with the true environment.
    """

    random: float
    offline_rl: float | None
    llama: float | None
    gpt_4: float
    oracle: float


@cache
def published_table(name: str) -> PublishedTable:
    """Returns one of `TABLES`.

    Raises:
        KeyError: If there is none of this name.
    """
    if name not in TABLES:
        raise KeyError(f"No published table {name!r}. Known: {', '.join(TABLES)}.")
    data = _read(name)
    source, notes = _read("sources")[data["source"]], _read("notes")
    columns, missing = data["columns"], data.get("missing", {})
    return PublishedTable(
        name=name,
        title=data["title"],
        citation=source["citation"],
        url=source["url"],
        where=data["table"],
        is_secondary=data["backing"] == "secondary",
        about=data["about"],
        comparable=data["comparable"],
        not_comparable=tuple(notes[key] for key in data["not_comparable"]),
        numbers=tuple(
            _number(name, row, column, cell, missing.get(row, ""))
            for row, cells in data["rows"].items()
            for column, cell in zip(columns, cells, strict=True)
        ),
    )


def _number(
    table: str, row: str, column: dict[str, Any], cell: Any, missing: str
) -> PublishedNumber:
    value, error = cell if isinstance(cell, list) else (cell, None)
    return PublishedNumber(
        table=table,
        row=row,
        **column,
        value=value,
        error=error,
        missing=missing if value is None else "",
    )


@cache
def published_environments() -> tuple[PublishedEnvironment, ...]:
    """Returns the 18 environments of the published benchmark."""
    return tuple(
        PublishedEnvironment(**(data | {"differences": tuple(data["differences"])}))
        for data in _read("environments")
    )


def published_environment(env_id: str) -> PublishedEnvironment | None:
    """Returns the published environment of this id, whatever its version."""
    name = _name(env_id)
    found = [env for env in published_environments() if env.name == name]
    return found[0] if found else None


def published_numbers(
    env_id: str, measures: Sequence[Measure] = MEASURES
) -> tuple[PublishedNumber, ...]:
    """Returns what is published for an environment, in the order of `TABLES`.

    Args:
        env_id: Its id, whatever its version.
        measures: Which numbers.
    """
    name = _name(env_id)
    return tuple(
        number
        for table in TABLES
        for number in published_table(table).numbers
        if number.row == name and number.measure in measures
    )


def published(env_id: str) -> PublishedReturns | None:
    """Returns what is published for an environment; `None` if nothing is."""
    if published_environment(env_id) is None:
        return None
    table, name = published_table("cwmb-returns"), _name(env_id)

    def value(method: str, model: str = "") -> float | None:
        return table.get(name, "return", method, model).value

    return PublishedReturns(
        random=_reported(value("random actions")),
        offline_rl=value("CQL"),
        llama=value("GIF-MCTS", LLAMA),
        gpt_4=_reported(value("GIF-MCTS", GPT_4)),
        oracle=_reported(value("oracle")),
    )


def _reported(value: float | None) -> float:
    assert value is not None, "the table has it for every environment"
    return value


def _name(env_id: str) -> str:
    return re.sub(r"-v\d+$", "", env_id)


def _read(name: str) -> Any:
    file = resources.files("cwm.evaluation") / "published_data" / f"{name}.json"
    return cast(Any, json.loads(file.read_text(encoding="utf-8")))
