"""What a child needs before a library can be loaded in it: an interpreter, and a process and threads that the limits leave.

What is missing of these is never the library's fault.
"""

# pathlib loads urllib and ipaddress (CPython 3.11): a twelfth of what a start imports.
# ruff: noqa: PTH113, PTH118, PTH120, PTH123

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator

from gpuprobe.strings import of_signal

MARK = "GPUPROBE_CHILD"
CANNOT_HEAR = 83  # the exit status of a child that stayed, and whose stdin its library closed or changed
CHILD = os.path.join(os.path.dirname(os.path.dirname(__file__)), "child.py")
# Two cores and sixty-four cards must not mean sixty-four interpreters at once.
MOST_CHILDREN = 16

_UNLIMITED = "max"
_PIDS = "pids.max"
_CGROUPS = "/sys/fs/cgroup"
_TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)


class NotStarted(RuntimeError):
    """No child can be started by this program at all; the message says why, and what to do."""


def interpreter() -> str:
    """The Python that runs the children; NotStarted where there is none.

    A frozen program (PyInstaller, Nuitka, cx_Freeze) names itself in `sys.executable`: started as a child, it would start
    itself again.
    """
    if os.environ.get(MARK):
        raise NotStarted(f"this process is a child of gpuprobe already (`{MARK}` is set), and would start itself without end")
    if not os.path.isfile(CHILD):
        raise NotStarted(f"`{CHILD}` is not a file: put the package gpuprobe beside the program with all its files")
    if sys.executable and not getattr(sys, "frozen", False):
        return sys.executable
    found = next(_others(), None)
    if found is not None:
        return found
    what = "this program is frozen, and" if getattr(sys, "frozen", False) else "Python does not know its own path, and"
    raise NotStarted(f"{what} there is no Python beside it; start `gpuprobe list --json` of an installed gpuprobe instead")


def _others() -> Iterator[str]:
    """Interpreters of this very version: what Python calls its base, and those where it is installed or beside the program."""
    from pathlib import Path

    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    names = ("python.exe",) if sys.platform == "win32" else (f"python{version}",)
    beside = [Path(sys.executable).parent] if sys.executable else []
    roots = dict.fromkeys((sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix))
    folders = [*beside, *(Path(root) / below for root in roots for below in ("bin", "."))]
    base = getattr(sys, "_base_executable", None)
    for path in (*((Path(base),) if base else ()), *(folder / name for folder in folders for name in names)):
        is_python = path.name.startswith("python") and str(path) != sys.executable
        if path.is_absolute() and is_python and path.is_file() and os.access(path, os.X_OK):
            yield str(path)


def why_refused(problem: OSError) -> str:
    """Why the system gave no process: with the limit's name and value where it has one."""
    if problem.errno == errno.EAGAIN:
        return f"the system refused another process; {_of_processes()}"
    if problem.errno in _TOO_MANY_FILES:
        return f"the system refused another file or pipe; {_limit('RLIMIT_NOFILE', 'open files', 'ulimit -n')}"
    if problem.errno == errno.ENOMEM:
        return f"the system refused the memory; {_limit('RLIMIT_AS', 'memory', 'ulimit -v', unit=' bytes')}"
    if problem.errno == errno.ENOSPC:  # epoll_ctl(2); a start writes no file
        return "the system refused to watch another pipe; `/proc/sys/fs/epoll/max_user_watches` has the limit of this account"
    return f"no child started: {problem}"


def why_it_never_began(code: int | None, stderr: str) -> str:
    """Why a child ended before it called anything of its library, whose own doing that cannot be."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    said = f": {lines[-1].removeprefix('gpuprobe runner: ')}" if lines else ""
    ended = of_signal(-code) if code is not None and code < 0 else f"exit code {code}"
    return f"the child ended ({ended}) before it loaded anything{said}{_limit_behind(said)}"


def _limit_behind(said: str) -> str:
    """The runner says the error of a thread and that of its pipe in one sentence; each has a limit of its own."""
    if any(f"[Errno {number}]" in said for number in _TOO_MANY_FILES):
        return f"; {_limit('RLIMIT_NOFILE', 'open files', 'ulimit -n')}"
    return f"; {_of_processes()}" if "thread" in said else ""


def _of_processes() -> str:
    cgroup = _pids_of_the_cgroup()
    own = _limit("RLIMIT_NPROC", "processes and threads", "ulimit -u")
    return f"{own}{f', that of its control group {cgroup} (`{_PIDS}`)' if cgroup is not None else ''}"


def _limit(name: str, what: str, shown_by: str, unit: str = "") -> str:
    """Of this process, which its children inherit."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return "too much is running"
    soft = resource.getrlimit(getattr(resource, name))[0]
    value = "without a limit" if soft == resource.RLIM_INFINITY else f"{soft}{unit}"
    return f"the limit of {what} is {value} (`{shown_by}`)"


def _pids_of_the_cgroup() -> int | None:
    """The smallest limit of this process's control group and those above it; None: there is none, or it cannot be read."""
    from pathlib import Path

    found = []
    folder = Path(_CGROUPS + _own_group())
    while str(folder).startswith(_CGROUPS):
        try:
            text = (folder / _PIDS).read_text().strip()
        except OSError:
            text = _UNLIMITED
        if text.isascii() and text.isdigit() and len(text) < 10:
            found.append(int(text))
        folder = folder.parent
    return min(found, default=None)


def _own_group() -> str:
    """Of version 2 of control groups: the line `0::/path`."""
    try:
        with open("/proc/self/cgroup", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return ""
    return next((line[3:] for line in lines if line.startswith("0::/") and ".." not in line), "").rstrip("/")
