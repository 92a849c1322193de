"""DRRN: its network, and how it learns."""

from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.providers.policies.episodes import TextEpisodes
from cwm.providers.policies.learning.drrn import (
    DRRNConfig,
    DRRNLearner,
    DRRNProgress,
    Remembered,
    train_drrn,
    transitions,
)
from cwm.providers.policies.networks.drrn import DRRNNetwork, encode_words
from envs.babyai.wordings import ACTIONS, WORDINGS

LOCAL = "cwm/BabyAI-GoToLocal-v0"
SIX = ACTIONS[:6]
SMALL = DRRNConfig(width=8, batch_size=4, steps_per_update=16, capacity=50)

local = pytest.mark.local
babyai = pytest.mark.babyai


def remembered(state: str, action: int, reward: float, after: str = "") -> Remembered:
    next_state = encode_words(after) if after else None
    return Remembered(encode_words(state), action, reward, next_state)


def test_words_are_told_apart_but_for_case_and_signs() -> None:
    assert (
        encode_words("Go to the door").tolist()
        == encode_words(" go, to the\n DOOR. ").tolist()
    )
    words = {
        word
        for wording in WORDINGS.values()
        for text in (
            *wording.actions,
            *(
                told
                for colour in ("red", "green", "blue", "purple", "yellow", "grey")
                for noun in ("door", "key", "ball", "box")
                for told in (
                    wording.tell_carried(colour, noun),
                    wording.tell_mission(f"go to the {colour} {noun}"),
                    wording.tell_object(colour, noun, "", right=-2, forward=1),
                )
            ),
        )
        for word in text.lower().split()
    }
    assert len(words) > 80
    assert len({int(encode_words(word)[0]) for word in words}) >= len(words) - 1
    assert encode_words("").shape == (1,)


@local
def test_q_values_do_not_depend_on_the_other_states() -> None:
    network = DRRNNetwork(width=8)
    states = [encode_words("a door " * length) for length in (1, 5, 2)]
    together = network.q_values(states, SIX).detach().numpy()
    for index, state in enumerate(states):
        alone = network.q_values([state], SIX).detach().numpy()
        assert alone == pytest.approx(together[index : index + 1], abs=1e-6)
    for index, name in enumerate(SIX):
        alone = network.q_values(states, [name]).detach().numpy()
        assert alone == pytest.approx(together[:, index : index + 1], abs=1e-6)
    assert np.ptp(together, axis=0).min() > 1e-4
    assert np.ptp(together, axis=1).min() > 1e-4


@local
@babyai
def test_it_is_a_policy_with_a_value() -> None:
    views = TextEpisodes(LOCAL, 3).reset(range(3))
    network = DRRNNetwork(width=8)
    found = network.evaluate(views)
    q_values = network.q_values([encode_words(v.prompt()) for v in views], SIX)
    q_values = q_values.detach().numpy().astype(float)
    probs = np.exp(q_values) / np.exp(q_values).sum(axis=1, keepdims=True)
    assert found.log_probs.detach().numpy() == pytest.approx(np.log(probs), abs=1e-5)
    values = (probs * q_values).sum(axis=1)
    assert found.values.detach().numpy() == pytest.approx(values, abs=1e-5)


@local
@pytest.mark.parametrize("max_grad_norm", [0.2, 1e6])
def test_a_gradient_step_by_hand(max_grad_norm: float) -> None:
    import torch  # noqa: PLC0415

    config = DRRNConfig(
        width=8, discount=0.8, learning_rate=0.01, max_grad_norm=max_grad_norm
    )
    batch = [
        remembered("you see a ball", 2, 0.0, "you see a red ball"),
        remembered("you see a red ball", 0, 18.0),
        remembered("a door", 5, -0.3, "a locked door ahead"),
    ]
    network, other = DRRNNetwork(width=8, seed=3), DRRNNetwork(width=8, seed=3)

    def q(state: Any) -> Any:
        return other.q_values([state], SIX)[0]

    terms = []
    for one in batch:
        rest = (
            0.0 if one.next_state is None else float(q(one.next_state).max().detach())
        )
        error = q(one.state)[one.action] - (one.reward + 0.8 * rest)
        size = error.abs()
        terms.append(0.5 * error**2 if float(size.detach()) < 1 else size - 0.5)
    loss = (terms[0] + terms[1] + terms[2]) / 3
    weights = dict(other.module.named_parameters())
    grads = torch.autograd.grad(loss, list(weights.values()))
    norm = float(torch.sqrt(sum((g**2).sum() for g in grads)))
    assert 0.2 < norm < 1e6
    learner = DRRNLearner(network, SIX, config)
    assert learner.update(batch) == pytest.approx(float(loss.detach()), rel=1e-5)
    # Adam's first step is `rate * g / (|g| + 1e-8)`.
    scale = min(1.0, max_grad_norm / norm)
    for (name, old), grad in zip(weights.items(), grads, strict=True):
        new = network.module.get_parameter(name)
        step = 0.01 * scale * grad / ((scale * grad).abs() + 1e-8)
        is_clear = grad.abs() > 1e-5
        assert torch.allclose(new[is_clear], (old - step)[is_clear], atol=1e-5)
        assert (new == old)[grad == 0].all()
    # Gradients as clipped; the step of Adam hides it.
    clipped = torch.sqrt(sum((p.grad**2).sum() for p in network.module.parameters()))
    assert float(clipped) == pytest.approx(min(norm, max_grad_norm), rel=1e-4)


