"""Bayesian inference over hypotheses: Metropolis, Metropolis-Hastings, importance.

The target on the data `D` of a phase is `p(D | h)^(1 / T) p(h)`, with the temperature
`T` of the likelihood and a flat prior `p(h)` if nothing else is set. Draws come from a
scientist, who is shown `D`, the present hypothesis, and what that explains worst.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from cwm.core.errors import ConfigError
from cwm.core.protocols import FloatArray
from cwm.core.seeding import child_rng, child_seed
from cwm.providers.hypotheses.config import InferenceConfig
from cwm.providers.hypotheses.roles import (
    Evidence,
    Proposal,
    Scientist,
    Statistician,
)
from cwm.providers.hypotheses.search.particles import (
    Particle,
    PhaseOutcome,
    Step,
    proposal_from_json,
    proposal_to_json,
)
from cwm.providers.hypotheses.search.recording import NoRecorder, Recorder
from cwm.providers.hypotheses.search.weighing import Weighed, log_prior, weigh, worst_of
from cwm.providers.hypotheses.search.weights import effective_size, resample
from cwm.providers.hypotheses.texts import TextTrajectory


def log_target(
    hypothesis: str | None, weighed: Weighed, config: InferenceConfig
) -> float:
    """Returns `log p(D | h) / T + log p(h)`, up to a constant.

    Args:
        hypothesis: The text; `None` has no words.
        weighed: How well it explains the data.
        config: With the temperature and the prior.
    """
    prior = log_prior(hypothesis, config.length_penalty)
    return weighed.total / config.likelihood_temperature + prior


class Inference:
    """Finds hypotheses that explain the data of one phase after the other."""

    def __init__(
        self,
        config: InferenceConfig,
        *,
        statistician: Statistician,
        scientist: Scientist,
        seed: int,
        recorder: Recorder | None = None,
    ) -> None:
        """Makes it.

        Args:
            config: The settings.
            statistician: Gives the likelihood.
            scientist: Gives the proposals.
            seed: Of everything random.
            recorder: Keeps proposals and likelihoods.

        Raises:
            ConfigError: If the method needs probabilities that the scientist lacks.
        """
        if config.needs_proposal_probs and not scientist.has_log_probs:
            raise ConfigError(
                f"method {config.method} needs a scientist with log-probabilities, "
                f"got {scientist.name}. Take --inference.method metropolis, or a model "
                "that gives them."
            )
        self._config = config
        self._statistician = statistician
        self._scientist = scientist
        self._seed = seed
        self._recorder = NoRecorder() if recorder is None else recorder

    def begin(
        self, data: Sequence[TextTrajectory], first: Sequence[str] = ()
    ) -> PhaseOutcome:
        """Returns the chains at their start, on the data of phase 0.

        Args:
            data: What the first collection brought.
            first: A hypothesis for each chain, where an empty one is none; if there
                are none at all, the scientist draws them.
        """
        chains = range(self._config.chains)
        proposals: list[Proposal | None] = [
            Proposal(hypothesis=text) if text else None for text in first
        ]
        if not proposals:
            evidence = [Evidence(trajectories=tuple(data)) for _ in chains]
            proposals = [*self._propose(evidence, phase=0, iteration=0)]
        found = self._weigh(proposals, data)
        particles = tuple(
            Particle(proposal=one, weighed=weighed)
            for one, weighed in zip(proposals, found, strict=True)
        )
        return PhaseOutcome(particles=particles, best=self._best(particles))

    def advance(
        self,
        before: PhaseOutcome,
        data: Sequence[TextTrajectory],
        *,
        phase: int,
        on_step: Callable[[Step], None] | None = None,
    ) -> PhaseOutcome:
        """Returns where inference stands after a phase.

        Args:
            before: Where it stood before.
            data: What the experimenter brought in this phase.
            phase: Its number, from 1.
            on_step: Told of every proposal.
        """
        tell = on_step or (lambda step: None)
        if self._config.method == "importance":
            return self._sample(data, phase, tell)
        return self._walk(before, data, phase, tell)

    def _walk(
        self,
        before: PhaseOutcome,
        data: Sequence[TextTrajectory],
        phase: int,
        tell: Callable[[Step], None],
    ) -> PhaseOutcome:
        found = self._weigh([one.proposal for one in before.particles], data)
        particles = [
            replace(one, weighed=weighed)
            for one, weighed in zip(before.particles, found, strict=True)
        ]
        steps: list[Step] = []
        for iteration in range(1, self._config.iterations + 1):
            made = self._steps(particles, data, phase, iteration)
            born = (phase - 1) * self._config.iterations + iteration
            for step in made:
                if step.is_accepted:
                    particles[step.chain] = Particle(
                        proposal=step.proposal, weighed=step.weighed, born=born
                    )
                tell(step)
            steps += made
        return PhaseOutcome(
            particles=tuple(particles),
            best=self._best(particles),
            steps=tuple(steps),
        )

    def _steps(
        self,
        particles: Sequence[Particle],
        data: Sequence[TextTrajectory],
        phase: int,
        iteration: int,
    ) -> list[Step]:
        """Returns what comes of one proposal for each chain."""
        forward = [
            self._evidence(data, one.hypothesis, one.weighed) for one in particles
        ]
        proposals = self._propose(forward, phase=phase, iteration=iteration)
        found = self._weigh(proposals, data)
        corrections = np.zeros(len(particles))
        if self._config.method == "metropolis-hastings":
            backward = [
                self._evidence(data, one.hypothesis, weighed)
                for one, weighed in zip(proposals, found, strict=True)
            ]
            corrections = self._corrections(particles, proposals, forward, backward)
        log_draws = self._log_draws(phase, iteration)
        steps = []
        for chain, particle in enumerate(particles):
            new = self._log_target(proposals[chain].hypothesis, found[chain])
            old = self._log_target(particle.hypothesis, particle.weighed)
            log_ratio = -math.inf
            if new > -math.inf and corrections[chain] > -math.inf:
                log_ratio = float(new - old + corrections[chain])
            steps.append(
                Step(
                    chain=chain,
                    proposal=proposals[chain],
                    weighed=found[chain],
                    log_ratio=log_ratio,
                    is_accepted=bool(log_draws[chain] < log_ratio),
                    log_draw=float(log_draws[chain]),
                )
            )
        return steps

    def _corrections(
        self,
        particles: Sequence[Particle],
        proposals: Sequence[Proposal],
        forward: Sequence[Evidence],
        backward: Sequence[Evidence],
    ) -> FloatArray:
        """Returns `log q(h | h') - log q(h' | h)` for each chain.

        From no hypothesis there is none: nobody draws that, and the chain has to get
        away from it. Minus infinity where there is no way back.
        """
        moved = [i for i, one in enumerate(particles) if one.proposal is not None]
        olds = [one for p in particles if (one := p.proposal) is not None]
        corrections = np.zeros(len(particles))
        if moved:
            there = [proposals[i] for i in moved], [forward[i] for i in moved]
            back = olds, [backward[i] for i in moved]
            to, fro = self._log_q(*there), self._log_q(*back)
            found = np.full(len(moved), -np.inf)
            is_possible = np.isfinite(to) & np.isfinite(fro)
            np.subtract(fro, to, out=found, where=is_possible)
            corrections[moved] = found
        return corrections

    def _sample(
        self,
        data: Sequence[TextTrajectory],
        phase: int,
        tell: Callable[[Step], None],
    ) -> PhaseOutcome:
        """Returns what independent draws and their weights give."""
        config = self._config
        number = config.chains * config.iterations
        evidence = [Evidence(trajectories=tuple(data))] * number
        proposals = self._propose(evidence, phase=phase, iteration=0)
        found = self._weigh(proposals, data)
        targets = np.array(
            [
                self._log_target(one.hypothesis, weighed)
                for one, weighed in zip(proposals, found, strict=True)
            ]
        )
        log_weights = None
        drawn = [int(np.argmax(targets))] * config.chains
        if config.picks == "resampled":
            log_weights = targets - self._log_q(proposals, evidence)
            rng = child_rng(self._seed, "resample", phase)
            drawn = resample(log_weights, config.chains, rng)
        best = max(drawn, key=lambda index: targets[index])
        steps = tuple(
            Step(
                chain=index % config.chains,
                proposal=one,
                weighed=found[index],
                log_ratio=None if log_weights is None else float(log_weights[index]),
                is_accepted=index in drawn,
            )
            for index, one in enumerate(proposals)
        )
        for step in steps:
            tell(step)
        particles = [
            Particle(proposal=one, weighed=weighed, born=(phase - 1) * number + i + 1)
            for i, (one, weighed) in enumerate(zip(proposals, found, strict=True))
        ]
        return PhaseOutcome(
            particles=tuple(particles[index] for index in drawn),
            best=particles[best],
            steps=steps,
            effective_size=None if log_weights is None else effective_size(log_weights),
        )

    def _evidence(
        self,
        data: Sequence[TextTrajectory],
        hypothesis: str | None,
        weighed: Weighed,
    ) -> Evidence:
        config = self._config
        return Evidence(
            trajectories=tuple(data),
            previous=hypothesis,
            worst=worst_of(weighed, data, config.worst, by=config.worst_by),
        )

    def _propose(
        self, evidence: Sequence[Evidence], *, phase: int, iteration: int
    ) -> list[Proposal]:
        seeds = [
            child_seed(self._seed, "propose", phase, iteration, index)
            for index in range(len(evidence))
        ]

        def make(one: Evidence, seed: int) -> dict[str, Any]:
            (drawn,) = self._scientist.propose([one], seeds=[seed])
            return {"proposal": proposal_to_json(drawn)}

        # One record each: what was paid for is kept, whatever becomes of the next.
        recorded = [
            self._recorder.obtain("proposed", partial(make, one, seed))
            for one, seed in zip(evidence, seeds, strict=True)
        ]
        return [proposal_from_json(one["proposal"]) for one in recorded]

    def _weigh(
        self, proposals: Sequence[Proposal | None], data: Sequence[TextTrajectory]
    ) -> list[Weighed]:
        def make(text: str | None) -> dict[str, Any]:
            (found,) = weigh(self._statistician, [text], data)
            return {"log_likelihood": found.to_json()}

        texts = [None if one is None else one.hypothesis for one in proposals]
        recorded = [
            self._recorder.obtain("weighed", partial(make, text)) for text in texts
        ]
        return [Weighed.from_json(one["log_likelihood"]) for one in recorded]

    def _log_q(
        self, proposals: Sequence[Proposal], evidence: Sequence[Evidence]
    ) -> FloatArray:
        def make() -> dict[str, Any]:
            found = self._scientist.log_probs(proposals, evidence).tolist()
            # JSON has no infinity.
            return {"log_q": [None if one == -math.inf else one for one in found]}

        recorded = self._recorder.obtain("log_q", make)["log_q"]
        return np.array([-math.inf if one is None else one for one in recorded])

    def _log_target(self, hypothesis: str | None, weighed: Weighed) -> float:
        return log_target(hypothesis, weighed, self._config)

    def _best(self, particles: Sequence[Particle]) -> Particle:
        return max(
            particles, key=lambda one: self._log_target(one.hypothesis, one.weighed)
        )

    def _log_draws(self, phase: int, iteration: int) -> FloatArray:
        """Returns the logarithm of a uniform number for each chain."""
        rng = child_rng(self._seed, "accept", phase, iteration)
        number = self._config.chains
        draws = rng.random(number)
        if self._config.draws == "shared":
            draws = np.full(number, draws[0])
        # A draw may be 0, which accepts everything.
        with np.errstate(divide="ignore"):
            return np.log(draws)
