"""What rules found in words are worth, by who gathers the data; several seeds.

Each run is one command, `python -m cwm.induce`, as it is shown; a run that is there is
taken as it is, and one that was broken off goes on. The setting is that of a laptop:
10 phases of 3 steps, 3 trajectories of at most 10 steps each.

    python -m benchmarks.hypotheses --llm gguf:model.gguf --out runs/hypotheses
    python -m benchmarks.hypotheses --out runs/rehearsal --phases 2 --seeds 0
    python -m benchmarks.hypotheses --show
"""

import contextlib
import io
import json
import shlex
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from cwm import induce

RESULTS = Path(__file__).parent / "results" / "hypotheses.jsonl"

RARE = ("holding2", "transformP", "transformSH", "transformBH")
"""Types that random actions seldom meet."""

NONE, BEST, SHUFFLED = "no hypothesis", "best", "shuffled"


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Which runs.

    Attributes:
        llm: As for cwm.induce; the stand-ins if not given.
        experimenters: Who acts, each with each seed; curious:REWARD names a reward.
        seeds: Of the runs.
        phases: Of each run.
        evaluate: As for cwm.induce.
        dtype: Number type of a model on this machine.
        out: Folder of the runs.
        output: File for a line for each run; empty for none.
        show: Only show what is recorded.
    """

    llm: str | None = None
    experimenters: tuple[str, ...] = ("random", "ideal", "curious:logp", "curious:alp")
    seeds: tuple[int, ...] = (0, 1, 2)
    phases: int = 10
    evaluate: str = "ranking"
    dtype: str = "auto"
    out: Path = Path("runs/hypotheses")
    output: str = ""
    show: bool = False


def words_of(arguments: Arguments, experimenter: str, seed: int) -> list[str]:
    """Returns the options of one run."""
    name, _, reward = experimenter.partition(":")
    words = ["--env", "playground", "--experimenter", name]
    words += ["--curiosity.reward", reward] if reward else []
    if arguments.llm:
        words += ["--llm", arguments.llm, "--local.dtype", arguments.dtype]
    return [
        *words,
        *("--phases", str(arguments.phases), "--iterations", "3"),
        *("--trajectories", "3", "--subset", "3", "--trajectory-steps", "10"),
        *("--evaluate", arguments.evaluate, "--seed", str(seed)),
    ]


def run(arguments: Arguments, experimenter: str, seed: int) -> dict[str, Any]:
    """Returns the result of a run: a new one, one gone on with, or one that is there.

    Raises:
        SystemExit: If the command fails.
    """
    folder = arguments.out / f"{experimenter.replace(':', '-')}-{seed}"
    words = words_of(arguments, experimenter, seed)
    done = folder / "result.json"
    if not done.exists():
        begun = (folder / "config.json").exists()
        how = ["--resume", str(folder)] if begun else [*words, "--out", str(folder)]
        sys.stderr.write(f"python -m cwm.induce {shlex.join(how)}\n")
        with contextlib.redirect_stdout(io.StringIO()):
            code = induce.main(how)
        if code:
            raise SystemExit(code)
    return {
        "experimenter": experimenter,
        "seed": seed,
        "command": f"python -m cwm.induce {shlex.join(map(_named, words))}",
        "result": json.loads(done.read_text(encoding="utf-8")),
    }


def _named(word: str) -> str:
    """Returns a word of a command, a model's file without its folder."""
    kind, _, path = word.partition(":")
    return f"{kind}:{Path(path).name}" if kind in ("gguf", "hf") else word


def line_of(found: dict[str, Any]) -> dict[str, Any]:
    """Returns what is recorded of a run: figures, not every transition."""
    result = found["result"]
    line = {name: found[name] for name in ("experimenter", "seed", "command")}
    line |= {
        name: result[name]
        for name in ("statistician", "scientist", "stand_ins", "counts", "seconds")
    }
    line["made_with"] = result["made_with"]
    line["best"] = result["best"]
    line["accepted"] = sum(phase["num_accepted"] for phase in result["phases"])
    line["proposed"] = sum(phase["num_proposed"] for phase in result["phases"])
    for world in ("scores", "reworded"):
        if result[world] is not None:
            line[world] = {
                name: _figures(score) for name, score in result[world]["scores"].items()
            }
            line[f"{world}_differences"] = result[world]["difference_to_no_hypothesis"]
    return line


def _figures(score: dict[str, Any]) -> dict[str, Any]:
    likelihood, ranking = score["likelihood"], score["ranking"]
    figures = {"total": likelihood["total"], "by_type": likelihood["by_type"]}
    if ranking is not None:
        figures["top"] = ranking["top"]
    return figures


def show(lines: Sequence[dict[str, Any]]) -> str:
    """Returns the tables, in Markdown."""
    text = ["| experimenter | seeds | none | best | best - none | shuffled - none |"]
    text += ["|---|---|---|---|---|---|"]
    names = list(dict.fromkeys(line["experimenter"] for line in lines))
    groups = {n: [one for one in lines if one["experimenter"] == n] for n in names}
    for name, group in groups.items():
        cells = [
            *(_spread([_mean(one, row) for one in group]) for row in (NONE, BEST)),
            _spread([_mean(one, BEST) - _mean(one, NONE) for one in group]),
            _spread([_shuffled(one) - _mean(one, NONE) for one in group]),
        ]
        text.append(f"| {name} | {len(group)} | {' | '.join(cells)} |")
    text += ["", "| experimenter | transitions | " + " | ".join(RARE) + " |"]
    text += ["|---" * (2 + len(RARE)) + "|"]
    for name, group in groups.items():
        total = [sum(one["counts"].values()) for one in group]
        shares = [
            _spread(
                [
                    100 * one["counts"].get(kind, 0) / all_
                    for one, all_ in zip(group, total, strict=True)
                ]
            )
            for kind in RARE
        ]
        text.append(f"| {name} | {sum(total):,} | {' | '.join(shares)} |")
    return "\n".join(text) + "\n"


NUM_TRANSITIONS = 168


def _mean(line: dict[str, Any], row: str) -> float:
    return float(line["scores"][row]["total"]) / NUM_TRANSITIONS


def _shuffled(line: dict[str, Any]) -> float:
    """Returns the mean over the rows of shuffled words."""
    rows = [name for name in line["scores"] if name.startswith(SHUFFLED)]
    return statistics.fmean(_mean(line, row) for row in rows)


def _spread(values: Sequence[float]) -> str:
    """Returns the mean, with smallest and largest of several."""
    mean = f"{statistics.fmean(values):.2f}"
    if len(values) == 1:
        return mean
    return f"{mean} ({min(values):.2f} to {max(values):.2f})"


def main(arguments: Arguments) -> None:
    """Makes the runs and shows the tables."""
    lines = read(RESULTS) if arguments.show else []
    if not arguments.show:
        for seed in arguments.seeds:
            for experimenter in arguments.experimenters:
                lines.append(line_of(run(arguments, experimenter, seed)))
        if arguments.output:
            path = Path(arguments.output)
            text = "".join(json.dumps(line) + "\n" for line in lines)
            path.write_text(text, encoding="utf-8")
    sys.stdout.write(show(lines))


def read(path: Path) -> list[dict[str, Any]]:
    """Returns the recorded lines."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    main(tyro.cli(Arguments))
