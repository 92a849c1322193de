from cwm.programs.audit import Audit
from cwm.report.audits import ProgramAudit, audit_lines
from cwm.report.scores import ScoreRow

GOOD = Audit(verdict="consistent", num_alone=12, num_permuted=1300)
BAD = Audit(
    verdict="inconsistent",
    num_alone=12,
    num_permuted=1000,
    num_alone_different=3,
    num_permuted_different=1000,
    failed_check="alone",
    explanation="Inconsistent: ...",
)
LATE = Audit(verdict="timed_out")


def test_a_consistent_program_has_one_line_that_counts_the_checks() -> None:
    audit = ProgramAudit(splits={"train": GOOD, "held_out": GOOD})
    assert (audit.verdict, audit.is_consistent) == ("consistent", True)
    assert audit.lines() == ["audit: consistent (24 run alone; 2,600 in another order)"]


def test_the_split_that_failed_is_named_with_a_warning() -> None:
    audit = ProgramAudit(splits={"train": GOOD, "held_out": BAD})
    assert (audit.verdict, audit.is_consistent) == ("inconsistent", False)
    assert audit.lines() == [
        "audit: inconsistent on held-out transitions "
        "(24 run alone, 3 different; 2,300 in another order, 1,000 different)",
        "warning: what it predicts is not a function of observation and action, so "
        "that it has no score",
    ]


def test_a_program_that_was_too_slow_is_not_accused() -> None:
    audit = ProgramAudit(splits={"train": LATE})
    assert audit.verdict == "timed_out"
    assert audit.lines() == ["audit: timed_out on training transitions"]


def test_what_was_memorised_is_a_warning() -> None:
    audit = ProgramAudit(splits={"train": GOOD}, memorised=("this", "that"))
    assert (audit.verdict, audit.is_consistent) == ("memorised", True)
    assert audit.lines()[1:] == [
        "warning: training transitions may be memorised: this; that"
    ]
    assert audit.to_json()["verdict"] == "memorised"
    assert audit.to_json()["memorised"] == ["this", "that"]


def test_inconsistent_is_worse_than_memorised() -> None:
    audit = ProgramAudit(splits={"train": BAD}, memorised=("this",))
    assert audit.verdict == "inconsistent"


def test_rows_without_an_audit_have_no_line_and_bad_ones_a_title() -> None:
    audit = ProgramAudit(splits={"train": BAD})
    assert audit_lines([("a: ", None)]) == []
    assert audit_lines([("a: ", audit)])[0].startswith("a: audit: inconsistent on")
    row = ScoreRow(name="program", scores={}, audit=audit)
    assert row.title == "program (inconsistent)"
    assert row.to_json()["audit"]["splits"]["train"]["num_alone_different"] == 3
    good = ProgramAudit(splits={"train": GOOD})
    assert ScoreRow(name="program", scores={}, audit=good).title == "program"
    assert ScoreRow(name="program", scores={}).to_json()["audit"] is None
