"""What a journal says of an induction is what the induction did."""

from dataclasses import replace
from pathlib import Path

import pytest

from cwm.core.errors import DataError
from cwm.core.journal import Journal, Record, read_journal
from cwm.execution.progress import SilentProgress
from cwm.providers.hypotheses.config import InductionConfig, InferenceConfig, Method
from cwm.providers.hypotheses.experimenters.rewards import make_reward
from cwm.providers.hypotheses.roles import Assignment
from cwm.providers.hypotheses.search.inference import Inference
from cwm.providers.hypotheses.search.keeping import RunFiles
from cwm.providers.hypotheses.search.loop import InductionLoop, Phase
from cwm.providers.hypotheses.search.recording import JournalRecorder
from cwm.providers.hypotheses.search.retracing import RetracedPhase, retrace
from cwm.providers.hypotheses.worlds import WORLDS
from tests.support.stand_in_roles import HashScientist, HashStatistician, Walker

SEED = 7
SETTINGS = InferenceConfig(
    phases=3, iterations=2, chains=2, trajectories=4, subset=3, trajectory_steps=2
)
METHODS: tuple[Method, ...] = ("metropolis", "metropolis-hastings", "importance")


def run(
    folder: Path, settings: InferenceConfig = SETTINGS, first: tuple[str, ...] = ()
) -> tuple[Phase, ...]:
    config = InductionConfig(inference=settings, first=first)
    statistician = HashStatistician()
    with Journal(folder / "journal.jsonl") as journal:
        recorder = JournalRecorder(journal)
        return InductionLoop(
            config,
            world=WORLDS["playground"],
            experimenter=Walker(),
            inference=Inference(
                settings,
                statistician=statistician,
                scientist=HashScientist(),
                seed=SEED,
                recorder=recorder,
            ),
            statistician=statistician,
            reward=make_reward(config.curiosity),
            recorder=recorder,
            files=RunFiles(folder),
            seed=SEED,
            progress=SilentProgress(),
        ).run()


def records(folder: Path) -> tuple[Record, ...]:
    return read_journal(folder / "journal.jsonl").records


def retraced(
    folder: Path,
    found: tuple[Record, ...],
    settings: InferenceConfig = SETTINGS,
    *,
    first: tuple[str, ...] = (),
    seed: int = SEED,
) -> tuple[RetracedPhase, ...]:
    return retrace(found, RunFiles(folder), settings=settings, first=first, seed=seed)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_steps_are_made_again(tmp_path: Path, method: Method) -> None:
    settings = replace(SETTINGS, method=method)
    phases = run(tmp_path, settings)
    found = retraced(tmp_path, records(tmp_path), settings)
    assert [one.steps for one in found] == [one.steps for one in phases]
    bests = [one.outcome.best for one in found if one.outcome is not None]
    assert bests == [one.best for one in phases]
    assert any(step.is_accepted for one in found for step in one.steps)
    assert [list(map(len, one.data)) for one in found] == [[2, 2, 2]] * 4
    assert [len(one.collected) for one in found] == [4] * 4


def test_chains_begin_each_phase_with_what_they_had_on_its_data(tmp_path: Path) -> None:
    run(tmp_path, first=("a rule", ""))
    first, second, *_ = retraced(tmp_path, records(tmp_path), first=("a rule", ""))
    assert first.outcome is not None
    assert [one.hypothesis for one in first.outcome.particles] == ["a rule", None]
    for step, old in zip(second.steps[:2], second.begin, strict=True):
        # Flat prior, temperature 1: the ratio is the difference of likelihoods.
        assert step.log_ratio == pytest.approx(step.weighed.total - old.total)
        assert step.log_draw is not None
        assert step.is_accepted == (step.log_draw < step.log_ratio)


@pytest.mark.parametrize("method", METHODS)
def test_a_journal_that_ends_anywhere_has_the_beginning(
    tmp_path: Path, method: Method
) -> None:
    settings = replace(SETTINGS, method=method)
    run(tmp_path, settings)
    every = records(tmp_path)
    whole = [step for one in retraced(tmp_path, every, settings) for step in one.steps]
    longest = 0
    for number in range(len(every)):
        found = retraced(tmp_path, every[:number], settings)
        steps = [step for one in found for step in one.steps]
        assert steps == whole[: len(steps)]
        assert len(steps) >= longest
        assert all(one.outcome is not None for one in found[:-1])
        longest = len(steps)
    assert longest >= len(whole) - 4


def test_another_seed_decides_otherwise(tmp_path: Path) -> None:
    """The decisions are not in the journal: they depend on the seed of the run."""
    run(tmp_path, replace(SETTINGS, likelihood_temperature=50.0))
    warm = replace(SETTINGS, likelihood_temperature=50.0)
    own, other = (
        [
            step.log_draw
            for one in retraced(tmp_path, records(tmp_path), warm, seed=seed)
            for step in one.steps
        ]
        for seed in (SEED, SEED + 1)
    )
    assert own != other


def test_a_journal_of_other_settings_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(DataError, match="not of a run with these settings"):
        retraced(tmp_path, records(tmp_path), replace(SETTINGS, chains=1))


def test_trajectories_that_were_changed_are_refused(tmp_path: Path) -> None:
    run(tmp_path)
    files = RunFiles(tmp_path)
    files.keep(1, Walker().collect(_assignment()))
    with pytest.raises(DataError, match="not what the run has written"):
        retraced(tmp_path, records(tmp_path))


def _assignment() -> Assignment:
    return Assignment(
        phase=1, progress=0.0, hypothesis=None, num_trajectories=1, seed=0
    )
