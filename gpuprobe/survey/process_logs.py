"""What a process has written to its standard output and error, where that is a file, or systemd's journal has it.

Of a long file the beginning and the end are read: a server says what it loaded when it starts, and again for each model.
"""

from __future__ import annotations

import os

from gpuprobe.machine.control_groups import units_of
from gpuprobe.machine.process_records import LogText, Process
from gpuprobe.survey.bounded_child import JOURNALCTLS_ENVIRONMENT, journalctl, said_by
from gpuprobe.survey.tree import Tree, problem_of

HEAD, TAIL = 256 << 10, 1 << 20  # bytes
JOURNAL_LINES = 4000
_JOURNAL_SECONDS = 3.0
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
                return LogText(path.removesuffix(" (deleted)"), _ends_of(tree, place))
            except (OSError, ValueError) as error:
                return LogText(path, None, problem_of(error))
    return LogText(path, None, "it is no longer open")


def _ends_of(tree: Tree, path: str) -> str:
    descriptor = tree.opened(path)
    try:
        status = os.fstat(descriptor)
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
    program = journalctl()
    if program is None:
        return LogText("the journal", None, "`journalctl` is not installed")
    command = [program, "--no-pager", "--quiet", "--boot", "--output=cat", f"--lines={JOURNAL_LINES}", f"_PID={number}"]
    said = said_by(command, JOURNALCTLS_ENVIRONMENT, _JOURNAL_SECONDS, HEAD + TAIL)
    if isinstance(said, str):
        return LogText("the journal", None, f"`journalctl`: {said}")
    text = said.output
    if not text.strip():
        return LogText("the journal", None, "it has no line of this process, or shows none to this account")
    return LogText("the journal", text)
