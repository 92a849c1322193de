"""`python -m cwm.knowledge`: world knowledge models in text games."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from cwm.cli import run_command, run_subcommand
from cwm.knowledge.pipeline_commands import STEPS, run_step
from cwm.knowledge.plot_command import plot


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return run_command(
        lambda: run_subcommand("cwm.knowledge", words, COMMANDS, text=DESCRIPTION)
    )


COMMANDS: Mapping[str, Callable[[list[str]], int]] = {
    **{name: partial(run_step, name) for name in STEPS},
    "plot": plot,
}
"""Commands by name."""

DESCRIPTION = """\
usage: python -m cwm.knowledge NAME ...

Plays text games with task and state knowledge that models have learned (WKM).

  experts          games as experts play them
  explore          the same games as an agent plays them that was trained on that alone
  task-knowledge   what makes each task succeed, written from both
  state-knowledge  where each moment of the experts' episodes stands
  train-data       the conversations that agents and knowledge model learn
  train            agents and knowledge model
  build-base       the base in which moments like the present are looked up
  evaluate         all rows in games that nothing was learned from
  all              everything
  plot             what came of it, as a picture

Each but plot makes what it needs of the steps before it.

  python -m cwm.knowledge all --env twc
  python -m cwm.knowledge all --resume runs/2026-01-31-twc-knowledge-1

python -m cwm.knowledge NAME --help says more.

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""
