"""Everything that a page knows of a run of `cwm.ppo train`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from cwm.agents.runs import PolicyFolder, PolicyRunConfig, read_lines
from cwm.pages.contests import evaluation_view, find_evaluations, split_given
from cwm.pages.plans import find_plans, plan_views
from cwm.pages.reading import UNFINISHED, files_signature, made_with
from cwm.pages.settings import flat_settings
from cwm.providers.policies.learning.training import RECENT
from cwm.report.policies import TrainingReport, spread

MAX_POINTS = 400
"""Longer logs are put together in as many groups of updates."""

MAX_ROWS = 20
"""Updates in the table of the training."""

MAX_PROBES = 200
"""Moments of training at which the fixed prompts are shown."""

NEWEST_DRRN = 100
"""Episodes over which the DRRN's success is averaged."""

WHOLE = (
    *("update", "num_frames", "num_episodes", "seconds"),
    *("success_rate", "mean_return", "mean_length"),
)
"""Figures that are of all that was before, or of many episodes; others are of an
update, and averaged over groups of them."""

POLICIES = {
    "scratch": "a small transformer that began knowing nothing, no language model",
    "symbolic": "a small network that sees minigrid's symbols, no language model",
}
"""What the policies are that are named by a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyReader:
    """Reads the folder of a run of `cwm.ppo train`, also while it goes on.

    Attributes:
        path: The folder.
        name: What the page calls the run.
        plans: Files and folders of `cwm.ppo evaluate` and `cwm.plan` besides what lies
            in it.
    """

    path: Path
    name: str
    plans: tuple[Path, ...] = ()

    @property
    def group(self) -> str:
        """Which runs it can be compared with."""
        return "cwm.ppo train"

    def signature(self) -> str:
        """Returns a text that changes when the run's page does."""
        folder = PolicyFolder(self.path)
        evaluations, plans = self._results()
        files = (folder.log, folder.probabilities, folder.result, folder.config)
        return files_signature([*files, *evaluations, *plans])

    def read(self) -> dict[str, Any]:
        """Returns all that a page shows of the run, as plain data.

        Raises:
            ConfigError: If a setting of the run is wrong.
            DataError: If a file of the run cannot be read.
        """
        folder = PolicyFolder(self.path)
        config = folder.read_config()
        log = folder.read_log()
        result = folder.read_json(folder.result) if folder.result.exists() else None
        evaluations, plans = self._results()
        report = TrainingReport(
            policy=config.name,
            environment=config.task.id,
            seed=config.seed,
            log=tuple(log),
        )
        return {
            "name": self.name,
            "kind": "policy",
            "environment": config.task.id,
            "seed": config.seed,
            "policy": config.policy,
            "about": POLICIES.get(config.policy, ""),
            "learner": config.learner,
            "status": _status(config, report, result),
            "last": dict(report.last),
            "best": report.best and dict(report.best),
            "sample_efficiency": report.sample_efficiency,
            "frames_per_s": report.frames_per_s,
            "success": newest_success(config, report.last),
            "curves": grouped(log),
            "rows": [log[at] for at in spread(len(log), MAX_ROWS)],
            "probes": _probes(read_lines(folder.probabilities)),
            "evaluations": [
                evaluation_view(path, run=self.path) for path in evaluations
            ],
            "program": _program(folder),
            "notes": [] if result is None else result["notes"],
            "next": [] if result is None else result["next"],
            "settings": flat_settings(config.to_json()),
            "made_with": made_with(folder),
            "plans": plan_views(plans),
        }

    def _results(self) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
        evaluations, others = split_given(self.plans)
        return (
            find_evaluations(self.path, evaluations),
            find_plans(self.path, others),
        )


def newest_success(
    config: PolicyRunConfig, last: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Returns the share of successes among the newest episodes, with its interval.

    By Wilson's score, as in evaluations; the episodes are those that were learned
    from. `None` before one has ended, or if the learner does not know.

    Args:
        config: The settings.
        last: What was known after the last update.
    """
    rate = last.get("success_rate")
    if rate is None:
        return None
    window = NEWEST_DRRN if config.learner == "drrn" else RECENT
    number = min(window, int(last["num_episodes"]))
    interval = binomtest(round(rate * number), number).proportion_ci(method="wilson")
    return {
        "rate": rate,
        "low": float(interval.low),
        "high": float(interval.high),
        "num_episodes": number,
    }


def grouped(
    log: Sequence[Mapping[str, Any]], *, max_points: int = MAX_POINTS
) -> dict[str, list[Any]]:
    """Returns each figure of a log over the updates, which are put together in groups.

    Args:
        log: A line for each update.
        max_points: Most groups; each has as many updates, but the last.

    Returns:
        Figure -> a value for each group, that after its last update or the mean of all
        (`WHOLE`); `None` where it is not known.
    """
    size = max(1, -(-len(log) // max_points))
    groups = [log[at : at + size] for at in range(0, len(log), size)]
    names = dict.fromkeys(name for line in log for name in line)
    return {name: [_of_group(group, name) for group in groups] for name in names}


def _of_group(group: Sequence[Mapping[str, Any]], name: str) -> Any:
    known = [line[name] for line in group if line.get(name) is not None]
    if not known:
        return None
    if name in WHOLE:
        return known[-1]
    return float(f"{sum(known) / len(known):.6g}")


def _probes(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Returns what the network said of fixed prompts, over the frames."""
    if not lines:
        return None
    kept = [lines[at] for at in spread(len(lines), MAX_PROBES)]
    goals = lines[0]["goals"]
    return {
        "goals": list(goals),
        "actions": list(lines[0]["actions"]),
        "frames": [one["num_frames"] for one in kept],
        "probabilities": [
            [one["probabilities"][prompt] for one in kept]
            for prompt in range(len(goals))
        ],
        "values": [
            [one["values"][prompt] for one in kept] for prompt in range(len(goals))
        ],
    }


def _program(folder: PolicyFolder) -> str | None:
    """Returns the world model that it learned in, if it was none of the real."""
    path = folder.world_model
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _status(
    config: PolicyRunConfig, report: TrainingReport, result: Mapping[str, Any] | None
) -> dict[str, Any]:
    if result is None:
        return dict(UNFINISHED)
    rate = report.last.get("success_rate")
    if config.stop_at is not None and rate is not None and rate >= config.stop_at:
        return {
            "state": "finished",
            "sentence": f"{config.stop_at:.0%} of the newest episodes succeeded",
        }
    what = "demonstrations" if config.learner == "cloning" else "frames"
    return {"state": "finished", "sentence": f"all {what} were learned from"}
