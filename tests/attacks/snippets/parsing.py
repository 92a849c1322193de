"""Sources made for the parser, the one part that meets them outside the sandbox."""

from tests.attacks.attack import Category

parsing = Category("parsing")

SYNTAX = (
    "SyntaxError",
    "MemoryError",
    "RecursionError",
    "IndentationError",
    "ValueError",
)
BAD = "raised rejected memory_exceeded crashed"


def _bad(name: str, text: str, kinds: str = BAD) -> None:
    parsing.text(
        name,
        text,
        kinds,
        errors=(*SYNTAX, "ContractViolation", "NameError", "TypeError"),
    )


_bad("too_long", "#" * (64 * 1024 + 1), "rejected")
_bad("too_long_in_bytes", "#" + "\u00e9" * (33 * 1024), "rejected")
_bad("nul", "x = 1\0", "rejected")
_bad("surrogate", "x = '\ud800'", "rejected")
_bad("byte_order_mark", "\ufeffx = 1")
_bad("empty", "")
_bad("declared_encoding", "# -*- coding: rot13 -*-\nraise ValueError")
_bad("unknown_encoding", "# -*- coding: no-such -*-\nraise ValueError")
_bad("brackets", "(" * 30_000)
_bad("nested_lists", "[" * 20_000 + "]" * 20_000)
_bad("minus_signs", "-" * 60_000 + "1")
_bad("nots", "not " * 15_000 + "1")
_bad("lambdas", "lambda:" * 8_000 + "1")
_bad("attributes", "a" + ".a" * 30_000)
_bad("calls", "a" + "()" * 30_000)
_bad("sums", "1" + "+1" * 30_000, BAD + " completed")
_bad("comparisons", "1" + "<1" * 30_000)
_bad("powers", "2" + "**2" * 20_000)
_bad("branches", "if 0: pass\n" + "elif 0: pass\n" * 4_500)
_bad("indents", "".join(" " * i + "if 1:\n" for i in range(99)))
_bad("targets", "a=" * 30_000 + "1", BAD)
_bad("digits", "x = " + "9" * 60_000)
_bad("formatted_text", 'f"' + "{1}" * 15_000 + '"')
_bad("decorators", "@a\n" * 20_000 + "def f(): pass")
_bad("arguments", "def f(" + ",".join(f"a{i}" for i in range(9_000)) + "): pass")
_bad("conditionals", "1 if 1 else " * 5_000 + "1")
_bad("open_braces", "{" * 99 + "a:a" + "}" * 99)
_bad(
    "folded_constant",
    "x = " + "(" * 20 + "2**62" + "*2**62)" * 20 + "\nx = 'a' * 4096 * 4096",
)
_bad("wide_unpacking", "(" + "*a," * 15_000 + ") = 1")
_bad("form_feeds", "\f" * 60_000 + "x = (")
_bad("line_continuations", "\\\n" * 30_000 + "1 1")
_bad("look_alike_names", "\u1d07\uff58\uff45\uff43('1/0')")
_bad("reversed_comment", "x = 1 # \u202e return\ny = (")
