"""Requests whose prompts are golden; run as a module, it rewrites the prompts.

`python -m tests.golden.prompt_requests` after a change that is meant to change
them; read the difference before committing it.
"""

from pathlib import Path

import numpy as np

from cwm.core.proposals import Counterexample, ParentProgram, ProposalRequest
from prompts.render import render
from tests.support.tasks import CORRIDOR_PROGRAM, corridor_task

FOLDER = Path(__file__).parent / "prompts"

_WRONG = Counterexample(
    index=1,
    wrong_parts=("observation[0]", "terminated"),
    observation=np.array([1.0, 1.0], dtype=np.float32),
    action=1,
    expected=(np.array([2.0, 1.0], dtype=np.float32), 0.0, False),
    predicted=(np.array([1.1, 1.0], dtype=np.float32), 0.0, True),
)

REQUESTS: dict[str, ProposalRequest] = {
    "generate": ProposalRequest(kind="generate", task=corridor_task()),
    "generate_below_the_root": ProposalRequest(
        kind="generate",
        task=corridor_task(is_stochastic=True),
        prefix="".join(CORRIDOR_PROGRAM.splitlines(keepends=True)[:4]),
        parent=ParentProgram(source=CORRIDOR_PROGRAM, score=0.5),
        attempt=2,
    ),
    "improve": ProposalRequest(
        kind="improve",
        task=corridor_task(),
        parent=ParentProgram(
            source=CORRIDOR_PROGRAM,
            score=0.625,
            part_accuracy={"observation[0]": 0.5, "reward": 1.0, "terminated": 0.75},
            counterexamples=(_WRONG,),
        ),
    ),
    "fix": ProposalRequest(
        kind="fix",
        task=corridor_task(),
        parent=ParentProgram(
            source=CORRIDOR_PROGRAM,
            failure="ZeroDivisionError: division by zero",
            failure_line=15,
            failing_index=2,
        ),
        attempt=1,
    ),
}


def prompt_text(name: str) -> str:
    """Returns the whole prompt of a request."""
    prompt = render(REQUESTS[name])
    return f"{prompt.system}\n\n---\n\n{prompt.user}"


def write_all() -> None:
    """Rewrites the golden prompts."""
    FOLDER.mkdir(exist_ok=True)
    for name in REQUESTS:
        (FOLDER / f"{name}.txt").write_text(prompt_text(name), encoding="utf-8")


if __name__ == "__main__":
    write_all()
