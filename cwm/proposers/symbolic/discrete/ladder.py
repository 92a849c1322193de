"""The ladder that one part climbs, from simple to complex, and what it may read."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from cwm.proposers.symbolic.discrete.description_length import (
    description_length,
    listed_length,
    num_wrong,
    relation_bits,
    shared_bits,
)
from cwm.proposers.symbolic.discrete.draws import (
    draws,
    fit_draw_table,
    fit_draw_tree,
    mean_probability,
    varying_length,
)
from cwm.proposers.symbolic.discrete.evaluate import with_derived, with_relation
from cwm.proposers.symbolic.discrete.families import (
    fit_most_frequent,
    fit_shift,
    pairs_with_action,
)
from cwm.proposers.symbolic.discrete.joint import amend_together
from cwm.proposers.symbolic.discrete.lookups import fit_lookup
from cwm.proposers.symbolic.discrete.model import (
    Feature,
    Model,
    Part,
    Relation,
    features_of_part,
)
from cwm.proposers.symbolic.discrete.relations import find_relations
from cwm.proposers.symbolic.discrete.render import needs
from cwm.proposers.symbolic.discrete.rules import (
    Amendment,
    Learner,
    amend,
    conjunction_rules,
    set_rules,
    table_rules,
)
from cwm.proposers.symbolic.discrete.table import (
    LEGAL,
    REWARD,
    TERMINATED,
    Facts,
    Table,
)
from cwm.proposers.symbolic.discrete.trees import fit_tree

MAX_FEATURES = 16
"""Most features that a part's rules may choose from."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A way to refine a part of a model.

    Attributes:
        model: The refined model.
        cost: Description length of its parts and of relations that it brings.
    """

    model: Model
    cost: float


@dataclass(frozen=True, kw_only=True)
class Workbench:
    """A model with the table in which its derived features are columns.

    Attributes:
        facts: The transitions.
        model: The model.
        table: Facts, digits, shifted digits and relations.
    """

    facts: Facts
    model: Model
    table: Table

    @classmethod
    def of(cls, facts: Facts, model: Model) -> "Workbench":
        """Returns the workbench of a model."""
        table = with_derived(facts.table(model.radices), model)
        return cls(facts=facts, model=model, table=table)

    def num_wrong(self, target: str) -> int:
        """Returns how many distinct transitions a part gets wrong."""
        return num_wrong(self.model.part(target), self.table)

    def features(self, target: str) -> tuple[str, ...]:
        """Returns what the rules of a part may depend on."""
        table = self.table
        moved = [name for name in table.columns if name.startswith("moved:")]
        labels = [name for name in table.columns if name.startswith("rel:")]
        known = [d for d in table.digits if self._is_known(d, target)]
        following = [f"next:{digit}" for digit in known]
        if not self.facts.is_deterministic:
            following += [f"step:{digit}" for digit in known if table.size(digit) > 3]
        more = [TERMINATED] if target == REWARD else []
        ruled = [LEGAL] if LEGAL in table.columns else []
        inputs = (*table.actions, *ruled, *table.digits)
        names = (*inputs, *moved, *labels, *following, *more)
        return self._useful(names)

    def _is_known(self, digit: str, target: str) -> bool:
        """Returns whether a part may use what another digit becomes.

        That digit's part must not need this one, and must not be a mere guess.
        """
        if digit == target or target in self._reads(digit):
            return False
        part = self.model.part(digit)
        return part.family != "most frequent" or self.num_wrong(digit) == 0

    def varies(self, target: str) -> bool:
        """Returns whether a part's outcome differs where all it may read is equal."""
        if self.facts.is_deterministic:
            return False
        features = self.features(target)
        rows = [self.table.columns[name] for name in features]
        rows.append(self.table.truth(target))
        together = np.unique(np.column_stack(rows), axis=0)
        return len(together) > len(np.unique(together[:, :-1], axis=0))

    def _reads(self, target: str) -> set[str]:
        """Returns the targets that a part needs, directly or through others."""
        found: set[str] = set()
        waiting = [target]
        while waiting:
            for name in needs(self.model.part(waiting.pop())) - found:
                found.add(name)
                waiting.append(name)
        return found

    def _useful(self, names: Sequence[str]) -> tuple[str, ...]:
        """Drops constant columns and columns that repeat an earlier one."""
        kept: list[str] = []
        seen: set[bytes] = set()
        for name in names:
            column = self.table.columns[name]
            key = column.tobytes()
            if key not in seen and (column != column[0]).any():
                seen.add(key)
                kept.append(name)
        return tuple(kept[:MAX_FEATURES])

    def candidate(
        self, part: Part, table: Table | None = None, relation: Relation | None = None
    ) -> Candidate:
        """Returns the model with a part (and a relation, if the part uses it)."""
        name = f"rel:{len(self.model.relations)}"
        if relation is None or name not in features_of_part(part):
            return self.candidate_of((part,), table)
        found = self.candidate_of((part,), table, (*self.model.relations, relation))
        bits = relation_bits(relation, table or self.table)
        return dataclasses.replace(found, cost=found.cost + bits)

    def candidate_of(
        self,
        parts: tuple[Part, ...],
        table: Table | None = None,
        relations: tuple[Relation, ...] | None = None,
    ) -> Candidate:
        """Returns the model with some parts replaced, and its description length."""
        table = table or self.table
        model = self.model
        for part in parts:
            exact = msgspec.structs.replace(part, accuracy=_accuracy(part, table))
            model = model.with_part(exact, relations)
        cost = sum(_length(part, table) for part in model.parts)
        return Candidate(model=model, cost=cost - shared_bits(model.parts, table))


