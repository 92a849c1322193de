"""`python -m cwm.benchmark search`: searches beside each other at equal budget."""

import json
import sys
from contextlib import closing, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from cwm.arguments import base_config, own_models, parse
from cwm.benchmark.comparison import Comparison
from cwm.benchmark.words import listed, searches_in, seeds_in
from cwm.cli import EXIT_DONE
from cwm.config import PRESETS, RunConfig
from cwm.execution.options import shown_as
from cwm.report.live import make_progress
from mcts.registry import SEARCH_NAMES

SEARCH_DESCRIPTION = """\
Compares searches at an equal number of calls, on the same transitions.

Each run has a folder of its own under --out, like those of cwm.synthesize; started
again, the command takes finished runs as they are and continues the others.

  python -m cwm.benchmark search --env CartPole-v1 --llm openai:MODEL --call-budget 10
  python -m cwm.benchmark search --env CartPole-v1,Taxi-v4 --seeds 0,1,2 \\
      --searches gif-mcts,best-of-n --llm openai:MODEL

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""


@dataclass(frozen=True, kw_only=True)
class SearchArguments:
    """What the command line of `search` says.

    Attributes:
        run: The settings of all runs; --env may name several environments with
            commas between them; --search and --seed are not used.
        searches: Searches to compare, with commas between them.
        seeds: Seeds, with commas between them; each is one run of each search.
        preset: Named settings to start from, as in cwm.synthesize. A config file and
            the other options override them.
        config: JSON file of settings, such as the config.json of another run; the
            other options override it.
        out: Folder of the runs.
        json: Print the result as JSON.
        quiet: Show no progress.
    """

    run: Annotated[RunConfig, tyro.conf.arg(name="")] = field(default_factory=RunConfig)
    searches: Annotated[str, shown_as("NAME,NAME,...")] = ",".join(SEARCH_NAMES)
    seeds: Annotated[str, shown_as("INT,INT,...")] = "0"
    preset: Annotated[str, shown_as(f"{{{','.join(PRESETS)}}}")] = "default"
    config: Annotated[Path | None, shown_as("FILE")] = None
    out: Annotated[Path, shown_as("FOLDER")] = Path("runs/search-comparison")
    json: bool = False
    quiet: bool = False


def compare_searches(words: list[str]) -> int:
    """Compares searches, shows the table and returns the exit code.

    Raises:
        CwmError: If a run failed; started again, the command goes on from there.
    """
    default = SearchArguments(run=base_config(words))
    arguments = parse(
        SearchArguments,
        words,
        command="benchmark search",
        text=SEARCH_DESCRIPTION,
        default=default,
    )
    comparison = Comparison(
        environments=listed(arguments.run.source.env or "", "--env"),
        searches=searches_in(arguments.searches),
        seeds=seeds_in(arguments.seeds),
        config=own_models(arguments.run, default.run, words),
        folder=arguments.out,
    )
    with (
        closing(make_progress(sys.stderr, quiet=arguments.quiet)) as progress,
        redirect_stdout(sys.stderr),
    ):
        report = comparison.run(progress)
    if arguments.json:
        sys.stdout.write(json.dumps(report.to_json(), indent=2) + "\n")
    else:
        report.show(sys.stdout)
    return EXIT_DONE
