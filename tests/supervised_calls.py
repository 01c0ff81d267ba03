"""Each system call of a program is told before it is made, and answered: it is made, or it fails as it is said (seccomp(2)).

A call is named by what it is for (its path, what its descriptor is, what it asks of it) and not by a number among all calls:
how often a pipe is read or a file of `/proc` opened is another thing in each run. `strace --inject` can only count.
Linux 5.5 and a C compiler; the program may start no other user's programs (`no_new_privs`).
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import functools
import os
import re
import select
import shlex
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests import temporary
from tests.doubles import c_compiler

SOURCE = Path(__file__).with_suffix(".c")
MARK = b"GPUPROBE_CHILD="
MAIN = "main"
LEFT_RUNNING = 124
BEFORE_EXEC = "a child before it is one"
_RECEIVE, _SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV and _SEND (linux/seccomp.h)
_GO_ON = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE
# SECCOMP_IOCTL_NOTIF_SET_FLAGS and SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, from Linux 6.6 on: the supervisor is woken on the
# program's processor, which saves most of the waiting where others work too.
_SET_FLAGS, _SYNC = 0x40082104, 1
_TOLD = struct.Struct("=QII iIQ6Q")
_ANSWER = struct.Struct("=QqiI")
# Which argument is a path, which a descriptor, and what else says what a call is for.
_PATHS = {
    "openat": 1,
    "newfstatat": 1,
    "statx": 1,
    "readlinkat": 1,
    "unlinkat": 1,
    "mkdirat": 1,
    "faccessat": 1,
    "faccessat2": 1,
}
_PATHS |= dict.fromkeys(
    ("access", "stat", "lstat", "readlink", "unlink", "rename", "mkdir", "chmod", "statfs", "rmdir", "open"), 0
)
_DESCRIPTORS = dict.fromkeys(
    (
        "read", "pread64", "write", "fstat", "getdents64", "fsync", "fchmod", "lseek", "ioctl", "fcntl", "close", "dup", "dup2",
        "epoll_ctl", "epoll_wait", "epoll_pwait", "flock", "ftruncate", "setsockopt", "connect",
    ),
    0,
) | {"mmap": 4}  # fmt: skip
_WORDS = {"ioctl": 1, "fcntl": 1, "epoll_ctl": 1, "kill": 1, "prlimit64": 1, "wait4": 2, "lseek": 2, "socket": 0}
_ALSO = {"epoll_ctl": 2, "dup2": 1}  # a second descriptor
# The tests' own folders, and files that get their names when they are whole: `.devices.4.3f9c`, `.machine.json.x_8k2ab1`.
_TEMPORARY = re.compile(r"((?:/gpuprobe-tests|/doubles|/compiled|/failing)-|/\.(?:[a-z]+\.json|devices)\.)[\w.]+")
_NUMBERS = re.compile(r"0x[0-9a-f]+|\d+")


class Call(NamedTuple):
    """`process`: MAIN, which child, or which other program; `purpose`: without numbers, which are others in each run."""

    process: str
    name: str
    purpose: str
    text: str


Answer = Callable[[Call], int | None]  # the number of an error, or None: it is made


class Ended(NamedTuple):
    """`late`: it had not ended in time, and was killed."""

    code: int
    out: str
    err: str
    late: bool


def run(
    command: Sequence[str],
    names: Iterable[str],
    answer: Answer,
    environment: Mapping[str, str],
    *,
    seconds: float,
    place: Path,
    children: bool = True,
    before: Sequence[str] = (),
) -> Ended:
    """Runs it in a PID namespace of its own where it may, so that `/proc` has nobody else's processes.

    `place`: a folder that is another one in each run. `children`: whether calls of others than MAIN are told too.
    `before`: what runs first in the same namespaces, unseen.
    """
    ours, theirs = socket.socketpair()
    numbers = ",".join(str(_numbers()[name]) for name in names if name in _numbers())
    behind = ["sh", "-c", f'{shlex.join(before)} >&2 && exec "$@"', "sh"] if before else []
    started = [*_alone(), *behind, str(_program()), str(theirs.fileno()), numbers, *command]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(started, cwd="/", env=environment, text=True, pass_fds=[theirs.fileno()], **streams) as process:  # type: ignore[call-overload]
        theirs.close()
        supervisor = threading.Thread(target=_supervise, args=(ours, answer, _Told(place), children), daemon=True)
        supervisor.start()
        try:
            out, err = process.communicate(timeout=seconds)
            late = False
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            late = True
        supervisor.join(seconds)
    ours.close()
    return Ended(process.returncode, out, err, late)


@functools.cache
def _program() -> Path:
    folder = temporary.folder("supervised")
    asked = "\n".join(f'#ifdef __NR_{name}\n    {{"{name}", __NR_{name}}},\n#endif' for name in _KNOWN)
    (folder / "numbers.h").write_text(asked + "\n")
    program = folder / "supervised_calls"
    command = [c_compiler(), "-O1", "-Wall", "-Wextra", "-Werror", f"-I{folder}", "-o", str(program), str(SOURCE)]
    subprocess.run(command, check=True)
    return program


@functools.cache
def _numbers() -> dict[str, int]:
    lines = subprocess.run([_program()], capture_output=True, text=True, check=True).stdout.splitlines()
    return {name: int(number) for number, name in map(str.split, lines)}


@functools.cache
def _names() -> dict[int, str]:
    return {number: name for name, number in _numbers().items()}


@functools.cache
def _alone() -> tuple[str, ...]:
    namespace = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    if shutil.which("unshare") and subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode == 0:
        return namespace
    return ()


@functools.cache
def why_not() -> str | None:
    """Why no call can be supervised here; None: they can."""
    ended = run(["true"], ["openat"], lambda call: None, dict(os.environ), seconds=10, place=Path("/nowhere"))
    return None if ended.code == 0 else ended.err.strip() or f"exit {ended.code}"


def _supervise(ours: socket.socket, answer: Answer, told: _Told, children: bool) -> None:
    _, rights, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(4))
    if not rights:
        return
    listener = array.array("i", rights[0][2][:4])[0]
    with contextlib.suppress(OSError):
        fcntl.ioctl(listener, _SET_FLAGS, _SYNC)
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    try:
        while not any(events & select.POLLHUP for _, events in poll.poll()):
            _answer_one(listener, told, answer, children)
    finally:
        os.close(listener)


def _answer_one(listener: int, told: _Told, answer: Answer, children: bool) -> None:
    room = bytearray(_TOLD.size)
    try:
        fcntl.ioctl(listener, _RECEIVE, room)
        number, thread, _, which, _, _, *arguments = _TOLD.unpack(room)
        error = answer(told.call(thread, _names()[which], arguments)) if children or told.is_main(thread) else None
        said = _ANSWER.pack(number, 0, -error if error else 0, 0 if error else _GO_ON)
        fcntl.ioctl(listener, _SEND, said)
    except OSError as problem:
        if problem.errno not in (errno.ENOENT, errno.EINTR):  # it was killed meanwhile
            raise


class _Told:
    """What is known of the processes of one run."""

    def __init__(self, place: Path) -> None:
        self._place = str(place)
        self._groups: dict[int, int] = {}
        self._main: int | None = None

    def call(self, thread: int, name: str, arguments: list[int]) -> Call:
        what = [self._path(thread, name, arguments)] if name in _PATHS else []
        if name in _DESCRIPTORS:
            what.append(self._descriptor(thread, arguments[_DESCRIPTORS[name]]))
        if name in _ALSO:
            what.append(self._descriptor(thread, arguments[_ALSO[name]]))
        word = [f"{arguments[_WORDS[name]] & 0xFFFFFFFF:#x}"] if name in _WORDS else []
        text = ", ".join(what).replace(self._place, "/the/place")
        shown = ", ".join((*filter(None, (text,)), *word))
        return Call(self._process(thread), name, ", ".join((*filter(None, (_plain(text),)), *word)), shown)

    def _path(self, thread: int, name: str, arguments: list[int]) -> str:
        at = _PATHS[name]
        path = _text(thread, arguments[at])
        if at == 1 and not path.startswith("/"):
            below = self._descriptor(thread, arguments[0])
            return f"{below}/{path}" if path else below
        return path

    def _descriptor(self, thread: int, number: int) -> str:
        number &= 0xFFFFFFFF
        if number >= 1 << 31:
            return "cwd" if number == 0xFFFFFF9C else ""
        try:
            found = os.readlink(f"/proc/{thread}/fd/{number}")
        except OSError:
            return "none"
        return f"<{found}>" if number > 2 else f"{number}<{found}>"

    def is_main(self, thread: int) -> bool:
        group = self._group(thread)
        if self._main is None:
            self._main = group
        return group == self._main

    def _process(self, thread: int) -> str:
        return MAIN if self.is_main(thread) else _child(self._group(thread), self._main or 0)

    def _group(self, thread: int) -> int:
        group = self._groups.get(thread)
        if group is None:
            group = self._groups[thread] = _group(thread)
        return group


def _plain(text: str) -> str:
    return _NUMBERS.sub("N", _TEMPORARY.sub(r"\1N", text))


def _group(thread: int) -> int:
    try:
        return int(Path(f"/proc/{thread}/status").read_text().partition("Tgid:")[2].split()[0])
    except (OSError, IndexError):
        return thread


def _child(process: int, main: int) -> str:
    """Children are numbered as they were started; what else runs is called by its program."""
    try:
        mark = re.search(rb"(?:^|\0)" + MARK + rb"\w+\.(\d+)\.", Path(f"/proc/{process}/environ").read_bytes())
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
        same = words == Path(f"/proc/{main}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "one that is gone"
    if mark:
        return f"child {mark[1].decode()}"
    return BEFORE_EXEC if same else os.path.basename(words[0].decode(errors="replace"))


def _text(thread: int, address: int) -> str:
    try:
        memory = os.open(f"/proc/{thread}/mem", os.O_RDONLY)
    except OSError:
        return ""
    try:
        return os.pread(memory, 4096, address).partition(b"\0")[0].decode(errors="backslashreplace")
    except (OSError, OverflowError):
        return ""
    finally:
        os.close(memory)


_KNOWN = (
    *_PATHS, *_DESCRIPTORS, "clone", "clone3", "vfork", "fork", "pipe2", "poll", "ppoll", "epoll_create1", "select", "pselect6",
    "wait4", "waitid", "pidfd_open", "kill", "sched_getaffinity", "getrandom", "sysinfo", "socket", "getcwd", "prlimit64",
    "umask", "mremap", "munmap", "mprotect", "brk", "setsid", "uname",
)  # fmt: skip