def _length(part: Part, table: Table) -> float:
    measure = varying_length if draws(part) else description_length
    return measure(part, table)


def _accuracy(part: Part, table: Table) -> float:
    if draws(part):
        return mean_probability(part, table)
    return 1.0 - num_wrong(part, table) / len(table)


Step = Callable[[Workbench, str], list[Candidate]]


def offsets(bench: Workbench, target: str) -> list[Candidate]:
    """Returns the part as a digit plus an offset."""
    part = fit_shift(bench.table, target)
    return [] if part is None else [bench.candidate(part)]


def tables(bench: Workbench, target: str) -> list[Candidate]:
    """Returns all wrong digits that neither stay nor move as tables by few inputs.

    They change together: a code is wrong as long as one of its digits is, and no
    score would tell which of them had become right.
    """
    digits = [digit for digit in bench.table.digits if bench.num_wrong(digit)]
    if target not in digits or bench.varies(target):
        return []
    own = fit_lookup(bench.table, target)
    if own is None:
        return []
    others = [fit_lookup(bench.table, digit) for digit in digits if digit != target]
    together = (own, *(part for part in others if part is not None))
    return [bench.candidate_of(parts) for parts in dict.fromkeys((together, (own,)))]


def rule_lists(bench: Workbench, target: str) -> list[Candidate]:
    """Returns the part's base with rules, learned in several styles."""
    table, features = bench.table, bench.features(target)
    base = msgspec.structs.replace(bench.model.part(target), rules=(), family="rules")
    others = (
        fit_most_frequent(table, target),
        fit_shift(table, target, by=(*((a,) for a in table.actions),)),
        fit_shift(table, target, by=pairs_with_action(table)),
    )
    bases = [base]
    for part in others:
        if part is not None and all(part.base != known.base for known in bases):
            bases.append(msgspec.structs.replace(part, family="rules"))
    found: list[Candidate] = []
    styles = _with_memory(_STYLES)
    for start in bases:
        for learners in styles:
            found.append(bench.candidate(amend(table, start, features, learners)))
        for relation in find_relations(table, start, features):
            if any(name.startswith("next:") for name in relation.features):
                continue
            index = len(bench.model.relations)
            wider = with_relation(table, relation, index)
            names = (*features, f"rel:{index}")
            part = amend(wider, start, names, (conjunction_rules,))
            found.append(bench.candidate(part, wider, relation))
    return found


def _with_memory(
    styles: Sequence[tuple[Learner, ...]],
) -> tuple[tuple[Learner, ...], ...]:
    """Returns the styles for use on one table and one set of features.

    Styles that begin alike ask their learners the same questions.
    """
    known: dict[tuple[Learner, Part], list[Amendment]] = {}

    def remembering(learner: Learner) -> Learner:
        def learn(
            table: Table, part: Part, features: Sequence[str]
        ) -> Iterator[Amendment]:
            if (learner, part) not in known:
                known[learner, part] = list(learner(table, part, features))
            yield from known[learner, part]

        return learn

    return tuple(tuple(remembering(one) for one in style) for style in styles)


