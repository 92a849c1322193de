"""The loop: who is told what, and that a run broken off anywhere ends the same."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cwm.core.errors import DataError
from cwm.core.journal import Journal, comparable, encode_record, read_journal
from cwm.core.protocols import FloatArray
from cwm.execution.progress import SilentProgress
from cwm.providers.hypotheses.config import (
    CuriosityConfig,
    InductionConfig,
    InferenceConfig,
)
from cwm.providers.hypotheses.experimenters.rewards import make_reward
from cwm.providers.hypotheses.roles import Assignment
from cwm.providers.hypotheses.search.inference import Inference
from cwm.providers.hypotheses.search.keeping import RunFiles, all_trajectories
from cwm.providers.hypotheses.search.loop import InductionLoop, Phase
from cwm.providers.hypotheses.search.recording import JournalRecorder
from cwm.providers.hypotheses.texts import TextTrajectory
from cwm.providers.hypotheses.worlds import WORLDS
from tests.support.stand_in_roles import (
    HashScientist,
    HashStatistician,
    Walker,
    trajectory,
)

CONFIG = InductionConfig(
    inference=InferenceConfig(phases=4, iterations=2, trajectories=4, subset=3),
    curiosity=CuriosityConfig(reward="alpexp"),
)


class Learner(Walker):
    """A walker whose trajectories depend on all rewards that it was given."""

    name = "learner"

    def __init__(self) -> None:
        super().__init__()
        self.learned = 0.0
        self.num_collected = 0

    def collect(self, assignment: Assignment) -> tuple[TextTrajectory, ...]:
        self.num_collected += 1
        return tuple(
            trajectory(f"{assignment.seed}-{self.learned!r}-{index}", index + 1)
            for index in range(assignment.num_trajectories)
        )

    def learn(self, rewards: list[FloatArray]) -> dict[str, float]:
        self.learned += float(np.concatenate(rewards).sum())
        return {"learned": self.learned}

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(self.learned))

    def load(self, path: Path) -> None:
        self.learned = json.loads(path.read_text())


def run(
    folder: Path,
    *,
    experimenter: Walker | None = None,
    config: InductionConfig = CONFIG,
    statistician: HashStatistician | None = None,
) -> tuple[Phase, ...]:
    folder.mkdir(exist_ok=True)
    statistician = statistician or HashStatistician()
    with Journal(folder / "journal.jsonl") as journal:
        recorder = JournalRecorder(journal)
        return InductionLoop(
            config,
            world=WORLDS["playground"],
            experimenter=experimenter or Walker(),
            inference=Inference(
                config.inference,
                statistician=statistician,
                scientist=HashScientist(),
                seed=7,
                recorder=recorder,
            ),
            statistician=statistician,
            reward=make_reward(config.curiosity),
            recorder=recorder,
            files=RunFiles(folder),
            seed=7,
            progress=SilentProgress(),
        ).run()


def test_the_experimenter_is_told_the_best_hypothesis_before_each_phase(
    tmp_path: Path,
) -> None:
    walker = Walker()
    phases = run(tmp_path, experimenter=walker)
    told = [one.hypothesis for one in walker.assignments]
    assert told == [None, *(phase.best.hypothesis for phase in phases[:-1])]
    assert [one.progress for one in walker.assignments] == [0, 0, 0.25, 0.5, 0.75]
    assert len({one.seed for one in walker.assignments}) == 5


def test_only_the_end_of_the_list_is_looked_at(tmp_path: Path) -> None:
    """Trajectories of 1, 2, 3 and 4 steps: the last three, at most three steps each."""
    inference = replace(CONFIG.inference, trajectory_steps=3)
    phases = run(tmp_path, config=replace(CONFIG, inference=inference))
    for phase in phases:
        assert sum(phase.collected.values()) == 1 + 2 + 3 + 4
        assert sum(phase.looked_at.values()) == 2 + 3 + 3


def test_all_that_was_collected_is_kept(tmp_path: Path) -> None:
    run(tmp_path)
    kept = all_trajectories(tmp_path)
    assert len(kept) == 5 * 4
    assert sum(map(len, kept)) == 5 * 10


@pytest.mark.parametrize("kind", [Walker, Learner])
def test_a_run_broken_off_anywhere_ends_the_same(
    tmp_path: Path, kind: type[Walker]
) -> None:
    whole = run(tmp_path / "whole", experimenter=kind())
    records = read_journal(tmp_path / "whole" / "journal.jsonl").records
    assert len(records) > 20
    for number in range(len(records) + 1):
        folder = tmp_path / f"broken at {number}"
        _run_until(folder, number, kind())
        assert run(folder, experimenter=kind()) == whole
        found = read_journal(folder / "journal.jsonl").records
        assert comparable(found) == comparable(records)


class BrokenOffError(Exception):
    """The run ends here."""


def _run_until(folder: Path, number: int, experimenter: Walker) -> None:
    """Runs, and breaks off when so many records are written."""
    append = Journal.append

    def counted(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        if (self.last.index if self.last else 0) >= number:
            raise BrokenOffError
        return append(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "append", counted)
        with contextlib.suppress(BrokenOffError):
            run(folder, experimenter=experimenter)


def test_nothing_that_is_recorded_is_asked_again(tmp_path: Path) -> None:
    learner, statistician = Learner(), HashStatistician()
    run(tmp_path, experimenter=learner, statistician=statistician)
    assert statistician.num_scored > 0
    again, asked = Learner(), HashStatistician()
    run(tmp_path, experimenter=again, statistician=asked)
    assert asked.num_scored == 0
    assert again.num_collected == 0
    assert again.learned == learner.learned


def test_an_experimenter_that_does_not_do_the_same_again_is_refused(
    tmp_path: Path,
) -> None:
    # 3 records of phase 0, then what phase 1 has collected.
    _run_until(tmp_path, 4, Learner())
    changed = Learner()
    changed.learned = 1.0
    with pytest.raises(DataError, match="must do the same again"):
        run(tmp_path, experimenter=changed)


def test_a_journal_of_other_settings_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    other = replace(CONFIG, first=("A rule.",))
    with pytest.raises(DataError, match="not of a run with these settings"):
        run(tmp_path, config=other)


def test_trajectories_that_were_changed_are_refused(tmp_path: Path) -> None:
    run(tmp_path)
    RunFiles(tmp_path).keep(2, [trajectory("other", 1)])
    with pytest.raises(DataError, match="not what the run has written"):
        run(tmp_path)


def test_a_damaged_file_of_trajectories_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    path = RunFiles(tmp_path).trajectories(3)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match="cannot be read"):
        run(tmp_path)


def test_records_have_the_time_that_they_took(tmp_path: Path) -> None:
    run(tmp_path)
    for record in read_journal(tmp_path / "journal.jsonl").records:
        assert record.clock["seconds"] >= 0
        assert encode_record(record)
