"""The main figures of a run, read from its files: one reader for each kind of run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cwm.core.counts import counted
from cwm.core.journal import Record, read_journal
from cwm.evaluation.cell_results import ResultsFile
from cwm.execution.run_folder import RunFolder
from cwm.report.programs import ProblemReport
from cwm.runs.kinds import JOURNAL, ONLINE_RESULT, RESULT, FoundRun

SYMBOLIC = "symbolic induction"
STAND_INS = ("scripted:", "replay:")
"""Beginnings of names of models that stand in for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The part of a summary that each kind of run says in its own way.

    Attributes:
        environment: Id of its environment, or of its suite.
        seed: Its seed, or seeds with commas.
        made_by: Who wrote what it is about.
        is_stand_in: Whether something that is no model has the place of one.
        is_paid: Whether language models were asked.
        num_calls: Answers in it; `None` where nothing is counted.
        score: What its search maximised, of the best; `None` without one.
        held_out: Strict accuracy on held-out transitions; likewise.
        figure: Its main figure where there is no such accuracy, with its name.
        tokens: Sent and received.
        usd: What was paid, in US dollars; `None` if it is not known.
        is_finished: Whether it has come to its end.
    """

    environment: str = ""
    seed: str = ""
    made_by: str = ""
    is_stand_in: bool = False
    is_paid: bool = False
    num_calls: int | None = None
    score: float | None = None
    held_out: float | None = None
    figure: str = ""
    tokens: int = 0
    usd: float | None = 0.0
    is_finished: bool = False


def read_result(run: FoundRun) -> dict[str, Any]:
    """Returns the figures of a run that has come to its end; empty before.

    Raises:
        DataError: If the file cannot be read.
    """
    if run.kind == "plan":
        return RunFolder(run.path.parent).read_json(run.path)
    path = run.path / (ONLINE_RESULT if run.kind == "online" else RESULT)
    return RunFolder(run.path).read_json(path) if path.is_file() else {}


def _synthesize(run: FoundRun) -> Figures:
    config, result = run.config, read_result(run)
    source = config["source"]
    models = config["models"]["llm"]
    if not result:
        return _from_journal(run, str(source["env"] or source["data"]), models)
    usage, best = result["usage"], result["best"]
    return Figures(
        environment=str(result["environment"]),
        seed=str(result["seed"]),
        made_by=str(result["made_by"]),
        is_stand_in=_has_stand_in(models),
        is_paid=_is_paid(models, result["num_calls"]),
        num_calls=result["num_calls"],
        score=None if best is None else best["score"],
        held_out=_held_out(result),
        tokens=usage["prompt_tokens"] + usage["completion_tokens"],
        usd=usage["usd"],
        is_finished=True,
    )


def _from_journal(run: FoundRun, environment: str, models: list[str]) -> Figures:
    """Returns the figures of a search that has not come to its end."""
    path = run.path / JOURNAL
    records = read_journal(path).records if path.is_file() else ()
    first = records[0].body if records else {}
    usages = [r.body.get("usage", {}) for r in records if r.kind == "completion"]
    prices = [usage.get("usd") for usage in usages]
    return Figures(
        environment=str(first.get("environment", environment)),
        seed=str(run.config["seed"]),
        made_by=str(first.get("proposer", ", ".join(models) or SYMBOLIC)),
        is_stand_in=_has_stand_in(models),
        is_paid=_is_paid(models, len(usages)),
        num_calls=len(usages),
        score=best_score(records),
        tokens=sum(
            usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)
            for usage in usages
        ),
        usd=None if None in prices else sum(price or 0.0 for price in prices),
    )


def best_score(records: Sequence[Record]) -> float | None:
    """Returns the score of the best program that a journal knows, if one runs."""
    best = None
    calls = {r.body["call"]: r.body for r in records if r.kind == "evaluation"}
    for record in records:
        if record.kind == "tree_update":
            best = record.body["best_call"]
    if best is None or best not in calls:
        return None
    score: float = calls[best]["evaluation"]["score"]
    return score


def _held_out(result: Mapping[str, Any]) -> float | None:
    for row in result["rows"]:
        score = row["scores"].get("held_out")
        if row["name"] == "program" and score is not None:
            strict: float = score["strict"]
            return strict
    return None


def _has_stand_in(models: list[str]) -> bool:
    return any(name.startswith(STAND_INS) for name in models)


def _is_paid(models: list[str], num_answers: int) -> bool:
    return num_answers > 0 and any(not name.startswith(STAND_INS) for name in models)


def _problem(run: FoundRun) -> Figures:
    models = run.config["models"]["llm"]
    if not read_result(run):
        problem = RunFolder(run.path).read_json(run.path / "problem.json")
        return _from_journal(run, str(problem.get("id", "")), models)
    report = ProblemReport.from_json(read_result(run))
    hidden, usage = report.hidden_accuracy, report.usage
    return Figures(
        environment=report.problem_id,
        seed=str(report.seed),
        made_by=report.made_by,
        is_stand_in=_has_stand_in(models),
        is_paid=_is_paid(models, report.num_calls),
        num_calls=report.num_calls,
        score=None if report.best_call is None else report.accuracy,
        figure="" if hidden is None else f"hidden tests {hidden:.4f}",
        tokens=usage.prompt_tokens + usage.completion_tokens,
        usd=usage.usd,
        is_finished=True,
    )


def _online(run: FoundRun) -> Figures:
    result, config = read_result(run), run.config["run"]
    models = config["models"]["llm"]
    rows = result.get("rounds", [])
    last = rows[-1] if rows else None
    calls = sum(row["num_calls"] for row in rows)
    return Figures(
        environment=str(config["source"]["env"]),
        seed=str(config["seed"]),
        made_by=", ".join(models) or SYMBOLIC,
        is_stand_in=_has_stand_in(models),
        is_paid=_is_paid(models, max(calls, 1)),
        num_calls=calls,
        score=last["visited_strict"] if last and last["has_program"] else None,
        held_out=last["held_out_strict"] if last else None,
        figure=f"return {last['mean_return']:.5g}" if last else "",
        usd=None if models else 0.0,
        is_finished=last is not None,
    )


def _induce(run: FoundRun) -> Figures:
    roles, result = run.config["roles"], read_result(run)
    named = [
        str(roles[name])
        for name in ("llm", "scientist_llm", "statistician_llm", "experimenter_llm")
        if roles[name]
    ]
    who = [str(result[name]) for name in ("statistician", "scientist") if result]
    return Figures(
        environment=str(run.config["induction"]["env"]),
        seed=str(run.config["seed"]),
        made_by=", ".join(who or named),
        is_stand_in=bool(result.get("stand_ins")) if result else not named,
        is_paid=_is_paid(named, 1),
        num_calls=sum(phase["num_proposed"] for phase in result.get("phases", [])),
        figure=_rules(result),
        usd=None if named else 0.0,
        is_finished=bool(result),
    )


def _rules(result: Mapping[str, Any]) -> str:
    if not result:
        return ""
    best = str(result["best"] or "").strip()
    return counted(len(best.splitlines()), "rule") if best else "no rules"


def _ppo(run: FoundRun) -> Figures:
    config, result = run.config, read_result(run)
    rate = result.get("success_rate")
    return Figures(
        environment=str(result.get("environment", config["task"]["env"])),
        seed=str(config["seed"]),
        made_by=f"{config['learner']} of {config['policy']}",
        figure="" if rate is None else f"success rate {rate:.3f}",
        is_finished=bool(result),
    )


def _knowledge(run: FoundRun) -> Figures:
    config, result = run.config, read_result(run)
    models = config["models"]
    named = [models["agent_llm"], models["knowledge_llm"], config["writing"]["writer"]]
    asked = [str(name) for name in named if name and ":" in str(name)]
    return Figures(
        environment=str(config["games"]["env"]),
        seed=",".join(str(seed) for seed in config["seeds"]),
        made_by=f"{models['agent_llm']}, knowledge by {config['writing']['writer']}",
        is_paid=bool(asked),
        figure=counted(len(result["rows"]), "row") if result else "",
        usd=None if asked else 0.0,
        is_finished=bool(result),
    )


def _benchmark(run: FoundRun) -> Figures:
    config = run.config
    lines = ResultsFile(run.path / "results.jsonl").read()
    planned = {tuple(cell) for cell in config["cells"]}
    ended = [line for line in lines.values() if tuple(line.key) in planned]
    done = [line for line in ended if line.status == "done"]
    models = config["settings"]["run"]["models"]["llm"]
    known = [line.figures.get("held_out_strict") for line in done]
    strict = [value for value in known if value is not None]
    costs = [line.figures.get("usd") for line in done]
    return Figures(
        environment=str(config["suite"]),
        seed=",".join(str(seed) for seed in sorted({cell[2] for cell in planned})),
        made_by=", ".join(sorted({line.made_by for line in done})),
        is_stand_in=bool(config["is_stand_in"]),
        is_paid=_is_paid(models, 1),
        num_calls=sum(int(line.figures.get("calls") or 0) for line in done),
        held_out=sum(strict) / len(strict) if strict else None,
        figure=f"{len(done)} of {counted(len(planned), 'cell')}",
        tokens=sum(int(line.figures.get("tokens") or 0) for line in done),
        usd=None if None in costs else sum(cost or 0.0 for cost in costs),
        is_finished=len(ended) == len(planned),
    )


def _plan(run: FoundRun) -> Figures:
    result = read_result(run)
    rows = result["rows"]
    best = max(rows, key=lambda row: row["summary"]["returns"]["value"])
    value = best["summary"]["returns"]["value"]
    return Figures(
        environment=str(result["environment"]),
        seed=str(result["seed"]),
        made_by=", ".join(dict.fromkeys(str(row["model"]) for row in rows)),
        figure=f"return {value:.5g} ({best['planner'] or best['model']})",
        is_finished=True,
    )


READERS: Mapping[str, Callable[[FoundRun], Figures]] = {
    "synthesize": _synthesize,
    "problem": _problem,
    "online": _online,
    "induce": _induce,
    "ppo": _ppo,
    "knowledge": _knowledge,
    "benchmark": _benchmark,
    "plan": _plan,
}
