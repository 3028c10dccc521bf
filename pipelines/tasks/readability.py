"""How hard a program is to look through: helper functions, and cyclomatic complexity (McCabe, 1976); it is parsed, not run."""

import ast
from dataclasses import dataclass

LONGEST = 10**5  # characters
BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.Assert, ast.match_case)


@dataclass(frozen=True, slots=True)
class Readability:
    """`helpers`: function definitions. `complexity`: of the whole program, 1 and one more for each way that it may branch."""

    helpers: int
    complexity: int


def readability(program: str) -> Readability | None:
    """Of a program; none where it can't be parsed, or is longer than any that a person would look through."""
    if len(program) > LONGEST:
        return None
    try:
        nodes = list(ast.walk(ast.parse(program)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    helpers = sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes)
    return Readability(helpers, 1 + sum(map(_branches, nodes)))


def _branches(node: ast.AST) -> int:
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    return int(isinstance(node, BRANCHES))
