"""Which lines read what a module's own statement names: there it is noticed that a table or a constant is another.

Followed by name: into functions and methods, through the statements of modules, and through imports.
"""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.mutants import run_as
from tests.test_layers import MODULES


class Name(NamedTuple):
    """What `module` calls `name`, which may be `alias.name` of a module that it imports."""

    module: str
    name: str


class Read(NamedTuple):
    """What one module reads: the lines in functions, and the names that its own statements make of it."""

    lines: frozenset[int]
    made: frozenset[str]


_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def readers(module: str, line: int) -> dict[str, set[int]]:
    """By module, the lines of functions that read what the statement on `line` names; of what it calls, all lines."""
    found: dict[str, set[int]] = defaultdict(set)
    left = [Name(module, name) for name in sorted(_named_by(module, line))]
    seen = set(left)
    while left:
        each = left.pop()
        read = _read(each)
        found[each.module] |= _body_of(each) | read.lines
        new = {*_elsewhere(each), *(Name(each.module, name) for name in read.made)} - seen
        seen |= new
        left += sorted(new)
    return dict(found)


@functools.cache
def _tree(module: str) -> ast.Module:
    return ast.parse(run_as(module))


def _named_by(module: str, line: int) -> set[str]:
    return {name for each in _tree(module).body if line in _lines(each) for name in _names(each)}


def _lines(node: ast.AST) -> range:
    first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
    decorators = getattr(node, "decorator_list", [])
    return range(min([first, *(each.lineno for each in decorators)]), last + 1)


def _names(statement: ast.AST) -> Iterator[str]:
    """What a module's own statement gives a value to, also below an `if`."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Name) and isinstance(statement.ctx, ast.Store):
        yield statement.id
    else:
        for child in ast.iter_child_nodes(statement):
            yield from _names(child)


def _body_of(named: Name) -> set[int]:
    """A function's and a class's own lines."""
    return {
        line
        for each in _tree(named.module).body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and each.name == named.name
        for line in _lines(each)
    }


def _read(named: Name) -> Read:
    lines, made = set[int](), set[str]()
    for statement in _tree(named.module).body:
        for line, called in _places(statement, named.name, False):
            if called:
                lines.add(line)
            else:
                made |= set(_names(statement))
    return Read(frozenset(lines), frozenset(made - {named.name}))


def _places(node: ast.AST, name: str, called: bool) -> Iterator[tuple[int, bool]]:
    """Each line where a name is read, and whether only a call of a function runs it."""
    if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load) and _spelt(node) == name:
        yield node.lineno, called
    body = node.body if isinstance(node, _Function) else []
    within: Iterable[ast.AST] = body if isinstance(body, list) else [body]
    annotations = (getattr(node, "annotation", None), getattr(node, "returns", None))  # never run
    for child in ast.iter_child_nodes(node):
        if child not in annotations:
            yield from _places(child, name, called or child in within)


def _spelt(node: ast.Name | ast.Attribute) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return f"{node.value.id}.{node.attr}" if isinstance(node.value, ast.Name) else ""


def _elsewhere(named: Name) -> Iterator[Name]:
    """What other modules call it."""
    parent, _, leaf = named.module.rpartition(".")
    for other, alias in _imported().get(named, ()):
        yield Name(other, alias)
    for other, alias in _imported().get(Name(parent, leaf), ()):
        yield Name(other, f"{alias}.{named.name}")


@functools.cache
def _imported() -> dict[Name, list[Name]]:
    """What each name is called by those who import it, in a function too."""
    found: dict[Name, list[Name]] = defaultdict(list)
    for module in MODULES:
        for node in ast.walk(_tree(module)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "gpuprobe":
                origin = node.module.removeprefix("gpuprobe").removeprefix(".")
                for alias in node.names:
                    found[Name(origin, alias.name)].append(Name(module, alias.asname or alias.name))
    return dict(found)
