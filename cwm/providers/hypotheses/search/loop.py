"""The loop: let the experimenter act, improve the hypotheses, reward the experimenter.

A phase of the paper: trajectories are collected, chains of hypotheses make their steps
on them, and the experimenter is rewarded for transitions by how the hypotheses that
were found afterwards explain them. Phase 0 is a first collection and the first
hypotheses.

A run that was killed does the same over again, with recorded proposals and likelihoods
in place of new ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cwm.core.errors import DataError
from cwm.core.seeding import child_seed
from cwm.execution.progress import Progress, Status
from cwm.providers.hypotheses.config import InductionConfig, InferenceConfig
from cwm.providers.hypotheses.experimenters.rewards import CuriosityReward
from cwm.providers.hypotheses.roles import (
    Assignment,
    Experimenter,
    LearningExperimenter,
    Statistician,
)
from cwm.providers.hypotheses.search.inference import Inference
from cwm.providers.hypotheses.search.keeping import RunFiles, digest_of
from cwm.providers.hypotheses.search.particles import Particle, PhaseOutcome, Step
from cwm.providers.hypotheses.search.recording import Recorder
from cwm.providers.hypotheses.texts import (
    TextTrajectory,
    count_types,
    means_by_type,
    types_of,
)
from cwm.providers.hypotheses.worlds import TextWorld


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What happened in a phase.

    Attributes:
        number: From 0, the phase before any step.
        best: The best hypothesis at its end, on its data.
        collected: Transitions of each type that were collected.
        looked_at: Those of them that hypotheses had to explain.
        steps: What came of the proposals.
        effective_size: As in `PhaseOutcome`.
        rewards: Mean reward of each type of transition; empty if nobody learns.
        learning: Figures of the experimenter's update; likewise.
    """

    number: int
    best: Particle
    collected: Mapping[str, int]
    looked_at: Mapping[str, int]
    steps: tuple[Step, ...] = ()
    effective_size: float | None = None
    rewards: Mapping[str, float] = field(default_factory=dict)
    learning: Mapping[str, float] = field(default_factory=dict)

    @property
    def num_accepted(self) -> int:
        """Proposals that were accepted."""
        return sum(step.is_accepted for step in self.steps)

    def to_json(self) -> dict[str, Any]:
        """Returns it as plain data."""
        return {
            "phase": self.number,
            "best": self.best.hypothesis,
            "log_likelihood": self.best.weighed.to_json(),
            "collected": dict(self.collected),
            "looked_at": dict(self.looked_at),
            "num_proposals": len(self.steps),
            "num_accepted": self.num_accepted,
            "effective_size": self.effective_size,
            "rewards": dict(self.rewards),
            "learning": dict(self.learning),
        }


def looked_at(
    trajectories: Sequence[TextTrajectory], settings: InferenceConfig
) -> tuple[TextTrajectory, ...]:
    """Returns what hypotheses have to explain: the list's end, as published.

    Args:
        trajectories: What was collected in a phase.
        settings: With how many of them, and how much of each.
    """
    kept = trajectories[-settings.subset :]
    if settings.trajectory_steps is None:
        return tuple(kept)
    return tuple(one.first(settings.trajectory_steps) for one in kept)


