"""Answers requests for programs over integers: one bounded change each."""

import dataclasses
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from cwm.core.proposals import Completion, ProposalRequest, Task
from cwm.core.spaces import DiscreteSpec
from cwm.core.trajectories import TransitionBatch
from cwm.proposers.symbolic.discrete.description_length import num_wrong
from cwm.proposers.symbolic.discrete.draws import draws
from cwm.proposers.symbolic.discrete.families import (
    fit_most_frequent,
    fit_shift,
)
from cwm.proposers.symbolic.discrete.ladder import (
    Candidate,
    Workbench,
    refinements,
)
from cwm.proposers.symbolic.discrete.legal import (
    LegalRules,
    allowed,
    learn_legal,
)
from cwm.proposers.symbolic.discrete.legal_source import legal_source
from cwm.proposers.symbolic.discrete.model import (
    Model,
    Part,
    model_from_json,
    model_to_json,
)
from cwm.proposers.symbolic.discrete.radix import Radices, rank_decodings
from cwm.proposers.symbolic.discrete.render import render
from cwm.proposers.symbolic.discrete.rules import amend, conjunction_rules
from cwm.proposers.symbolic.discrete.table import (
    LEGAL,
    REWARD,
    TERMINATED,
    Facts,
    gather_facts,
)

MODEL_KEY = "discrete_model"
"""Key of the model in a completion's annotation."""

MAX_SOURCE_LENGTH = 60_000
"""Characters of the longest program that is proposed; a sandbox takes 64 KiB."""

MAX_TARGETS_TRIED = 3
"""Parts that one request looks at before it settles for no improvement."""

MAX_REMEMBERED = 256
"""Parts of models whose refinements are kept: different nodes often ask for them."""

_Refined: TypeAlias = tuple[Hashable, ...]
"""All of a model that its refinements depend on, and the part to refine."""


@dataclass
class DiscreteInducer:
    """Induces programs for observations and actions made of integers.

    It reads training transitions and spaces, never the environment's name or its
    description. An answer depends on the request alone; what is kept between
    requests only saves time.
    """

    _facts: tuple[TransitionBatch, Facts] | None = field(default=None, repr=False)
    _decodings: tuple[Facts, list[Radices]] | None = field(default=None, repr=False)
    _legal: tuple[TransitionBatch, LegalRules | None] | None = field(
        default=None, repr=False
    )
    _refined: tuple[Facts, dict[_Refined, list[Candidate]]] | None = field(
        default=None, repr=False
    )

    def generate(self, request: ProposalRequest) -> Completion:
        """Returns a first program: a decoding, with copies and offsets.

        At the root, attempts take the decodings worth trying in turn, the best
        first; a second turn begins with one more refinement. Below the root it is
        what improve does: nothing is gained by starting exact parts afresh.
        """
        if self._parent_model(request) is not None:
            return self.improve(request)
        facts = self._gather(request)
        ranked = self._rank(facts)
        turn, index = divmod(request.attempt, len(ranked))
        model = start_model(facts, ranked[index])
        if turn:
            return self._refine(request, model, turn - 1)
        return self._answer(request, model)

    def improve(self, request: ProposalRequest) -> Completion:
        """Returns the parent's program with one part refined by one step.

        A node's first request takes the worst part; later ones, of whatever kind,
        take the next parts, then the next best refinements of each.
        """
        model = self._parent_model(request)
        if model is None:
            return self.generate(request)
        return self._refine(request, model, request.num_siblings)

    def _refine(
        self, request: ProposalRequest, model: Model, attempt: int
    ) -> Completion:
        bench = Workbench.of(self._gather(request), model)
        ranked = rank_targets(bench)
        wrong = [target for target in ranked if bench.num_wrong(target)]
        current = bench.candidate_of(()).cost
        targets = self._most_promising_first(bench, wrong, current) or ranked
        spare: Completion | None = None
        # Where nothing is wrong, a part that gets no shorter is not worth waiting for.
        for shift in range(min(len(targets), MAX_TARGETS_TRIED if wrong else 1)):
            turn, position = divmod(attempt + shift, len(targets))
            # What also changes an earlier part is the answer to an earlier attempt.
            found = [
                candidate
                for candidate in self._refinements(bench, targets[position])
                if all(
                    candidate.model.part(target) == model.part(target)
                    for target in targets[:position]
                )
            ]
            chosen = self._first_that_fits(request, found[turn:])
            if chosen is None:
                continue
            candidate, answer = chosen
            if turn or candidate.cost < current:
                return answer
            spare = spare or answer
        return spare or self._answer(request, model)

    def _most_promising_first(
        self, bench: Workbench, targets: list[str], current: float
    ) -> list[str]:
        """Returns the parts in the order in which requests are to refine them.

        That is the given order unless none of the first gets shorter: then those
        lead that get the least longer.
        """
        tried, rest = targets[:MAX_TARGETS_TRIED], targets[MAX_TARGETS_TRIED:]
        costs: dict[str, float] = {}
        for target in tried:
            found = self._refinements(bench, target)
            costs[target] = min((c.cost for c in found), default=float("inf"))
            if costs[target] < current:
                return targets
        return [*sorted(tried, key=lambda target: costs[target]), *rest]

    def _first_that_fits(
        self, request: ProposalRequest, found: Sequence[Candidate]
    ) -> tuple[Candidate, Completion] | None:
        """Returns the best candidate whose program is not too long."""
        for candidate in found:
            answer = self._answer(request, candidate.model)
            if len(answer.text) <= MAX_SOURCE_LENGTH:
                return candidate, answer
        return None

    def fix(self, request: ProposalRequest) -> Completion:
        """Returns the parent's program with the part that raised made plain again.

        Where the failure cannot be traced to a part, all are made plain.
        """
        model = self._parent_model(request)
        if model is None:
            return self.generate(request)
        facts = self._gather(request)
        table = facts.table(model.radices)
        line = request.parent.failure_line if request.parent else None
        target = target_at_line(model, line)
        if target is None or request.attempt > 0:
            return self._answer(request, plain_model(facts, model.radices))
        bench = Workbench.of(facts, model)
        plain = bench.candidate_of((fit_most_frequent(table, target),))
        return self._answer(request, plain.model)

    def _gather(self, request: ProposalRequest) -> Facts:
        batch = request.task.train
        if self._facts is None or self._facts[0] is not batch:
            facts = gather_facts(request.task)
            rules = self._rules(request.task)
            if rules is not None:
                legal = allowed(rules, facts.observed, facts.before, facts.action[:, 0])
                facts = dataclasses.replace(facts, legal=legal)
            self._facts = (batch, facts)
        return self._facts[1]

    def _rank(self, facts: Facts) -> list[Radices]:
        if self._decodings is None or self._decodings[0] is not facts:
            self._decodings = (facts, rank_decodings(facts))
        return self._decodings[1]

    def _refinements(self, bench: Workbench, target: str) -> list[Candidate]:
        if self._refined is None or self._refined[0] is not bench.facts:
            self._refined = (bench.facts, {})
        known = self._refined[1]
        model = bench.model
        key = (model.radices, model.parts, model.moves, model.relations, target)
        found = known.get(key)
        if found is None:
            if len(known) >= MAX_REMEMBERED:
                known.clear()
            found = known[key] = refinements(bench, target)
        return found

    def _parent_model(self, request: ProposalRequest) -> Model | None:
        if request.parent is None or MODEL_KEY not in request.parent.annotation:
            return None
        return model_from_json(request.parent.annotation[MODEL_KEY])

    def _answer(self, request: ProposalRequest, model: Model) -> Completion:
        source, placed = render(
            model,
            observation_space=request.task.observation_space,
            action_space=request.task.action_space,
        )
        rules, actions = self._rules(request.task), request.task.action_space
        text = source
        if rules is not None:
            assert isinstance(actions, DiscreteSpec), "rules are about numbered actions"
            text += legal_source(rules, actions)
        return Completion(text=text, annotation={MODEL_KEY: model_to_json(placed)})

    def _rules(self, task: Task) -> LegalRules | None:
        """Returns which actions are legal when; `None` if all always are."""
        if self._legal is None or self._legal[0] is not task.train:
            self._legal = (task.train, learn_legal(task))
        return self._legal[1]


