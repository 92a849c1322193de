import itertools

import pytest

from envs.text_games.base import Split
from envs.text_games.science import with_teleports
from envs.text_games.science_tasks import (
    PAPER_TASKS,
    TASKS,
    games,
    named_tasks,
    variations,
)

SPLITS: tuple[Split, ...] = ("train", "seen", "unseen")


@pytest.mark.parametrize("task", TASKS)
def test_splits_have_no_variation_in_common(task: str) -> None:
    facts = TASKS[task]
    found = {split: variations(task, split) for split in SPLITS}
    for left, right in itertools.combinations(SPLITS, 2):
        assert not set(found[left]) & set(found[right])
    dev = range(facts.num_train, facts.num_train + facts.num_dev)
    assert set(found["train"]) <= set(range(facts.num_train))
    assert set(found["seen"]) <= set(dev)
    assert min(found["unseen"]) == dev.stop
    for split, most in zip(SPLITS, (120, 10, 10), strict=True):
        assert len(found[split]) == len(set(found[split])) <= most


def test_variations_are_spread_evenly() -> None:
    # 270 in train, of which 120 are kept: every 2.25th.
    assert variations("use-thermometer", "train")[:5] == (0, 2, 4, 6, 9)
    # 7 in dev, after 14 in train.
    assert variations("boil", "seen") == tuple(range(14, 21))
    assert variations("boil", "unseen") == tuple(range(21, 30))


def test_the_papers_tasks_and_their_limits() -> None:
    assert len(TASKS) == 30
    assert len(PAPER_TASKS) == 24
    # Published means of the step limits, over their dev and test games.
    for split, mean in (("seen", 38.1), ("unseen", 39.7)):
        limits = [TASKS[task].max_steps or 0 for task, _ in games(PAPER_TASKS, split)]
        assert sum(limits) / len(limits) == pytest.approx(mean, abs=1.0)
    assert len(games(PAPER_TASKS, "unseen")) == 211


def test_all_variations_add_up() -> None:
    totals = [sum(facts[part] for facts in TASKS.values()) for part in range(3)]
    assert totals == [3_592, 1_796, 1_819]


def test_tasks_take_turns() -> None:
    mixed = games(PAPER_TASKS, "train")
    assert [task for task, _ in mixed[:24]] == list(PAPER_TASKS)
    assert len(set(mixed)) == len(mixed)
    assert games(("boil",), "train") == tuple(("boil", v) for v in range(14))


def test_a_task_without_games_left_is_passed_over() -> None:
    # 2 and 3 variations in dev, after 4 and 6 in train.
    tasks = ("identify-life-stages-2", "identify-life-stages-1")
    assert games(tasks, "seen") == (
        ("identify-life-stages-2", 4),
        ("identify-life-stages-1", 6),
        ("identify-life-stages-2", 5),
        ("identify-life-stages-1", 7),
        ("identify-life-stages-1", 8),
    )


def test_tasks_are_named_one_several_or_none() -> None:
    assert named_tasks("boil") == ("boil",)
    assert named_tasks(["melt", "boil"]) == ("melt", "boil")
    assert named_tasks("") == named_tasks([]) == PAPER_TASKS


@pytest.mark.parametrize("task", ["boyle", ["boil", "boyle"], ["boil", "boil"], [""]])
def test_tasks_that_are_unknown_or_named_twice_are_refused(
    task: str | list[str],
) -> None:
    with pytest.raises(ValueError, match=r"^task must be '' or one of boil, melt"):
        named_tasks(task)


@pytest.mark.parametrize(
    ("path", "shorter"),
    [
        (
            ["open door to kitchen", "go to kitchen", "look around", "go to hallway"],
            ("teleport to kitchen", "look around", "teleport to hallway"),
        ),
        (
            ["open door to hallway", "go to hallway", "open door to x", "go to x"],
            ("teleport to x",),
        ),
        (["open door to kitchen", "wait1"], ("open door to kitchen", "wait1")),
        (["go to outside"], ("teleport to outside",)),
        (["open cupboard", "pick up axe"], ("open cupboard", "pick up axe")),
        ([], ()),
    ],
)
def test_walks_become_teleports(path: list[str], shorter: tuple[str, ...]) -> None:
    assert with_teleports(path) == shorter
