"""What a library's number comes from on this machine, and the one thing to do about it."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.backends.cuda import results as cuda
from gpuprobe.backends.level_zero import results as level_zero
from gpuprobe.backends.nvml import results as nvml
from gpuprobe.backends.rocm import results as rocm
from gpuprobe.backends.vulkan import results as vulkan
from gpuprobe.doctor.card_status import card_statuses, summary
from gpuprobe.doctor.remedies import and_advice, of_loading, remedy
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


def code(results: object, name: str) -> int:
    """By the name that the library's headers give it."""
    names: dict[int, str] = vars(results)["NAMES"]
    return next(number for number, each in names.items() if each == name)


@pytest.mark.parametrize(
    ("library", "results", "name", "told"),
    [
        ("CUDA", cuda, "CUDA_ERROR_OUT_OF_MEMORY", "end programs that hold the card's memory (`nvidia-smi` lists them)"),
        ("CUDA", cuda, "CUDA_ERROR_STUB_LIBRARY", "take the directory of the stub"),
        ("CUDA", cuda, "CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER", "install a newer NVIDIA driver"),
        ("CUDA", cuda, "CUDA_ERROR_DEVICE_NOT_LICENSED", "install NVIDIA's client token"),
        ("CUDA", cuda, "CUDA_ERROR_NO_BINARY_FOR_GPU", "install a driver release that supports this card"),
        ("CUDA", cuda, "CUDA_ERROR_ECC_UNCORRECTABLE", "reset the card or reboot"),
        ("CUDA", cuda, "CUDA_ERROR_NVLINK_UNCORRECTABLE", "reset the card or reboot"),
        ("CUDA", cuda, "CUDA_ERROR_INVALID_PTX", "reinstall the NVIDIA driver"),
        ("CUDA", cuda, "CUDA_ERROR_JIT_COMPILER_NOT_FOUND", "in a container add `compute`"),
        ("CUDA", cuda, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "install a newer NVIDIA driver"),
        ("CUDA", cuda, "CUDA_ERROR_JIT_COMPILATION_DISABLED", "unset `CUDA_DISABLE_PTX_JIT`"),
        ("CUDA", cuda, "CUDA_ERROR_SHARED_OBJECT_INIT_FAILED", "reinstall the NVIDIA driver"),
        ("CUDA", cuda, "CUDA_ERROR_ILLEGAL_ADDRESS", "look at the kernel log for `Xid`"),
        ("CUDA", cuda, "CUDA_ERROR_LAUNCH_FAILED", "look at the kernel log for `Xid`"),
        ("CUDA", cuda, "CUDA_ERROR_MPS_CONNECTION_FAILED", "start `nvidia-cuda-mps-control`"),
        ("CUDA", cuda, "CUDA_ERROR_MPS_MAX_CLIENTS_REACHED", "end a client of the MPS daemon"),
        ("ROCm", rocm, "hipErrorOutOfMemory", "end programs that hold the card's memory, or raise"),
        ("ROCm", rocm, "hipErrorInsufficientDriver", "install AMD's kernel driver"),
        ("ROCm", rocm, "hipErrorNoDevice", "see what ROCm's runtime finds"),
        ("ROCm", rocm, "hipErrorInvalidDevice", "see what ROCm's runtime finds"),
        ("ROCm", rocm, "hipErrorNoBinaryForGpu", "install a release of ROCm"),
        ("ROCm", rocm, "hipErrorECCNotCorrectable", "reset the card or reboot"),
        ("ROCm", rocm, "hipErrorSharedObjectInitFailed", "reinstall ROCm's packages"),
        ("Level Zero", level_zero, "ZE_RESULT_ERROR_DEVICE_LOST", "look at `sudo dmesg | grep -iE 'i915|xe'`, then reboot"),
        ("Level Zero", level_zero, "ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY", "end programs that hold the card's memory"),
        ("Level Zero", level_zero, "ZE_RESULT_ERROR_UNINITIALIZED", "see what its driver says"),
        ("Level Zero", level_zero, "ZE_RESULT_ERROR_UNSUPPORTED_VERSION", "install a newer compute runtime"),
        ("Vulkan", vulkan, "VK_ERROR_OUT_OF_HOST_MEMORY", "look at the driver manifests"),
        ("Vulkan", vulkan, "VK_ERROR_OUT_OF_DEVICE_MEMORY", "end programs that hold the card's memory"),
        ("Vulkan", vulkan, "VK_ERROR_DEVICE_LOST", "look at the kernel log"),
        ("Vulkan", vulkan, "VK_ERROR_INCOMPATIBLE_DRIVER", "see what the loader says"),
        ("NVML", nvml, "NVML_ERROR_NO_PERMISSION", "look at the permissions"),
        ("NVML", nvml, "NVML_ERROR_INSUFFICIENT_POWER", "power off, and connect every power lead"),
        ("NVML", nvml, "NVML_ERROR_LIBRARY_NOT_FOUND", "install the package that brings `libnvidia-ml.so.1`"),
        ("NVML", nvml, "NVML_ERROR_FUNCTION_NOT_FOUND", "install a newer NVIDIA driver"),
        ("NVML", nvml, "NVML_ERROR_GPU_IS_LOST", "reboot, then look at the card's power"),
        ("NVML", nvml, "NVML_ERROR_RESET_REQUIRED", "end programs that use the card"),
    ],
)
def test_a_result_is_answered_by_what_its_name_says(library: str, results: object, name: str, told: str) -> None:
    assert str(remedy(failed(library, code(results, name)))).startswith(told)


def test_a_number_of_vulkans_that_nobody_knows_leads_nowhere() -> None:
    assert remedy(failed("Vulkan", -77)) is None


def test_a_sentence_has_its_advice_behind_it_where_there_is_any() -> None:
    assert and_advice("it failed", failed("CUDA", 36)) == "it failed; install a newer NVIDIA driver"
    assert and_advice("it failed", failed("Vulkan", -77)) == "it failed"
    assert and_advice("it failed", None) == "it failed"


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("x: built for another kind of machine", "reinstall the package that brings it"),
        ("x: no such symbol", None),
    ],
)
def test_the_loaders_other_words_have_their_remedy_too(words: str, advice: str | None) -> None:
    assert of_loading(words) == advice
