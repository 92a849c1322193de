"""Learns corrections from what a program predicts and what was recorded.

Covers: which parts are worth it, which correction is tried first, and that each must
gain on rows that it was not learned from. Does not cover: running the program, which
was done before, and writing the corrections, which is done after.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import Columns
from cwm.core.predictions import Predictions
from cwm.core.trajectories import TransitionBatch
from cwm.programs.residual.config import ResidualConfig
from cwm.programs.residual.elements import (
    Element,
    elements_of,
    for_conditions,
    library,
)
from cwm.programs.residual.holding_back import Halves, is_confirmed
from cwm.programs.residual.operations import Operation, proposals
from cwm.programs.residual.parts import TERMINATED, Part, parts_of
from cwm.programs.residual.regions import Region, RegionSearch, rounded
from cwm.programs.residual.report import ResidualTerm
from cwm.programs.residual.sparse_sums import sparse_sum
from cwm.programs.tolerances import Tolerances

FloatArray = NDArray[np.float64]

_AS_GOOD = 0.95
"""Share of the largest gain with which a correction that reads better is taken."""

_MAX_TRIES = 6
"""Corrections of a part that are tried on held-back rows before it is given up."""

_MAX_LIBRARY = 600
"""Terms that a sum may be of, the simplest ones."""

_SUM_RANK = 4
_NEARLY_ALL = 0.9
"""Share of wrong rows from which on a sum is for all rows."""

_MIN_SUM_ROWS = 20

_LEAST_SHARE = 0.1
"""Share of the rows in which a part is wrong that a correction must set right: many
small ones are a missing law, not a sparse residual."""

_SUM_SHARE = 0.9
"""Share of the wrong rows of its region that a sum must set right. One that needs more
terms for less is a curve through the data."""

_MAX_SUM_TERMS = 4
"""Terms of one sum: more of them draw any curve where there are data, and nowhere
else."""


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """What is done to a part, and where.

    Attributes:
        part: The part.
        operations: What is done; several terms of one sum.
        region: Where; everywhere if it has no comparisons.
        elements: What the region compares.
    """

    part: Part
    operations: tuple[Operation, ...]
    region: Region
    elements: Sequence[Element]

    @property
    def rank(self) -> int:
        """Place in the order of what is tried first."""
        first = self.operations[0]
        return _SUM_RANK if first.factor is not None else first.rank

    @property
    def size(self) -> int:
        """How many things it says."""
        return len(self.operations) + len(self.region.comparisons)

    def apply(self, values: FloatArray) -> FloatArray:
        """Returns the values of the part after it."""
        changed = values
        for operation in self.operations:
            changed = operation.apply(changed, self.part)
        inside = self.region.rows(self.elements, len(values))
        return np.where(inside, changed, values)

    def gains(self, values: FloatArray) -> FloatArray:
        """Returns 1 where it sets a row right, -1 where wrong, else 0; `[N]`."""
        before = self.part.is_right(values).astype(np.float64)
        return self.part.is_right(self.apply(values)).astype(np.float64) - before

    def anywhere(self) -> list["Correction"]:
        """Returns what would be done in rows that are drawn, not chosen.

        The same constants in all rows; nothing if it is in all rows itself.
        """
        (first, *_) = self.operations
        everywhere = replace(self, region=Region())
        if first.action in ("low", "high", "clip"):
            return [
                replace(everywhere, operations=(Operation("set", (number,)),))
                for number in first.numbers
            ]
        is_chosen = bool(self.region.comparisons) and self.rank < _SUM_RANK
        return [everywhere] if is_chosen else []

    def split(self) -> Iterator["Correction"]:
        """Yields it as corrections of one operation each."""
        for operation in self.operations:
            yield replace(self, operations=(operation,))

    def text(self) -> str:
        """Returns it in words."""
        (operation,) = self.operations
        where = self.region.words(self.elements)
        words = operation.words(self.part)
        return f"{words} where {where}" if where else words


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What was learned.

    Attributes:
        corrections: One operation each, in the order in which they are made.
        terms: What each is worth; those of one sum share their rows.
        is_capped: Whether there was more than the settings allow.
        problems: Why parts that are wrong have no correction.
    """

    corrections: tuple[Correction, ...] = ()
    terms: tuple[ResidualTerm, ...] = ()
    is_capped: bool = False
    problems: tuple[str, ...] = ()


