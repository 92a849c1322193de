"""The rules of RTFM, over generated rooms, manuals and moves."""

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from envs.rtfm.env import RTFM, MovingRTFM
from envs.rtfm.manual import named_group, read_manual
from envs.rtfm.rules import MOVES, moved, read, show

EPISODES = settings(max_examples=60, deadline=None)


@st.composite
def episodes(
    draw: st.DrawFn, kinds: tuple[type[RTFM], ...] = (RTFM, MovingRTFM)
) -> tuple[RTFM, list[dict[str, Any]]]:
    """An environment and what it showed, with what came of each step."""
    size, num_distractors = draw(st.sampled_from([(3, 0), (3, 1), (4, 1), (5, 3)]))
    kind = draw(st.sampled_from(kinds))
    manual_seed = draw(st.none() | st.integers(0, 3))
    env = kind(size, num_distractors, manual_seed)
    observation, _ = env.reset(seed=draw(st.integers(0, 10_000)))
    steps = [{"shown": observation, "legal": env.legal_actions()}]
    for action in draw(st.lists(st.integers(0, 4), max_size=12)):
        observation, reward, terminated, truncated, _ = env.step(action)
        steps.append(
            {
                "shown": observation,
                "legal": env.legal_actions(),
                "action": action,
                "reward": reward,
                "terminated": terminated,
                "truncated": truncated,
            }
        )
        if terminated:
            break
    return env, steps


def words(shown: dict[str, Any]) -> list[str]:
    return [w for row in shown["board"] for cell in row for w in cell]


@EPISODES
@given(episodes())
def test_everything_shown_is_of_the_space_and_inside_the_walls(
    episode: tuple[RTFM, list[dict[str, Any]]],
) -> None:
    env, steps = episode
    for step in steps:
        board = step["shown"]["board"]
        assert env.observation_space.contains(step["shown"])
        edge = [*board[0], *board[-1], *(c for row in board for c in (row[0], row[-1]))]
        assert all(cell == ["wall", "empty"] for cell in edge)
        assert words(step["shown"]).count("wall") == 4 * (env.size + 1)
        assert show(read(board, "empty")) == board


@EPISODES
@given(episodes())
def test_nothing_comes_from_nowhere(
    episode: tuple[RTFM, list[dict[str, Any]]],
) -> None:
    _, steps = episode
    first = set(words(steps[0]["shown"]))
    scenes = [read(s["shown"]["board"], s["shown"]["inventory"]) for s in steps]
    for before, now, step in zip(scenes, scenes[1:], steps[1:], strict=False):
        things = [w for w in words(step["shown"]) if w not in ("empty", "wall")]
        assert len(things) == len(set(things))
        assert set(words(step["shown"])) <= first | {"empty"}
        # One item at most is held, and it does not lie about as well.
        assert now.inventory not in now.items
        if now.inventory != before.inventory:
            assert before.items[now.inventory] == now.agent or now.agent is None
            assert set(now.items) == set(before.items) - {now.inventory}
        else:
            assert now.items == before.items
        num_dead = len(before.monsters) - len(now.monsters) + (now.agent is None)
        assert num_dead == step["terminated"]


@EPISODES
@given(episodes())
def test_rewards_come_at_the_end_only_and_as_the_manual_says(
    episode: tuple[RTFM, list[dict[str, Any]]],
) -> None:
    _, steps = episode
    for before, step in pairwise(steps):
        assert not step["truncated"]
        assert step["reward"] in ((-1.0, 1.0) if step["terminated"] else (0.0,))
        assert step["shown"]["manual"] == before["shown"]["manual"]
        assert step["shown"]["goal"] == before["shown"]["goal"]
        if step["terminated"]:
            shown = step["shown"]
            lore, target = read_manual(shown["manual"]), named_group(shown["goal"])
            gone = {
                w
                for w in words(before["shown"])
                if w.rpartition(" ")[2] in lore.group_of
            } - set(words(shown))
            assert target is not None
            wins = any(lore.is_of(monster, target) for monster in gone)
            assert step["reward"] == (1.0 if wins else -1.0)
            assert all(lore.beats(shown["inventory"], monster) for monster in gone)


@EPISODES
@given(episodes())
def test_legal_are_exactly_the_moves_that_lead_into_no_wall(
    episode: tuple[RTFM, list[dict[str, Any]]],
) -> None:
    _, steps = episode
    for step in steps:
        board = step["shown"]["board"]
        agent = read(board, "empty").agent
        expected: tuple[int, ...] = ()
        if agent is not None and not step.get("terminated"):
            cells = {move: moved(agent, move) for move in range(len(MOVES))}
            expected = tuple(
                m for m, (r, c) in cells.items() if "wall" not in board[r][c]
            )
        assert step["legal"] == expected


@EPISODES
@given(episodes())
def test_an_illegal_move_leaves_the_agent_where_it_is(
    episode: tuple[RTFM, list[dict[str, Any]]],
) -> None:
    env, steps = episode
    for before, step in pairwise(steps):
        if step["action"] in before["legal"] or step["terminated"]:
            continue
        if env.is_moving:
            agents = [read(s["shown"]["board"], "empty").agent for s in (before, step)]
            assert agents[0] == agents[1]
        else:
            assert step["shown"] == before["shown"]


@EPISODES
@given(episodes(kinds=(RTFM,)), st.integers(0, 100))
def test_what_is_shown_determines_what_follows_if_monsters_stand_still(
    episode: tuple[RTFM, list[dict[str, Any]]], seed: int
) -> None:
    env, steps = episode
    other = RTFM(env.size, env.num_distractors)
    for before, step in pairwise(steps):
        other.reset(seed=seed)
        for name in ("board", "inventory", "manual", "goal"):
            setattr(other, name, before["shown"][name])
        observation, reward, terminated, _, _ = other.step(step["action"])
        assert observation == step["shown"]
        assert (reward, terminated) == (step["reward"], step["terminated"])
        assert other.legal_actions() == step["legal"]
