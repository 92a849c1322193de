"""Hypothesis induction as a search of a suite."""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwm.benchmark.induction import (
    DEFAULT,
    EVALUATION,
    has_stand_ins,
    induced_in,
    induction_named,
    quick_induction,
    roles_with,
)
from cwm.benchmark.measures import impossible_lines
from cwm.benchmark.rows import RunMetrics, baseline_metrics
from cwm.benchmark.rules import RULES, rules_metrics
from cwm.core.errors import ConfigError
from cwm.core.protocols import FloatArray
from cwm.evaluation.model_predictions import BatchLikelihood
from cwm.evaluation.nearest import NEAREST_NEIGHBOUR
from cwm.execution.progress import SilentProgress
from cwm.induction import RUN_PRESETS, InductionRunConfig
from cwm.proposers.config import LanguageModelConfig
from cwm.providers.hypotheses.making import RoleConfig
from cwm.providers.hypotheses.models.readings import reading_of
from cwm.providers.hypotheses.models.world_model import HypothesisWorldModel
from cwm.providers.hypotheses.texts import TextTransition
from cwm.sources import Source
from cwm.suites.benchmark_task import quick
from cwm.suites.tasks import tasks
from envs.collect import collect
from envs.playground.texts import NO_ACTION, WORDINGS
from envs.spec import EnvSpec
from tests.support.rules_statistician import UNLIKELY, true_change

ENDPOINT = LanguageModelConfig(llm=("openai:some",), base_url="http://localhost:1/v1")


def test_settings_are_a_preset_or_a_file(tmp_path: Path) -> None:
    assert induction_named(None) == DEFAULT
    preset = induction_named("play_metropolis_cp")
    assert preset.induction == RUN_PRESETS["play_metropolis_cp"].induction
    assert preset.evaluation == EVALUATION
    file = tmp_path / "config.json"
    file.write_text('{"induction": {"experimenter": "random"}}')
    found = induction_named(str(file))
    assert found.induction.experimenter == "random"
    assert found.evaluation == EVALUATION
    with pytest.raises(ConfigError, match=r"a JSON file or one of .*, got 'play'\."):
        induction_named("play")


def test_a_quick_run_has_few_phases_and_never_more() -> None:
    assert quick_induction(DEFAULT).induction.inference.phases == 2
    induction = DEFAULT.induction
    none = replace(induction, inference=replace(induction.inference, phases=0))
    assert quick_induction(replace(DEFAULT, induction=none)).induction == none


def test_the_model_of_the_programs_takes_the_roles_if_no_other_is_named() -> None:
    found = roles_with(RoleConfig(), ENDPOINT)
    assert (found.llm, found.base_url) == ("openai:some", "http://localhost:1/v1")
    own = RoleConfig(statistician_llm="gguf:file", scientist_llm="openai:x")
    assert roles_with(own, ENDPOINT) == own
    assert roles_with(RoleConfig(), LanguageModelConfig()) == RoleConfig()
    several = LanguageModelConfig(llm=("openai:a", "openai:b"))
    with pytest.raises(ConfigError, match="with one --llm, got 2"):
        roles_with(RoleConfig(), several)
    assert not has_stand_ins(found)
    assert not has_stand_ins(own)
    assert has_stand_ins(RoleConfig())
    assert has_stand_ins(RoleConfig(scientist_llm="openai:x"))


def small() -> InductionRunConfig:
    config = quick_induction(DEFAULT)
    induction = config.induction
    inference = replace(induction.inference, iterations=1, trajectory_steps=5)
    return replace(config, induction=replace(induction, inference=inference))