def learn(
    batch: TransitionBatch,
    predictions: Predictions,
    tolerances: Tolerances,
    *,
    config: ResidualConfig,
    halves: Halves,
) -> Learned:
    """Returns corrections of what a program predicts.

    Elements of the observation first, from what the law says; then `terminated` and
    the reward, which may read the corrected observation.

    Args:
        batch: The training transitions, with a valid prediction each.
        predictions: The program's.
        tolerances: Of the training transitions.
        config: Settings.
        halves: What is learned from, and what is held back.
    """
    learner = _Learner(config, halves)
    *elements, terminated, reward = parts_of(batch, predictions, tolerances)
    given = [
        *elements_of(
            batch.observation_space,
            batch.observations,
            name="before",
            words="observation",
        ),
        *elements_of(batch.action_space, batch.actions, name="action", words="action"),
    ]
    for part in elements:
        law = _following(batch, predictions.next_observations, name="law")
        learner.learn(part, [*law, *given])
    corrected = predictions.next_observations
    if elements:
        columns = np.stack([learner.values[part.name] for part in elements], axis=1)
        like = np.asarray(corrected[""])
        corrected = {"": columns.reshape(like.shape).astype(like.dtype)}
    read = [*_following(batch, corrected, name="after"), *given]
    learner.learn(terminated, read)
    ended = Element("terminated", TERMINATED, learner.values[TERMINATED], is_real=False)
    learner.learn(reward, [*read, ended])
    return learner.found()


def _following(batch: TransitionBatch, columns: Columns, *, name: str) -> list[Element]:
    words = "next observation"
    return elements_of(
        batch.observation_space,
        columns,
        name=name,
        words=f"law's {words}" if name == "law" else words,
    )


