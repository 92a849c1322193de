import fcntl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cwm.core.errors import ConfigError
from cwm.runs.kinds import find_runs
from cwm.runs.pruning import Decision, PruneConfig, decide, remove
from cwm.runs.summaries import RunSummary, summarise
from tests.support.run_folders import synthesize_run

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def runs_in(folder: Path) -> list[RunSummary]:
    return [summarise(run) for run in find_runs(folder)]


def going(decisions: list[Decision]) -> set[str]:
    return {one.run.name for one in decisions if one.goes}


@pytest.fixture
def three(tmp_path: Path) -> Path:
    for name, days, held_out in (("a", 30, 1.0), ("b", 20, 0.5), ("c", 10, 0.75)):
        made_at = (NOW - timedelta(days=days)).replace(tzinfo=None)
        synthesize_run(tmp_path / name, held_out=held_out, made_at=made_at)
    return tmp_path


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (PruneConfig(older_than=15.0), {"a", "b"}),
        (PruneConfig(older_than=20.0), {"a"}),
        (PruneConfig(keep_newest=1), {"a", "b"}),
        (PruneConfig(keep_best=1), {"b", "c"}),
        (PruneConfig(keep_best=1, keep_newest=1), {"b"}),
        (PruneConfig(older_than=15.0, keep_best=2), {"b"}),
        (PruneConfig(failed=True), set()),
    ],
)
def test_everything_that_is_given_must_apply(
    three: Path, config: PruneConfig, expected: set[str]
) -> None:
    assert going(decide(runs_in(three), config, now=NOW)) == expected


def test_runs_of_each_environment_are_counted_apart(tmp_path: Path) -> None:
    synthesize_run(tmp_path / "a")
    (tmp_path / "ppo").mkdir()
    (tmp_path / "ppo" / "config.json").write_text(
        '{"learner": "ppo", "policy": "scratch", "seed": 1, "task": {"env": "E"}}'
    )
    decisions = decide(runs_in(tmp_path), PruneConfig(keep_newest=1), now=NOW)
    assert going(decisions) == set()


def test_failed_are_those_without_a_program_interrupted_or_unreadable(
    tmp_path: Path,
) -> None:
    synthesize_run(tmp_path / "good")
    synthesize_run(tmp_path / "none", held_out=None)
    synthesize_run(tmp_path / "stopped", is_finished=False)
    broken = synthesize_run(tmp_path / "broken")
    (broken / "result.json").write_text("{")
    decisions = decide(runs_in(tmp_path), PruneConfig(failed=True), now=NOW)
    # What cannot be read may have been paid for.
    assert going(decisions) == {"none", "stopped"}
    paid = PruneConfig(failed=True, paid=True)
    everything = {"none", "stopped", "broken"}
    assert going(decide(runs_in(tmp_path), paid, now=NOW)) == everything


def test_what_was_paid_for_stays_unless_that_is_said(tmp_path: Path) -> None:
    synthesize_run(tmp_path / "a", llm=("openai:x",))
    (one,) = decide(runs_in(tmp_path), PruneConfig(older_than=0.0), now=NOW)
    assert not one.goes
    assert "--paid" in one.reason
    # Made now, which is after `NOW`.
    late = datetime.now(UTC) + timedelta(days=1)
    paid = PruneConfig(older_than=0.0, paid=True)
    assert going(decide(runs_in(tmp_path), paid, now=late)) == {"a"}


def test_nothing_given_is_refused() -> None:
    with pytest.raises(ConfigError, match="Which runs may go must be said"):
        PruneConfig().check()


@pytest.mark.parametrize(
    "words", [{"keep_best": 0}, {"keep_newest": -1}, {"older_than": -1.0}]
)
def test_settings_that_break_their_rule_are_named(words: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(words))):
        PruneConfig(**words)  # type: ignore[arg-type]


def test_a_removed_run_is_gone_with_its_folder(tmp_path: Path) -> None:
    path = synthesize_run(tmp_path / "a")
    (one,) = runs_in(tmp_path)
    assert remove(one).goes
    assert not path.exists()


def test_files_of_others_stay_with_their_folder(tmp_path: Path) -> None:
    path = synthesize_run(tmp_path / "a")
    (path / "notes").mkdir()
    (path / "notes" / "mine.txt").write_text("x")
    (one,) = runs_in(tmp_path)
    assert remove(one).reason == "1 file stays that no command of ours writes"
    assert [p.name for p in path.rglob("*")] == ["notes", "mine.txt"]


def test_a_link_is_removed_and_not_what_it_points_to(tmp_path: Path) -> None:
    kept = tmp_path / "kept.npz"
    path = synthesize_run(tmp_path / "runs" / "a")
    (path / "dataset.npz").rename(kept)
    (path / "dataset.npz").symlink_to(kept)
    (path / "mcp").symlink_to(tmp_path)
    (one,) = runs_in(tmp_path / "runs")
    remove(one)
    assert kept.is_file()
    assert [p.name for p in path.iterdir()] == ["mcp"]


def test_a_run_that_began_to_write_meanwhile_stays(tmp_path: Path) -> None:
    path = synthesize_run(tmp_path / "a", is_finished=False)
    (one,) = runs_in(tmp_path)
    assert going(decide([one], PruneConfig(failed=True), now=NOW)) == {"a"}
    with (path / "journal.jsonl").open("rb") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        assert remove(one).reason == "it is running"
    assert (path / "config.json").is_file()
