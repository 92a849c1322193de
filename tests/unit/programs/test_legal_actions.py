"""Legal actions after a step: asked for, received, judged and shown."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from cwm.core.predictions import LegalActions, Predictions
from cwm.core.proposals import Task
from cwm.core.spaces import BoxSpec, DiscreteSpec, TupleSpec, space_to_json
from cwm.core.trajectories import (
    Transition,
    TransitionBatch,
    batch_trajectories,
    make_trajectory,
)
from cwm.programs.accuracy import score_draws, score_predictions, strict_matches
from cwm.programs.audit import different_rows
from cwm.programs.counterexamples import find_counterexamples
from cwm.programs.json_values import counterexample_from_json, counterexample_to_json
from cwm.programs.legal_actions import action_set
from cwm.programs.legal_rows import RowsWithActions
from cwm.programs.model_inside import Model
from cwm.programs.model_types import ModelSpec
from cwm.programs.received import check_rows, join_predictions
from cwm.programs.tolerances import Tolerances
from cwm.programs.wire_types import (
    MAX_LEGAL_ACTIONS,
    PredictedRowsWithActions,
)
from cwm.programs.world_model_driver import make_rows
from cwm.report.scores import do_nothing
from sandbox import wire
from sandbox.errors import ProtocolError

COUNT, CHOICE = DiscreteSpec(10), DiscreteSpec(3)


def batch(**changes: Any) -> TransitionBatch:
    """Four steps of a counter; the last one ends the episode."""
    fields: dict[str, Any] = {
        "observation_space": COUNT,
        "action_space": CHOICE,
        "observations": {"": np.arange(4)},
        "actions": {"": np.zeros(4, dtype=np.int64)},
        "next_observations": {"": np.arange(1, 5)},
        "rewards": np.zeros(4),
        "terminated": np.array([False, False, False, True]),
        "truncated": np.zeros(4, dtype=bool),
        "trajectory": np.zeros(4, dtype=np.int64),
        "time": np.arange(4),
        "next_legal_actions": ((0, 1), (1,), (0, 1, 2), ()),
    }
    return TransitionBatch(**(fields | changes))


def naming(*legal: tuple[int, ...] | None, **changes: Any) -> Predictions:
    """Predictions that are right but for the legal actions."""
    truth = batch()
    fields: dict[str, Any] = {
        "next_observations": truth.next_observations,
        "rewards": truth.rewards,
        "terminated": truth.terminated,
        "valid": np.ones(4, dtype=bool),
        "messages": {},
        "legal_actions": legal,
    }
    return Predictions(**(fields | changes))


RIGHT = naming((1, 0), (1, 1), (2, 0, 1), ())


def score(predictions: Predictions, true: TransitionBatch | None = None) -> Any:
    true = batch() if true is None else true
    return score_predictions(predictions, true, Tolerances.from_batch(true))


def test_actions_are_compared_as_sets() -> None:
    found = score(RIGHT)
    assert found.strict == found.paper == found.score == found.reference == 1.0
    assert found.part_accuracy["legal_actions"] == 1.0


def test_each_of_four_parts_counts_a_quarter() -> None:
    found = score(naming((0, 1), (0, 1), None, (0,)))
    # The second and third are wrong; after the last nothing is judged.
    assert found.strict == found.paper == 0.5
    assert found.score == (1 + 0.75 + 0.75 + 1) / 4
    assert found.part_accuracy["legal_actions"] == 0.5
    nothing_else = np.array([False] * 3 + [True])
    worse = naming((0, 1), (1,), (0, 1, 2), (), terminated=~nothing_else)
    assert score(worse).score == pytest.approx((3 * 0.75 + 2 / 3) / 4)


def test_a_model_that_names_none_is_wrong_where_they_are_judged() -> None:
    found = score(naming(legal_actions=None))
    assert found.strict == 0.25
    assert found.score == (3 * 0.75 + 1) / 4


def test_they_are_not_judged_where_none_were_recorded() -> None:
    found = score(naming((2,), (), None, ()), batch(next_legal_actions=None))
    assert found.strict == found.score == 1.0
    assert "legal_actions" not in found.part_accuracy


def test_an_invalid_row_has_no_right_actions() -> None:
    valid = np.array([False, True, True, True])
    assert score(replace(RIGHT, valid=valid)).part_accuracy["legal_actions"] == 0.75


def test_the_published_rule_is_content_with_some_of_them() -> None:
    some = naming((0,), (1,), (2, 1), ())
    assert (score(some).reference, score(some).strict) == (1.0, 0.5)
    none_or_more = naming((), (1, 2), (0, 1, 2), ())
    assert score(none_or_more).reference == (0.75 + 0.75 + 1 + 1) / 4


def test_draws_count_them_as_a_part() -> None:
    true = batch()
    tolerances = Tolerances.from_batch(true)
    wrong = naming((2,), (2,), (2,), ())
    assert score_draws([RIGHT] * 3, true, tolerances).score == 1.0
    half = score_draws([RIGHT, wrong], true, tolerances)
    # Per row: log(2.5/3) if always right, log(1.5/3) if once. Three of four rows
    # are right once in two of the five parts (everything, and legal actions).
    lowest, highest = np.log(0.5 / 3), np.log(2.5 / 3)
    mixed = (3 * np.log(1.5 / 3) + highest) / 4
    expected = (3 + 2 * (mixed - lowest) / (highest - lowest)) / 5
    assert half.score == pytest.approx(expected)
    assert half.part_accuracy["legal_actions"] == (1.0 + 0.25) / 2


def test_a_counterexample_names_what_is_legal_and_what_was_named() -> None:
    true = batch()
    predictions = naming((0, 2), (1,), None, (0,), messages={2: "legal_actions: no"})
    matches = strict_matches(predictions, true, Tolerances.from_batch(true))
    first, second = sorted(
        find_counterexamples(matches, predictions, true), key=lambda e: e.index
    )
    assert first.wrong_parts == second.wrong_parts == ("legal_actions",)
    assert (first.expected_actions, first.predicted_actions) == ((0, 1), (0, 2))
    assert (second.expected_actions, second.predicted_actions) == ((0, 1, 2), None)
    assert second.message == "legal_actions: no"
    assert second.predicted is not None


def test_a_counterexample_at_the_end_says_nothing_of_actions() -> None:
    true = batch()
    wrong = replace(RIGHT, rewards=np.array([0.0, 0.0, 0.0, 5.0]))
    matches = strict_matches(wrong, true, Tolerances.from_batch(true))
    (found,) = find_counterexamples(matches, wrong, true)
    assert found.wrong_parts == ("reward",)
    assert found.expected_actions is None


def test_counterexamples_keep_their_actions_in_the_journal() -> None:
    true = batch()
    predictions = naming((0, 2), (1,), (0, 1, 2), ())
    matches = strict_matches(predictions, true, Tolerances.from_batch(true))
    (found,) = find_counterexamples(matches, predictions, true)
    data = msgspec.json.decode(msgspec.json.encode(counterexample_to_json(found)))
    assert counterexample_from_json(data) == found


def test_selections_keep_the_actions_of_their_rows() -> None:
    assert batch().select([2, 0]).next_legal_actions == ((0, 1, 2), (0, 1))
    with pytest.raises(ValueError, match="next_legal_actions must have 4 members"):
        batch(next_legal_actions=((0,),))


def test_doing_nothing_names_the_most_frequent_actions() -> None:
    train = batch(next_legal_actions=((0, 1), (1,), (0, 1), ()))
    (found,) = do_nothing(train)(train) or ()
    assert found.legal_actions == ((0, 1),) * 4
    (found,) = do_nothing(batch(next_legal_actions=None))(train) or ()
    assert found.legal_actions is None


def test_actions_of_any_kind_are_values_of_sets() -> None:
    one = (np.array([1.0]), (0, np.array([2])), {"a": 1})
    same = ({"a": 1}, np.array([1.0]), (0, np.array([2])))
    assert action_set(one) == action_set(same)
    assert action_set((np.array([1.0]),)) != action_set((np.array([1]),))


class Named:
    """A program that says what is legal, in whatever form."""

    def __init__(self, actions: object) -> None:
        self.actions = actions

    def legal_actions(self) -> object:
        if isinstance(self.actions, Exception):
            raise self.actions
        return self.actions


def collected(
    results: Sequence[object], environment: object, space: Any = CHOICE
) -> Predictions:
    rows = RowsWithActions(
        make_rows(space_to_json(COUNT), len(results)),
        environment,
        space_to_json(space),
    )
    for number, result in enumerate(results, start=1):
        rows.add(result)
        assert rows.count == number
    return read([sent(rows.flush())], len(results), space)


def sent(message: PredictedRowsWithActions) -> PredictedRowsWithActions:
    return wire.decode(
        wire.encode(message), PredictedRowsWithActions, max_array_bytes=1 << 22
    )


def read(
    messages: list[PredictedRowsWithActions], number: int, space: Any = CHOICE
) -> Predictions:
    return check_rows(messages, COUNT, number, action_space=space)


@pytest.mark.parametrize("actions", [[2, 0], (2, 0), np.array([2, 0])])
def test_actions_may_be_any_list(actions: object) -> None:
    found = collected([(1, 0.0, False)], Named(actions))
    assert found.legal_actions == ((2, 0),)
    found = collected([(1, actions, 0.0, False)], object())
    assert (found.legal_actions, found.messages) == (((2, 0),), {})


def test_whoever_says_nothing_allows_the_whole_space() -> None:
    assert collected([(1, 0.0, False)], object()).legal_actions == ((0, 1, 2),)
    box = BoxSpec((1,), "float32")
    assert collected([(1, 0.0, False)], object(), box).legal_actions == (None,)


def test_after_the_end_nobody_is_asked() -> None:
    raising = Named(ValueError("the episode is over"))
    assert collected([(1, 0.0, True)], raising).legal_actions == ((),)
    assert collected([(1, 0.0, np.True_)], raising).legal_actions == ((),)
    with pytest.raises(ValueError, match="the episode is over"):
        collected([(1, 0.0, False)], raising)


@pytest.mark.parametrize(
    ("actions", "reason"),
    [
        (3, "expected a list of actions, got int"),
        (np.array(3), "expected a list of actions, got ndarray"),
        ({0, 1}, "expected a list of actions, got set"),
        ("012", "expected a list of actions, got str"),
        ([0.5], "expected an integer, got a value of type float"),
        ([True], "expected an integer, got a value of type bool"),
        ([0] * 1_001, "expected at most 1000 actions, got more"),
    ],
)
def test_actions_of_another_form_are_wrong_and_nothing_else_is(
    actions: object, reason: str
) -> None:
    found = collected([(1, 0.0, False), (2, 0.0, True)], Named(actions))
    assert found.legal_actions == (None, ())
    assert found.messages == {0: f"legal_actions: {reason}"}
    assert found.valid.all()


def test_integers_that_nobody_could_send_are_refused() -> None:
    assert collected([(1, 0.0, False)], Named([1 << 70])).legal_actions == (None,)


def test_a_row_that_is_not_of_its_form_says_so() -> None:
    found = collected([("x", 0.0, False)], Named([0]))
    assert not found.valid.any()
    assert found.messages[0].startswith("observation: expected an integer")


def test_actions_of_a_compound_space_come_through() -> None:
    space = TupleSpec((CHOICE, BoxSpec((2,), "float64")))
    actions = [(1, np.array([0.5, np.nan])), (2, [1, 2])]
    found = collected([(1, 0.0, False)], Named(actions), space)
    assert found.legal_actions is not None
    (named,) = found.legal_actions
    assert named is not None
    assert action_set(named) == action_set(
        ((1, np.array([0.5, np.nan])), (2, np.array([1.0, 2.0])))
    )


def test_rows_begin_anew_after_they_were_sent() -> None:
    rows = RowsWithActions(
        make_rows(space_to_json(COUNT), 1), Named([1]), space_to_json(CHOICE)
    )
    for result, expected in (
        ((1, [5, "x"], 0.0, False), None),
        ((2, 0.0, False), (1,)),
    ):
        rows.add(result)
        found = read([sent(rows.flush())], 1)
        assert found.legal_actions == (expected,)
        assert bool(found.messages) is (expected is None)


def message(**changes: Any) -> PredictedRowsWithActions:
    fields: dict[str, Any] = {
        "arrays": {"": np.array([1, 2])},
        "texts": {},
        "rewards": np.zeros(2),
        "terminated": np.zeros(2, dtype=bool),
        "invalid": {},
        "legal_counts": np.array([2, -1]),
        "legal_arrays": {"": np.array([0, 1])},
        "legal_texts": {},
        "legal_invalid": {1: "no"},
    }
    return sent(PredictedRowsWithActions(**(fields | changes)))


def test_an_honest_message_is_read() -> None:
    found = read([message()], 2)
    assert found.legal_actions == ((0, 1), None)
    assert found.messages == {1: "no"}


@pytest.mark.parametrize(
    "changes",
    [
        {"legal_counts": np.array([2.0, 0.0])},
        {"legal_counts": np.array([2])},
        {"legal_counts": np.array([[2], [0]])},
        {"legal_counts": np.array([2, -2])},
        {"legal_counts": np.array([MAX_LEGAL_ACTIONS + 1, 0])},
        {"legal_counts": np.array([1, 0])},
        {"legal_arrays": {"": np.array([0, 1, 2])}},
        {"legal_arrays": {"": np.array([0.0, 1.0])}},
        {"legal_arrays": {}},
        {"legal_arrays": {"": np.array([0, 1]), "more": np.array([0])}},
        {"legal_texts": {"": ["x"]}},
        {"legal_invalid": {2: "no"}},
        {"legal_invalid": ["no"]},
    ],
)
def test_messages_that_no_honest_driver_sends_are_refused(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(ProtocolError):
        read([message(**changes)], 2)


def test_actions_come_back_in_the_order_of_the_transitions() -> None:
    first = message(legal_counts=np.array([1, 1]), legal_invalid={})
    second = message(legal_counts=np.array([0, 2]), legal_invalid={})
    (joined,) = join_predictions(
        [[first], [second]],
        [np.array([3, 0]), np.array([2, 1])],
        COUNT,
        np.arange(4),
        1,
        action_space=CHOICE,
    )
    assert joined.legal_actions == ((1,), (0, 1), (), (0,))


@pytest.mark.parametrize(
    ("again", "is_different"),
    [(((0, 1), (1,)), False), (((1, 0), (1,)), False), (((0,), None), True)],
)
def test_an_audit_compares_them(again: LegalActions, is_different: bool) -> None:
    part = Predictions(
        next_observations={"": np.arange(1, 3)},
        rewards=np.zeros(2),
        terminated=np.zeros(2, dtype=bool),
        valid=np.ones(2, dtype=bool),
        messages={},
        legal_actions=again,
    )
    found = different_rows([RIGHT], np.array([0, 1]), [part])
    assert found.tolist() == [is_different] * 2


def task(train: TransitionBatch, **fields: Any) -> Task:
    return Task(
        environment_id="counter",
        description="A counter.",
        observation_space=COUNT,
        action_space=CHOICE,
        train=train,
        **fields,
    )


def test_a_task_and_its_transitions_agree_on_what_is_legal() -> None:
    known = task(batch())
    assert known.family == "world_model_with_actions"
    assert known.next_legal_actions == batch().next_legal_actions
    assert known.train.next_legal_actions is known.next_legal_actions
    told = task(batch(next_legal_actions=None), next_legal_actions=((0,),) * 4)
    assert told.train.next_legal_actions == ((0,),) * 4
    unjudged = task(batch(next_legal_actions=None))
    assert unjudged.family == "world_model"
    assert unjudged.next_legal_actions is None


def test_trajectories_hand_their_legal_actions_on() -> None:
    steps = [Transition(n, 0, n + 1, 0.0, False, False) for n in range(2)]
    plain = make_trajectory(steps, observation_space=COUNT, action_space=CHOICE)
    legal = replace(plain, legal_actions=((2,), (0,), (0, 1)))
    both = batch_trajectories([legal, legal], COUNT, CHOICE)
    assert both.next_legal_actions == ((0,), (0, 1), (0,), (0, 1))
    assert batch_trajectories([legal, plain], COUNT, CHOICE).next_legal_actions is None


def test_a_program_in_the_published_form_can_be_planned_with() -> None:
    class Environment:
        def set_state(self, observation: int) -> None:
            self.count = observation

        def step(self, action: int) -> tuple[int, Any, float, bool]:
            return self.count + action, np.array([0, 1]), 1.0, False

    spec = ModelSpec(
        observation_space=space_to_json(COUNT),
        action_space=space_to_json(CHOICE),
        seed=0,
        uses_generator=False,
        uses_random=False,
    )
    model = Model(lambda: {"Environment": Environment}, spec)
    assert model.step(3, 2) == (5, 1.0, False)