class InductionLoop:
    """One run, new or resumed."""

    def __init__(
        self,
        config: InductionConfig,
        *,
        world: TextWorld,
        experimenter: Experimenter,
        inference: Inference,
        statistician: Statistician,
        reward: CuriosityReward,
        recorder: Recorder,
        files: RunFiles,
        seed: int,
        progress: Progress,
    ) -> None:
        """Prepares a run; nobody acts yet.

        Args:
            config: The settings.
            world: The environment.
            experimenter: Who acts in it.
            inference: Finds the hypotheses.
            statistician: Says how improbable transitions are, for the rewards.
            reward: Of experimenters that learn.
            recorder: As that of `inference`.
            files: For what is too large for the recorder.
            seed: Of what experimenters do.
            progress: Told of every proposal.
        """
        self._config = config
        self._world = world
        self._experimenter = experimenter
        self._inference = inference
        self._statistician = statistician
        self._reward = reward
        self._recorder = recorder
        self._files = files
        self._seed = seed
        self._progress = progress
        self._num_learned = recorder.num_recorded("learned")
        self._num_proposals = 0
        self._num_accepted = 0
        self._completed = 0
        self._best: Particle | None = None

    def run(self) -> tuple[Phase, ...]:
        """Runs all phases and returns what happened in each.

        Raises:
            CwmError: If a language model, the experimenter or the disk failed; called
                again with the same records, the run goes on.
        """
        settings = self._config.inference
        self._progress.phase(f"Inducing hypotheses about {self._world.name}")
        trajectories = self._collect(0, None)
        data = looked_at(trajectories, settings)
        outcome = self._inference.begin(data, self._config.first)
        phases = [self._phase(0, outcome, trajectories, data)]
        self._tell(phases[0])
        for number in range(1, settings.phases + 1):
            before = outcome.best
            trajectories = self._collect(number, before.hypothesis)
            data = looked_at(trajectories, settings)
            outcome = self._inference.advance(
                outcome, data, phase=number, on_step=self._count
            )
            learned = self._learn(
                number, trajectories, outcome.best.hypothesis, before.hypothesis
            )
            phases.append(self._phase(number, outcome, trajectories, data, **learned))
            self._tell(phases[-1])
        return tuple(phases)

    def _collect(
        self, number: int, hypothesis: str | None
    ) -> tuple[TextTrajectory, ...]:
        settings = self._config.inference
        assignment = Assignment(
            phase=number,
            progress=max(0, number - 1) / max(1, settings.phases),
            hypothesis=hypothesis,
            num_trajectories=settings.trajectories,
            seed=child_seed(self._seed, "collect", number),
        )
        made: tuple[TextTrajectory, ...] | None = None

        def make() -> dict[str, Any]:
            nonlocal made
            made = self._experimenter.collect(assignment)
            return {"phase": number, "digest": self._files.keep(number, made)}

        self._show(f"phase {number}: {self._experimenter.name} acts")
        recorded = self._recorder.obtain("collected", make)
        if made is not None:
            return made
        if self._learns and number == self._num_learned + 1:
            # Its records end before it has learned from this: it acts again.
            made = self._experimenter.collect(assignment)
            if digest_of(made) != recorded["digest"]:
                raise DataError(
                    "The experimenter must do the same again to go on, and it does "
                    "not: the machine or its packages are others. Go on where the "
                    "run was begun."
                )
            return made
        return self._files.read(number, recorded["digest"])

    @property
    def _learns(self) -> bool:
        return isinstance(self._experimenter, LearningExperimenter)

    def _learn(
        self,
        number: int,
        trajectories: Sequence[TextTrajectory],
        best: str | None,
        before: str | None,
    ) -> dict[str, Mapping[str, float]]:
        experimenter = self._experimenter
        if not isinstance(experimenter, LearningExperimenter):
            return {}

        def make() -> dict[str, Any]:
            self._show(f"phase {number}: {experimenter.name} learns")
            rewards = self._reward.rewards(
                trajectories, best, before, self._statistician
            )
            figures = experimenter.learn(rewards)
            self._files.save_policy(number, experimenter)
            return {
                "phase": number,
                "learning": figures,
                "rewards": means_by_type(
                    np.concatenate([np.zeros(0), *rewards]), types_of(trajectories)
                ),
                "reward_state": self._reward.to_json(),
            }

        found = self._recorder.obtain("learned", make)
        if number == self._num_learned:
            experimenter.load(self._files.policy(number))
            self._reward.load_json(found["reward_state"])
        return {"rewards": found["rewards"], "learning": found["learning"]}

    def _phase(
        self,
        number: int,
        outcome: PhaseOutcome,
        trajectories: Sequence[TextTrajectory],
        data: Sequence[TextTrajectory],
        **learned: Mapping[str, float],
    ) -> Phase:
        types = self._world.types
        return Phase(
            number=number,
            best=outcome.best,
            collected=count_types(trajectories, types),
            looked_at=count_types(data, types),
            steps=outcome.steps,
            effective_size=outcome.effective_size,
            **learned,
        )

    def _count(self, step: Step) -> None:
        self._num_proposals += 1
        self._num_accepted += step.is_accepted
        self._show("")

    def _tell(self, phase: Phase) -> None:
        by_type = self._by_type(phase.best)
        means = ", ".join(f"{name} {mean:.2f}" for name, mean in by_type.items())
        accepted = ""
        if phase.steps:
            accepted = f"{phase.num_accepted} of {len(phase.steps)} accepted, "
        first_line = (phase.best.hypothesis or "").strip().partition("\n")[0]
        self._progress.event(
            f"Phase {phase.number}: {accepted}log-likelihood "
            f"{phase.best.weighed.total:.1f} ({means}); {_short(first_line)}"
        )
        self._completed, self._best = phase.number, phase.best
        self._show("")

    def _show(self, activity: str) -> None:
        measures: dict[str, str] = {}
        if self._best is not None:
            weighed = self._best.weighed
            measures["log-likelihood"] = f"{weighed.total:.1f}"
            measures["accepted"] = f"{self._num_accepted} of {self._num_proposals}"
            measures |= {k: f"{v:.1f}" for k, v in self._by_type(self._best).items()}
        self._progress.update(
            Status(
                completed=self._completed,
                total=self._config.inference.phases,
                unit="phases",
                activity=activity,
                measures=measures,
            )
        )

    def _by_type(self, particle: Particle) -> dict[str, float]:
        """Returns mean log-likelihoods in the world's order of types."""
        found = particle.weighed.by_type
        names = [name for name in self._world.types if name in found]
        return {name: found[name] for name in [*names, *(set(found) - set(names))]}


_SHOWN_CHARS = 100


def _short(text: str) -> str:
    if not text:
        return "no hypothesis"
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."
