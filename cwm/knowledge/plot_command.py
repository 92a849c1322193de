"""`python -m cwm.knowledge plot`: a run's table as a picture."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from cwm.arguments import parse
from cwm.cli import EXIT_DONE
from cwm.core.dataset_file import check_writable
from cwm.core.errors import ConfigError, DataError
from cwm.execution.options import shown_as
from cwm.knowledge_pipeline.runs import KnowledgeFolder
from cwm.report.knowledge_plots import write_knowledge_plot
from cwm.report.picture_packages import FOR_PLOT, require_packages

DESCRIPTION = """\
Draws what a run's players reached: mean scores, and differences to the row none game by
game, with intervals. Needs the extra [plot].

  python -m cwm.knowledge plot runs/2026-01-31-twc-knowledge-1 --out scores.png

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line says.

    Attributes:
        run: Folder of a run that has been evaluated.
        out: File (.png) for the picture.
    """

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    out: Annotated[Path, shown_as("FILE")]


def plot(words: list[str]) -> int:
    """Draws the picture and returns the exit code.

    Raises:
        CwmError: If the run or the file is none, or a package is missing.
    """
    arguments = parse(Arguments, words, command="knowledge plot", text=DESCRIPTION)
    if arguments.out.suffix.lower() != ".png":
        raise ConfigError(f"out must end in .png, got {str(arguments.out)!r}.")
    require_packages(FOR_PLOT, option="cwm.knowledge plot")
    check_writable(arguments.out)
    folder = KnowledgeFolder(arguments.run)
    folder.read_config()
    if not folder.result.exists():
        raise DataError(
            f"{str(arguments.run)!r} has not been evaluated. Run: python -m "
            f"cwm.knowledge all --resume {arguments.run}"
        )
    write_knowledge_plot(folder.read_json(folder.result), arguments.out)
    sys.stdout.write(f"picture: {arguments.out}\n")
    return EXIT_DONE
