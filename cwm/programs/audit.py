"""Whether a program is what it is scored as: a function of observation and action.

Covers: state that is kept between transitions, clocks, unseeded randomness, and
programs that read other inputs of their process and guess from them. A program is
run twice more, in other company, and every prediction must be the same to the last
bit:

    alone     a few transitions, each in a process that is given nothing else
    permuted  all transitions, in another order, and neighbours in time apart

Does not cover: programs whose predictions are a function of the inputs but not a
model of the environment (`cwm.programs.memorised`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import decode_columns, select_rows
from cwm.core.predictions import Predictions
from cwm.core.seeding import child_rng
from cwm.core.spaces import Value
from cwm.core.trajectories import TransitionBatch
from cwm.programs.batches import rows_to_predict
from cwm.programs.legal_actions import action_set
from cwm.programs.memorised import MemorisedValues
from cwm.programs.plans import secret_of
from cwm.programs.program import Program
from cwm.programs.runner import ProgramRunner, num_distinct_draws
from sandbox.outcome import AnyOutcome, Completed, Raised, TimedOut, printable

NUM_SINGLETONS = 12
"""Transitions that are run alone."""

NUM_GROUPS = 4
"""Processes of the permuted run. In the first run, transitions two steps apart share
a process; in this one, none that are less than four apart do."""

Verdict: TypeAlias = Literal["consistent", "inconsistent", "timed_out"]
Check: TypeAlias = Literal["", "alone", "permuted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What came of running a program again.

    Attributes:
        verdict: `"consistent"` if every prediction was the same; `"timed_out"` if the
            program finished in time only once, which says nothing about it.
        num_alone: Transitions that were run alone.
        num_permuted: Transitions that were run in another order.
        num_alone_different: How many of them got another prediction.
        num_permuted_different: Likewise.
        failed_check: The first check that failed.
        example: Row of the first transition that differs, among those that the
            program's author may see; `None` if there is none.
        explanation: For the program's author; empty if it is consistent.
        memorised: Training transitions in the source, if that was looked for.
    """

    verdict: Verdict
    num_alone: int = 0
    num_permuted: int = 0
    num_alone_different: int = 0
    num_permuted_different: int = 0
    failed_check: Check = ""
    example: int | None = None
    explanation: str = ""
    memorised: MemorisedValues | None = None

    @property
    def is_consistent(self) -> bool:
        """Whether nothing differed."""
        return self.verdict == "consistent"

    def to_json(self) -> dict[str, Any]:
        """Returns plain data; `from_json` is the inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Audit":
        """Returns the audit that `to_json` described."""
        memorised = data["memorised"]
        if memorised is not None:
            memorised = MemorisedValues(**memorised)
        return cls(**{**data, "memorised": memorised})


def audit(
    source: str,
    batch: TransitionBatch,
    draws: Sequence[Predictions],
    *,
    runner: ProgramRunner,
    num_visible: int | None = None,
    num_singletons: int = NUM_SINGLETONS,
) -> Audit:
    """Runs a program again and compares its predictions with the first ones.

    Which transitions are run alone, and the new order, depend on the runner's seed
    and the source only. Stochastic programs are seeded for each transition as they
    were in the first run, whatever the order: they have to repeat themselves, too.

    Args:
        source: The program.
        batch: The transitions.
        draws: What the program predicted for them (`ProgramRunner.predict`).
        runner: Who ran it.
        num_visible: Transitions, from the first on, that an example may be taken
            from; all by default.
        num_singletons: Transitions to run alone.

    Raises:
        SandboxUnavailable: If the sandbox does not work.
    """
    num_draws = num_distinct_draws(source, len(draws))
    digest = Program(source=source).digest
    rng = child_rng(runner.seed, "audit", digest, secret_of(batch))
    rows, _ = rows_to_predict(batch, distinct=num_draws > 1)
    singletons = choose_singletons(batch, rows, num_singletons, rng)
    parts = [*singletons.reshape(-1, 1), *_groups(batch, rng.permutation(rows))]
    outcome, found = runner.predict_parts(source, batch, parts, num_draws)
    rerun = _Rerun(
        batch=batch,
        first=draws[:num_draws],
        rows=rows,
        parts=parts,
        num_singletons=len(singletons),
        again=found,
        outcome=outcome,
    )
    return rerun.verdict(len(batch) if num_visible is None else num_visible)


def audit_all(
    source: str,
    runs: Sequence[tuple[TransitionBatch, Sequence[Predictions]]],
    *,
    runner: ProgramRunner,
) -> Audit:
    """Audits a program on several batches, each in processes of its own.

    Args:
        source: The program.
        runs: Batches and what was predicted for them. An example for the program's
            author is only taken from the first.
        runner: Who ran it.

    Returns:
        The first audit that is not consistent, or the numbers of all together.
    """
    found: Audit | None = None
    for batch, draws in runs:
        num_visible = len(batch) if found is None else 0
        one = audit(source, batch, draws, runner=runner, num_visible=num_visible)
        if not one.is_consistent:
            return one
        if found is not None:
            one = replace(
                one,
                num_alone=found.num_alone + one.num_alone,
                num_permuted=found.num_permuted + one.num_permuted,
            )
        found = one
    assert found is not None
    return found


def _groups(
    batch: TransitionBatch, rows: NDArray[np.intp]
) -> Iterator[NDArray[np.intp]]:
    """Yields the rows, in their order, shared out so that neighbours are apart."""
    colours = batch.time[rows] % NUM_GROUPS
    for colour in range(NUM_GROUPS):
        if (colours == colour).any():
            yield rows[colours == colour]


_AGAIN_LATE = "It had finished in time once, and was then run again for comparison."

_ADVICE = (
    "set_state must set everything that step reads. Keep nothing between transitions: "
    "no counters, no module or class attributes that change, no default arguments "
    "that grow. Do not look at the clock, at other inputs or at the interpreter; draw "
    "only from self.rng, where the environment is random."
)


def choose_singletons(
    batch: TransitionBatch,
    rows: NDArray[np.intp],
    number: int,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Returns rows to run alone, `[at most number]`.

    One half by outcome, rare ones first: a program that guesses those from its other
    inputs (where a trajectory ends) is seen. The other half are rows whose neighbours
    in time were in the same process in the first run: there is most to guess from.
    """
    span = int(batch.time.max()) + 5
    keys = batch.trajectory[rows] * span + batch.time[rows]
    num_neighbours = sum(np.isin(keys + shift, keys).astype(int) for shift in (-2, 2))
    order = rng.permutation(len(rows))
    ranked = order[np.argsort(-np.asarray(num_neighbours)[order], kind="stable")]
    rare = order[_rare_first(batch, rows[order])]
    chosen = list(dict.fromkeys([*rare[: number // 2].tolist(), *ranked.tolist()]))
    return np.sort(rows[np.asarray(chosen[:number], dtype=np.intp)])


def _rare_first(batch: TransitionBatch, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Returns an order of rows: one of each kind of outcome, then the next of each."""
    kinds = np.stack([batch.rewards[rows], batch.terminated[rows]], axis=1)
    _, inverse, counts = np.unique(
        kinds, axis=0, return_inverse=True, return_counts=True
    )
    kind = inverse.reshape(-1)
    # How many of its kind come before each.
    turn = np.empty(len(rows), dtype=np.intp)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    by_kind = np.argsort(kind, kind="stable")
    turn[by_kind] = np.arange(len(rows)) - starts[kind[by_kind]]
    return np.asarray(np.lexsort((counts[kind], turn)), dtype=np.intp)


def different_rows(
    first: Sequence[Predictions],
    rows: NDArray[np.intp],
    again: Sequence[Predictions],
) -> NDArray[np.bool_]:
    """Returns which predictions of `rows` are not the same bits, `[len(rows)]`.

    Args:
        first: Draws for the whole batch.
        rows: Rows of the batch.
        again: As many draws for these rows alone, in their order.
    """
    different = np.zeros(len(rows), dtype=np.bool_)
    for one, other in zip(first, again, strict=True):
        values = _bytes(one.rewards[rows]) != _bytes(other.rewards)
        unequal = values.any(axis=1) | (one.terminated[rows] != other.terminated)
        columns = select_rows(one.next_observations, rows)
        for path, column in columns.items():
            unequal |= _unequal(column, other.next_observations[path])
        if one.legal_actions is not None and other.legal_actions is not None:
            unequal |= _unequal_actions(
                [one.legal_actions[row] for row in rows.tolist()], other.legal_actions
            )
        # What a row of a wrong form holds besides means nothing.
        is_valid = one.valid[rows]
        different |= (is_valid != other.valid) | (is_valid & unequal)
    return different


def _unequal(one: Any, other: Any) -> NDArray[np.bool_]:
    if isinstance(one, np.ndarray):
        return np.asarray((_bytes(one) != _bytes(other)).any(axis=1))
    pairs = zip(one, other, strict=True)
    return np.fromiter((a != b for a, b in pairs), dtype=np.bool_, count=len(one))


def _unequal_actions(
    one: Sequence[tuple[Value, ...] | None], other: Sequence[tuple[Value, ...] | None]
) -> NDArray[np.bool_]:
    def key(actions: tuple[Value, ...] | None) -> object:
        return None if actions is None else action_set(actions)

    pairs = zip(one, other, strict=True)
    unequal = (key(a) != key(b) for a, b in pairs)
    return np.fromiter(unequal, dtype=np.bool_, count=len(one))


def _bytes(column: NDArray[Any]) -> NDArray[np.uint8]:
    """Returns the bytes of each row, `[N, bytes]`; NaN equals itself here."""
    flat = np.ascontiguousarray(column.reshape(len(column), -1))
    return flat.view(np.uint8)


@dataclass(frozen=True, kw_only=True)
class _Rerun:
    """A program's second predictions beside its first ones.

    Attributes:
        batch: The transitions.
        first: Draws of the first run, for the whole batch.
        rows: Rows of the batch that were run.
        parts: Rows that each process had, the singletons first.
        num_singletons: How many of the parts are single transitions.
        again: Draws for each part; less than `parts` if one did not complete.
        outcome: How the last process ended.
    """

    batch: TransitionBatch
    first: Sequence[Predictions]
    rows: NDArray[np.intp]
    parts: Sequence[NDArray[np.intp]]
    num_singletons: int
    again: Sequence[Sequence[Predictions]]
    outcome: AnyOutcome

    def verdict(self, num_visible: int) -> Audit:
        alone = self._differing(0, self.num_singletons)
        permuted = self._differing(self.num_singletons, len(self.parts))
        num_ended = len(self.again)
        counted = Audit(
            verdict="consistent",
            num_alone=self.num_singletons,
            num_permuted=len(self.rows),
            num_alone_different=len(alone),
            num_permuted_different=len(permuted),
        )
        if not alone and not permuted:
            if num_ended == len(self.parts):
                return counted
            if isinstance(self.outcome, TimedOut):
                late = f"{self.outcome.feedback()}\n{_AGAIN_LATE}"
                return Audit(verdict="timed_out", explanation=late)
        visible = [r for r in (*alone, *permuted, *self._failed()) if r < num_visible]
        example = visible[0] if visible else None
        lines = [
            "Inconsistent: the program is not a function of (observation, action). "
            + " ".join(self._counted(len(alone), len(permuted))),
            *self._example(example),
            _ADVICE,
        ]
        is_alone = bool(alone) or num_ended < self.num_singletons
        return replace(
            counted,
            verdict="inconsistent",
            failed_check="alone" if is_alone else "permuted",
            example=example,
            explanation="\n".join(lines),
        )

    def _differing(self, start: int, stop: int) -> list[int]:
        """Returns the rows of some parts that got other predictions."""
        return [
            int(row)
            for part, draws in list(zip(self.parts, self.again, strict=False))[
                start:stop
            ]
            for row in part[different_rows(self.first, part, draws)]
        ]

    def _failed(self) -> list[int]:
        """Returns the row at which the program failed, if that is known."""
        if isinstance(self.outcome, Raised) and self.outcome.position is not None:
            return [self.outcome.position]
        num_ended = len(self.again)
        return self.parts[num_ended].tolist() if num_ended < self.num_singletons else []

    def _counted(self, num_alone: int, num_permuted: int) -> Iterator[str]:
        if num_alone:
            yield (
                f"{num_alone} of {self.num_singletons} transitions got another "
                "prediction when each was run alone in a fresh process."
            )
        if num_permuted:
            yield (
                f"{num_permuted} of {len(self.rows)} got another prediction when all "
                "were run in another order."
            )
        if not isinstance(self.outcome, Completed):
            yield f"Run again, it failed: {self.outcome.feedback()}"

    def _example(self, row: int | None) -> Iterator[str]:
        """Yields lines about one transition and what was predicted for it."""
        if row is None:
            return
        transition = self.batch.transition(row)
        yield (
            f"For example, step({_show(transition.action)}) after "
            f"set_state({_show(transition.observation)})"
        )
        for part, draws in zip(self.parts, self.again, strict=False):
            is_here = (part == row) & different_rows(self.first, part, draws)
            for position in np.flatnonzero(is_here).tolist():
                for one, other in zip(self.first, draws, strict=True):
                    before = _prediction(self.batch, one, row)
                    after = _prediction(self.batch, other, position)
                    if before != after:
                        yield f"was predicted as {before} first, and then as {after}."
                        return


def _prediction(batch: TransitionBatch, predictions: Predictions, row: int) -> str:
    if not predictions.valid[row]:
        return "a value of the wrong form"
    columns = select_rows(predictions.next_observations, np.asarray([row]))
    (observation,) = decode_columns(batch.observation_space, columns)
    reward, terminated = float(predictions.rewards[row]), predictions.terminated[row]
    text = f"({_show(observation)}, {reward!r}, {bool(terminated)!r})"
    if predictions.legal_actions is None:
        return text
    return f"{text} with legal actions {_show(predictions.legal_actions[row])}"


def _show(value: object) -> str:
    with np.printoptions(threshold=32, precision=17):
        return printable(repr(value))
