from collections import Counter

import numpy as np
import pytest

from cwm.core.errors import ConfigError, CwmError
from cwm.core.protocols import KeyedWorldModel, LikelihoodModel, ModelError
from cwm.providers.hypotheses.models.readings import (
    DoorReading,
    PlaygroundReading,
    WordsState,
    reading_of,
)
from cwm.providers.hypotheses.models.world_model import HypothesisWorldModel
from cwm.providers.hypotheses.texts import TextTransition
from cwm.providers.hypotheses.worlds import WORLDS
from envs.door import CLOSED, OBJECTS, OPENED, Door
from envs.playground.episodes import held_out_episodes
from envs.playground.rules import GO_TO, GRASP, RELEASE_FIRST
from envs.playground.texts import candidate_changes
from envs.playground.things import THINGS
from envs.registry import find
from planners.registry import PlannerConfig, new_planner
from tests.support.rules_statistician import RulesStatistician
from tests.support.table_statistician import TableStatistician

TEXT = (
    "You see the baby pig, the pea seed, the pea. You are next to the pea seed. "
    "In your inventory, there is the water."
)
RNG = np.random.default_rng(0)


def likes(*favourites: str) -> TableStatistician:
    """Returns a statistician that finds some changes ever less likely, others never."""
    values = {change: -float(rank) for rank, change in enumerate(favourites)}
    return TableStatistician(lambda _, one: values.get(one.change, -np.inf))


def model_of(
    statistician: TableStatistician | RulesStatistician, reward: str = "growth"
) -> HypothesisWorldModel:
    reading = PlaygroundReading(reward=reward)  # type: ignore[arg-type]
    return HypothesisWorldModel(statistician, reading)


def test_it_is_what_planners_and_evaluations_ask_for() -> None:
    model = model_of(RulesStatistician())
    assert isinstance(model, KeyedWorldModel)
    assert isinstance(model, LikelihoodModel)


def test_the_most_likely_change_is_made() -> None:
    model = model_of(likes("The objects transform into the pea.", "Nothing happens."))
    step = model.step(TEXT, RELEASE_FIRST, RNG)
    assert step.observation == (
        "You see the baby pig, the pea, the pea. You are next to the pea. "
        "In your inventory, there is nothing."
    )
    assert step.next_state.text == step.observation
    assert (step.reward, step.terminated) == (1.0, False)
    # A state goes on like the text that it shows.
    again = model.step(step.next_state, GRASP, RNG)
    assert again == model.step(step.observation, GRASP, RNG)


def test_a_change_that_cannot_be_made_changes_nothing() -> None:
    model = model_of(likes("The objects transform into the pea."))
    step = model.step(TEXT, GRASP, RNG)
    assert (step.observation, step.reward, step.terminated) == (TEXT, 0.0, False)


def test_impossible_changes_are_weighed_unless_asked_otherwise() -> None:
    names = ("baby pig", "pea seed", "pea", "water")
    gone = "You are standing on the baby pig."
    statistician = likes(gone, "In your inventory, there are the water and the pea.")
    model = model_of(statistician)
    assert model.predict(TEXT, GRASP).changes == (
        *candidate_changes(TEXT),
        "Nothing happens.",
    )
    assert "baby pig." in str(model.step(TEXT, GRASP, RNG).observation)
    held = "In your inventory, there are the water and the pea seed."
    others = {
        GRASP: (held,),
        RELEASE_FIRST: ("The objects transform into the pea.", "Nothing happens."),
        **{
            GO_TO[THINGS[name]]: (f"You are standing on the {name}.",)
            for name in names[:3]
        },
        GO_TO[THINGS["water"]]: ("Nothing happens.",),
    }
    reading = PlaygroundReading()
    even = TableStatistician(lambda *_: 0.0)
    knowing = HypothesisWorldModel(even, reading, consistent_only=True)
    for action, changes in others.items():
        assert knowing.predict(TEXT, action).changes == changes


def test_changes_are_drawn_by_probability() -> None:
    statistician = likes("Nothing happens.", "You are standing on the pea seed.")
    shares = np.exp([0.0, -1.0]) / np.exp([0.0, -1.0]).sum()
    model = HypothesisWorldModel(statistician, PlaygroundReading(), choice="sampled")
    before = "You see the pea seed. In your inventory, there is nothing."
    rng = np.random.default_rng(1)
    action = GO_TO[THINGS["pea seed"]]
    shown = Counter(model.step(before, action, rng).observation for _ in range(2_000))
    assert shown[before] / 2_000 == pytest.approx(shares[0], abs=0.03)
    # 16 other changes were asked about, once.
    assert model.num_scored == statistician.num_scored
    assert statistician.num_calls == 1


def test_predictions_are_kept_for_each_hypothesis() -> None:
    statistician = TableStatistician(
        lambda hypothesis, one: float(one.change == hypothesis)
    )
    model = HypothesisWorldModel(statistician, PlaygroundReading(), "Nothing happens.")
    assert model.step(TEXT, GRASP, RNG).observation == TEXT
    model.hypothesis = "You are standing on the baby pig."
    assert model.step(TEXT, GRASP, RNG).observation != TEXT
    model.step(TEXT, GRASP, RNG)
    assert statistician.num_calls == 2


