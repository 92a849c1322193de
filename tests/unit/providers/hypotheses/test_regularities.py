"""Sentences about what transitions have in common."""

import pytest

from cwm.providers.hypotheses.scientists.regularities import MAX_INSTANCES, find_rules
from cwm.providers.hypotheses.texts import TextTrajectory
from cwm.providers.hypotheses.worlds import WORLDS


def told(*pairs: tuple[str, str]) -> tuple[TextTrajectory, ...]:
    actions, changes = zip(*pairs, strict=True)
    number = len(pairs)
    return (
        TextTrajectory(
            states=("",) * (number + 1),
            actions=actions,
            changes=changes,
            types=("",) * number,
            action_ids=(0,) * number,
        ),
    )


def test_words_that_action_and_change_share_become_a_slot() -> None:
    rules = find_rules(
        told(
            ("You go to the pea.", "You are standing on the pea."),
            ("You go to the baby pig.", "You are standing on the baby pig."),
        )
    )
    assert rules == (
        "When you go to the X, you are standing on the X.",
        "When you go to the baby pig, you are standing on the baby pig.",
        "When you go to the pea, you are standing on the pea.",
    )


def test_shared_words_that_are_always_the_same_are_no_slot() -> None:
    rules = find_rules(
        told(
            ("You give the objects.", "The objects grow."),
            ("You give the objects.", "The objects grow."),
        )
    )
    assert rules == ("When you give the objects, the objects grow.",)


def test_changes_after_one_action_become_alternatives() -> None:
    rules = find_rules(
        told(
            ("You pick up the object.", "You now hold the water."),
            ("You pick up the object.", "You now hold the pea."),
            ("You pick up the object.", "Nothing else."),
        )
    )
    assert "When you pick up the object, you now hold the pea or water." in rules
    assert len(rules) == 4


def test_of_several_words_that_differ_both_readings_are_rules() -> None:
    rules = find_rules(
        told(
            ("You are holding a small red key.", "It opens."),
            ("You are holding a large blue key.", "It opens."),
        )
    )
    assert "When you are holding a large or small blue or red key, it opens." in rules
    assert "When you are holding a large blue or small red key, it opens." in rules


def test_sentences_with_little_in_common_are_no_alternatives() -> None:
    rules = find_rules(told(("Go on.", "One two three."), ("Go on.", "One red cat.")))
    assert len(rules) == 2


@pytest.mark.parametrize("rule", ["all but blue", "blue"])
def test_the_rule_of_the_door_is_among_them(rule: str) -> None:
    texts = {
        "all but blue": "When you are holding a large, medium or small green or red "
        "ball, card or key, the door is opened.",
        "blue": "When you are holding a large, medium or small blue ball, card or "
        "key, the door is closed.",
    }
    assert texts[rule] in find_rules(WORLDS["door"].test_set())


def test_they_do_not_depend_on_the_order_of_the_data() -> None:
    trajectories = WORLDS["playground"].test_set()
    rules = find_rules(trajectories)
    assert rules == find_rules(trajectories[::-1])
    assert list(rules) == sorted(set(rules))
    assert "When you go to the X, you are standing on the X." in rules


def test_only_the_most_frequent_transitions_are_rules_as_they_are() -> None:
    pairs = [(f"{'a' * n}.", f"{'b' * n}.") for n in range(1, MAX_INSTANCES + 9)]
    rules = find_rules(told(*pairs, pairs[-1], pairs[-1]))
    assert len(rules) == MAX_INSTANCES
    assert f"When {pairs[-1][0][:-1]}, {pairs[-1][1]}" in rules


def test_no_transitions_give_no_rules() -> None:
    assert find_rules(()) == ()
