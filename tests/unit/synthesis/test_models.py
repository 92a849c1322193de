import pytest

from cwm.core.seeding import child_rng
from cwm.synthesis.models import ModelChoice, ModelRecord


def choices(choice: ModelChoice, rewards: list[float], number: int) -> list[int]:
    """Plays: model `m` helps at a share `rewards[m]` of its calls, evenly."""
    found = []
    counts = [0] * len(rewards)
    for call in range(number):
        model = choice.choose(call)
        counts[model] += 1
        helps = int(counts[model] * rewards[model]) > int(
            (counts[model] - 1) * rewards[model]
        )
        choice.learn(call, is_better=helps)
        found.append(model)
    return found


def test_one_model_is_always_asked() -> None:
    choice = ModelChoice(1, seed=0)
    assert choices(choice, [0.5], 6) == [0] * 6
    assert choice.records == [ModelRecord(num_better=3, num_other=3)]


def test_the_model_with_the_highest_draw_is_asked() -> None:
    choice = ModelChoice(3, seed=7)
    choice.records[0] = ModelRecord(num_better=2, num_other=5)
    choice.records[1] = ModelRecord(num_better=4, num_other=1, num_outstanding=2)
    rng = child_rng(7, "model", 12)
    # Beta(1 + better, 1 + other + outstanding), one after the other.
    draws = [rng.beta(3, 6), rng.beta(5, 4), rng.beta(1, 1)]
    assert choice.choose(12) == draws.index(max(draws))


def test_the_model_that_helps_is_asked_most() -> None:
    found = choices(ModelChoice(2, seed=1), [0.1, 0.8], 200)
    assert found[100:].count(1) > 90
    assert 0 in found[:20]


def test_calls_without_an_answer_spread_the_others() -> None:
    choice = ModelChoice(2, seed=3)
    # Draws of Beta(1, 1) and Beta(20, 1): the second wins 20 times out of 21.
    choice.records[1] = ModelRecord(num_better=19)
    asked = [choice.choose(call) for call in range(40)]
    assert asked[:10].count(1) >= 8
    # As its calls get no answer, it becomes as doubtful as the other.
    assert asked[20:].count(0) > asked[:20].count(0)
    assert sum(record.num_outstanding for record in choice.records) == 40
    choice.learn(0, is_better=True)
    assert choice.records[1].num_better == 20


def test_the_same_answers_lead_to_the_same_choices() -> None:
    runs = [choices(ModelChoice(3, seed=5), [0.2, 0.4, 0.6], 50) for _ in range(2)]
    assert runs[0] == runs[1]
    assert choices(ModelChoice(3, seed=6), [0.2, 0.4, 0.6], 50) != runs[0]


def test_no_model_is_refused() -> None:
    with pytest.raises(ValueError, match="num_models must be at least 1, got 0"):
        ModelChoice(0, seed=0)
