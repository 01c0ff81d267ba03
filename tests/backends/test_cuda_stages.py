"""CUDA's stages in a real child, against doubles that really compute: each stage passes, and each can be made to fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.backends.talk import Talk, request, started, talk
from tests.doubles import cublas, cuda_driver, described, nvml_driver, script

UUID = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
GiB, MiB = 1 << 30, 1 << 20
ALL = ["load", "init", "list", "context", "allocate", "copy", "kernel", "blas", "bandwidth"]


def card(**changed: object) -> str:
    known = {"name": "NVIDIA GeForce RTX 4090", "uuid": UUID, "pci": "0000:01:00.0", "memory": 24 * GiB, "free": 20 * GiB}
    return described(**{**known, "grip": 300 * MiB, **changed})


def proved(
    *lines: str, toolkits: list[str] | None = None, until: str | None = "blas", witness: bool = True, **environ: str
) -> Talk:
    """As far as cuBLAS, unless a test is about timed copies."""
    named = [str(cublas())] if toolkits is None else toolkits
    asked = request(cuda_driver(), purpose="prove", device={"uuid": UUID}, toolkits=named, until=until)
    beside = {"LD_LIBRARY_PATH": str(nvml_driver().parent)} if witness else {}
    return talk(asked, {"FAKE_CUDA": script(*(lines or (card(),))), **beside, **environ})


def stages(answer: Talk) -> list[str]:
    return answer.all("stage")


def figures(answer: Talk) -> dict[str, Any]:
    return {name: value for each in answer.all("figures") for name, value in each.items()}


def test_a_healthy_card_passes_every_stage() -> None:
    answer = proved(until=None)

    assert stages(answer) == ALL
    assert answer.all("passed") == [{"depth": "bandwidth"}]
    assert answer.all("not_possible") == []
    assert answer.is_done


@pytest.mark.parametrize("until", ["load", "init", "list", "context", "allocate", "copy", "kernel", "blas"])
def test_a_validation_ends_with_the_stage_that_was_asked_for(until: str) -> None:
    answer = proved(until=until)

    assert stages(answer) == ALL[: ALL.index(until) + 1]
    assert answer.all("passed") == [{"depth": until}]


# Function, number, its name, what it says of the card, and the stage in which it ends.
FAILURES = [
    ("cuInit", 100, "CUDA_ERROR_NO_DEVICE", "no_devices", "init"),
    ("cuInit", 802, "CUDA_ERROR_SYSTEM_NOT_READY", "init_failed", "init"),
    ("cuInit", 999, "CUDA_ERROR_UNKNOWN", "init_failed", "init"),
    ("cuDeviceGetCount", 999, "CUDA_ERROR_UNKNOWN", "call_failed", "list"),
    ("cuDevicePrimaryCtxRetain", 2, "CUDA_ERROR_OUT_OF_MEMORY", "busy", "context"),
    ("cuDevicePrimaryCtxRetain", 46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "busy", "context"),
    ("cuDevicePrimaryCtxRetain", 209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "unsupported", "context"),
    ("cuDevicePrimaryCtxRetain", 802, "CUDA_ERROR_SYSTEM_NOT_READY", "call_failed", "context"),
    ("cuDevicePrimaryCtxRetain", 999, "CUDA_ERROR_UNKNOWN", "call_failed", "context"),
    ("cuMemAlloc_v2", 2, "CUDA_ERROR_OUT_OF_MEMORY", "busy", "allocate"),
    ("cuMemAlloc_v2", 999, "CUDA_ERROR_UNKNOWN", "call_failed", "allocate"),
    ("cuMemcpyHtoD_v2", 214, "CUDA_ERROR_ECC_UNCORRECTABLE", "unsupported", "copy"),
    ("cuMemcpyDtoD_v2", 700, "CUDA_ERROR_ILLEGAL_ADDRESS", "unsupported", "copy"),
    ("cuMemcpyDtoH_v2", 999, "CUDA_ERROR_UNKNOWN", "call_failed", "copy"),
    ("cuModuleLoadDataEx", 209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "unsupported", "kernel"),
    ("cuModuleLoadDataEx", 218, "CUDA_ERROR_INVALID_PTX", "unsupported", "kernel"),
    ("cuModuleGetFunction", 500, "CUDA_ERROR_NOT_FOUND", "call_failed", "kernel"),
    ("cuLaunchKernel", 719, "CUDA_ERROR_LAUNCH_FAILED", "unsupported", "kernel"),
    ("cuCtxSynchronize", 700, "CUDA_ERROR_ILLEGAL_ADDRESS", "unsupported", "kernel"),
    ("cuCtxSynchronize", 702, "CUDA_ERROR_LAUNCH_TIMEOUT", "call_failed", "kernel"),
    ("cuCtxSynchronize", 719, "CUDA_ERROR_LAUNCH_FAILED", "unsupported", "kernel"),
    ("cuCtxSynchronize", 999, "CUDA_ERROR_UNKNOWN", "call_failed", "kernel"),
]


@pytest.mark.parametrize(("function", "code", "name", "status", "stage"), FAILURES)
def test_each_call_that_fails_is_told_with_its_stage_its_number_and_its_name(
    function: str, code: int, name: str, status: str, stage: str
) -> None:
    answer = proved(card(), f"error {function} {code}")

    assert answer.failed is not None
    assert (answer.failed["status"], answer.failed["code"], answer.failed["name"]) == (status, code, name)
    assert f"`{function}` failed with {name} ({code})" in answer.failed["message"]
    assert stages(answer)[-1] == stage
    assert answer.all("passed") == []
    assert not answer.is_done


@pytest.mark.parametrize("function", ["cuMemAlloc_v2", "cuModuleGetFunction"])
def test_success_without_an_answer_passes_nothing(function: str) -> None:
    failed = proved(card(), f"silent {function}").failed

    assert failed is not None
    assert f"`{function}` reported success but gave no" in failed["message"]


@pytest.mark.parametrize("function", ["cuMemcpyHtoD_v2", "cuMemcpyDtoD_v2", "cuMemcpyDtoH_v2"])
def test_a_copy_that_does_nothing_is_a_wrong_result(function: str) -> None:
    failed = proved(card(), f"silent {function}").failed

    assert failed is not None
    assert failed["status"] == "wrong_result"
    assert failed["wrong"]["different"] > 1_000_000


def test_a_kernel_that_does_nothing_is_a_wrong_result() -> None:
    answer = proved(card(), "silent cuLaunchKernel")

    assert answer.failed is not None
    assert (answer.failed["status"], stages(answer)[-1]) == ("wrong_result", "kernel")


def test_one_spoiled_element_in_a_million_is_caught_and_shown() -> None:
    answer = proved(card(spoil=777_777))

    assert answer.failed is not None
    assert answer.failed["status"] == "wrong_result"
    wrong = answer.failed["wrong"]
    assert (wrong["compared"], wrong["different"], wrong["first"][0]["index"]) == (1 << 20, 1, 777_777)
    assert wrong["first"][0]["expected"] ^ wrong["first"][0]["found"] == 1 << 20
    assert stages(answer)[-1] == "kernel"


def test_one_flipped_bit_of_a_copy_is_caught() -> None:
    answer = proved(card(smudge=4_000_001))

    assert answer.failed is not None
    assert (answer.failed["status"], stages(answer)[-1]) == ("wrong_result", "copy")
    assert answer.failed["wrong"]["first"][0]["index"] == 1_000_000


@pytest.mark.parametrize(
    ("code", "name", "word"),
    [
        (221, "CUDA_ERROR_JIT_COMPILER_NOT_FOUND", "libnvidia-ptxjitcompiler"),
        (222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "older"),
        (223, "CUDA_ERROR_JIT_COMPILATION_DISABLED", "CUDA_DISABLE_PTX_JIT"),
    ],
)
def test_without_a_compiler_the_kernel_is_not_possible_and_the_validation_goes_on(code: int, name: str, word: str) -> None:
    answer = proved(card(), f"error cuModuleLoadDataEx {code}")

    (said,) = answer.all("not_possible")
    assert (said["code"], said["name"]) == (code, name)
    assert word in said["because"]
    assert stages(answer)[-1] == "blas"
    assert answer.is_done


def test_the_compilers_own_words_are_part_of_the_message() -> None:
    failed = proved(card(), "error cuModuleLoadDataEx 218").failed

    assert failed is not None
    assert "the compiler says: ptxas fatal : the double refuses it" in failed["message"]


@pytest.mark.parametrize("capability", ["3.5", "5.0", "12.0"])
def test_the_kernel_is_written_for_the_oldest_target_that_suits_the_card(capability: str) -> None:
    assert proved(card(cc=capability), until="kernel").is_done


def test_a_crash_in_the_kernel_names_the_call() -> None:
    answer = proved(card(), "crash cuLaunchKernel")

    assert (answer.exit_code, answer.calls[-1], stages(answer)[-1]) == (-11, "cuLaunchKernel", "kernel")


def test_memory_that_would_not_suffice_is_refused_before_a_context_is_made() -> None:
    answer = proved(card(free=200 * MiB, processes="1:20000,4194000:300"))

    assert answer.failed is not None
    assert answer.failed["status"] == "busy"
    assert "200 MiB of the card's memory are free" in answer.failed["message"]
    assert "process 1 (" in answer.failed["message"]
    assert "holds 20000 MiB, process 4194000 holds 300 MiB" in answer.failed["message"]
    assert "cuDevicePrimaryCtxRetain" not in answer.calls


def test_an_integrated_card_is_not_refused_for_memory_that_the_system_gives_back() -> None:
    assert proved(card(free=200 * MiB, grip=0, integrated=1), until="kernel").is_done


def test_an_exclusive_card_names_the_process_that_has_it() -> None:
    answer = proved(card(processes="4194000:none"), "error cuDevicePrimaryCtxRetain 46")

    assert answer.failed is not None
    assert answer.failed["message"].endswith("(process 4194000 uses it)")


def test_nobody_is_blamed_for_a_fault_of_the_card() -> None:
    answer = proved(card(processes="4194000:300"), "error cuCtxSynchronize 700")

    assert answer.failed is not None
    assert "4194000" not in answer.failed["message"]


def test_a_slice_is_asked_for_by_its_own_name() -> None:
    """The management library knows a MIG slice by the UUID that begins with MIG-."""
    whole = card(mig=1, uuid="GPU-00000000-0000-0000-0000-000000000001")
    slice_ = described("slice", name="NVIDIA A100 MIG 1g.5gb", uuid=UUID.replace("GPU", "MIG"), memory=5 * GiB, free=100 * MiB)

    answer = proved(whole, slice_)

    assert answer.failed is not None
    assert "100 MiB of the card's memory are free" in answer.failed["message"]


def test_without_a_witness_the_validation_goes_on_and_knows_less() -> None:
    answer = proved(until="context", witness=False)

    assert answer.is_done
    assert figures(answer) == {"free_bytes": 20 * GiB - 300 * MiB, "total_bytes": 24 * GiB}


@pytest.mark.parametrize("function", ["nvmlInitWithFlags", "nvmlDeviceGetHandleByUUID", "nvmlDeviceGetMemoryInfo"])
def test_a_witness_that_refuses_changes_nothing(function: str) -> None:
    answer = proved(until="context", FAKE_NVML=f"error {function} 999")

    assert answer.is_done
    assert "free_before_bytes" not in figures(answer)


def test_what_a_context_takes_is_measured() -> None:
    measured = figures(proved(until="copy"))

    assert (measured["free_before_bytes"], measured["context_bytes"]) == (20 * GiB, 300 * MiB)
    assert (measured["allocated_bytes"], measured["held_bytes"]) == (8 * MiB, 300 * MiB)


def test_each_cublas_multiplies_and_tells_its_version() -> None:
    newer = str(cublas("VERSION=130002", folder="toolkit-13", name="libcublas.so.13"))

    answer = proved(toolkits=[str(cublas()), newer])

    rows = [(row["version"], row["result"]) for row in figures(answer)["toolkits"]]
    assert rows == [("12.8.4", "passed"), ("13.0.2", "passed")]


def test_a_cublas_that_refuses_does_not_fail_a_card_that_another_multiplies_on() -> None:
    refusing = str(cublas("REFUSES=1", folder="refusing", name="libcublas.so.13"))

    answer = proved(toolkits=[refusing, str(cublas())])

    first, second = figures(answer)["toolkits"]
    assert answer.is_done
    assert (first["result"], second["result"]) == ("failed", "passed")
    assert "CUBLAS_STATUS_NOT_INITIALIZED (1): most often the driver is older" in first["because"]


@pytest.mark.parametrize(
    ("line", "status", "name"),
    [
        ("error cublasCreate_v2 1", "call_failed", "CUBLAS_STATUS_NOT_INITIALIZED"),
        ("error cublasCreate_v2 3", "busy", "CUBLAS_STATUS_ALLOC_FAILED"),
        ("error cublasSgemm_v2 8", "unsupported", "CUBLAS_STATUS_ARCH_MISMATCH"),
        ("error cublasSgemm_v2 13", "unsupported", "CUBLAS_STATUS_EXECUTION_FAILED"),
        ("silent cublasCreate_v2", "call_failed", None),
        ("silent cublasSgemm_v2", "wrong_result", None),
        ("spoil 5", "wrong_result", None),
    ],
)
def test_a_card_on_which_no_cublas_multiplies_rightly_fails_there(line: str, status: str, name: str | None) -> None:
    answer = proved(FAKE_CUBLAS=line)

    assert answer.failed is not None
    assert (answer.failed["status"], answer.failed["name"]) == (status, name)
    assert stages(answer)[-1] == "blas"


@pytest.mark.parametrize("order", [1, -1])
def test_a_wrong_product_is_never_outvoted(order: int) -> None:
    wrong = str(cublas("SPOILS", folder="spoiling", name="libcublas.so.13"))

    answer = proved(toolkits=[str(cublas()), wrong][::order])

    assert answer.failed is not None
    assert answer.failed["status"] == "wrong_result"
    assert wrong in answer.failed["message"]
    assert answer.failed["wrong"]["first"][0]["index"] == 5


def test_two_cublas_of_one_name_are_not_mixed_in_one_process() -> None:
    other = str(cublas("VERSION=120100", folder="toolkit-12.1"))

    rows = figures(proved(toolkits=[str(cublas()), other]))["toolkits"]

    assert [row["result"] for row in rows] == ["passed", "not_tried"]
    assert str(cublas()) in rows[1]["because"]


@pytest.mark.parametrize(
    ("toolkits", "word"), [([], "no cuBLAS was found"), (["/nowhere/libcublas.so.12"], "/nowhere/libcublas.so.12")]
)
def test_without_a_cublas_that_loads_the_product_is_not_possible(toolkits: list[str], word: str) -> None:
    answer = proved(toolkits=toolkits)

    (said,) = answer.all("not_possible")
    assert word in said["because"]
    assert answer.all("passed") == [{"depth": "kernel"}]


def test_cublas_is_refused_where_its_workspace_would_not_fit() -> None:
    answer = proved(card(free=400 * MiB))

    assert answer.failed is not None
    assert answer.failed["status"] == "busy"
    assert "128 MiB are needed and 100 MiB of the card's memory are free: cuBLAS was not tried" in answer.failed["message"]
    assert "cublasCreate_v2" not in answer.calls


def test_memory_for_cublas_is_not_missed_where_there_is_no_cublas() -> None:
    answer = proved(card(free=400 * MiB), toolkits=[])

    (said,) = answer.all("not_possible")
    assert "no cuBLAS was found" in said["because"]
    assert answer.all("passed") == [{"depth": "kernel"}]


def test_copies_are_timed_each_way_and_the_link_is_read_while_they_run() -> None:
    measured = figures(proved(card(gen=4, width=8, gen_idle=1, gen_max=4, width_max=16, held_back=0x40), until=None))

    assert all(measured[f"{way}_bytes_per_second"] > 0 for way in ("to_device", "from_device", "on_device"))
    assert (measured["link_generation"], measured["link_generation_idle"]) == (4, 1)
    assert (measured["link_width"], measured["link_width_max"]) == (8, 16)
    assert measured["slowed_by"] == "hardware_thermal"


def test_the_timed_copies_go_the_way_that_they_are_named_by(tmp_path: Path) -> None:
    log = tmp_path / "log"

    proved(until=None, FAKE_LOG=str(log))

    every = [line.split()[1] for line in log.read_text().splitlines() if line.startswith("way")]
    ways, while_the_link_is_read = every[:-4], every[-4:]
    assert while_the_link_is_read == ["to"] * 4
    assert list(dict.fromkeys(ways)) == ["to", "from", "on"]
    assert ways == sorted(ways, key=["to", "from", "on"].index)


@pytest.mark.parametrize(
    ("bits", "names"),
    [
        (0x1, ""),  # it has nothing to do
        (0x2 | 0x4 | 0x10 | 0x100, ""),  # its owner's settings, and the limit of power that every card reaches
        (0x8 | 0x80, "hardware_slowdown, power_brake"),
        (0x4 | 0x20, "software_thermal"),
    ],
)
def test_what_slows_a_card_down_has_the_names_that_a_watch_shows(bits: int, names: str) -> None:
    assert figures(proved(card(held_back=bits), until=None))["slowed_by"] == names


def test_timed_copies_are_bounded_by_free_memory() -> None:
    answer = proved(card(free=400 * MiB, grip=0, memory=1 * GiB), until=None)

    assert answer.is_done
    assert all(size <= 64 * 100 * MiB for name, size in figures(answer).items() if name.endswith("copied_bytes"))


@pytest.mark.parametrize("line", ["error cuMemHostAlloc 2", "error cuMemHostAlloc 304"])
def test_without_page_locked_memory_no_copy_is_timed(line: str) -> None:
    answer = proved(card(), line, until=None)

    (said,) = answer.all("not_possible")
    assert "ulimit -l" in said["because"]
    assert answer.all("passed") == [{"depth": "blas"}]


@pytest.mark.parametrize("call", [6, 7])  # two for the pattern, three for the product
def test_memory_that_somebody_takes_before_the_timed_copies_is_no_failure(call: int) -> None:
    answer = proved(card(), f"error cuMemAlloc_v2@{call} 2", until=None)

    (said,) = answer.all("not_possible")
    assert (said["code"], said["name"]) == (2, "CUDA_ERROR_OUT_OF_MEMORY")
    assert "2 x 256 MiB of the card" in said["because"]
    assert answer.all("passed") == [{"depth": "blas"}]
    assert answer.is_done


def test_a_card_that_faults_while_memory_for_timed_copies_is_taken_has_failed() -> None:
    answer = proved(card(), "error cuMemAlloc_v2@6 719", until=None)

    assert answer.failed is not None
    assert (answer.failed["code"], answer.failed["status"]) == (719, "unsupported")


@pytest.mark.parametrize("function", ["cuMemcpyHtoDAsync_v2", "cuStreamSynchronize"])
def test_a_timed_copy_that_fails_is_a_failure(function: str) -> None:
    answer = proved(card(), f"error {function}@3 719", until=None)

    assert answer.failed is not None
    assert (answer.failed["code"], answer.failed["status"], stages(answer)[-1]) == (719, "unsupported", "bandwidth")


def test_a_validation_gives_back_what_it_took() -> None:
    """The double has room for 64 buffers, and frees only what it gave."""
    steps = proved(until=None).calls

    assert steps.count("cuMemAlloc_v2") == steps.count("cuMemFree_v2")
    assert steps[-1] == "cuDevicePrimaryCtxRelease_v2"


def waiting() -> dict[str, Any]:
    return request(cuda_driver(), purpose="prove", device={"uuid": UUID}, turns=True)


def test_a_child_that_waits_for_its_turn_ends_with_its_parent() -> None:
    with started(waiting(), {"FAKE_CUDA": script(card())}) as (child, _):
        child.wait_for('"waiting":"bandwidth"')
        assert child.process.poll() is None

        child.leave()

        child.process.wait(30)
        assert '"stage":"bandwidth"' not in child.said()


def test_a_child_that_waits_goes_on_when_it_is_its_turn() -> None:
    with started(waiting(), {"FAKE_CUDA": script(card())}) as (child, _):
        child.wait_for('"waiting":"bandwidth"')
        assert child.process.stdin is not None

        child.process.stdin.write(b"\n")
        child.process.stdin.flush()

        child.wait_for('"done":true')
        assert '"stage":"bandwidth"' in child.said()
