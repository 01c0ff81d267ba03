"""Mutants of the pure rooms, and whether a test notices: `python -m tests.mutate` (a sample of 300; minutes).

A mutant is one changed place: a comparison, a word of logic, a number, a sum, what is returned, a condition taken for granted.
It runs in a copy of the package with the unit tests that import its module, then with whole machines, up to the first failure.
Tests that fail without a mutant are left out.
`--sample N`, `--seed N`, `--only TEXT` (of a module's name), `--minutes N`: no new mutant after that time.
"""

from __future__ import annotations

import argparse
import ast
import copy
import functools
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests import temporary
from tests.test_layers import MODULES, PACKAGE, own, room

ROOMS = ("judging", "doctor", "planning", "machine", "strings", "fleet", "machinecode", "environment")
TESTS = Path(__file__).parent
# Tests that start no process, compile nothing and read no file of this machine.
PURE_TESTS = ("unit", "doctor", "fleet", "machinecode")
WHOLE = (TESTS / "test_scenarios.py",)  # whole machines through all pure rooms: asked last
PATIENCE = 180.0  # seconds; a mutant that never ends is noticed
AT_ONCE = os.cpu_count() or 1

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


class Mutant(NamedTuple):
    """The `place`-th node of a module's tree that can be changed, in its `way`."""

    module: str
    place: int
    line: int
    what: str

    @property
    def name(self) -> str:
        return f"{self.module}:{self.line}: {self.what}"


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


def mutants(module: str) -> list[Mutant]:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    found = [(node, what) for node in _nodes(tree) for what, _ in changed(node)]
    return [Mutant(module, place, getattr(node, "lineno", 0), what) for place, (node, what) in enumerate(found)]


def mutated(mutant: Mutant) -> str:
    tree = ast.parse(MODULES[mutant.module].read_text(encoding="utf-8"))
    node, after = [(node, after) for node in _nodes(tree) for _, after in changed(node)][mutant.place]

    class Change(ast.NodeTransformer):
        def visit(self, other: ast.AST) -> ast.AST:
            return after if other is node else self.generic_visit(other)

    return ast.unparse(ast.fix_missing_locations(Change().visit(tree)))


@functools.cache
def _imports(test: Path) -> frozenset[str]:
    """The modules of the package that a test file, or a helper it imports, names."""
    text = test.read_text(encoding="utf-8")
    named = {name for name in MODULES if re.search(rf"\bgpuprobe\.{re.escape(name)}\b", text)}
    named |= {
        f"{parent}.{name}"
        for parent, names in re.findall(r"from gpuprobe\.([\w.]+) import \(?([\w, \n]+)", text)
        for name in re.split(r"[,\s]+", names)
        if f"{parent}.{name}" in MODULES
    }
    return frozenset(named)


@functools.cache
def _reached(module: str) -> frozenset[str]:
    """The module and whatever it imports, however far."""
    found, left = set[str](), [module]
    while left:
        each = left.pop()
        if each not in found:
            found.add(each)
            left += own(MODULES[each])
    return frozenset(found)


def tests_of(module: str) -> list[Path]:
    """Those that name it, or where none does those that name what imports it; then whole machines."""
    near = [test for test in _pure_tests() if module in _imports(test)]
    far = [test for test in _pure_tests() if any(module in _reached(name) for name in _imports(test))]
    return [*(near or far), *WHOLE]


def _pure_tests() -> list[Path]:
    return [test for folder in PURE_TESTS for test in sorted((TESTS / folder).rglob("test_*.py"))]


@functools.cache
def _failing_anyway() -> tuple[str, ...]:
    """The tests that fail on the tree as it is, which say nothing of a mutant."""
    tests = [str(test.relative_to(TESTS.parent)) for test in (*_pure_tests(), *WHOLE)]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rfE", *tests]
    done = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=False)
    return tuple(re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE))


def survives(mutant: Mutant) -> bool:
    source = mutated(mutant)
    folder = temporary.folder("mutant")
    try:
        for name in ("gpuprobe", "tests", "docs", "pyproject.toml", "README.md", "CHANGELOG.md"):
            (folder / name).symlink_to(PACKAGE.parent / name)
        (folder / "gpuprobe").unlink()
        shutil.copytree(PACKAGE, folder / "gpuprobe", ignore=shutil.ignore_patterns("__pycache__"), copy_function=os.link)
        changed_file = folder / "gpuprobe" / MODULES[mutant.module].relative_to(PACKAGE)
        changed_file.unlink()
        changed_file.write_text(source, encoding="utf-8")
        tests = [str(test.relative_to(TESTS.parent)) for test in tests_of(mutant.module)]
        return _passes(folder, tests)
    finally:
        shutil.rmtree(folder)


def _passes(folder: Path, tests: list[str]) -> bool:
    left_out = [word for test in _failing_anyway() for word in ("--deselect", test)]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *left_out, *tests]
    environ = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        return (
            subprocess.run(command, cwd=folder, env=environ, capture_output=True, timeout=PATIENCE, check=False).returncode == 0
        )
    except subprocess.TimeoutExpired:
        return False


def sample(number: int, seed: int, only: str) -> list[Mutant]:
    modules = [name for name in MODULES if room(name) in ROOMS and only in name]
    known = [mutant for module in modules for mutant in mutants(module)]
    return random.Random(seed).sample(known, min(number, len(known)))


def run(chosen: Iterable[Mutant], minutes: float) -> list[tuple[Mutant, bool]]:
    end = time.monotonic() + minutes * 60

    def judged(mutant: Mutant) -> tuple[Mutant, bool] | None:
        if time.monotonic() > end:
            return None
        survived = survives(mutant)
        if survived:
            sys.stdout.write(f"survived: {mutant.name}\n")
            sys.stdout.flush()
        return mutant, survived

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [result for result in pool.map(judged, chosen) if result is not None]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutate", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--only", default="")
    parser.add_argument("--minutes", type=float, default=60.0)
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    sys.stdout.write(f"{len(_failing_anyway())} tests fail without a mutant\n")
    results = run(sample(chosen.sample, chosen.seed, chosen.only), chosen.minutes)
    survivors = Counter(room(mutant.module) for mutant, survived in results if survived)
    for name, count in sorted(Counter(room(mutant.module) for mutant, _ in results).items()):
        sys.stdout.write(f"{name}: {count} mutants, {count - survivors[name]} killed\n")
    killed = len(results) - survivors.total()
    sys.stdout.write(f"{len(results)} mutants, {killed} killed ({killed / max(1, len(results)):.0%}) in ")
    sys.stdout.write(f"{time.monotonic() - began:.0f} s\n")
    return int(killed < 0.9 * len(results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
