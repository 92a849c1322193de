"""An agent and the oracle's moments as priors in the Playground."""

from pathlib import Path

import numpy as np
import pytest

from cwm.agents.playground import (
    PlaygroundPolicyConfig,
    PlaygroundPolicyFolder,
    train_in_playground,
)
from cwm.core.errors import ConfigError, DataError
from cwm.core.protocols import Context
from cwm.execution.progress import SilentProgress
from cwm.guides.playground import (
    PlaygroundKnowledge,
    PlaygroundPolicy,
    action_words,
    oracle_moments,
)
from cwm.providers.hypotheses.config import CuriosityConfig
from cwm.providers.knowledge.base.encoders import HashedEncoder
from cwm.providers.knowledge.base.states import StateBase
from cwm.providers.knowledge.base.storing import save_base
from envs.playground.reading import scene_of
from envs.registry import find

SPEC = find("cwm/PlaygroundSymbolic-v0", kwargs={"reward": "growth"})
SMALL = CuriosityConfig(num_envs=2, num_steps=10, num_epochs=1, batch_size=20)
CONFIG = PlaygroundPolicyConfig(num_frames=40, ppo=SMALL)


def begun(seed: int = 0) -> tuple[Context, list[int]]:
    env = SPEC.make().unwrapped
    observation, _ = env.reset(seed=seed)
    return Context(observations=(observation,)), list(env.legal_actions())


@pytest.fixture
def base(tmp_path: Path) -> Path:
    moments = oracle_moments(SPEC, range(5))
    save_base(StateBase.from_entries(moments, HashedEncoder()), tmp_path / "base")
    return tmp_path / "base"


def test_moments_are_told_in_words() -> None:
    moments = oracle_moments(SPEC, [3])
    assert len(moments) == 19
    assert [one.next for one in moments[:2]] == [
        "go to the water",
        "pick up the object",
    ]
    assert moments[0].previous == "look"
    assert moments[1].previous == "go to the water"
    assert moments[0].state.startswith("You see the ")


def test_every_action_has_words_of_its_own_and_no_rule_is_known() -> None:
    context, _ = begun()
    words = action_words(scene_of(context.observations[0]), range(30))
    assert len(set(words)) == 30
    # Nothing is held: only giving it says that nothing would come of it.
    assert words[29] == "give all the objects you hold"
    assert words[26] == "pick up the object"
    assert words[27].startswith("do nothing")


def test_what_the_oracle_does_first_is_the_likeliest(base: Path) -> None:
    context, legal = begun(seed=77)
    guide = PlaygroundKnowledge(path=base)
    with guide.open(SPEC) as opened:
        assert opened.value is None
        assert opened.prior is not None
        (logs,) = opened.prior.evaluate([context], [legal])
        assert opened.use.num_contexts == 1
    assert np.exp(logs).sum() == pytest.approx(1.0)
    assert legal[int(np.argmax(logs))] == 25  # To the water.
    assert guide.to_json()["prior"]["run"] == "base"


def test_guides_of_the_playground_refuse_other_environments(base: Path) -> None:
    with (
        pytest.raises(ConfigError, match="cwm/PlaygroundSymbolic-v0"),
        PlaygroundKnowledge(path=base).open(find("Taxi-v4")),
    ):
        pass


@pytest.mark.rl
def test_a_policy_gives_probabilities_of_exactly_the_legal_actions(
    tmp_path: Path,
) -> None:
    train_in_playground(CONFIG, tmp_path / "agent", SilentProgress())
    context, legal = begun()
    guide = PlaygroundPolicy(path=tmp_path / "agent", gives_value=True)
    with guide.open(SPEC) as opened:
        assert opened.prior is not None
        assert opened.value is not None
        whole, some = opened.prior.evaluate([context] * 2, [legal, legal[:2]])
        (value,) = opened.value.evaluate([context])
        assert opened.value.spec.discount == 0.99
    assert len(whole) == len(legal)
    assert np.exp(whole).sum() == pytest.approx(1.0, abs=1e-5)
    assert some[0] - some[1] == pytest.approx(whole[0] - whole[1], abs=1e-4)
    assert 0.0 <= value <= 8.0
    assert guide.name == "prior and value agent (40 frames)"


@pytest.mark.rl
def test_the_same_seed_trains_the_same_agent_once(tmp_path: Path) -> None:
    first = train_in_playground(CONFIG, tmp_path / "a", SilentProgress())
    again = train_in_playground(CONFIG, tmp_path / "a", SilentProgress())
    assert again == first
    train_in_playground(CONFIG, tmp_path / "b", SilentProgress())
    logs = []
    for name in ("a", "b"):
        with PlaygroundPolicy(path=tmp_path / name).open(SPEC) as opened:
            assert opened.prior is not None
            context, legal = begun()
            logs.append(opened.prior.evaluate([context], [legal])[0])
    np.testing.assert_array_equal(*logs)
    other = PlaygroundPolicyConfig(num_frames=60, ppo=SMALL)
    with pytest.raises(ConfigError, match="settings given now"):
        train_in_playground(other, tmp_path / "a", SilentProgress())


def test_a_folder_without_an_agent_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be the folder of an agent"):
        PlaygroundPolicyFolder(tmp_path).read_result()


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(ConfigError, match="num_frames must be at least 1, got 0"):
        PlaygroundPolicyConfig(num_frames=0)
