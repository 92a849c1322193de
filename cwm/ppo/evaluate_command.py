"""`python -m cwm.ppo evaluate`: how often agents succeed."""

import json
import sys
from contextlib import closing, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from cwm.agents.runs import TaskConfig
from cwm.arguments import parse
from cwm.cli import EXIT_DONE
from cwm.core.dataset_file import check_writable
from cwm.core.errors import ConfigError, DataError
from cwm.core.files import write_atomically
from cwm.execution.options import shown_as
from cwm.execution.provenance import environment_report
from cwm.ppo.contests import (
    Contest,
    Contestant,
    PlayConfig,
    check_contest,
    own_contests,
    play_contests,
    prompt_notes,
    suite_contests,
)
from cwm.report.live import make_progress
from cwm.report.policies import EvaluationReport
from envs.babyai.variants import SUITE, Variant

DESCRIPTION = f"""\
Says how often agents succeed, with 95 % intervals. An agent is the folder of a run of
cwm.ppo train, random (actions at random) or bot (BabyAI's own, which looks at the true
grid). All agents play the same episodes.

  python -m cwm.ppo evaluate runs/2026-01-31-BabyAI-GoToLocal-v0-policy-1
  python -m cwm.ppo evaluate runs/RUN random bot --suite
  python -m cwm.ppo evaluate runs/RUN --test new-nouns --test french --episodes 200
  python -m cwm.ppo evaluate random bot --env BabyAI-GoToRedBall-v0 --json

The suite has the tests of GLAM's paper: {", ".join(SUITE)}.

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line says.

    Attributes:
        agents: Folder of a run, random or bot; several are compared.
        suite: Play all tests of generalisation, instead of the environment of the run.
        test: One of these tests; repeat it for more.
        env: Environment: a level of BabyAI in words, to play in instead of that of the
            run.
        env_kwargs: Arguments of the environment's constructor, as a JSON object such as
            '{"num_actions": 3}'.
        play: How it is played.
        out: File for the result as JSON.
        json: Print the result as JSON.
        quiet: Show no progress.
    """

    agents: Annotated[
        tyro.conf.Positional[tuple[str, ...]],
        tyro.conf.arg(metavar="AGENT [AGENT ...]", help_behavior_hint="(at least one)"),
    ]
    suite: bool = False
    test: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME")] = ()
    env: Annotated[str | None, shown_as("ID")] = None
    env_kwargs: Annotated[str, shown_as("JSON")] = "{}"
    play: Annotated[PlayConfig, tyro.conf.arg(name="")] = field(
        default_factory=PlayConfig
    )
    out: Annotated[Path | None, shown_as("FILE")] = None
    json: bool = False
    quiet: bool = False


def evaluate(words: list[str]) -> int:
    """Plays, shows how agents did, and returns the exit code.

    Raises:
        CwmError: If a setting is wrong, or an agent cannot be read.
    """
    arguments = parse(Arguments, words, command="ppo evaluate", text=DESCRIPTION)
    contests = _contests(arguments)
    if arguments.out is not None:
        # Before the work, not after it.
        check_writable(arguments.out)
    with (
        closing(make_progress(sys.stderr, quiet=arguments.quiet)) as progress,
        redirect_stdout(sys.stderr),  # Libraries print; the result stands alone.
    ):
        played = play_contests(contests, arguments.play, progress)
    report = EvaluationReport(
        rows=played.rows,
        seed=arguments.play.seed,
        trained=played.trained,
        notes=tuple(prompt_notes(contests)),
        made_with=environment_report(),
    )
    if arguments.out is not None:
        _write(report, arguments.out)
        report = replace(report, files=(f"result: {arguments.out}",))
    if arguments.json:
        sys.stdout.write(json.dumps(report.to_json(), indent=2) + "\n")
    else:
        report.show(sys.stdout)
    return EXIT_DONE


def _contests(arguments: Arguments) -> list[Contest]:
    """Returns what is to be played, all of it checked."""
    ways = (arguments.suite, bool(arguments.test), arguments.env is not None)
    if sum(ways) > 1:
        raise ConfigError(
            "At most one of suite, test and env must be given; they say where agents "
            "play."
        )
    if arguments.env is None and arguments.env_kwargs != "{}":
        raise ConfigError("env_kwargs needs env.")
    if len(set(arguments.agents)) < len(arguments.agents):
        raise ConfigError(
            f"agents must be named once, got {', '.join(arguments.agents)}."
        )
    contestants = [Contestant.named(name) for name in arguments.agents]
    if arguments.env is not None:
        task = TaskConfig(env=arguments.env, env_kwargs=arguments.env_kwargs)
        variant = Variant(env_id=task.id, kwargs=task.kwargs, what="")
        contests = [Contest(test="", variant=variant, contestants=tuple(contestants))]
    elif arguments.suite or arguments.test:
        contests = suite_contests(contestants, arguments.test or tuple(SUITE))
    else:
        contests = own_contests(contestants)
    for contest in contests:
        check_contest(contest)
    return contests


def _write(report: EvaluationReport, path: Path) -> None:
    try:
        write_atomically(path, json.dumps(report.to_json(), indent=2) + "\n")
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be written: {error}.") from error
