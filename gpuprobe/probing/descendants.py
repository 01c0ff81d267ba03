"""Finding what a child started and what left its session and its environment behind: by who its parent is, and by the pipe.

The child takes in every orphan among its descendants (`runner.py`, PR_SET_CHILD_SUBREAPER), so a process that forked twice is
still below it for as long as it lives. Where it died before anybody looked, only what holds one of its pipes is found.
"""

# pathlib loads urllib and ipaddress (CPython 3.11): a twelfth of what a start imports.
# ruff: noqa: PTH115, PTH123

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from gpuprobe import contexts as contextlib
from gpuprobe import signals as signal
from gpuprobe.record_classes import NamedTuple

_MOST = 4096  # processes below one child


class Relative(NamedTuple):
    """A process; its start (ticks since boot) tells it from a later one of the same number."""

    process: int
    start: str | None


def below(process_id: int) -> tuple[Relative, ...]:
    """All that this process started and that lives, also through processes that have ended. Only Linux tells it."""
    found: list[int] = []
    waiting = [process_id]
    while waiting and len(found) < _MOST:
        children = list(_children(waiting.pop()))
        found += children
        waiting += children
    return tuple(Relative(each, _start(each)) for each in found)


def kill(found: Iterable[Relative]) -> None:
    """SIGKILL to those that are still the same processes."""
    for each in found:
        if each.start is not None and _start(each.process) == each.start:
            _kill(each.process)


def kill_holders(descriptors: Iterable[int]) -> None:
    """SIGKILL to every other process that holds the other end of one of these pipes of ours."""
    pipes = set()
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            pipes.add(os.readlink(f"/proc/self/fd/{descriptor}"))
    for process_id in _others() if pipes else ():
        if any(pipe in pipes for pipe in _open_files(process_id)):
            _kill(process_id)


def _text_of(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _children(process_id: int) -> Iterator[int]:
    """A child belongs to the thread that started it."""
    for thread in _names(f"/proc/{process_id}/task"):
        with contextlib.suppress(OSError, ValueError):
            yield from map(int, _text_of(f"/proc/{process_id}/task/{thread}/children").split())


def _start(process_id: int) -> str | None:
    try:
        return _text_of(f"/proc/{process_id}/stat").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _open_files(process_id: int) -> Iterator[str]:
    for name in _names(f"/proc/{process_id}/fd"):
        with contextlib.suppress(OSError):
            yield os.readlink(f"/proc/{process_id}/fd/{name}")


def _others() -> Iterator[int]:
    yield from (int(name) for name in _names("/proc") if name.isdigit() and int(name) != os.getpid())


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - on the way of every child that failed
    except OSError:
        return []


def _kill(process_id: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process_id, signal.SIGKILL)
