"""How well programs are induced without a language model, on data never seen.

Three suites, all scored by the product's own command path (collect, search,
sandbox) on held-out trajectories:

    named    the environments of the README
    shifted  the same with other constants, rules and sizes, drawn once
    random   systems drawn from seeds (`benchmarks/random_systems.py`)

    python -m benchmarks.induction --suite named --seeds 0 1 2
    python -m benchmarks.induction --suite random --seeds 20 21 22 23 24 25 26 27 28 29
    python -m benchmarks.induction --show

Each run is one line in `benchmarks/results/induction.jsonl`; `--show` prints the
tables of the latest commit in it. Of random systems, seeds 0 to 19 and those from
1000 on were looked at while the induction was written; report others.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from benchmarks.random_systems import FAMILIES, draw_system
from cwm.config import RunConfig, SourceConfig
from cwm.core.dataset_file import save_dataset
from cwm.execution.progress import SilentProgress
from cwm.execution.provenance import environment_report
from cwm.opening import new_session
from envs.collect import collect

RESULTS = Path(__file__).parent / "results" / "induction.jsonl"

NAMED = (
    "CartPole-v1",
    "MountainCar-v0",
    "MountainCarContinuous-v0",
    "Pendulum-v1",
    "Acrobot-v1",
    "CliffWalking-v1",
    "Taxi-v4",
    "Blackjack-v1",
    "InvertedPendulum-v5",
)

SHIFTED: dict[str, SourceConfig] = {
    "CartPole, Mars": SourceConfig(
        env="CartPole-v1", set=("gravity=3.71", "length=0.8", "force_mag=7.5")
    ),
    "CartPole, slow": SourceConfig(
        env="CartPole-v1", set=("tau=0.035", "masspole=0.4", "x_threshold=1.7")
    ),
    "MountainCar, steep": SourceConfig(
        env="MountainCar-v0", set=("gravity=0.0031", "force=0.0013")
    ),
    "MountainCar, far goal": SourceConfig(
        env="MountainCar-v0", set=("goal_position=0.42", "max_speed=0.055")
    ),
    "Pendulum, heavy": SourceConfig(env="Pendulum-v1", set=("m=1.7", "l=1.3", "g=8.2")),
    "Pendulum, coarse": SourceConfig(env="Pendulum-v1", set=("dt=0.08", "max_speed=6")),
    "Acrobot, long arm": SourceConfig(
        env="Acrobot-v1", set=("LINK_LENGTH_1=1.4", "LINK_MASS_2=0.7")
    ),
    "Cliff 5x9": SourceConfig(
        env="cwm/CliffGrid-v0", env_kwargs='{"num_rows": 5, "num_columns": 9}'
    ),
    "Taxi 6x7": SourceConfig(
        env="cwm/TaxiGrid-v0", env_kwargs='{"num_rows": 6, "num_columns": 7}'
    ),
    "Teleports 7x6": SourceConfig(
        env="cwm/TeleportGrid-v0", env_kwargs='{"num_rows": 7, "num_columns": 6}'
    ),
}


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        suite: Which environments.
        seeds: Seeds of collection and search; for random systems, of the system.
        families: Families of random systems.
        only: Only environments whose name contains this text.
        output: File that one line per run is appended to; none if empty.
        show: Only print the tables of the results file.
    """

    suite: Literal["named", "shifted", "random"] = "named"
    seeds: tuple[int, ...] = (0,)
    families: tuple[str, ...] = FAMILIES
    only: str = ""
    output: str = str(RESULTS)
    show: bool = False


def sources(config: BenchmarkConfig, folder: Path) -> Iterator[tuple[str, RunConfig]]:
    """Yields the name and settings of each run."""
    for seed in config.seeds:
        if config.suite == "named":
            chosen = {name: SourceConfig(env=name) for name in NAMED}
        elif config.suite == "shifted":
            chosen = dict(SHIFTED)
        else:
            chosen = {}
            for family in config.families:
                system = draw_system(family, seed)
                path = folder / f"{system.name}.npz"
                save_dataset(collect(system.spec, None, seed), path)
                chosen[system.name] = SourceConfig(data=str(path))
        for name, source in chosen.items():
            if config.only in name:
                yield name, RunConfig(source=source, seed=seed)


