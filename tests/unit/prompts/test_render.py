"""What each kind of prompt says."""

import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from cwm.core.proposals import (
    Counterexample,
    Kind,
    ParentProgram,
    ProgramInterface,
    ProposalRequest,
    Task,
)
from prompts.config import PAPER_PROMPT_CONFIG, PromptConfig
from prompts.fill import LOOKED_UP, TemplateError
from prompts.render import render
from tests.support.prompt_tasks import (
    corridor_task_with_actions,
    largest_gap_task,
    sum_task,
    wide_task,
)
from tests.support.tasks import CORRIDOR_PROGRAM, corridor_task

KINDS: tuple[Kind, ...] = ("generate", "improve", "fix")
WORLD_MODELS = pytest.mark.parametrize(
    "task",
    [corridor_task(), corridor_task_with_actions()],
    ids=["world_model", "world_model_with_actions"],
)


def request(kind: Kind, **changes: object) -> ProposalRequest:
    parent = ParentProgram(source=CORRIDOR_PROGRAM, failure="ValueError: no")
    fields: dict[str, object] = {"kind": kind, "task": corridor_task()}
    if kind != "generate":
        fields["parent"] = parent
    return ProposalRequest(**{**fields, **changes})


@WORLD_MODELS
@pytest.mark.parametrize("kind", KINDS)
def test_every_prompt_states_contract_documentation_spaces_and_answer_form(
    kind: Kind, task: Task
) -> None:
    text = render(request(kind, task=task)).user
    assert "defines the class `Environment`" in text
    assert "CONSTANTS" in text
    assert "A corridor of three cells." in text
    assert "An action is an int from 0 to 1." in text
    assert "heading `## Correct code`" in text
    assert "{" not in re.sub(r"```.*?```", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("kind", KINDS)
def test_legal_actions_are_asked_for_where_they_are_judged(kind: Kind) -> None:
    assert "legal_actions" not in render(request(kind)).user
    task = corridor_task_with_actions()
    assert "`legal_actions()` returns the list" in render(request(kind, task=task)).user


@pytest.mark.parametrize("kind", KINDS)
def test_program_task_states_problem_and_interface_and_no_environment(
    kind: Kind,
) -> None:
    text = render(request(kind, task=sum_task())).user
    assert "Print their sum." in text
    assert "reads its input from standard input" in text
    assert "heading `## Correct code`" in text
    assert not re.search("environment|observation|transition", text.split("```")[0])
    assert "set_state" not in render(request("generate", task=sum_task())).user


def test_program_task_shows_tests_and_the_given_lines() -> None:
    text = render(request("generate", task=largest_gap_task())).user
    assert "the class `Solution` with the method `largest_gap`" in text
    assert (
        "```python\nclass Solution:\n    def largest_gap(self, numbers):\n```" in text
    )
    assert "```text\nSolution().largest_gap([1, 4, 2])\n```" in text
    assert "Right result:\n```text\n3\n```" in text


def test_program_task_may_have_a_plain_function_and_no_tests_to_show() -> None:
    task = Task.of_program("f", "Double it.", ProgramInterface(function="double"))
    text = render(request("generate", task=task)).user
    assert "It defines the function `double`" in text
    assert "# Tests" not in text
    assert "first lines" not in text


@pytest.mark.parametrize("kind", KINDS)
def test_randomness_is_explained_for_stochastic_tasks_only(kind: Kind) -> None:
    assert "self.rng" not in render(request(kind)).user
    task = corridor_task(is_stochastic=True)
    assert "self.rng" in render(request(kind, task=task)).user


@pytest.mark.parametrize("kind", ["improve", "fix"])
def test_request_without_its_parent_is_refused(kind: Kind) -> None:
    with pytest.raises(ValueError, match=f"parent must be given in a {kind} request"):
        render(request(kind, parent=None))


def test_prefix_is_quoted_only_where_there_is_one() -> None:
    assert "begins with the lines below" not in render(request("generate")).user
    prompt = render(request("generate", prefix="import numpy as np\n"))
    assert "begins with the lines below" in prompt.user
    assert "```python\nimport numpy as np\n```" in prompt.user
    assert prompt.assistant == ""


def test_model_that_can_continue_finds_its_answer_begun_with_the_prefix() -> None:
    prompt = render(request("generate", prefix="import math\n"), continues=True)
    assert prompt.assistant == "```python\nimport math\n"
    assert "import math" not in prompt.user
    assert "begins with the lines below" not in prompt.user
    assert "has already been begun" in prompt.user
    assert "First explain" not in prompt.user


@pytest.mark.parametrize(
    "changed",
    [
        request("generate"),
        request("generate", prefix=" \n\n"),
        request("generate", prefix='"""\n```\n'),
        request("improve", prefix="import math\n"),
        request("fix", prefix="import math\n"),
    ],
    ids=["root", "blank", "fence in the prefix", "improve", "fix"],
)
def test_nothing_else_is_begun(changed: ProposalRequest) -> None:
    prompt = render(changed, continues=True)
    assert prompt == render(changed)
    assert prompt.assistant == ""
    assert "has already been begun" not in prompt.user


def test_answer_without_a_program_is_asked_for_again_in_the_right_form() -> None:
    parent = ParentProgram(
        source="Here:\n```python\nclass Env: ...\n```",
        failure="The code block does not define class Environment at module level.",
        is_program=False,
    )
    text = render(request("fix", parent=parent)).user
    assert "Give that answer again in the right form." in text
    assert "````text\nHere:\n```python\nclass Env: ...\n```\n````" in text
    assert "does not define class Environment" in text
    assert "Recorded transitions: 9" in text


@pytest.mark.parametrize(
    ("task", "last"),
    [
        (corridor_task(), "- An action is an int from 0 to 1."),
        (corridor_task_with_actions(), "- An action is an int from 0 to 1."),
        (sum_task(), "Print their sum."),
    ],
    ids=["world_model", "world_model_with_actions", "program"],
)
def test_all_kinds_begin_alike_so_that_what_was_read_need_not_be_read_again(
    task: Task, last: str
) -> None:
    """Services and local models keep what they know of a prompt's beginning."""
    texts = [render(request(kind, task=task)).user for kind in KINDS]
    heads = {text.partition(last)[0] for text in texts}
    assert len(heads) == 1
    assert all(last in text for text in texts)
    facts = [text.partition("# A program")[0] for text in texts[1:2]]
    assert texts[0].startswith(facts[0].rstrip())


def test_prompt_of_hundreds_of_numbers_stays_short() -> None:
    task = wide_task(348)
    truth = task.train.transition(5)
    wrong = Counterexample(
        index=5,
        wrong_parts=("observation",),
        observation=truth.observation,
        action=truth.action,
        expected=(truth.next_observation, truth.reward, False),
        predicted=(truth.next_observation + 1.0, truth.reward, False),
    )
    parent = ParentProgram(
        source="pass\n",
        part_accuracy={f"observation[{i}]": i / 348 for i in range(348)},
        counterexamples=(wrong,) * 9,
    )
    assert len(render(request("generate", task=task)).user) < 10_000
    improve = request("improve", task=task, parent=parent)
    assert len(render(improve).user) < 12_000


def test_limits_shorten_what_is_long() -> None:
    parent = ParentProgram(source="x" * 5_000, failure="y" * 5_000)
    task = replace(corridor_task(), description="z" * 5_000)
    config = PromptConfig(
        max_program_chars=100, max_failure_chars=100, max_description_chars=100
    )
    text = render(request("fix", parent=parent, task=task), config).user
    assert text.count("4900 characters removed") == 3


def test_program_that_holds_fences_is_quoted_by_longer_ones() -> None:
    parent = ParentProgram(source='"""\n```\n"""\n')
    text = render(request("improve", parent=parent)).user
    assert '````python\n"""\n```\n"""\n````' in text


def test_plain_prompts_say_no_more_than_the_published_ones() -> None:
    wrong = Counterexample(
        index=0,
        wrong_parts=("reward",),
        expected=(0, 1.0, False),
        predicted=(0, 0.0, False),
    )
    parent = ParentProgram(
        source=CORRIDOR_PROGRAM,
        part_accuracy={"reward": 0.5},
        counterexamples=(wrong, wrong),
    )
    changes = {"attempt": 2, "num_unchanged": 1, "earlier": ("a",)}
    text = render(request("improve", parent=parent, **changes), PAPER_PROMPT_CONFIG)
    assert "# Recorded transitions" not in text.user
    assert "Share of the transitions" not in text.user
    assert "Wrong prediction 1\n- next observation: must be 0, got 0\n" in text.user
    assert "Wrong prediction 2" not in text.user
    assert "already tried" not in text.user
    assert "changed nothing" not in text.user
    generate = render(request("generate"), PAPER_PROMPT_CONFIG).user
    assert "Recorded transitions" not in generate


def test_examples_without_facts_stand_below_their_heading() -> None:
    config = PromptConfig(detail="plain", num_examples=1)
    text = render(request("generate"), config).user
    assert (
        "# Recorded transitions\n\n\n\nSome of them, chosen to differ:\n\n1. " in text
    )


def test_task_without_documentation_says_so() -> None:
    task = replace(corridor_task(), description=" \n")
    assert "There is no documentation." in render(request("generate", task=task)).user


def test_own_template_goes_before_the_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "fix.md").write_text("Mend it: {failure}", encoding="utf-8")
    config = PromptConfig(template_folder=tmp_path)
    assert render(request("fix"), config).user == "Mend it: ValueError: no\n"
    assert "Write the program." in render(request("generate"), config).user