def _with_moves(bench: Workbench, target: str) -> Workbench:
    """Returns the workbench with digits moving that still stay for lack of rules.

    Where walls stop most moves, offsets alone explain little.
    """
    by = tuple((action,) for action in bench.table.actions)
    parts: list[Part] = []
    for digit in bench.table.digits:
        plain = bench.model.part(digit)
        stays = plain.base == Feature(name=digit) and not plain.rules
        if not stays or bench.varies(digit):
            continue
        shifted = fit_shift(bench.table, digit, by=by)
        if shifted is not None and _is_shorter(shifted, plain, bench.table):
            parts.append(shifted)
    if target not in {part.target for part in parts}:
        return bench
    return Workbench.of(bench.facts, bench.candidate_of(tuple(parts)).model)


def _is_shorter(part: Part, other: Part, table: Table) -> bool:
    return listed_length(part, table) < listed_length(other, table)


def shared_rules(bench: Workbench, target: str) -> list[Candidate]:
    """Returns rules for all digits that actions move, if the part is one of several."""
    bench = _with_moves(bench, target)
    starts = tuple(
        Part(target=move.feature, base=move, family="shared rules")
        for move in bench.model.moves
        if set(move.by) & set(bench.table.actions)
    )
    moving = [start.target for start in starts]
    if target not in moving or len(moving) < 2:
        return []
    allowed = [set(bench.features(name)) for name in moving]
    features = [
        name
        for name in bench.features(target)
        if all(name in names for names in allowed)
    ]
    styles = amend_together(bench.table, starts, features)
    return [bench.candidate_of(parts) for parts in styles]


def rules(bench: Workbench, target: str) -> list[Candidate]:
    """Returns the part with rules of its own, or with rules shared with others."""
    return [*rule_lists(bench, target), *shared_rules(bench, target)]


def trees(bench: Workbench, target: str) -> list[Candidate]:
    """Returns the part as a decision tree."""
    part = fit_tree(bench.table, target, bench.features(target))
    return [] if part is None else [bench.candidate(part)]


def memory(bench: Workbench, target: str) -> list[Candidate]:
    """Returns the part with every exception written down by the whole input."""
    table = bench.table
    part = msgspec.structs.replace(bench.model.part(target), family="memory")
    inputs = (*table.actions, *table.digits)
    amended = amend(table, part, inputs, (table_rules,), max_rules=len(part.rules) + 1)
    return [bench.candidate(amended)]


_STYLES: tuple[tuple[Learner, ...], ...] = (
    (conjunction_rules,),
    (set_rules,),
    (table_rules,),
    (conjunction_rules, set_rules),
)

LADDER: tuple[Step, ...] = (offsets, tables, rules, trees, memory)


def draw_tables(bench: Workbench, target: str) -> list[Candidate]:
    """Returns the part as chances by key."""
    features = bench.features(target)
    return [bench.candidate(fit_draw_table(bench.table, target, features))]


def draw_trees(bench: Workbench, target: str) -> list[Candidate]:
    """Returns the part as a tree of chances."""
    features = bench.features(target)
    return [bench.candidate(fit_draw_tree(bench.table, target, features))]


VARYING_LADDER: tuple[Step, ...] = (draw_tables, draw_trees)
"""The ladder of parts whose outcome varies; all steps count as one."""


def _suffices(candidate: Candidate, target: str) -> bool:
    """Returns whether an improvement ends the climb.

    An offset that leaves errors does not: rules bring their own, and a step that
    leaves most rows wrong is one that no score notices.
    """
    part = candidate.model.part(target)
    return part.family != "offset" or part.accuracy == 1.0


def refinements(bench: Workbench, target: str) -> list[Candidate]:
    """Returns the candidates of the first step that improves a part, best first.

    Candidates of that step that do not improve the part come last: a later
    attempt may still want them.
    """
    current = bench.candidate_of(())
    collected: dict[tuple[Part, ...], Candidate] = {current.model.parts: current}
    varies = bench.varies(target)
    for step in VARYING_LADDER if varies else LADDER:
        for candidate in step(bench, target):
            collected.setdefault(candidate.model.parts, candidate)
        best = min(collected.values(), key=lambda candidate: candidate.cost)
        if not varies and best is not current and _suffices(best, target):
            break
    changed = [c for c in collected.values() if c is not current]
    return sorted(changed, key=lambda candidate: candidate.cost)
