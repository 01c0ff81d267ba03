"""Children as `subprocess` starts them, and the waiting for what they say as `selectors` does it, as far as children need it.

Those two load fifteen modules more, a sixth of a start. They are taken themselves where the system is not Linux.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from io import FileIO

from gpuprobe import signals as signal
from gpuprobe.record_classes import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

STANDARD_ERROR = 2  # the last of a process's streams

__all__ = ["EVENT_READ", "PIPE", "DefaultSelector", "Popen", "SelectorKey", "TimeoutExpired"]

if TYPE_CHECKING or sys.platform != "linux":
    from selectors import EVENT_READ, DefaultSelector, SelectorKey
    from subprocess import PIPE, Popen, TimeoutExpired
else:
    from select import EPOLLIN, epoll

    PIPE, EVENT_READ = -1, 1
    _LONGEST_NAP = 0.05  # seconds between two looks at a process that is waited for
    _OPEN = "/proc/self/fd"

    class TimeoutExpired(Exception):
        """The process is still there."""

    class Popen:
        """A process in a session of its own, with a pipe for each of its three streams. OSError where it cannot be had.

        It is given nothing else that is open here but `pass_fds`, and the signals that Python ignores are not ignored in it.
        """

        def __init__(self, args: Sequence[str], *, env: Mapping[str, str], pass_fds: Sequence[int] = (), **_: Any) -> None:
            self.returncode: int | None = None
            pipes = _pipes()
            theirs = [end if place else begin for place, (begin, end) in enumerate(pipes)]
            ours = [begin if place else end for place, (begin, end) in enumerate(pipes)]
            try:
                self.pid = _spawned(args, env, theirs, pass_fds)
            except BaseException:
                _close(ours)
                raise
            finally:
                _close(theirs)
            self.stdin, self.stdout, self.stderr = FileIO(ours[0], "wb"), FileIO(ours[1], "rb"), FileIO(ours[2], "rb")

        def poll(self) -> int | None:
            """How it ended: below 0 the number of a signal; None: not yet."""
            if self.returncode is None:
                try:
                    process, status = os.waitpid(self.pid, os.WNOHANG)
                except ChildProcessError:  # somebody else was told
                    self.returncode = 0
                else:
                    self.returncode = os.waitstatus_to_exitcode(status) if process == self.pid else None
            return self.returncode

        def wait(self, seconds: float) -> int:
            end, nap = time.monotonic() + seconds, 0.0005
            while (code := self.poll()) is None:
                if time.monotonic() >= end:
                    raise TimeoutExpired
                time.sleep(nap)
                nap = min(2 * nap, _LONGEST_NAP)
            return code

    def _pipes() -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        try:
            found.extend(os.pipe() for _ in range(3))
        except OSError:
            _close([end for pipe in found for end in pipe])
            raise
        return found

    def _close(descriptors: Sequence[int]) -> None:
        for descriptor in descriptors:
            os.close(descriptor)

    def _spawned(args: Sequence[str], env: Mapping[str, str], streams: Sequence[int], passed: Sequence[int]) -> int:
        """Where a stream of this process was closed, a pipe has its number: no other stream must be put over that one."""
        high, made = [], []
        try:
            for stream in streams:
                descriptor = stream
                while descriptor <= STANDARD_ERROR:
                    descriptor = os.dup(descriptor)
                    made.append(descriptor)
                high.append(descriptor)
            as_streams = [(os.POSIX_SPAWN_DUP2, descriptor, place) for place, descriptor in enumerate(high)]
            left_open = _inheritable()
            if left_open is None:
                return _by_subprocess(args, env, high, passed)
            closed = [(os.POSIX_SPAWN_CLOSE, each) for each in left_open if each not in passed]
            for each in passed:
                os.set_inheritable(each, True)
            defaults = [signal.SIGPIPE, signal.SIGXFSZ]
            return os.posix_spawn(args[0], args, env, file_actions=[*as_streams, *closed], setsid=True, setsigdef=defaults)
        except NotImplementedError:  # a C library without POSIX_SPAWN_SETSID
            return _by_subprocess(args, env, high, passed)
        except OSError as problem:
            if problem.errno != errno.EBADF:
                raise
            # glibc refuses to close a number above the limit of open files, which was lowered after it was opened.
            return _by_subprocess(args, env, high, passed)
        finally:
            for each in passed:
                os.set_inheritable(each, False)
            _close(made)

    def _by_subprocess(args: Sequence[str], env: Mapping[str, str], streams: Sequence[int], passed: Sequence[int]) -> int:
        import subprocess

        stdin, stdout, stderr = streams
        given = {"stdin": stdin, "stdout": stdout, "stderr": stderr, "pass_fds": passed}
        process = subprocess.Popen(args, env=env, start_new_session=True, **given)
        process.returncode = 0  # it is not waited for there
        return process.pid

    def _inheritable() -> list[int] | None:
        """What whoever started this process left open for its children: a pipe among it would seem held by ours. None: that
        cannot be listed, as without /proc, and subprocess tries each number."""
        try:
            names = os.listdir(_OPEN)  # noqa: PTH208 - pathlib loads urllib and ipaddress
        except OSError:
            return None
        found = []
        for name in names:
            try:
                if int(name) > STANDARD_ERROR and os.get_inheritable(int(name)):
                    found.append(int(name))
            except OSError:
                continue  # the listing's own
        return found

    class SelectorKey(NamedTuple):
        fileobj: int
        fd: int
        events: int
        data: Any

    class DefaultSelector:
        """Of descriptors that are read from."""

        def __init__(self) -> None:
            self._epoll = epoll()
            self._keys: dict[int, SelectorKey] = {}

        def register(self, descriptor: int, events: int, data: Any) -> None:
            self._epoll.register(descriptor, EPOLLIN)
            self._keys[descriptor] = SelectorKey(descriptor, descriptor, events, data)

        def unregister(self, descriptor: int) -> None:
            del self._keys[descriptor]
            try:
                self._epoll.unregister(descriptor)
            except OSError:
                return  # it was closed before

        def select(self, seconds: float) -> list[tuple[SelectorKey, int]]:
            """What there is to read, after so many seconds at most."""
            whole_milliseconds = -(-max(0.0, seconds) * 1000 // 1)
            ready = self._epoll.poll(whole_milliseconds / 1000, max(1, len(self._keys)))
            return [(self._keys[descriptor], EVENT_READ) for descriptor, _ in ready if descriptor in self._keys]

        def get_map(self) -> dict[int, SelectorKey]:
            return self._keys

        def close(self) -> None:
            self._epoll.close()
            self._keys.clear()
