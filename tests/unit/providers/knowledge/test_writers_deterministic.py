"""Task and state knowledge by rules."""

import msgspec
import pytest

from cwm.core.errors import DataError
from cwm.providers.knowledge.records import Episode
from cwm.providers.knowledge.writers.deterministic import (
    DeterministicKindWriter,
    DeterministicStateWriter,
    DeterministicTaskWriter,
)
from cwm.providers.knowledge.writers.roles import pairs_of, state_notes, task_note
from cwm.providers.knowledge.writers.workflows import (
    Known,
    avoided_in,
    known_of,
    missed_in,
    shared_words,
    workflow_of,
)
from tests.support.knowledge_episodes import (
    BOILING,
    COLD_MUG,
    COOKING,
    HOT_MUG,
    episode,
    step,
)

WORKFLOW = (
    "look for mug (go to, open)",
    "take mug from where it is",
    "go to microwave (go to)",
    "heat mug with microwave",
    "go to coffeemachine (go to)",
    "put mug in/on coffeemachine",
)


def test_a_workflow_has_no_numbers_and_no_places_that_were_only_searched() -> None:
    assert workflow_of(HOT_MUG, known_of(HOT_MUG)) == WORKFLOW


def test_what_a_recipe_names_is_not_told_by_name() -> None:
    assert workflow_of(COOKING, known_of(COOKING)) == (
        "read cookbook",
        "look for what the recipe asks for (open door to, move)",
        "take what the recipe asks for",
        "go where one can slice what the recipe asks for (move)",
        "slice what the recipe asks for",
        "prepare meal",
        "eat meal",
    )


def test_a_thing_that_is_turned_on_keeps_its_name_and_a_refusal_is_left_out() -> None:
    assert workflow_of(BOILING, known_of(BOILING)) == (
        "look for an object (teleport to kitchen)",
        "pick up an object",
        "focus on the object",
        "move the object to stove",
        "activate stove",
    )


def tidy(number: int, *things: str) -> Episode:
    steps = []
    for thing in things:
        steps += [
            step("move north", f"You are in the room {thing}."),
            step(f"take {thing}", f"You take the {thing}."),
            step("move south", "You are in the hall."),
            step(f"put {thing} in chest", f"You put the {thing} in the chest."),
        ]
    return episode(
        *steps,
        id=f"t{number}",
        task="twc",
        game=number,
        instruction="Your task is to pick up objects.",
        observation="You are in the hall.",
    )


def test_runs_of_steps_that_follow_one_another_are_told_once() -> None:
    once = workflow_of(tidy(0, "hat"), Known(text=""))
    assert once == (
        "look for an object (move)",
        "take an object",
        "go to its place (move)",
        "put the object in its place",
    )
    thrice = workflow_of(tidy(0, "hat", "cup", "pen"), Known(text=""))
    assert thrice == (f"{once[0]} (this and what follows, for each)", *once[1:])
    twice = episode(step("take hat", "ok"), step("take cup", "ok"))
    assert workflow_of(twice, Known(text="")) == (
        "take an object (more than once if needed)",
    )


def test_what_was_in_vain_is_to_be_avoided() -> None:
    assert avoided_in(COLD_MUG, HOT_MUG, known_of(HOT_MUG)) == (
        "take mug, which is refused",
        "go back to places that were searched before",
        "repeat examine when nothing changes",
    )


def test_the_expert_itself_has_nothing_to_avoid_and_missed_nothing() -> None:
    known = known_of(HOT_MUG)
    assert avoided_in(HOT_MUG, HOT_MUG, known) == ()
    assert missed_in(HOT_MUG, WORKFLOW, known) == []


def test_what_works_at_another_time_is_not_warned_of() -> None:
    early = episode(
        step("heat mug 2 with microwave 1", "Nothing happens.", is_legal=False),
        step("heat mug 2 with lamp 1", "Nothing happens.", is_legal=False),
        ending="out_of_steps",
    )
    assert avoided_in(early, HOT_MUG, known_of(HOT_MUG)) == (
        "heat mug with lamp, which is refused",
    )


def test_going_back_as_often_as_the_expert_is_no_detour() -> None:
    known = Known(text="")
    assert avoided_in(tidy(0, "hat"), tidy(0, "hat"), known) == ()
    assert avoided_in(tidy(0, "hat", "hat"), tidy(0, "hat"), known)[0] == (
        "go back to places that were searched before"
    )


def test_a_loop_of_several_commands_is_a_repetition() -> None:
    here, there = "You are in the hall.", "You are in the den."
    loop = [step("move north", there), step("move south", here)] * 2
    looped = episode(*loop, observation=here, ending="out_of_steps")
    avoided = avoided_in(looped, HOT_MUG, Known(text=""))
    assert avoided == (
        "go back to places that were searched before",
        "repeat move when nothing changes",
    )


