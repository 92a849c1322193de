"""The tree of candidates: what is asked next, and what an answer changes.

Nothing here waits, writes or asks: the same requests come back for the same
answers, whether they are new or read from a journal. That is why a resumed run
and a replay end in the same tree as an uninterrupted run.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from cwm.core.proposals import Completion, ProposalRequest, Task
from cwm.core.seeding import child_rng, child_seed
from cwm.programs.evaluation import Evaluation
from cwm.synthesis.candidates import Candidate, is_better
from cwm.synthesis.config import SynthesisConfig
from mcts.gif import Expansion, GifConfig, GifMcts


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request that the tree asks for, and where its answer goes.

    Attributes:
        index: Position in the run, from 0.
        expansion: The node to be made.
        request: What to ask.
        request_hash: SHA-256 of everything in the request but the task.
    """

    index: int
    expansion: Expansion
    request: ProposalRequest
    request_hash: str


class ProgramSearch:
    """GIF-MCTS over programs (https://arxiv.org/abs/2405.15383).

    Attributes:
        tree: The search tree; a node's payload is the index of its call.
        candidates: What each node's call brought, by node id.
        best: The best candidate that runs, if any.
        num_calls: Answers accepted so far.
    """

    def __init__(
        self, task: Task, *, gif: GifConfig, config: SynthesisConfig, seed: int
    ) -> None:
        self.tree = GifMcts(gif, child_rng(seed, "search"))
        self.candidates: dict[int, Candidate] = {}
        self.best: Candidate | None = None
        self.num_calls = 0
        self._task = task
        self._config = config
        self._seed = seed

    @property
    def is_perfect(self) -> bool:
        """Whether the best candidate gets every transition and test right."""
        return self.best is not None and self.best.evaluation.is_perfect

    def next_call(self) -> Call:
        """Returns what to ask next.

        Raises:
            mcts.gif.SearchExhausted: If no node can be expanded any more.
        """
        expansion = self.tree.ask()
        parent = self.candidates.get(expansion.parent_id)
        request = ProposalRequest(
            kind=expansion.kind,
            task=self._task,
            prefix=self._prefix(expansion, parent),
            parent=None if parent is None else parent.as_parent(),
            attempt=expansion.attempt,
            num_siblings=len(self.tree.tree.nodes[expansion.parent_id].children),
            call_index=self.num_calls,
            seed=child_seed(self._seed, "proposal", self.num_calls),
        )
        return Call(
            index=self.num_calls,
            expansion=expansion,
            request=request,
            request_hash=_request_hash(request, parent),
        )

    def could_be_best(self, evaluation: Evaluation) -> bool:
        """Whether validation decides if a program becomes the best candidate."""
        if evaluation.is_bug:
            return False
        return self.best is None or evaluation.score >= self.best.evaluation.score

    def would_be_best(self, call: Call, source: str, evaluation: Evaluation) -> bool:
        """Whether a program with this evaluation would become the best candidate."""
        return is_better(_candidate(call, source, evaluation, {}), self.best)

    def accept(
        self, call: Call, *, completion: Completion, source: str, evaluation: Evaluation
    ) -> Candidate:
        """Takes the answer to `call` into the tree and returns it as a candidate.

        Args:
            call: What `next_call` returned last.
            completion: The answer.
            source: The program in it; its raw text if none could be read.
            evaluation: How the program did.
        """
        candidate = _candidate(call, source, evaluation, completion.annotation)
        self.tree.tell(
            call.expansion,
            value=evaluation.score,
            is_bug=evaluation.is_bug,
            # A bug is repaired, not continued: its length ends nothing.
            is_terminal=not evaluation.is_bug
            and self._is_terminal(call.expansion, source),
            payload=call.index,
        )
        self.candidates[candidate.node_id] = candidate
        self.num_calls += 1
        if is_better(candidate, self.best):
            self.best = candidate
        return candidate

    def _prefix(self, expansion: Expansion, parent: Candidate | None) -> str:
        """First lines of the parent's program: `block_length` for each level."""
        if expansion.kind != "generate" or parent is None:
            return ""
        num_lines = self._config.block_length * expansion.parent_depth
        return "".join(parent.source.splitlines(keepends=True)[:num_lines])

    def _is_terminal(self, expansion: Expansion, source: str) -> bool:
        """Whether the program has fewer new lines than a block.

        New are the lines after the prefix that the node's parent gives, so that
        nothing would be left for a generate child to continue.
        """
        num_lines = len(source.splitlines())
        return num_lines < self._config.block_length * expansion.depth


def _candidate(
    call: Call, source: str, evaluation: Evaluation, annotation: dict[str, Any]
) -> Candidate:
    return Candidate(
        call_index=call.index,
        node_id=call.expansion.node_id,
        kind=call.request.kind,
        source=source,
        annotation=annotation,
        evaluation=evaluation,
    )


def _request_hash(request: ProposalRequest, parent: Candidate | None) -> str:
    content: dict[str, Any] = {
        "kind": request.kind,
        "prefix": request.prefix,
        "parent_call": None if parent is None else parent.call_index,
        "parent_source": None if parent is None else parent.source,
        "attempt": request.attempt,
        "num_siblings": request.num_siblings,
        "call_index": request.call_index,
        "seed": request.seed,
    }
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
