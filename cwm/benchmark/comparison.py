"""Searches beside each other: same data, same proposer, same number of calls."""

import hashlib
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cwm.config import RunConfig, SourceConfig
from cwm.core.dataset_file import save_dataset
from cwm.core.errors import ConfigError
from cwm.core.names import slug
from cwm.execution.progress import Progress
from cwm.execution.run_folder import RunFolder
from cwm.opening import result_in
from cwm.report.comparisons import ComparisonReport, SearchRow, best_strict
from cwm.sources import obtain
from mcts.registry import SearchName

STAND_INS = ("scripted:", "replay:")
"""Models that answer from a file: their numbers say nothing about a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is compared.

    Attributes:
        environments: Gymnasium ids.
        searches: Names of the searches.
        seeds: Each is one run of each search, with data collected with that seed.
        config: All other settings, the same for all.
        folder: Where the runs go; finished ones that are there are taken as they are,
            others are continued.
    """

    environments: tuple[str, ...]
    searches: tuple[SearchName, ...]
    seeds: tuple[int, ...]
    config: RunConfig
    folder: Path

    def __post_init__(self) -> None:
        for name in ("environments", "searches", "seeds"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ConfigError(
                    f"{name} must name at least one, each once, got {values}."
                )

    def run(self, progress: Progress) -> ComparisonReport:
        """Makes the runs that are missing and returns the table of all of them.

        Raises:
            CwmError: If a run failed; the comparison can be started again.
        """
        rows = []
        for environment in self.environments:
            for search in self.searches:
                reports = [
                    self._report(environment, search, seed, progress)
                    for seed in self.seeds
                ]
                rows.append(_row(environment, search, reports))
        return ComparisonReport(
            rows=tuple(rows),
            seeds=self.seeds,
            made_by=reports[-1]["made_by"],
            is_stand_in=any(
                llm.startswith(STAND_INS) for llm in self.config.models.llm
            ),
            folder=self.folder,
        )

    def _report(
        self, environment: str, search: SearchName, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """Returns the result of one run, made now if it is not there."""
        path = self.folder / slug(environment) / f"{search}-{seed}"
        data = self._data(environment, seed, progress)
        config = replace(
            self.config,
            source=SourceConfig(data=str(data)),
            seed=seed,
            tree=self.config.tree.of(search),
        )
        is_new = not RunFolder(path).result.exists()
        report = result_in(path, config, progress)
        if is_new:
            progress.event(
                f"{environment}, {search}, seed {seed}: {report['num_calls']} calls, "
                f"{best_strict(report, 'held_out'):.4f} held-out"
            )
        return report

    def _data(self, environment: str, seed: int, progress: Progress) -> Path:
        """Returns the transitions that all searches share, collected if need be."""
        source = replace(self.config.source, env=environment, data=None)
        text = json.dumps(asdict(source), sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        path = self.folder / "data" / f"{slug(environment)}-{seed}-{digest}.npz"
        if not path.exists():
            dataset = obtain(source, seed=seed, progress=progress).dataset
            path.parent.mkdir(parents=True, exist_ok=True)
            save_dataset(dataset, path)
        return path


def _row(environment: str, search: str, reports: Sequence[dict[str, Any]]) -> SearchRow:
    return SearchRow(
        environment=environment,
        search=search,
        held_out=tuple(best_strict(report, "held_out") for report in reports),
        train=tuple(best_strict(report, "train") for report in reports),
        num_calls=tuple(int(report["usage"]["calls"]) for report in reports),
        num_perfect=sum(report["stopped_by"] == "perfect" for report in reports),
        num_bugs=sum(
            round(report["tree"]["bug_fraction"] * report["tree"]["num_nodes"])
            for report in reports
        ),
        num_repeated=sum(int(report["num_repeated"]) for report in reports),
        tokens=sum(
            int(report["usage"][name])
            for report in reports
            for name in ("prompt_tokens", "completion_tokens", "saved_tokens")
        ),
        saved_tokens=sum(int(report["usage"]["saved_tokens"]) for report in reports),
        usd=_sum([report["usage"]["usd"] for report in reports]),
        seconds=statistics.median(
            float(report["usage"]["seconds"]) for report in reports
        ),
    )


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
