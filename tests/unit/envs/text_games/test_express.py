import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError, DataError
from envs.registry import find
from envs.snapshots import (
    AttributeSnapshots,
    SnapshotEnv,
    open_with_snapshots,
    restores_exactly,
)
from envs.spec import Env
from envs.text_games import express
from envs.text_games.base import Split
from envs.text_games.express import SEEDS
from envs.text_games.java import stop_machines
from envs.text_games.java_game import CommandSnapshots
from envs.true_model import TrueModel

pytestmark = pytest.mark.text

GAMES = ("twc", "cookingworld", "coin", "mapreader")
SPLITS: tuple[Split, ...] = ("train", "seen", "unseen")


def game(name: str, split: Split = "train", **kwargs: Any) -> Any:
    return find(name, kwargs={"split": split, **kwargs}).make().unwrapped


def walk(env: Any, seed: int, num_steps: int) -> Iterator[tuple[Any, ...]]:
    """Yields what random commands give."""
    rng = np.random.default_rng(seed)
    yield (env.reset(seed=seed)[0], env.instruction, env.legal_actions())
    for _ in range(num_steps):
        legal = env.legal_actions()
        if not legal:
            break
        yield (*env.step(str(rng.choice(legal)))[:4], env.legal_actions())


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", GAMES)
def test_gold_paths_win_with_a_score_of_1(name: str, split: Split) -> None:
    env = game(name, split)
    for seed in range(5):
        env.reset(seed=seed)
        path = env.expert_actions()
        steps = [env.step(command) for command in path]
        assert sum(step[1] for step in steps) == pytest.approx(1.0)
        assert [step[2] for step in steps] == [False] * (len(path) - 1) + [True]
        assert all(step[4]["is_legal"] for step in steps)
        assert env.has_won


def test_a_gold_path_is_known_in_the_middle_of_an_episode_and_leaves_it_alone() -> None:
    env = game("twc")
    plain = list(walk(env, 3, 8))
    again = walk(env, 3, 8)
    seen = list(itertools.islice(again, 4))
    path = env.expert_actions()
    assert [*seen, *again] == plain
    env.reset(seed=3)
    assert env.expert_actions() == path


@pytest.mark.parametrize("name", GAMES)
def test_gold_paths_are_the_same_each_time(name: str) -> None:
    # Those that the package gives differ from one time to the next.
    paths = []
    for _ in range(2):
        env = game(name)
        found = []
        for seed in range(4):
            env.reset(seed=seed)
            found.append(env.expert_actions())
        paths.append(found)
    assert paths[0] == paths[1]


def test_a_gold_path_that_does_not_win_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    env = game("coin")
    env.reset(seed=0)
    # Without the command that takes the coin, as a broken path.
    monkeypatch.setattr(
        express.Express, "_read", lambda *_: express.Told("", 0.0, is_legal=True)
    )
    with pytest.raises(DataError, match=r"game 0 of coin \(train\) does not"):
        env.expert_actions()


@pytest.mark.parametrize("name", GAMES)
def test_a_seed_gives_the_same_texts_in_another_virtual_machine(name: str) -> None:
    first = list(walk(game(name), 7, 20))
    stop_machines()
    assert list(walk(game(name), 7, 20)) == first


def test_games_in_one_virtual_machine_do_not_disturb_each_other() -> None:
    kinds: list[tuple[str, Split, int]] = [
        ("twc", "train", 1),
        ("twc", "unseen", 1),
        ("cookingworld", "train", 2),
    ]
    alone = [list(walk(game(name, split), seed, 15)) for name, split, seed in kinds]
    walks = [walk(game(name, split), seed, 15) for name, split, seed in kinds]
    together = [list(steps) for steps in zip(*walks, strict=False)]
    for index, steps in enumerate(zip(*together, strict=True)):
        assert list(steps) == alone[index][: len(steps)]


def test_an_episode_goes_on_after_its_virtual_machine_ended() -> None:
    expected = list(walk(game("twc"), 4, 10))
    steps = walk(game("twc"), 4, 10)
    seen = list(itertools.islice(steps, 5))
    stop_machines()
    assert [*seen, *steps] == expected


def test_seeds_of_the_splits_have_nothing_in_common() -> None:
    for left, right in itertools.combinations(SPLITS, 2):
        (fold, seeds), (other, others) = SEEDS[left], SEEDS[right]
        assert fold != other or not set(seeds) & set(others)
    assert [game("twc", split).num_games for split in SPLITS] == [900, 100, 1_000]


def put_away(split: Split) -> set[str]:
    env = game("twc", split)
    found = set()
    for seed in range(40):
        env.reset(seed=seed)
        taken = (c for c in env.expert_actions() if c.startswith("take "))
        found |= {command.removeprefix("take ") for command in taken}
    return found


