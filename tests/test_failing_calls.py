"""A system call that fails: gpuprobe says what it still can, and never that it has a bug.

A few of each command; all are `python -m tests.failing_calls`.
"""

from __future__ import annotations

import errno
import random
import sys
from pathlib import Path

import pytest

from tests import supervised_calls
from tests.failing_calls import COMMANDS, calls_of, run_all

FEW = 4


@pytest.fixture(scope="module")
def supervisor() -> None:
    if sys.platform != "linux":
        pytest.skip("seccomp is Linux's")
    if (why := supervised_calls.why_not()) is not None:
        pytest.skip(f"no call may be supervised here: {why}")


@pytest.mark.usefixtures("supervisor")
def test_the_call_that_is_meant_fails_and_no_other() -> None:
    told: list[supervised_calls.Call] = []

    def answer(call: supervised_calls.Call) -> int | None:
        told.append(call)
        return errno.EIO if call[:3] == (supervised_calls.MAIN, "openat", "/etc/passwd") else None

    command = ["sh", "-c", "cat /etc/passwd; read line </etc/passwd || read line </etc/group && echo $line"]
    ended = supervised_calls.run(command, ["openat"], answer, {"PATH": "/usr/bin:/bin"}, seconds=60, place=Path("/nowhere"))

    assert ended.code == 0
    assert ended.out.count("root:") >= 2  # cat's own opening is another process's
    assert "Input/output error" in ended.err or "I/O error" in ended.err or "cannot open /etc/passwd" in ended.err
    assert {"cat", supervised_calls.MAIN} <= {call.process for call in told}


@pytest.mark.usefixtures("supervisor")
def test_what_stays_behind_is_an_end_of_its_own() -> None:
    command = ["sh", "-c", "setsid sleep 60 >/dev/null 2>&1 & exit 0"]

    ended = supervised_calls.run(command, [], lambda call: None, {"PATH": "/usr/bin:/bin"}, seconds=60, place=Path("/nowhere"))

    assert ended.code == supervised_calls.LEFT_RUNNING


@pytest.mark.usefixtures("supervisor")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_system_call_that_fails_is_no_bug(command: str) -> None:
    known = calls_of(command)
    rare = list({each.call: each for each in known}.values())  # each kind once, by what came last
    chosen = random.Random(17).sample(rare, FEW) + random.Random(17).sample(known, FEW)

    assert [(judged.failing.name, judged.problem) for judged in run_all(chosen) if judged.problem] == []
