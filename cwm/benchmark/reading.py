"""Reports on a folder of results, whether its run is over or still going on."""

from collections.abc import Set
from dataclasses import replace
from pathlib import Path
from typing import Any

from cwm.benchmark.induction import HYPOTHESES, QUICK_PHASES
from cwm.benchmark.plan import PROBLEM_SUITES, ResultsFolder
from cwm.benchmark.provider_rows import ROWS
from cwm.benchmark.suite import read_settings
from cwm.core.errors import ConfigError
from cwm.evaluation.cell_results import CellKey, CellResult, ResultsFile
from cwm.report.paired import Contender
from cwm.report.providers import make_providers_report
from cwm.report.suite_published import published_tables
from cwm.report.suites import SuiteReport, make_suite_report
from cwm.suites.providers import DISCOUNT
from cwm.suites.providers import SUITE as PROVIDERS


def read_report(folder: ResultsFolder) -> SuiteReport:
    """Returns the report on a folder of results.

    Raises:
        ConfigError: If there are no results in it.
        DataError: If they cannot be read.
    """
    content = read_settings(folder)
    results = ResultsFile(folder.results).read()
    suite = content["suite"]
    searches = {key.search for key in folder.planned(content)}
    if suite == PROVIDERS:
        return make_providers_report(
            folder.planned(content),
            results,
            suite=suite,
            roles={name: row.role for name, row in ROWS.items()},
            settings=_provider_lines(content["settings"], searches),
            folder=str(folder.path),
        )
    report = make_suite_report(
        suite,
        folder.planned(content),
        results,
        is_of_problems=suite in PROBLEM_SUITES,
        is_stand_in=content["is_stand_in"],
        settings=_setting_lines(content["settings"], searches),
        folder=str(folder.path),
    )
    tables, notes = published_tables(suite, report.rows)
    return replace(report, published=tables, published_notes=notes)


def _setting_lines(settings: dict[str, Any], searches: Set[str]) -> tuple[str, ...]:
    """Returns what the settings say that a reader must know."""
    lines = []
    if settings["is_quick"]:
        lines.append(
            "quick: little data and few, short episodes; not to be compared with "
            "anything else"
        )
    if settings["is_full"]:
        lines.append("full: episodes go on to their own end, if they have one")
    if HYPOTHESES in searches:
        lines.append(_induction_line(settings))
    if searches == {HYPOTHESES}:
        return tuple(lines)
    budget = settings["run"]["budget"]
    limits = [f"{budget['call_budget']} calls"]
    limits += [
        f"{budget[name]:g} {unit}"
        for name, unit in (
            ("token_budget", "tokens"),
            ("cost_budget", "US dollars"),
            ("time_budget", "s"),
        )
        if budget[name] is not None
    ]
    lines.append(f"budget of a cell: {', '.join(limits)}")
    return tuple(lines)


def _provider_lines(settings: dict[str, Any], rows: Set[str]) -> tuple[str, ...]:
    """Returns the planner and the budget that all rows have."""
    made = settings["providers"]
    lines = list(_setting_lines(settings, rows - {HYPOTHESES} or rows))
    if HYPOTHESES in rows and made["rules"] is None:
        lines.append(_induction_line(settings))
    return (
        f"planner of all rows but policies alone, experts and random actions: mcts, "
        f"{made['simulations']} simulations a decision, leaves valued by "
        f"{made['rollout_steps']} random steps, discount {DISCOUNT:g}, one action at a "
        "time",
        *lines,
    )


def _induction_line(settings: dict[str, Any]) -> str:
    """Returns how hypotheses are induced."""
    induction = settings["induction"]["induction"]
    inference = induction["inference"]
    phases = inference["phases"]
    if settings["is_quick"]:
        phases = min(phases, QUICK_PHASES)
    return (
        f"{HYPOTHESES}: induced by {inference['method']}, {inference['chains']} x "
        f"{inference['iterations']} steps in each of {phases} phases, experimenter "
        f"{induction['experimenter']}; no budget of calls"
    )


def read_contender(word: str) -> Contender:
    """Returns a side of a comparison: FOLDER, or FOLDER:SEARCH.

    Raises:
        ConfigError: If there are no results, or it must be said of which search.
        DataError: If they cannot be read.
    """
    path, search = Path(word), ""
    if not path.exists():
        before, _, search = word.rpartition(":")
        path = Path(before or word)
    folder = ResultsFolder(path)
    content = read_settings(folder)
    searches = list(dict.fromkeys(key.search for key in folder.planned(content)))
    if search and search not in searches:
        raise ConfigError(
            f"{str(path)!r} has results of {', '.join(searches)}, got {search!r}."
        )
    if not search and len(searches) > 1:
        raise ConfigError(
            f"{str(path)!r} has results of several searches: say which, such as "
            f"{path}:{searches[0]}. It has {', '.join(searches)}."
        )
    wanted = search or searches[0]
    results = {
        key: one
        for key, one in ResultsFile(folder.results).read().items()
        if key.search == wanted
    }
    return Contender(name=word, results=_with_missing(results, folder, wanted))


def _with_missing(
    results: dict[CellKey, CellResult], folder: ResultsFolder, search: str
) -> dict[CellKey, CellResult]:
    """Returns the results with those that are still to come, as failed."""
    content = read_settings(folder)
    missing = [
        key
        for key in folder.planned(content)
        if key.search == search and key not in results
    ]
    return results | {
        key: CellResult(
            suite=content["suite"], key=key, status="failed", reason="not finished"
        )
        for key in missing
    }
