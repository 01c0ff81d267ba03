"""A driver that misbehaves, at each step in turn: the right status and step, the other library's devices, and nothing left.

The doubles are real shared libraries that really crash, hang and print inside a real child.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from gpuprobe.discovery import gather
from gpuprobe.model import Evidence, Json, Outcome, Probe, Purpose, Request, Status
from gpuprobe.probing import asking, spawning, start, termination
from gpuprobe.probing import children as children_module
from gpuprobe.probing.children import Children
from gpuprobe.survey.host import read_host
from tests.closing import closing_fails
from tests.doubles import cuda_driver, described, nvml_driver, script

CARD = described(
    name="NVIDIA GeForce RTX 4090", uuid="GPU-00000000-0000-0000-0000-00000000000a", pci="0000:01:00.0", memory=24 << 30
)
LISTING = ["cuDriverGetVersion", "cuInit", "cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetName"]
VALIDATING = ["cuDevicePrimaryCtxRetain", "cuMemGetInfo_v2", "cuDevicePrimaryCtxRelease_v2"]
SECONDS = 1.0
PARENT = (
    "import os, json, sys\n"
    "from gpuprobe.probing.children import Children\n"
    "from gpuprobe.model import Probe, Purpose\n"
    "children = Children(os.environ)\n"
    "children.start(Probe('CUDA', Purpose.LIST), json.loads(sys.argv[1]), 60.0)\n"
    "children.next()\n"
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the doubles are Linux shared libraries")


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """driver(*lines): this machine's NVIDIA driver and NVML are the doubles, acting by these lines."""

    def install(*lines: str) -> None:
        monkeypatch.setenv("LD_LIBRARY_PATH", f"{cuda_driver().parent}:{nvml_driver().parent}")
        monkeypatch.setenv("FAKE_CUDA", script(CARD, *lines))
        monkeypatch.setenv("FAKE_MARK", mark)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    mark = secrets.token_hex(8)
    install.mark = mark  # type: ignore[attr-defined]
    return install


def left_behind(driver: Callable[..., None]) -> list[int]:
    """Processes that still carry this test's own mark, or are named by it."""
    mark: str = driver.mark  # type: ignore[attr-defined]
    others = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
    return [int(name) for name in others if carries(name, f"FAKE_MARK={mark}".encode()) or is_named(name, mark.encode())]


def assert_nothing_left(driver: Callable[..., None]) -> None:
    """A killed process may take a moment to disappear; one that was not killed stays for minutes."""
    wait_for(lambda: left_behind(driver) == [])