def test_log_probs_are_normalised_over_the_candidates() -> None:
    episode = held_out_episodes()[3]
    texts, after = episode.observations[:-1], episode.observations[1:]
    found = model_of(RulesStatistician()).log_probs(texts, episode.actions, after)
    assert found.shape == (19,)
    assert (found > np.log(0.999)).all()
    assert (found <= 0).all()
    even = TableStatistician(lambda *_: -7.0)
    found = model_of(even).log_probs(texts, episode.actions, after)
    sizes = [len(candidate_changes(text)) + 1 for text in texts]
    np.testing.assert_allclose(found, -np.log(sizes))
    assert even.num_calls == 1


def test_what_cannot_come_next_has_no_probability() -> None:
    even = TableStatistician(lambda *_: 0.0)
    lost = "You see the baby pig. In your inventory, there is nothing."
    found = model_of(even).log_probs([TEXT] * 2, [RELEASE_FIRST, GRASP], [lost, TEXT])
    assert found[0] == -np.inf
    assert found[1] == pytest.approx(-np.log(len(candidate_changes(TEXT)) + 1))


def test_the_goal_ends_the_episode() -> None:
    model = model_of(likes("The objects transform into the pig."), reward="goal")
    text = (
        "You see the baby pig, the elephant. You are next to the baby pig. "
        "In your inventory, there is the pea."
    )
    step = model.step(text, RELEASE_FIRST, RNG)
    assert (step.reward, step.terminated) == (1.0, True)
    assert step.next_state.reached == (True, True)
    # The same text, where no big animal has grown as far as the state knows.
    step = model.step(WordsState(text, (False, False)), RELEASE_FIRST, RNG)
    assert (step.reward, step.terminated) == (0.0, False)
    assert model.state_key(text) != model.state_key(WordsState(text, (False, False)))


def test_failures_are_told_apart() -> None:
    with pytest.raises(ModelError, match="At least one change"):
        model_of(likes()).step(TEXT, GRASP, RNG)
    with pytest.raises(ModelError, match="must list objects"):
        model_of(RulesStatistician()).legal_actions("a room")

    def refuse(hypothesis: str | None, one: TextTransition) -> float:
        raise CwmError("no server")

    with pytest.raises(CwmError, match="no server"):
        model_of(TableStatistician(refuse)).step(TEXT, GRASP, RNG)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"wording": "new"}, "wording must be one of original, reworded, got 'new'"),
        ({"reward": "fun"}, "reward must be one of goal, growth, got 'fun'"),
        ({"goal": "sleep"}, "goal must be"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PlaygroundReading(**settings)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="choice must be one of"):
        HypothesisWorldModel(
            RulesStatistician(),
            PlaygroundReading(),
            choice="best",  # type: ignore[arg-type]
        )


def test_every_world_can_be_read() -> None:
    for name, world in WORLDS.items():
        reading, env = reading_of(name), world.open()
        text = env.reset(0)
        action, said = env.actions()[0]
        assert action in reading.actions(text)
        assert reading.say_action(text, action) == said
        assert set(world.candidates(text)) <= set(reading.candidates(text))
        step = env.step(action)
        assert reading.change_between(text, action, step.state) == step.change
        assert reading.follow(reading.begin(text), action, step.change).state.text == (
            step.state
        )
    with pytest.raises(ConfigError, match="world must be one of door, playground"):
        reading_of("chess")


def test_the_door_is_planned_in() -> None:
    def rule(hypothesis: str | None, one: TextTransition) -> float:
        return float((one.change == OPENED) == ("blue" not in one.action))

    model = HypothesisWorldModel(TableStatistician(rule), DoorReading())
    env = Door()
    for action in range(len(OBJECTS)):
        text, _ = env.reset()
        step = model.step(text, action, RNG)
        shown, reward, terminated, *_ = env.step(action)
        assert step[1:] == (shown, reward, terminated)
    found = model.log_probs([CLOSED], [0], ["The door is blue."])
    assert found.tolist() == [-np.inf]


@pytest.mark.parametrize(
    ("name", "horizon", "model_steps", "num_followed"),
    [("beam", 30, 2_000, 30), ("mcts", 20, 400, 1)],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_planning_in_a_knowing_model_grows_things(
    name: str, horizon: int, model_steps: int, num_followed: int, seed: int
) -> None:
    spec = find("playground", kwargs={"reward": "growth"})
    env, model = spec.make(), model_of(RulesStatistician())
    config = PlannerConfig(name=name, horizon=horizon, model_steps=model_steps)
    planner = new_planner(config, spec.action_space)
    text, _ = env.reset(seed=seed)
    types: Counter[str] = Counter()
    is_over, memory = False, None
    while not is_over:
        plan = planner.plan(
            model,
            text,
            np.random.default_rng(types.total()),
            steps_left=30 - types.total(),
            memory=memory,
        )
        memory = plan.memory
        for action, expected in zip(
            plan.actions[:num_followed], plan.predictions, strict=False
        ):
            text, _, terminated, truncated, info = env.step(action)
            types[info["transition_type"]] += 1
            is_over = terminated or truncated
            # Words hide where things come back: then it is time to plan anew.
            if is_over or expected.observation != text:
                break
    assert types["transformP"] >= 1
    assert types["transformSH"] >= 1
