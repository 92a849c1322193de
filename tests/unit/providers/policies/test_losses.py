"""Losses of PPO: numbers by hand, and gradients of single transitions."""

import math

import pytest

from cwm.providers.policies.learning.config import PPOConfig
from cwm.providers.policies.learning.losses import policy_loss, ppo_loss, value_loss

pytestmark = pytest.mark.local

CLIP = 0.2


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def test_surrogate_is_clipped_where_that_is_worse(torch):
    ratios = torch.tensor([1.0, 1.5, 0.5, 1.5, 0.5])
    advantages = torch.tensor([2.0, 2.0, 2.0, -2.0, -2.0])
    found = policy_loss(ratios, advantages, CLIP).tolist()
    assert found == pytest.approx([-2.0, -2.4, -1.0, 3.0, 1.6])


def test_value_loss_by_hand(torch):
    values, targets = torch.tensor([1.0, 2.0]), torch.tensor([2.0, 0.0])
    old = torch.tensor([0.0, 2.0])
    plain = value_loss(values, targets, old, clip=None)
    assert plain.tolist() == [1.0, 4.0]
    # 0 may move to 0.2, whose error of 1.8 is the larger one.
    clipped = value_loss(values, targets, old, clip=CLIP)
    assert clipped.tolist() == pytest.approx([1.8**2, 4.0])


def test_gradient_of_a_value_is_that_of_its_own_return(torch):
    targets = torch.tensor([1.0, 5.0, -2.0])
    values = torch.zeros(3, requires_grad=True)
    value_loss(values, targets, torch.zeros(3), clip=None).sum().backward()
    assert values.grad.tolist() == [-2.0, -10.0, 4.0]


def test_published_mistake_pulls_every_value_to_the_mean(torch):
    """The twin: this is what the test above is there to catch."""

    targets = torch.tensor([1.0, 5.0, -3.0])
    values = torch.zeros(3, requires_grad=True)
    value_loss(
        values, targets, torch.zeros(3), clip=None, broadcasts=True
    ).sum().backward()
    assert values.grad.tolist() == pytest.approx([-2.0, -2.0, -2.0])


def test_published_mistake_clips_around_the_other_states_value(torch):
    values = torch.tensor([1.0, 0.0])
    targets, old = torch.tensor([2.0, -1.0]), torch.tensor([0.9, 0.5])
    found = value_loss(values, targets, old, clip=CLIP, broadcasts=True)
    # Pairs (i, j): value i may move by 0.2 from the old value of j. State 0: 1 stays 1
    # and becomes 0.7, state 1: 0 becomes 0.7 and 0.3; the larger error counts.
    first = (max(1.0, 1.0) + max(4.0, 1.7**2)) / 2
    second = (max(4.0, 1.3**2) + max(1.0, 1.3**2)) / 2
    assert found.tolist() == pytest.approx([first, second])


@pytest.mark.parametrize("shape", [(3, 1), (1, 3)])
def test_shapes_that_would_compare_all_pairs_are_refused(torch, shape):
    with pytest.raises(ValueError, match="same shape"):
        value_loss(torch.zeros(shape), torch.zeros(3), torch.zeros(3), clip=None)


def test_whole_loss_by_hand(torch):
    probs = torch.tensor([[0.5, 0.5], [0.75, 0.25]])
    found = ppo_loss(
        probs.log(),
        torch.tensor([1.0, 0.0]),
        actions=torch.tensor([0, 1]),
        old_log_probs=torch.tensor([math.log(0.5), math.log(0.5)]),
        old_values=torch.zeros(2),
        advantages=torch.tensor([1.0, -1.0]),
        targets=torch.tensor([3.0, 0.5]),
        config=PPOConfig(),
    )
    # Ratios 1 and 0.5; the latter counts as 0.8, times -1.
    assert float(found.policy) == pytest.approx(-1.0 + 0.8)
    assert float(found.value) == pytest.approx(4.0 + 0.25)
    quarter = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert float(found.entropy) == pytest.approx(math.log(2.0) + quarter)


def test_impossible_action_adds_no_entropy(torch):
    log_probs = torch.tensor([[0.0, -math.inf]], requires_grad=True)
    found = ppo_loss(
        log_probs,
        torch.zeros(1),
        actions=torch.tensor([0]),
        old_log_probs=torch.zeros(1),
        old_values=torch.zeros(1),
        advantages=torch.ones(1),
        targets=torch.zeros(1),
        config=PPOConfig(),
    )
    assert float(found.entropy.detach()) == 0.0
