"""`python -m cwm.induce`: rules of a world, found in words."""

import json
import sys
from collections.abc import Sequence
from contextlib import closing, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from cwm.arguments import option, parse, starting_settings
from cwm.cli import EXIT_DONE, run_command
from cwm.core.dataset_file import check_writable
from cwm.core.errors import ConfigError, CwmError
from cwm.execution.options import shown_as
from cwm.finetuning import finetune_run
from cwm.induction import (
    RUN_PRESETS,
    EvaluationConfig,
    InductionFolder,
    InductionRunConfig,
    induce,
    make_cast,
    new_folder,
)
from cwm.providers.hypotheses.finetuning.config import FinetuningConfig
from cwm.report.hypothesis_plots import write_induction_plot
from cwm.report.live import make_progress
from cwm.report.plots import check_plot

DESCRIPTION = """\
Finds rules of a world in words, as in WorldLLM: hypothesis induction.

In every phase an experimenter acts, and chains of hypotheses make Metropolis steps: a
language model (the scientist) proposes rules from what happened, and a language model
(the statistician) says how probable what happened is if they are believed. At the end
the best rules are scored on the published test set, beside no rules and the same words
in random order. Without --llm, stand-ins that are no language models take both roles.

  python -m cwm.induce --env playground
  python -m cwm.induce --env playground --llm gguf:model.gguf --experimenter curious
  python -m cwm.induce --preset play_metropolis_cp --phases 20 --llm hf:FOLDER
  python -m cwm.induce --resume runs/2026-01-31-playground-hypotheses-1

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line says.

    Attributes:
        run: The settings of the run.
        preset: Named settings to start from: reference has the published numbers, and
            the names with an underscore are those of the published configuration
            files. A config file and the other options override them.
        config: JSON file of settings, such as the config.json of another run; the
            other options override it.
        out: Folder of the run; a new one in ./runs if not given.
        resume: Folder of a run to continue; it ends as if it had never stopped. No
            setting may be given again.
        finetune: Folder of a run that is done, whose statistician is a model on this
            machine: no new run, but that model trained on what was collected there
            (LoRA), scored beside the run's hypotheses.
        finetuning: How it is trained; the defaults are the published ones.
        plot: File (.png) for a picture of the run; needs the extra [plot].
        json: Print the result as JSON.
        quiet: Show no progress.
    """

    run: Annotated[InductionRunConfig, tyro.conf.arg(name="")] = field(
        default_factory=InductionRunConfig
    )
    preset: Annotated[str, shown_as("NAME")] = "default"
    config: Annotated[Path | None, shown_as("FILE")] = None
    out: Annotated[Path | None, shown_as("FOLDER")] = None
    resume: Annotated[Path | None, shown_as("RUN")] = None
    finetune: Annotated[Path | None, shown_as("RUN")] = None
    finetuning: FinetuningConfig = field(default_factory=FinetuningConfig)
    plot: Annotated[Path | None, shown_as("FILE")] = None
    json: bool = False
    quiet: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _run(_parse(words)))


def _run(arguments: Arguments) -> int:
    return run(arguments) if arguments.finetune is None else tune(arguments)


def _parse(words: list[str]) -> Arguments:
    default = Arguments(run=_base(words))
    arguments = parse(
        Arguments, words, command="induce", text=DESCRIPTION, default=default
    )
    if option(words, "--first") is None:
        return arguments
    # A repeated option adds to what the settings held before.
    induction = arguments.run.induction
    given = induction.first[len(default.run.induction.first) :]
    return replace(
        arguments,
        run=replace(arguments.run, induction=replace(induction, first=given)),
    )


def _base(words: Sequence[str]) -> InductionRunConfig:
    """Returns the settings that the command line starts from."""
    return starting_settings(
        words, RUN_PRESETS, lambda path: InductionFolder(path).read_config()
    )


def run(arguments: Arguments) -> int:
    """Makes or continues a run, shows it, and returns the exit code.

    Raises:
        CwmError: If a setting is wrong, or the run failed; it can be continued if it
            has begun.
    """
    if arguments.finetuning != FinetuningConfig():
        raise ConfigError("finetuning needs finetune: name a run with --finetune RUN.")
    if arguments.plot is not None:
        # Before the work, not after it.
        check_plot(arguments.plot)
        check_writable(arguments.plot)
    cast = make_cast(arguments.run)
    with (
        closing(make_progress(sys.stderr, quiet=arguments.quiet)) as progress,
        redirect_stdout(sys.stderr),  # Libraries print; the result stands alone.
    ):
        folder = _folder(arguments)
        try:
            report = induce(cast, folder, progress)
        except (KeyboardInterrupt, CwmError):
            progress.close()
            if folder.journal.exists():
                sys.stderr.write(
                    f"{folder.path} keeps what was done. Continue with: "
                    f"python -m cwm.induce --resume {folder.path}\n"
                )
            raise
    if arguments.plot is not None:
        report = replace(report, files=(*report.files, f"picture: {arguments.plot}"))
    if arguments.json:
        sys.stdout.write(json.dumps(report.to_json(), indent=2) + "\n")
    else:
        report.show(sys.stdout)
    if arguments.plot is not None:
        # Last: whoever ends it has the result.
        write_induction_plot(report, arguments.plot)
    return EXIT_DONE


def tune(arguments: Arguments) -> int:
    """Trains a run's model, shows what it is worth, and returns the exit code.

    Raises:
        CwmError: If a setting is wrong, or the training failed.
    """
    assert arguments.finetune is not None, "asked only then"
    config = arguments.run
    bare = replace(InductionRunConfig(), evaluation=config.evaluation)
    others = (arguments.resume, arguments.out, arguments.plot)
    asks_more = config.evaluation != replace(
        EvaluationConfig(), evaluate=config.evaluation.evaluate
    )
    if config != bare or asks_more or any(others):
        raise ConfigError(
            "finetune takes everything but finetuning and evaluate from the run that "
            "it names; no other setting may be given."
        )
    with (
        closing(make_progress(sys.stderr, quiet=arguments.quiet)) as progress,
        redirect_stdout(sys.stderr),  # Libraries print; the result stands alone.
    ):
        report = finetune_run(
            InductionFolder(arguments.finetune),
            arguments.finetuning,
            evaluate=config.evaluation.evaluate,
            progress=progress,
        )
    if arguments.json:
        sys.stdout.write(json.dumps(report.to_json(), indent=2) + "\n")
    else:
        report.show(sys.stdout)
    return EXIT_DONE


def _folder(arguments: Arguments) -> InductionFolder:
    if arguments.resume is None:
        return new_folder(arguments.run, arguments.out)
    folder = InductionFolder(arguments.resume)
    if arguments.run != folder.read_config() or arguments.out is not None:
        raise ConfigError(
            "A resumed run keeps its settings: none may be given again. A new run "
            "begins from other hypotheses with --first."
        )
    return folder


if __name__ == "__main__":
    sys.exit(main())
