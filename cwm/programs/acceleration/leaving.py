"""How statements leave the loop or the function that they are in, from their text."""

import ast
import copy

RETURNED, RESULT = "*returned", "*result"
"""Variables of a function: whether a loop has returned, and what."""


def leaving(body: list[ast.stmt]) -> set[str]:
    """Returns how statements may leave the block that they are in."""
    found: set[str] = set()
    for node in body:
        match node:
            case ast.Return():
                found.add("return")
            case ast.Break():
                found.add("break")
            case ast.Continue():
                found.add("continue")
            case ast.For() | ast.While():
                found |= leaving(node.body) & {"return"}
            case ast.If():
                found |= leaving(node.body) | leaving(node.orelse)
            case ast.With():
                found |= leaving(node.body)
    return found


def is_unused(node: ast.For) -> bool:
    """Returns whether a loop does not use what it goes over."""
    names = {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
    used = {
        n.id for part in node.body for n in ast.walk(part) if isinstance(n, ast.Name)
    }
    return not names & used


def returns_itself(body: list[ast.stmt]) -> bool:
    """Returns whether statements return, but no loop among them does."""
    loops = [n for part in body for n in ast.walk(part) if isinstance(n, _LOOPS)]
    return "return" in leaving(body) and not any(
        "return" in leaving(loop.body) for loop in loops
    )


def broken_instead(node: ast.For) -> ast.For:
    """Returns a loop that notes what it would return, and breaks."""
    changed = _Returns().visit(copy.deepcopy(node))
    assert isinstance(changed, ast.For), "a loop stays a loop"
    return ast.fix_missing_locations(changed)


def return_after(node: ast.For) -> ast.If:
    """Returns what follows such a loop: it returns what was noted."""
    value = ast.Name(id=RESULT, ctx=ast.Load())
    after = ast.If(
        test=ast.Name(id=RETURNED, ctx=ast.Load()),
        body=[ast.Return(value=value)],
        orelse=[],
    )
    return ast.fix_missing_locations(ast.copy_location(after, node))


_LOOPS = (ast.For, ast.While)


class _Returns(ast.NodeTransformer):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Leaves functions of their own as they are."""
        return node

    def visit_Return(self, node: ast.Return) -> list[ast.stmt]:
        """Notes the value and breaks."""
        names = ((RESULT, node.value or ast.Constant(value=None)),)
        values = (*names, (RETURNED, ast.Constant(value=True)))
        return [
            *(
                ast.copy_location(
                    ast.Assign(targets=[ast.Name(id=n, ctx=ast.Store())], value=v),
                    node,
                )
                for n, v in values
            ),
            ast.copy_location(ast.Break(), node),
        ]
