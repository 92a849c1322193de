from typing import Any

import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from cwm.core.errors import ConfigError
from envs.door import CLOSED, OBJECTS, OPENED, RULES, Door, Held
from envs.registry import find


def opened(rule: Any, **kwargs: int) -> set[Held]:
    door = Door(rule=rule, **kwargs)
    found = set()
    for action, held in enumerate(OBJECTS):
        assert door.reset()[0] == CLOSED
        text, reward, terminated, truncated, info = door.step(action)
        assert (terminated, truncated) == (True, False)
        assert (text, reward) in ((OPENED, 1.0), (CLOSED, 0.0))
        assert info["action"] == held.text
        assert info["change"] == text
        assert info["transition_type"] == ("opened" if reward else "closed")
        if reward:
            found.add(held)
    return found


def test_gymnasium_accepts_the_environment() -> None:
    check_env(find("cwm/Door-v0").make().unwrapped, skip_render_check=True)


def test_objects_are_in_the_published_order() -> None:
    assert len(set(OBJECTS)) == 27
    assert OBJECTS[0].text == "You are holding a small red key."
    assert OBJECTS[1].text == "You are holding a small red card."
    assert OBJECTS[3].text == "You are holding a medium red key."
    assert OBJECTS[9].text == "You are holding a small green key."


@pytest.mark.parametrize(
    ("rule", "number"),
    [
        *(("not_blue", 18), ("not_blue_key", 24), ("nor_green_large", 12)),
        *(("all_true", 27), ("all_false", 0), ([None, None, None], 27)),
        *((["small", None, None], 9), (["large", "red", None], 3)),
        (["medium", "blue", "ball"], 1),
    ],
)
def test_how_many_objects_each_rule_lets_open(rule: Any, number: int) -> None:
    assert len(opened(rule)) == number


def test_rules_look_at_what_they_name() -> None:
    assert Held("blue", "small", "key") not in opened("not_blue_key")
    assert opened(["large", "red", None]) == {
        held for held in OBJECTS if (held.size, held.colour) == ("large", "red")
    }
    assert all(
        held.colour != "green" and held.size != "large"
        for held in opened("nor_green_large")
    )


def test_a_rule_is_drawn_about_two_attributes() -> None:
    drawn = [Door(rule=None, rule_seed=seed).rule for seed in range(30)]
    assert all(sum(part is not None for part in rule) == 2 for rule in drawn)
    assert len({tuple(rule) for rule in drawn}) > 10
    assert Door(rule=None, rule_seed=3).rule == Door(rule=None, rule_seed=3).rule
    assert len(opened(None, rule_seed=3)) == 3


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("blue", f"rule must be one of {', '.join(RULES)}, got 'blue'"),
        (["red", None, None], "rule must be a size, a colour and a shape"),
        (["small"], "rule must be a size, a colour and a shape"),
    ],
)
def test_unknown_rules_are_refused(rule: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find("cwm/Door-v0", kwargs={"rule": rule})


def test_there_is_one_step() -> None:
    door = Door()
    assert door.legal_actions() == ()
    door.reset(seed=0)
    assert door.legal_actions() == tuple(range(27))
    door.step(0)
    assert door.legal_actions() == ()
    with pytest.raises(ResetNeeded, match="reset the environment"):
        door.step(0)
