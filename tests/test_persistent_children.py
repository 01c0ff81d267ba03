"""Children that stay: one answers reading after reading, and one that dies, hangs, lies or sticks is dealt with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gpuprobe.model import Outcome, Probe, Purpose, Status
from gpuprobe.probing import children as waiting
from gpuprobe.probing import pipes, termination
from gpuprobe.probing.persistent import Lost, PersistentChildren
from gpuprobe.probing.pipes import read_waiting
from tests.doubles import described, nvml_driver, script
from tests.test_children import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the doubles are Linux shared libraries")

CARD = described(name="RTX 4090", uuid="GPU-00000000-0000-0000-0000-00000000000a", pci="0000:01:00.0", memory=24 << 30)
PROBE = Probe("NVML", Purpose.LIST)


class Watched:
    def __init__(self, children: PersistentChildren, paths: list[str]) -> None:
        self.children, self._paths = children, paths

    def ask(self, seconds: float = 20.0, probe: Probe = PROBE, **more: object) -> Outcome:
        request = {"backend": "nvml", "purpose": "list", "candidates": ["libnvidia-ml.so.1"], "paths": self._paths, **more}
        self.children.start(probe, request, seconds)
        outcome = self.children.next()
        assert outcome is not None
        return outcome


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Watched]]:
    """watching(*lines): a driver that acts by these lines, and children that ask it."""
    made: list[PersistentChildren] = []

    def watch(*lines: str) -> Watched:
        from gpuprobe.probing.asking import binding_path

        monkeypatch.setenv("LD_LIBRARY_PATH", str(nvml_driver().parent))
        monkeypatch.setenv("FAKE_NVML", script(CARD, *lines))
        made.append(PersistentChildren(os.environ))
        return Watched(made[-1], [binding_path("pynvml") or ""])

    yield watch
    for children in made:
        children.close()


def kill_whole(process: int) -> None:
    """Until it can be waited for, without doing so: a zombie whose other threads are still ending cannot be yet."""
    os.kill(process, signal.SIGKILL)
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)


def test_the_second_answer_comes_from_the_child_that_gave_the_first(watching: Callable[..., Watched]) -> None:
    watched = watching()

    first, children, second = watched.ask(), watched.children.process_ids, watched.ask()

    assert (first.status, second.status) == (Status.OK, Status.OK)
    assert first.devices == second.devices
    assert (watched.children.process_ids, len(children)) == (children, 1)
    assert (second.library_path, second.survivors, watched.children.lost()) == (first.library_path, (), ())


def test_one_that_was_killed_at_rest_is_replaced_before_the_next_answer(watching: Callable[..., Watched]) -> None:
    watched = watching()
    watched.ask()
    (killed,) = watched.children.process_ids
    kill_whole(killed)

    assert watched.ask().status is Status.OK
    assert watched.children.lost() == (Lost(PROBE, killed, None, -signal.SIGKILL),)
    assert killed not in watched.children.process_ids


def test_one_that_dies_right_behind_its_answer_gave_it_and_is_lost_all_the_same(
    watching: Callable[..., Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    watched, wait = watching(), PersistentChildren._wait

    def wait_and_kill(children: PersistentChildren, deadline: float | None) -> None:
        wait(children, deadline)
        for child in children._children:
            if child.answers.done_at is not None:
                kill_whole(child.process.pid)

    with monkeypatch.context() as deadly:
        deadly.setattr(PersistentChildren, "_wait", wait_and_kill)
        answered = watched.ask()

    (lost,) = watched.children.lost()
    assert answered.status is Status.OK
    assert (lost.outcome, lost.code) == (None, -signal.SIGKILL)
    assert watched.ask().status is Status.OK


@pytest.mark.parametrize(
    ("misdeed", "status"),
    [
        ("crash nvmlDeviceGetMemoryInfo_v2@2", Status.CRASHED),
        ("exit nvmlDeviceGetMemoryInfo_v2@2 0", Status.EXITED),
        ("hang nvmlDeviceGetMemoryInfo_v2@2", Status.TIMED_OUT),
        ("stop nvmlDeviceGetMemoryInfo_v2@2", Status.TIMED_OUT),
        ("rubbish nvmlDeviceGetMemoryInfo_v2@2", Status.UNREADABLE),
    ],
)
def test_one_that_fails_at_its_second_answer_is_replaced(
    watching: Callable[..., Watched], misdeed: str, status: Status
) -> None:
    watched = watching(misdeed)
    watched.ask()
    (first,) = watched.children.process_ids

    failed, again = watched.ask(1.0), watched.ask()

    assert (failed.status, again.status) == (status, Status.OK)
    (lost,) = watched.children.lost()
    assert (lost.process, lost.outcome) == (first, failed)
    wait_for(lambda: termination.state_of(first) in (None, "Z"))


def test_an_answer_that_is_longer_than_is_read_at_once_is_read_whole(
    watching: Callable[..., Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a pipe holds a mebibyte (pages of 64 KiB); a line is then cut between two looks."""
    cards = [CARD.replace("0a", f"{number:02x}").replace(":01:", f":{number:02x}:") for number in range(1, 9)]
    monkeypatch.setattr(waiting, "read_waiting", lambda descriptor: read_waiting(descriptor, 100))
    watched = watching(*cards)

    first, second = watched.ask(), watched.ask()

    assert (second.status, second.devices) == (Status.OK, first.devices)


