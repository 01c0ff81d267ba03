"""A system call that fails: gpuprobe says what it still can, and never that it has a bug.

A few of each command; all are `python -m tests.failing_calls`.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys

import pytest

from tests.failing_calls import COMMANDS, calls_of, run_all
from tests.vulkan_world import missing

FEW = 4


@pytest.fixture(scope="module")
def tracer() -> None:
    if sys.platform != "linux":
        pytest.skip("strace is Linux's")
    if shutil.which("strace") is None:
        missing("`strace`")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode:
        pytest.skip("nothing may be traced here")


@pytest.mark.usefixtures("tracer")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_system_call_that_fails_is_no_bug(command: str) -> None:
    known = calls_of(command)
    rare = list({each.call: each for each in known}.values())  # each kind once, by what came last
    chosen = random.Random(17).sample(rare, FEW) + random.Random(17).sample(known, FEW)

    assert [(judged.failing.name, judged.problem) for judged in run_all(chosen) if judged.problem] == []
