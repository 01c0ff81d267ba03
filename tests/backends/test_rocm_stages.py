"""ROCm's stages on doubles of HIP, hiprtc and rocBLAS that hold real memory and compute."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpuprobe.backends import known_kernel
from gpuprobe.backends.rocm import results
from tests.backends.rocm_talk import CARD, FIRST, failure, figures, proved
from tests.backends.vulkan_talk import ENDINGS
from tests.doubles import Variables, described, hip_runtime, rocm_install

SWITCHES = "gfx942:sramecc+:xnack-"
SECOND = described(name="Graphics", gfx="gfx1036", pci="0000:0e:00.0", memory=8 << 30)
SEEN_ALONE: Variables = {"ROCR_VISIBLE_DEVICES": f"GPU-{CARD}"}
STAGES = ["load", "init", "list", "context", "allocate", "copy", "kernel", "blas", "bandwidth"]
# Where each call is first made.
IN_STAGE = {
    "hipSetDevice": "context",
    "hipMemGetInfo": "context",
    "hipMalloc": "allocate",
    "hipMemcpy": "copy",
    "hipModuleLoadData": "kernel",
    "hipModuleGetFunction": "kernel",
    "hipModuleLaunchKernel": "kernel",
    "hipDeviceSynchronize": "kernel",
    "hipModuleUnload": "kernel",
    "hipHostMalloc": "bandwidth",
    "hipMemcpyAsync": "bandwidth",
    "hipStreamSynchronize": "bandwidth",
}


@pytest.mark.parametrize("gfx", ["gfx1100", SWITCHES])
def test_a_card_passes_every_stage(gfx: str) -> None:
    answer = proved(described(uuid=CARD, gfx=gfx, pci="0000:03:00.0"), SECOND, **SEEN_ALONE)

    assert answer.all("stage") == STAGES
    assert answer.all("passed") == [{"depth": "bandwidth"}]
    assert answer.all("not_possible") == []
    assert answer.is_done


@pytest.mark.parametrize("until", STAGES[1:])
def test_the_validation_ends_where_it_was_asked_to(until: str) -> None:
    answer = proved(until=until)

    assert answer.all("stage") == STAGES[: STAGES.index(until) + 1]
    assert answer.all("passed") == [{"depth": until}]


def test_memory_and_the_speed_of_copies_are_told() -> None:
    measured = figures(proved())

    assert (measured["free_bytes"], measured["total_bytes"]) == (20 << 30, 24 << 30)
    assert (measured["allocated_bytes"], measured["elements"]) == (8 << 20, 1 << 20)
    for way in ("to_device", "from_device", "on_device"):
        assert 1 << 20 < measured[f"{way}_bytes_per_second"] < 1 << 45
        assert measured[f"{way}_copied_bytes"] % (64 << 20) == 0
    assert measured["on_device_copied_bytes"] % (256 << 20) == 0  # more than any card's cache


def test_the_timed_copies_go_the_way_that_they_are_named_by(tmp_path: Path) -> None:
    log = tmp_path / "log"

    proved(FAKE_LOG=str(log))

    ways = [line.split()[1] for line in log.read_text().splitlines() if line.startswith("way")]
    assert list(dict.fromkeys(ways)) == ["to", "from", "on"]
    assert ways == sorted(ways, key=["to", "from", "on"].index)


@pytest.mark.parametrize("element", [0, 524289, known_kernel.ELEMENTS - 1])
def test_one_spoiled_element_of_a_million_is_caught(element: int) -> None:
    answer = proved(FIRST, f"spoil {element}")

    failed = failure(answer)
    assert (failed["status"], answer.all("stage")[-1]) == ("wrong_result", "kernel")
    assert (failed["wrong"]["compared"], failed["wrong"]["different"]) == (known_kernel.ELEMENTS, 1)
    (first,) = failed["wrong"]["first"]
    assert first["index"] == element
    assert first["expected"] ^ first["found"] == 1 << 17


def test_a_wrong_product_shows_the_numbers_that_were_expected() -> None:
    answer = proved(rocblas="spoil 1234")

    failed = failure(answer)
    assert (failed["status"], answer.all("stage")[-1]) == ("wrong_result", "blas")
    (first,) = failed["wrong"]["first"]
    assert (first["index"], first["found"] - first["expected"]) == (1234, 1.0)
    assert (failed["wrong"]["compared"], failed["wrong"]["different"]) == (64 * 64, 1)


@pytest.mark.parametrize(
    ("line", "stage"),
    [
        ("corrupt", "copy"),
        ("silent hipMemcpy@1", "copy"),
        ("silent hipMemcpy@2", "copy"),
        ("silent hipMemcpy@3", "copy"),
        ("silent hipModuleLaunchKernel", "kernel"),
    ],
)
def test_work_that_is_only_said_to_be_done_is_found_out(line: str, stage: str) -> None:
    answer = proved(FIRST, line)

    assert (failure(answer)["status"], answer.all("stage")[-1]) == ("wrong_result", stage)


def test_a_product_that_is_only_said_to_be_made_is_found_out() -> None:
    failed = failure(proved(rocblas="silent rocblas_sgemm"))

    assert failed["status"] == "wrong_result"
    assert {each["found"] for each in failed["wrong"]["first"]} == {"nan"}


@pytest.mark.parametrize("function", ["hipMalloc", "hipModuleGetFunction", "hipHostMalloc"])
def test_success_without_an_answer_is_a_failure(function: str) -> None:
    answer = proved(FIRST, f"silent {function}")

    assert (failure(answer)["status"], answer.all("stage")[-1]) == ("call_failed", IN_STAGE[function])
    assert answer.exit_code == 0


@pytest.mark.parametrize(("function", "stage"), IN_STAGE.items())
def test_a_call_that_fails_names_its_stage_and_its_number(function: str, stage: str) -> None:
    answer = proved(FIRST, f"error {function} 719")

    failed = failure(answer)
    assert answer.all("stage")[-1] == stage
    status = "call_failed" if stage == "context" else "unsupported"
    assert (failed["status"], failed["code"], failed["name"]) == (status, 719, "hipErrorLaunchFailure")
    assert f"`{function}`" in failed["message"]
    assert "stopped in the middle of a kernel" in failed["message"]


@pytest.mark.parametrize(
    ("code", "status"),
    [(2, "busy"), (98, "unsupported"), (200, "unsupported"), (209, "unsupported"), (700, "unsupported"), (999, "call_failed")],
)
@pytest.mark.parametrize("function", ["hipModuleLoadData", "hipModuleLaunchKernel", "hipMemcpy"])
def test_a_number_says_what_it_proves(function: str, code: int, status: str) -> None:
    failed = failure(proved(FIRST, f"error {function} {code}"))

    assert (failed["status"], failed["code"], failed["name"]) == (status, code, results.NAMES[code])


@pytest.mark.parametrize(("code", "status"), [(5, "busy"), (6, "call_failed"), (15, "unsupported")])
@pytest.mark.parametrize("function", ["rocblas_create_handle", "rocblas_sgemm"])
def test_what_rocblas_answers_says_what_that_proves(function: str, code: int, status: str) -> None:
    answer = proved(rocblas=f"error {function} {code}")

    assert (failure(answer)["status"], failure(answer)["code"], answer.all("stage")[-1]) == (status, code, "blas")


def test_a_card_that_rocblas_has_no_kernels_for_ends_the_child_at_its_stage() -> None:
    answer = proved(rocblas="targets gfx900")

    assert (answer.exit_code, answer.all("stage")[-1], answer.calls[-1]) == (-6, "blas", "rocblas_initialize")
    assert b"GPU arch : gfx1100" in answer.stderr


def test_without_rocblas_its_stage_is_not_possible_and_the_validation_goes_on() -> None:
    answer = proved(library=hip_runtime())

    because = [told["because"] for told in answer.all("not_possible")]
    assert any("librocblas.so.4" in words for words in because)
    assert answer.facts["rocblas"] is None
    assert answer.all("stage") == STAGES
    assert answer.is_done


def test_a_rocblas_that_was_found_elsewhere_is_taken_where_the_loader_has_none() -> None:
    elsewhere = str(rocm_install().with_name("librocblas.so.4"))

    answer = proved(library=hip_runtime(), toolkits=("/nowhere/librocblas.so.3", elsewhere))

    assert answer.facts["rocblas"] == elsewhere


def test_without_a_compiler_memory_that_the_card_fills_must_do() -> None:
    answer = proved(library=rocm_install())

    (told,) = answer.all("not_possible")
    assert "libhiprtc.so.6" in told["because"]
    assert "the card filled 4 MiB correctly" in told["because"]
    assert "hipMemset" in answer.calls
    assert answer.all("passed") == [{"depth": "bandwidth"}]


def test_rocblas_is_not_started_where_its_workspace_would_not_fit() -> None:
    answer = proved(described(uuid=CARD, gfx="gfx1100", pci="0000:03:00.0", memory=1 << 30, free=100 << 20), **SEEN_ALONE)

    failed = failure(answer)
    assert (failed["status"], answer.all("stage")[-1]) == ("busy", "blas")
    assert "128 MiB are needed and 100 MiB of the card's memory are free: rocBLAS was not started" in failed["message"]
    assert "rocblas_create_handle" not in answer.calls


def test_memory_that_the_card_fills_wrongly_is_a_wrong_result() -> None:
    answer = proved(FIRST, "unfilled 77777", library=rocm_install())

    failed = failure(answer)
    assert (failed["status"], answer.all("stage")[-1]) == ("wrong_result", "kernel")
    assert (failed["wrong"]["different"], failed["wrong"]["first"][0]["index"]) == (1, 77777 // 4)


def test_less_memory_than_is_needed_is_refused_before_anything_is_taken() -> None:
    answer = proved(described(uuid=CARD, free=7 << 20))

    failed = failure(answer)
    assert (failed["status"], answer.all("stage")[-1]) == ("busy", "allocate")
    assert "8 MiB are needed and 7 MiB of the card's memory are free" in failed["message"]
    assert "hipMalloc" not in answer.calls


@pytest.mark.parametrize(("free", "status"), [(20 << 30, "unsupported"), (100 << 20, "busy")])
def test_memory_that_runs_out_is_the_card_s_own_fault_where_plenty_is_free(free: int, status: str) -> None:
    failed = failure(proved(described(uuid=CARD, free=free), "error hipMalloc 2"))

    assert (failed["status"], failed["name"]) == (status, "hipErrorOutOfMemory")


@pytest.mark.parametrize("line", ["error hipHostMalloc 2", "error hipMalloc@6 2", "error hipMalloc@7 2"])
def test_memory_that_runs_out_for_the_timed_copies_is_no_failure(line: str) -> None:
    answer = proved(FIRST, line)

    (told,) = answer.all("not_possible")
    assert told["name"] == "hipErrorOutOfMemory"
    assert answer.all("passed") == [{"depth": "blas"}]


@pytest.mark.parametrize(("verb", "ending"), ENDINGS)
@pytest.mark.parametrize(("function", "stage"), [("hipMemcpy", "copy"), ("hipModuleLaunchKernel", "kernel")])
def test_a_runtime_that_dies_names_its_stage_and_its_step(function: str, stage: str, verb: str, ending: int) -> None:
    answer = proved(FIRST, verb.format(function))

    assert (answer.exit_code, answer.all("stage")[-1], answer.calls[-1]) == (ending, stage, function)
