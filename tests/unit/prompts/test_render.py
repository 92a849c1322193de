"""What each kind of prompt says."""

import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from cwm.core.proposals import Counterexample, Kind, ParentProgram, ProposalRequest
from cwm.core.spaces import BoxSpec, SpaceSpec, TextSpec
from cwm.core.trajectories import Transition, batch_trajectories, make_trajectory
from prompts.fill import TemplateError
from prompts.render import PromptConfig, render
from tests.support.tasks import (
    ACTION_SPACE,
    CORRIDOR_PROGRAM,
    OBSERVATION_SPACE,
    corridor_task,
)

KINDS: tuple[Kind, ...] = ("generate", "improve", "fix")


def request(kind: Kind, **changes: object) -> ProposalRequest:
    parent = ParentProgram(source=CORRIDOR_PROGRAM, failure="ValueError: no")
    fields: dict[str, object] = {"kind": kind, "task": corridor_task()}
    if kind != "generate":
        fields["parent"] = parent
    return ProposalRequest(**{**fields, **changes})


@pytest.mark.parametrize("kind", KINDS)
def test_every_prompt_states_contract_documentation_spaces_and_answer_form(
    kind: Kind,
) -> None:
    text = render(request(kind)).user
    assert "defines the class `Environment`" in text
    assert "CONSTANTS" in text
    assert "A corridor of three cells." in text
    assert "An action is an int from 0 to 1." in text
    assert "heading `## Correct code`" in text


@pytest.mark.parametrize("kind", KINDS)
def test_randomness_is_explained_for_stochastic_tasks_only(kind: Kind) -> None:
    assert "self.rng" not in render(request(kind)).user
    task = corridor_task(is_stochastic=True)
    assert "self.rng" in render(request(kind, task=task)).user


@pytest.mark.parametrize("kind", ["improve", "fix"])
def test_request_without_its_parent_is_refused(kind: Kind) -> None:
    with pytest.raises(ValueError, match=f"parent must be given in a {kind} request"):
        render(request(kind, parent=None))


@pytest.mark.parametrize("kind", KINDS)
def test_later_attempt_asks_for_another_approach(kind: Kind) -> None:
    assert "already tried" not in render(request(kind)).user
    assert "already tried once" in render(request(kind, attempt=1)).user
    assert "already tried 3 times" in render(request(kind, attempt=3)).user


def test_prefix_is_quoted_only_where_there_is_one() -> None:
    assert "begins with the lines below" not in render(request("generate")).user
    text = render(request("generate", prefix="import numpy as np\n")).user
    assert "begins with the lines below" in text
    assert "```python\nimport numpy as np\n```" in text


def test_failure_shows_message_line_and_transition() -> None:
    parent = ParentProgram(
        source=CORRIDOR_PROGRAM,
        failure="ZeroDivisionError: division by zero",
        failure_line=15,
        failing_index=2,
    )
    text = render(request("fix", parent=parent)).user
    assert "ZeroDivisionError: division by zero" in text
    assert "line 15: `self.position = max(0.0" in text
    assert "- observation: [2.0, 1.0]" in text


def test_failure_without_details_or_with_impossible_ones_still_has_a_prompt() -> None:
    parent = ParentProgram(source="", failure_line=99, failing_index=10_000)
    text = render(request("fix", parent=parent)).user
    assert "It failed without a message." in text
    assert "failing line" not in text


def test_improve_without_counterexamples_says_so() -> None:
    assert "None is at hand." in render(request("improve")).user


def test_limits_shorten_what_is_long_and_count_what_is_many() -> None:
    wrong = Counterexample(index=-1, wrong_parts=(), message="broken rule")
    parent = ParentProgram(
        source="x" * 5_000,
        part_accuracy={f"observation[{i}]": i / 100 for i in range(100)},
        counterexamples=(wrong,) * 9,
        failure="y" * 5_000,
    )
    config = PromptConfig(
        num_counterexamples=2, max_program_chars=100, max_failure_chars=100
    )
    improve = render(request("improve", parent=parent), config).user
    assert "4900 characters removed" in improve
    assert improve.count("broken rule") == 2
    assert "76 more parts that are no worse" in improve
    fix = render(request("fix", parent=parent), config).user
    assert fix.count("4900 characters removed") == 2


def test_many_different_rewards_are_shown_as_a_range() -> None:
    steps = [
        corridor_task().train.transition(0)._replace(reward=float(reward))
        for reward in range(20)
    ]
    trajectory = make_trajectory(
        steps, observation_space=OBSERVATION_SPACE, action_space=ACTION_SPACE
    )
    batch = batch_trajectories([trajectory], OBSERVATION_SPACE, ACTION_SPACE)
    task = replace(corridor_task(), train=batch)
    text = render(request("generate", task=task)).user
    assert "Rewards lie between 0.0 and 19.0." in text


def test_program_that_holds_fences_is_quoted_by_longer_ones() -> None:
    parent = ParentProgram(source='"""\n```\n"""\n')
    text = render(request("improve", parent=parent)).user
    assert '````python\n"""\n```\n"""\n````' in text


def test_own_template_goes_before_the_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "fix.md").write_text("Mend it: {failure}", encoding="utf-8")
    config = PromptConfig(template_folder=tmp_path)
    assert render(request("fix"), config).user == "Mend it: ValueError: no\n"
    assert "world model" in render(request("generate"), config).user


def test_field_of_another_kind_is_named_as_unknown(tmp_path: Path) -> None:
    (tmp_path / "generate.md").write_text("{failure}", encoding="utf-8")
    with pytest.raises(TemplateError, match="a generate request does not have"):
        render(request("generate"), PromptConfig(template_folder=tmp_path))


def test_equal_requests_give_equal_prompts() -> None:
    assert render(request("improve")) == render(request("improve"))


@pytest.mark.parametrize(
    ("name", "value", "low"),
    [
        ("num_examples", 0, 1),
        ("num_counterexamples", 0, 1),
        ("max_value_chars", 39, 40),
        ("max_description_chars", 0, 40),
        ("max_program_chars", 0, 40),
        ("max_failure_chars", 0, 40),
    ],
)
def test_setting_that_breaks_its_rule_is_named(name: str, value: int, low: int) -> None:
    with pytest.raises(
        ValueError, match=rf"^{name} must be at least {low}, got {value}\."
    ):
        PromptConfig(**{name: value})


def test_templates_use_the_words_of_the_glossary() -> None:
    avoided = re.compile(r"\b(simulator|done|obs|sample|rollout|fitness|move)\b", re.I)
    for template in (files("prompts") / "templates").iterdir():
        assert not avoided.findall(template.read_text(encoding="utf-8")), template.name


@pytest.mark.parametrize(
    ("space", "value"),
    [(TextSpec(), "a room"), (BoxSpec((30,), "float32"), np.zeros(30, np.float32))],
    ids=["text", "long box"],
)
def test_ranges_are_left_out_where_there_are_none_or_too_many(
    space: SpaceSpec, value: object
) -> None:
    step = Transition(value, 0, value, 0.0, False, False)
    trajectory = make_trajectory(
        [step], observation_space=space, action_space=ACTION_SPACE
    )
    task = replace(
        corridor_task(),
        observation_space=space,
        train=batch_trajectories([trajectory], space, ACTION_SPACE),
    )
    assert "Ranges that occur" not in render(request("generate", task=task)).user
    assert "Ranges that occur" in render(request("generate")).user
