"""The tree of candidates: what is asked next, and what an answer changes.

Nothing here waits, writes or asks: the same requests come back for the same
answers in the same order, whether they are new or read from a journal. That is why
a resumed run and a replay end in the same tree as an uninterrupted run.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cwm.core.proposals import Completion, Kind, ProposalRequest, Task
from cwm.core.seeding import child_seed
from cwm.programs.evaluation import Evaluation
from cwm.synthesis.candidates import (
    Candidate,
    Rank,
    beats,
    could_beat,
    is_better,
)
from cwm.synthesis.config import SynthesisConfig
from cwm.synthesis.models import ModelChoice
from mcts.search import Expansion, TreeSearch

_MAX_SIBLINGS = 20
"""Earlier answers at a node that a request may tell of, at most."""


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
    """A tree search over programs; several calls may be outstanding.

    Attributes:
        tree: The search; a node's payload is the index of its call.
        models: Which model is asked, and how each did.
        candidates: What each node's call brought, by node id.
        best: The best candidate that runs, if any.
        num_asked: Calls that were asked for.
        num_calls: Answers accepted so far.
        num_since_gain: Answers accepted since one scored better than all before it;
            one that is the best for being shorter did not.
        num_by_kind: Answers accepted, by what was asked for.
        max_depth: Depth of the deepest node.
        digest: SHA-256 over all that was accepted and what the tree made of it.
    """

    def __init__(
        self,
        task: Task,
        *,
        tree: TreeSearch,
        config: SynthesisConfig,
        seed: int,
        num_models: int = 1,
    ) -> None:
        self.tree = tree
        self.models = ModelChoice(num_models, seed=seed)
        self.candidates: dict[int, Candidate] = {}
        self.best: Candidate | None = None
        self.num_asked = 0
        self.num_calls = 0
        self.num_since_gain = 0
        self.num_by_kind: Counter[Kind] = Counter()
        self.max_depth = 0
        self.digest = ""
        self._task = task
        self._config = config
        self._seed = seed

    @property
    def is_perfect(self) -> bool:
        """Whether the best candidate gets every transition and test right."""
        return self.best is not None and self.best.evaluation.is_perfect

    @property
    def best_rank(self) -> Rank | None:
        """Where the best candidate stands; it only gets better."""
        return None if self.best is None else self.best.rank

    def next_call(self) -> Call | None:
        """Returns what to ask next; `None` while that hangs on outstanding calls.

        Raises:
            mcts.search.SearchExhausted: If no node can be expanded any more.
        """
        expansion = self.tree.ask()
        if expansion is None:
            return None
        parent = self.candidates.get(expansion.parent_id)
        siblings = self._siblings(expansion)
        index = self.num_asked
        request = ProposalRequest(
            kind=expansion.kind,
            task=self._task,
            prefix=self._prefix(expansion, parent),
            parent=None if parent is None else parent.as_parent(),
            attempt=expansion.attempt,
            num_siblings=expansion.num_siblings,
            num_unchanged=self._num_unchanged(expansion, siblings),
            earlier=tuple(sibling.summary() for sibling in siblings),
            call_index=index,
            model=self.models.choose(index),
            seed=child_seed(self._seed, "proposal", index),
        )
        self.num_asked += 1
        return Call(
            index=index,
            expansion=expansion,
            request=request,
            request_hash=_request_hash(request, parent),
        )

    def could_be_best(self, evaluation: Evaluation) -> bool:
        """Whether validation decides if a program becomes the best candidate."""
        return could_beat(evaluation, self.best_rank)

    def would_be_best(self, source: str, evaluation: Evaluation) -> bool:
        """Whether a program with this evaluation would become the best candidate."""
        return beats(source, evaluation, self.best_rank)

    def accept(
        self, call: Call, *, completion: Completion, source: str, evaluation: Evaluation
    ) -> Candidate:
        """Takes the answer to `call` into the tree and returns it as a candidate.

        Args:
            call: One that `next_call` returned, and that has no answer yet.
            completion: The answer.
            source: The program in it; its raw text if none could be read.
            evaluation: How the program did.
        """
        node = self.tree.tell(
            call.expansion,
            value=evaluation.score,
            is_bug=evaluation.is_bug,
            # A bug is repaired, not continued: its length ends nothing.
            is_terminal=not evaluation.is_bug
            and self._is_terminal(call.expansion, source),
            payload=call.index,
        )
        candidate = _candidate(
            call, source, evaluation, completion, node_id=node.node_id
        )
        parent = self.candidates.get(call.expansion.parent_id)
        self.models.learn(call.index, is_better=_is_progress(candidate, parent))
        self.candidates[node.node_id] = candidate
        self.num_calls += 1
        self.num_since_gain += 1
        self.num_by_kind[candidate.kind] += 1
        self.max_depth = max(self.max_depth, node.depth)
        if is_better(candidate, self.best):
            if self.best is None or candidate.measured > self.best.measured:
                self.num_since_gain = 0
            self.best = candidate
        self.digest = self._next_digest(call, candidate)
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
        if not self.tree.generates_below_root:
            return False
        num_lines = len(source.splitlines())
        return num_lines < self._config.block_length * expansion.depth

    def _siblings(self, expansion: Expansion) -> list[Candidate]:
        """Returns the last answers to such a request at the same node."""
        if expansion.kind == "generate":
            return []
        children = self.tree.tree.nodes[expansion.parent_id].children
        found = [self.candidates[child] for child in children[-_MAX_SIBLINGS:]]
        return [candidate for candidate in found if candidate.kind == expansion.kind]

    def _num_unchanged(
        self, expansion: Expansion, siblings: Sequence[Candidate]
    ) -> int:
        """How many answers were the program that they were to change once more.

        Those to such a request at the same node, and those that led to the node.
        """
        parent = self.candidates.get(expansion.parent_id)
        if parent is None or expansion.kind == "generate":
            return 0
        same = parent.program_hash
        if same is None:
            return 0
        count = sum(sibling.program_hash == same for sibling in siblings)
        for node in self.tree.tree.ancestors(self.tree.tree.nodes[expansion.parent_id]):
            above = self.candidates.get(node.node_id)
            if above is None or above.program_hash != same:
                break
            count += 1
        return count

    def _next_digest(self, call: Call, candidate: Candidate) -> str:
        """Returns the digest after a candidate: of its node, its parent and the root.

        What the tree draws, learns and changes besides shows in the calls that follow;
        the whole tree at the end is in a file of its own.
        """
        nodes = self.tree.tree.nodes
        node = nodes[candidate.node_id]
        content = {
            "before": self.digest,
            "call": call.request_hash,
            "source": candidate.source,
            "node": asdict(node),
            "above": [
                (one.node_id, one.visit_count, one.value_sum, one.is_bug)
                for one in (nodes[call.expansion.parent_id], nodes[0])
            ],
        }
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _is_progress(candidate: Candidate, parent: Candidate | None) -> bool:
    """Whether an answer is better than what it started from."""
    if candidate.evaluation.is_bug:
        return False
    before = 0.0 if parent is None else parent.evaluation.score
    return parent is None or candidate.evaluation.score > before


def _candidate(
    call: Call,
    source: str,
    evaluation: Evaluation,
    completion: Completion,
    *,
    node_id: int,
) -> Candidate:
    return Candidate(
        call_index=call.index,
        node_id=node_id,
        kind=call.request.kind,
        model=call.request.model,
        source=source,
        annotation=completion.annotation,
        usage=completion.usage,
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
        "num_unchanged": request.num_unchanged,
        "earlier": request.earlier,
        "call_index": request.call_index,
        "seed": request.seed,
        "model": request.model,
    }
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
