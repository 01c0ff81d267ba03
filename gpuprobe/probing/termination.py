"""Ending a child with everything it started, and knowing that nothing is left.

A grandchild that called `setsid` survives a signal to the group, so every descendant is also found by a mark in its
environment (tried: it survives `killpg`, and its own environment still carries the mark). One that also empties its
environment is found by its parents, or by the pipe that it holds. What can stay behind is one that forked twice, emptied its
environment and closed every descriptor before its library crashed: no ordinary driver does this.
"""

# pathlib loads urllib and ipaddress (CPython 3.11): a twelfth of what a start imports.
# ruff: noqa: PTH118, PTH123, PTH208

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator

from gpuprobe import contexts as contextlib
from gpuprobe import signals as signal
from gpuprobe.probing import descendants
from gpuprobe.probing.start import MARK

WINDOWS = sys.platform == "win32"


def ask_to_end(process_id: int) -> None:
    """SIGTERM to the child's whole session; on Windows there is no asking, see `kill`."""
    if not WINDOWS:
        _signal_group(process_id, signal.SIGTERM)


def kill(process_id: int, mark: str) -> None:
    """SIGKILL to the group, to all that it started, and to everything else that carries the mark."""
    if WINDOWS:
        _kill_tree(process_id)
        return
    started = descendants.below(process_id)
    _signal_group(process_id, signal.SIGKILL)
    descendants.kill(started)
    kill_marked(mark)


def kill_marked(mark: str) -> tuple[int, ...]:
    """Kills every process whose environment carries a mark beginning with `mark`; returns their ids."""
    found = tuple(marked(mark))
    for process_id in found:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process_id, signal.SIGKILL)
    return found


def marked(mark: str) -> Iterator[int]:
    """Living processes that carry the mark. Only Linux shows another process's environment as a file."""
    entry = f"{MARK}={mark}".encode()
    own = os.getpid()
    for name in _process_names():
        if int(name) != own and _carries(name, entry):
            yield int(name)


def wait_until_gone(process_ids: Iterable[int], seconds: float) -> None:
    """Returns when none of these processes runs any more, or after `seconds`: a killed process takes a moment to end."""
    end = time.monotonic() + seconds
    for process_id in process_ids:
        while state_of(process_id) not in (None, "Z", "X") and time.monotonic() < end:
            time.sleep(0.005)


def state_of(process_id: int) -> str | None:
    """The kernel's letter for the process: "D" waits in the kernel and cannot be killed; None: gone, or not told here."""
    try:
        with open(f"/proc/{process_id}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return None


def _process_names() -> list[str]:
    try:
        return [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _carries(name: str, entry: bytes) -> bool:
    """A process of another user cannot be ours, and one that is gone or a zombie needs no ending."""
    try:
        # Half the time of one with a buffer: 5 ms of every run on a machine with a thousand processes.
        with open(f"/proc/{name}/environ", "rb", buffering=0) as file:
            environment = file.read()
    except OSError:
        return False
    return environment.startswith(entry) or b"\0" + entry in environment


def _signal_group(process_id: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process_id, number)


def _kill_tree(process_id: int) -> None:
    import subprocess

    taskkill = os.path.join(os.environ.get("SystemRoot", r"C:\Windows"), "System32", "taskkill.exe")  # noqa: SIM112
    subprocess.run([taskkill, "/T", "/F", "/PID", str(process_id)], capture_output=True, check=False)
