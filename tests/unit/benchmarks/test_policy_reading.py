"""Who reads the goal is told from who does not."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.policy_reading import (
    BenchmarkConfig,
    agreements,
    main,
    opposite_goals,
    place_of_goal,
    things_told,
    turns,
)
from cwm.providers.policies.learning.cloning import Demonstration
from cwm.providers.policies.networks.base import Evaluated
from cwm.providers.policies.views import View
from prompts.glam import History

torch = pytest.importorskip("torch")

ACTIONS = ("turn left", "turn right", "go forward", "pick up", "drop", "toggle")
LEFT, RIGHT, FORWARD = range(3)
KEY, BALL = "You see a red key 2 steps left", "You see a blue ball 1 step right"
WALL = "You see a wall 3 steps right"
BOX = "You see a grey box 1 step left and 2 steps forward"


def seen(goal: str, *sentences: str) -> View:
    return View(goal=goal, history=History.begin(sentences, 1), actions=ACTIONS)


class Ruled:
    """A network whose likeliest action a rule gives."""

    needs_images = False

    def __init__(self, rule: Callable[[View], int]) -> None:
        self._rule = rule

    def evaluate(self, views: Sequence[View]) -> Evaluated:
        scores = torch.zeros((len(views), len(ACTIONS)))
        for row, view in enumerate(views):
            scores[row, self._rule(view)] = 3.0
        return Evaluated(scores.log_softmax(dim=1), torch.zeros(len(views)))


def to_the_goal(view: View) -> int:
    name = view.goal.removeprefix("go to the ")
    (told,) = (one for one in view.history.observations[-1] if name in one)
    return LEFT if "left" in told else RIGHT


def to_the_first_thing(view: View) -> int:
    return LEFT if "left" in view.history.observations[-1][0] else RIGHT


def test_sentences_are_taken_apart() -> None:
    ahead = "You see a green box 4 steps forward"
    door = "You see a open red door 2 steps left"
    found = things_told([WALL, door, KEY, BOX, ahead, "You carry a red key"])
    assert [(one.name, one.side, one.is_level) for one in found] == [
        ("red key", "left", True),
        ("grey box", "left", False),
        ("green box", "", False),
    ]


@pytest.mark.parametrize(
    ("goal", "place"),
    [
        ("go to the red key", "level"),
        ("go to a grey box", "aside"),
        ("go to the green box", "ahead"),
        ("go to the red ball", "absent"),
        ("go to a blue ball", "several"),
    ],
)
def test_the_goal_is_told_in_one_place(goal: str, place: str) -> None:
    ahead, other = (
        "You see a green box 1 step forward",
        "You see a blue ball 1 step left",
    )
    assert place_of_goal(seen(goal, WALL, KEY, BOX, ahead, BALL, other)) == place


def test_other_missions_are_refused() -> None:
    with pytest.raises(ValueError, match="must be to go to a thing, got 'pick up the"):
        place_of_goal(seen("pick up the red key", KEY))


def test_a_moment_has_a_goal_on_either_side_if_each_is_the_only_one_of_its_name() -> (
    None
):
    pair = opposite_goals(seen("go to the grey box", WALL, KEY, BOX, BALL))
    assert pair is not None
    assert [one.goal for one in pair] == ["go to the red key", "go to the blue ball"]
    twice = KEY.replace("left", "right")
    for sentences in ((KEY, WALL), (BALL, BOX), (KEY, twice), (KEY, BALL, twice)):
        assert opposite_goals(seen("go to the red key", *sentences)) is None


def test_who_reads_turns_to_every_goal_and_who_does_not_to_half_of_them() -> None:
    views = [seen("go to a grey box", KEY, BALL), seen("go to a grey box", BALL, KEY)]
    views.append(seen("go to a grey box", BOX))
    assert turns(Ruled(to_the_goal), views) == [True] * 4
    assert turns(Ruled(to_the_first_thing), views) == [True, False, False, True]
    assert turns(Ruled(to_the_goal), views[2:]) == []


def test_agreement_with_the_bot_is_counted_by_place() -> None:
    shown = [
        Demonstration(view=seen(goal, KEY, BALL), action=action, episode=0)
        for goal, action in (
            ("go to the red key", LEFT),
            ("go to the blue ball", RIGHT),
            ("go to the red box", FORWARD),
        )
    ]
    found = agreements(Ruled(to_the_first_thing), shown)
    assert found["level"] == [True, False]
    assert found["absent"] == [False]
    assert found["ahead"] == found["aside"] == found["several"] == []


@pytest.mark.babyai
@pytest.mark.local
def test_a_run_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from cwm.ppo.command import main as ppo  # noqa: PLC0415 - needs the extras

    out = str(tmp_path / "clone")
    words: list[Any] = ["train", "--quiet", "--env", "BabyAI-GoToLocal-v0"]
    words += ["--learner", "cloning", "--num-demonstrations", "3", "--out", out]
    assert ppo(words) == 0
    capsys.readouterr()
    main(BenchmarkConfig(runs=(out,), episodes=20, output=str(tmp_path / "x.jsonl")))
    shown = capsys.readouterr().out
    for name in ("turns", "bot, ahead", "bot, level", "bot, absent"):
        assert name in shown
    assert (tmp_path / "x.jsonl").read_text().count("\n") == 1
