"""A network as prior and value: what it reads, what it says, what it costs."""

from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.core.protocols import Context
from cwm.llm.local.config import DeviceConfig
from cwm.llm.local.packages import LazyPackage
from cwm.providers.policies.episodes import TextEpisodes
from cwm.providers.policies.guiding import ContextReader, PolicyGuide, make_reader
from cwm.providers.policies.networks.base import Evaluated, PolicyNetwork
from cwm.providers.policies.networks.config import NetworkConfig, ScratchConfig
from cwm.providers.policies.networks.making import complete, make_network
from cwm.providers.policies.networks.symbolic import SymbolicNetwork
from cwm.providers.policies.views import View
from envs.babyai.privileged import PrivilegedBabyAI
from envs.babyai.telling import TextTeller
from envs.registry import find

torch = LazyPackage("torch")

pytestmark = [pytest.mark.local, pytest.mark.babyai]

LEVEL = "GoToLocalS6N4"
TEXT = f"cwm/BabyAI-{LEVEL}-v0"
WHOLE = f"cwm/PrivilegedBabyAI-{LEVEL}-v0"
ACTIONS = ("left", "right", "forward")


class ByGoal:
    """Says of each view what a table says of its goal; notes what it was asked."""

    name = "by goal"
    module: Any = None
    needs_images = False

    def __init__(self, table: dict[str, tuple[list[float], float]]) -> None:
        self.table = table
        self.asked: list[list[str]] = []
        self.keeps_gradients = False

    def evaluate(self, views: Any) -> Evaluated:
        self.asked.append([view.goal for view in views])
        self.keeps_gradients |= torch.is_grad_enabled()
        rows = [self.table[view.goal] for view in views]
        logits = torch.tensor([row[0] for row in rows], requires_grad=True)
        values = torch.tensor([row[1] for row in rows])
        return Evaluated(logits.log_softmax(dim=-1), values)

    def value_parameters(self) -> list[Any]:
        return []

    def saved(self) -> dict[str, Any]:
        return {}

    def restore(self, weights: dict[str, Any]) -> None: ...


def guide_of(network: Any, **settings: Any) -> PolicyGuide:
    reader = ContextReader(teller=TextTeller(), actions=ACTIONS, window=2)
    return PolicyGuide(network, reader, **({"discount": 0.9} | settings))


def told(goal: str, *observations: str) -> Context:
    texts = observations or ("You see a wall 1 step left.",)
    return Context(
        instruction=goal, observations=texts, actions=(1,) * (len(texts) - 1)
    )


TABLE = {"go": ([2.0, 1.0, 0.0], 5.0), "stay": ([0.0, 0.0, 3.0], -4.0)}


def test_probabilities_are_of_exactly_the_legal_actions_in_their_order() -> None:
    prior = guide_of(ByGoal(TABLE)).prior
    whole, two, one = prior.evaluate(
        [told("go"), told("go"), told("stay")], [(0, 1, 2), (2, 0), (np.int64(1),)]
    )
    expected = np.exp([2.0, 1.0, 0.0])
    np.testing.assert_allclose(np.exp(whole), expected / expected.sum(), rtol=1e-6)
    kept = expected[[2, 0]]
    np.testing.assert_allclose(np.exp(two), kept / kept.sum(), rtol=1e-6)
    assert one.tolist() == [0.0]


@pytest.mark.parametrize("action", [-1, 3])
def test_an_unknown_action_is_no_other_one(action: int) -> None:
    prior = guide_of(ByGoal(TABLE)).prior
    with pytest.raises(ValueError, match="Legal actions must be from 0 to 2"):
        prior.evaluate([told("go")], [(0, action)])


def test_a_temperature_makes_the_prior_flatter() -> None:
    prior = guide_of(ByGoal(TABLE), temperature=4.0).prior
    (logs,) = prior.evaluate([told("go")], [(0, 1, 2)])
    expected = np.exp([0.5, 0.25, 0.0])
    np.testing.assert_allclose(np.exp(logs), expected / expected.sum(), rtol=1e-6)
    with pytest.raises(ConfigError, match=r"temperature must be positive.*got 0\.0"):
        guide_of(ByGoal(TABLE), temperature=0.0)
    with pytest.raises(ConfigError, match="batch_size must be at least 1, got 0"):
        guide_of(ByGoal(TABLE), batch_size=0)


def test_values_are_in_the_units_of_training_and_within_what_can_be() -> None:
    value = guide_of(ByGoal(TABLE), reward_scale=20.0).value
    assert value.spec.discount == 0.9
    assert value.spec.scale == pytest.approx(1 / 20)
    assert (value.spec.low, value.spec.high) == (0.0, 20.0)
    assert value.evaluate([told("go"), told("stay")]).tolist() == [5.0, 0.0]
    assert guide_of(ByGoal(TABLE)).value.evaluate([told("go")]).tolist() == [1.0]


