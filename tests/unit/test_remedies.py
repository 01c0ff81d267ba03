"""What a library's number comes from on this machine, and the one thing to do about it."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.backends.cuda import results as cuda
from gpuprobe.backends.level_zero import results as level_zero
from gpuprobe.backends.nvml import results as nvml
from gpuprobe.backends.rocm import results as rocm
from gpuprobe.doctor.card_status import card_statuses, summary
from gpuprobe.doctor.remedies import of_loading, remedy
from gpuprobe.facts import DeviceNode, FoundLibrary, Host, Reading
from gpuprobe.judging.rules import judge
from gpuprobe.model import Call, Evidence, Outcome, Probe, Purpose, Request, Status
from tests.records import a_card, a_host

FILE = "/usr/lib/x86_64-linux-gnu/libcuda.so"
UVM = "/sys/module/nvidia_uvm/initstate"


def a_node(path: str, accessible: bool = True) -> DeviceNode:
    return DeviceNode(path, 0o660, 0, 992, 195, 255, accessible)


def failed(library: str, code: int) -> Outcome:
    status = Status.NO_DEVICES if code in (100, 101) else Status.INIT_FAILED
    message = f"`start` failed with {code}: the library's own words"
    return Outcome(Probe(library, Purpose.LIST), status, code=code, message=message, calls=(Call("start", 0.1),))


def updated(**facts: Any) -> Host:
    library = FoundLibrary("libcuda.so.1", f"{FILE}.1", f"{FILE}.580.105.08", "default directory")
    return a_host(texts={"/sys/module/nvidia/version": Reading("580.95.05\n")}, libraries=(library,), **facts)


def test_a_driver_that_was_updated_is_told_with_both_versions_and_the_cure_apart() -> None:
    found = remedy(failed("CUDA", 803), updated())

    assert found.cause == "the NVIDIA library is 580.105.08 but the loaded kernel module is 580.95.05, usually after an update"
    assert found.advice == "reboot"


def test_in_a_container_the_container_is_restarted_first() -> None:
    host = updated(environ={"KUBERNETES_SERVICE_HOST": "10.0.0.1"})

    assert str(remedy(failed("CUDA", 803), host).advice).startswith("restart the container")


@pytest.mark.parametrize(
    ("reading", "cause", "advice"),
    [
        (Reading(None, "absent"), "the kernel module `nvidia_uvm` is not loaded", "load it with `sudo modprobe nvidia_uvm`"),
        (
            Reading("live\n"),
            "the driver gives no reason, and most often `nvidia_uvm` went stale in a suspend",
            "end programs that use the GPU, and run `sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm`; else reboot",
        ),
    ],
)
def test_of_the_two_causes_of_999_the_one_that_the_survey_shows_is_told(reading: Reading, cause: str, advice: str) -> None:
    found = remedy(failed("CUDA", 999), a_host(texts={UVM: reading}))

    assert (found.cause, found.advice) == (cause, advice)


def test_a_cause_that_nobody_could_look_at_is_not_claimed() -> None:
    assert remedy(failed("CUDA", 999), a_host(texts={UVM: Reading(None, "denied")})).cause is None


@pytest.mark.parametrize(
    ("nodes", "cause"),
    [
        ((), "`/dev/kfd` does not exist"),
        ((a_node("/dev/kfd", accessible=False),), "your account has no access to `/dev/kfd`"),
        ((a_node("/dev/kfd"),), None),
    ],
)
def test_hip_without_a_card_is_explained_by_the_node_it_opens(nodes: tuple[DeviceNode, ...], cause: str | None) -> None:
    found = remedy(failed("ROCm", 100), a_host(nodes=nodes))

    assert found.advice
    assert found.cause is None if cause is None else str(found.cause).startswith(cause)


@pytest.mark.parametrize("library", ["CUDA", "ROCm", "Level Zero"])
def test_a_number_that_nobody_knows_leads_to_the_kernel_log(library: str) -> None:
    assert "sudo dmesg" in str(remedy(failed(library, 123456), a_host()).advice)


def test_no_number_no_remedy() -> None:
    assert remedy(failed("CUDA", 803)._replace(code=None), updated()) == (None, None, None)


CURES = ("install", "reboot", "unset", "sudo", "restart", "reinstall", "look at", "start the", "try again")


@pytest.mark.parametrize("results", [cuda, level_zero, nvml, rocm], ids=lambda module: module.__name__)
def test_a_backend_says_what_a_number_means_and_never_what_to_do(results: object) -> None:
    """A cure in the reason is a cure that `why.advice` does not hold."""
    meanings: dict[int, str] = vars(results)["_MEANINGS"]

    for meaning in meanings.values():
        assert not [cure for cure in CURES if cure in f"{meaning} " and f"{cure}ed" not in meaning]


def test_the_reason_stands_with_the_card_and_the_headline_says_it_in_a_few_words() -> None:
    node = a_node("/dev/nvidiactl")
    host = updated(pci=(a_card(),), nodes=(node,))
    inventory = judge(Evidence(host, (failed("CUDA", 803),), "2026-11-21T09:00:00Z"), Request())

    (status,) = card_statuses(inventory)

    assert summary(inventory).text == "0 of 1 GPU usable; 0000:01:00.0 is not: driver and library versions differ"
    assert status.why is not None
    assert status.why.advice == "reboot"
    assert "reboot" not in status.why.because


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("`libcuda.so.1` did not load: libcuda.so.1: cannot open shared object file: No such file or directory", None),
        (
            "`libcuda.so.1` did not load: libneeded.so.1: cannot open shared object file: No such file or directory",
            "install the package that brings `libneeded.so.1`",
        ),
        (
            "`libcuda.so.1` did not load: undefined symbol: x; libraries of different releases are mixed",
            "reinstall what brings them in one version",
        ),
    ],
)
def test_what_a_library_needs_is_named_rather_than_the_library(words: str, advice: str | None) -> None:
    assert of_loading(words) == advice
