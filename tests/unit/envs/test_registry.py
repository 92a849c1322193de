import sys

import gymnasium
import pytest

from cwm.core.errors import ConfigError, PrerequisiteError
from cwm.core.spaces import BoxSpec, DictSpec, DiscreteSpec
from envs.registry import OWN, SHORT_NAMES, find, known_ids
from envs.spec import drop_sections, with_description
from tests.support.toy_envs import toy


def test_a_known_environment_says_what_it_is() -> None:
    spec = find("CartPole-v1")
    assert spec.id == "CartPole-v1"
    assert spec.action_space == DiscreteSpec(2)
    assert isinstance(spec.observation_space, BoxSpec)
    assert spec.observation_space.dtype == "float32"
    assert spec.max_episode_steps == 500
    env = spec.make()
    env.reset(seed=0)
    env.close()


def test_a_misspelt_name_gets_the_nearest_ones() -> None:
    with pytest.raises(ConfigError, match=r"'CartPol-v1'. Nearest: CartPole-v1"):
        find("CartPol-v1")


def test_capitals_do_not_hide_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"Nearest: .*MountainCar-v0"):
        find("mountaincar-v0")


def test_a_name_like_no_other_gets_examples() -> None:
    with pytest.raises(ConfigError, match=r"There are \d+, such as CartPole-v1"):
        find("qqqqqq")


def test_a_version_that_is_gone_says_so() -> None:
    with pytest.raises(ConfigError, match=r"'FrozenLake-v0'"):
        find("FrozenLake-v0")


def test_a_dropped_version_with_equal_transitions_still_works() -> None:
    assert find("Taxi-v3").observation_space == DiscreteSpec(500)


def test_a_module_is_imported_for_its_environments() -> None:
    spec = find(toy("Mixed"))
    assert isinstance(spec.observation_space, DictSpec)


def test_a_missing_module_is_named() -> None:
    with pytest.raises(ConfigError, match="there is no module 'no_such_module'"):
        find("no_such_module:Thing-v0")


def test_a_missing_package_comes_with_its_install_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [m for m in sys.modules if m.startswith("gymnasium.envs.mujoco")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(PrerequisiteError, match=r"gymnasium\[mujoco\]"):
        find("InvertedPendulum-v5")


def test_constructor_arguments_reach_the_environment() -> None:
    env = find("FrozenLake-v1", kwargs={"map_name": "8x8"}).make()
    assert env.observation_space == gymnasium.spaces.Discrete(64)
    env.close()


def test_an_unknown_constructor_argument_is_a_setting() -> None:
    with pytest.raises(ConfigError, match="'CartPole-v1' cannot be made with"):
        find("CartPole-v1", kwargs={"colour": 1})


@pytest.mark.parametrize(
    ("name", "message"),
    [("WordActions", "must be numbers to be sampled"), ("Graph", "got Graph")],
)
def test_spaces_that_cannot_be_handled_are_refused(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find(toy(name))


def test_own_environments_are_not_put_into_gymnasiums_registry() -> None:
    assert set(OWN) <= set(known_ids())
    assert not set(OWN) & set(gymnasium.registry)


def test_the_description_has_neither_arguments_nor_history() -> None:
    text = find("Pendulum-v1").description
    assert "## Action Space" in text
    assert "## Starting State" in text
    assert "Version History" not in text
    assert "Arguments" not in text


def test_an_environment_without_documentation_states_its_spaces() -> None:
    class Silent(gymnasium.Env):  # type: ignore[type-arg]
        observation_space = gymnasium.spaces.Discrete(3)
        action_space = gymnasium.spaces.Discrete(2)

    gymnasium.register("Silent-v0", entry_point=Silent)
    try:
        assert "Discrete(3)" in find("Silent-v0").description
    finally:
        del gymnasium.registry["Silent-v0"]


def test_dropping_a_section_drops_what_is_below_it_only() -> None:
    text = "## A\none\n## Arguments\ntwo\n### Deeper\nthree\n## B\nfour"
    assert drop_sections(text, ("arguments",)) == "## A\none\n## B\nfour"


def test_a_comment_in_code_is_no_heading() -> None:
    text = "## Arguments\n```\n# Not a heading\n```\nstill\n# Next\nkept"
    assert drop_sections(text, ("arguments",)) == "# Next\nkept"


def test_a_fence_that_is_not_closed_hides_no_heading() -> None:
    text = "## A\n'''python\nx\n```\n## Version History\nold\n## B\nkept"
    assert "old" not in drop_sections(text, ("version history",))
    assert drop_sections(text, ("version history",)).endswith("## B\nkept")


def test_a_description_can_be_replaced() -> None:
    spec = with_description(find("CartPole-v1"), " A pole. \n")
    assert spec.description == "A pole."


def test_short_names_stand_for_ids() -> None:
    assert find("playground").id == "cwm/Playground-v0"
    # BabyAI's and text games need an extra.
    for name, env_id in SHORT_NAMES.items():
        is_text = str(OWN[env_id].entry_point).startswith("envs.text_games")
        assert "BabyAI" in env_id or is_text or find(name).id == env_id
    assert set(SHORT_NAMES) <= set(known_ids())
    with pytest.raises(ConfigError, match="Nearest: playground, "):
        find("playgrond")
