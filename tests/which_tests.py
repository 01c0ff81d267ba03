"""Which tests can notice that a line of the package is another: those that run it, the nearest first."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.mutants import Mutant
from tests.test_layers import MODULES, PACKAGE, own

TESTS = Path(__file__).parent
# Tests that start no process, compile nothing and read no file of this machine.
PURE_TESTS = ("unit", "doctor", "fleet", "machinecode")
# Whole machines, and the commands that judge a capture or read answers of others: through all pure rooms.
_COMMANDS = ("doctor", "env", "env_for", "fleet", "forms_of_list", "plan", "plan_measured", "software", "undecided", "unviewed")
WHOLE = (TESTS / "test_scenarios.py", *(TESTS / "cli" / f"test_{name}.py" for name in _COMMANDS))


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
    file = str(MODULES[mutant.module].relative_to(PACKAGE))
    return not mutant.inside or mutant.line in known.shared.get(file, ())


def nearest_first(mutant: Mutant, known: Map) -> list[str]:
    tests = _tests_of(mutant, known)
    return sorted(tests, key=lambda test: (mutant.module not in _imports(_file(test)), known.seconds[test], test))


def _tests_of(mutant: Mutant, known: Map) -> set[str]:
    """Those that run its line, or its function where no line is known; of a module's own lines all that may depend on them."""
    file = str(MODULES[mutant.module].relative_to(PACKAGE))
    if not runs_on_import(mutant, known):
        return known.of_lines(file, [mutant.line]) or known.of_lines(file, mutant.inside)
    found = known.of_lines(file, map(int, known.lines.get(file, {})))
    files = {
        test for test in files_of_tests() if test in WHOLE or any(mutant.module in _reached(each) for each in _imports(test))
    }
    return found | {test for test in known.tests if test not in known.failed and _file(test) in files}


def read_map(written: Path) -> Map:
    found = json.loads(written.read_text(encoding="utf-8"))
    return Map(tuple(found["seconds"]), found["seconds"], frozenset(found["failed"]), found["lines"], found["shared"])
