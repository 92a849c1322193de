"""Lays out statements as a person would: a long sum or call takes several lines."""

import ast

WIDTH = 88


def lay_out(start: str, node: ast.expr, indent: int, end: str = "") -> list[str]:
    """Returns the lines of `start`, an expression and `end`.

    Args:
        start: What stands before the expression, such as `"x = "`.
        node: The expression.
        indent: Spaces before the first line.
        end: What follows the expression, such as a comma.
    """
    margin = " " * indent
    flat = f"{margin}{start}{ast.unparse(node)}{end}"
    if len(flat) <= WIDTH:
        return [flat]
    match node:
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.BitOr() | ast.BitAnd()):
            inner = [f"{margin}    {line}" for line in _chain(node)]
            return [f"{margin}{start}(", *inner, f"{margin}){end}"]
        case ast.Call(args=[*parts], keywords=[*named]):
            opening, closing = f"{ast.unparse(node.func)}(", ")"
            names = [f"{k.arg}=" for k in named]
            parts = [*parts, *(k.value for k in named)]
        case ast.List(elts=parts):
            opening, closing, names = "[", "]", []
        case _:
            return [flat]
    if not parts:
        return [flat]
    heads = [""] * (len(parts) - len(names)) + names
    together = f"{margin}    {ast.unparse(node)[len(opening) : -1]}"
    if len(together) <= WIDTH and isinstance(node, ast.Call):
        return [f"{margin}{start}{opening}", together, f"{margin}{closing}{end}"]
    lines = [f"{margin}{start}{opening}"]
    for head, part in zip(heads, parts, strict=True):
        lines += lay_out(head, part, indent + 4, ",")
    return [*lines, f"{margin}{closing}{end}"]


_SIGNS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.BitOr: "|",
    ast.BitAnd: "&",
}


def _chain(node: ast.BinOp) -> list[str]:
    """Returns the terms of a chain of operators that are read from left to right."""
    both = (ast.Add, ast.Sub)
    kinds = both if isinstance(node.op, both) else (type(node.op),)
    terms: list[str] = []
    left: ast.expr = node
    while isinstance(left, ast.BinOp) and isinstance(left.op, kinds):
        alone = ast.unparse(ast.BinOp(ast.Name("_"), left.op, left.right))
        terms.append(alone.removeprefix("_ "))
        left = left.left
    first = ast.unparse(ast.BinOp(left, node.op, ast.Name("_")))
    terms.append(first.removesuffix(f" {_SIGNS[type(node.op)]} _"))
    return terms[::-1]
