"""Programs that symbolic induction finds: docs/gallery.md, made anew.

Searches for a program of each environment, as `python -m cwm.synthesize` does, and
writes the page: strict accuracy, calls and seconds, and the part of each program that
says what a step does, as it stands in the file.

    python -m benchmarks.gallery
    python -m benchmarks.gallery --envs Pendulum-v1 --page ""
"""

import ast
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tyro

from cwm.execution.provenance import environment_report

NOTES = {
    "CartPole-v1": (
        "A pole on a cart. The accelerations of cart (`s1`) and pole (`s3`) depend on "
        "each other: both are the solution of a system of two equations."
    ),
    "MountainCar-v0": (
        "A car in a valley. `math.cos(3.0 * s0)` is the slope; at the left end there "
        "is a wall, at which the car stops."
    ),
    "Pendulum-v1": (
        "Observed are the cosine and the sine of an angle. The program makes the angle "
        "of them, moves it, and goes back. Its reward has the square of the angle."
    ),
    "Taxi-v4": (
        "Observations are numbers from 0 to 499. The program found that they have four "
        "digits: row, column, where the passenger is (4 is the taxi) and where to go. "
        "`COL_CASES` are the walls, `PLACE_0` the four stands."
    ),
    "CliffWalking-v1": (
        "A step on the cliff leads back to the start, and costs 100. The row stays the "
        "last one then, so that one rule for the column is enough."
    ),
    "cwm/TeleportGrid-v0": (
        "A grid of our own, which nobody has read of: teleports (`ROW_CASES`), walls "
        "(`ROW_CASES_3`), a key (`digit_2`) without which the goal is none."
    ),
}
"""What there is to see in each program."""

WRITTEN = Path("benchmarks/data/model_written/Pendulum.py")
"""A program of another author."""

SPLITS = {"train": "training", "held_out": "held-out"}


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        envs: Environments, of those that the page has a note for.
        seed: Of everything drawn.
        page: The page to write; if empty, it is printed.
    """

    envs: tuple[str, ...] = tuple(NOTES)
    seed: int = 0
    page: str = str(Path("docs") / "gallery.md")


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """A program that was found.

    Attributes:
        env: Of which environment.
        result: What `cwm.synthesize --json` says.
        source: The program.
    """

    env: str
    result: dict[str, Any]
    source: str

    def strict(self, split: str) -> str:
        """Returns a strict accuracy of the program."""
        (row,) = [row for row in self.result["rows"] if row["name"] == "program"]
        return f"{row['scores'][split]['strict']:.4f}"


def found(env: str, seed: int) -> Exhibit:
    """Returns what a search of its own process finds."""
    with TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        words = ("--env", env, "--seed", str(seed), "--out", run, "--json", "--quiet")
        done = subprocess.run(
            [sys.executable, "-m", "cwm.synthesize", *map(str, words)],
            capture_output=True,
            text=True,
            check=True,
        )
        source = (run / "world_model.py").read_text(encoding="utf-8")
    return Exhibit(env=env, result=json.loads(done.stdout), source=source)


def heart(source: str) -> str:
    """Returns constants and one step of a program, as they are written."""
    tree = ast.parse(source)
    lines = source.splitlines()
    parts = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and not is_alias(node):
            parts += lines[node.lineno - 1 : node.end_lineno]
    (model,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    (step,) = [
        node
        for node in model.body
        if isinstance(node, ast.FunctionDef) and node.name == "step"
    ]
    shown = lines[step.lineno - 1 : step.end_lineno]
    return "\n".join([*parts, *(["..."] if parts else []), *shown])


def is_alias(node: ast.Assign) -> bool:
    """Returns whether an assignment gives an entry of `CONSTANTS` a short name."""
    return isinstance(node.value, ast.Subscript)


def page_of(exhibits: list[Exhibit], config: BenchmarkConfig) -> str:
    """Returns the page."""
    rows = [
        f"| {e.env} | {e.strict('train')} | {e.strict('held_out')} "
        f"| {e.result['num_calls']} | {e.result['seconds']:.0f} |"
        for e in exhibits
    ]
    parts = [
        HEADER.format(
            commit=str(environment_report()["commit"])[:9],
            envs="\n".join(rows),
            seed=config.seed,
        )
    ]
    for e in exhibits:
        counts = e.result["num_transitions"]
        parts.append(
            f"## {e.env}\n\n{NOTES[e.env]}\n\n```\npython -m cwm.synthesize --env "
            f"{e.env} --seed {config.seed}\n```\n\n"
            f"From {counts['train']:,} training transitions; strict "
            f"{e.strict('held_out')} on {counts['held_out']:,} held-out ones.\n\n"
            f"```python\n{heart(e.source)}\n```\n"
        )
    written = WRITTEN.read_text(encoding="utf-8")
    parts.append(f"{FOOTER}\n```python\n{heart(written)}\n```\n")
    return "\n".join(parts)


HEADER = """\
# Gallery: programs that were found

What symbolic induction wrote for well-known environments, from transitions alone: no \
language model, no description, no look at the simulator. Shown are the constants and \
what a step does, as they stand in the file; `...` is where the names of constants, \
imports and `set_state` are, and the same once more for many states at a time \
(`step_batch`). This page is written by `python -m benchmarks.gallery` (commit \
{commit}, seed {seed}); \
the last program is a language model's, for comparison.

Strict accuracy: every element of the next observation, reward and end right at \
once ([scoring.md](scoring.md)). Seconds are those of the whole command, data \
collection included, on two cores that did other work at the same time.

| environment | strict, training | strict, held-out | calls | s |
|---|---|---|---|---|
{envs}

In programs of real-valued systems `s0`, `s1`, ... are the elements of the observation \
and `a` the action; in those of tables `row`, `col` and `digit_i` are what an integer \
was taken apart into. How they are found: [induction.md](induction.md), \
[induction-discrete.md](induction-discrete.md).
"""

FOOTER = f"""\
## By a language model: Pendulum-v1

For comparison, the step of `{WRITTEN}`, which a language model wrote in a recorded \
search, from the documentation of the environment (not made by the command above; \
[fitting.md](fitting.md) says what becomes of it under other constants).
"""


def main(config: BenchmarkConfig) -> None:
    """Searches, and writes the page."""
    page = page_of([found(env, config.seed) for env in config.envs], config)
    if config.page:
        Path(config.page).write_text(page, encoding="utf-8")
    else:
        print(page)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
