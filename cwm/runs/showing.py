"""What a run shows of itself from its files, without running anything again."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table

from cwm.core.errors import CwmError, DataError
from cwm.programs.accuracy import SplitScore
from cwm.report.scores import ScoreRow
from cwm.report.tables import strict_table
from cwm.runs.figures import read_result
from cwm.runs.kinds import own_files
from cwm.runs.summaries import RunSummary
from cwm.runs.tables import console_for, runs_table, show_size, show_value

_MAX_FILES = 12


def show_run(one: RunSummary, stream: TextIO, *, as_json: bool) -> None:
    """Writes what came of a run, its files and how to go on.

    Args:
        one: The run.
        stream: Where to.
        as_json: Whether to write its line and its result as JSON.

    Raises:
        CwmError: If its result cannot be read.
    """
    result = {} if one.problem else read_result(one.run)
    if as_json:
        plain = {"run": one.to_json(), "result": result, "next": next_commands(one)}
        stream.write(json.dumps(plain, indent=2) + "\n")
        return
    console = console_for(stream)
    console.print(runs_table([one]))
    if one.problem:
        console.print(escape(f"problem: {one.problem}"))
    elif one.run.kind == "benchmark":
        _show_suite(one, stream)
    elif result:
        try:
            _show_result(one, result, console)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # Of a run of another version, or edited: that is no bug of ours.
            raise DataError(
                f"The result of {str(one.run.path)!r} cannot be shown: {error!r}."
            ) from error
    commands = [f"  {command}" for command in next_commands(one)]
    for line in (*_file_lines(one), *(["next:", *commands] if commands else [])):
        console.print(escape(line))


def _show_suite(one: RunSummary, stream: TextIO) -> None:
    # They bring planners and statistics, which nothing else here needs.
    from cwm.benchmark.plan import ResultsFolder  # noqa: PLC0415
    from cwm.benchmark.reading import read_report  # noqa: PLC0415

    read_report(ResultsFolder(one.run.path)).show(stream)


def _show_result(one: RunSummary, result: Mapping[str, Any], console: Console) -> None:
    shown = _TABLES.get(str(one.run.kind))
    if shown is not None:
        for table in shown(result):
            console.print(table)
    for line in _figure_lines(result):
        console.print(escape(line))


def _synthesize_tables(result: Mapping[str, Any]) -> list[RenderableType]:
    title = f"{result['environment']}, seed {result['seed']}"
    rows = [_score_row(row) for row in result["rows"]]
    return [strict_table(rows, title=escape(title))] if rows else []


def _score_row(row: Mapping[str, Any]) -> ScoreRow:
    audit = row.get("audit")
    verdict = "consistent" if audit is None else audit["verdict"]
    return ScoreRow(
        name=row["name"] if verdict == "consistent" else f"{row['name']} ({verdict})",
        scores={
            split: None if score is None else SplitScore.from_json(score)
            for split, score in row["scores"].items()
        },
    )


def _plan_tables(result: Mapping[str, Any]) -> list[RenderableType]:
    table = Table(title=escape(str(result["environment"])), title_justify="left")
    table.add_column("world model", overflow="fold")
    for name in ("planner", "return", "episodes", "wrong"):
        table.add_column(name)
    for row in result["rows"]:
        summary = row["summary"]
        cells = (
            row["model"],
            row["planner"],
            summary["returns"]["value"],
            summary.get("num_episodes"),
            summary.get("num_wrong"),
        )
        table.add_row(*(escape(show_value(cell)) for cell in cells))
    return [table]


def _induce_tables(result: Mapping[str, Any]) -> list[RenderableType]:
    best = result["best"]
    return [] if best is None else [escape(f"best hypothesis:\n{best}")]


def _rows_table(result: Mapping[str, Any]) -> list[RenderableType]:
    rows = [row for row in result.get("rows", []) if isinstance(row, Mapping)]
    names = [
        name
        for name in dict.fromkeys(name for row in rows for name in row)
        if not any(isinstance(row.get(name), Mapping | list) for row in rows)
    ]
    if not rows or not names:
        return []
    table = Table()
    for name in names:
        table.add_column(escape(name), overflow="fold")
    for row in rows:
        table.add_row(*(escape(show_value(row.get(name))) for name in names))
    return [table]


def _online_tables(result: Mapping[str, Any]) -> list[RenderableType]:
    return _rows_table({"rows": result["rounds"]})


_TABLES: Mapping[str, Callable[[Mapping[str, Any]], list[RenderableType]]] = {
    "synthesize": _synthesize_tables,
    "plan": _plan_tables,
    "induce": _induce_tables,
    "knowledge": _rows_table,
    "online": _online_tables,
}


def _figure_lines(result: Mapping[str, Any]) -> list[str]:
    """Returns the plain figures of a result, one line each."""
    left_out = ("environment", "seed", "folder", "world_model", "best")
    return [
        f"{name.replace('_', ' ')}: {show_value(value)}"
        for name, value in result.items()
        if isinstance(value, str | int | float) and name not in left_out
    ]


def _file_lines(one: RunSummary) -> list[str]:
    own, other = own_files(one.run)
    lines = [
        f"  {path} ({show_size(path.lstat().st_size)})" for path in own[:_MAX_FILES]
    ]
    if len(own) > _MAX_FILES:
        lines.append(f"  and {len(own) - _MAX_FILES} more")
    if other:
        lines.append(f"  and {len(other)} that no command of ours writes")
    return ["files:", *lines]


def next_commands(one: RunSummary) -> list[str]:
    """Returns commands that go on with a run, most likely ones first."""
    path, kind = one.run.path, one.run.kind
    if one.problem:
        return [f"python -m cwm.runs prune {path} --failed"]
    told: list[str] = []
    if one.state == "finished" and kind in ("synthesize", "induce", "ppo", "online"):
        told = _told(one)
    if kind == "synthesize":
        told.append(f"python -m cwm.runs export {path} --as package")
        if one.state != "finished":
            told.insert(0, f"python -m cwm.synthesize --resume {path}")
    elif one.state != "finished" and kind in ("induce", "knowledge"):
        told.append(f"python -m cwm.{_RESUME[kind]} --resume {path}")
    elif kind == "benchmark":
        told.append(f"python -m cwm.benchmark report {path}")
    return told


_RESUME: Mapping[str, str] = {"induce": "induce", "knowledge": "knowledge all"}


def _told(one: RunSummary) -> list[str]:
    """Returns what the run itself said at its end."""
    try:
        found = read_result(one.run).get("next", [])
    except CwmError:
        return []
    return [str(command) for command in found]
