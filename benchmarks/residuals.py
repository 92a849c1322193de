"""What is a learned residual worth to programs that lack a rule?

Programs written by a language model, with one rule deleted or changed, and those that
are not exact as they were written. Each is scored strictly as it is, with its constants
fitted, and with a residual on top, beside doing nothing.

    python -m benchmarks.residuals --seeds 0 1 2
    python -m benchmarks.residuals --cases mountain-car-wall
    python -m benchmarks.residuals --show

Each line of `benchmarks/results/residuals.jsonl` is one program on one seed of data;
`--show` prints a table of them, of the latest line of each.
"""

import functools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tyro

from cwm.config import SourceConfig
from cwm.core.trajectories import Dataset, Split
from cwm.execution.progress import SilentProgress
from cwm.execution.provenance import environment_report
from cwm.programs.accuracy import score_predictions
from cwm.programs.constants.config import FitConfig
from cwm.programs.constants.fitting import ConstantFitter
from cwm.programs.evaluation import ProgramEvaluator, open_sandbox
from cwm.programs.residual.config import ResidualConfig
from cwm.programs.residual.correcting import ResidualLearner
from cwm.report.scores import do_nothing
from cwm.scoring import make_task
from cwm.sources import obtain
from envs.collect import CollectConfig
from sandbox.limits import Limits
from sandbox.pool import Sandbox

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "residuals.jsonl"
PROGRAMS = HERE / "data" / "model_written"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A program that lacks a rule.

    Attributes:
        env: Environment.
        program: File of the program.
        what: What was changed, for people.
        old: Text that is replaced; the program is as it was written if empty.
        new: What stands there instead.
        num_trajectories: How much data: walls and ends are rare in some.
    """

    env: str
    program: str
    what: str
    old: str = ""
    new: str = ""
    num_trajectories: int = 40

    def source(self) -> str:
        """Returns the program.

        Raises:
            ValueError: If the text to replace is not there once.
        """
        text = (PROGRAMS / f"{self.program}.py").read_text(encoding="utf-8")
        if not self.old:
            return text
        if text.count(self.old) != 1:
            raise ValueError(f"{self.old!r} must stand once in {self.program}.")
        return text.replace(self.old, self.new)


def _mountain_car(what: str, old: str, new: str) -> Case:
    return Case(
        env="MountainCar-v0",
        program="MountainCar",
        what=what,
        old=old,
        new=new,
        num_trajectories=150,
    )


def _pendulum(what: str, old: str, new: str) -> Case:
    return Case(env="Pendulum-v1", program="Pendulum", what=what, old=old, new=new)


def _cart_pole(what: str, old: str, new: str) -> Case:
    return Case(env="CartPole-v1", program="CartPole", what=what, old=old, new=new)


def _acrobot(what: str, old: str, new: str) -> Case:
    return Case(env="Acrobot-v1", program="Acrobot", what=what, old=old, new=new)


CASES = {
    "mountain-car-stop": _mountain_car(
        "the wall does not stop the car",
        "            velocity = 0.0\n",
        "            pass\n",
    ),
    "mountain-car-wall": _mountain_car(
        "there is no wall",
        "        position = min(max(position, self.min_position), self.max_position)\n",
        "",
    ),
    "mountain-car-end": _mountain_car(
        "there is no goal",
        "position >= self.goal_position and velocity >= self.goal_velocity",
        "False",
    ),
    "mountain-car-force": _mountain_car(
        "actions do nothing", "(action - 1) * self.force + ", ""
    ),
    "mountain-car-slope": _mountain_car(
        "the road is flat", " + math.cos(3 * position) * (-self.gravity)", ""
    ),
    "pendulum-speed": _pendulum(
        "speed has no limit",
        "        new_thdot = float(np.clip(new_thdot, "
        "-self.max_speed, self.max_speed))\n",
        "",
    ),
    "pendulum-effort": _pendulum(
        "effort costs nothing", "            + 0.001 * (u ** 2)\n", ""
    ),
    "pendulum-hurry": _pendulum(
        "speed costs nothing", "            + 0.1 * thdot ** 2\n", ""
    ),
    "pendulum-angle": _pendulum(
        "the angle in the cost is not wrapped",
        "self._angle_normalize(th) ** 2",
        "(th % (2 * np.pi)) ** 2",
    ),
    "cart-pole-friction": _cart_pole(
        "a friction that is not there",
        "- self.polemass_length * thetaacc * costheta / self.total_mass",
        "- self.polemass_length * thetaacc * costheta / self.total_mass - 0.5 * x_dot",
    ),
    "cart-pole-spin": _cart_pole(
        "the spin of the pole does not push",
        "force + self.polemass_length * theta_dot ** 2 * sintheta",
        "force",
    ),
    "cart-pole-fall": _cart_pole(
        "a fall to the right is no end",
        "            or theta > self.theta_threshold_radians\n",
        "",
    ),
    "acrobot-reward": _acrobot(
        "the end has the usual reward",
        "reward = 0.0 if terminated else -1.0",
        "reward = -1.0",
    ),
    "swimmer": Case(
        env="Swimmer-v4",
        program="Swimmer",
        what="as it was written",
        num_trajectories=10,
    ),
    "half-cheetah": Case(
        env="HalfCheetah-v4",
        program="HalfCheetah",
        what="as it was written",
        num_trajectories=10,
    ),
}


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        cases: Which programs.
        seeds: Seeds of data, fit and residual.
        fit: Settings of the fit.
        residual: Settings of the residual.
        output: File that one line per program is appended to; none if empty.
        show: Only print the table of the results file.
    """

    cases: tuple[str, ...] = tuple(CASES)
    seeds: tuple[int, ...] = (0,)
    fit: FitConfig = field(default_factory=FitConfig)
    residual: ResidualConfig = field(default_factory=ResidualConfig)
    output: str = str(RESULTS)
    show: bool = False


