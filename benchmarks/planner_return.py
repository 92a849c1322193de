"""What planners reach in real environments, with the true model and with programs.

    oracle       the true environment as model: what planners can do at best
    synthesised  a program that symbolic induction finds first, from scratch
    programs     program files that a language model wrote (--programs FOLDER), at a
                 decision budget of --decision-seconds: nearly right, and slow

Each row is one command, `python -m cwm.plan MODEL --env ...`, as it is shown. The
published returns beside them are those of the paper's planner with the true
environment (`cwm.evaluation.published`).

    python -m benchmarks.planner_return
    python -m benchmarks.planner_return --kinds oracle --only CartPole --episodes 2
    python -m benchmarks.planner_return --show
"""

import contextlib
import io
import json
import shlex
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import tyro

from cwm import plan, synthesize
from cwm.evaluation.published import published
from cwm.execution.provenance import environment_report

Kind: TypeAlias = Literal["oracle", "synthesised", "programs"]

FAR = (
    *("--horizon", "150", "--discount", "0.97"),
    *("--model-steps", "5000", "--execute-steps", "2"),
)
"""For a goal that is far away, and real-valued actions: the default looks 25 ahead."""

TASKS: dict[str, tuple[str, ...]] = {
    "CartPole-v1": (),
    "MountainCar-v0": (),
    "Acrobot-v1": (),
    "CliffWalking-v1": (),
    "Taxi-v4": (),
    "Blackjack-v1": (),
    "Pendulum-v1": (),
    "MountainCarContinuous-v0": FAR,
    "InvertedPendulum-v5": ("--planner", "feedback"),
    "InvertedDoublePendulum-v5": ("--planner", "feedback"),
    "Reacher-v5": (),
}
"""Environments, and options of `cwm.plan` that differ from the defaults."""

EPISODES = {"Taxi-v4": 100, "Blackjack-v1": 5_000}

SYNTHESISED = (
    "CartPole-v1",
    "MountainCar-v0",
    "Acrobot-v1",
    "CliffWalking-v1",
    "Taxi-v4",
    "Blackjack-v1",
    "Pendulum-v1",
    "MountainCarContinuous-v0",
    "InvertedPendulum-v5",
)
"""Tasks that symbolic induction finds a program of."""

PROGRAMS = {
    "HalfCheetah-v5": "HalfCheetah_best.py",
    "Swimmer-v5": "Swimmer_best.py",
}

PROGRAM_PLANNERS = ("random-shooting", "cem", "icem", "mppi")


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        kinds: Which rows.
        only: Environments whose name has this in it.
        episodes: Episodes of each row, unless the table says another number.
        seed: Of all rows; those below 100 were used to choose defaults.
        workers: Episodes at a time.
        programs: Folder of the program files.
        decision_seconds: Time of a decision with those.
        max_steps: Steps after which an episode with those is cut off.
        output: File that a line is appended to for each row; none if it is empty.
        show: Print the tables of the results instead.
    """

    kinds: tuple[Kind, ...] = ("oracle", "synthesised")
    only: str = ""
    episodes: int = 10
    seed: int = 100
    workers: int = 2
    programs: Path | None = None
    decision_seconds: float = 1.0
    max_steps: int = 100
    output: str = str(Path(__file__).parent / "results" / "planner_return.jsonl")
    show: bool = False


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row to run.

    Attributes:
        kind: What the model is.
        environment: Its id.
        words: The command line of `cwm.plan`.
    """

    kind: Kind
    environment: str
    words: tuple[str, ...]


def rows(config: BenchmarkConfig, folder: Path) -> Iterator[Row]:
    """Yields the rows; programs are synthesised into `folder` first."""
    for kind in config.kinds:
        for environment in _environments(kind):
            if config.only not in environment:
                continue
            number = EPISODES.get(environment, config.episodes)
            words: tuple[str, ...] = ("--env", environment, "--seed", str(config.seed))
            if kind == "programs":
                assert config.programs is not None, "checked before"
                model = str(config.programs / PROGRAMS[environment])
                seconds = ("--decision-seconds", f"{config.decision_seconds:g}")
                steps = ("--max-steps", str(config.max_steps))
                planners = ("--planner", ",".join(PROGRAM_PLANNERS))
                words = (*words, *planners, *seconds, *steps)
            else:
                model = "true" if kind == "oracle" else _program(environment, folder)
                words = (*words, *TASKS[environment])
            parallel = ("--episodes", str(number), "--workers", str(config.workers))
            yield Row(
                kind=kind, environment=environment, words=(model, *words, *parallel)
            )


