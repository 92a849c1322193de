import numpy as np
import pytest

from cwm.core.proposals import ParseFailure
from cwm.core.spaces import BoxSpec, DictSpec, DiscreteSpec, TextSpec, TupleSpec
from prompts.direct import PredictedOutcome, parse_answer, render_question, to_json
from tests.support.prompt_tasks import corridor_task_with_actions, task_of_values
from tests.support.tasks import corridor_task

TASK = corridor_task()
RIGHT = '{"next_observation": [1.0, 1], "reward": 0, "terminated": false}'


def parsed(text: str) -> PredictedOutcome:
    found = parse_answer(text, TASK)
    assert isinstance(found, PredictedOutcome), found
    return found


@pytest.mark.parametrize(
    "text",
    [
        RIGHT,
        f"  {RIGHT}\n",
        f"```json\n{RIGHT}\n```",
        f"It goes right.\n```\n{RIGHT}\n```\nDone.",
        f"```\n{{}}\n```\nNo:\n```json\n{RIGHT}\n```",
        f"<think>Is it {{}}?</think>{RIGHT}",
    ],
)
def test_one_object_is_read(text: str) -> None:
    found = parsed(text)
    assert np.array_equal(found.next_observation, np.array([1, 1], dtype=np.float32))
    assert found.next_observation.dtype == np.float32
    assert (found.reward, found.terminated) == (0.0, False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "It goes right.",
        f"The answer is {RIGHT}",
        RIGHT + RIGHT,
        f"[{RIGHT}]",
        RIGHT.replace("false", "False"),
        RIGHT.replace("false", "0"),
        RIGHT.replace('"reward": 0', '"reward": "0"'),
        RIGHT.replace('"reward": 0', '"reward": true'),
        RIGHT.replace('"reward": 0', '"reward": NaN'),
        RIGHT.replace('"reward": 0', f'"reward": 1{"0" * 400}'),
        RIGHT.replace('"reward": 0, ', ""),
        RIGHT.replace('"reward": 0', '"reward": 0, "why": 1'),
        RIGHT.replace("[1.0, 1]", "[1.0]"),
        RIGHT.replace("[1.0, 1]", '["1.0", 1]'),
        RIGHT.replace("[1.0, 1]", "[Infinity, 1]"),
        "[" * 100_000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    assert isinstance(parse_answer(text, TASK), ParseFailure)


def test_codes_are_integers_of_64_bits() -> None:
    task = task_of_values([1, 2, 3], DiscreteSpec(5))
    text = '{"next_observation": CODE, "reward": 0, "terminated": true}'
    assert isinstance(parse_answer(text.replace("CODE", "4"), task), PredictedOutcome)
    for wrong in ("4.0", '"4"', "1" + "0" * 30):
        found = parse_answer(text.replace("CODE", wrong), task)
        assert isinstance(found, ParseFailure)


def test_tuples_dicts_and_texts_are_read() -> None:
    space = DictSpec(
        (("hand", TupleSpec((DiscreteSpec(32), DiscreteSpec(2)))), ("word", TextSpec()))
    )
    value = {"hand": (3, 1), "word": "go"}
    task = task_of_values([value, value, value], space)
    text = f'{{"next_observation": {to_json(value)}, "reward": 1, "terminated": true}}'
    found = parse_answer(text, task)
    assert isinstance(found, PredictedOutcome)
    assert found.next_observation == value


def test_legal_actions_are_read_where_they_are_judged() -> None:
    task = corridor_task_with_actions()
    assert isinstance(parse_answer(RIGHT, task), ParseFailure)
    found = parse_answer(RIGHT[:-1] + ', "legal_actions": [0, 1]}', task)
    assert isinstance(found, PredictedOutcome)
    assert found.legal_actions == (0, 1)
    wrong = parse_answer(RIGHT[:-1] + ', "legal_actions": 1}', task)
    assert isinstance(wrong, ParseFailure)


def test_numbers_are_written_with_the_digits_that_give_them_back() -> None:
    single = np.array([0.1, 1e-7, 3.0], dtype=np.float32)
    assert to_json(single) == "[0.1, 1e-07, 3.0]"
    double = np.array([[0.1 + 0.2]])
    assert to_json(double) == "[[0.30000000000000004]]"
    assert to_json((np.int64(3), True, "a")) == '[3, true, "a"]'


def test_many_numbers_are_shown_whole() -> None:
    rng = np.random.default_rng(0)
    space = BoxSpec((100,), "float64")
    values = [rng.normal(size=100) for _ in range(3)]
    task = task_of_values(values, space)
    prompt = render_question(task, values[0], 0, num_examples=1)
    assert to_json(values[0]) in prompt.user


def test_no_examples_leave_their_heading_out() -> None:
    prompt = render_question(
        TASK, TASK.train.transition(0).observation, 1, num_examples=0
    )
    assert "Recorded transitions" not in prompt.user
