"""What others have published on the tasks of a suite, to be shown beside ours."""

from collections.abc import Sequence

from cwm.evaluation.published import (
    GPT_4,
    LLAMA,
    Measure,
    PublishedTable,
    published_environment,
    published_table,
)
from cwm.report.suite_rows import SuiteRow
from cwm.report.suites import TextTable

GIF = "GIF-MCTS"


def published_tables(
    suite: str, rows: Sequence[SuiteRow]
) -> tuple[tuple[TextTable, ...], tuple[str, ...]]:
    """Returns tables of published numbers, and why they are not ours, as lines.

    Args:
        suite: Name of the suite; nothing is published on some.
        rows: Ours, with the tasks that are asked about.
    """
    if suite == "cwmb-r":
        return _of_environments(rows)
    if suite in ("rtfm", "apps"):
        table = published_table(suite)
        return (_whole(table),), _notes([table])
    return (), ()


def _of_environments(
    rows: Sequence[SuiteRow],
) -> tuple[tuple[TextTable, ...], tuple[str, ...]]:
    known = {
        task: found.name
        for task in dict.fromkeys(row.task for row in rows)
        if (found := published_environment(task)) is not None
    }
    if not known:
        return (), ()
    llama = published_table("cwmb-environments-llama")
    gpt_4 = published_table("cwmb-environments-gpt-4")
    played = published_table("cwmb-returns")
    sources = ((llama, LLAMA), (gpt_4, GPT_4))
    accuracies = tuple(
        (
            row.task,
            row.search,
            *(_get(t, name, "accuracy", GIF, model) for t, model in sources),
            _number(row.mean("train_reference")),
            *(_get(t, name, "normalised_return", GIF, model) for t, model in sources),
        )
        for row in rows
        if (name := known.get(row.task)) is not None
    )
    returns = tuple(
        (
            task,
            *(
                _get(played, name, "return", method, model)
                for method, model in (
                    ("random actions", ""),
                    ("CQL", ""),
                    (GIF, LLAMA),
                    (GIF, GPT_4),
                    ("oracle", ""),
                )
            ),
        )
        for task, name in known.items()
    )
    tables = (
        TextTable(
            title=f"published: {llama.citation}, {llama.where} and {gpt_4.where}",
            columns=(
                "task",
                "our search",
                f"accuracy, {LLAMA}",
                f"accuracy, {GPT_4}",
                "ours: reference on training transitions",
                f"normalised return, {LLAMA}",
                f"normalised return, {GPT_4}",
            ),
            rows=accuracies,
        ),
        TextTable(
            title=f"published returns: {played.citation}, {played.where}",
            columns=(
                "task",
                "random",
                "CQL",
                f"GIF, {LLAMA}",
                f"GIF, {GPT_4}",
                "oracle",
            ),
            rows=returns,
            num_names=1,
        ),
    )
    return tables, _notes([llama, gpt_4, played])


def _whole(table: PublishedTable) -> TextTable:
    return TextTable(
        title=f"published: {table.title} ({table.citation}, {table.where})",
        columns=("row", "method", "measure", "value", "+-"),
        rows=tuple(
            (
                number.row,
                number.maker,
                number.measure.replace("_", " "),
                _number(number.value) if number.value is not None else number.missing,
                _number(number.error),
            )
            for number in table.numbers
        ),
        num_names=3,
    )


def _get(
    table: PublishedTable, row: str, measure: Measure, method: str, model: str
) -> str:
    number = table.get(row, measure, method, model)
    return "none" if number.value is None else _number(number.value)


def _notes(tables: Sequence[PublishedTable]) -> tuple[str, ...]:
    """Returns what can be compared with what, each thing once."""
    lines: dict[str, None] = {}
    for table in tables:
        lines[f"published, {table.where}, may be put beside: {table.comparable}"] = None
    for table in tables:
        for reason in table.not_comparable:
            lines[f"published numbers are not ours: {reason}"] = None
    return tuple(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"
