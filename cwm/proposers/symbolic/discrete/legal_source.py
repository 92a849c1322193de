"""Rules for legal actions as Python source, behind a program's class."""

from cwm.core.spaces import DiscreteSpec
from cwm.proposers.symbolic.discrete.legal import Case, LegalRules

_METHOD = '''
    def legal_actions(self):
        """Returns the actions that rules say are legal; all where they name none."""
        counts = count_patterns(self.state)
        legal = [action for action, cases in LEGAL if is_one_of(cases, counts)]
        return legal or list(range({start}, {stop}))


def count_patterns(observation):
    """Returns how many groups of numbers fit each pattern; None fits any number."""
    numbers = [int(number) for number in np.ravel(observation)]
    counts = {{}}
    for start in range(0, {length}, {size}):
        patterns = [()]
        for number in numbers[start : start + {size}]:
            patterns = [one + (known,) for one in patterns for known in (number, None)]
        for pattern in patterns:
            counts[pattern] = counts.get(pattern, 0) + 1
    for position in range({length}, len(numbers)):
        counts[(-1, position, numbers[position])] = 1
    return counts


def is_one_of(cases, counts):
    """Returns whether all facts of a case hold: (pattern, at least so many, holds)."""
    return any(
        all((counts.get(pattern, 0) >= n) == holds for pattern, n, holds in case)
        for case in cases
    )


# Legal actions of {right} of {total} distinct training observations come out right.
LEGAL = (
'''


def legal_source(rules: LegalRules, actions: DiscreteSpec) -> str:
    """Returns what follows the last method of a program's class."""
    head = _METHOD.format(
        start=actions.start,
        stop=actions.start + actions.num_values,
        length=rules.groups.length,
        size=rules.groups.size,
        right=rules.num_observations - rules.num_wrong,
        total=rules.num_observations,
    )
    lines = []
    for action, cases in sorted(rules.cases.items()):
        if cases == ((),):
            lines.append(f"    ({action}, ((),)),")
            continue
        lines.append(f"    ({action}, (")
        lines += [f"        {_case(case)}," for case in cases]
        lines.append("    )),")
    return head + "\n".join(lines) + "\n)\n"


def _case(case: Case) -> str:
    facts = [f"({fact.pattern!r}, {fact.number}, {fact.holds})" for fact in case]
    return f"({', '.join(facts)},)"
