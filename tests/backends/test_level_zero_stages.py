"""Level Zero's stages behind the real loader, on a driver of ours that holds real memory and computes the known kernel."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gpuprobe.backends import known_kernel
from gpuprobe.backends.level_zero import kernel, results
from tests.backends.level_zero_talk import ARC, ARC_UUID, UHD, proved
from tests.backends.talk import Talk
from tests.backends.vulkan_talk import ENDINGS
from tests.doubles import described
from tests.vulkan_world import missing
from tests.ze_world import ZeWorld, newer_loader

STAGES = ["load", "init", "list", "context", "allocate", "copy", "kernel", "bandwidth"]
WANTED = {"uuid": ARC_UUID}
# Where each call is first made.
IN_STAGE = {
    "zeContextCreate": "context",
    "zeMemAllocHost": "allocate",
    "zeMemAllocDevice": "allocate",
    "zeDeviceGetCommandQueueGroupProperties": "copy",
    "zeCommandQueueCreate": "copy",
    "zeCommandListCreate": "copy",
    "zeCommandListAppendMemoryCopy": "copy",
    "zeCommandListAppendBarrier": "copy",
    "zeCommandListClose": "copy",
    "zeCommandQueueExecuteCommandLists": "copy",
    "zeCommandQueueSynchronize": "copy",
    "zeCommandListReset": "copy",
    "zeModuleCreate": "kernel",
    "zeKernelCreate": "kernel",
    "zeKernelSetGroupSize": "kernel",
    "zeKernelSetArgumentValue": "kernel",
    "zeCommandListAppendLaunchKernel": "kernel",
    "zeMemFree": "bandwidth",
}


@pytest.fixture
def staged(tmp_path: Path) -> ZeWorld:
    return ZeWorld(tmp_path)


def card(free: int | None) -> str:
    known = {} if free is None else {"free": free}
    return described(name="Arc", uuid=ARC_UUID, pci="0000:03:00.0", memory=16 << 30, **known)


def failure(answer: Talk) -> dict[str, Any]:
    assert answer.failed is not None
    assert "failed" in answer.lines[-1]
    return answer.failed


def figures(answer: Talk) -> dict[str, Any]:
    return {name: value for each in answer.all("figures") for name, value in each.items()}


def test_a_card_passes_every_stage(staged: ZeWorld) -> None:
    answer = proved(staged.driver(ARC), WANTED)

    assert answer.all("stage") == STAGES
    assert answer.all("passed") == [{"depth": "bandwidth"}]
    assert answer.all("not_possible") == []
    assert answer.is_done


def test_a_newer_loader_gives_the_same(staged: ZeWorld) -> None:
    answer = proved(staged.driver(ARC), WANTED, library=newer_loader())

    assert answer.all("passed") == [{"depth": "bandwidth"}]


def test_free_memory_and_the_speed_of_copies_are_told(staged: ZeWorld) -> None:
    measured = figures(proved(staged.driver(card(15 << 30)), WANTED))

    assert (measured["free_bytes"], measured["allocated_bytes"], measured["elements"]) == (15 << 30, 4 << 20, 1 << 20)
    for way in ("to_device", "from_device", "on_device"):
        assert 1 << 20 < measured[f"{way}_bytes_per_second"] < 1 << 45
        assert measured[f"{way}_copied_bytes"] % (64 << 20) == 0
    assert measured["on_device_copied_bytes"] % (256 << 20) == 0  # more than any card's cache


@pytest.mark.parametrize("until", STAGES[1:])
def test_the_validation_ends_where_it_was_asked_to(until: str, staged: ZeWorld) -> None:
    answer = proved(staged.driver(ARC), WANTED, until=until)

    assert answer.all("stage") == STAGES[: STAGES.index(until) + 1]
    assert answer.all("passed") == [{"depth": until}]


def test_the_wanted_device_is_proved_and_no_other(staged: ZeWorld, tmp_path: Path) -> None:
    log = tmp_path / "log"

    proved(staged.driver(UHD, ARC), WANTED, until="kernel", FAKE_LOG=str(log))

    copies = {line for line in log.read_text().splitlines() if line.startswith("copy")}
    assert copies == {"copy Intel(R) Arc(TM) A770 Graphics"}


def test_the_timed_copies_go_the_way_that_they_are_named_by(staged: ZeWorld, tmp_path: Path) -> None:
    log = tmp_path / "log"

    proved(staged.driver(ARC), WANTED, FAKE_LOG=str(log))

    ways = [line.split()[1] for line in log.read_text().splitlines() if line.startswith("way")][4:]
    assert list(dict.fromkeys(ways)) == ["to", "from", "on"]
    assert ways == sorted(ways, key=["to", "from", "on"].index)


def test_a_device_that_is_gone_is_missing(staged: ZeWorld) -> None:
    answer = proved(staged.driver(UHD), WANTED)

    assert (failure(answer)["status"], answer.all("stage")[-1]) == ("device_missing", "list")


@pytest.mark.parametrize("element", [0, 524289, known_kernel.ELEMENTS - 1])
def test_one_spoiled_element_of_a_million_is_caught(element: int, staged: ZeWorld) -> None:
    answer = proved(staged.driver(ARC, f"spoil {element}"), WANTED)

    failed = failure(answer)
    assert (failed["status"], answer.all("stage")[-1]) == ("wrong_result", "kernel")
    assert (failed["wrong"]["compared"], failed["wrong"]["different"]) == (known_kernel.ELEMENTS, 1)
    (first,) = failed["wrong"]["first"]
    assert first["index"] == element
    assert first["expected"] ^ first["found"] == 1 << 17


def test_a_byte_that_is_lost_on_the_way_is_caught(staged: ZeWorld) -> None:
    answer = proved(staged.driver(ARC, "corrupt"), WANTED)

    failed = failure(answer)
    assert (failed["status"], answer.all("stage")[-1]) == ("wrong_result", "copy")
    assert failed["wrong"]["different"] == 1


@pytest.mark.parametrize(
    ("line", "stage"),
    [
        ("silent zeCommandQueueExecuteCommandLists", "copy"),
        ("silent zeCommandListAppendMemoryCopy", "copy"),
        ("silent zeCommandListAppendLaunchKernel", "kernel"),
        ("silent zeKernelSetGroupSize", "kernel"),
    ],
)
def test_work_that_is_only_said_to_be_done_is_found_out(line: str, stage: str, staged: ZeWorld) -> None:
    answer = proved(staged.driver(ARC, line), WANTED)

    assert (failure(answer)["status"], answer.all("stage")[-1]) == ("wrong_result", stage)


@pytest.mark.parametrize(
    ("function", "stage"),
    [(name, stage) for name, stage in IN_STAGE.items() if name.endswith("Create") or name.startswith("zeMemAlloc")],
)
def test_success_without_an_answer_is_a_failure(function: str, stage: str, staged: ZeWorld) -> None:
    answer = proved(staged.driver(ARC, f"silent {function}"), WANTED)

    assert (failure(answer)["status"], answer.all("stage")[-1]) == ("call_failed", stage)
    assert f"`{function}`" in failure(answer)["message"]
    assert answer.exit_code == 0


@pytest.mark.parametrize(("function", "stage"), IN_STAGE.items())
def test_a_call_that_fails_names_its_stage_and_its_number(function: str, stage: str, staged: ZeWorld) -> None:
    answer = proved(staged.driver(ARC, f"error {function} 0x70000001"), WANTED)

    failed = failure(answer)
    assert answer.all("stage")[-1] == stage
    status = "call_failed" if stage == "context" else "unsupported"
    assert (failed["status"], failed["code"], failed["name"]) == (status, 0x70000001, "ZE_RESULT_ERROR_DEVICE_LOST")
    assert f"`{function}`" in failed["message"]
    assert "the card hangs, was reset or was taken away" in failed["message"]


@pytest.mark.parametrize(
    ("code", "status"),
    [(0x1, "busy"), (0x70000002, "busy"), (0x70000003, "busy"), (0x78000003, "unsupported"), (0x7FFFFFFE, "call_failed")],
)
@pytest.mark.parametrize("function", ["zeMemAllocDevice", "zeModuleCreate", "zeCommandQueueSynchronize"])
def test_a_number_says_what_it_proves(function: str, code: int, status: str, staged: ZeWorld) -> None:
    failed = failure(proved(staged.driver(card(100 << 20), f"error {function} {code}"), WANTED))

    assert (failed["status"], failed["code"], failed["name"]) == (status, code, results.NAMES[code])


def test_without_a_compiler_the_kernel_is_not_possible_and_nothing_is_wrong(staged: ZeWorld) -> None:
    answer = proved(staged.driver(ARC, "error zeModuleCreate 0x70020000"), WANTED)

    (told,) = answer.all("not_possible")
    assert (told["code"], told["name"]) == (0x70020000, "ZE_RESULT_ERROR_DEPENDENCY_UNAVAILABLE")
    assert "no compiler" in told["because"]
    assert answer.all("stage") == STAGES
    assert answer.is_done


def test_a_compiler_that_refuses_is_quoted(staged: ZeWorld) -> None:
    words = "error: undefined reference to `__spirv_BuiltInGlobalInvocationId'"

    failed = failure(proved(staged.driver(ARC, "error zeModuleCreate 0x70000004", f"log {words}"), WANTED))

    assert (failed["status"], failed["name"]) == ("unsupported", "ZE_RESULT_ERROR_MODULE_BUILD_FAILURE")
    assert failed["message"].endswith(f"its compiler says: {words}")


def test_a_compiler_that_says_its_words_have_no_end_is_quoted_all_the_same(staged: ZeWorld) -> None:
    lines = ("error zeModuleCreate 0x70000004", "log no such target", f"log_size {1 << 62}")

    failed = failure(proved(staged.driver(ARC, *lines), WANTED))

    assert failed["message"].endswith("its compiler says: no such target")


@pytest.mark.parametrize("line", ["log", "error zeModuleBuildLogGetString 0x7ffffffe", "silent zeModuleBuildLogGetString"])
def test_a_compiler_that_refuses_without_a_word_is_told_without_one(line: str, staged: ZeWorld) -> None:
    failed = failure(proved(staged.driver(ARC, "error zeModuleCreate 0x70000004", line), WANTED))

    assert failed["status"] == "unsupported"
    assert "compiler says" not in failed["message"]


def test_less_memory_than_is_needed_is_refused_before_anything_is_taken(staged: ZeWorld) -> None:
    answer = proved(staged.driver(card(3 << 20)), WANTED)

    failed = failure(answer)
    assert (failed["status"], answer.all("stage")[-1]) == ("busy", "allocate")
    assert "4 MiB are needed and 3 MiB of the card's memory are free" in failed["message"]
    assert "zeMemAllocDevice" not in answer.calls


@pytest.mark.parametrize(("free", "status"), [(20 << 30, "unsupported"), (100 << 20, "busy"), (None, "busy")])
def test_memory_that_runs_out_is_the_card_s_own_fault_where_plenty_is_free(
    free: int | None, status: str, staged: ZeWorld
) -> None:
    line = described(name="Arc", uuid=ARC_UUID, memory=32 << 30, **({} if free is None else {"free": free}))

    failed = failure(proved(staged.driver(line, "error zeMemAllocDevice 0x70000003"), WANTED))

    assert (failed["status"], failed["code"]) == (status, 0x70000003)


@pytest.mark.parametrize("call", [2, 3])
def test_memory_that_runs_out_for_the_timed_copies_is_no_failure(call: int, staged: ZeWorld) -> None:
    answer = proved(staged.driver(ARC, f"error zeMemAllocDevice@{call} 0x70000003"), WANTED)

    (told,) = answer.all("not_possible")
    assert told["name"] == "ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY"
    assert answer.all("passed") == [{"depth": "kernel"}]


def test_with_too_little_left_nothing_is_timed(staged: ZeWorld) -> None:
    answer = proved(staged.driver(card(5 << 20)), WANTED)

    (told,) = answer.all("not_possible")
    assert "too few to time a copy" in told["because"]
    assert answer.all("passed") == [{"depth": "kernel"}]
    assert answer.is_done


@pytest.mark.parametrize(("verb", "ending"), ENDINGS)
@pytest.mark.parametrize(("function", "stage"), [("zeMemAllocDevice", "allocate"), ("zeModuleCreate", "kernel")])
def test_a_driver_that_dies_names_its_stage_and_its_step(
    function: str, stage: str, verb: str, ending: int, staged: ZeWorld
) -> None:
    answer = proved(staged.driver(ARC, verb.format(function)), WANTED)

    assert (answer.exit_code, answer.all("stage")[-1], answer.calls[-1]) == (ending, stage, function)
    assert answer.all("passed") == []


def test_spirv_tools_accept_the_kernel(tmp_path: Path) -> None:
    validator = shutil.which("spirv-val") or missing("spirv-val (`spirv-tools`)")
    path = tmp_path / "kernel.spv"
    path.write_bytes(kernel.WORDS)

    answer = subprocess.run([validator, "--target-env", "opencl1.2", path], capture_output=True, text=True, check=False)

    assert (answer.returncode, answer.stdout + answer.stderr) == (0, "")
