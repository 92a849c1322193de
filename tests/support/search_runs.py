"""Runs of the search on the corridor, as the tests of journal and resume need them."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from cwm.assessing import Assessors
from cwm.core.journal import Journal, comparable, read_journal
from cwm.core.seeding import child_rng
from cwm.execution.budget import Limits
from cwm.execution.progress import SilentProgress
from cwm.synthesis.candidates import Candidate
from cwm.synthesis.config import SynthesisConfig
from cwm.synthesis.loop import SynthesisLoop
from cwm.synthesis.results import SynthesisResult
from cwm.synthesis.search import ProgramSearch
from mcts.gif import GifConfig, GifMcts
from tests.support.corridor import WalkingProposer, corridor_dataset, corridor_task
from tests.support.in_process import InProcessEvaluator

SEED = 3


@dataclass
class Run:
    """One run and all that can be asked about it afterwards."""

    path: Path
    result: SynthesisResult
    search: ProgramSearch
    proposer: WalkingProposer
    evaluator: InProcessEvaluator
    bests: list[Candidate] = field(default_factory=list)

    @property
    def tree(self) -> str:
        """The whole tree as text; equal means bit for bit equal."""
        return json.dumps(self.search.tree.to_json(), sort_keys=True)

    @property
    def records(self) -> list[tuple[int, str, dict]]:
        """The journal without its times."""
        return comparable(read_journal(self.path).records)


def new_search(seed: int = SEED) -> ProgramSearch:
    """Returns a search on the corridor without any call."""
    return ProgramSearch(
        corridor_task(),
        tree=GifMcts(GifConfig(), child_rng(seed, "search")),
        config=SynthesisConfig(),
        seed=seed,
    )


def run_search(
    path: Path,
    *,
    proposer: WalkingProposer | None = None,
    call_budget: int = 12,
    concurrency: int = 1,
    token_budget: int | None = None,
    max_stalled_calls: int = 0,
    seed: int = SEED,
    journal_class: type[Journal] = Journal,
    assessors: Assessors | None = None,
) -> Run:
    """Runs, or resumes, a search with the journal at `path`.

    Programs are evaluated in this process, or as `assessors` have them evaluated.
    """
    dataset = corridor_dataset()
    proposer = WalkingProposer(patience=8) if proposer is None else proposer
    evaluator = InProcessEvaluator(corridor_task(dataset), dataset.batch("validation"))
    search = new_search(seed)
    bests: list[Candidate] = []
    with journal_class(path) as journal:
        result = SynthesisLoop(
            search=search,
            proposer=proposer,
            evaluator=assessors or evaluator,
            ahead=assessors.begin if assessors else None,
            journal=journal,
            limits=Limits(calls=call_budget, tokens=token_budget),
            concurrency=concurrency,
            max_stalled_calls=max_stalled_calls,
            progress=SilentProgress(),
            on_best=bests.append,
        ).run()
    return Run(path, result, search, proposer, evaluator, bests)
