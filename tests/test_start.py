"""What keeps a child from starting is told as gpuprobe's own trouble, with the limit's name, and blamed on no library."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gpuprobe
from gpuprobe.model import Json, Probe, Purpose, Status
from gpuprobe.probing import start
from gpuprobe.probing.children import Children
from tests.doubles import cuda_driver, described

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and doubles of Linux")

A_CARD = described(name="NVIDIA H100", uuid="GPU-00000000-0000-0000-0000-00000000000a", pci="0000:01:00.0", memory=80 << 30)


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A frozen program, which writes a line wherever it is started; what the interpreter says of itself leads nowhere."""
    program, log = tmp_path / "app" / "assistant", tmp_path / "started"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho started >> {log}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(sys, "_base_executable", str(program))
    for name in ("prefix", "exec_prefix", "base_prefix", "base_exec_prefix"):
        monkeypatch.setattr(sys, name, str(program.parent))
    return program


def test_discover_in_a_frozen_program_says_so_and_never_starts_the_program(frozen: Path) -> None:
    with pytest.raises(gpuprobe.NotStarted, match="this program is frozen, and there is no Python beside it"):
        gpuprobe.discover()

    assert not (frozen.parents[1] / "started").exists()


def test_a_python_beside_a_frozen_program_runs_the_children(frozen: Path) -> None:
    beside = frozen.with_name(f"python{sys.version_info.major}.{sys.version_info.minor}")
    beside.write_text("#!/bin/sh\n")
    beside.chmod(0o755)

    assert start.interpreter() == str(beside)


@pytest.mark.parametrize("executable", ["", None])
def test_where_python_does_not_know_its_own_path_its_base_is_taken(
    monkeypatch: pytest.MonkeyPatch, executable: str | None
) -> None:
    real = sys.executable
    monkeypatch.setattr(sys, "executable", executable)
    monkeypatch.setattr(sys, "_base_executable", real)

    assert start.interpreter() == real


def test_a_child_of_gpuprobe_starts_no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUPROBE_CHILD", "mark")

    with pytest.raises(gpuprobe.NotStarted, match="a child of gpuprobe already"):
        gpuprobe.discover()


@pytest.mark.parametrize(
    ("number", "limit"),
    [
        (errno.EAGAIN, "the limit of processes and threads is "),
        (errno.EMFILE, "the limit of open files is "),
        (errno.ENOMEM, "the limit of memory is "),
    ],
)
def test_a_process_that_the_system_refuses_is_told_with_the_limit(
    monkeypatch: pytest.MonkeyPatch, number: int, limit: str
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_spawn", refused)
    children = Children(os.environ)
    children.start(Probe("CUDA", Purpose.LIST), request(), 5.0)

    outcome = children.next()
    children.close()

    assert outcome is not None
    assert outcome.status is Status.NOT_STARTED
    assert limit in str(outcome.message)


def test_a_child_that_cannot_be_listened_to_is_ended_before_it_touches_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    children = Children(os.environ)
    monkeypatch.setattr(children._selector, "register", refused)
    before = len(os.listdir("/proc/self/fd"))
    children.start(Probe("CUDA", Purpose.LIST), request(), 5.0)
    outcome = children.next()
    after = len(os.listdir("/proc/self/fd"))
    children.close()

    assert outcome is not None
    assert outcome.status is Status.NOT_STARTED
    assert "max_user_watches" in str(outcome.message)
    assert (children.running, after) == ((), before)


def request() -> Json:
    return {"backend": "cuda", "candidates": ["libcuda.so.1"], "paths": [], "purpose": "list", "device": None}


REFUSES_THREADS = """
import _thread, runpy, sys
def refuse(*_):
    raise RuntimeError("can't start new thread")
_thread.start_new_thread = refuse
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def test_a_thread_that_the_runner_is_refused_is_not_the_librarys_fault() -> None:
    """Python's own words for it; the kernel holds root, as in containers, to no limit that a test could set."""
    environment = {"PATH": "/usr/bin:/bin", "GPUPROBE_CHILD": "mark", "LD_LIBRARY_PATH": str(cuda_driver().parent)}

    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", REFUSES_THREADS, start.CHILD],
        input=json.dumps(request()).encode() + b"\n",
        capture_output=True,
        env={**environment, "FAKE_CUDA": A_CARD},
        timeout=30,
        check=False,
    )

    assert (ran.returncode, ran.stdout) == (1, b"")
    assert ran.stderr == b"gpuprobe runner: no thread or pipe could be made: can't start new thread\n"
    told = start.why_it_never_began(1, ran.stderr.decode())
    assert told.startswith("the child ended (exit code 1) before it loaded anything: no thread or pipe could be made")
    assert "; the limit of processes and threads is " in told


def test_a_child_that_was_refused_a_pipe_names_the_limit_of_files() -> None:
    said = "gpuprobe runner: no thread or pipe could be made: [Errno 24] Too many open files\n"

    told = start.why_it_never_began(1, said)

    assert "; the limit of open files is " in told
    assert "processes" not in told


def test_an_end_before_the_first_call_is_ours_whatever_ended_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A preloaded library that kills every process, a Python that is broken: nothing of CUDA was loaded."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'it is broken' >&2\nkill -SEGV $$\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    children = Children(os.environ)
    children.start(Probe("CUDA", Purpose.LIST), request(), 5.0)

    outcome = children.next()
    children.close()

    assert outcome is not None
    assert outcome.status is Status.NOT_STARTED
    assert outcome.message == "the child ended (signal 11) before it loaded anything: it is broken"


def test_the_limit_of_a_control_group_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    group = tmp_path / "docker" / "abc"
    group.mkdir(parents=True)
    (group / "pids.max").write_text("max\n")
    (group.parent / "pids.max").write_text("12\n")
    monkeypatch.setattr(start, "_CGROUPS", str(tmp_path))
    monkeypatch.setattr(start, "_own_group", lambda: "/docker/abc")

    said = start.why_refused(OSError(errno.EAGAIN, "no"))

    assert said.endswith("that of its control group 12 (`pids.max`)")
