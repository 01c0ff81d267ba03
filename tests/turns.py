"""Tests that start programs and servers, or look at all that run here, run while no other test does: one would find what the
other started.

In one process all tests take turns by themselves; several processes of pytest-xdist do it by a lock. Who waits to be alone has
the gate, so that no other test begins meanwhile. Groups of pytest-xdist 3.8 do nothing under pytest 9.2, and would not do: who
is alone in a group is not alone on the machine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ALONE = {"test_running", "test_real_running", "test_servers", "test_plan_truth", "test_plan_measured", "test_real_fit"}

_GATE, _ROOM = Path(__file__), Path(__file__).with_name("conftest.py")  # any two files that are there
_held: list[int] = []  # while the tests of one module follow each other


@contextmanager
def turn(module: str, following: str | None) -> Iterator[None]:
    """Around one test; `following` is the module of the next one, if it is known."""
    if "PYTEST_XDIST_WORKER" not in os.environ or sys.platform == "win32":  # where none of these modules runs
        yield
        return
    if not _held:
        _held.append(_entered(alone=module in ALONE))
    try:
        yield
    finally:
        if module not in ALONE or following not in ALONE:
            os.close(_held.pop())


def _entered(*, alone: bool) -> int:
    """The lock, as an open file: it is given back when that is closed."""
    import fcntl

    room, gate = (os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in (_ROOM, _GATE))
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
    finally:
        os.close(gate)
    return room
