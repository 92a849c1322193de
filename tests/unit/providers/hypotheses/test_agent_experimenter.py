"""An agent trained elsewhere, which acts by the words of what it may do here."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.llm.local.config import LocalConfig
from cwm.providers.hypotheses.config import InductionConfig
from cwm.providers.hypotheses.experimenters.agent import NO_GOAL, AgentExperimenter
from cwm.providers.hypotheses.experimenters.scripted import make_experimenter
from cwm.providers.hypotheses.roles import Assignment
from cwm.providers.hypotheses.worlds import WORLDS, TextStep, TextWorld
from cwm.providers.policies.networks.base import Evaluated
from cwm.providers.policies.networks.config import NetworkConfig, ScratchConfig
from cwm.providers.policies.networks.drrn import DRRNNetwork
from cwm.providers.policies.networks.language import LanguageNetwork
from cwm.providers.policies.networks.making import complete, make_network
from cwm.providers.policies.scoring.config import ScoringConfig
from cwm.providers.policies.views import View

PLAYGROUND, DOOR = WORLDS["playground"], WORLDS["door"]
FIRST = Assignment(phase=0, progress=0.0, hypothesis="R", num_trajectories=3, seed=5)
TINY = NetworkConfig(
    window=2,
    head_width=16,
    # By sums, a longer name is less probable: here by a factor of about 3.
    scoring=ScoringConfig(normalise="sum"),
    temperature=4.0,
    scratch=ScratchConfig(layers=1, width=16, heads=2),
)
NUM_DRAWS = 200


class Recording(LanguageNetwork):
    """A network that keeps what it is shown."""

    views: list[View]

    def evaluate(self, views: Sequence[View]) -> Evaluated:
        self.views.extend(views)
        return super().evaluate(views)


def network(policy: str = "scratch", **changes: object) -> tuple[object, NetworkConfig]:
    """Returns a network that has learned nothing, and its settings."""
    settings = TINY if policy == "scratch" else NetworkConfig(head_width=16)
    settings = complete(replace(settings, **changes), policy)  # type: ignore[arg-type]
    made = make_network(
        policy, settings, num_actions=6, seed=0, local=LocalConfig(num_threads=1)
    )
    return made.network, settings


def experimenter(
    world: TextWorld, goal: str | None = None
) -> tuple[AgentExperimenter, Recording]:
    found, settings = network()
    assert isinstance(found, LanguageNetwork)
    found.__class__ = Recording
    assert isinstance(found, Recording)
    found.views = []
    made = AgentExperimenter(found, settings, world, num_frames=20_480, goal=goal)
    return made, found


@dataclass
class Lights:
    """Two switches, one of them listed twice; over after so many steps."""

    num_steps: int

    def reset(self, seed: int | None = None) -> str:
        self._left = self.num_steps
        return "It is dark. Nothing moves."

    def actions(self) -> list[tuple[int, str]]:
        return [(4, "Go."), (7, "You toggle."), (9, "Go.")]

    def step(self, action: int) -> TextStep:
        self._left -= 1
        state = f"It is light. {self._left} steps are left."
        return TextStep(state, "", "Light.", "", self._left == 0)


def lights(num_steps: int, *, goal: str = "see") -> TextWorld:
    return replace(DOOR, open=lambda: Lights(num_steps), max_steps=9, goal=goal)


@pytest.mark.local
def test_actions_are_drawn_by_the_scores_of_different_words() -> None:
    made, found = experimenter(lights(1))
    collected = made.collect(replace(FIRST, num_trajectories=NUM_DRAWS))
    assert {view.actions for view in found.views} == {("Go", "You toggle")}
    log_probs = found.evaluate(found.views[:1]).log_probs
    chances = log_probs.detach().exp().numpy()[0]
    assert 0.65 < chances[0] < 0.85
    counts = Counter(one.action_ids[0] for one in collected)
    assert set(counts) == {4, 7}
    assert counts[4] / NUM_DRAWS == pytest.approx(chances[0], abs=0.09)


@pytest.mark.local
def test_it_is_shown_the_last_states_and_what_was_done_between_them() -> None:
    made, found = experimenter(lights(3))
    (one,) = made.collect(replace(FIRST, num_trajectories=1))
    done = ["Go" if number == 4 else "You toggle" for number in one.action_ids]
    states = [("It is dark", "Nothing moves")]
    states += [("It is light", f"{left} steps are left") for left in (2, 1)]
    seen = [
        (view.history.observations, view.history.actions_done) for view in found.views
    ]
    assert seen == [
        ((states[0],), ()),
        ((states[0], states[1]), (done[0],)),
        ((states[1], states[2]), (done[1],)),
    ]
    # The next episode begins with nothing behind it.
    made.collect(replace(FIRST, num_trajectories=1))
    assert found.views[3].history == found.views[0].history


@pytest.mark.local
@pytest.mark.parametrize(
    ("goal", "of_world", "expected"),
    [(None, "see", "see"), (None, "", NO_GOAL), ("", "see", NO_GOAL), ("go", "", "go")],
)
def test_its_goal_is_the_worlds_own_or_a_neutral_one(
    goal: str | None, of_world: str, expected: str
) -> None:
    made, found = experimenter(lights(1, goal=of_world), goal)
    made.collect(FIRST)
    assert {view.goal for view in found.views} == {expected}


@pytest.mark.local
def test_a_collection_depends_on_its_assignment_alone() -> None:
    world = replace(PLAYGROUND, max_steps=5)
    made, _ = experimenter(world)
    first = made.collect(FIRST)
    assert [len(one) for one in first] == [5] * 3
    assert len({one.states[0] for one in first}) == 3
    assert made.collect(replace(FIRST, seed=6)) != first
    np.random.default_rng().random()
    assert made.collect(FIRST) == first == experimenter(world)[0].collect(FIRST)
    assert made.collect(replace(FIRST, num_trajectories=2)) == first[:2]


@pytest.mark.local
def test_it_tries_objects_at_the_door() -> None:
    made, _ = experimenter(DOOR)
    found = made.collect(replace(FIRST, num_trajectories=8))
    truth = {one.actions[0]: one.changes for one in DOOR.test_set()}
    assert all(one.changes == truth[one.actions[0]] for one in found)
    assert len({one.actions for one in found}) > 1


@pytest.mark.local
def test_it_says_who_acts_and_what_that_has_learned_from() -> None:
    assert experimenter(DOOR)[0].name == "agent (scratch, 20,480 frames)"


@pytest.mark.local
def test_networks_that_know_the_actions_of_babyai_only_are_refused() -> None:
    for (found, settings), what in (
        (network("symbolic"), "got symbolic, which"),
        (network(head="actions"), "got scratch with head actions, which"),
        ((DRRNNetwork(width=8, seed=0), TINY), "got drrn, which"),
    ):
        with pytest.raises(ConfigError, match=what):
            AgentExperimenter(found, settings, DOOR, num_frames=1)  # type: ignore[arg-type]


def test_an_agent_is_handed_over_and_named() -> None:
    config = InductionConfig(experimenter="agent", agent="runs/a")
    with pytest.raises(ConfigError, match="agent must be given a trained agent, got"):
        make_experimenter(config, PLAYGROUND, seed=0)
    given = make_experimenter(InductionConfig(), PLAYGROUND, seed=0)
    assert make_experimenter(config, PLAYGROUND, seed=0, agent=given) is given
    with pytest.raises(ConfigError, match="experimenter agent needs agent"):
        InductionConfig(experimenter="agent")
    with pytest.raises(ConfigError, match="agent is for experimenter agent, got exp"):
        InductionConfig(agent="runs/a")
