"""Which programs get a `step_batch`, and what is counted."""

import pytest

from cwm.programs.memorised import TrainingValues
from cwm.proposers.symbolic.step_batch import writer as module
from cwm.proposers.symbolic.step_batch.writer import StepBatchWriter
from tests.unit.proposers.symbolic.step_batch.induced import induced


def test_a_program_gets_a_batch_once() -> None:
    source, task = induced("Taxi")
    writer = StepBatchWriter()
    text, shift = writer.write(source, task)
    assert "def step_batch" in text
    assert text.splitlines().index("    def step(self, action):") == shift + (
        source.splitlines().index("    def step(self, action):")
    )
    assert shift > 0
    assert writer.write(source, task) == (text, shift)
    assert writer.outcomes == {"written": 1}


def test_a_program_whose_batch_differs_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, task = induced("CartPole")
    right = module.add_step_batch

    def wrong(text, **spaces):
        written, shift = right(text, **spaces)
        return written.replace("np.cos(s2)", "np.sin(s2)"), shift

    monkeypatch.setattr(module, "add_step_batch", wrong)
    writer = StepBatchWriter()
    assert writer.write(source, task) == (source, 0)
    assert writer.outcomes == {"differs": 1}


def test_a_program_without_array_form_stays_as_it_is() -> None:
    source, task = induced("CartPole")
    odd = source.replace("a = int(action)", "a = int(action)\n        del action")
    writer = StepBatchWriter()
    assert writer.write(odd, task) == (odd, 0)
    assert writer.outcomes == {"no array form": 1}


def test_a_program_that_would_be_too_long_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, task = induced("CartPole")
    monkeypatch.setattr(module, "MAX_SOURCE_LENGTH", len(source) + 100)
    writer = StepBatchWriter()
    assert writer.write(source, task) == (source, 0)
    assert writer.outcomes == {"too long": 1}


def test_a_program_with_an_endless_sum_stays_as_it_is() -> None:
    source, task = induced("CartPole")
    deep = source.replace("a = int(action)", f"a = int(action){' + 0' * 700}")
    writer = StepBatchWriter()
    assert writer.write(deep, task) == (deep, 0)
    assert writer.outcomes == {"too deep": 1}


def test_what_is_known_of_other_transitions_is_forgotten() -> None:
    source, task = induced("CliffWalking")
    _, again = induced("CliffWalking")
    writer = StepBatchWriter()
    writer.write(source, task)
    writer.write(source, again)
    assert writer.outcomes == {"written": 2}


@pytest.mark.parametrize("name", ["CartPole", "Acrobot"])
def test_a_batch_adds_no_numbers_that_look_memorised(name: str) -> None:
    source, task = induced(name)
    values = TrainingValues(task.train)
    text, _ = StepBatchWriter().write(source, task)
    assert text != source
    assert values.look_for(text) == values.look_for(source)