@local
def test_updates_bring_q_values_to_the_targets() -> None:
    config = DRRNConfig(width=8, learning_rate=0.05)
    network = DRRNNetwork(width=8)
    learner = DRRNLearner(network, SIX, config)
    batch = [
        remembered("before the ball", 2, 0.0, "at the ball"),
        *(remembered("at the ball", action, float(action)) for action in range(6)),
    ]
    for _ in range(150):
        learner.update(batch)
    found = network.q_values([one.state for one in batch[:2]], SIX).detach().numpy()
    assert found[1] == pytest.approx(range(6), abs=0.15)
    assert found[0, 2] == pytest.approx(0.9 * 5, abs=0.3)


@local
def test_the_replay_keeps_the_newest() -> None:
    learner = DRRNLearner(
        DRRNNetwork(width=8), SIX, DRRNConfig(batch_size=3, capacity=5)
    )
    assert not learner.can_learn
    learner.remember([remembered("a", 0, float(number)) for number in range(8)])
    assert learner.can_learn
    assert sorted(one.reward for one in learner.replay) == [3, 4, 5, 6, 7]
    drawn = learner.draw(np.random.default_rng(0))
    assert len({one.reward for one in drawn}) == 3


@babyai
def test_what_a_step_teaches_at_the_end_of_episodes() -> None:
    source = TextEpisodes(LOCAL, 2, {"level_settings": {"max_steps": 3}})
    # Seed 0 reaches the ball with its second step; seed 1 does not.
    views = source.reset([0, 1])
    actions = np.array([2, 0])
    found = source.step(actions)
    first = transitions(views, actions, found, 20.0)
    assert first[1].state.tolist() == encode_words(views[1].prompt()).tolist()
    assert first[1].next_state is not None
    assert (
        first[1].next_state.tolist() == encode_words(found.views[1].prompt()).tolist()
    )
    views, found = found.views, source.step(actions)
    second = transitions(views, actions, found, 20.0)
    assert found.terminated.tolist() == [True, False]
    assert second[0].next_state is None
    assert second[0].reward == pytest.approx(20 * (1 - 0.9 * 2 / 3))
    views, found = found.views, source.step(actions)
    third = transitions(views, actions, found, 20.0)
    assert found.truncated.tolist() == [False, True]
    assert third[1].next_state is not None
    assert (
        third[1].next_state.tolist()
        == encode_words(found.ended[1].view.prompt()).tolist()
    )
    # After an episode has ended, its successor's first observation is in the prompt.
    assert third[0].state.tolist() == encode_words(views[0].prompt()).tolist()
    assert views[0].history.observations[0]


@local
@babyai
def test_training_is_fixed_by_the_seed_and_tells_of_its_updates() -> None:
    source = TextEpisodes("cwm/BabyAI-GoToRedBallNoDists-v0", 8)
    told: list[DRRNProgress] = []
    first = train_drrn(source, SMALL, num_frames=256, seed=1, on_progress=told.append)
    assert [one.num_updates for one in told] == list(range(1, 17))
    assert [one.num_frames for one in told] == list(range(16, 257, 16))
    ended = [one for one in told if one.num_episodes]
    assert ended
    assert all(0 <= one.success_rate <= 1 for one in ended)
    again = train_drrn(source, SMALL, num_frames=256, seed=1)
    other = train_drrn(source, SMALL, num_frames=256, seed=2)
    weights, same, different = (a.network.saved() for a in (first, again, other))
    assert all((weights[name] == same[name]).all() for name in weights)
    assert any((weights[name] != different[name]).any() for name in weights)
    untrained = DRRNNetwork(width=8, seed=1)
    views = source.reset(range(8))
    before = untrained.evaluate(views).log_probs
    untrained.restore(weights)
    after = untrained.evaluate(views).log_probs
    assert (after == first.network.evaluate(views).log_probs).all()
    assert (after != before).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be positive and finite, got 0.0"),
        ({"discount": 1.5}, "discount must be above 0 and at most 1, got 1.5"),
        ({"capacity": 9}, r"capacity must be at least batch_size \(64\), got 9"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        DRRNConfig(**settings)
