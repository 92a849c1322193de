"""The network over symbols."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.providers.policies.episodes import TextEpisodes
from cwm.providers.policies.networks.base import PolicyNetwork
from cwm.providers.policies.networks.symbolic import MISSION_WORDS, SymbolicNetwork
from cwm.providers.policies.views import View

pytestmark = [pytest.mark.babyai, pytest.mark.local]

ACTIONS = ("turn left", "turn right", "go forward", "pick up", "drop", "toggle")


def played(num_steps: int, env_id: str = "cwm/BabyAI-MixedTrainLocal-v0") -> list[View]:
    source = TextEpisodes(env_id, 4, images=True)
    views = source.reset(range(4))
    rng = np.random.default_rng(0)
    for _ in range(num_steps):
        views = source.step(rng.integers(6, size=4)).views
    return views


def network(**settings: Any) -> SymbolicNetwork:
    return SymbolicNetwork(ACTIONS, **{"width": 16, **settings})


def numbers(of: PolicyNetwork, views: list[View]) -> Any:
    """Log-probabilities and values, `[N, A + 1]`."""
    found = of.evaluate(views)
    rows = [found.log_probs.detach().numpy(), found.values.detach().numpy()[:, None]]
    return np.hstack(rows)


def test_probabilities_sum_to_one_and_are_even_at_first() -> None:
    found = network().evaluate(played(2))
    assert found.log_probs.shape == (4, 6)
    assert found.values.shape == (4,)
    probs = found.log_probs.exp().detach().numpy()
    assert probs.sum(axis=1) == pytest.approx(np.ones(4))
    assert probs == pytest.approx(np.full((4, 6), 1 / 6), abs=0.01)


def test_a_views_numbers_do_not_depend_on_the_other_views() -> None:
    views = [*played(0), *played(1), *played(5)]
    # Missions of different lengths are padded in a batch.
    assert len({len(view.goal.split()) for view in views}) > 1
    one = network()
    # Differences between actions are scaled down at first.
    one.module.actor[-1].weight.data *= 100
    together = numbers(one, views)
    for index, view in enumerate(views):
        assert numbers(one, [view]) == pytest.approx(
            together[index : index + 1], abs=1e-5
        )
    assert np.ptp(together, axis=0).min() > 1e-3


def test_it_sees_the_last_images_their_order_and_the_mission() -> None:
    one = network(window=2)
    view = played(8)[1]
    first, second, third = (one.images[0] for one in played(0)[:3])
    view = replace(view, images=(first, second, third))
    base = numbers(one, [view])

    def apart(**changes: Any) -> bool:
        return bool(
            np.abs(numbers(one, [replace(view, **changes)]) - base).max() > 1e-4
        )

    assert not apart(images=(second, third))
    assert not apart(images=(second, second, third))
    assert apart(images=(third, second))
    assert apart(images=(third,))
    assert apart(goal="go to the grey door")
    assert apart(goal=" ".join(reversed(view.goal.split())))


def test_an_image_that_is_not_there_is_not_one_of_nothing_seen() -> None:
    one = network(window=2)
    view = played(0)[0]
    unseen = np.zeros_like(view.images[0])
    without = numbers(one, [view])
    with_unseen = numbers(one, [replace(view, images=(unseen, view.images[0]))])
    assert np.abs(without - with_unseen).max() > 1e-4


def test_words_that_it_does_not_know_are_one() -> None:
    one, view = network(), played(0)[0]
    goals = ("go to the dax", "go to the xolo", "go to the ball", "", "?")
    dax, xolo, ball, empty, sign = numbers(
        one, [replace(view, goal=goal) for goal in goals]
    )
    assert dax == pytest.approx(xolo, abs=1e-6)
    assert empty == pytest.approx(sign, abs=1e-6)
    assert np.abs(dax - ball).max() > 1e-4


def test_all_words_of_missions_are_known() -> None:
    levels = ("MixedTrainLocal", "BossLevel", "PickupLoc", "GoToSeq", "PutNextLocal")
    for level in levels:
        source = TextEpisodes(f"cwm/BabyAI-{level}-v0", 1)
        for seed in range(30):
            (view,) = source.reset([seed])
            assert set(view.goal.replace(",", "").split()) <= set(MISSION_WORDS)


def test_first_weights_follow_from_the_seed_alone() -> None:
    import torch  # noqa: PLC0415

    views = played(1)
    torch.manual_seed(1)
    one = numbers(network(seed=5), views)
    state = torch.random.get_rng_state()
    torch.manual_seed(2)
    assert (numbers(network(seed=5), views) == one).all()
    assert (numbers(network(seed=6), views) != one).any()
    torch.manual_seed(1)
    assert (torch.random.get_rng_state() == state).all()


def test_weights_are_saved_as_copies_and_restored() -> None:
    import torch  # noqa: PLC0415

    views, one = played(1), network()
    before, kept = numbers(one, views), one.saved()
    with torch.no_grad():
        for weight in one.module.parameters():
            weight.add_(0.1)
    assert (numbers(one, views) != before).any()
    other = network(seed=9)
    for restored in (one, other):
        restored.restore(kept)
        assert (numbers(restored, views) == before).all()
    with pytest.raises(
        ValueError, match=r"must be of this network; actor\.0\.bias must"
    ):
        network(width=24).restore(kept)
    del kept["actor.0.bias"]
    with pytest.raises(ValueError, match=r"must have the shape \(16,\), got None"):
        one.restore(kept)


def test_the_values_weights_are_those_that_probabilities_do_not_need() -> None:
    one = network()
    one.evaluate(played(1)).log_probs[:, 0].sum().backward()
    without = [weight for weight in one.module.parameters() if weight.grad is None]
    assert list(map(id, without)) == list(map(id, one.value_parameters()))
    assert without


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 0}, "window must be at least 1 image, got 0"),
        ({"width": 20}, "width must be a positive multiple of 8, got 20"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        network(**settings)


def test_views_that_it_cannot_read_are_refused() -> None:
    view = played(0)[0]
    with pytest.raises(ValueError, match="views must have images"):
        network().evaluate([view, replace(view, images=())])
    with pytest.raises(ValueError, match="views must have 6 actions, got 3"):
        network().evaluate([replace(view, actions=ACTIONS[:3])])
