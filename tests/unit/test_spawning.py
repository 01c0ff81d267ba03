"""Children are started as `subprocess` would: their streams, what else they are given, and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from gpuprobe.probing import spawning
from gpuprobe.probing.spawning import PIPE, Popen, TimeoutExpired

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is subprocess itself")

# What it was told, its open descriptors, whether it leads a session, who it is by its environment.
ANSWER = (
    "import os, sys\n"
    "told = os.read(0, 100).decode()\n"
    "opened = [each for each in range(100) if os.path.exists(f'/proc/self/fd/{each}')]\n"
    "leads = os.getsid(0) == os.getpid()\n"
    "print(told, opened, leads, os.environ['WHO'])\n"
    "print('aside', file=sys.stderr)\n"
)


def started(program: str = ANSWER, descriptors: tuple[int, ...] = ()) -> Popen[bytes]:
    return Popen(
        [sys.executable, "-I", "-S", "-c", program],
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        bufsize=0,
        env={"WHO": "child"},
        pass_fds=descriptors,
        start_new_session=True,
    )


def answer(process: Popen[bytes]) -> tuple[str, str, int]:
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    with suppress(BrokenPipeError):  # who asks for nothing may have ended
        process.stdin.write(b"hello")
    code = process.wait(60)
    said, aside = os.read(process.stdout.fileno(), 4096).decode(), os.read(process.stderr.fileno(), 4096).decode()
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()
    return said.strip(), aside.strip(), code


def test_a_child_leads_a_session_has_three_streams_and_nothing_that_was_left_open() -> None:
    left_open = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(left_open, True)

    said, aside, code = answer(started())

    os.close(left_open)
    assert (said, aside, code) == ("hello [0, 1, 2] True child", "aside", 0)


def test_a_descriptor_that_is_given_has_its_number_there_and_is_ours_alone_behind() -> None:
    near, far = os.pipe()

    said, _, _ = answer(started(descriptors=(far,)))

    assert said == f"hello [0, 1, 2, {far}] True child"
    assert not os.get_inheritable(far)
    os.close(near)
    os.close(far)


def test_a_signal_that_python_ignores_is_not_ignored_in_a_child() -> None:
    """As `grep` sees it: an interpreter would ignore both again."""
    process = Popen(
        ["/bin/sh", "-c", "exec grep SigIgn /proc/self/status"],
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        bufsize=0,
        env={},
        start_new_session=True,
    )

    said, _, code = answer(process)

    ignored = int(said.split()[1], 16)
    assert code == 0
    assert not [each for each in (signal.SIGPIPE, signal.SIGXFSZ) if ignored >> (each - 1) & 1]


def test_where_the_c_library_makes_no_session_subprocess_starts_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    def has_no_sessions(*_: object, **__: object) -> int:
        raise NotImplementedError("setsid")

    monkeypatch.setattr(os, "posix_spawn", has_no_sessions)

    assert answer(started()) == ("hello [0, 1, 2] True child", "aside", 0)


def test_where_it_cannot_be_listed_what_is_open_nothing_of_it_is_left_to_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """As without /proc."""
    left_open = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(left_open, True)
    monkeypatch.setattr(spawning, "_OPEN", "/nowhere")

    assert answer(started()) == ("hello [0, 1, 2] True child", "aside", 0)
    os.close(left_open)


def test_a_descriptor_above_a_limit_that_was_lowered_is_left_to_no_child() -> None:
    """glibc refuses to close it: `exec 200>lock; ulimit -n 100`."""
    program = (
        "import os, resource\n"
        "os.dup2(os.open('/dev/null', os.O_RDONLY), 200)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
        "from tests.unit.test_spawning import answer, started\n"
        "print(answer(started()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)

    assert done.stdout == f"{('hello [0, 1, 2] True child', 'aside', 0)}\n", done.stderr


@pytest.mark.parametrize("closed", ["0", "1", "2", "0 1", "0 2", "1 2", "0 1 2"])
def test_a_stream_that_was_closed_here_costs_the_child_none(closed: str) -> None:
    """The pipes then have the numbers of streams, and must not be written over each other."""
    program = (
        f"import os\nfor each in '{closed}'.split(): os.close(int(each))\n"
        "from tests.unit.test_spawning import answer, started\n"
        "found = repr(answer(started()))\n"
        "place = os.open(os.environ['ANSWER'], os.O_WRONLY)\n"
        "os.write(place, found.encode())\n"
    )
    near, far = os.pipe()
    environ = {**os.environ, "ANSWER": f"/proc/{os.getpid()}/fd/{far}"}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, check=False, timeout=120)
    os.close(far)

    found = os.read(near, 4096).decode()
    os.close(near)
    assert done.returncode == 0, done.stderr
    assert found == repr(("hello [0, 1, 2] True child", "aside", 0))


def test_an_interpreter_that_is_not_there_is_an_error_of_the_system_and_leaves_no_pipe() -> None:
    before = len(os.listdir("/proc/self/fd"))

    with pytest.raises(FileNotFoundError):
        Popen(["/nowhere/python3"], stdin=PIPE, stdout=PIPE, stderr=PIPE, bufsize=0, env={}, start_new_session=True)

    assert len(os.listdir("/proc/self/fd")) == before


def test_who_does_not_end_in_time_is_waited_for_no_longer_and_a_signal_is_told() -> None:
    sleeping = started("import time; time.sleep(600)")
    with pytest.raises(TimeoutExpired):
        sleeping.wait(0.05)
    assert sleeping.poll() is None

    os.kill(sleeping.pid, signal.SIGKILL)

    assert sleeping.wait(60) == -signal.SIGKILL
    assert sleeping.stdin is not None and sleeping.stdout is not None and sleeping.stderr is not None
    for pipe in (sleeping.stdin, sleeping.stdout, sleeping.stderr):
        pipe.close()
    assert (sleeping.poll(), sleeping.returncode) == (-signal.SIGKILL, -signal.SIGKILL)
