from cwm.proposers.symbolic.discrete.description_length import num_wrong
from cwm.proposers.symbolic.discrete.families import fit_most_frequent, fit_shift
from cwm.proposers.symbolic.discrete.model import Constant, Feature, Shift
from cwm.proposers.symbolic.discrete.table import Table, gather_facts
from tests.unit.proposers.symbolic.discrete.worlds import World, record, task_of


def line(*, wraps: bool, length: int = 7) -> World:
    """Action 0 goes two back, action 1 one on, action 2 stays."""

    def outcome(
        state: tuple[int, ...], action: int
    ) -> tuple[tuple[int, ...], float, bool]:
        moved = state[0] + (-2, 1, 0)[action]
        after = moved % length if wraps else min(max(moved, 0), length - 1)
        return (after,), float(action == 2), False

    return World(sizes=(length,), num_actions=3, starts=((3,),), outcome=outcome)


def table_of(world: World) -> Table:
    facts = gather_facts(task_of(record(world, seed=0, num_steps=200)))
    return facts.table(((7,),))


def test_offsets_by_action_with_clipping_are_found() -> None:
    table = table_of(line(wraps=False))
    part = fit_shift(table, "x0")
    assert part is not None
    assert part.base == Shift(
        feature="x0", by=("action",), offsets=(((0,), -2), ((1,), 1)), low=0, high=6
    )
    assert num_wrong(part, table) == 0


def test_offsets_that_wrap_around_are_told_from_clipped_ones() -> None:
    table = table_of(line(wraps=True))
    part = fit_shift(table, "x0")
    assert part is not None
    assert isinstance(part.base, Shift)
    assert part.base.wraps
    assert num_wrong(part, table) == 0


def test_rewards_have_no_offset() -> None:
    assert fit_shift(table_of(line(wraps=True)), "reward") is None


def test_a_digit_that_never_moves_has_no_offset() -> None:
    still = World(
        sizes=(7,),
        num_actions=2,
        starts=((3,), (5,)),
        outcome=lambda s, a: (s, 0.0, False),
    )
    assert fit_shift(table_of(still), "x0") is None


def test_the_most_frequent_outcome_of_a_still_digit_is_a_copy() -> None:
    still = World(
        sizes=(7,),
        num_actions=2,
        starts=((3,), (5,)),
        outcome=lambda s, a: (s, 0.0, False),
    )
    assert fit_most_frequent(table_of(still), "x0").base == Feature(name="x0")


def test_the_most_frequent_reward_is_code_0() -> None:
    assert fit_most_frequent(table_of(line(wraps=False)), "reward").base == Constant(
        value=0
    )
