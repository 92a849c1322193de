"""What tools answer: plain data with a schema, and a short text of each.

The classes have no slots: the schemas are made from their annotations, and slots would
be taken for default values.
"""

from dataclasses import dataclass
from typing import Any

from cwm.programs.accuracy import SplitScore
from cwm.programs.evaluation import Evaluation
from cwm.report.scores import show_share


@dataclass(frozen=True, kw_only=True)
class TaskDescription:
    """What is to be modelled.

    Attributes:
        environment: Its id.
        task: What a program must look like, the environment in words, facts of the
            recorded transitions and some of them.
        observation_space: Space of the observations.
        action_space: Space of the actions.
        is_stochastic: Whether outcomes vary.
        num_transitions: Recorded transitions by split.
        can_plan: Whether `plan` can act in the environment.
        max_source_kib: Longest program, in KiB.
        calls_left: Calls that may still be made.
    """

    environment: str
    task: str
    observation_space: dict[str, Any]
    action_space: dict[str, Any]
    is_stochastic: bool
    num_transitions: dict[str, int]
    can_plan: bool
    max_source_kib: int
    calls_left: int

    def text(self) -> str:
        """Returns the answer for people."""
        return self.task


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a program is worth.

    Attributes:
        sha256: Of the program.
        outcome: How its run ended: completed, raised, timed_out, memory_exceeded,
            rejected, ...; inconsistent if it is no function of its inputs.
        is_bug: Whether it did not run on every transition; then there is no score.
        feedback: What went wrong, for its author.
        failure_line: Line of the program that raised, from 1.
        score: What a search maximises, from 0 to 1.
        train_strict: Share of training transitions of which every part is right.
        train_parts: Share that is right, by part of a transition.
        num_wrong: Training transitions of which some part is wrong.
        train_log_likelihood: Where outcomes vary, what judges: the mean logarithm of
            the probability of what was recorded; null elsewhere.
        validation_strict: Share of validation transitions that are right; nothing
            else is said of these.
        is_perfect: Whether all of both are right.
        isolation: How strongly the program was kept in: kernel is the strongest.
        is_best: Whether no program that this folder knows scored higher.
        best_score: The highest score of this folder.
        calls_left: Calls that may still be made.
    """

    sha256: str
    outcome: str
    is_bug: bool
    feedback: str
    failure_line: int | None
    score: float
    train_strict: float | None
    train_parts: dict[str, float]
    num_wrong: int | None
    train_log_likelihood: float | None
    validation_strict: float | None
    is_perfect: bool
    isolation: str
    is_best: bool
    best_score: float
    calls_left: int

    def text(self) -> str:
        """Returns the answer for people."""
        if self.is_bug:
            return f"The program does not run ({self.outcome}): {self.feedback}"
        parts = ", ".join(
            f"{name} {show_share(share)}"
            for name, share in self.train_parts.items()
            if share < 1.0
        )
        lines = [
            f"score {self.score:.4f}; strict: train {show_share(self.train_strict)} "
            f"({self.num_wrong} wrong), validation "
            f"{show_share(self.validation_strict)}",
            f"not always right: {parts}" if parts else "every part is always right",
        ]
        if self.train_log_likelihood is not None:
            lines.append(f"log-likelihood: train {self.train_log_likelihood:.4f}")
        if self.is_best:
            lines.append("No program that was tried here scored higher.")
        return "\n".join(lines)


def num_wrong(score: SplitScore | None) -> int | None:
    """Returns how many transitions are not strictly right."""
    if score is None:
        return None
    return round((1.0 - score.strict) * score.num_transitions)


def rank(evaluation: Evaluation) -> tuple[float, float]:
    """Returns what a better program has more of; a bug has less than any other."""
    if evaluation.is_bug:
        return (-1.0, -1.0)
    validation = evaluation.validation
    return (evaluation.score, 0.0 if validation is None else validation.strict)


@dataclass(frozen=True, kw_only=True)
class WrongPredictions:
    """Training transitions that a program predicts wrongly.

    Attributes:
        is_bug: Whether the program does not run; then `shown` says why.
        num_wrong: How many training transitions are wrong.
        num_shown: How many of them `shown` tells of.
        shown: Each with what is wrong.
        calls_left: Calls that may still be made.
    """

    is_bug: bool
    num_wrong: int | None
    num_shown: int
    shown: str
    calls_left: int

    def text(self) -> str:
        """Returns the answer for people."""
        if self.is_bug:
            return f"The program does not run: {self.shown}"
        head = f"{self.num_wrong} training transitions are predicted wrongly."
        return f"{head}\n\n{self.shown}" if self.num_shown else head


@dataclass(frozen=True, kw_only=True)
class Acted:
    """What acting in the real environment by planning in a program came to.

    Attributes:
        planner: Who planned.
        returns: Return of each episode.
        mean_return: Their mean.
        mean_steps: Mean length.
        max_steps: Steps after which an episode was cut off.
        num_decisions: Times that a plan was asked for.
        num_failures: Times that there was none, and a random action was taken.
        num_predicted: Real steps that the program was asked about.
        num_wrong: Those of which it got some part wrong.
        wrong_parts: How often each part was.
        real_steps_left: Real steps that may still be made.
        calls_left: Calls that may still be made.
    """

    planner: str
    returns: list[float]
    mean_return: float
    mean_steps: float
    max_steps: int
    num_decisions: int
    num_failures: int
    num_predicted: int
    num_wrong: int
    wrong_parts: dict[str, int]
    real_steps_left: int
    calls_left: int

    def text(self) -> str:
        """Returns the answer for people."""
        return (
            f"{self.planner}: mean return {self.mean_return:.5g} over "
            f"{len(self.returns)} episodes of {self.mean_steps:.1f} steps; "
            f"{self.num_wrong} of {self.num_predicted} steps predicted wrongly, "
            f"{self.num_failures} of {self.num_decisions} decisions failed"
        )


@dataclass(frozen=True, kw_only=True)
class SearchStatus:
    """Where a run's own search stands, and what agents have tried beside it.

    Attributes:
        state: running, finished, interrupted, or none where there is no search.
        made_by: Who writes its programs.
        num_calls: Answers so far.
        best_score: Score of its best program; null without one.
        held_out_strict: Of a finished search: strict accuracy on held-out transitions.
        num_tried: Programs that this server's folder has verified.
        best_tried: The highest score of these; null without one that runs.
        is_finished: Whether `finish` was called: nothing is run any more.
        calls_left: Calls that may still be made.
    """

    state: str
    made_by: str
    num_calls: int
    best_score: float | None
    held_out_strict: float | None
    num_tried: int
    best_tried: float | None
    is_finished: bool
    calls_left: int

    def text(self) -> str:
        """Returns the answer for people."""
        search = f"search: {self.state}"
        if self.state != "none":
            search += (
                f", {self.num_calls} calls by {self.made_by}, best score "
                f"{show_share(self.best_score)}"
            )
        tried = f"tried here: {self.num_tried}, best {show_share(self.best_tried)}"
        return f"{search}\n{tried}"


@dataclass(frozen=True, kw_only=True)
class FinalScore:
    """The one look at the held-out transitions.

    Attributes:
        sha256: Of the program.
        outcome: How its run ended.
        feedback: What went wrong; empty otherwise.
        held_out_strict: Share of held-out transitions of which every part is right;
            null if the program does not run on them.
        held_out_parts: Share that is right, by part.
    """

    sha256: str
    outcome: str
    feedback: str
    held_out_strict: float | None
    held_out_parts: dict[str, float]

    def text(self) -> str:
        """Returns the answer for people."""
        if self.held_out_strict is None:
            return f"No held-out score ({self.outcome}): {self.feedback}"
        return (
            f"held-out strict: {show_share(self.held_out_strict)}. This was the end: "
            "no program is run here any more."
        )