def test_a_pipe_that_would_stand_where_a_stream_was_closed_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    near, far = os.pipe()
    numbers = iter([(near, 2), (1, far)])
    closed: list[int] = []
    with monkeypatch.context() as narrow:
        narrow.setattr(os, "pipe", lambda: next(numbers))
        narrow.setattr(os, "close", closed.append)

        assert (pipes.quiet_pipe(), pipes.quiet_pipe()) == (None, None)

    assert closed == [near, 2, 1, far]
    os.close(near)
    os.close(far)


def test_a_card_that_was_away_for_an_answer_is_described_anew(
    watching: Callable[..., Watched], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = CARD.replace("0a", "0b").replace(":01:", ":02:")
    file = tmp_path / "cards"
    watched = watching()
    monkeypatch.setenv("FAKE_NVML", str(file))
    found = []
    for place, cards in enumerate(([CARD, other], [CARD], [CARD, other], [CARD, other])):
        file.write_text(script(*cards, *["#"] * place))
        outcome = watched.ask()
        found.append((outcome.status, len(outcome.devices), outcome.facts.get("nvml_version") is not None))

    assert found == [(Status.OK, 2, True), (Status.OK, 1, True), (Status.OK, 2, True), (Status.OK, 2, True)]


def test_a_library_that_says_no_is_asked_by_a_new_child_and_nobody_is_lost_to_a_fault(watching: Callable[..., Watched]) -> None:
    watched = watching("error nvmlInitWithFlags@2 9")

    assert [watched.ask().status for _ in range(3)] == [Status.OK, Status.INIT_FAILED, Status.OK]


def test_noise_between_and_during_answers_reaches_no_answer(watching: Callable[..., Watched]) -> None:
    watched = watching("print nvmlDeviceGetMemoryInfo_v2 100000", "say nvmlDeviceGetPowerUsage hello")

    outcomes = [watched.ask() for _ in range(5)]

    assert {outcome.status for outcome in outcomes} == {Status.OK}
    assert {len(outcome.stderr) for outcome in outcomes} == {200006}


def test_another_question_for_the_same_probe_ends_the_child_that_answered_the_old_one(watching: Callable[..., Watched]) -> None:
    watched = watching()
    watched.ask()
    (first,) = watched.children.process_ids

    assert watched.ask(device=None, candidates=[str(nvml_driver())]).status is Status.OK
    assert first not in watched.children.process_ids
    assert termination.state_of(first) in (None, "Z")


def test_one_that_cannot_be_ended_is_not_joined_by_another(
    watching: Callable[..., Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that is stuck in the kernel: killing it does nothing. It is stopped, for one that hangs would still notice the
    end of its stdin, and end itself."""
    watched = watching("stop nvmlDeviceGetMemoryInfo_v2@2")
    watched.ask()
    (first,) = watched.children.process_ids
    with monkeypatch.context() as powerless:
        powerless.setattr(termination, "kill", lambda process_id, mark: None)
        powerless.setattr(termination, "kill_marked", lambda mark: ())
        stuck, after = watched.ask(0.5), watched.ask()

    assert (stuck.status, stuck.survivors) == (Status.ABANDONED, (first,))
    assert (after.status, after.message) == (
        Status.SKIPPED,
        f"not asked: process {first}, which was asked before, cannot be ended",
    )
    kill_whole(first)
    assert watched.ask().status is Status.OK


def test_five_hundred_readings_cost_no_memory(tmp_path: Path) -> None:
    """In a process of its own, with the collector on as `--watch` has it: what is kept per reading would be seen."""
    program = (
        "import gc, os, resource, sys\n"
        "from gpuprobe.judging.rules import judge\n"
        "from gpuprobe.discovery import gather\n"
        "from gpuprobe.model import Request\n"
        "from gpuprobe.survey.host import read_host\n"
        "from gpuprobe.readings import Watching\n"
        "gc.enable()\n"
        "evidence = gather(read_host(), Request(libraries=('CUDA',)))\n"
        "watching = Watching(judge(evidence, Request()).kept, evidence, Request())\n"
        "def memory(process):\n"
        "    lines = open(f'/proc/{process}/status').read().splitlines()\n"
        "    return int(next(line for line in lines if line.startswith('VmRSS')).split()[1])\n"
        "def read(times):\n"
        "    for _ in range(times):\n"
        "        assert not watching.read().refreshed.figures[0].stale\n"
        "    (child,) = watching._children.process_ids\n"
        "    return memory('self'), memory(child)\n"
        "print(*read(100), *read(400))\n"
        "watching.close()\n"
    )
    from tests.doubles import cuda_driver

    libraries = f"{cuda_driver().parent}:{nvml_driver().parent}"
    environ = {**os.environ, "LD_LIBRARY_PATH": libraries, "FAKE_CUDA": CARD}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=300)

    assert done.returncode == 0, done.stderr
    ours, child, ours_later, child_later = map(int, done.stdout.split())
    assert ours_later - ours < 1024  # KiB
    assert child_later - child < 1024


def test_a_pause_between_two_readings_needs_no_processor(watching: Callable[..., Watched]) -> None:
    watched = watching()
    watched.ask()
    before = time.process_time()
    (killed,) = watched.children.process_ids
    kill_whole(killed)
    other = Probe("NVML", Purpose.UNFILTERED)

    assert watched.ask(probe=other).status is Status.OK
    assert time.process_time() - before < 1.0
