"""The verifier of a run below the protocol: programs in, plain answers out.

Covers: limits, the log of what was tried, training and validation scores, wrong
training predictions, episodes in the real environment, one look at held-out data.
Does not cover: files. No call takes a path, and none reads or writes one that a
client chose; what is written lies in one folder, under names of ours.
"""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cwm.core.errors import BudgetExhausted, ConfigError
from cwm.core.proposals import ProposalRequest
from cwm.core.spaces import space_to_json
from cwm.core.trajectories import Dataset
from cwm.mcp.acting import ActingDone, ActingJob, PlannerChoice, Stage, act
from cwm.mcp.answers import (
    Acted,
    FinalScore,
    SearchStatus,
    TaskDescription,
    Verification,
    WrongPredictions,
    num_wrong,
    rank,
)
from cwm.mcp.keeping import FINISH, SourceLog
from cwm.mcp.limits import Allowance, ServiceLimits
from cwm.programs.counterexamples import MAX_COUNTEREXAMPLES
from cwm.programs.evaluation import Evaluation, ProgramEvaluator, always
from cwm.runs.kinds import find_run
from cwm.runs.summaries import summarise
from prompts.config import PromptConfig
from prompts.feedback import describe_counterexamples
from prompts.render import render

_NUM_REMEMBERED = 16
_TASK_END = "\n# Your task\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """What a service works on.

    Attributes:
        dataset: The transitions.
        evaluator: Runs programs on those for training and validation.
        stage: Where programs act; `None` if the environment cannot be made here.
        run: The folder of the run whose search is told of; `None` for none.
        folder: Where the log and the best program are kept.
    """

    dataset: Dataset
    evaluator: ProgramEvaluator
    stage: Stage | None
    run: Path | None
    folder: Path


class VerifierService:
    """The tools; any number of threads may use them.

    Args:
        place: What it works on.
        limits: What a client may use.
    """

    def __init__(self, place: Workplace, limits: ServiceLimits) -> None:
        self._place = place
        self._limits = limits
        self._allowance = Allowance(limits)
        self._log = SourceLog(place.folder)
        self._known: OrderedDict[str, Evaluation] = OrderedDict()
        self._remembering = threading.Lock()
        self._ending = threading.Lock()
        self._acting = threading.Lock()

    def describe(self) -> TaskDescription:
        """Returns what is to be modelled; costs nothing."""
        data, task = self._place.dataset, self._place.evaluator.task
        prompt = render(ProposalRequest(kind="generate", task=task))
        text, end, _ = prompt.user.partition(_TASK_END)
        assert end, "the prompt ends with what is asked for"
        return TaskDescription(
            environment=data.environment_id,
            task=text.rstrip() + "\n",
            observation_space=space_to_json(data.observation_space),
            action_space=space_to_json(data.action_space),
            is_stochastic=data.is_stochastic,
            num_transitions={k: n for k, n in data.num_transitions.items() if n},
            can_plan=self._place.stage is not None,
            max_source_kib=self._limits.max_source_kib,
            calls_left=self._allowance.calls_left,
        )

    def verify(self, source: str) -> Verification:
        """Returns what a program is worth on training and validation transitions.

        Raises:
            ConfigError: If it is too long, or no text.
            BudgetExhausted: If a limit is reached, or the end was.
            SandboxUnavailable: If programs cannot be run at all.
        """
        found = self._evaluated("verify", source)
        train, validation = found.evaluation.train, found.evaluation.validation
        best = self._log.read().best
        return Verification(
            sha256=found.sha256,
            outcome=found.evaluation.outcome_kind,
            is_bug=found.evaluation.is_bug,
            feedback=found.evaluation.feedback,
            failure_line=found.evaluation.failure_line,
            score=found.evaluation.score,
            train_strict=None if train is None else train.strict,
            train_parts={} if train is None else dict(train.part_accuracy),
            num_wrong=num_wrong(train),
            train_log_likelihood=None if train is None else train.log_likelihood,
            validation_strict=None if validation is None else validation.strict,
            is_perfect=found.evaluation.is_perfect,
            isolation=str(found.evaluation.isolation.get("level", "")),
            is_best=found.is_best,
            best_score=0.0 if best is None else best[0],
            calls_left=self._allowance.calls_left,
        )

    def counterexamples(
        self, source: str, limit: int = MAX_COUNTEREXAMPLES
    ) -> WrongPredictions:
        """Returns training transitions that a program predicts wrongly, told in words.

        Raises:
            ConfigError: If it is too long, or no text, or `limit` breaks its rule.
            BudgetExhausted: If a limit is reached, or the end was.
            SandboxUnavailable: If programs cannot be run at all.
        """
        _check_between("limit", limit, MAX_COUNTEREXAMPLES)
        found = self._evaluated("counterexamples", source).evaluation
        shown = ""
        if found.is_bug:
            shown = found.feedback
        elif found.counterexamples:
            shown = describe_counterexamples(
                self._place.evaluator.task,
                found.counterexamples,
                PromptConfig(num_counterexamples=limit),
            )
        return WrongPredictions(
            is_bug=found.is_bug,
            num_wrong=num_wrong(found.train),
            num_shown=min(limit, len(found.counterexamples)),
            shown=shown,
            calls_left=self._allowance.calls_left,
        )

    def plan(
        self,
        source: str,
        *,
        episodes: int = 1,
        max_steps: int | None = None,
        planner: PlannerChoice = "auto",
    ) -> Acted:
        """Returns what acting by planning in a program comes to, in the environment.

        Raises:
            ConfigError: If the environment cannot be made here, an argument breaks its
                rule, or the episodes take too long.
            BudgetExhausted: If a limit is reached, or the end was.
        """
        stage, limits = self._place.stage, self._limits
        if stage is None:
            raise ConfigError(
                "plan needs the environment, and "
                f"{self._place.dataset.environment_id!r} cannot be made here."
            )
        _check_between("episodes", episodes, limits.max_episodes)
        longest = min(
            limits.max_steps, stage.spec.max_episode_steps or limits.max_steps
        )
        steps = longest if max_steps is None else max_steps
        _check_between("max_steps", steps, longest)
        limits.check_source(source)
        job = stage.job(source, planner=planner, num_episodes=episodes, max_steps=steps)
        self._refuse_after_end()
        self._allowance.take_call()
        self._allowance.take_real_steps(episodes * steps)
        done = self._act(source, job)
        summary = done.summary
        made = round(summary.mean_steps * len(done.returns))
        self._allowance.give_back_real_steps(episodes * steps - made)
        return Acted(
            planner=job.setup.planner.name,
            returns=list(done.returns),
            mean_return=summary.returns.value,
            mean_steps=summary.mean_steps,
            max_steps=steps,
            num_decisions=summary.num_decisions,
            num_failures=summary.num_failures,
            num_predicted=summary.num_predicted,
            num_wrong=summary.num_wrong,
            wrong_parts=dict(summary.wrong_parts),
            real_steps_left=self._allowance.real_steps_left,
            calls_left=self._allowance.calls_left,
        )

    def _act(self, source: str, job: ActingJob) -> ActingDone:
        """Returns what came of some episodes, which are in the log then, failed or not.

        Each has processes of its own: one call at a time.
        """
        found: dict[str, Any] = {"planner": job.setup.planner.name}
        try:
            with self._acting:
                done = act(
                    job,
                    self._place.folder / "messages.txt",
                    max_seconds=self._limits.plan_seconds,
                )
            found["returns"] = list(done.returns)
        except ConfigError as error:
            found["failure"] = str(error)
            raise
        finally:
            self._log.add(
                "plan", source, sha256=_digest(source), rank=None, found=found
            )
        return done

    def synthesize_status(self) -> SearchStatus:
        """Returns where the run's own search stands; costs nothing."""
        kept = self._log.read()
        run = None if self._place.run is None else find_run(self._place.run)
        summary = None if run is None else summarise(run)
        figures = None if summary is None else summary.figures
        return SearchStatus(
            state="none" if summary is None else summary.state,
            made_by="" if figures is None else figures.made_by,
            num_calls=(figures.num_calls or 0) if figures else 0,
            best_score=None if figures is None else figures.score,
            held_out_strict=None if figures is None else figures.held_out,
            num_tried=len(kept.sources),
            best_tried=None if kept.best is None else kept.best[0],
            is_finished=kept.is_finished,
            calls_left=self._allowance.calls_left,
        )

    def finish(self, source: str) -> FinalScore:
        """Returns the held-out score of a program, once: nothing is run afterwards.

        Raises:
            ConfigError: If there are no held-out transitions, or the program is too
                long or no text.
            BudgetExhausted: If a limit is reached, or the end was.
            SandboxUnavailable: If programs cannot be run at all.
        """
        data = self._place.dataset
        if not data.in_split("held_out"):
            raise ConfigError(
                f"The data of {data.environment_id} have no held-out transitions."
            )
        self._limits.check_source(source)
        with self._ending:
            self._refuse_after_end()
            self._allowance.take_call()
            found = self._place.evaluator.score_on(
                source, data.batch("held_out"), audited=True
            )
            outcome = found.outcome
            is_bug = outcome.kind != "completed"
            feedback = outcome.feedback().partition("\n")[0] if is_bug else ""
            kind = outcome.kind
            if found.audit is not None and not found.audit.is_consistent:
                kind, feedback = found.audit.verdict, found.audit.explanation
            answer = FinalScore(
                sha256=_digest(source),
                outcome=kind,
                feedback=feedback,
                held_out_strict=None if found.score is None else found.score.strict,
                held_out_parts=(
                    {} if found.score is None else dict(found.score.part_accuracy)
                ),
            )
            self._log.add(
                FINISH,
                source,
                sha256=answer.sha256,
                rank=None,
                found={
                    "outcome": answer.outcome,
                    "held_out_strict": answer.held_out_strict,
                },
            )
        return answer

    def _evaluated(self, tool: str, source: str) -> "_Evaluated":
        """Returns the evaluation of a program, and keeps both."""
        self._limits.check_source(source)
        self._refuse_after_end()
        self._allowance.take_call()
        sha256 = _digest(source)
        with self._remembering:
            found = self._known.get(sha256)
        if found is None:
            found = self._place.evaluator.evaluate(source, needs_audit=always)
            with self._remembering:
                self._known[sha256] = found
                while len(self._known) > _NUM_REMEMBERED:
                    self._known.popitem(last=False)
        train = found.train
        is_best = self._log.add(
            tool,
            source,
            sha256=sha256,
            rank=rank(found),
            found={
                "outcome": found.outcome_kind,
                "score": found.score,
                "train_strict": None if train is None else train.strict,
            },
        )
        return _Evaluated(sha256, found, is_best)

    def _refuse_after_end(self) -> None:
        if self._log.read().is_finished:
            raise BudgetExhausted(
                "finish was called in this folder: the held-out score is known, and "
                "no program is run any more. Begin a new folder to go on."
            )


@dataclass(frozen=True, slots=True)
class _Evaluated:
    """An evaluation that is in the log."""

    sha256: str
    evaluation: Evaluation
    is_best: bool


def _digest(source: str) -> str:
    return hashlib.sha256(source.encode("utf-8")).hexdigest()


def _check_between(name: str, value: int, highest: int) -> None:
    if not 1 <= value <= highest:
        raise ConfigError(f"{name} must be between 1 and {highest}, got {value}.")