def carries(name: str, entry: bytes) -> bool:
    try:
        return entry in Path(f"/proc/{name}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def is_named(name: str, mark: bytes) -> bool:
    try:
        return Path(f"/proc/{name}/cmdline").read_bytes().startswith(mark)
    except OSError:
        return False


def asked(seconds: float = 20.0, **request: object) -> Evidence:
    return gather(read_host(), Request(libraries=("CUDA",), seconds=seconds, **request))  # type: ignore[arg-type]


def of(evidence: Evidence, library: str, purpose: Purpose = Purpose.LIST) -> Outcome:
    (outcome,) = [o for o in evidence.outcomes if o.probe.library == library and o.probe.purpose is purpose]
    return outcome


def outcome_at(evidence: Evidence, step: str) -> Outcome:
    return of(evidence, "CUDA", Purpose.VALIDATE if step in VALIDATING else Purpose.LIST)


@pytest.mark.parametrize("step", [*LISTING, *VALIDATING])
@pytest.mark.parametrize(
    ("misdeed", "status", "detail"),
    [
        ("crash {}", Status.CRASHED, {"signal": signal.SIGSEGV}),
        ("abort {}", Status.CRASHED, {"signal": signal.SIGABRT}),
        ("exit {} 7", Status.EXITED, {"exit_code": 7}),
        ("exit {} 0", Status.EXITED, {"exit_code": 0}),
    ],
)
def test_a_driver_that_dies(
    driver: Callable[..., None], step: str, misdeed: str, status: Status, detail: dict[str, int]
) -> None:
    driver(misdeed.format(step))

    evidence = asked()

    outcome = outcome_at(evidence, step)
    assert (outcome.status, outcome.last_call) == (status, step)
    assert {name: getattr(outcome, name) for name in detail} == detail
    assert [device.name for device in of(evidence, "NVML").devices] == ["NVIDIA GeForce RTX 4090"]
    assert_nothing_left(driver)


@pytest.mark.parametrize("step", ["cuInit", "cuDeviceGetName", "cuDevicePrimaryCtxRetain"])
@pytest.mark.parametrize("misdeed", ["hang", "stop"])
def test_a_driver_that_hangs_is_ended_at_its_limit(driver: Callable[..., None], step: str, misdeed: str) -> None:
    driver(f"{misdeed} {step}")

    evidence = asked(SECONDS)

    outcome = outcome_at(evidence, step)
    assert (outcome.status, outcome.last_call) == (Status.TIMED_OUT, step)
    assert outcome.seconds is not None
    assert SECONDS <= outcome.seconds < SECONDS * 5
    assert of(evidence, "NVML").status is Status.OK
    assert_nothing_left(driver)


@pytest.mark.parametrize("step", ["cuInit", "cuDevicePrimaryCtxRetain"])
def test_an_orphan_that_holds_every_pipe_delays_nothing_and_is_ended(driver: Callable[..., None], step: str) -> None:
    driver(f"orphan {step}")

    evidence = asked()

    assert outcome_at(evidence, step).status is Status.OK
    assert (outcome_at(evidence, step).seconds or 0) < 10
    assert_nothing_left(driver)


def test_a_hang_with_an_orphan_in_another_session_leaves_nothing(driver: Callable[..., None]) -> None:
    driver("orphan cuInit", "hang cuInit")

    assert of(asked(SECONDS), "CUDA").status is Status.TIMED_OUT
    assert_nothing_left(driver)


@pytest.mark.parametrize(
    ("misdeeds", "status"),
    [
        (("daemon cuInit",), Status.OK),
        (("daemon cuInit", "error cuDeviceGetCount 3"), Status.CALL_FAILED),
        (("daemon cuInit", "hang cuInit"), Status.TIMED_OUT),
        (("daemon cuInit", "sleep cuInit 60000"), Status.TIMED_OUT),
        (("daemon cuInit", "stop cuInit"), Status.TIMED_OUT),
        (("daemon cuInit holding", "crash cuInit"), Status.CRASHED),
        (("daemon cuInit holding", "exit cuInit 7"), Status.EXITED),
    ],
)
def test_a_process_that_forked_twice_and_emptied_its_environment_is_ended(
    driver: Callable[..., None], misdeeds: tuple[str, ...], status: Status
) -> None:
    driver(*misdeeds)

    assert of(asked(SECONDS), "CUDA").status is status
    assert_nothing_left(driver)


@pytest.mark.parametrize("step", ["cuInit", "cuDeviceGetName", "cuDevicePrimaryCtxRetain"])
def test_a_megabyte_of_noise_does_not_reach_the_answer(driver: Callable[..., None], step: str) -> None:
    driver(f"print {step} 1000000")

    outcome = outcome_at(evidence := asked(), step)

    assert outcome.status is Status.OK
    assert len(of(evidence, "CUDA").devices) == 1
    assert len(outcome.stderr) <= 1024 * 1024
    assert outcome.stderr_dropped == 2 * 1000000 - 1024 * 1024


def test_a_gigabyte_of_noise_costs_neither_memory_nor_the_answer(driver: Callable[..., None]) -> None:
    driver(f"print cuInit {1 << 29}")

    before = memory_peak()
    evidence = asked(seconds=120.0)

    assert of(evidence, "CUDA").status is Status.OK
    assert of(evidence, "CUDA").stderr_dropped == (1 << 30) - 1024 * 1024
    assert memory_peak() - before < 32 * 1024


def memory_peak() -> int:
    """Of this process, in KiB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize("step", ["cuInit", "cuDeviceGetName", "cuDevicePrimaryCtxRetain"])
def test_rubbish_in_the_answer_is_unreadable_and_not_a_guess(driver: Callable[..., None], step: str) -> None:
    driver(f"rubbish {step}")

    evidence = asked()

    assert outcome_at(evidence, step).status is Status.UNREADABLE
    assert of(evidence, "NVML").status is Status.OK


def test_devices_named_before_a_crash_stay_if_they_validate(driver: Callable[..., None]) -> None:
    other = described(name="NVIDIA H100", uuid="GPU-00000000-0000-0000-0000-00000000000b", pci="0000:02:00.0", memory=80 << 30)
    driver(other, "crash cuDeviceGetName@2")

    from gpuprobe.judging.rules import judge

    inventory = judge(evidence := asked(), Request())

    assert of(evidence, "CUDA").status is Status.CRASHED
    # The validation lists again and meets the crash at the second card only if it gets there: it need not.
    assert [device.name for device in (*inventory.kept, *(drop.device for drop in inventory.drops))] == [
        "NVIDIA GeForce RTX 4090"
    ]


def test_one_slow_library_holds_back_no_other(driver: Callable[..., None]) -> None:
    driver("sleep cuInit 1500")

    evidence = asked()

    assert (of(evidence, "NVML").seconds or 99) < 1.4
    assert of(evidence, "CUDA").status is Status.OK


def test_the_deadline_for_everything_ends_what_runs_and_asks_no_more(driver: Callable[..., None]) -> None:
    driver("sleep cuInit 1000")

    evidence = asked(deadline=1.6)

    assert of(evidence, "CUDA").status is Status.OK
    validation = of(evidence, "CUDA", Purpose.VALIDATE)
    assert validation.status in (Status.TIMED_OUT, Status.SKIPPED)
    assert_nothing_left(driver)


def test_a_validation_touches_exactly_the_wanted_card(
    driver: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The user's list is respected, and the card validated is the one that was listed."""
    other = described(name="NVIDIA H100", uuid="GPU-00000000-0000-0000-0000-00000000000b", pci="0000:02:00.0", memory=80 << 30)
    log = tmp_path / "log"
    driver(other)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("FAKE_LOG", str(log))

    evidence = asked()

    assert [device.name for device in of(evidence, "CUDA").devices] == ["NVIDIA H100"]
    assert [line.split()[1][-1] for line in log.read_text().splitlines() if line.startswith("retain")] == ["b"]
    assert len(of(evidence, "CUDA", Purpose.UNFILTERED).devices) == 2


def test_no_interpreter_no_child(monkeypatch: pytest.MonkeyPatch, driver: Callable[..., None]) -> None:
    driver()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    outcome = of(asked(), "CUDA")

    assert outcome.status is Status.NOT_STARTED
    assert "/nowhere/python" in str(outcome.message)


def test_what_closing_says_of_a_child_that_has_ended_changes_no_answer(
    monkeypatch: pytest.MonkeyPatch, driver: Callable[..., None]
) -> None:
    driver()
    closing_fails(monkeypatch, "[pidfd]")

    outcome = of(asked(), "CUDA")

    assert outcome.status is Status.OK


@pytest.mark.skipif(not hasattr(spawning, "epoll"), reason="only Linux has epoll")
@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENOMEM, errno.EINTR])
def test_a_system_that_refuses_the_best_way_to_wait_is_waited_for_in_another(
    monkeypatch: pytest.MonkeyPatch, driver: Callable[..., None], error: int
) -> None:
    driver()

    def refused(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(spawning, "epoll", refused)

    outcome = of(asked(), "CUDA")

    assert outcome.status is Status.OK


def test_an_answer_that_cannot_be_read_says_why(monkeypatch: pytest.MonkeyPatch, driver: Callable[..., None]) -> None:
    driver()
    left = [errno.EIO]

    def receive(source: int, size: int = 1 << 20) -> bytes:
        if left:
            raise OSError(left.pop(), "Input/output error")
        return os.read(source, size)

    monkeypatch.setattr(children_module, "receive", receive)
    children = Children(os.environ)
    children.start(Probe("CUDA", Purpose.LIST), request(), 60.0)

    outcome = children.next()
    children.close()

    assert outcome is not None
    assert (outcome.status, "Input/output error" in str(outcome.message)) == (Status.UNREADABLE, True)


def test_closing_ends_what_still_runs(driver: Callable[..., None]) -> None:
    driver("orphan cuInit", "hang cuInit")
    children = Children(os.environ)
    children.start(Probe("CUDA", Purpose.LIST), request(), 60.0)
    wait_for(lambda: len(left_behind(driver)) == 2)

    children.close()

    assert_nothing_left(driver)


def test_nothing_is_left_when_gpuprobe_itself_is_killed(driver: Callable[..., None]) -> None:
    driver("orphan cuInit", "hang cuInit")
    parent = subprocess.Popen([sys.executable, "-c", PARENT, json.dumps(request())])
    wait_for(lambda: len(left_behind(driver)) == 3)

    parent.kill()
    parent.wait()

    assert_nothing_left(driver)


def test_a_process_without_a_mark_is_ended_when_gpuprobe_itself_is_killed(driver: Callable[..., None]) -> None:
    driver("daemon cuInit", "hang cuInit")
    parent = subprocess.Popen([sys.executable, "-c", PARENT, json.dumps(request())])
    wait_for(lambda: len(left_behind(driver)) == 3)

    parent.kill()
    parent.wait()

    assert_nothing_left(driver)


def test_closing_ends_a_process_without_a_mark(driver: Callable[..., None]) -> None:
    driver("daemon cuInit", "hang cuInit")
    children = Children(os.environ)
    children.start(Probe("CUDA", Purpose.LIST), request(), 60.0)
    wait_for(lambda: len(left_behind(driver)) == 2)

    children.close()

    assert_nothing_left(driver)


def request() -> Json:
    return {"backend": "cuda", "purpose": "list", "candidates": ["libcuda.so.1"], "paths": [], "device": None}


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def test_a_child_that_ended_beside_another_counts_as_asked_until_it_is_delivered(driver: Callable[..., None]) -> None:
    """Seen under load: the second of two that ended together was asked once more."""
    driver()
    children = Children(os.environ)
    probes = {Probe("CUDA", Purpose.LIST), Probe("CUDA", Purpose.UNFILTERED)}
    try:
        for probe in probes:
            children.start(probe, request(), 60.0)
        time.sleep(0.5)  # both have ended by then

        first = children.next()

        assert first is not None
        assert set(children.running) == probes - {first.probe}
    finally:
        children.close()


def test_ending_one_child_ends_no_other(driver: Callable[..., None]) -> None:
    """Child 1 and child 10 have marks that begin alike."""
    driver("sleep cuInit 2500")
    children = Children(os.environ)
    try:
        for number in range(11):
            children.start(Probe("CUDA", Purpose.ALONE, manifest=str(number)), request(), 0.5 if number == 0 else 60.0)
        outcomes = list(iter(children.next, None))
    finally:
        children.close()

    assert sorted(outcome.status.value for outcome in outcomes) == ["ok"] * 10 + ["timed_out"]


def test_the_binding_of_a_vendor_is_not_taken_from_the_users_paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "pynvml.py").write_text("raise SystemExit('evil')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site-packages"))
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))

    found = asking.binding_path("pynvml")

    assert found is not None
    assert not found.startswith(str(tmp_path))


def test_an_empty_element_of_the_search_path_does_not_mean_the_working_directory() -> None:
    environment = asking.child_environment({"LD_LIBRARY_PATH": ":/opt/lib:;/opt/other:"}, Probe("CUDA", Purpose.LIST), "mark")

    assert environment["LD_LIBRARY_PATH"] == "/opt/lib:/opt/other"


def test_a_process_is_marked_by_its_own_entry_and_not_by_a_value_that_contains_it() -> None:
    mark = secrets.token_hex(8)
    entry = {"OTHER": f"x{start.MARK}={mark}"}
    command = [sys.executable, "-c", "print(flush=True); input()"]
    begin = partial(subprocess.Popen[bytes], command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process = begin(env={**os.environ, **entry})
    marked = begin(env={**os.environ, start.MARK: mark})
    try:
        for each in (process, marked):
            assert each.stdout is not None and each.stdout.readline()  # until then its environment may still be read as empty
        assert list(termination.marked(mark)) == [marked.pid]
    finally:
        for each in (process, marked):
            each.communicate()
