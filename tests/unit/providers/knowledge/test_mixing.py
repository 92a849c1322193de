"""What agent and state base think, mixed."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cwm.core.protocols import FloatArray
from cwm.providers.knowledge.base.entries import Entry
from cwm.providers.knowledge.base.states import NO_NEIGHBOURS, Neighbours
from cwm.providers.knowledge.mixing import (
    MAX_TRACED,
    PUBLISHED_AGENT_WEIGHTS,
    MixingConfig,
    agent_probabilities,
    effective_weight,
    knowledge_probabilities,
    mix,
    mix_actions,
    mix_verbs,
    override_threshold,
    within_verbs,
)

VERBS = ("go", "take", "open")


def found(actions: dict[str, int], similarity: float = 0.9) -> Neighbours:
    """Returns neighbours after which these actions followed so often."""
    entries: list[Entry] = []
    verbs: dict[str, float] = {}
    for action, number in actions.items():
        one = Entry(state="s", previous="p", next=action, task="t", episode="e")
        entries += [one] * number
        verb = action.split()[0]
        verbs[verb] = verbs.get(verb, 0.0) + number
    return Neighbours(
        entries=tuple(entries),
        similarities=np.full(len(entries), similarity, dtype=np.float32),
        verbs=verbs,
        actions={action: float(number) for action, number in actions.items()},
    )


def logs(*probabilities: float) -> list[float]:
    return [math.log(one) if one else -math.inf for one in probabilities]


def test_an_agents_probabilities_are_the_softmax_over_candidates_alone() -> None:
    # Together they have 0.1 of all tokens' probability: 0.06, 0.03 and 0.01.
    np.testing.assert_allclose(
        agent_probabilities(logs(0.06, 0.03, 0.01)), [0.6, 0.3, 0.1]
    )
    np.testing.assert_allclose(agent_probabilities([-1000.0, -1000.0]), [0.5, 0.5])
    np.testing.assert_allclose(agent_probabilities(logs(0.5, 0.0)), [1.0, 0.0])


def test_an_agent_that_gives_nothing_to_any_candidate_says_nothing() -> None:
    assert np.isnan(agent_probabilities([-math.inf, -math.inf])).all()


def test_the_released_agent_has_one_verb_or_none() -> None:
    scores = logs(0.2, 0.3, 0.1)
    np.testing.assert_array_equal(
        agent_probabilities(scores, mode="released"), [0.0, 1.0, 0.0]
    )
    other = agent_probabilities(scores, mode="released", best_other=math.log(0.4))
    assert np.isnan(other).all()
    below = agent_probabilities(scores, mode="released", best_other=math.log(0.25))
    np.testing.assert_array_equal(below, [0.0, 1.0, 0.0])


def test_knowledge_is_the_share_of_what_was_counted() -> None:
    shares = knowledge_probabilities({"take": 3.0, "go": 1.0, "heat": 4.0}, VERBS)
    np.testing.assert_array_equal(shares, [0.125, 0.375, 0.0])
    np.testing.assert_array_equal(knowledge_probabilities({}, VERBS), [0.0] * 3)


def test_the_paper_s_rule_by_hand() -> None:
    # 0.4 * (0.6, 0.3, 0.1) + 0.6 * (0.25, 0.75, 0).
    mixture = mix_verbs(
        VERBS,
        logs(0.6, 0.3, 0.1),
        found({"go to desk": 1, "take mug": 3}),
        MixingConfig(agent_weight=0.4),
    )
    np.testing.assert_allclose(mixture.probabilities, [0.39, 0.57, 0.04])
    assert mixture.best == "take"
    assert mixture.agent_weight == 0.4
    assert mixture.support == 4


def test_verbs_that_are_not_legal_have_no_probability() -> None:
    # Of the base's shares 0.5 is for heat. 0.5 * (0.9, 0.1) + 0.5 * (0.25, 0.25) has
    # the sum 0.75.
    mixture = mix_verbs(
        ("go", "take"),
        logs(0.9, 0.1),
        found({"go": 1, "take": 1, "heat": 2}),
        MixingConfig(agent_weight=0.5),
    )
    np.testing.assert_allclose(mixture.probabilities, [0.575 / 0.75, 0.175 / 0.75])
    masked = mix([0.5, 0.3, 0.2], [0.0, 0.0, 1.0], 0.5, legal=[True, True, False])
    np.testing.assert_allclose(masked.probabilities, [0.625, 0.375, 0.0])
    assert masked.agent_weight == 1.0


@settings(deadline=None)
@given(st.lists(st.floats(-9.0, 0.0), min_size=3, max_size=3))
def test_only_the_agent_counts_with_weight_1_bit_for_bit(scores: list[float]) -> None:
    config = MixingConfig(agent_weight=1.0)
    mixture = mix_verbs(VERBS, scores, found({"go": 9, "heat": 3}), config)
    np.testing.assert_array_equal(mixture.probabilities, agent_probabilities(scores))


def test_only_the_base_counts_with_weight_0() -> None:
    neighbours = found({"go": 1, "take": 3})
    mixture = mix_verbs(
        VERBS, logs(0.9, 0.05, 0.05), neighbours, MixingConfig(agent_weight=0.0)
    )
    np.testing.assert_array_equal(mixture.probabilities, [0.25, 0.75, 0.0])
    assert mixture.best == "take"


@pytest.mark.parametrize(
    ("agent", "knowledge", "expected", "weight"),
    [
        ([0.8, 0.2], [0.0, 0.0], [0.8, 0.2], 1.0),
        ([np.nan, np.nan], [0.1, 0.3], [0.25, 0.75], 0.0),
        ([np.nan, np.nan], [0.0, 0.0], [0.5, 0.5], np.nan),
        ([0.8, 0.2], [0.5, 0.5], [0.62, 0.38], 0.4),
    ],
)
def test_who_says_nothing_has_no_weight(
    agent: list[float], knowledge: list[float], expected: list[float], weight: float
) -> None:
    mixed = mix(agent, knowledge, 0.4)
    np.testing.assert_allclose(mixed.probabilities, expected)
    np.testing.assert_equal(float(mixed.agent_weight), weight)


@pytest.mark.parametrize(
    ("weight", "threshold"),
    [(0.4, 2 / 3), (0.5, 1.0), (0.7, 7 / 3), (0.0, 0.0), (1.0, math.inf)],
)
def test_the_released_rule_overrides_above_a_threshold(
    weight: float, threshold: float
) -> None:
    assert override_threshold(weight) == pytest.approx(threshold)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # The gap is 0.83 - 0.17 = 0.66, below 2 / 3, and then 0.84 - 0.16 = 0.68.
        ({"go": 17, "take": 83}, "go"),
        ({"go": 16, "take": 84}, "take"),
    ],
)
def test_the_released_agent_is_overridden_by_a_large_gap_only(
    counts: dict[str, int], expected: str
) -> None:
    config = MixingConfig(agent_weight=0.4, mode="released")
    mixture = mix_verbs(("go", "take"), logs(0.5, 0.4), found(counts), config)
    assert mixture.best == expected
    # With its probabilities the agent would have been overridden in both.
    paper = MixingConfig(agent_weight=0.4)
    assert mix_verbs(("go", "take"), logs(0.5, 0.4), found(counts), paper).best == (
        "take"
    )


@pytest.mark.parametrize("name", ["webshop", "scienceworld"])
def test_with_two_of_the_published_weights_the_released_rule_never_overrides(
    name: str,
) -> None:
    config = MixingConfig(agent_weight=PUBLISHED_AGENT_WEIGHTS[name], mode="released")
    mixture = mix_verbs(("go", "take"), logs(0.5, 0.4), found({"take": 9}), config)
    assert mixture.best == "go"


def test_a_released_agent_without_a_verb_leaves_it_to_the_base() -> None:
    config = MixingConfig(agent_weight=0.7, mode="released")
    mixture = mix_verbs(
        VERBS, logs(0.1, 0.1, 0.1), found({"take": 2, "go": 1}), config, best_other=0.0
    )
    np.testing.assert_allclose(mixture.probabilities, [1 / 3, 2 / 3, 0.0])
    assert mixture.agent_weight == 0.0


ACTIONS = ("take mug 1", "take mug 2", "go to desk")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        # P_know(take) = 0.75 is divided 0.5 : 0.1, 1 : 1, or 1 : 2.
        ("agent", [0.5 * 0.5 + 0.5 * 0.625, 0.5 * 0.1 + 0.5 * 0.125]),
        ("uniform", [0.5 * 0.5 + 0.5 * 0.375, 0.5 * 0.1 + 0.5 * 0.375]),
        ("counts", [0.5 * 0.5 + 0.5 * 0.25, 0.5 * 0.1 + 0.5 * 0.5]),
    ],
)
def test_a_verb_s_probability_is_divided_among_its_actions(
    arguments: str, expected: list[float]
) -> None:
    neighbours = found({"take mug 1": 1, "take mug 2": 2, "go to shelf": 1})
    config = MixingConfig(agent_weight=0.5, arguments=arguments)  # type: ignore[arg-type]
    mixture = mix_actions(ACTIONS, logs(0.5, 0.1, 0.4), neighbours, config)
    rest = 0.5 * 0.4 + 0.5 * 0.25
    np.testing.assert_allclose(mixture.probabilities, [*expected, rest])


def test_actions_of_a_verb_share_evenly_where_nothing_divides_them() -> None:
    np.testing.assert_array_equal(
        within_verbs(["take", "go", "take"], [0.0, 3.0, 0.0]), [0.5, 1.0, 0.5]
    )
    np.testing.assert_array_equal(
        within_verbs(["take", "go", "take"], [3.0, 0.0, 1.0]), [0.75, 1.0, 0.25]
    )


def test_epsilon_leaves_no_legal_action_without_probability() -> None:
    config = MixingConfig(agent_weight=0.0, epsilon=0.3)
    mixture = mix_actions(ACTIONS, logs(0.5, 0.1, 0.4), found({"go": 5}), config)
    np.testing.assert_allclose(mixture.probabilities, [0.1, 0.1, 0.8])
    masked = mix(
        [1.0, 0.0, 0.0], [0.0] * 3, 0.5, legal=[True, True, False], epsilon=0.5
    )
    np.testing.assert_allclose(masked.probabilities, [0.75, 0.25, 0.0])


def test_an_adaptive_weight_trusts_the_base_as_far_as_it_has_seen_the_like() -> None:
    config = MixingConfig(
        agent_weight=0.4, adaptive=True, half_support=10, min_similarity=0.5
    )
    # 1 - 0.6 * n / (n + 10).
    assert effective_weight(config, found({"go": 10})) == pytest.approx(0.7)
    assert effective_weight(config, found({"go": 30})) == pytest.approx(0.55)
    assert effective_weight(config, found({"go": 30}, similarity=0.4)) == 1.0
    assert effective_weight(config, NO_NEIGHBOURS) == 1.0
    assert effective_weight(MixingConfig(agent_weight=0.4), found({"go": 1})) == 0.4


def test_an_adaptive_weight_saves_an_agent_that_the_base_alone_would_overrule() -> None:
    far = found({"take": 3}, similarity=0.1)
    scores = logs(0.9, 0.1, 0.0)
    alone = MixingConfig(agent_weight=0.0)
    saved = MixingConfig(agent_weight=0.0, adaptive=True, min_similarity=0.5)
    assert mix_verbs(VERBS, scores, far, alone).best == "take"
    assert mix_verbs(VERBS, scores, far, saved).best == "go"


def test_a_trace_says_what_made_the_decision() -> None:
    config = MixingConfig(agent_weight=0.5)
    trace = mix_verbs(("go", "take"), logs(0.9, 0.1), found({"go": 1}), config).trace()
    assert json.loads(json.dumps(trace)) == trace
    assert trace["knowledge"] == [1.0, 0.0]
    assert trace["support"] == 1
    silent = mix_verbs(("go",), [-math.inf], NO_NEIGHBOURS, config).trace()
    assert silent["agent"] is silent["knowledge"] is silent["agent_weight"] is None
    assert silent["probabilities"] == [1.0]


def test_a_trace_of_many_candidates_tells_the_most_probable_in_their_order() -> None:
    commands = [f"go {number:03}" for number in range(MAX_TRACED + 2)]
    # All but the first and the last are equally probable; the first is the best.
    scores = [0.0, *[-1.0] * MAX_TRACED, -2.0]
    config = MixingConfig(agent_weight=0.5)
    mixture = mix_actions(commands, scores, found({"go 000": 1}), config)
    trace = mixture.trace()
    assert trace["candidates"] == commands[:MAX_TRACED]
    assert trace["num_candidates"] == MAX_TRACED + 2
    for name in ("probabilities", "agent", "knowledge"):
        told = getattr(mixture, name)[:MAX_TRACED]
        assert trace[name] == told.tolist()


probabilities = st.floats(0.0, 1.0, width=32)


@st.composite
def rows(draw: st.DrawFn) -> tuple[FloatArray, FloatArray, FloatArray, Any]:
    """Returns agents, shares, weights and what is legal, of several rows."""
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 6)))
    agent = draw(arrays(np.float64, shape, elements=probabilities))
    agent[draw(arrays(np.bool_, shape[0]))] = np.nan
    shares = draw(arrays(np.float64, shape, elements=probabilities)) / shape[1]
    weights = draw(arrays(np.float64, shape[0], elements=probabilities))
    legal = draw(arrays(np.bool_, shape))
    legal[:, 0] |= ~legal.any(axis=1)
    return agent, shares, weights, legal


@settings(deadline=None)
@given(rows(), st.sampled_from([0.0, 0.1, 1.0]))
def test_probabilities_sum_to_1_on_what_is_legal(drawn: Any, epsilon: float) -> None:
    agent, shares, weights, legal = drawn
    mixed = mix(agent, shares, weights, legal=legal, epsilon=epsilon).probabilities
    np.testing.assert_allclose(mixed.sum(axis=-1), 1.0, rtol=1e-9)
    assert (mixed >= 0.0).all()
    assert not mixed[~legal].any()
    smallest = epsilon / legal.sum(axis=-1, keepdims=True)
    assert (mixed >= 0.999 * smallest)[legal].all()


@settings(deadline=None)
@given(rows())
def test_many_rows_at_once_give_what_each_gives_alone(drawn: Any) -> None:
    agent, shares, weights, legal = drawn
    together = mix(agent, shares, weights, legal=legal, epsilon=0.1)
    for row in range(len(agent)):
        alone = mix(
            agent[row], shares[row], weights[row], legal=legal[row], epsilon=0.1
        )
        np.testing.assert_allclose(
            together.probabilities[row], alone.probabilities, rtol=1e-12
        )
        np.testing.assert_equal(together.agent_weight[row], alone.agent_weight)


@settings(deadline=None)
@given(
    st.permutations(range(5)),
    st.lists(st.floats(-5.0, 0.0), min_size=5, max_size=5),
    st.sampled_from(["agent", "uniform", "counts"]),
)
def test_the_order_of_legal_actions_does_not_matter(
    order: list[int], scores: list[float], arguments: Any
) -> None:
    actions = ["take a", "take b", "go to c", "open d", "go to e"]
    neighbours = found({"take b": 2, "go to c": 1, "heat f": 1})
    config = MixingConfig(agent_weight=0.3, arguments=arguments, epsilon=0.05)
    straight = mix_actions(actions, scores, neighbours, config).probabilities
    shuffled = mix_actions(
        [actions[place] for place in order],
        [scores[place] for place in order],
        neighbours,
        config,
    ).probabilities
    np.testing.assert_allclose(shuffled, straight[order], rtol=1e-12)


@pytest.mark.parametrize("candidates", [(), ("go", "go")])
def test_candidates_must_be_there_and_each_once(candidates: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="at least one candidate, and each only once"):
        mix_verbs(candidates, [0.0] * len(candidates), NO_NEIGHBOURS, MixingConfig())
    with pytest.raises(ValueError, match=r"^At least one action must be legal"):
        mix([1.0], [1.0], 0.5, legal=[False])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"agent_weight": 1.1}, r"^agent_weight must be from 0 to 1, got 1\.1\.$"),
        ({"epsilon": -0.1}, r"^epsilon must be from 0 to 1, got -0\.1\.$"),
        ({"agent_weight": math.nan}, r"^agent_weight must be from 0 to 1, got nan"),
        ({"mode": "x"}, "^mode must be paper or released, got 'x'"),
        ({"arguments": "x"}, "^arguments must be one of agent, uniform, counts, got"),
    ],
)
def test_settings_keep_their_rules(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MixingConfig(**setting)


def test_settings_of_the_adaptive_weight_keep_their_rules() -> None:
    with pytest.raises(ValueError, match=r"^half_support must be above 0, got 0"):
        MixingConfig(half_support=0)
    with pytest.raises(
        ValueError, match=r"^min_similarity must be from -1 to 1, got 2"
    ):
        MixingConfig(min_similarity=2)
