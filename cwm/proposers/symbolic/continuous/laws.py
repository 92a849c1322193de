"""What an induced program consists of: laws, adjustments, events, rules.

All of these are data: they evaluate on columns, travel as JSON in a program's
blueprint, and are printed by `render`. Variables that they may read:

    s0, a, angle_0   inputs of the step
    raw_s0           what the law of a coordinate gives, adjusted (clipped, wrapped)
    next_s0          the same after events: the prediction
    terminated       1.0 where the step ends the episode (rewards only)
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.proposers.symbolic.continuous.terms import FloatArray, Term, Variables

Json: TypeAlias = dict[str, Any]
Comparison: TypeAlias = Literal[">=", "<=", ">", "<", "=="]


@dataclass(frozen=True, slots=True)
class Sum:
    """A linear combination of terms: `sum of coefficients[i] * terms[i]`."""

    terms: tuple[Term, ...] = ()
    coefficients: tuple[float, ...] = ()

    def evaluate(self, variables: Variables, num_rows: int) -> FloatArray:
        """Returns the value in each row, `[N]`."""
        total = np.zeros(num_rows)
        for term, coefficient in zip(self.terms, self.coefficients, strict=True):
            total = total + coefficient * term.evaluate(variables)
        return total

    @property
    def variables(self) -> frozenset[str]:
        """Names of the variables that are read."""
        return frozenset(v for term in self.terms for v in term.variables)

    def to_json(self) -> Json:
        """Returns a JSON-able form."""
        return {
            "terms": [t.to_json() for t in self.terms],
            "coefficients": list(self.coefficients),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Sum":
        """Returns the sum that `to_json` described."""
        return Sum(
            tuple(Term.from_json(t) for t in data["terms"]),
            tuple(float(c) for c in data["coefficients"]),
        )


_COMPARISONS: dict[Comparison, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of a sum with a number."""

    left: Sum
    comparison: Comparison
    right: float

    def evaluate(self, variables: Variables, num_rows: int) -> NDArray[np.bool_]:
        """Returns where the comparison holds, `[N]`."""
        left = self.left.evaluate(variables, num_rows)
        compare = _COMPARISONS[self.comparison]
        return np.asarray(compare(left, self.right), dtype=np.bool_)

    def to_json(self) -> Json:
        """Returns a JSON-able form."""
        return {
            "left": self.left.to_json(),
            "comparison": self.comparison,
            "right": self.right,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Condition":
        """Returns the condition that `to_json` described."""
        return Condition(
            Sum.from_json(data["left"]), data["comparison"], float(data["right"])
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """A disjunction of conjunctions of conditions; empty: never."""

    alternatives: tuple[tuple[Condition, ...], ...] = ()

    def evaluate(self, variables: Variables, num_rows: int) -> NDArray[np.bool_]:
        """Returns where the rule fires, `[N]`."""
        fires = np.zeros(num_rows, dtype=np.bool_)
        for conjunction in self.alternatives:
            holds = np.ones(num_rows, dtype=np.bool_)
            for condition in conjunction:
                holds &= condition.evaluate(variables, num_rows)
            fires |= holds
        return fires

    @property
    def variables(self) -> frozenset[str]:
        """Names of the variables that are read."""
        return frozenset(
            v for conj in self.alternatives for c in conj for v in c.left.variables
        )

    @property
    def num_conditions(self) -> int:
        """Number of comparisons."""
        return sum(len(conjunction) for conjunction in self.alternatives)

    def to_json(self) -> list[list[Json]]:
        """Returns a JSON-able form."""
        return [[c.to_json() for c in conj] for conj in self.alternatives]

    @staticmethod
    def from_json(data: Sequence[Sequence[Mapping[str, Any]]]) -> "Rule":
        """Returns the rule that `to_json` described."""
        return Rule(tuple(tuple(Condition.from_json(c) for c in conj) for conj in data))


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What happens to a coordinate after its law: a clip, or a wrap.

    Attributes:
        kind: `"clip"` to `[low, high]`, or `"wrap"` into `[low, high)`.
        low: Lower end; may be infinite for a clip.
        high: Upper end; may be infinite for a clip.
        is_late: Whether the laws of other coordinates read the value before this
            (a speed limit that comes after the position has moved), and only
            events and what follows them the value after it.
    """

    kind: Literal["clip", "wrap"]
    low: float
    high: float
    is_late: bool = False

    def apply(self, values: FloatArray) -> FloatArray:
        """Returns the adjusted values, `[N]`."""
        if self.kind == "clip":
            return np.clip(values, self.low, self.high)
        return self.low + (values - self.low) % (self.high - self.low)

    def to_json(self) -> Json:
        """Returns a JSON-able form."""
        return {
            "kind": self.kind,
            "low": repr(self.low),
            "high": repr(self.high),
            "is_late": self.is_late,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Adjustment":
        """Returns the adjustment that `to_json` described."""
        return Adjustment(
            data["kind"], float(data["low"]), float(data["high"]), data["is_late"]
        )


@dataclass(frozen=True, slots=True)
class Event:
    """A coordinate's value where a rule fires: a wall, a bounce, a reset."""

    rule: Rule
    value: Sum

    def to_json(self) -> Json:
        """Returns a JSON-able form."""
        return {"rule": self.rule.to_json(), "value": self.value.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Event":
        """Returns the event that `to_json` described."""
        return Event(Rule.from_json(data["rule"]), Sum.from_json(data["value"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """How one coordinate changes in a step.

    Attributes:
        base: Variable that the change is added to; `None`: the sum is the value.
        change: The sum.
        couplings: Terms that multiply another coordinate's change (or the own
            one): `change_i = change + sum of coupling * change_j`. Coordinates
            that are coupled are solved together as one linear system.
        family: What found it, for comments.
    """

    base: str | None
    change: Sum
    couplings: tuple[tuple[str, Sum], ...] = ()
    family: str = "copy"

    def to_json(self) -> Json:
        """Returns a JSON-able form."""
        return {
            "base": self.base,
            "change": self.change.to_json(),
            "couplings": [[name, s.to_json()] for name, s in self.couplings],
            "family": self.family,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Law":
        """Returns the law that `to_json` described."""
        return Law(
            base=data["base"],
            change=Sum.from_json(data["change"]),
            couplings=tuple((str(n), Sum.from_json(s)) for n, s in data["couplings"]),
            family=str(data["family"]),
        )


def num_terms(law: Law) -> int:
    """Returns the number of terms of a law, couplings included."""
    return len(law.change.terms) + sum(len(s.terms) for _, s in law.couplings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ode:
    """Coordinates that follow an ordinary differential equation for one step.

    `mass(q) * acceleration = force(q, v, action)`, integrated by a fixed-step
    scheme with the action held constant (Acrobot's book dynamics has this form).

    Attributes:
        positions: Names of the position coordinates, `D` of them.
        velocities: Names of their velocities, in the same order.
        mass: `D * D` sums, row by row; functions of positions.
        force: `D` sums; functions of positions, velocities, action.
        time_step: Seconds, or whatever unit makes velocity the rate of position.
        num_substeps: Integration steps per environment step.
        scheme: `"rk4"`, `"euler"` or `"semi_implicit"`.
    """

    positions: tuple[str, ...]
    velocities: tuple[str, ...]
    mass: tuple[Sum, ...]
    force: tuple[Sum, ...]
    time_step: float
    num_substeps: int = 1
    scheme: Literal["rk4", "euler", "semi_implicit"] = "rk4"

    def to_json(self) -> Json:
        """Returns a JSON-able form."""
        return {
            "positions": list(self.positions),
            "velocities": list(self.velocities),
            "mass": [s.to_json() for s in self.mass],
            "force": [s.to_json() for s in self.force],
            "time_step": self.time_step,
            "num_substeps": self.num_substeps,
            "scheme": self.scheme,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Ode":
        """Returns the equation that `to_json` described."""
        return Ode(
            positions=tuple(data["positions"]),
            velocities=tuple(data["velocities"]),
            mass=tuple(Sum.from_json(s) for s in data["mass"]),
            force=tuple(Sum.from_json(s) for s in data["force"]),
            time_step=float(data["time_step"]),
            num_substeps=int(data["num_substeps"]),
            scheme=data["scheme"],
        )


@dataclass(frozen=True, slots=True)
class Case:
    """One branch of a reward: its formula where its rule fires."""

    rule: Rule | None
    value: Sum

    def to_json(self) -> Json:
        """Returns a JSON-able form."""
        rule = None if self.rule is None else self.rule.to_json()
        return {"rule": rule, "value": self.value.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Case":
        """Returns the case that `to_json` described."""
        rule = None if data["rule"] is None else Rule.from_json(data["rule"])
        return Case(rule, Sum.from_json(data["value"]))


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """Everything that a rendered program says, as data.

    Attributes:
        use_angles: Whether cosine-sine pairs are modelled as angles.
        laws: Law by coordinate, for coordinates that no equation covers.
        odes: Differential equations.
        adjustments: By coordinate, applied right after the law.
        events: By coordinate, applied last, in order.
        terminated: When the episode ends.
        reward: Cases, the first that fires counts; the last has no rule.
        fits: Share of training transitions predicted, by part.
    """

    use_angles: bool = True
    laws: dict[str, Law] = field(default_factory=dict)
    odes: tuple[Ode, ...] = ()
    adjustments: dict[str, tuple[Adjustment, ...]] = field(default_factory=dict)
    events: dict[str, tuple[Event, ...]] = field(default_factory=dict)
    terminated: Rule = Rule()
    reward: tuple[Case, ...] = (Case(None, Sum()),)
    fits: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> Json:
        """Returns a JSON-able form; `from_json` is its inverse."""
        return {
            "kind": "continuous",
            "use_angles": self.use_angles,
            "laws": {k: v.to_json() for k, v in self.laws.items()},
            "odes": [o.to_json() for o in self.odes],
            "adjustments": {
                k: [a.to_json() for a in v] for k, v in self.adjustments.items()
            },
            "events": {k: [e.to_json() for e in v] for k, v in self.events.items()},
            "terminated": self.terminated.to_json(),
            "reward": [c.to_json() for c in self.reward],
            "fits": self.fits,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Blueprint":
        """Returns the blueprint that `to_json` described."""
        return Blueprint(
            use_angles=bool(data["use_angles"]),
            laws={k: Law.from_json(v) for k, v in data["laws"].items()},
            odes=tuple(Ode.from_json(o) for o in data["odes"]),
            adjustments={
                k: tuple(Adjustment.from_json(a) for a in v)
                for k, v in data["adjustments"].items()
            },
            events={
                k: tuple(Event.from_json(e) for e in v)
                for k, v in data["events"].items()
            },
            terminated=Rule.from_json(data["terminated"]),
            reward=tuple(Case.from_json(c) for c in data["reward"]),
            fits={k: float(v) for k, v in data["fits"].items()},
        )
