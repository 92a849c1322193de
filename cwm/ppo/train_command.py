"""`python -m cwm.ppo train`: an agent that learns to act on what it reads."""

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from cwm.agents.dreaming import read_program
from cwm.agents.learners import prepare
from cwm.agents.runs import RUN_PRESETS, PolicyFolder, PolicyRunConfig, new_folder
from cwm.agents.starting import check_start
from cwm.arguments import parse, starting_settings
from cwm.cli import EXIT_DONE
from cwm.core.dataset_file import check_writable
from cwm.core.errors import ConfigError, CwmError
from cwm.execution.locks import only_one
from cwm.execution.options import shown_as
from cwm.ppo.plot_command import courses_by_label
from cwm.providers.policies.learning.processes import Processes
from cwm.report.live import make_progress
from cwm.report.plots import check_plot
from cwm.report.policy_plots import write_learning_plot
from cwm.sources import read_text

DESCRIPTION = """\
Trains an agent that reads what it sees to follow instructions, as in GLAM: a policy
over actions in words learns by PPO in levels of BabyAI that are told in sentences.

The policy is a softmax over the scores of the actions' words. --policy says whose:
scratch is a small transformer that knows nothing, hf:ID_OR_FOLDER and gguf:FILE are
language models, and symbolic is the paper's baseline, which sees minigrid's symbols.

  python -m cwm.ppo train --env BabyAI-GoToRedBallNoDists-v0 --num-frames 20000
  python -m cwm.ppo train --env BabyAI-GoToLocalS5N2-v0 --stop-at 0.95 --plot curve.png
  python -m cwm.ppo train --preset glam-2023 --policy hf:FOLDER --local.device cuda
  python -m cwm.ppo train --learner cloning --num-demonstrations 500 --out runs/clone
  python -m cwm.ppo train --start-from runs/clone
  python -m cwm.ppo train --env BabyAI-GoToLocalS5N2-v0 --model runs/RUN
  accelerate launch --num_processes 4 -m cwm.ppo train --policy hf:FOLDER --out runs/x
  python -m cwm.ppo train --resume runs/2026-01-31-BabyAI-GoToLocal-v0-policy-1

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""


LOCK = ".lock"
"""File of a run's folder that a process holds while it trains."""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line says.

    Attributes:
        run: The settings of the run.
        preset: Named settings to start from: glam-2023 is GLAM as it was released, its
            mistakes included. A config file and the other options override them.
        config: JSON file of settings, such as the config.json of another run; the
            other options override it.
        out: Folder of the run; a new one in ./runs if not given.
        resume: Folder of a run to continue from its last checkpoint; it ends as if it
            had never stopped. No setting may be given again.
        plot: File (.png) for a picture of the run; needs the extra [plot].
        json: Print the result as JSON.
        quiet: Show no progress.
    """

    run: Annotated[PolicyRunConfig, tyro.conf.arg(name="")] = field(
        default_factory=PolicyRunConfig
    )
    preset: Annotated[str, shown_as(f"{{{','.join(RUN_PRESETS)}}}")] = "default"
    config: Annotated[Path | None, shown_as("FILE")] = None
    out: Annotated[Path | None, shown_as("FOLDER")] = None
    resume: Annotated[Path | None, shown_as("RUN")] = None
    plot: Annotated[Path | None, shown_as("FILE")] = None
    json: bool = False
    quiet: bool = False


def train(words: list[str]) -> int:
    """Makes or continues a run, shows it, and returns the exit code.

    Raises:
        CwmError: If a setting is wrong, or the run failed; it can be continued if it
            has begun.
    """
    arguments = parse(
        Arguments,
        words,
        command="ppo train",
        text=DESCRIPTION,
        default=Arguments(run=_base(words)),
    )
    if arguments.resume is None:
        arguments = replace(arguments, run=_lasting(arguments.run))
    processes = Processes.launched()
    _check(arguments, processes)
    is_quiet = arguments.quiet or not processes.is_first
    with (
        closing(make_progress(sys.stderr, quiet=is_quiet)) as progress,
        redirect_stdout(sys.stderr),  # Libraries print; the result stands alone.
        ExitStack() as stack,
    ):
        program = _program(arguments)
        # Before the folder: a run that cannot begin leaves none.
        training = stack.enter_context(
            closing(prepare(arguments.run, processes, program))
        )
        folder = _folder(arguments, processes, program)
        if processes.is_first:
            lock = folder.path / LOCK
            stack.enter_context(only_one(lock, name=f"The run {str(folder.path)!r}"))
        try:
            report = training.run(folder, progress)
        except (KeyboardInterrupt, CwmError):
            progress.close()
            sys.stderr.write(
                f"{folder.path} keeps what was learned up to the last checkpoint, if "
                "there is one. "
                f"Continue with: python -m cwm.ppo train --resume {folder.path}\n"
            )
            raise
    if not processes.is_first:
        return EXIT_DONE
    if arguments.plot is not None:
        report = replace(report, files=(*report.files, f"picture: {arguments.plot}"))
    if arguments.json:
        sys.stdout.write(json.dumps(report.to_json(), indent=2) + "\n")
    else:
        report.show(sys.stdout)
    if arguments.plot is not None:
        # Last: whoever ends it has the result.
        write_learning_plot(courses_by_label([folder]), arguments.plot)
    return EXIT_DONE


def _base(words: Sequence[str]) -> PolicyRunConfig:
    """Returns the settings that the command line starts from."""
    return starting_settings(
        words, RUN_PRESETS, lambda path: PolicyFolder(path).read_config()
    )


def _check(arguments: Arguments, processes: Processes) -> None:
    """Refuses what would fail only after the work."""
    if processes.count > 1 and arguments.out is None and arguments.resume is None:
        raise ConfigError(
            "out must be given with several processes, which all need it: --out FOLDER."
        )
    if arguments.plot is not None:
        check_plot(arguments.plot)
        check_writable(arguments.plot)
    if arguments.resume is None:
        check_start(arguments.run)
        return
    own = PolicyFolder(arguments.resume).read_config()
    if arguments.run != own or arguments.out is not None:
        raise ConfigError(
            "A resumed run keeps its settings: none may be given again. A new run with "
            f"them and others begins with --config {arguments.resume}/config.json."
        )


def _lasting(config: PolicyRunConfig) -> PolicyRunConfig:
    """Returns the settings with paths as they are from any other folder."""
    if config.start_from is not None:
        start = Path(config.start_from).expanduser().absolute()
        config = replace(config, start_from=str(start))
    kind, _, text = config.policy.partition(":")
    path = Path(text).expanduser()
    if kind not in ("hf", "gguf") or not path.exists():
        return config
    return replace(config, policy=f"{kind}:{path.absolute()}")


def _program(arguments: Arguments) -> str | None:
    """Returns the world model to learn in; of a run, the one that it began with."""
    if arguments.resume is None or arguments.run.dream.model is None:
        return read_program(arguments.run.dream)
    return read_text(PolicyFolder(arguments.resume).world_model)


def _folder(
    arguments: Arguments, processes: Processes, program: str | None
) -> PolicyFolder:
    if arguments.resume is not None:
        return PolicyFolder(arguments.resume)
    if processes.is_first:
        folder = new_folder(arguments.run, arguments.out, program)
    processes.wait()
    if not processes.is_first:
        assert arguments.out is not None, "checked before"
        folder = PolicyFolder(arguments.out)
    return folder
