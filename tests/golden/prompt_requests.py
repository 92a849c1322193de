"""Requests whose prompts are golden; run as a module, it rewrites the prompts.

`python -m tests.golden.prompt_requests` after a change that is meant to change
them. It names what it has changed; read `git diff --word-diff` before committing.
Contracts stand in files of their own, to which the other prompts refer, so that a
change to one shows once.
"""

import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cwm.core.constants import FittedConstant
from cwm.core.proposals import Counterexample, ParentProgram, ProposalRequest
from prompts.config import (
    DEFAULT_PROMPT_CONFIG,
    PAPER_PROMPT_CONFIG,
    PromptConfig,
)
from prompts.render import render
from tests.support.prompt_tasks import (
    corridor_task_with_actions,
    largest_gap_task,
    sum_task,
    wide_task,
)
from tests.support.tasks import CORRIDOR_PROGRAM, corridor_task

FOLDER = Path(__file__).parent / "prompts"

_CONTRACT = re.compile(r"# What the program must look like\n.*?(?=\n# The )", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Golden:
    """What is rendered."""

    request: ProposalRequest
    config: PromptConfig = DEFAULT_PROMPT_CONFIG
    continues: bool = False


def _observation(*numbers: float) -> np.ndarray:
    return np.array(numbers, dtype=np.float32)


_WRONG = Counterexample(
    index=1,
    wrong_parts=("observation[0]", "terminated"),
    observation=_observation(1.0, 1.0),
    action=1,
    expected=(_observation(2.0, 1.0), 0.0, False),
    predicted=(_observation(1.1, 1.0), 0.0, True),
)
_WRONG_FORM = Counterexample(
    index=4,
    wrong_parts=("observation[0]", "observation[1]", "reward", "terminated"),
    observation=_observation(0.0, -1.0),
    action=0,
    expected=(_observation(0.0, 0.0), 0.0, False),
    message="step must return 3 values, got 2",
)
_HALF_RIGHT = ParentProgram(
    source=CORRIDOR_PROGRAM,
    score=0.625,
    part_accuracy={
        "observation[0]": 0.5,
        "observation[1]": 1.0,
        "reward": 1.0,
        "terminated": 0.75,
    },
    counterexamples=(_WRONG, _WRONG_FORM),
)
_FITTED = replace(
    _HALF_RIGHT,
    constants=(
        FittedConstant(
            name="gravity",
            kind="named",
            line=8,
            before=9.8,
            after=6.36,
            verdict="fitted",
            low=6.3599,
            high=6.3601,
        ),
        FittedConstant(
            name="max_speed",
            kind="declared",
            line=9,
            before=8.0,
            after=8.0,
            verdict="kept",
            low=7.25,
        ),
        FittedConstant(
            name="mass",
            kind="named",
            line=10,
            before=1.0,
            after=0.72,
            verdict="undetermined",
            others=("force",),
        ),
        FittedConstant(
            name="force",
            kind="named",
            line=11,
            before=10.0,
            after=10.0,
            verdict="undetermined",
            others=("mass",),
        ),
        FittedConstant(
            name="max_steps",
            kind="named",
            line=12,
            before=500.0,
            after=500.0,
            verdict="no effect",
        ),
    ),
    remainder=(
        "`observation[0]` is off in 12% of the transitions, there by 0.4 standard "
        "deviations of its usual change, nearly always where observation[1] is at "
        "least 0.9.",
    ),
)
_FAILING = ParentProgram(
    source=CORRIDOR_PROGRAM,
    failure="ZeroDivisionError: division by zero\nLine 15: self.position = max(",
    failure_line=15,
    failing_index=2,
)
_UNREADABLE = ParentProgram(
    source="It is a corridor.\n```python\nclass Corridor:\n    ...\n```\n",
    failure="The code block does not define class Environment at module level.",
    is_program=False,
)
_PREFIX = "".join(CORRIDOR_PROGRAM.splitlines(keepends=True)[:6])


def _improve_wide() -> ProposalRequest:
    task = wide_task()
    truth = task.train.transition(3)
    predicted = truth.next_observation.copy()
    predicted[[0, *range(7, 29)]] += 0.25
    wrong = Counterexample(
        index=3,
        wrong_parts=tuple(f"observation[{i}]" for i in (0, *range(7, 29))),
        observation=truth.observation,
        action=truth.action,
        expected=(truth.next_observation, truth.reward, False),
        predicted=(predicted, truth.reward, False),
    )
    accuracy = {f"observation[{i}]": 1.0 - (i < 29) * i / 50 for i in range(60)}
    parent = ParentProgram(
        source=CORRIDOR_PROGRAM,
        score=0.4,
        part_accuracy=accuracy | {"reward": 1.0, "terminated": 1.0},
        counterexamples=(wrong,),
    )
    return ProposalRequest(kind="improve", task=task, parent=parent)


def _world_model() -> dict[str, Golden]:
    generate = ProposalRequest(kind="generate", task=corridor_task())
    improve = ProposalRequest(kind="improve", task=corridor_task(), parent=_HALF_RIGHT)
    fix = ProposalRequest(kind="fix", task=corridor_task(), parent=_FAILING, attempt=1)
    below = replace(
        generate,
        prefix=_PREFIX,
        parent=ParentProgram(source=CORRIDOR_PROGRAM, score=0.5),
        attempt=2,
    )
    random = corridor_task(is_stochastic=True)
    engine = replace(corridor_task(), libraries=("physics",))
    again = replace(
        improve,
        num_unchanged=1,
        attempt=2,
        earlier=("improve: clipped the position; score 0.6250", "the same program"),
    )
    return {
        "generate": Golden(request=generate),
        "generate_plain": Golden(request=generate, config=PAPER_PROMPT_CONFIG),
        "generate_stochastic": Golden(request=replace(generate, task=random)),
        "generate_from_prefix": Golden(request=below),
        "generate_continued": Golden(request=below, continues=True),
        "generate_wide": Golden(request=replace(generate, task=wide_task())),
        "generate_physics": Golden(request=replace(generate, task=engine)),
        "improve": Golden(request=improve),
        "improve_fitted": Golden(request=replace(improve, parent=_FITTED)),
        "improve_plain": Golden(request=improve, config=PAPER_PROMPT_CONFIG),
        "improve_stochastic": Golden(request=replace(improve, task=random)),
        "improve_wide": Golden(request=_improve_wide()),
        "improve_again": Golden(request=again),
        "fix": Golden(request=fix),
        "fix_plain": Golden(request=fix, config=PAPER_PROMPT_CONFIG),
        "fix_answer": Golden(request=replace(fix, parent=_UNREADABLE)),
    }


def _world_model_with_actions() -> dict[str, Golden]:
    task = corridor_task_with_actions()
    wrong = replace(
        _WRONG,
        wrong_parts=("observation[0]", "legal_actions"),
        expected_actions=(0, 1),
        predicted_actions=(1, 2),
    )
    parent = replace(_HALF_RIGHT, counterexamples=(wrong,))
    return {
        "generate": Golden(request=ProposalRequest(kind="generate", task=task)),
        "improve": Golden(
            request=ProposalRequest(kind="improve", task=task, parent=parent)
        ),
        "fix": Golden(request=ProposalRequest(kind="fix", task=task, parent=_FAILING)),
    }


def _program() -> dict[str, Golden]:
    source = "n = int(input())\nprint(sum(map(int, input().split())[:n]))\n"
    task = sum_task()
    assert task.program is not None
    wrong = Counterexample(
        index=-1,
        wrong_parts=("test 2",),
        example=task.program.examples[1],
        output="5\n",
    )
    late = replace(wrong, output=None, message="TimeLimit: it did not finish in 4 s.")
    parent = ParentProgram(source=source, score=0.5, counterexamples=(wrong, late))
    failing = ParentProgram(
        source="n = int(input()\nprint(n)\n",
        failure="SyntaxError: '(' was never closed",
        failure_line=1,
    )
    no_program = ParentProgram(
        source="One adds them up.",
        failure="The completion has no Python code block.",
        is_program=False,
    )
    return {
        "generate": Golden(request=ProposalRequest(kind="generate", task=task)),
        "generate_function": Golden(
            request=ProposalRequest(kind="generate", task=largest_gap_task())
        ),
        "improve": Golden(
            request=ProposalRequest(kind="improve", task=task, parent=parent)
        ),
        "fix": Golden(request=ProposalRequest(kind="fix", task=task, parent=failing)),
        "fix_answer": Golden(
            request=ProposalRequest(kind="fix", task=task, parent=no_program)
        ),
    }


REQUESTS: dict[str, Golden] = {
    f"{family}/{name}": golden
    for family, goldens in (
        ("world_model", _world_model()),
        ("world_model_with_actions", _world_model_with_actions()),
        ("program", _program()),
    )
    for name, golden in goldens.items()
}


def golden_texts(name: str) -> dict[str, str]:
    """Returns the files of a request: its prompt, and the contract that it refers to.

    Each is the text of a file, by the file's name below `FOLDER` without ending.
    """
    golden = REQUESTS[name]
    prompt = render(golden.request, golden.config, continues=golden.continues)
    found = _CONTRACT.search(prompt.user)
    assert found is not None, "every prompt states the contract"
    contract = f"{golden.request.task.family}/contract"
    if golden.request.task.is_stochastic:
        contract += "_stochastic"
    elif golden.request.task.libraries:
        contract += "_" + "_".join(golden.request.task.libraries)
    elif golden.request.task.program and golden.request.task.program.function:
        contract += "_function"
    user = prompt.user.replace(found[0], f"<<< {contract} >>>\n")
    text = f"--- system\n\n{prompt.system}\n\n--- user\n\n{user}"
    if prompt.assistant:
        text += f"\n--- assistant\n\n{prompt.assistant}"
    return {name: text, contract: found[0]}


def all_golden_texts() -> dict[str, str]:
    """Returns the text of every golden file, by name."""
    texts: dict[str, str] = {}
    for name in REQUESTS:
        for file, text in golden_texts(name).items():
            assert texts.setdefault(file, text) == text, f"two texts of {file}"
    return texts


def write_all() -> list[str]:
    """Rewrites the golden prompts; returns the names of those that changed."""
    texts = all_golden_texts()
    changed = []
    for path in FOLDER.rglob("*.txt"):
        name = path.relative_to(FOLDER).with_suffix("").as_posix()
        if name not in texts:
            path.unlink()
            changed.append(name)
    for name, text in texts.items():
        path = FOLDER / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(name)
    return changed


if __name__ == "__main__":
    sys.stdout.write("".join(f"changed: {name}\n" for name in sorted(write_all())))