def plain_model(facts: Facts, radices: Radices) -> Model:
    """Returns the plainest model under a decoding: most frequent outcomes."""
    table = facts.table(radices)
    model = Model(
        radices=radices,
        rewards=facts.rewards,
        parts=tuple(fit_most_frequent(table, target) for target in table.targets),
    )
    return Workbench.of(facts, model).candidate_of(model.parts).model


def start_model(facts: Facts, radices: Radices) -> Model:
    """Returns the plainest model, with digits that actions move moving."""
    model = plain_model(facts, radices)
    bench = Workbench.of(facts, model)
    parts: list[Part] = []
    for target in bench.table.digits:
        if bench.num_wrong(target) and not bench.varies(target):
            actions = tuple((name,) for name in bench.table.actions)
            shifted = fit_shift(bench.table, target, by=actions)
            plain = model.part(target)
            if shifted is not None and _explains_more(bench, shifted, plain):
                parts.append(shifted)
    return with_legal_rules(bench.candidate_of(tuple(parts)).model, facts)


def with_legal_rules(model: Model, facts: Facts) -> Model:
    """Returns a model whose reward and end depend on what is legal, if that is shorter.

    Where many digits are wrong, requests come to reward and end last, and a planner
    would have nothing to plan for until then.
    """
    if facts.legal is None:
        return model
    bench = Workbench.of(facts, model)
    parts = []
    for target in (TERMINATED, REWARD):
        plain = model.part(target)
        features = (*bench.table.actions, LEGAL)
        if not bench.num_wrong(target) or bench.varies(target):
            continue
        part = amend(bench.table, plain, features, (conjunction_rules,))
        if part.rules:
            parts.append(msgspec.structs.replace(part, family="rules"))
    return bench.candidate_of(tuple(parts)).model


def _explains_more(bench: Workbench, shifted: Part, plain: Part) -> bool:
    """Returns whether an offset explains at least half of what a copy does not."""
    return 2 * num_wrong(shifted, bench.table) <= num_wrong(plain, bench.table)


def rank_targets(bench: Workbench) -> list[str]:
    """Returns the parts in the order in which they are worth refining.

    Digits that are wrong come first, the most wrong leading: the rules for reward
    and `terminated` can then use them. Parts that draw already follow, then parts
    without errors; refining one can still make it shorter.
    """
    table = bench.table
    wrong = {target: bench.num_wrong(target) for target in table.targets}

    def key(target: str) -> tuple[bool, bool, bool, int, int]:
        return (
            wrong[target] == 0,
            draws(bench.model.part(target)),
            target not in table.digits,
            -wrong[target],
            table.targets.index(target),
        )

    return sorted(wrong, key=key)


def target_at_line(model: Model, line: int | None) -> str | None:
    """Returns the target whose code holds a line of the source, if one does."""
    for target, (first, last) in model.lines.items():
        if line is not None and first <= line <= last:
            return target.removeprefix("moved:")
    return None
