"""What a process has written to its standard output and error, where that is a file, or systemd's journal has it.

Of a long file the beginning and the end are read: a server says what it loaded when it starts, and again for each model.
"""

from __future__ import annotations

import os
import select
import stat
import subprocess
import time

from gpuprobe.machine.control_groups import units_of
from gpuprobe.machine.process_records import LogText, Process
from gpuprobe.survey.tree import READING, Tree, problem_of

HEAD, TAIL = 256 << 10, 1 << 20  # bytes
JOURNAL_LINES = 4000
_CHUNK = 1 << 16
_JOURNAL_SECONDS = 3.0
_JOURNALCTL = ("/usr/bin/journalctl", "/bin/journalctl")
_SYSTEMD = "/run/systemd/system"  # there where systemd runs (sd_booted)


def logs_of(process: Process, root: str = "/", *, journal: bool = True) -> tuple[LogText, ...]:
    """The files, and the journal where an output is a socket or a pipe of a service. Nothing where it writes elsewhere."""
    tree = Tree(root)
    paths = [target for target in process.outputs if target.startswith("/") and not target.startswith("/dev/")]
    found = [_file(tree, process, path) for path in paths]
    if not paths and journal and tree.is_this_machine and _is_in_the_journal(process):
        found.append(_journal(process.number))
    return tuple(found)


def _file(tree: Tree, process: Process, path: str) -> LogText:
    """Through the process's own handle: a file in a container, or one that was renamed, is the one it writes to."""
    for number in ("1", "2"):
        place = f"/proc/{process.number}/fd/{number}"
        if tree.target(place) == path:
            try:
                return LogText(path.removesuffix(" (deleted)"), _ends_of(tree.at(place)))
            except (OSError, ValueError) as error:
                return LogText(path, None, problem_of(error))
    return LogText(path, None, "it is no longer open")


def _ends_of(path: str) -> str:
    descriptor = os.open(path, READING)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("no ordinary file")
        content = os.pread(descriptor, HEAD, 0)
        if status.st_size > HEAD:
            end = max(HEAD, status.st_size - TAIL)
            content += (b"\n" if end > HEAD else b"") + os.pread(descriptor, TAIL, end)
        return content.decode("utf-8", "backslashreplace")
    finally:
        os.close(descriptor)


def _is_in_the_journal(process: Process) -> bool:
    """systemd gives a service a socket; what a service starts in turn writes to a pipe of the service's."""
    elsewhere = not process.outputs or any(target.startswith(("socket:", "pipe:")) for target in process.outputs)
    return elsewhere and bool(units_of(process.control_group)) and Tree().status(_SYSTEMD) is not None


def _journal(number: int) -> LogText:
    program = next((path for path in _JOURNALCTL if os.access(path, os.X_OK)), None)
    if program is None:
        return LogText("the journal", None, "`journalctl` is not installed")
    command = [program, "--no-pager", "--quiet", "--boot", "--output=cat", f"--lines={JOURNAL_LINES}", f"_PID={number}"]
    try:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            try:
                content = _bounded(process, time.monotonic() + _JOURNAL_SECONDS)
            finally:
                process.kill()
    except OSError as problem:
        return LogText("the journal", None, f"`journalctl`: {type(problem).__name__}")
    text = content.decode("utf-8", "backslashreplace")
    if not text.strip():
        return LogText("the journal", None, "it has no line of this process, or shows none to this account")
    return LogText("the journal", text)


def _bounded(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """What it writes up to the deadline, and no more than the bound."""
    content, stream = b"", process.stdout
    while stream is not None and len(content) < HEAD + TAIL and (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([stream], [], [], left)
        chunk = os.read(stream.fileno(), _CHUNK) if ready else b""
        if not chunk:
            break
        content += chunk
    return content
