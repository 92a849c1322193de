"""Prompts that ask for an outcome are those that were read and approved.

`python -m tests.golden.test_direct_prompts` rewrites them after a change that is
meant to change them.
"""

from pathlib import Path

import pytest

from cwm.core.proposals import Task
from prompts.direct import render_question
from tests.support.prompt_tasks import corridor_task_with_actions
from tests.support.tasks import corridor_task

FOLDER = Path(__file__).parent / "direct_prompts"

TASKS = {"plain": corridor_task, "with_actions": corridor_task_with_actions}


def golden_text(task: Task) -> str:
    step = task.train.transition(4)
    prompt = render_question(task, step.observation, step.action, num_examples=3)
    return f"--- system\n\n{prompt.system}\n\n--- user\n\n{prompt.user}"


@pytest.mark.parametrize("name", TASKS)
def test_question_has_its_golden_prompt(name: str) -> None:
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert golden_text(TASKS[name]()) == text


def test_every_golden_prompt_has_its_task() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(TASKS)


if __name__ == "__main__":
    for task_name, make in TASKS.items():
        path = FOLDER / f"{task_name}.txt"
        path.write_text(golden_text(make()), encoding="utf-8")
