"""Mutants of a module: one changed place each, a comparison, a word of logic, a number, a sum, what is returned, a condition.

A module is taken as `ast.unparse` writes it, one statement a line, and so are its lines here, except in a mutant's name.
"""

from __future__ import annotations

import ast
import copy
import functools
import itertools
from collections.abc import Iterator
from typing import NamedTuple

from tests.test_layers import MODULES, room

# What is mutated: no file is read there and nothing started.
ROOMS = ("judging", "doctor", "planning", "machine", "strings", "fleet", "machinecode", "environment")
_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Mutant(NamedTuple):
    """The `place`-th change that a module's tree allows.

    `line` is that of its statement, `inside` are the lines of the outermost function around it: none where a module's own lines
    are changed, which run when it is imported.
    """

    module: str
    place: int
    shown_line: int
    line: int
    inside: range
    what: str

    @property
    def name(self) -> str:
        return f"{self.module}:{self.shown_line}: {self.what}"


def changed(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The ways to change one node, each with its words."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        other = copy.deepcopy(node)
        other.ops = [_COMPARED[type(node.ops[0])]()]
        yield _as(node, other)
    elif isinstance(node, ast.BoolOp):
        other_logic = copy.deepcopy(node)
        other_logic.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        yield _as(node, other_logic)
        yield _as(node, copy.deepcopy(node.values[0]))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield _as(node, copy.deepcopy(node.operand))
    elif isinstance(node, ast.BinOp) and type(node.op) in _COMPUTED and not _is_text(node):
        other_sum = copy.deepcopy(node)
        other_sum.op = _COMPUTED[type(node.op)]()
        yield _as(node, other_sum)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield _as(node, ast.Constant(not node.value))
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield _as(node, ast.Constant(node.value + 1))
    elif isinstance(node, ast.IfExp):
        yield _as(node, copy.deepcopy(node.body))
        yield _as(node, copy.deepcopy(node.orelse))
    elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
        yield _as(node, ast.Return(ast.Constant(None)))


def _as(before: ast.AST, after: ast.AST) -> tuple[str, ast.AST]:
    return f"`{ast.unparse(before)[:70]}` as `{ast.unparse(after)[:70]}`".replace("\n", " "), after


def _is_text(node: ast.AST) -> bool:
    """Subtracting texts fails wherever it is reached, which tests nothing; annotations are not run."""
    return any(isinstance(part, ast.JoinedStr | ast.List | ast.Tuple) for part in ast.walk(node)) or any(
        isinstance(part, ast.Constant) and (isinstance(part.value, str) or part.value is None) for part in ast.walk(node)
    )


def _nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """What runs inside functions, and the constants of a module; no annotations, no docstrings."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        for name in ("annotation", "returns"):
            if annotation := getattr(node, name, None):
                skipped |= {id(part) for part in ast.walk(annotation)}
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skipped |= {id(part) for part in ast.walk(node)}
    yield from (node for node in ast.walk(tree) if id(node) not in skipped)


def source_of(module: str) -> str:
    return ast.unparse(_as_written(module))


def run_as(module: str) -> str:
    """Its text where the tests run."""
    return source_of(module) if room(module) in ROOMS else MODULES[module].read_text(encoding="utf-8")


@functools.cache
def _as_written(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def mutants(module: str) -> list[Mutant]:
    tree = ast.parse(source_of(module))
    runs = dict(_statements(tree, 0, range(0)))
    found = [
        (node, getattr(written, "lineno", 0), what)
        for node, written in zip(_nodes(tree), _nodes(_as_written(module)), strict=True)
        for what, _ in changed(node)
    ]
    return [Mutant(module, place, line, *runs[node], what) for place, (node, line, what) in enumerate(found)]


def _statements(node: ast.AST, line: int, inside: range) -> Iterator[tuple[ast.AST, tuple[int, range]]]:
    """Each node below, with the line of its statement and the lines of the outermost function whose call runs it."""
    if isinstance(node, ast.stmt):
        line = node.lineno
    yield node, (line, inside)
    body: list[ast.stmt] = node.body if isinstance(node, _Function) else []
    for child in ast.iter_child_nodes(node):
        within = inside
        if child in body and isinstance(node, _Function) and not inside:
            within = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        yield from _statements(child, line, within)


def mutated(module: str, place: int) -> str:
    tree = ast.parse(source_of(module))
    changes = ((node, after) for node in _nodes(tree) for _, after in changed(node))
    node, after = next(itertools.islice(changes, place, None))

    class Change(ast.NodeTransformer):
        def visit(self, other: ast.AST) -> ast.AST:
            return after if other is node else self.generic_visit(other)

    return ast.unparse(ast.fix_missing_locations(Change().visit(tree)))
