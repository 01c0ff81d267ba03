"""Which tests can notice that a line of the package is another: those that run it, the nearest first."""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.mutants import Mutant
from tests.readers import readers
from tests.test_layers import MODULES, PACKAGE, own

TESTS = Path(__file__).parent
# Tests that start no process, compile nothing and read no file of this machine.
PURE_TESTS = ("unit", "doctor", "fleet", "machinecode")
# Whole machines, and the commands that judge a capture or read answers of others: through all pure rooms.
_COMMANDS = ("doctor", "env", "env_for", "fleet", "forms_of_list", "plan", "plan_measured", "software", "undecided", "unviewed")
WHOLE = (TESTS / "test_scenarios.py", *(TESTS / "cli" / f"test_{name}.py" for name in _COMMANDS))

# Tests that a mutant of a module's own lines has to survive: those that read what is changed, and others that depend on it.
NEAR, FAR = 300, 200


class Map(NamedTuple):
    """What `tests.executed` notes: `lines` has, for a file's line, the numbers of the tests that run it."""

    tests: tuple[str, ...]
    seconds: dict[str, float]
    failed: frozenset[str]
    lines: dict[str, dict[str, list[int]]]
    shared: dict[str, list[int]]

    def of_lines(self, file: str, lines: Iterable[int]) -> set[str]:
        run = self.lines.get(file, {})
        return {self.tests[number] for line in lines for number in run.get(str(line), ())} - self.failed


_FROM = re.compile(r"from gpuprobe((?:\.\w+)*) import (\([^)]+\)|[\w, ]+)")


@functools.cache
def _imports(test: Path) -> frozenset[str]:
    """The modules of the package that a test file, or a helper it imports, names."""
    text = test.read_text(encoding="utf-8")
    named = {name for name in re.findall(r"\bgpuprobe\.([a-z_][\w.]*\w)", text) if name in MODULES}
    named |= {
        module
        for parent, names in _FROM.findall(text)
        for name in re.findall(r"\w+", names)
        if (module := f"{parent}.{name}".removeprefix(".")) in MODULES
    }
    helpers = {TESTS.joinpath(*name.split(".")).with_suffix(".py") for name in re.findall(r"from tests\.([\w.]+) import", text)}
    return frozenset(named).union(*(_imports(helper) for helper in helpers - {test} if helper.exists()))


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


def files_of_tests() -> list[Path]:
    return [test for folder in PURE_TESTS for test in sorted((TESTS / folder).rglob("test_*.py"))] + [*WHOLE]


def _file(test: str) -> Path:
    return TESTS.parent / test.partition("::")[0]


def runs_on_import(mutant: Mutant, known: Map) -> bool:
    """Or before a test of its own, in what several tests share."""
    return not mutant.inside or mutant.line in known.shared.get(_in_package(mutant.module), ())


def nearest_first(mutant: Mutant, known: Map) -> list[str]:
    return _bounded(mutant, known) if runs_on_import(mutant, known) else running(mutant, known)


def running(mutant: Mutant, known: Map) -> list[str]:
    """All that run its line, which is a function's."""
    tests = _that_run(mutant, known)
    return sorted(tests, key=lambda test: (mutant.module not in _imports(_file(test)), known.seconds[test], test))


def _that_run(mutant: Mutant, known: Map) -> set[str]:
    """Those that run its line, or its function where no line is known."""
    file = _in_package(mutant.module)
    return known.of_lines(file, [mutant.line]) or known.of_lines(file, mutant.inside)


def _bounded(mutant: Mutant, known: Map) -> list[str]:
    """First those that run a line which reads what the changed statement names, or the changed line of a function that several
    tests share; then others that depend on the module. Of each, files that name the module come first, and each file in turn:
    a bound leaves out slower tests of a file before it leaves out a file."""
    near = _that_run(mutant, known) if mutant.inside else _that_read(mutant, known)
    return [
        *_in_turn(near, mutant, known)[:NEAR],
        *_in_turn(_dependent(mutant.module, known) - near, mutant, known)[:FAR],
    ]


def _that_read(mutant: Mutant, known: Map) -> set[str]:
    lines = readers(mutant.module, mutant.line)
    return set[str]().union(*(known.of_lines(_in_package(module), read) for module, read in lines.items()))


def _in_turn(tests: set[str], mutant: Mutant, known: Map) -> list[str]:
    turn, of_file = dict[str, int](), Counter[str]()
    for test in sorted(tests, key=lambda test: (known.seconds[test], test)):
        turn[test] = of_file[test.partition("::")[0]]
        of_file[test.partition("::")[0]] += 1
    return sorted(turn, key=lambda test: (mutant.module not in _imports(_file(test)), turn[test], known.seconds[test]))


def _dependent(module: str, known: Map) -> set[str]:
    """All that run a line of the module, or whose file reaches it by imports, and whole machines."""
    file = _in_package(module)
    found = known.of_lines(file, map(int, known.lines.get(file, {})))
    files = {test for test in files_of_tests() if test in WHOLE or any(module in _reached(each) for each in _imports(test))}
    return found | {test for test in known.tests if test not in known.failed and _file(test) in files}


def _in_package(module: str) -> str:
    return str(MODULES[module].relative_to(PACKAGE))


def read_map(written: Path) -> Map:
    found = json.loads(written.read_text(encoding="utf-8"))
    return Map(tuple(found["seconds"]), found["seconds"], frozenset(found["failed"]), found["lines"], found["shared"])