def main(config: BenchmarkConfig) -> None:
    """Corrects every program, or shows the results."""
    if config.show:
        print("\n".join(table(Path(config.output))))
        return
    machine = environment_report()
    with open_sandbox(limits=Limits(wall_s=120.0)) as sandbox:
        for name in config.cases:
            for seed in config.seeds:
                line = {
                    "case": name,
                    "env": CASES[name].env,
                    "what": CASES[name].what,
                    "seed": seed,
                    **measure(CASES[name], sandbox, config, seed),
                    "machine": machine,
                }
                strict = line["strict"]["held_out"]
                print(f"{name} seed {seed} {strict} {line['seconds']} s", flush=True)
                for term in line["terms"]:
                    print(f"    {term['text']}", flush=True)
                if config.output:
                    with Path(config.output).open("a", encoding="utf-8") as file:
                        file.write(json.dumps(line, sort_keys=True) + "\n")


def measure(
    case: Case, sandbox: Sandbox, config: BenchmarkConfig, seed: int
) -> dict[str, Any]:
    """Returns the figures of one program."""
    dataset = _data(case.env, case.num_trajectories, seed)
    source = case.source()
    evaluator = ProgramEvaluator(make_task(dataset), sandbox=sandbox, seed=seed)
    start = time.perf_counter()
    fitted = ConstantFitter(
        evaluator.task.train,
        sandbox=sandbox,
        config=config.fit,
        seed=seed,
        tolerances=evaluator.tolerances,
    ).fit(source)
    middle = time.perf_counter()
    found = ResidualLearner(evaluator, config.residual, seed=seed).correct(
        fitted.source
    )
    end = time.perf_counter()
    programs = {"before": source, "fit": fitted.source, "residual": found.source}
    return {
        "strict": {
            split: dict(_strict(evaluator, dataset, split, programs))
            for split in ("train", "held_out")
        },
        "terms": [term for term in found.report.to_json()["terms"]],
        "problems": list(found.report.problems),
        "seconds": {
            "fit": round(middle - start, 2),
            "residual": round(end - middle, 2),
        },
        "num_transitions": dict(dataset.num_transitions),
    }


@functools.cache
def _data(env: str, num_trajectories: int, seed: int) -> Dataset:
    """Returns the transitions of all cases with one environment."""
    collect = CollectConfig(num_trajectories=num_trajectories, max_transitions=30_000)
    config = SourceConfig(env=env, collect=collect)
    return obtain(config, seed=seed, progress=SilentProgress()).dataset


def _strict(
    evaluator: ProgramEvaluator,
    dataset: Dataset,
    split: Split,
    programs: dict[str, str],
) -> Iterator[tuple[str, float]]:
    batch = dataset.batch(split)
    (nothing,) = do_nothing(evaluator.task.train)(batch) or ()
    yield "nothing", score_predictions(nothing, batch, evaluator.tolerances).strict
    for name, source in programs.items():
        score = evaluator.score_on(source, batch).score
        yield name, 0.0 if score is None else score.strict


def table(path: Path) -> Iterator[str]:
    """Yields the lines of a table of the latest lines in a results file."""
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    rows = list({(line["case"], line["seed"]): line for line in lines}.values())
    rows.sort(key=lambda row: (list(CASES).index(row["case"]), row["seed"]))
    commits = {str(row["machine"].get("commit"))[:9] for row in rows}
    yield f"commits {', '.join(sorted(commits))}\n"
    yield (
        "| program | what it lacks | doing nothing | as it is | fitted "
        "| with the residual: train | held-out | terms |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for name in dict.fromkeys(row["case"] for row in rows):
        own = [row for row in rows if row["case"] == name]
        held = [row["strict"]["held_out"] for row in own]
        shown = [
            _spread([one[k] for one in held]) for k in ("nothing", "before", "fit")
        ]
        train = _spread([row["strict"]["train"]["residual"] for row in own])
        whole = _spread([one["residual"] for one in held])
        terms = _numbers([len(row["terms"]) for row in own])
        cells = [own[0]["env"], own[0]["what"], *shown, train, whole, terms]
        yield f"| {' | '.join(cells)} |"


def _spread(values: list[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.4f}" if low == high else f"{low:.4f} to {high:.4f}"


def _numbers(values: list[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