def test_a_run_is_made_continued_and_then_taken_as_it_is(tmp_path: Path) -> None:
    config, progress = small(), SilentProgress()
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    made = induced_in(whole, config, progress)
    assert made["stand_ins"] == ["statistician", "scientist"]
    induced_in(broken, config, progress)
    lines = (broken / "journal.jsonl").read_text().splitlines(keepends=True)
    (broken / "journal.jsonl").write_text("".join(lines[: len(lines) // 2]))
    for name in ("result.json", "hypotheses.json"):
        (broken / name).unlink()
    found = induced_in(broken, config, progress)
    assert (found["best"], found["scores"]) == (made["best"], made["scores"])
    marked = made | {"best": "taken from the file"}
    (whole / "result.json").write_text(json.dumps(marked))
    assert induced_in(whole, config, progress)["best"] == "taken from the file"
    with pytest.raises(ConfigError, match=r"must hold runs with the settings given"):
        induced_in(whole, replace(config, seed=7), progress)


class Knowing:
    """Knows what comes of every action, of those that are not legal, too."""

    name = "knowing"
    is_stand_in = True

    def log_probs(
        self, hypothesis: str | None, transitions: Sequence[TextTransition]
    ) -> FloatArray:
        nothing = WORDINGS["original"].nothing
        truths = (
            nothing if one.action == NO_ACTION else true_change(one.state, one.action)
            for one in transitions
        )
        return np.array(
            [
                0.0 if one.change == truth else UNLIKELY
                for one, truth in zip(transitions, truths, strict=True)
            ]
        )


class RightRules:
    """Rules as a model that is not yet open, with a statistician that knows all."""

    name = "right"
    environment_id = "cwm/Playground-v0"

    def check(self, spec: EnvSpec, *, num_processes: int = 1) -> None:
        """Always one."""

    def open(self, spec: EnvSpec) -> AbstractContextManager[HypothesisWorldModel]:
        reading = reading_of("playground", reward="growth")
        return nullcontext(HypothesisWorldModel(Knowing(), reading))

    def to_json(self) -> dict[str, Any]:
        return {}


@pytest.fixture(scope="module")
def source() -> Source:
    task = quick(tasks("words", 0)[0])
    spec = task.spec()
    return Source(dataset=collect(spec, task.collect, seed=0), spec=spec)


def test_rules_are_measured_as_programs_are_on_what_these_do_not_see(
    source: Source,
) -> None:
    baselines = baseline_metrics(source)
    found = rules_metrics(RightRules(), source, baselines=baselines, seed=0)
    assert [row.name for row in found.rows] == [RULES, *(r.name for r in baselines)]
    (row,) = [row for row in found.rows if row.name == RULES]
    # Nothing is said of transitions for training, from which it has not learned.
    assert set(row.metrics) == set(found.likelihoods) == {"held_out"}
    parts = {
        one.name: metrics.score.part_accuracy
        for one in found.rows
        if (metrics := one.metrics["held_out"]) is not None
    }
    assert parts[RULES]["reward"] == parts[RULES]["terminated"] == 1.0
    # What is seen does not show where a held object goes, nor all legal actions.
    nearest = parts[NEAREST_NEIGHBOUR]["observation"]
    assert parts[RULES]["observation"] > 0.9 > nearest
    assert parts[RULES]["legal_actions"] < 0.9
    assert (row.strict("held_out") or 0.0) < 0.9
    likelihood = found.likelihoods["held_out"]
    assert likelihood.num_transitions == source.dataset.num_transitions["held_out"]
    again = RunMetrics.from_json(json.loads(json.dumps(found.to_json())))
    assert again.likelihoods == found.likelihoods
    assert [r.strict("held_out") for r in again.rows] == [
        r.strict("held_out") for r in found.rows
    ]


def test_without_rules_the_baselines_stand_alone(source: Source) -> None:
    found = rules_metrics(None, source, baselines=baseline_metrics(source), seed=0)
    assert RULES not in [row.name for row in found.rows]
    assert found.likelihoods == {}


def test_what_is_held_to_be_impossible_is_told_beside_the_mean() -> None:
    found = {
        split: BatchLikelihood(mean=-1.0, num_impossible=number, num_transitions=1_000)
        for split, number in (("held_out", 0), ("planner", 3))
    }
    metrics = RunMetrics(rows=(), calls_to_first_strict=None, likelihoods=found)
    (line,) = impossible_lines(metrics)
    assert line.startswith("3 of 1,000 planner-visited transitions are held to be")


def test_metrics_that_were_kept_before_there_were_likelihoods_can_be_read() -> None:
    assert RunMetrics.from_json({"rows": [], "calls_to_first_strict": None}) == (
        RunMetrics(rows=(), calls_to_first_strict=None)
    )
