"""Inference against a transcription of the published loop, and its parts by hand."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cwm.core.errors import ConfigError, InternalError
from cwm.core.journal import Journal
from cwm.core.seeding import child_rng, child_seed
from cwm.providers.hypotheses.config import InferenceConfig
from cwm.providers.hypotheses.roles import Evidence, Proposal
from cwm.providers.hypotheses.search.inference import Inference
from cwm.providers.hypotheses.search.particles import PhaseOutcome
from cwm.providers.hypotheses.search.recording import JournalRecorder
from cwm.providers.hypotheses.search.weighing import Weighed, log_prior, worst_of
from cwm.providers.hypotheses.search.weights import effective_size, resample
from cwm.providers.hypotheses.texts import TextTrajectory, transitions_of
from tests.support.stand_in_roles import HashScientist, HashStatistician, trajectory

SEED = 5


def data_of(phase: int) -> tuple[TextTrajectory, ...]:
    return tuple(trajectory(f"{phase}.{index}", index + 1) for index in range(3))


def run(
    config: InferenceConfig, *, first: Sequence[str] = (), seed: int = SEED
) -> list[PhaseOutcome]:
    inference = Inference(
        config, statistician=HashStatistician(), scientist=HashScientist(), seed=seed
    )
    outcomes = [inference.begin(data_of(0), first)]
    for phase in range(1, config.phases + 1):
        outcomes.append(inference.advance(outcomes[-1], data_of(phase), phase=phase))
    return outcomes


def published(config: InferenceConfig) -> tuple[list[str], list[list[bool]]]:
    """The published loop, written down once more: best hypotheses and acceptances."""
    statistician, scientist = HashStatistician(), HashScientist()
    uses_q = config.method == "metropolis-hastings"

    def likelihoods(h: str, data: Sequence[TextTrajectory]) -> list[float]:
        return [statistician.log_probs(h, t.transitions).sum() for t in data]

    def worst(each: list[float], data: Sequence[TextTrajectory]) -> tuple[int, ...]:
        order = sorted(range(len(data)), key=lambda i: each[i])
        return tuple(order[: config.worst])

    def evidence(h: str, each: list[float], data: Sequence[TextTrajectory]) -> Evidence:
        chosen = tuple(data[i] for i in worst(each, data))
        return Evidence(trajectories=tuple(data), previous=h, worst=chosen)

    data = data_of(0)
    chains = range(config.chains)
    present = [
        scientist.propose(
            [Evidence(trajectories=data)], seeds=[child_seed(SEED, "propose", 0, 0, j)]
        )[0].hypothesis
        for j in chains
    ]
    each = [likelihoods(h, data) for h in present]
    best = [max(zip(map(sum, each), present, strict=True))[1]]
    bits = []
    for i in range(1, config.phases + 1):
        data = data_of(i)
        each = [likelihoods(h, data) for h in present]
        for m in range(1, config.iterations + 1):
            bits.append([])
            u = child_rng(SEED, "accept", i, m).random(config.chains)
            for j in chains:
                shown = evidence(present[j], each[j], data)
                seeds = [child_seed(SEED, "propose", i, m, j)]
                new = scientist.propose([shown], seeds=seeds)[0]
                each_new = likelihoods(new.hypothesis, data)
                w = sum(each_new) - sum(each[j])
                if uses_q:
                    back = evidence(new.hypothesis, each_new, data)
                    old = Proposal(hypothesis=present[j])
                    w -= scientist.log_probs([new], [shown])[0]
                    w += scientist.log_probs([old], [back])[0]
                accepted = np.log(u[0 if config.draws == "shared" else j]) < w
                bits[-1].append(bool(accepted))
                if accepted:
                    present[j], each[j] = new.hypothesis, each_new
        best.append(max(zip(map(sum, each), present, strict=True))[1])
    return best, bits


CONFIG = InferenceConfig(phases=4, iterations=3, chains=2, worst=1, worst_by="total")


@pytest.mark.parametrize("method", ["metropolis", "metropolis-hastings"])
@pytest.mark.parametrize("draws", ["own", "shared"])
def test_chains_do_what_the_published_loop_does(method: str, draws: str) -> None:
    config = replace(CONFIG, method=method, draws=draws)  # type: ignore[arg-type]
    best, bits = published(config)
    outcomes = run(config)
    assert [one.best.hypothesis for one in outcomes] == best
    found = [step.is_accepted for one in outcomes for step in one.steps]
    assert found == [bit for of_step in bits for bit in of_step]
    assert True in found
    assert False in found


def test_the_two_methods_are_not_the_same() -> None:
    """Otherwise the test above could not tell whether q is used."""
    one, other = (
        [o.best.hypothesis for o in run(replace(CONFIG, method=method))]  # type: ignore[arg-type]
        for method in ("metropolis", "metropolis-hastings")
    )
    assert one != other


def test_shared_draws_are_those_of_the_first_chain() -> None:
    ratios = [
        (step.log_ratio, step.is_accepted)
        for outcome in run(replace(CONFIG, chains=5, draws="shared"))
        for step in outcome.steps
    ]
    for start in range(0, len(ratios), 5):
        ordered = sorted(ratios[start : start + 5], key=lambda pair: pair[0] or 0.0)
        assert [bit for _, bit in ordered] == sorted(bit for _, bit in ordered)


def test_the_scientist_sees_the_data_the_hypothesis_and_its_worst() -> None:
    scientist = HashScientist()
    inference = Inference(
        CONFIG, statistician=HashStatistician(), scientist=scientist, seed=SEED
    )
    before = inference.begin(data_of(0))
    assert [one.previous for one in scientist.asked] == [None, None]
    inference.advance(before, data_of(1), phase=1)
    shown = scientist.asked[2]
    assert shown.trajectories == data_of(1)
    assert shown.previous == before.particles[0].hypothesis
    sums = [
        HashStatistician().log_probs(shown.previous, one.transitions).sum()
        for one in data_of(1)
    ]
    assert shown.worst == (data_of(1)[int(np.argmin(sums))],)


def test_chains_may_begin_from_given_hypotheses_or_from_none() -> None:
    start = run(replace(CONFIG, phases=0), first=("A rule.", ""))[0]
    assert [one.hypothesis for one in start.particles] == ["A rule.", None]


def test_from_no_hypothesis_a_step_is_not_corrected() -> None:
    """Nobody would ever draw no hypothesis, and the chain could not leave it."""
    config = replace(CONFIG, phases=1, chains=1, method="metropolis-hastings")
    step = run(config, first=("",))[1].steps[0]
    none = HashStatistician().log_probs(None, transitions_of(data_of(1))).sum()
    assert step.log_ratio == pytest.approx(step.weighed.total - none)


def test_when_a_hypothesis_was_accepted_is_counted_over_all_phases() -> None:
    outcomes = run(replace(CONFIG, phases=8, chains=1))
    accepted = [
        number
        for number, step in enumerate(
            (step for one in outcomes for step in one.steps), start=1
        )
        if step.is_accepted
    ]
    assert {one.particles[0].born for one in outcomes} <= {0, *accepted}
    assert outcomes[-1].particles[0].born == accepted[-1]


def test_temperature_and_prior_change_what_is_accepted() -> None:
    """At an enormous temperature everything is; with a heavy prior, short texts win."""
    hot = run(replace(CONFIG, likelihood_temperature=1e9))
    assert all(step.is_accepted for one in hot for step in one.steps)
    heavy = replace(CONFIG, length_penalty=1e6, chains=1)
    outcomes = run(heavy, first=("short",))
    assert {one.best.hypothesis for one in outcomes} == {"short"}


def test_importance_sampling_weighs_by_target_and_proposal() -> None:
    config = InferenceConfig(method="importance", phases=1, iterations=6, chains=2)
    outcome = run(config)[1]
    assert len(outcome.steps) == 12
    evidence = Evidence(trajectories=data_of(1))
    for step in outcome.steps:
        q = HashScientist().log_probs([step.proposal], [evidence])[0]
        likelihood = step.weighed.total
        assert step.log_ratio == pytest.approx(likelihood - q)
    log_weights = np.array([step.log_ratio for step in outcome.steps], dtype=float)
    drawn = resample(log_weights, 2, child_rng(SEED, "resample", 1))
    names = [outcome.steps[index].proposal.hypothesis for index in drawn]
    assert [one.hypothesis for one in outcome.particles] == names
    assert outcome.effective_size == pytest.approx(effective_size(log_weights))


def test_published_importance_sampling_takes_the_likeliest() -> None:
    config = InferenceConfig(
        method="importance", phases=3, iterations=5, picks="likeliest"
    )
    inference = Inference(
        config,
        statistician=HashStatistician(),
        # Weights are not needed, and are not asked for.
        scientist=HashScientist(has_log_probs=False),
        seed=SEED,
    )
    before = inference.begin(data_of(0))
    for phase in (1, 2, 3):
        outcome = inference.advance(before, data_of(phase), phase=phase)
        assert outcome.effective_size is None
        likeliest = max(outcome.steps, key=lambda step: step.weighed.total)
        assert outcome.best.hypothesis == likeliest.proposal.hypothesis


@pytest.mark.parametrize(
    ("method", "picks"),
    [("metropolis-hastings", "likeliest"), ("importance", "resampled")],
)
def test_a_scientist_without_probabilities_is_refused(method: str, picks: str) -> None:
    config = replace(CONFIG, method=method, picks=picks)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="needs a scientist with log-probabilities"):
        Inference(
            config,
            statistician=HashStatistician(),
            scientist=HashScientist(has_log_probs=False),
            seed=0,
        )


def test_the_worst_are_chosen_by_sum_or_by_mean() -> None:
    data = [trajectory("a", 4), trajectory("b", 1), trajectory("c", 2)]
    weighed = Weighed(by_trajectory=(-8.0, -3.0, -7.0), by_type={})
    by_total = worst_of(weighed, data, 2, by="total")
    assert by_total == (data[0], data[2])
    assert worst_of(weighed, data, 2, by="mean") == (data[2], data[1])
    assert worst_of(weighed, data, 0, by="total") == ()


def test_the_prior_counts_words() -> None:
    assert log_prior("two words", 0.5) == -1.0
    assert log_prior(None, 0.5) == 0.0


def test_resampling_by_hand() -> None:
    """Weights 1, 2, 1 of 4: four systematic draws give each its share."""
    weights = np.log([1.0, 2.0, 1.0])
    for seed in range(20):
        found = resample(weights, 4, np.random.default_rng(seed))
        assert sorted(found) == [0, 1, 1, 2]


def test_weights_of_no_worth_are_never_drawn() -> None:
    weights = np.array([0.0, -1e9, 0.0, -1e9])
    for seed in range(50):
        assert {1, 3}.isdisjoint(resample(weights, 7, np.random.default_rng(seed)))


def test_effective_sizes_by_hand() -> None:
    assert effective_size(np.zeros(5)) == pytest.approx(5.0)
    assert effective_size(np.array([0.0, -1e9])) == pytest.approx(1.0)
    assert effective_size(np.log([3.0, 1.0])) == pytest.approx(16 / 10)


def test_metropolis_visits_hypotheses_by_their_posterior() -> None:
    """Four hypotheses, drawn by unequal q: Hastings finds the posterior, the published
    method another distribution."""
    names = ["a", "b", "c", "d"]
    q = np.array([0.55, 0.25, 0.15, 0.05])
    target = np.array([0.1, 0.2, 0.3, 0.4])

    class Drawing(HashScientist):
        def propose(
            self, evidence: Sequence[Evidence], *, seeds: Sequence[int]
        ) -> list[Proposal]:
            drawn = [np.random.default_rng(seed).choice(4, p=q) for seed in seeds]
            return [Proposal(hypothesis=names[index]) for index in drawn]

        def log_probs(
            self, proposals: Sequence[Proposal], evidence: Sequence[Evidence]
        ) -> np.ndarray:
            return np.log([q[names.index(one.hypothesis)] for one in proposals])

    class Known(HashStatistician):
        def log_probs(self, hypothesis, transitions):  # type: ignore[no-untyped-def]
            assert len(transitions) == 1
            return np.log(target[[names.index(hypothesis or "a")]])

    data = (trajectory("x", 1),)
    found = {}
    for method in ("metropolis", "metropolis-hastings"):
        config = InferenceConfig(
            method=method,  # type: ignore[arg-type]
            iterations=1,
            chains=4,
            worst=0,
        )
        inference = Inference(
            config, statistician=Known(), scientist=Drawing(), seed=SEED
        )
        outcome = inference.begin(data)
        counts = dict.fromkeys(names, 0)
        for phase in range(1, 1501):
            outcome = inference.advance(outcome, data, phase=phase)
            for particle in outcome.particles:
                counts[particle.hypothesis or ""] += 1
        total = sum(counts.values())
        found[method] = np.array([counts[name] / total for name in names])
    assert np.abs(found["metropolis-hastings"] - target).max() < 0.04
    assert np.abs(found["metropolis"] - target).max() > 0.15


def test_a_run_is_the_same_whatever_came_before() -> None:
    first, second = run(CONFIG), run(CONFIG)
    assert [one.best for one in first] == [one.best for one in second]
    other = run(CONFIG, seed=SEED + 1)
    assert any(a.best != b.best for a, b in zip(first, other, strict=True))
    assert any(a.best != b.best for a, b in pairwise(first))


def test_a_scorer_that_says_nothing_of_a_transition_is_a_bug_of_ours() -> None:
    """With NaN, every step would be refused for ever."""

    class Broken(HashStatistician):
        def log_probs(self, hypothesis, transitions):  # type: ignore[no-untyped-def]
            return np.full(len(transitions), np.nan)

    inference = Inference(
        CONFIG, statistician=Broken(), scientist=HashScientist(), seed=SEED
    )
    with pytest.raises(InternalError, match="NaN"):
        inference.begin(data_of(0))


def test_a_step_without_a_way_back_is_not_made_and_can_be_recorded(
    tmp_path: Path,
) -> None:
    class OneWay(HashScientist):
        def log_probs(self, proposals, evidence):  # type: ignore[no-untyped-def]
            return np.full(len(proposals), -np.inf)

    with Journal(tmp_path / "journal.jsonl") as journal:
        inference = Inference(
            replace(CONFIG, method="metropolis-hastings"),
            statistician=HashStatistician(),
            scientist=OneWay(),
            seed=SEED,
            recorder=JournalRecorder(journal),
        )
        before = inference.begin(data_of(0))
        outcome = inference.advance(before, data_of(1), phase=1)
    assert not any(step.is_accepted for step in outcome.steps)
    assert "Infinity" not in (tmp_path / "journal.jsonl").read_text()