def test_what_reads_alike_is_evaluated_once() -> None:
    network = ByGoal(TABLE)
    guide = guide_of(network, batch_size=2)
    # Beyond the window nothing is read.
    longer = told("go", "You see a key.", "You see a wall 1 step left.", "")
    other_start = told("go", "", "You see a wall 1 step left.", "")
    guide.value.evaluate([told("go"), told("go"), longer, other_start, told("stay")])
    assert network.asked == [["go", "go"], ["stay"]]
    guide.prior.evaluate([longer, told("stay")], [(0, 1), (2,)])
    assert (guide.num_contexts, guide.num_evaluations, guide.num_calls) == (7, 3, 2)
    guide.forget()
    guide.value.evaluate([told("stay")])
    assert (guide.num_contexts, guide.num_evaluations, guide.num_calls) == (8, 4, 3)
    assert not network.keeps_gradients


def test_what_was_done_in_between_is_read() -> None:
    network = ByGoal(TABLE)
    guide = guide_of(network)
    texts = ("", "You see a key.")
    for action in (0, 1, 1):
        done = Context(instruction="go", observations=texts, actions=(action,))
        guide.value.evaluate([done])
    assert guide.num_evaluations == 2


def scratch() -> PolicyNetwork:
    config = NetworkConfig(
        window=3, head_width=16, scratch=ScratchConfig(layers=1, width=16, heads=2)
    )
    made = make_network(
        "scratch",
        complete(config, "scratch"),
        num_actions=6,
        seed=1,
        local=DeviceConfig(num_threads=1),
    )
    return made.network


def symbolic() -> PolicyNetwork:
    return SymbolicNetwork(range(6), window=3, width=8, seed=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [scratch, symbolic])
def test_states_are_read_as_the_agent_in_words_reads_them(make: Any) -> None:
    network = make()
    images = network.needs_images
    source = TextEpisodes(TEXT, 1, window=3, images=images)
    whole = PrivilegedBabyAI(LEVEL)
    spec = find(WHOLE)
    reader = make_reader(
        spec, trained_in=find(TEXT), num_actions=6, window=3, images=images
    )
    guide = PolicyGuide(network, reader, discount=0.99)
    rng = np.random.default_rng(0)
    for seed in range(3):
        (view,) = source.reset([seed])
        state, _ = whole.reset(seed=seed)
        context = Context(instruction=whole.instruction, observations=(state,))
        for _ in range(12):
            assert_same_view(reader.view(context), view)
            expected = network.evaluate([view])
            (logs,) = guide.prior.evaluate([context], [range(6)])
            np.testing.assert_allclose(
                logs, expected.log_probs[0].detach().numpy(), atol=1e-5
            )
            value = np.clip(expected.values.detach().numpy(), 0.0, 1.0)
            np.testing.assert_allclose(
                guide.value.evaluate([context]), value, atol=1e-5
            )
            action = int(rng.integers(6))
            found = source.step([action])
            if found.ended:
                break
            (view,) = found.views
            state, *_ = whole.step(action)
            context = context.then(action, state)


def assert_same_view(ours: View, theirs: View) -> None:
    assert (ours.goal, ours.history, ours.actions) == (
        theirs.goal,
        theirs.history,
        theirs.actions,
    )
    np.testing.assert_array_equal(ours.images, theirs.images)


def reader(env_id: str, *, images: bool = False, **kwargs: Any) -> ContextReader:
    trained_in = find(TEXT, kwargs={"wording": "french", "num_actions": 3})
    return make_reader(
        find(env_id, kwargs=kwargs),
        trained_in=trained_in,
        num_actions=3,
        window=1,
        images=images,
    )


def test_states_are_told_in_the_words_of_training_and_texts_in_their_own() -> None:
    french = reader(WHOLE, num_actions=3)
    assert french.actions == (
        "tourner à gauche",
        "tourner à droite",
        "aller tout droit",
    )
    state, _ = PrivilegedBabyAI(LEVEL).reset(seed=0)
    view = french.view(Context(instruction="go to the key", observations=(state,)))
    assert view.goal == "aller à la clef"
    assert all(told.startswith("Tu vois") for told in view.history.observations[0])
    assert reader(TEXT, num_actions=3).actions[0] == "turn left"


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"reads BabyAI only.*got 'Taxi-v4'"):
        reader("Taxi-v4")
    with pytest.raises(ConfigError, match="has 6 actions, and the policy knows 3"):
        reader(WHOLE)
    with pytest.raises(ConfigError, match=r"sees images, and .* is told in words"):
        reader(TEXT, num_actions=3, images=True)
    assert reader(WHOLE, num_actions=3, images=True).images
