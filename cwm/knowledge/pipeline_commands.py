"""The steps of a pipeline as commands, one by one or all at once."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from cwm.arguments import option, parse, separated, starting_settings
from cwm.cli import EXIT_DONE
from cwm.core.errors import ConfigError, CwmError
from cwm.execution.locks import only_one
from cwm.execution.options import shown_as
from cwm.knowledge_pipeline.evaluation import evaluate
from cwm.knowledge_pipeline.games import TEST_SPLITS
from cwm.knowledge_pipeline.players import check_players
from cwm.knowledge_pipeline.runs import (
    PRESETS,
    KnowledgeFolder,
    KnowledgeRunConfig,
    new_folder,
)
from cwm.knowledge_pipeline.steps import Pipeline
from cwm.report.knowledge import KnowledgeReport
from cwm.report.live import make_progress
from envs.text_games.base import Split

SPLITS: tuple[Split, ...] = ("train", *TEST_SPLITS)

LOCK = ".lock"
"""File of a run's folder that a process holds while it works."""

DESCRIPTION = """\
World knowledge models, as in WKM: what makes a task succeed (task knowledge) and where
an episode stands (state knowledge) are written from experts' episodes and the agent's
own, a model learns to say them, and they guide the agent's next action in text games.

  python -m cwm.knowledge all --env twc
  python -m cwm.knowledge all --env household --seeds 0,1 --encoder minilm
  python -m cwm.knowledge all --agent-llm gguf:model.gguf --train-games 50
  python -m cwm.knowledge all --resume runs/2026-01-31-twc-knowledge-1

experts, explore, task-knowledge, state-knowledge, train-data, train, build-base and
evaluate each go as far as their name says, and begin or go on with a run likewise.

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line says.

    Attributes:
        run: The settings of the run.
        preset: Named settings to start from: wkm-2024 has the paper's. A config file
            and the other options override them.
        config: JSON file of settings, such as the config.json of another run; the
            other options override it.
        out: Folder of the run; a new one in ./runs if not given.
        resume: Folder of a run to continue; what it has is not made again. No
            setting may be given again.
        json: Print the result as JSON.
        quiet: Show no progress.
    """

    run: Annotated[KnowledgeRunConfig, tyro.conf.arg(name="")] = field(
        default_factory=KnowledgeRunConfig
    )
    preset: Annotated[str, shown_as(f"{{{','.join(PRESETS)}}}")] = "default"
    config: Annotated[Path | None, shown_as("FILE")] = None
    out: Annotated[Path | None, shown_as("FOLDER")] = None
    resume: Annotated[Path | None, shown_as("RUN")] = None
    json: bool = False
    quiet: bool = False


def _every_seed(step: Callable[[Pipeline, int], object]) -> Callable[[Pipeline], None]:
    def run(pipeline: Pipeline) -> None:
        for seed in pipeline.config.seeds:
            step(pipeline, seed)

    return run


STEPS: Mapping[str, Callable[[Pipeline], object]] = {
    "experts": Pipeline.experts,
    "explore": _every_seed(Pipeline.explore),
    "task-knowledge": _every_seed(Pipeline.task_knowledge),
    "state-knowledge": _every_seed(Pipeline.state_knowledge),
    "train-data": _every_seed(Pipeline.training_data),
    "train": _every_seed(Pipeline.train),
    "build-base": _every_seed(Pipeline.build_base),
    "evaluate": evaluate,
    "all": evaluate,
}
"""What each command does, with all that it needs."""


def run_step(name: str, words: list[str]) -> int:
    """Makes or continues a run up to a step, shows it, and returns the exit code.

    Raises:
        CwmError: If a setting is wrong, or a step failed; the run can be gone on with.
    """
    arguments = _parse(name, words)
    check_players(arguments.run)
    with (
        closing(make_progress(sys.stderr, quiet=arguments.quiet)) as progress,
        redirect_stdout(sys.stderr),  # Libraries print; the result stands alone.
        ExitStack() as stack,
    ):
        # Before the folder: a run that cannot begin leaves none.
        for split in SPLITS if name in ("evaluate", "all") else SPLITS[:1]:
            with arguments.run.games.open(split):
                pass
        arguments.run.writing.prompts_for(arguments.run.games.id)
        folder = _folder(arguments)
        lock = folder.path / LOCK
        stack.enter_context(only_one(lock, name=f"The run {str(folder.path)!r}"))
        try:
            found = STEPS[name](Pipeline(arguments.run, folder, progress))
        except (KeyboardInterrupt, CwmError):
            progress.close()
            sys.stderr.write(
                f"{folder.path} keeps what was done. Continue with: python -m "
                f"cwm.knowledge {name} --resume {folder.path}\n"
            )
            raise
    if isinstance(found, KnowledgeReport):
        if arguments.json:
            sys.stdout.write(json.dumps(found.to_json(), indent=2) + "\n")
        else:
            found.show(sys.stdout)
    elif arguments.json:
        sys.stdout.write(json.dumps({"run": str(folder.path)}) + "\n")
    else:
        sys.stdout.write(f"run: {folder.path}\n")
    return EXIT_DONE


def _parse(name: str, words: list[str]) -> Arguments:
    words = separated(words, ("--rows", "--seeds"))
    default = Arguments(run=_base(words))
    arguments = parse(
        Arguments, words, command=f"knowledge {name}", text=DESCRIPTION, default=default
    )
    return replace(arguments, run=_lists(arguments.run, default.run, words))


def _lists(
    config: KnowledgeRunConfig, base: KnowledgeRunConfig, words: Sequence[str]
) -> KnowledgeRunConfig:
    """Returns the settings with lists in the place of those that they started from.

    A repeated option adds to what the settings held before.
    """
    if option(words, "--rows") is not None:
        config = replace(config, rows=config.rows[len(base.rows) :] or config.rows)
    if option(words, "--seeds") is not None:
        config = replace(config, seeds=config.seeds[len(base.seeds) :] or config.seeds)
    return config


def _base(words: Sequence[str]) -> KnowledgeRunConfig:
    """Returns the settings that the command line starts from."""
    return starting_settings(
        words, PRESETS, lambda path: KnowledgeFolder(path).read_config()
    )


def _folder(arguments: Arguments) -> KnowledgeFolder:
    if arguments.resume is None:
        return new_folder(arguments.run, arguments.out)
    folder = KnowledgeFolder(arguments.resume)
    if arguments.run != folder.read_config() or arguments.out is not None:
        raise ConfigError(
            "A resumed run keeps its settings: none may be given again. A new run with "
            f"them and others begins with --config {arguments.resume}/config.json."
        )
    return folder
