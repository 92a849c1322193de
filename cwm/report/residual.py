"""What a report says of a learned residual: what the law explains, and what it adds."""

from cwm.programs.accuracy import SplitScore
from cwm.programs.residual.report import ResidualReport
from cwm.report.scores import show_share

LAW = "law alone"
"""What tables call the program without its residual."""


def residual_lines(report: ResidualReport | None) -> list[str]:
    """Returns what the law explains and what the residual adds, for people.

    Nothing if none was asked for; why there is none if nothing was learned.
    """
    if report is None or report.law is None:
        return []
    unexplained = [f"  unexplained: {problem}" for problem in report.problems]
    if not report.terms or report.whole is None:
        return ["residual: none was learned", *unexplained] if unexplained else []
    head = (
        f"residual, no law; learned from {report.num_learned:,} training transitions, "
        f"confirmed on {report.num_held_back:,} others:"
    )
    lines = [head, *(f"  {term.sentence()}" for term in report.terms)]
    if report.is_capped:
        lines.append("  and no more terms than --residual.max-terms allows")
    return [*lines, *_changed(report.law, report.whole), *unexplained]


def _changed(law: SplitScore, whole: SplitScore) -> list[str]:
    """Returns a line for everything, and for each part that differs."""
    shares = {"everything": (law.strict, whole.strict)}
    for name, share in law.part_accuracy.items():
        if whole.part_accuracy[name] != share:
            shares[name] = (share, whole.part_accuracy[name])
    return [
        f"  {name}, train: law {show_share(before)}, law + residual {show_share(after)}"
        for name, (before, after) in shares.items()
    ]
