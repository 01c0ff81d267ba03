"""Children that stay after their answer, so that the next reading costs a line in a pipe and not a start.

One that died or hung is replaced at the next reading; `lost` says what became of it. One that cannot be killed is not
replaced while it is there: the next would get stuck beside it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from gpuprobe import contexts as contextlib
from gpuprobe.model import Json, Outcome, Probe, Status
from gpuprobe.probing import spawning as subprocess
from gpuprobe.probing import termination
from gpuprobe.probing.answers import Answers
from gpuprobe.probing.children import KILL_SECONDS, Child, Children, spawn
from gpuprobe.probing.pipes import quiet_pipe
from gpuprobe.record_classes import NamedTuple


class Lost(NamedTuple):
    """A child that is no more. `outcome` None: it ended behind an answer, when nothing was asked of it."""

    probe: Probe
    process: int
    outcome: Outcome | None
    code: int | None = None  # as subprocess tells it: below 0 the number of a signal


class PersistentChildren(Children):
    """Used like `Children`, reading after reading; `close` at the end of the last one."""

    def __init__(self, environ: Mapping[str, str], watch: Callable[[str], None] | None = None) -> None:
        super().__init__(environ, watch)
        self._resting: dict[Probe, tuple[Json, Child]] = {}  # with the request that it answers
        self._requests: dict[Probe, Json] = {}
        self._stuck: dict[Probe, subprocess.Popen[bytes]] = {}
        self._lost: list[Lost] = []

    def lost(self) -> tuple[Lost, ...]:
        """Those that ended since this was asked before."""
        found, self._lost = tuple(self._lost), []
        return found

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Of the children that rest between two readings."""
        return tuple(child.process.pid for _, child in self._resting.values())

    def start(self, probe: Probe, request: Json, seconds: float) -> None:
        self._bury_the_dead()
        if (stuck := self._stuck.get(probe)) and stuck.poll() is None:
            message = f"not asked: process {stuck.pid}, which was asked before, cannot be ended"
            self._finished.append(Outcome(probe, status=Status.SKIPPED, message=message))
            return
        asked_before, child = self._resting.pop(probe, ({}, None))
        if child is not None and asked_before == request:
            _ask_again(child, seconds)
            self._children.append(child)
            return
        if child is not None:
            self._end(child)
        self._requests[probe] = request
        super().start(probe, {**request, "repeat": True}, seconds)

    def _spawned(self, environ: Mapping[str, str]) -> tuple[subprocess.Popen[bytes], int | None, Json]:
        pipe = quiet_pipe()
        if pipe is None:
            return super()._spawned(environ)
        near, far = pipe
        try:
            return spawn(environ, (far,)), near, {"quiet": far}
        except BaseException:
            os.close(near)
            raise
        finally:
            os.close(far)

    def close(self) -> None:
        self._children += [child for _, child in self._resting.values()]
        self._resting.clear()
        super().close()

    def _wait(self, deadline: float | None) -> None:
        # The descriptor of one that died while it rested would wake the selector again and again.
        self._bury_the_dead()
        super()._wait(deadline)

    def _attend(self, child: Child, now: float, deadline: float | None) -> None:
        if child.answers.done_at is None or child.process.poll() is not None:
            super()._attend(child, now, deadline)
            ended = child not in self._children
        else:
            self._children.remove(child)
            self._finished.append(child.answered())
            ended = child.answers.rubbish is not None
            if ended:
                self._end(child)
            else:
                self._resting[child.probe] = (self._requests[child.probe], child)
        if ended:
            if child.process.poll() is None:
                self._stuck[child.probe] = child.process
            has_answered = child.answers.done_at is not None and child.answers.rubbish is None
            outcome = None if has_answered else self._finished[-1]
            self._lost.append(Lost(child.probe, child.process.pid, outcome, child.process.returncode))

    def _bury_the_dead(self) -> None:
        for probe, (_, child) in list(self._resting.items()):
            if child.process.poll() is not None:
                del self._resting[probe]
                termination.kill_marked(child.mark)
                self._lost.append(Lost(probe, child.process.pid, None, child.process.returncode))
                self._forget(child)

    def _end(self, child: Child) -> None:
        termination.kill(child.process.pid, child.mark)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.process.wait(KILL_SECONDS)
        self._forget(child)


def _ask_again(child: Child, seconds: float) -> None:
    child.answers = Answers(child.probe, child.answers)
    child.stderr.forget()
    child.begin(seconds)
    with contextlib.suppress(BrokenPipeError):  # it has just died: its end will be noticed as that of any other
        if child.process.stdin is not None:
            child.process.stdin.write(b"\n")