def test_the_command_that_lost_the_game_is_to_be_avoided() -> None:
    lost = episode(step("focus on frog", "You focus on the frog."), ending="lost")
    (avoided,) = avoided_in(lost, BOILING, Known(text=""))
    assert avoided == "focus on the object at the wrong moment, which loses the game"


def test_what_was_missed_is_what_decides() -> None:
    assert missed_in(COLD_MUG, WORKFLOW, known_of(HOT_MUG)) == [
        "heat mug with microwave"
    ]


def test_task_knowledge_has_the_form_of_the_paper() -> None:
    text = DeterministicTaskWriter().write(HOT_MUG, COLD_MUG)
    assert text == (
        "When you are asked: put a hot mug in coffeemachine, you should not forget to "
        "heat mug with microwave. You should not take mug, which is refused; or go "
        "back to places that were searched before; or repeat examine when nothing "
        "changes. The action workflows are: 1. look for mug (go to, open). 2. take mug "
        "from where it is. 3. go to microwave (go to). 4. heat mug with microwave. "
        "5. go to coffeemachine (go to). 6. put mug in/on coffeemachine."
    )


def test_without_an_explored_episode_there_is_nothing_to_avoid() -> None:
    text = DeterministicTaskWriter().write(HOT_MUG, None)
    assert "without detours" in text
    assert "should not" not in text


def renamed(one: Episode, number: int, thing: str, place: str) -> Episode:
    def reworded(text: str) -> str:
        return text.replace("mug", thing).replace("coffeemachine", place)

    steps = tuple(
        msgspec.structs.replace(
            step, action=reworded(step.action), observation=reworded(step.observation)
        )
        for step in one.steps
    )
    return msgspec.structs.replace(
        one,
        id=f"{one.id}-{number}",
        game=number,
        instruction=reworded(one.instruction),
        observation=reworded(one.observation),
        steps=steps,
    )


def test_of_a_kind_of_task_one_text_holds_for_all_games() -> None:
    pairs = [
        (HOT_MUG, COLD_MUG),
        (renamed(HOT_MUG, 2, "plate", "shelf"), renamed(COLD_MUG, 2, "plate", "shelf")),
    ]
    writer = DeterministicKindWriter.from_pairs(pairs)
    text = writer.write(*pairs[0])
    assert text == writer.write(*pairs[1])
    assert "When you are asked: do a task of the kind pick heat then place," in text
    assert "mug" not in text
    assert "plate" not in text
    assert "not forget to heat what the task names with microwave." in text
    assert "put what the task names in/on the place that the task names." in text


def test_of_a_kind_the_most_frequent_workflow_is_told() -> None:
    pairs = [(tidy(n, "hat"), None) for n in range(2)]
    pairs += [(tidy(2, "hat", "cup"), None)]
    text = DeterministicKindWriter.from_pairs(pairs).write(pairs[2][0], None)
    assert "for each" not in text


def test_a_kind_that_was_not_seen_has_no_text() -> None:
    writer = DeterministicKindWriter.from_pairs([(HOT_MUG, None)])
    with pytest.raises(DataError, match=r"\(pick_heat_then_place\), got 'boil'"):
        writer.write(BOILING, None)


def test_words_are_shared_if_all_instructions_have_them() -> None:
    assert shared_words(["Take the coin.", "Put the coin away."]) == {"the", "coin"}


def test_state_knowledge_has_a_text_for_each_observation() -> None:
    texts = DeterministicStateWriter().write(COLD_MUG)
    assert len(texts) == len(COLD_MUG.observations)
    changed = msgspec.structs.replace(COLD_MUG, steps=COLD_MUG.steps[:4])
    assert DeterministicStateWriter().write(changed) == texts[:5]


def test_notes_say_who_wrote_them_about_what() -> None:
    task = task_note(DeterministicTaskWriter(), HOT_MUG, COLD_MUG)
    assert (task.episode, task.rejected, task.made_by) == (
        "e1",
        "r1",
        "deterministic writer",
    )
    assert task_note(DeterministicTaskWriter(), HOT_MUG, None).rejected == ""
    states = state_notes(DeterministicStateWriter(), HOT_MUG)
    assert (states.episode, states.made_by) == ("e1", "deterministic writer")
    kinds = DeterministicKindWriter.from_pairs([(HOT_MUG, None)])
    assert kinds.made_by != task.made_by


def test_pairs_are_of_one_game_and_a_tie_is_kept() -> None:
    tie = msgspec.structs.replace(COLD_MUG, ending="won", score=1.0)
    second = msgspec.structs.replace(tie, id="r2")
    assert pairs_of([HOT_MUG, COOKING], [tie, second]) == [
        (HOT_MUG, tie),
        (COOKING, None),
    ]


def test_a_chosen_episode_must_have_been_won() -> None:
    with pytest.raises(DataError, match=r"'r1', which ended as 'out_of_steps'"):
        pairs_of([COLD_MUG], [])