def run_one(name: str, run: RunConfig, folder: Path) -> dict[str, Any]:
    """Returns the figures of one run of the main job."""
    start, cpu = time.perf_counter(), time.process_time()
    session = new_session(run, out=folder / "run", progress=SilentProgress())
    report = session.run(SilentProgress()).to_json()
    rows = {row["name"]: row["scores"] for row in report["rows"]}
    program = rows.get("program", {})
    held_out = program.get("held_out") or {}
    return {
        "name": name,
        "seed": run.seed,
        "made_by": report["made_by"],
        "train": (program.get("train") or {}).get("strict"),
        "held_out": held_out.get("strict"),
        "held_out_score": held_out.get("score"),
        "ceiling": ((rows.get("true simulator") or {}).get("held_out") or {}).get(
            "strict"
        ),
        "ceiling_score": ((rows.get("true simulator") or {}).get("held_out") or {}).get(
            "score"
        ),
        "do_nothing": ((rows.get("do nothing") or {}).get("held_out") or {}).get(
            "strict"
        ),
        "calls": report["num_calls"],
        "stopped_by": report["stopped_by"],
        "kinds": report["tree"]["num_by_kind"],
        "audit": (report["rows"][0].get("audit") or {}).get("verdict"),
        "depth_of_best": len(report["tree"]["best_path"]),
        "transitions": report["num_transitions"],
        "is_stochastic": report["is_stochastic"],
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
    }


def main(config: BenchmarkConfig) -> None:
    """Runs the suite, or shows its results."""
    if config.show:
        show(Path(config.output))
        return
    machine = environment_report()
    with tempfile.TemporaryDirectory() as name:
        for index, (title, run) in enumerate(sources(config, Path(name))):
            folder = Path(name) / str(index)
            folder.mkdir()
            result = {"suite": config.suite, **run_one(title, run, folder)}
            print(
                f"{title:28} seed {run.seed:<4} train {result['train']:.4f} "
                f"held-out {result['held_out']:.4f} calls {result['calls']:>2} "
                f"{result['seconds']:.0f} s",
                flush=True,
            )
            if config.output:
                line = {**result, "machine": machine}
                with Path(config.output).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line, sort_keys=True) + "\n")


def show(path: Path) -> None:
    """Prints the tables of the latest commit in a results file."""
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    for suite in ("named", "shifted", "random"):
        rows = [line for line in lines if line["suite"] == suite]
        if rows:
            commit = rows[-1]["machine"].get("commit")
            rows = [r for r in rows if r["machine"].get("commit") == commit]
            print(
                f"\n{suite} (commit {str(commit)[:9]}, made by {rows[0]['made_by']})\n"
            )
            (_show_random if suite == "random" else _show_named)(rows)


def _show_named(rows: list[dict[str, Any]]) -> None:
    print("| environment | held-out strict | do nothing | true simulator | calls | s |")
    print("|---|---|---|---|---|---|")
    for name in dict.fromkeys(r["name"] for r in rows):
        own = [r for r in rows if r["name"] == name]
        shown = [
            _spread([r[key] for r in own])
            for key in ("held_out", "do_nothing", "ceiling")
        ]
        calls = "/".join(str(r["calls"]) for r in own)
        seconds = statistics.median(r["seconds"] for r in own)
        print(f"| {name} | {' | '.join(shown)} | {calls} | {seconds:.0f} |")


def _spread(values: list[float | None]) -> str:
    known = [v for v in values if v is not None]
    if not known:
        return "-"
    low, high = min(known), max(known)
    return f"{low:.4f}" if low == high else f"{low:.4f} to {high:.4f}"


def _show_random(rows: list[dict[str, Any]]) -> None:
    print("| family | systems | held-out 1.0 | at least 0.99 | mean | do nothing |")
    print("|---|---|---|---|---|---|")
    groups = [(f, [r for r in rows if r["name"].startswith(f)]) for f in FAMILIES]
    for family, own in [*groups, ("all", rows)]:
        if not own:
            continue
        values = [r["held_out"] for r in own]
        exact = sum(v == 1.0 for v in values)
        near = sum(v >= 0.99 for v in values)
        nothing = statistics.mean(r["do_nothing"] for r in own)
        print(
            f"| {family} | {len(own)} | {exact} | {near} | "
            f"{statistics.mean(values):.4f} | {nothing:.4f} |"
        )


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
