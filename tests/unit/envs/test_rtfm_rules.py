"""Fights, items and walls of RTFM, on scenes written out by hand."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from envs.rtfm.rules import (
    DOWN,
    LEFT,
    RIGHT,
    STAY,
    UP,
    Lore,
    Scene,
    Turn,
    draw_moves,
    legal_moves,
    moves_nearer,
    read,
    show,
    take_turn,
)

LORE = Lore(
    group_of={"wolf": "rebel enclave", "jinn": "star alliance"},
    beaten_by={"blessed": "cold", "arcane": "fire"},
)

# wolf  axe   .
# .     you   bow
# .     .     jinn
SCENE = Scene(
    size=3,
    agent=(2, 2),
    inventory="empty",
    monsters={"cold wolf": (1, 1), "fire jinn": (3, 3)},
    items={"blessed axe": (1, 2), "arcane bow": (2, 3)},
)


def turn(
    scene: Scene, move: int, monster_moves: Sequence[tuple[str, int]] = ()
) -> Turn:
    return take_turn(
        scene, move, lore=LORE, target="rebel enclave", monster_moves=monster_moves
    )


def after(scene: Scene, *moves: int) -> Turn:
    made = Turn(scene, 0.0, False)
    for move in moves:
        made = turn(made.scene, move)
    return made


def test_a_board_shows_walls_and_what_is_in_the_cells() -> None:
    wall, nothing = ["wall", "empty"], ["empty", "empty"]
    assert show(SCENE) == [
        [wall] * 5,
        [wall, ["cold wolf", "empty"], ["blessed axe", "empty"], nothing, wall],
        [wall, nothing, ["you", "empty"], ["arcane bow", "empty"], wall],
        [wall, nothing, nothing, ["fire jinn", "empty"], wall],
        [wall] * 5,
    ]
    assert read(show(SCENE), "empty") == SCENE


def test_a_monster_comes_before_the_item_it_stands_on() -> None:
    scene = replace(SCENE, monsters={"cold wolf": (1, 2)})
    assert show(scene)[1][2] == ["cold wolf", "blessed axe"]
    assert read(show(scene), "empty") == scene


def test_the_right_item_beats_the_right_monster() -> None:
    won = after(SCENE, UP, LEFT)
    assert (won.reward, won.terminated) == (1.0, True)
    assert won.scene.agent == (1, 1)
    assert won.scene.inventory == "blessed axe"
    assert won.scene.monsters == {"fire jinn": (3, 3)}
    assert won.scene.items == {"arcane bow": (2, 3)}


@pytest.mark.parametrize(
    "moves",
    [(LEFT, UP), (DOWN, RIGHT), (RIGHT, LEFT, LEFT, UP), (UP, DOWN, DOWN, RIGHT)],
    ids=["no item", "no item, other monster", "wrong item", "item of the other one"],
)
def test_without_the_right_item_the_agent_dies(moves: tuple[int, ...]) -> None:
    lost = after(SCENE, *moves)
    assert (lost.reward, lost.terminated, lost.scene.agent) == (-1.0, True, None)
    assert lost.scene.monsters == SCENE.monsters
    assert all("you" not in cell for row in show(lost.scene) for cell in row)


def test_to_beat_another_monster_is_a_loss() -> None:
    lost = after(SCENE, RIGHT, DOWN)
    assert (lost.reward, lost.terminated) == (-1.0, True)
    assert lost.scene.agent == (3, 3)
    assert set(lost.scene.monsters) == {"cold wolf"}


def test_a_second_item_replaces_the_first_which_is_lost() -> None:
    made = after(SCENE, UP, DOWN, RIGHT)
    assert made.scene.inventory == "arcane bow"
    assert made.scene.items == {}


def test_walls_stop_a_move_and_make_it_illegal() -> None:
    corner = replace(SCENE, agent=(1, 3))
    assert legal_moves(corner) == (STAY, DOWN, LEFT)
    for move in (UP, RIGHT, STAY):
        assert turn(corner, move) == Turn(corner, 0.0, False)
    assert legal_moves(replace(SCENE, agent=None)) == ()


def test_an_item_under_a_monster_is_taken_before_the_fight() -> None:
    scene = replace(SCENE, monsters={"cold wolf": (1, 2)})
    won = turn(scene, UP)
    assert (won.reward, won.scene.inventory) == (1.0, "blessed axe")


def test_a_monster_that_steps_on_the_agent_fights_it() -> None:
    armed = replace(SCENE, agent=(2, 1), inventory="blessed axe")
    won = turn(armed, STAY, [("cold wolf", DOWN)])
    assert (won.reward, won.scene.agent) == (1.0, (2, 1))
    lost = turn(replace(armed, inventory="empty"), STAY, [("cold wolf", DOWN)])
    assert (lost.reward, lost.scene.agent) == (-1.0, None)
    assert lost.scene.monsters["cold wolf"] == (2, 1)


def test_nobody_moves_after_a_fight() -> None:
    moves = [("cold wolf", DOWN), ("fire jinn", LEFT)]
    ended = turn(replace(SCENE, agent=(2, 1)), STAY, moves)
    assert ended.terminated
    assert ended.scene.monsters["fire jinn"] == (3, 3)


def test_monsters_do_not_step_on_each_other() -> None:
    scene = replace(SCENE, monsters={"cold wolf": (3, 2), "fire jinn": (3, 3)})
    made = turn(scene, STAY, [("cold wolf", RIGHT), ("fire jinn", UP)])
    assert made.scene.monsters == {"cold wolf": (3, 2), "fire jinn": (2, 3)}


def test_moves_of_the_dead_and_unknown_moves_are_refused() -> None:
    with pytest.raises(ValueError, match="must be alive"):
        turn(replace(SCENE, agent=None), STAY)
    with pytest.raises(ValueError, match="move must be from 0 to 4, got 5"):
        turn(SCENE, 5)


def test_monsters_come_nearer_to_an_agent_that_they_see() -> None:
    assert moves_nearer(SCENE, (1, 1)) == (DOWN, RIGHT)
    far = replace(SCENE, size=9, agent=(1, 1))
    assert moves_nearer(far, (1, 6)) == (LEFT,)
    assert moves_nearer(far, (1, 7)) == ()


def test_monsters_come_nearer_as_often_as_stated() -> None:
    rng = np.random.default_rng(0)
    drawn = [dict(draw_moves(SCENE, rng))["cold wolf"] for _ in range(4_000)]
    nearer = np.mean([move in (DOWN, RIGHT) for move in drawn])
    # 0.6, and of the 0.4 two of the three moves that no wall forbids.
    assert nearer == pytest.approx(0.6 + 0.4 * 2 / 3, abs=0.02)
    assert set(drawn) == {STAY, DOWN, RIGHT}


def test_either_monster_moves_first() -> None:
    rng = np.random.default_rng(0)
    first = [draw_moves(SCENE, rng)[0][0] for _ in range(50)]
    assert set(first) == {"cold wolf", "fire jinn"}
