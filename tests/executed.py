"""A plugin of pytest for `tests.mutate`: which tests run which lines of the package, and a run of chosen tests alone.

What it is to do stands in two variables: `EXECUTED_MAP`, where to write the map; `EXECUTED_CHOICE`, what to run.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests import temporary

_ENOUGH = 20  # calls of one function in one test: from then on all of its lines count as run
_KEPT = {"tests.temporary"}  # its caches are the folders of this run

Tracer = Callable[[FrameType, str, Any], Any]


class Watch:
    """Follows the package's functions; between tests, and in fixtures that several share, what runs belongs to all."""

    def __init__(self, package: Path, to: Path) -> None:
        self.prefix, self.to = f"{package}{os.sep}", to
        self.test = ""
        self.now: dict[str, set[int]] = {}
        self.calls: dict[tuple[str, int], int] = {}
        self.lines: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        self.shared: dict[str, set[int]] = defaultdict(set)
        self.passed: dict[str, float] = {}
        self.failed: set[str] = set()
        self.modules, self.forget = 0, list[Callable[[], object]]()
        self.handed = temporary.folder("handed")

    def begin(self, test: str) -> None:
        self.test, self.now, self.calls = test, defaultdict(set), {}

    def hand_over(self) -> None:
        """What ran in a fork, for the process that it was forked from."""
        lines = {file: sorted(lines) for file, lines in self.now.items()}
        (self.handed / str(os.getpid())).write_text(json.dumps(lines), encoding="utf-8")

    def end(self) -> None:
        test, self.test = self.test, ""
        for handed in self.handed.iterdir():
            for file, lines in json.loads(handed.read_text(encoding="utf-8")).items():
                self.now[file].update(lines)
            handed.unlink()
        if test in self.failed or test not in self.passed:
            return
        for file, lines in self.now.items():
            for line in lines:
                self.lines[file][line].append(len(self.passed) - 1)

    def called(self, frame: FrameType, event: str, argument: object) -> Tracer | None:
        code = frame.f_code
        if not code.co_filename.startswith(self.prefix):
            return None
        lines = self.now[code.co_filename] if self.test else self.shared[code.co_filename]
        calls = self.calls[code.co_filename, code.co_firstlineno] = (
            self.calls.get((code.co_filename, code.co_firstlineno), 0) + 1
        )
        if self.test and calls >= _ENOUGH:
            if calls == _ENOUGH:
                lines.update(line for _, _, line in code.co_lines() if line is not None)
            return None

        def line(frame: FrameType, event: str, argument: object) -> Tracer:
            lines.add(frame.f_lineno)
            return line

        return line

    def clear(self) -> None:
        """What an earlier test has had thought out would be no line of the next one."""
        if len(sys.modules) != self.modules:
            self.modules, self.forget = len(sys.modules), list(caches())
        for each in self.forget:
            each()

    def write(self) -> None:
        lines = {
            file.removeprefix(self.prefix): {line: sorted(set(tests)) for line, tests in found.items()}
            for file, found in self.lines.items()
        }
        shared = {file.removeprefix(self.prefix): sorted(found) for file, found in self.shared.items()}
        found = {"seconds": self.passed, "failed": sorted(self.failed), "lines": lines, "shared": shared}
        self.to.write_text(json.dumps(found), encoding="utf-8")

    # What pytest calls.

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.clear()
        self.begin(item.nodeid)
        try:
            return (yield)
        finally:
            self.end()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
        if fixturedef.scope == "function":
            return (yield)
        test, self.test = self.test, ""
        try:
            return (yield)
        finally:
            self.test = test

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.when == "call" and report.passed:
            self.passed[report.nodeid] = report.duration

    def pytest_sessionfinish(self) -> None:
        sys.settrace(None)
        self.write()


def caches() -> Iterator[Callable[[], object]]:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in {"gpuprobe", "tests"} and name not in _KEPT:
            for value in list(vars(module).values()):
                if callable(forget := getattr(value, "cache_clear", None)):
                    yield forget
                elif getattr(value, "__qualname__", "") == "once.<locals>.asked":
                    yield from (cell.cell_contents.clear for cell in value.__closure__ if isinstance(cell.cell_contents, list))


class Choice:
    """Runs the chosen tests as they are ordered, and then those that nobody knows: a mutant may give a case another name."""

    def __init__(self, read: Path, to: Path) -> None:
        choice = json.loads(read.read_text(encoding="utf-8"))
        self.chosen = {test: place for place, test in enumerate(choice["chosen"])}
        self.known = set(choice["known"])
        self.to = to

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self.chosen or item.nodeid not in self.known]
        items.sort(key=lambda item: self.chosen.get(item.nodeid, len(self.chosen)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed:
            with self.to.open("a", encoding="utf-8") as notes:
                notes.write(report.nodeid.replace("\n", " ") + "\n")


def pytest_configure(config: pytest.Config) -> None:
    from tests import in_a_fork

    if to := os.environ.get("EXECUTED_MAP"):
        watch = Watch(Path.cwd() / "gpuprobe", Path(to))
        in_a_fork.take_over(watch.hand_over)
        config.pluginmanager.register(watch)
        sys.settrace(watch.called)
        threading.settrace(watch.called)
    if read := os.environ.get("EXECUTED_CHOICE"):
        in_a_fork.take_over()
        config.pluginmanager.register(Choice(Path(read), Path(os.environ["EXECUTED_FAILED"])))
