import numpy as np

from cwm.proposers.symbolic.discrete.inducer import start_model
from cwm.proposers.symbolic.discrete.ladder import Candidate, Workbench, refinements
from cwm.proposers.symbolic.discrete.radix import rank_decodings
from cwm.proposers.symbolic.discrete.table import gather_facts
from tests.unit.proposers.symbolic.discrete.worlds import (
    Outcome,
    State,
    World,
    grid_world,
    record,
    task_of,
)


def independent_tables() -> World:
    """Three digits of one code, each drawn by the action and one digit."""
    rng = np.random.default_rng(3)
    sizes, reads = (5, 3, 2), (0, 2, 1)
    tables = [rng.integers(0, sizes[i], (sizes[j], 2)) for i, j in enumerate(reads)]

    def outcome(state: State, action: int) -> Outcome:
        after = tuple(
            int(table[state[j], action]) for table, j in zip(tables, reads, strict=True)
        )
        return after, 0.0, False

    starts = tuple((a, b, c) for a in range(5) for b in range(3) for c in range(2))
    return World(sizes=sizes, num_actions=2, starts=starts, outcome=outcome)


def bench_of(world: World) -> Workbench:
    facts = gather_facts(task_of(record(world, seed=5, num_steps=1500, horizon=5)))
    return Workbench.of(facts, start_model(facts, rank_decodings(facts)[0]))


def families(candidate: Candidate) -> dict[str, str]:
    return {part.target: part.family for part in candidate.model.parts}


def test_digits_drawn_each_by_its_own_table_are_told_apart() -> None:
    assert bench_of(independent_tables()).model.radices == ((5, 3, 2),)


def test_all_digits_that_are_drawn_become_tables_together() -> None:
    bench = bench_of(independent_tables())
    wrong = {digit for digit in bench.table.digits if bench.num_wrong(digit)}
    assert len(wrong) > 1
    best = refinements(bench, min(wrong))[0]
    assert {digit: families(best)[digit] for digit in wrong} == dict.fromkeys(
        wrong, "table"
    )
    assert all(part.accuracy == 1.0 for part in best.model.parts)


def test_one_table_alone_is_there_for_a_later_request() -> None:
    bench = bench_of(independent_tables())
    target = next(digit for digit in bench.table.digits if bench.num_wrong(digit))
    changed = [
        {p.target for p in c.model.parts if p != bench.model.part(p.target)}
        for c in refinements(bench, target)
    ]
    assert {target} in changed


def test_the_climb_goes_past_an_offset_that_leaves_errors() -> None:
    bench = bench_of(grid_world(1, num_rows=3, num_columns=4, num_walls=4))
    target = max(bench.table.digits, key=bench.num_wrong)
    best = refinements(bench, target)[0]
    assert families(best)[target] != "offset"
    assert best.model.part(target).accuracy == 1.0


def test_digits_that_walls_mostly_stop_still_share_their_rules() -> None:
    world = grid_world(0, num_rows=4, num_columns=5, num_walls=7)
    bench = bench_of(world)
    started = families(bench.candidate_of(()))
    assert not any(family == "offset" for family in started.values())
    target = max(bench.table.digits, key=bench.num_wrong)
    found = [families(candidate) for candidate in refinements(bench, target)]
    assert any(
        all(named[digit] == "shared rules" for digit in bench.table.digits)
        for named in found
    )
