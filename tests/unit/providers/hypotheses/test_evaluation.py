import json

import pytest

from cwm.core.errors import DataError
from cwm.providers.hypotheses.evaluation.scores import (
    BEST,
    FIRST,
    NO_HYPOTHESIS,
    SHUFFLED,
    WorldScores,
    evaluate_hypotheses,
    evaluate_reworded,
    named_hypotheses,
)
from cwm.providers.hypotheses.evaluation.shuffled import shuffled
from cwm.providers.hypotheses.texts import TextTransition
from cwm.providers.hypotheses.worlds import WORLDS, TextWorld
from envs.door import OPENED
from tests.support.table_statistician import TableStatistician

RULES = "1. Blue things, all of them, stay out.\n2. Others open the door."


def believes(hypothesis: str | None, one: TextTransition) -> float:
    """Told the rules, it expects doors to open; else neither of the two."""
    if hypothesis != RULES:
        return -2.0
    return -1.0 if one.change == OPENED else -4.0


def scores() -> WorldScores:
    return evaluate_hypotheses(
        TableStatistician(believes),
        WORLDS["door"],
        named_hypotheses(RULES, first="Nothing opens."),
    )


def test_rows_are_none_the_first_the_best_and_its_words() -> None:
    named = named_hypotheses(RULES, first="Nothing opens.", seed=3)
    assert list(named) == [NO_HYPOTHESIS, FIRST, BEST, SHUFFLED]
    assert named[NO_HYPOTHESIS] is None
    assert named[SHUFFLED] == shuffled(RULES, 3)
    assert list(named_hypotheses(None)) == [NO_HYPOTHESIS]
    several = named_hypotheses(RULES, num_shuffles=2)
    assert list(several)[-2:] == [f"{SHUFFLED} 1", f"{SHUFFLED} 2"]
    assert len(set(several.values())) == 4


def test_the_door_by_hand() -> None:
    found = scores()
    # 18 things open it, 9 do not.
    assert found.scores[BEST].likelihood.total == -18 - 36
    assert found.scores[BEST].likelihood.by_type == {"opened": -1.0, "closed": -4.0}
    assert found.scores[NO_HYPOTHESIS].likelihood.total == -54
    best = found.scores[BEST].ranking
    assert best is not None
    assert best.top(1) == pytest.approx(18 / 27)
    assert best.top_by_type(1) == {"opened": 1.0, "closed": 0.0}
    assert best.mean_over_types(1) == 0.5
    none = found.scores[NO_HYPOTHESIS].ranking
    assert none is not None
    assert none.top(1) == 0.5
    assert found.chance is not None
    assert found.chance.top(1) == 0.5


def test_differences_are_to_the_row_without_a_hypothesis() -> None:
    found = scores()
    best = found.difference(BEST)
    assert best is not None
    # 18 times 1, 9 times -2.
    assert best.mean == pytest.approx(0.0)
    assert best.low is not None
    assert best.low < 0.0
    to_shuffled = found.difference(BEST, SHUFFLED)
    assert to_shuffled == best
    assert found.difference(FIRST) is not None
    assert found.difference("another") is None


def test_the_same_text_is_scored_once() -> None:
    statistician = TableStatistician(believes)
    told: list[str] = []
    evaluate_hypotheses(
        statistician,
        WORLDS["door"],
        {"a": RULES, "b": RULES, "c": None},
        on_scored=told.append,
    )
    assert told == ["a", "b", "c"]
    # Two texts: 27 transitions, and 27 times 2 candidates.
    assert statistician.num_scored == 2 * (27 + 54)


def test_rankings_can_be_left_out() -> None:
    statistician = TableStatistician(believes)
    found = evaluate_hypotheses(
        statistician, WORLDS["door"], {"a": RULES, "b": None}, ranked=()
    )
    assert all(one.ranking is None for one in found.scores.values())
    assert found.chance is None
    assert statistician.num_scored == 2 * 27
    some = evaluate_hypotheses(
        statistician, WORLDS["door"], {"a": RULES, "b": None}, ranked=["b"]
    )
    assert some.scores["a"].ranking is None
    assert some.chance is not None


def test_other_words_are_scored_with_their_own_prompts_and_candidates() -> None:
    worlds: list[str] = []

    def statistician_for(world: TextWorld) -> TableStatistician:
        worlds.append(world.name)
        return TableStatistician(
            lambda _, one: -1.0 if "beneath" in one.change else -2.0
        )

    found = evaluate_reworded(
        statistician_for, WORLDS["playground"], {NO_HYPOTHESIS: None}
    )
    assert worlds == ["playground-reworded"]
    assert found is not None
    assert found.world == "playground-reworded"
    score = found.scores[NO_HYPOTHESIS]
    assert score.likelihood.by_type["standing"] == -1.0
    assert score.likelihood.by_type["holding1"] == -2.0
    assert score.ranking is not None
    assert sum(score.ranking.num_candidates) == 5_994
    assert evaluate_reworded(statistician_for, WORLDS["door"], {}) is None


def test_what_was_written_is_read_again() -> None:
    found = scores()
    data = found.to_json()
    assert WorldScores.from_json(data) == found
    # A journal sorts names; rows stay in the order of tables.
    again = WorldScores.from_json(json.loads(json.dumps(data, sort_keys=True)))
    assert list(again.scores) == list(found.scores)
    assert list(data["difference_to_no_hypothesis"]) == [FIRST, BEST, SHUFFLED]
    with pytest.raises(DataError, match="Scores cannot be read"):
        WorldScores.from_json({"world": "door"})
    with pytest.raises(DataError, match="A score cannot be read"):
        WorldScores.from_json(
            data | {"scores": {"a": {"hypothesis": None}}, "rows": ["a"]}
        )


def test_shuffled_words_are_the_same_words_in_another_order() -> None:
    found = shuffled(RULES, 0)
    assert found != RULES
    assert sorted(found.split()) == sorted(RULES.split())
    assert [len(line.split()) for line in found.split("\n")] == [8, 5]
    assert found == shuffled(RULES, 0)
    assert found != shuffled(RULES, 1)


def test_two_words_change_places_whatever_the_seed() -> None:
    assert {shuffled("open\n  shut", seed) for seed in range(10)} == {"shut\n  open"}


@pytest.mark.parametrize("text", ["", "  ", "door", "no no\nno"])
def test_what_has_no_other_order_stays(text: str) -> None:
    assert shuffled(text, 0) == text
