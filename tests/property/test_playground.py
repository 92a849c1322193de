"""The rules and texts of the Playground, over generated scenes and actions.

Checks F3 and F4 on the original's side are replaced by a second model, written apart.
"""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from envs.playground.encoding import SHAPE, action_mask, encode
from envs.playground.env import Playground, SymbolicPlayground
from envs.playground.rules import (
    GOES_TO,
    GONE,
    GRASP,
    GROUND,
    HELD,
    NOTHING,
    NUM_ACTIONS,
    RELEASE_ALL,
    RELEASE_FIRST,
    TRANSITION_TYPES,
    UNDER,
    Scene,
    legal_actions,
    listed_actions,
    take,
)
from envs.playground.texts import (
    NO_ACTION,
    ORIGINAL,
    REWORDED,
    action_between,
    candidate_changes,
    change_between,
    describe,
    read,
    tell_action,
    tell_change,
    type_between,
)
from envs.playground.things import CATEGORY, NAMES, THINGS, TYPES, type_of
from tests.support.naive_playground import Thing, World

MANY = settings(max_examples=300, deadline=None)
EPISODES = settings(max_examples=60, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)
USUAL_NAMES = (
    *("water", "pea", "pea seed", "beet", "beet seed", "pig"),
    *("baby pig", "baby cow", "baby giraffe", "elephant"),
)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Eight objects anywhere: at most one under the agent, two held."""
    # Few names, so that objects meet what they need, and others of their name.
    pool = draw(st.sets(st.sampled_from(USUAL_NAMES), min_size=1, max_size=4))
    of_pool = st.sampled_from(sorted(pool))
    names = draw(st.lists(of_pool, min_size=8, max_size=8))
    places = [draw(st.sampled_from((GROUND, GROUND, GONE))) for _ in names]
    order = draw(st.permutations(range(8)))
    num_held = draw(st.integers(0, 2))
    for slot in order[:num_held]:
        places[slot] = HELD
    if draw(st.integers(0, 3)):
        places[order[-1]] = UNDER
    return Scene(tuple(THINGS[name] for name in names), tuple(places))


def naive(scene: Scene) -> World:
    named = {GONE: "gone", GROUND: "ground", UNDER: "ground", HELD: "held"}
    things = tuple(
        Thing(NAMES[one], named[place])
        for one, place in zip(scene.things, scene.places, strict=True)
    )
    at = scene.places.index(UNDER) if UNDER in scene.places else None
    return World(things, at)


def in_words(scene: Scene, action: int) -> str:
    if action in GOES_TO:
        return f"Go to {NAMES[GOES_TO[action]]}"
    if action in (GRASP, RELEASE_ALL):
        return "Grasp" if action == GRASP else "Release all"
    world = naive(scene)
    items = sorted(world.things[i].name for i in world.held())
    return f"Release {items[action - RELEASE_FIRST]}"


@MANY
@given(scenes())
def test_f3_rules_and_texts_are_those_of_the_second_model(scene: Scene) -> None:
    world = naive(scene)
    assert describe(scene) == world.text()
    listed = listed_actions(scene)
    assert [in_words(scene, action) for action in listed] == world.actions()
    for action in listed:
        outcome = take(scene, action)
        after, kind, change = world.after(in_words(scene, action))
        assert naive(outcome.scene) == after
        assert TRANSITION_TYPES[outcome.transition_type] == kind
        assert tell_change(outcome) == change


@MANY
@given(scenes())
def test_exactly_the_legal_actions_do_something(scene: Scene) -> None:
    legal = legal_actions(scene)
    assert list(legal) == sorted(set(listed_actions(scene)))
    for action in range(-1, NUM_ACTIONS + 1):
        outcome = take(scene, action)
        assert (outcome.transition_type != NOTHING) == (action in legal)
        if action not in legal:
            assert outcome.scene == scene
            assert tell_action(outcome, action, scene) == NO_ACTION


@MANY
@given(scenes())
def test_what_texts_show_tells_what_was_done_and_what_came_of_it(scene: Scene) -> None:
    before = describe(scene)
    for action in range(NUM_ACTIONS):
        outcome = take(scene, action)
        after = describe(outcome.scene)
        assert type_between(before, action, after) == outcome.transition_type
        done = tell_action(outcome, action, scene)
        assert action_between(before, action, after) == done
        for wording in (ORIGINAL, REWORDED):
            told = tell_change(outcome, wording)
            assert change_between(before, action, after, wording) == told
            if outcome.transition_type != NOTHING:
                assert told in candidate_changes(before, wording)


@MANY
@given(scenes())
def test_state_texts_are_read_as_they_were_written(scene: Scene) -> None:
    shown, world = read(describe(scene)), naive(scene)
    assert shown.visible == tuple(world.things[i].name for i in world.seen())
    assert shown.items == tuple(world.things[i].name for i in world.held())
    assert shown.under == (None if world.on is None else world.things[world.on].name)


def encoded_by_words(scene: Scene) -> NDArray[np.int8]:
    """Fills the four axes of the encoding one by one, from names."""
    features = np.zeros((4, 13, 2, 4), dtype=np.int8)
    ids = {name: number for number, name in enumerate(TYPES, start=1)}
    columns = ("big_herbivorous", "plant", "small_herbivorous", "supply")
    world = naive(scene)

    def place(name: str) -> tuple[int, int, int]:
        kind = type_of(THINGS[name])
        is_grown = int(name == kind)
        return ids[kind], is_grown, columns.index(CATEGORY[kind])

    for i in world.seen():
        features[0, *place(world.things[i].name)] += 1
    if world.on is not None:
        features[1, *place(world.things[world.on].name)] = 1
    for role, name in enumerate(sorted(world.things[i].name for i in world.held())):
        features[2 + role, *place(name)] = 1
    return features


@MANY
@given(scenes())
def test_f4_the_encoding_and_the_mask_are_the_published_ones(scene: Scene) -> None:
    assert SHAPE == (4, 13, 2, 4)
    expected = encoded_by_words(scene)
    assert encode(scene).tolist() == expected.ravel().tolist()
    legal = legal_actions(scene)
    assert np.flatnonzero(action_mask(legal)).tolist() == list(legal)
    assert not {0, 12, 13} & set(legal)


@EPISODES
@given(SEEDS, st.data())
def test_an_episode_can_go_on_from_what_the_slots_show(
    seed: int, data: st.DataObject
) -> None:
    env, other = SymbolicPlayground(), SymbolicPlayground()
    shown, _ = env.reset(seed=seed)
    other.reset(seed=seed + 1 if seed < 2**32 - 1 else 0)
    is_over = False
    for _ in range(40):
        assert env.observation_space.contains(shown)
        if is_over:
            break
        action = data.draw(st.sampled_from(env.listed_actions()))
        other.state = shown.tolist()
        shown, reward, is_over, _, info = env.step(action)
        again = other.step(action)
        assert again[0].tolist() == shown.tolist()
        assert again[1:3] == (reward, is_over)
        assert again[4]["change"] == info["change"]
        assert other.legal_actions() == env.legal_actions()


@EPISODES
@given(SEEDS, st.lists(st.floats(0, 1, exclude_max=True), max_size=60))
def test_rewards_come_with_the_end_only(seed: int, chances: list[float]) -> None:
    env = Playground()
    text, _ = env.reset(seed=seed)
    grown: set[str] = set()
    for chance in chances:
        assert env.observation_space.contains(text)
        listed = env.listed_actions()
        if not listed:
            break
        text, reward, terminated, _, info = env.step(listed[int(chance * len(listed))])
        grown.add(info["transition_type"])
        is_reached = {"transformSH", "transformBH"} <= grown
        assert (reward, terminated) == (float(is_reached), is_reached)
        if terminated:
            assert env.legal_actions() == ()
            break
