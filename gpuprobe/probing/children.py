"""Starting child processes, reading what they say as they say it, and ending them.

The end of a child is its exit or its limit, never the end of a pipe: an orphan that holds the pipe open must delay nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

from gpuprobe import contexts as contextlib
from gpuprobe import json_texts as json
from gpuprobe.model import Json, Outcome, Probe, Purpose, Status
from gpuprobe.probing import asking, descendants, termination
from gpuprobe.probing import spawning as selectors
from gpuprobe.probing import spawning as subprocess
from gpuprobe.probing.answers import Answers
from gpuprobe.probing.pipes import Tail, exit_descriptor, read_waiting, receive, selectable, stop_waiting
from gpuprobe.probing.selector import a_selector
from gpuprobe.probing.start import CHILD, NotStarted, interpreter, why_it_never_began, why_refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KEPT_BYTES = 1024 * 1024
GRACE_SECONDS = 0.2  # between asking to end and killing
KILL_SECONDS = 0.25  # a killed process that is still there after this is stuck in the kernel
CLOSE_SECONDS = 1.0  # at most; without anything left behind nothing waits
FOR_EVER = 1e6  # seconds; who waits for its turn is ended by the deadline, or when all others have ended
POLL_SECONDS = 0.02  # where the system cannot tell by a descriptor that a child has ended

Take = Callable[[bytes], None]


class Child:
    """One running child and what it has said so far."""

    def __init__(
        self, probe: Probe, process: subprocess.Popen[bytes], mark: str, seconds: float, quiet: int | None = None
    ) -> None:
        self.probe = probe
        self.process = process
        self.mark = mark
        self.quiet = quiet  # a pipe that is read only when something else has come
        self.escalation = 0  # 1: asked to end, 2: killed
        self.started: tuple[descendants.Relative, ...] = ()
        self.exit_descriptor = exit_descriptor(process.pid)
        self.answers = Answers(probe)
        self.stderr = Tail(KEPT_BYTES)
        self.begin(seconds)

    def begin(self, seconds: float) -> None:
        """From now on it has this long for an answer."""
        self.seconds = seconds
        self.began = time.monotonic()
        self.next_escalation = self.began + seconds
        self._line = self._quiet_line = b""
        self._heard = 0
        self._waits_since: float | None = None
        self._waited = 0.0

    @property
    def waits(self) -> bool:
        """Whether it waits for its turn, which is no time of its own: its limit waits with it."""
        return self.answers.is_waiting

    def hear(self, chunk: bytes) -> None:
        """Takes protocol bytes. More than a runner ever says is rubbish, and is not kept."""
        self.hear_quiet()
        if self._fits(chunk):
            *lines, self._line = (self._line + chunk).split(b"\n")
            for line in lines:
                self.answers.take(line)

    def hear_quiet(self) -> None:
        """Takes what lies in the quiet pipe; it was said before what comes now."""
        while self.quiet is not None and (chunk := read_waiting(self.quiet)) and self._fits(chunk):
            *lines, self._quiet_line = (self._quiet_line + chunk).split(b"\n")
            self.answers.take_quiet(lines)

    def _fits(self, chunk: bytes) -> bool:
        self._heard += len(chunk)
        if self._heard > KEPT_BYTES:
            self.answers.reject(f"more than {KEPT_BYTES} bytes")
        return self._heard <= KEPT_BYTES

    def pause(self, now: float) -> None:
        """It has begun to wait."""
        if self._waits_since is None:
            self._waits_since = now
            self.next_escalation += FOR_EVER

    def go_on(self, now: float) -> None:
        """Its turn has come."""
        self.answers.is_waiting = False
        if self._waits_since is not None:
            self._waited += now - self._waits_since
            self.next_escalation += now - self._waits_since - FOR_EVER
            self._waits_since = None
        with contextlib.suppress(OSError):
            if self.process.stdin is not None:
                self.process.stdin.write(b"\n")

    def escalate(self, now: float) -> bool:
        """One degree further towards its end: asked, then killed. False: nothing is left to try."""
        if self.escalation == 0:
            self.started = descendants.below(self.process.pid)  # were it to end at once, they would no longer be below it
            termination.ask_to_end(self.process.pid)
        elif self.escalation == 1:
            termination.kill(self.process.pid, self.mark)
        else:
            return False
        self.next_escalation = now + (GRACE_SECONDS if self.escalation == 0 else KILL_SECONDS)
        self.escalation += 1
        return True

    def outcome(self) -> Outcome:
        """What became of it, once it has ended or been given up."""
        self.hear_quiet()
        code = self.process.returncode
        status, message = self._ending(code)
        if status in (Status.OK, Status.CRASHED) and self.answers.has_begun is False and self.answers.rubbish is None:
            status, message = Status.NOT_STARTED, why_it_never_began(code, self.stderr.text())
        return self.answers.outcome(
            status=status,
            message=message,
            seconds=round(time.monotonic() - self.began - self._waited, 6),
            exit_code=code if code is not None and code >= 0 else None,
            signal=-code if code is not None and code < 0 else None,
            stderr=self.stderr.text(),
            stderr_dropped=self.stderr.dropped,
            survivors=() if code is not None else (self.process.pid,),
        )

    def answered(self) -> Outcome:
        """What it said, when it is done and stays."""
        seconds = round(time.monotonic() - self.began, 6)
        kept = {"stderr": self.stderr.text(), "stderr_dropped": self.stderr.dropped}
        return self.answers.outcome(status=Status.OK, seconds=seconds, **kept)

    def _ending(self, code: int | None) -> tuple[Status, str | None]:
        """Asked in this order, because a child that we end shows a signal too."""
        if code is None:
            stuck = termination.state_of(self.process.pid) == "D"
            why = "it is stuck in the kernel" if stuck else "it has not ended yet"
            return Status.ABANDONED, f"process {self.process.pid} was killed, and {why}"
        if self.escalation:
            in_time = time.monotonic() - self.began - self._waited < self.seconds
            return Status.TIMED_OUT, "no answer before the deadline" if in_time else f"no answer within {self.seconds:g} s"
        # Windows ends a crashed process with an NTSTATUS of severity error (0xC0000005 and the like) as its exit code.
        return (Status.CRASHED, None) if code < 0 or code >= 0x80000000 else (Status.OK, None)


class Children:
    """The children of one gathering. `start` never fails: a child that cannot start is an outcome too."""

    def __init__(self, environ: Mapping[str, str], watch: Callable[[str], None] | None = None) -> None:
        self._environ = environ
        self.watch = watch
        self._mark = os.urandom(8).hex()
        self._selector = a_selector()
        self._children: list[Child] = []
        self._finished: list[Outcome] = []
        self._count = 0
        self._timing: Child | None = None
        self.beside: tuple[float, Callable[[], None]] | None = None  # to be done at a moment, if anybody still runs then

    @property
    def running(self) -> tuple[Probe, ...]:
        """What has been started and not yet been delivered by `next`: two children may end in one moment."""
        finished = (outcome.probe for outcome in self._finished)
        return (*(child.probe for child in self._children), *finished)

    @property
    def is_anyone_timing(self) -> bool:
        """Whether a child times copies, or waits for its turn to."""
        return self._timing is not None or any(child.waits for child in self._children)

    def start(self, probe: Probe, request: Json, seconds: float) -> None:
        """Starts one child with its limit in seconds."""
        self._count += 1
        mark = f"{self._mark}.{self._count}."  # the last dot keeps child 1 apart from child 10
        try:
            environ = asking.child_environment(self._environ, probe, mark, request.get("directories", ()))
            process, quiet, more = self._spawned(environ)
        except (OSError, NotStarted) as problem:
            message = why_refused(problem) if isinstance(problem, OSError) else str(problem)
            self._finished.append(Outcome(probe, status=Status.NOT_STARTED, message=message))
            return
        child = Child(probe, process, mark, seconds, quiet)
        try:
            self._listen(child)
        except OSError as problem:
            self._give_up(child, problem)
            return
        self._children.append(child)
        _tell(process, {**request, **more})

    def next(self, deadline: float | None = None) -> Outcome | None:
        """The next outcome; None when no child is left. At `deadline` (monotonic seconds) all that still run are ended."""
        while not self._finished and self._children:
            self._wait(deadline)
            now = time.monotonic()
            for child in list(self._children):
                self._attend(child, now, deadline)
            self._give_the_turn(now)
        return self._finished.pop(0) if self._finished else None

    def close(self) -> None:
        """Ends every child and everything that carries this gathering's mark. Called in any case, also on Ctrl-C."""
        for child in self._children:
            termination.kill(child.process.pid, child.mark)
        for child in self._children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(CLOSE_SECONDS)
            self._forget(child)
        self._children.clear()
        if self._count:
            termination.wait_until_gone(termination.kill_marked(self._mark), CLOSE_SECONDS)
        self._selector.close()

    def _spawned(self, environ: Mapping[str, str]) -> tuple[subprocess.Popen[bytes], int | None, Json]:
        """A child, its quiet pipe if it has one, and what it is told of that."""
        return spawn(environ), None, {}

    def _listen(self, child: Child) -> None:
        for pipe, take in ((child.process.stdout, child.hear), (child.process.stderr, child.stderr.add)):
            if pipe is not None:
                self._selector.register(selectable(pipe), selectors.EVENT_READ, (child, take))
        if child.exit_descriptor is not None:
            self._selector.register(child.exit_descriptor, selectors.EVENT_READ, (child, None))

    def _give_up(self, child: Child, problem: OSError) -> None:
        """Whom nobody can listen to is ended before it touches a library."""
        termination.kill(child.process.pid, child.mark)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.process.wait(CLOSE_SECONDS)
        self._forget(child)
        self._finished.append(Outcome(child.probe, status=Status.NOT_STARTED, message=why_refused(problem)))

    def _wait(self, deadline: float | None) -> None:
        moments = [child.next_escalation for child in self._children]
        if deadline is not None and any(child.escalation == 0 for child in self._children):
            moments.append(deadline)
        if self.beside is not None:
            moments.append(self.beside[0])
        timeout = max(0.0, min(moments) - time.monotonic())
        if any(child.exit_descriptor is None for child in self._children):
            timeout = min(timeout, POLL_SECONDS)
        for key, _ in self._selector.select(timeout):
            self._read(key)
        if self.beside is not None and time.monotonic() >= self.beside[0]:
            (_, do), self.beside = self.beside, None
            do()

    def _read(self, key: selectors.SelectorKey) -> None:
        take: Take | None = key.data[1]
        if take is None:
            return
        try:
            chunk = receive(key.fileobj)  # type: ignore[arg-type]
        except OSError as problem:
            chunk = b""  # as if it had come to its end
            if take == key.data[0].hear:
                key.data[0].answers.reject(f"reading it failed: {problem.strerror}")
        if not chunk:
            self._selector.unregister(key.fileobj)
            return
        take(chunk)
        self._tell_watch()

    def _give_the_turn(self, now: float) -> None:
        """To one child at a time, and only when no other is at work: a copy beside it would be timed along."""
        if self._timing not in self._children:
            self._timing = None
        proofs = [child for child in self._children if child.probe.purpose is Purpose.PROVE]
        for child in proofs:
            if child.waits:
                child.pause(now)
        if proofs and self._timing is None and all(child.waits for child in proofs):
            self._timing = proofs[0]
            proofs[0].go_on(now)

    def _attend(self, child: Child, now: float, deadline: float | None) -> None:
        late = now >= child.next_escalation or (child.escalation == 0 and deadline is not None and now >= deadline)
        if child.process.poll() is None and (not late or child.escalate(now)):
            return
        self._drain(child)
        self._children.remove(child)
        if child.answers.done_at is None:
            self._end_what_it_left(child)  # which must not outlive us, should we be killed
        self._finished.append(child.outcome())
        self._forget(child)
        self._tell_watch()

    def _end_what_it_left(self, child: Child) -> None:
        termination.kill_marked(child.mark)
        descendants.kill(child.started)
        if child.process.returncode is None or termination.WINDOWS:
            return
        # A pipe that has not come to its end is held by somebody, and the child is no more.
        if held := [key.fd for key in self._keys(child) if key.data[1] is not None]:
            descendants.kill_holders(held)

    def _tell_watch(self) -> None:
        if self.watch is not None and self._children:
            asked = (f"{child.probe.library}: {child.answers.last_call or 'starting'}" for child in self._children)
            self.watch(", ".join(asked))

    def _drain(self, child: Child) -> None:
        """What lies in the pipes when the child has ended, and no more: an orphan may write for ever.

        A pipe holds 64 KiB, or 1 MiB where somebody enlarged it: more cannot be from before the end.
        """
        for key in self._keys(child):
            if key.data[1] is not None:
                with contextlib.suppress(OSError):
                    stop_waiting(key.fileobj)  # type: ignore[arg-type]
                    self._read_rest(key)

    def _read_rest(self, key: selectors.SelectorKey) -> None:
        """OSError (mostly BlockingIOError) where there is no more and nobody has closed the other end."""
        rest = KEPT_BYTES
        while rest > 0:
            if not (chunk := receive(key.fileobj, rest)):  # type: ignore[arg-type]
                self._selector.unregister(key.fileobj)
                return
            rest -= len(chunk)
            key.data[1](chunk)

    def _forget(self, child: Child) -> None:
        for key in self._keys(child):
            self._selector.unregister(key.fileobj)
        if child.exit_descriptor is not None:
            with contextlib.suppress(OSError):  # whatever close(2) says, it is closed; and the outcome is known
                os.close(child.exit_descriptor)
            child.exit_descriptor = None
        if child.quiet is not None:
            with contextlib.suppress(OSError):
                os.close(child.quiet)
            child.quiet = None
        for pipe in (child.process.stdin, child.process.stdout, child.process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _keys(self, child: Child) -> list[selectors.SelectorKey]:
        return [key for key in self._selector.get_map().values() if key.data[0] is child]


def spawn(environ: Mapping[str, str], descriptors: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """Started apart from our session, so that it and its descendants can be signalled together."""
    apart: dict[str, Any] = {"creationflags": 0x200} if termination.WINDOWS else {"start_new_session": True}
    return subprocess.Popen(
        [interpreter(), "-I", "-S", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=dict(environ),
        pass_fds=descriptors,
        **apart,
    )


def _tell(process: subprocess.Popen[bytes], request: Json) -> None:
    """The request; its pipe then stays open, and closes when we die: that is how the child notices."""
    with contextlib.suppress(BrokenPipeError):
        if process.stdin is not None:
            process.stdin.write(json.dumps(request).encode() + b"\n")