def _environments(kind: Kind) -> tuple[str, ...]:
    if kind == "oracle":
        return tuple(TASKS)
    return SYNTHESISED if kind == "synthesised" else tuple(PROGRAMS)


def _program(environment: str, folder: Path) -> str:
    """Returns the folder of a run that found a program."""
    path = folder / environment
    with contextlib.redirect_stdout(io.StringIO()):
        code = synthesize.main(["--env", environment, "--out", str(path), "--quiet"])
    if code != 0:
        raise RuntimeError(
            f"No program was found for {environment} (exit code {code})."
        )
    return str(path)


def run_row(row: Row) -> list[dict[str, Any]]:
    """Returns the figures of a row, one set for each planner."""
    start = time.perf_counter()
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        code = plan.main([*row.words, "--json", "--quiet"])
    if code != 0:
        raise RuntimeError(f"{shlex.join(row.words)} ended with exit code {code}.")
    report = json.loads(shown.getvalue())
    seconds = time.perf_counter() - start
    known = published(row.environment)
    words = [Path(row.words[0]).name, *row.words[1:]]
    return [
        {
            "kind": row.kind,
            "environment": row.environment,
            "planner": found["planner"],
            "made_by": {
                "oracle": "the true environment",
                "synthesised": "symbolic induction",
                "programs": "a language model, recorded",
            }[row.kind],
            "command": f"python -m cwm.plan {shlex.join(words)}",
            "settings": found["settings"],
            "summary": found["summary"],
            "note": found["note"],
            "returns": [episode["return"] for episode in found["episodes"]],
            "published_oracle": None if known is None else known.oracle,
            "seconds": round(seconds, 1),
        }
        for found in report["rows"]
    ]


def main(config: BenchmarkConfig) -> None:
    """Runs the rows, or shows the results."""
    if config.show:
        show(Path(config.output))
        return
    if "programs" in config.kinds and config.programs is None:
        raise SystemExit("programs must be given for the kind 'programs', got none.")
    machine = environment_report()
    with tempfile.TemporaryDirectory() as name:
        for row in rows(config, Path(name)):
            for figures in run_row(row):
                print(_line(figures), flush=True)
                if config.output:
                    line = {**figures, "machine": machine}
                    with Path(config.output).open("a", encoding="utf-8") as file:
                        file.write(json.dumps(line, sort_keys=True) + "\n")


def _line(figures: dict[str, Any]) -> str:
    summary = figures["summary"]
    mean, error = summary["returns"]["value"], summary["return_error"] or 0.0
    return (
        f"{figures['kind']:12} {figures['environment']:28} {figures['planner']:16} "
        f"{mean:10.2f} +- {error:6.2f} of {len(figures['returns'])}  "
        f"{figures['seconds']:.0f} s"
    )


def show(path: Path) -> None:
    """Prints the tables: of each row the latest result."""
    latest: dict[tuple[str, str, str], dict[str, Any]] = {}
    for text in path.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        latest[line["kind"], line["environment"], line["planner"]] = line
    for kind in ("oracle", "synthesised", "programs"):
        found = [line for key, line in latest.items() if key[0] == kind]
        if not found:
            continue
        commits = sorted({str(line["machine"].get("commit"))[:9] for line in found})
        print(f"\n{kind} (commits {', '.join(commits)}; {found[0]['made_by']})\n")
        print("| environment | planner | return | episodes | paper's oracle | ms |")
        print("|---|---|---|---|---|---|")
        for line in found:
            print(_table_row(line))


def _table_row(line: dict[str, Any]) -> str:
    summary, oracle = line["summary"], line["published_oracle"]
    mean, error = summary["returns"]["value"], summary["return_error"]
    cells = [
        line["environment"],
        line["planner"],
        f"{mean:,.2f}" if error is None else f"{mean:,.2f} ± {error:.2f}",
        f"{len(line['returns']):,}",
        "-" if oracle is None else f"{oracle:g}",
        f"{summary['decision_p50_ms']:,.0f}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
