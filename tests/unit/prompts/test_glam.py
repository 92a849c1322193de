"""GLAM's prompt, to the letter."""

import pytest

from prompts.glam import ENGLISH, FRENCH, WORDINGS, History, prompt, short_prompt

ACTIONS = ("turn left", "turn right", "go forward", "pick up", "drop", "toggle")
GOAL = "go to the green ball"
SEEN = (
    ("You see a wall 2 steps left", "You see a green ball 3 steps forward"),
    ("You see a green ball 2 steps forward",),
    (),
    ("You carry a grey key",),
)
HEAD = (
    "Possible action of the agent: turn left, turn right, go forward, pick up, drop, "
    "toggle \n Goal of the agent: go to the green ball"
)
FIRST = (
    " \n Observation 0: You see a wall 2 steps left, You see a green ball 3 steps "
    "forward, \n Action 0: "
)
PROMPTS = (
    HEAD + FIRST,
    HEAD + FIRST + "go forward \n Observation 1: You see a green ball 2 steps forward, "
    "\n Action 1: ",
    HEAD + FIRST + "go forward \n Observation 1: You see a green ball 2 steps forward, "
    "\n Action 1: toggle \n Observation 2: \n Action 2: ",
    HEAD + " \n Observation 0: You see a green ball 2 steps forward, \n Action 0: "
    "toggle \n Observation 1: \n Action 1: pick up \n Observation 2: You carry a grey "
    "key, \n Action 2: ",
)
DONE = ("go forward", "toggle", "pick up")


@pytest.mark.parametrize("step", range(4))
def test_the_prompt_of_each_step_is_the_published_one(step: int) -> None:
    history = History.begin(SEEN[0])
    for action, sentences in zip(DONE[:step], SEEN[1 : step + 1], strict=True):
        history = history.after(action, sentences)
    assert history.prompt(GOAL, ACTIONS) == PROMPTS[step]
    first = max(0, step - 2)
    window = prompt(GOAL, ACTIONS, SEEN[first : step + 1], DONE[first:step])
    assert window == PROMPTS[step]


def test_a_history_is_not_changed_by_what_follows() -> None:
    history = History.begin(SEEN[0], window=1)
    later = history.after("drop", SEEN[1])
    assert history.observations == (SEEN[0],)
    assert (later.observations, later.actions_done) == ((SEEN[1],), ())


def test_the_french_prompt() -> None:
    text = prompt("aller à la clef rouge", ["attraper"], [["Tu vois"]], [], FRENCH)
    assert text == (
        "Actions possibles pour l'agent: attraper \n But de l'agent: aller à la clef "
        "rouge \n Observation 0: Tu vois, \n Action 0: "
    )


@pytest.mark.parametrize(
    ("name", "goal"),
    [
        ("first-person-speaker", "I would like the agent to: go"),
        ("first-person-agent", "You have to: go"),
    ],
)
def test_the_goal_is_introduced_otherwise(name: str, goal: str) -> None:
    # As published: the words are replaced in the finished prompt.
    plain = prompt("go", ["drop"], [["a"]], [], ENGLISH)
    words = goal.partition(":")[0]
    expected = plain.replace("Goal of the agent", words)
    assert prompt("go", ["drop"], [["a"]], [], WORDINGS[name]) == expected
    assert goal in expected


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"observations \(1\), got 1"):
        prompt(GOAL, ACTIONS, SEEN[:1], DONE[:1])
    with pytest.raises(ValueError, match="window must be at least 1 observation"):
        History.begin(SEEN[0], window=0)


def test_the_short_prompt_has_no_list_of_actions() -> None:
    first = short_prompt("go to the red ball", [["A", "B"]], [])
    assert first == "Goal of the agent: go to the red ball\nObservation: A, B\nAction: "
    later = short_prompt("g", [["A"], []], ["turn left"])
    assert later == (
        "Goal of the agent: g\nObservation: A\nAction: turn left\nObservation: \n"
        "Action: "
    )
