"""What the policy allows and refuses, by kind of source; `policy` applies it."""

import builtins
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from RestrictedPython.transformer import INSPECT_ATTRIBUTES

from sandbox.opt_in import Capability

PolicyProfile: TypeAlias = Literal["module", "program"]
"""What kind of source it is.

`module`: a file whose classes or functions a driver calls; it has no business with
the system. `program`: one that reads standard input and writes standard output.
"""

_MODULES = frozenset(
    {
        "__future__",
        "abc",
        "bisect",
        "cmath",
        "collections",
        "contextlib",
        "copy",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "fractions",
        "functools",
        "heapq",
        "itertools",
        "json",
        "math",
        "numbers",
        "numpy",
        "operator",
        "random",
        "re",
        "statistics",
        "string",
        "textwrap",
        "time",
        "types",
        "typing",
        "typing_extensions",
        "warnings",
    }
)

DENIED_NAMES = {
    "eval": "write the expression out",
    "exec": "write the statements out",
    "compile": "write the code out",
    "open": "there are no files to read or write",
    "input": "there is nobody to ask",
    "__import__": "use an import statement",
    "globals": "use names directly",
    "locals": "use names directly",
    "vars": "use attributes directly",
    "breakpoint": "there is no debugger",
    "exit": "return from step instead",
    "quit": "return from step instead",
}

_PROGRAM_MODULES = _MODULES | {
    "array",
    "ast",
    "atexit",
    "gc",
    "hashlib",
    "io",
    "os",
    "queue",
    "struct",
    "sys",
    "threading",
    "unicodedata",
}

_PROGRAM_NAMES = {"exit", "globals", "input", "locals", "open", "quit", "vars"}


ALLOWED_OS_ATTRIBUTES = frozenset(
    {
        "SEEK_CUR",
        "SEEK_END",
        "SEEK_SET",
        "_exit",
        "cpu_count",
        "devnull",
        "environ",
        "fdopen",
        "fstat",
        "getenv",
        "getpid",
        "isatty",
        "linesep",
        "name",
        "path",
        "read",
        "sep",
        "urandom",
        "write",
    }
)
"""What a program may use of `os`: standard input and output, and harmless facts."""

DENIED_ATTRIBUTES = frozenset(INSPECT_ATTRIBUTES) | {
    "DataSource",
    "builtins",
    "codecs",
    "ctypes",
    "ctypeslib",
    "distutils",
    "f2py",
    "fromfile",
    "genfromtxt",
    "inspect",
    "loadtxt",
    "memmap",
    "modules",
    "savetxt",
    "savez",
    "savez_compressed",
    "subprocess",
    "sys",
    "testing",
    "tofile",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What differs between the kinds of sources.

    Attributes:
        modules: What may be imported, with submodules unless an attribute of that
            name is denied.
        denied_names: What must not be named, with what to do instead.
        denied_attributes: Attributes that lead out of the program.
        offered: Those of the modules that capabilities add.
    """

    modules: frozenset[str]
    denied_names: dict[str, str]
    denied_attributes: frozenset[str] = DENIED_ATTRIBUTES
    offered: frozenset[str] = frozenset()


RULES: dict[PolicyProfile, Rules] = {
    "module": Rules(_MODULES, DENIED_NAMES),
    "program": Rules(
        _PROGRAM_MODULES,
        {n: why for n, why in DENIED_NAMES.items() if n not in _PROGRAM_NAMES},
    ),
}


def rules_of(profile: PolicyProfile, capabilities: Sequence[Capability] = ()) -> Rules:
    """Returns the rules for a kind of source where capabilities are on."""
    rules = RULES[profile]
    for capability in capabilities:
        rules = replace(
            rules,
            modules=rules.modules | capability.modules,
            denied_attributes=rules.denied_attributes | capability.denied_attributes,
            offered=rules.offered | capability.modules,
        )
    return rules


ALLOWED_DUNDER_ATTRIBUTES = frozenset(
    {
        "__abs__",
        "__add__",
        "__annotations__",
        "__bool__",
        "__call__",
        "__class__",
        "__contains__",
        "__copy__",
        "__deepcopy__",
        "__doc__",
        "__enter__",
        "__eq__",
        "__exit__",
        "__float__",
        "__floordiv__",
        "__ge__",
        "__getitem__",
        "__getattr__",
        "__gt__",
        "__hash__",
        "__index__",
        "__init__",
        "__init_subclass__",
        "__int__",
        "__iter__",
        "__le__",
        "__len__",
        "__lt__",
        "__matmul__",
        "__mod__",
        "__mul__",
        "__name__",
        "__ne__",
        "__neg__",
        "__new__",
        "__next__",
        "__post_init__",
        "__pow__",
        "__qualname__",
        "__radd__",
        "__repr__",
        "__reversed__",
        "__rmul__",
        "__rsub__",
        "__rtruediv__",
        "__setattr__",
        "__setitem__",
        "__slots__",
        "__str__",
        "__sub__",
        "__truediv__",
        "__version__",
    }
)
ALLOWED_DUNDER_NAMES = ALLOWED_DUNDER_ATTRIBUTES | {
    "__all__",
    "__author__",
    "__debug__",
    "__name__",
    "__file__",
}


USUAL_MODULES = {
    "collections",
    "copy",
    "dataclasses",
    "enum",
    "functools",
    "itertools",
    "math",
    "random",
    "typing",
}

PLAIN_NODES = (
    "AnnAssign",
    "Assign",
    "AugAssign",
    "Call",
    "ClassDef",
    "Constant",
    "Delete",
    "DictComp",
    "For",
    "GeneratorExp",
    "Global",
    "Lambda",
    "ListComp",
    "MatMult",
    "Match",
    "MatchAs",
    "MatchClass",
    "MatchMapping",
    "MatchOr",
    "MatchSequence",
    "MatchSingleton",
    "MatchStar",
    "MatchValue",
    "Module",
    "NamedExpr",
    "Nonlocal",
    "SetComp",
    "Slice",
    "Starred",
    "Subscript",
    "Try",
    "Tuple",
    "With",
    "Yield",
    "YieldFrom",
    "comprehension",
    "match_case",
    "withitem",
)
"""Nodes that RestrictedPython rewrites or refuses for its own way of running code."""

assert set(DENIED_NAMES) <= set(dir(builtins)) | {"exit", "quit"}