class _Learner:
    """Corrects one part after the other.

    Attributes:
        values: What each part that was looked at is after its corrections, by name.
    """

    def __init__(self, config: ResidualConfig, halves: Halves) -> None:
        self.values: dict[str, FloatArray] = {}
        self._config = config
        self._halves = halves
        self._corrections: list[Correction] = []
        self._terms: list[ResidualTerm] = []
        self._problems: list[str] = []
        self._is_capped = False
        share = 1.0 - config.held_back_fraction
        self._least = max(2, round(0.7 * share * config.min_rows))

    def found(self) -> Learned:
        """Returns what was learned so far."""
        return Learned(
            corrections=tuple(self._corrections),
            terms=tuple(self._terms),
            is_capped=self._is_capped,
            problems=tuple(self._problems),
        )

    def learn(self, part: Part, read: Sequence[Element]) -> None:
        """Corrects a part as long as something gains.

        Args:
            part: The part.
            read: What corrections may read.
        """
        self.values[part.name] = part.law
        if self._num_wrong(part) == 0:
            return
        refusal = self._refusal(part)
        if refusal:
            self._problems.append(refusal)
            return
        compared = for_conditions(read)
        search = RegionSearch(compared, self._halves.learned)
        while self._num_wrong(part) >= self._config.min_rows:
            if len(self._corrections) >= self._config.max_terms:
                self._is_capped = True
                break
            found = self._next(part, read, compared, search)
            if found is None:
                break
            self._accept(found)
        if left := self._num_wrong(part):
            self._problems.append(
                f"`{part.name}` stays wrong in {left} of {self._halves.number} "
                "training transitions"
            )

    def _num_wrong(self, part: Part) -> int:
        return int((~part.is_right(self.values[part.name])).sum())

    def _refusal(self, part: Part) -> str:
        """Returns why a part is not a matter of a residual, if it is none."""
        right = float(part.is_right(part.law).mean())
        least = self._config.min_explained
        if right >= least or part.explained >= least:
            return ""
        return (
            f"`{part.name}` is right in {right:.0%} of the training transitions, and "
            f"the law explains {max(part.explained, 0.0):.0%} of what doing nothing "
            "gets wrong: that is no residual (min_explained)"
        )

    def _next(
        self,
        part: Part,
        read: Sequence[Element],
        compared: Sequence[Element],
        search: RegionSearch,
    ) -> Correction | None:
        """Returns the correction to make, if one gains on held-back rows."""
        values = self.values[part.name]
        options = [
            (self._gain(option, values), option)
            for option in self._simple(part, compared, search)
        ]
        learned = self._halves.learned
        num_wrong = int((~part.is_right(values))[learned].sum())
        best = max((gain for gain, _ in options), default=0)
        if best < _AS_GOOD * num_wrong and not part.is_flag:
            options += [
                (self._gain(option, values), option)
                for option in self._sums(part, read, compared, search)
            ]
        least = max(self._least, _LEAST_SHARE * num_wrong)
        options = [option for option in options if option[0] >= least]
        best = max((gain for gain, _ in options), default=0)
        options.sort(
            key=lambda one: (
                (0, one[1].rank, one[1].size, -one[0])
                if one[0] >= _AS_GOOD * best
                else (1, 0, 0, -one[0])
            )
        )
        for _, option in options[:_MAX_TRIES]:
            if self._is_confirmed(option, values):
                return self._refined(option, values)
        return None

    def _gain(self, option: Correction, values: FloatArray) -> int:
        return int(option.gains(values)[self._halves.learned].sum())

    def _simple(
        self, part: Part, compared: Sequence[Element], search: RegionSearch
    ) -> Iterator[Correction]:
        """Yields constants under a condition, limits, and wraps."""
        values = self.values[part.name]
        for operation in proposals(
            part, values, self._halves.learned, min_rows=self._least
        ):
            everywhere = Correction(part, (operation,), Region(), compared)
            if operation.is_conditional:
                region = search.best(everywhere.gains(values))
                yield replace(everywhere, region=region)
            else:
                yield everywhere

    def _sums(
        self,
        part: Part,
        read: Sequence[Element],
        compared: Sequence[Element],
        search: RegionSearch,
    ) -> Iterator[Correction]:
        """Yields sparse sums: everywhere, and where rows are wrong."""
        values, learned = self.values[part.name], self._halves.learned
        wrong = ~part.is_right(values)
        regions = [Region()]
        if wrong[learned].mean() < _NEARLY_ALL:
            regions.append(search.best(np.where(wrong, 1.0, -1.0)))
        terms = library(read, _MAX_LIBRARY, number=len(values))
        num_left = self._config.max_terms - len(self._corrections)
        num_left = min(num_left, _MAX_SUM_TERMS)
        for region in dict.fromkeys(regions):
            rows = learned[region.rows(compared, len(values))[learned]]
            if len(rows) < _MIN_SUM_ROWS:
                continue
            found = sparse_sum(
                terms, part.truth - values, part.bounds, rows, max_terms=num_left
            )
            if found:
                operations = tuple(
                    Operation("add", (weight,), None if term.num_parts == 0 else term)
                    for weight, term in found
                )
                option = Correction(part, operations, region, compared)
                gains, due = option.gains(values)[rows], wrong[rows].sum()
                if gains.sum() >= max(1, _SUM_SHARE * due):
                    yield option

    def _is_confirmed(self, option: Correction, values: FloatArray) -> bool:
        """Returns whether it gains on rows that it was not learned from."""
        held = self._halves.held_back
        gains = option.gains(values)[held]
        usual = 0.5
        if anywhere := option.anywhere():
            tried = np.stack([one.gains(values)[held] for one in anywhere])
            num_right = int((tried > 0).any(axis=0).sum())
            num_changed = int((tried != 0).any(axis=0).sum())
            usual = min(usual, num_right / max(num_changed, 1))
        is_enough = option.gains(values).sum() >= self._config.min_rows
        return bool(is_enough) and is_confirmed(gains, usual)

    def _refined(self, option: Correction, values: FloatArray) -> Correction:
        """Returns it with limits that all training rows allow, and simple ones."""
        everywhere = replace(option, region=Region()).gains(values)
        region = rounded(option.region, option.elements, everywhere)
        refined = replace(option, region=region)
        is_as_good = refined.gains(values).sum() >= option.gains(values).sum()
        return refined if is_as_good else option

    def _accept(self, found: Correction) -> None:
        name = found.part.name
        gains = found.gains(self.values[name])
        self.values[name] = found.apply(self.values[name])
        for one in found.split():
            self._corrections.append(one)
            self._terms.append(
                ResidualTerm(
                    part=name,
                    text=one.text(),
                    num_repaired=int((gains > 0).sum()),
                    num_broken=int((gains < 0).sum()),
                    num_confirmed=int((gains[self._halves.held_back] > 0).sum()),
                )
            )
