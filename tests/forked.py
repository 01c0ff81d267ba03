"""A plugin of pytest for `tests.mutate`: the tests are collected once, and each mutant runs some of them in a fork.

In the fork the functions of the changed module get their changed code; what runs when a module is imported is not changed so.
`FORKED_JOBS` is a file of what to do, `FORKED_TO` where the verdicts go.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import pytest

from tests import in_a_fork, temporary
from tests.executed import caches
from tests.mutants import mutated

ASLEEP = 5  # times as long by the clock, on a machine that has other work too
OTHER_WAY = "other way"  # no verdict: the change cannot be made in a fork, or the fork has ended before its tests did


class Job(NamedTuple):
    """`name` is what a verdict is about; `seconds` of a core are what all of its tests may take."""

    name: str
    module: str
    file: str
    place: int
    tests: tuple[int, ...]
    seconds: float


class Running(NamedTuple):
    job: Job
    folder: Path
    end: float


def change(job: Job) -> bool:
    """Gives every function of the module its code in the mutant; False where one cannot have it."""
    importlib.import_module(f"gpuprobe.{job.module}")
    file = str(Path.cwd() / "gpuprobe" / job.file)
    changed = {
        (code.co_qualname, code.co_firstlineno): code for code in _codes(compile(mutated(job.module, job.place), file, "exec"))
    }
    found = [each for each in gc.get_objects() if type(each) is FunctionType and each.__code__.co_filename == file]
    for function in found:
        code = changed.get((function.__code__.co_qualname, function.__code__.co_firstlineno))
        if code is None or len(code.co_freevars) != len(function.__code__.co_freevars):
            return False
        function.__code__ = code
    return bool(found)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


class Forks:
    def __init__(self, jobs: Path, to: Path) -> None:
        asked = json.loads(jobs.read_text(encoding="utf-8"))
        self.jobs = [Job(**{**job, "tests": tuple(job["tests"])}) for job in asked["jobs"]]
        self.names: list[str] = asked["tests"]
        self.memory, self.limit, self.seconds = asked["memory"], asked["at_once"], asked["seconds"]
        self.to = to
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        for job in self.jobs:
            importlib.import_module(f"gpuprobe.{job.module}")
        items = {item.nodeid: item for item in session.items}
        end, left, running = time.monotonic() + self.seconds, self.jobs[::-1], dict[int, Running]()
        while running or (left and time.monotonic() < end):
            if left and len(running) < self.limit and time.monotonic() < end:
                job = left.pop()
                folder = temporary.folder("fork")
                running[self._fork(job, folder, items)] = Running(job, folder, time.monotonic() + ASLEEP * job.seconds)
            self._collect(running)
            time.sleep(0.02)
        return True

    def _collect(self, running: dict[int, Running]) -> None:
        for number, (job, folder, end) in list(running.items()):
            ended, status = os.waitpid(number, os.WNOHANG)
            if late := not ended and time.monotonic() > end:
                os.killpg(number, signal.SIGKILL)
                os.waitpid(number, 0)
            if ended or late:
                del running[number]
                late = late or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU)
                self._note(job, folder / "verdict", late)
                shutil.rmtree(folder, ignore_errors=True)

    def _note(self, job: Job, said: Path, late: bool) -> None:
        how, _, by = (said.read_text(encoding="utf-8") if said.exists() else OTHER_WAY).partition("\t")
        with self.to.open("a", encoding="utf-8") as verdicts:
            verdicts.write(f"timeout\t{job.name}\t\n" if late else f"{how}\t{job.name}\t{by}\n")

    def _fork(self, job: Job, folder: Path, items: dict[str, pytest.Item]) -> int:
        if (number := os.fork()) != 0:
            return number
        status = 1
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_AS, (self.memory, self.memory))
            resource.setrlimit(resource.RLIMIT_CPU, (int(job.seconds), int(job.seconds) + 5))
            os.environ["PYTEST_DEBUG_TEMPROOT"] = str(folder)
            verdict = self._judge(job, [items[self.names[test]] for test in job.tests])
            (folder / "verdict").write_text(verdict, encoding="utf-8")
            status = 0
        finally:
            os._exit(status)

    def _judge(self, job: Job, items: list[pytest.Item]) -> str:
        for forget in caches():
            forget()
        if not change(job):
            return OTHER_WAY
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failed:
                return f"killed\t{self.failed[0]}"
        return "survived"


def pytest_configure(config: Any) -> None:
    if jobs := os.environ.get("FORKED_JOBS"):
        in_a_fork.take_over()
        config.pluginmanager.register(Forks(Path(jobs), Path(os.environ["FORKED_TO"])))
