"""Which inducer a request goes to, and what is refused."""

import pytest

from cwm.core.proposals import ProposalRequest, Task
from cwm.core.spaces import BoxSpec, DiscreteSpec, SpaceSpec, TextSpec
from cwm.core.trajectories import Transition, batch_trajectories, make_trajectory
from cwm.proposers.symbolic.proposer import SymbolicProposer
from cwm.proposers.symbolic.step_batch import writer
from cwm.proposers.symbolic.step_batch.values import NoArrayForm
from tests.unit.proposers.symbolic.step_batch.induced import induced


def task(observation_space: SpaceSpec, observation: object) -> Task:
    action_space = DiscreteSpec(2)
    steps = [
        Transition(observation, i % 2, observation, 0.0, False, False)
        for i in range(30)
    ]
    trajectory = make_trajectory(
        steps, observation_space=observation_space, action_space=action_space
    )
    return Task(
        environment_id="test/Still-v0",
        description="",
        observation_space=observation_space,
        action_space=action_space,
        train=batch_trajectories([trajectory], observation_space, action_space),
    )


@pytest.mark.parametrize(
    ("space", "observation", "annotation"),
    [
        (DiscreteSpec(3), 1, "discrete_model"),
        (BoxSpec((2,), "int64"), [1, 2], "discrete_model"),
        (BoxSpec((2,), "float32"), [0.5, 1.0], "blueprint"),
    ],
)
def test_integers_and_real_numbers_have_inducers_of_their_own(
    space: SpaceSpec, observation: object, annotation: str
) -> None:
    request = ProposalRequest(kind="generate", task=task(space, observation))
    answer = SymbolicProposer().propose(request)
    assert annotation in answer.annotation
    assert "class Environment" in answer.text
    assert answer.usage.prompt_tokens == 0


def test_text_needs_a_language_model() -> None:
    request = ProposalRequest(kind="generate", task=task(TextSpec(), "north"))
    with pytest.raises(Exception, match="--llm openai:MODEL"):
        SymbolicProposer().propose(request)


def test_the_answer_is_parsed_as_it_is() -> None:
    proposer = SymbolicProposer()
    request = ProposalRequest(kind="generate", task=task(DiscreteSpec(3), 1))
    answer = proposer.propose(request)
    assert proposer.parse(answer, request) == answer.text


def test_programs_come_with_a_step_batch_and_know_their_lines() -> None:
    _, task = induced("Taxi")
    proposer = SymbolicProposer()
    answer = proposer.propose(ProposalRequest(kind="generate", task=task))
    assert "def step_batch" in answer.text
    assert proposer.step_batches.outcomes == {"written": 1}
    lines = answer.text.splitlines()
    first, last = answer.annotation["discrete_model"]["lines"]["reward"]
    assert any("        reward = " in line for line in lines[first - 1 : last])
    assert lines[first - 1].startswith("        # reward:")


def test_programs_without_an_array_form_come_without_a_step_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none(*_: object, **__: object) -> tuple[str, int]:
        raise NoArrayForm("Nothing has.")

    monkeypatch.setattr(writer, "add_step_batch", none)
    _, task = induced("CartPole")
    proposer = SymbolicProposer()
    answer = proposer.propose(ProposalRequest(kind="generate", task=task))
    assert "def step_batch" not in answer.text
    assert proposer.step_batches.outcomes == {"no array form": 1}