def test_objects_of_unseen_twc_games_are_in_no_other() -> None:
    train, seen, unseen = map(put_away, SPLITS)
    assert len(train) > 60
    assert len(train & seen) > 30
    assert not (train | seen) & unseen


def test_first_observations_of_train_and_seen_differ() -> None:
    texts = [
        {game("twc", split).reset(seed=seed)[0] for seed in range(50)}
        for split in ("train", "seen")
    ]
    assert not texts[0] & texts[1]


def test_what_is_not_understood_is_said_and_changes_nothing() -> None:
    env = game("twc")
    env.reset(seed=0)
    before = env.legal_actions()
    text, reward, terminated, _, info = env.step("sing a song")
    assert text == "Unknown action: I'm not sure what you mean."
    assert (reward, terminated, info["is_legal"]) == (0.0, False, False)
    assert env.legal_actions() == before
    assert env.step(f" {before[0]} ")[4]["is_legal"]


def test_spoiling_an_ingredient_loses_for_good() -> None:
    env = game("cookingworld")
    env.reset(seed=3)
    path = env.expert_actions()
    start = path.index("take banana")
    for command in path[: start + 1]:
        env.step(command)
    text, reward, terminated, _, info = env.step("eat banana")
    assert text == "You eat the banana. It is delicious."
    assert terminated
    assert (reward, info["won"]) == (0.0, False)
    assert env.legal_actions() == ()


def test_parameters_shape_the_games() -> None:
    small = game("twc", game_params="numLocations=1,numItemsToPutAway=1")
    small.reset(seed=0)
    assert not any(action.startswith("move ") for action in small.legal_actions())
    # Had, and put where it belongs.
    rewards = [small.step(command)[1] for command in small.expert_actions()]
    assert [reward for reward in rewards if reward] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("rooms=1", r"game_params must suit twc, got 'rooms=1'.*numLocations"),
        ("numLocations=99", "must be less than"),
    ],
)
def test_parameters_that_do_not_exist_are_refused(params: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find("twc", kwargs={"game_params": params})


def test_time_limits_are_the_registrys_and_can_be_another() -> None:
    env = find("coin", kwargs={"max_episode_steps": 3}).make()
    env.reset(seed=0)
    assert [env.step("inventory")[3] for _ in range(3)] == [False, False, True]
    assert find("coin").max_episode_steps == 50


@pytest.mark.parametrize("name", ["twc", "cookingworld"])
def test_snapshots_restore_exactly(name: str) -> None:
    env = open_with_snapshots(find(name))
    assert isinstance(env.adapter, CommandSnapshots)
    assert restores_exactly(env, seed=5)


class Forgetful(AttributeSnapshots):
    """Does not restore which commands were given."""

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        for left_out in self.left_out:
            left_out.add("commands")


def test_snapshots_without_the_commands_are_found_out() -> None:
    env = find("twc").make()
    assert not restores_exactly(SnapshotEnv(env, Forgetful(env)), seed=5)


def test_only_what_is_new_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made = find("coin").make()
    own: Any = made.unwrapped
    env = SnapshotEnv(made, own.snapshot_adapter(made))
    env.reset(0)
    start = env.save()
    for _ in range(3):
        env.step("inventory")
    later = env.save()
    sent: list[str] = []
    send = express.Express._send

    def noted(self: Any, command: str) -> str:
        sent.append(command)
        return send(self, command)

    monkeypatch.setattr(express.Express, "_send", noted)
    # Where it is already: the step alone.
    env.restore(later)
    env.step("look around")
    assert sent == ["look around"]
    # Back to the beginning, then on to what lies on the way.
    env.restore(start)
    env.step("inventory")
    env.restore(later)
    assert env.adapter.restore_cost == 3
    env.step("look around")
    assert sent == ["look around", "inventory", *["inventory"] * 2, "look around"]


def test_the_true_model_steps_as_the_game_does() -> None:
    spec = find("twc", kwargs={"game_params": "numLocations=2"})
    model = TrueModel(spec)
    assert not model.is_stochastic
    env = open_with_snapshots(spec)
    shown = env.reset(3)
    state = model.state_of(env, shown)
    rng = np.random.default_rng(0)
    for _ in range(5):
        legal = model.legal_actions(state)
        assert legal is not None
        action = legal[int(rng.integers(len(legal)))]
        # Another action first: nothing of it may stay.
        model.step(state, legal[0], rng)
        guess, real = model.step(state, action, rng), env.step(action)
        assert guess.observation == real.observation
        assert guess.reward == real.reward
        state = guess.next_state
    model.close()
