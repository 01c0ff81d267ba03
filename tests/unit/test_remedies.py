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


def a_node(path: str, accessible: bool = True) -> DeviceNode:
    return DeviceNode(path, 0o660, 0, 992, 195, 255, accessible)


def failed(library: str, code: int) -> Outcome:
    status = Status.NO_DEVICES if code in (100, 101) else Status.INIT_FAILED
    message = f"`start` failed with {code}: the library's own words"
    return Outcome(Probe(library, Purpose.LIST), status, code=code, message=message, calls=(Call("start", 0.1),))


def updated(**facts: Any) -> Host:
    library = FoundLibrary("libcuda.so.1", f"{FILE}.1", f"{FILE}.580.105.08", "default directory")
    return a_host(texts={"/sys/module/nvidia/version": Reading("580.95.05\n")}, libraries=(library,), **facts)


@pytest.mark.parametrize("library", ["CUDA", "ROCm", "Level Zero"])
def test_a_number_that_nobody_knows_leads_to_the_kernel_log(library: str) -> None:
    assert "sudo dmesg" in str(remedy(failed(library, 123456)))


VERSIONS = "give the driver's libraries the version of the loaded kernel module"


@pytest.mark.parametrize(
    ("library", "code", "advice"),
    [
        ("NVML", 18, VERSIONS),
        ("CUDA", 803, VERSIONS),
        ("CUDA", 804, "take the directory of `cuda-compat` out of `LD_LIBRARY_PATH`"),
        ("NVML", 14, "have the card serviced"),
    ],
)
def test_a_number_has_its_own_remedy(library: str, code: int, advice: str) -> None:
    assert str(remedy(failed(library, code))).startswith(advice)


def test_no_number_no_remedy() -> None:
    assert remedy(failed("CUDA", 803)._replace(code=None)) is None


CURES = ("install", "reboot", "unset", "sudo", "restart", "reinstall", "look at", "start the", "try again")


@pytest.mark.parametrize("results", [cuda, level_zero, nvml, rocm], ids=lambda module: module.__name__)
def test_a_backend_says_what_a_number_means_and_never_what_to_do(results: object) -> None:
    """A cure in the reason is a cure that `why` does not hold."""
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
    assert str(status.why.advice).startswith("reboot; if they differ after that too, ")
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