def test_field_of_another_kind_is_named_as_unknown(tmp_path: Path) -> None:
    (tmp_path / "generate.md").write_text("{failure}", encoding="utf-8")
    with pytest.raises(TemplateError, match="a generate request does not have"):
        render(request("generate"), PromptConfig(template_folder=tmp_path))


@pytest.mark.parametrize("kind", KINDS)
def test_equal_requests_give_equal_prompts(kind: Kind) -> None:
    assert render(request(kind)) == render(request(kind))


def test_templates_use_the_words_of_the_glossary() -> None:
    avoided = re.compile(r"\b(simulator|done|obs|sample|rollout|fitness|move)\b", re.I)
    root = files("prompts") / "templates"
    folders = {place for places in LOOKED_UP.values() for place in places}
    templates = [
        template
        for place in folders
        for template in (root / place if place else root).iterdir()
        if template.name.endswith(".md")
    ]
    assert len(templates) > 15
    for template in templates:
        assert not avoided.findall(template.read_text(encoding="utf-8")), template.name


def test_contracts_of_world_models_differ_in_legal_actions_alone() -> None:
    root = files("prompts") / "templates"
    plain, with_actions = (
        (root / family / "contract.md").read_text(encoding="utf-8").splitlines()
        for family in ("world_model", "world_model_with_actions")
    )
    kept = [line for line in with_actions if "legal_actions" not in line]
    assert kept == [line for line in plain if "Each transition is checked" not in line]
