"""Vulkan's stages on real software drivers, and on one of them inside a driver of ours that fails or lies at one place."""

from __future__ import annotations

import shutil
import subprocess
from ctypes import c_void_p
from pathlib import Path
from typing import Any

import pytest

from gpuprobe.backends import known_kernel
from gpuprobe.backends.vulkan import kernel, results
from gpuprobe.backends.vulkan.card import Card
from tests.backends.talk import Talk
from tests.backends.vulkan_talk import ENDINGS, proved
from tests.doubles import described
from tests.vulkan_world import World, missing, world

STAGES = ["load", "init", "list", "context", "allocate", "copy", "kernel", "bandwidth"]
FIRST = {"number": 0}
# Where each call is first made.
IN_STAGE = {
    "vkCreateBuffer": "allocate",
    "vkAllocateMemory": "allocate",
    "vkBindBufferMemory": "allocate",
    "vkMapMemory": "allocate",
    "vkCreateFence": "copy",
    "vkCreateCommandPool": "copy",
    "vkAllocateCommandBuffers": "copy",
    "vkBeginCommandBuffer": "copy",
    "vkEndCommandBuffer": "copy",
    "vkQueueSubmit": "copy",
    "vkWaitForFences": "copy",
    "vkResetFences": "copy",
    "vkCreateDescriptorSetLayout": "kernel",
    "vkCreatePipelineLayout": "kernel",
    "vkCreateShaderModule": "kernel",
    "vkCreateComputePipelines": "kernel",
    "vkCreateDescriptorPool": "kernel",
    "vkAllocateDescriptorSets": "kernel",
}


@pytest.fixture
def staged(tmp_path: Path) -> World:
    return world(tmp_path)


def failure(answer: Talk) -> dict[str, Any]:
    assert answer.failed is not None
    assert "failed" in answer.lines[-1]
    return answer.failed


def figures(answer: Talk) -> dict[str, Any]:
    return {name: value for each in answer.all("figures") for name, value in each.items()}


@pytest.mark.parametrize("driver", ["lavapipe", "swiftshader"])
def test_a_software_driver_passes_every_stage(driver: str, staged: World) -> None:
    answer = proved(getattr(staged, driver)(), FIRST)

    assert answer.all("stage") == STAGES
    assert answer.all("passed") == [{"depth": "bandwidth"}]
    assert answer.all("not_possible") == []
    assert answer.is_done


def test_copies_are_timed_on_buffers_that_mean_something(staged: World) -> None:
    measured = figures(proved(staged.lavapipe(), FIRST))

    for way in ("to_device", "from_device", "on_device"):
        assert 1 << 20 < measured[f"{way}_bytes_per_second"] < 1 << 45
        assert measured[f"{way}_copied_bytes"] % (64 << 20) == 0


@pytest.mark.parametrize("until", STAGES[3:])
def test_the_validation_ends_where_it_was_asked_to(until: str, staged: World) -> None:
    answer = proved(staged.lavapipe(), FIRST, until=until)

    assert answer.all("stage") == STAGES[: STAGES.index(until) + 1]
    assert answer.all("passed") == [{"depth": until}]


def test_the_mock_driver_whose_calls_all_succeed_is_found_out_by_its_elements(staged: World) -> None:
    answer = proved(staged.mock(), FIRST)

    failed = failure(answer)
    assert (failed["status"], answer.all("stage")[-1]) == ("wrong_result", "copy")
    assert failed["wrong"]["compared"] == known_kernel.ELEMENTS
    # Among a million random elements a few may be what the driver left there.
    assert failed["wrong"]["different"] > known_kernel.ELEMENTS - 10
    assert [set(each) for each in failed["wrong"]["first"]] == [{"index", "expected", "found"}] * 4


def test_a_null_device_without_memory_fails_where_memory_is_taken(staged: World) -> None:
    answer = proved(staged.radv("gfx1100"), FIRST)

    failed = failure(answer)
    assert (failed["status"], answer.all("stage")[-1]) == ("unsupported", "allocate")
    assert "0 memory types" in failed["message"]


@pytest.mark.parametrize("element", [0, 524289, known_kernel.ELEMENTS - 1])
@pytest.mark.parametrize(("work", "stage"), [("copy", "copy"), ("dispatch", "kernel")])
def test_one_spoiled_element_of_a_million_is_caught(work: str, stage: str, element: int, staged: World) -> None:
    answer = proved(staged.wrapped(f"spoil {work} {element}"), FIRST)

    failed = failure(answer)
    assert (failed["status"], answer.all("stage")[-1]) == ("wrong_result", stage)
    assert (failed["wrong"]["compared"], failed["wrong"]["different"]) == (known_kernel.ELEMENTS, 1)
    (first,) = failed["wrong"]["first"]
    assert first["index"] == element
    assert first["expected"] ^ first["found"] == 1 << 17


def test_a_kernel_that_is_only_said_to_run_is_found_out(staged: World) -> None:
    answer = proved(staged.wrapped("silent vkCmdDispatch"), FIRST)

    assert (failure(answer)["status"], answer.all("stage")[-1]) == ("wrong_result", "kernel")


@pytest.mark.parametrize("function", ["vkCmdCopyBuffer", "vkCmdCopyBuffer@2", "vkQueueSubmit"])
def test_copies_that_are_only_said_to_be_made_are_found_out(function: str, staged: World) -> None:
    answer = proved(staged.wrapped(f"silent {function}", *(["silent vkWaitForFences"] if "Queue" in function else [])), FIRST)

    assert (failure(answer)["status"], answer.all("stage")[-1]) == ("wrong_result", "copy")


def test_memory_that_is_not_coherent_is_flushed_and_invalidated(staged: World, tmp_path: Path) -> None:
    log = tmp_path / "log"

    answer = proved(staged.wrapped("noncoherent"), FIRST, until="kernel", FAKE_LOG=str(log))

    assert answer.all("passed") == [{"depth": "kernel"}]
    assert {line.split()[0] for line in log.read_text().splitlines()} == {"allocate", "copy", "flush", "invalidate"}


@pytest.mark.parametrize("function", ["vkFlushMappedMemoryRanges", "vkInvalidateMappedMemoryRanges"])
def test_a_processor_and_a_device_that_do_not_see_each_other_are_found_out(function: str, staged: World) -> None:
    answer = proved(staged.wrapped("noncoherent", f"silent {function}"), FIRST)

    assert (failure(answer)["status"], answer.all("stage")[-1]) == ("wrong_result", "copy")


@pytest.mark.parametrize(("function", "stage"), IN_STAGE.items())
def test_a_call_that_fails_names_its_stage_and_its_number(function: str, stage: str, staged: World) -> None:
    answer = proved(staged.wrapped(f"error {function} -4"), FIRST)

    failed = failure(answer)
    assert answer.all("stage")[-1] == stage
    assert (failed["status"], failed["code"], failed["name"]) == ("unsupported", -4, "VK_ERROR_DEVICE_LOST")
    assert f"`{function}`" in failed["message"]
    assert "lost in the middle of the work" in failed["message"]


@pytest.mark.parametrize(
    ("code", "status"),
    [(-1, "busy"), (-2, "busy"), (-10, "busy"), (2, "call_failed"), (-3, "unsupported"), (-13, "unsupported")],
)
@pytest.mark.parametrize("function", ["vkAllocateMemory", "vkQueueSubmit", "vkCreateComputePipelines", "vkWaitForFences"])
def test_a_number_says_what_it_proves(function: str, code: int, status: str, staged: World) -> None:
    failed = failure(proved(staged.wrapped(f"error {function} {code}"), FIRST))

    assert (failed["status"], failed["code"], failed["name"]) == (status, code, results.NAMES[code])


def test_a_device_that_is_refused_fails_at_the_context(staged: World) -> None:
    answer = proved(staged.wrapped("error vkCreateDevice -3"), FIRST)

    assert (failure(answer)["name"], answer.all("stage")[-1]) == ("VK_ERROR_INITIALIZATION_FAILED", "context")


@pytest.mark.parametrize(("verb", "ending"), ENDINGS)
@pytest.mark.parametrize(("function", "stage"), [("vkAllocateMemory", "allocate"), ("vkCreateComputePipelines", "kernel")])
def test_a_driver_that_dies_names_its_stage_and_its_step(
    function: str, stage: str, verb: str, ending: int, staged: World
) -> None:
    answer = proved(staged.wrapped(verb.format(function)), FIRST)

    assert (answer.exit_code, answer.all("stage")[-1], answer.calls[-1]) == (ending, stage, function)
    assert answer.all("passed") == []


@pytest.mark.parametrize(
    ("line", "stage"),
    [
        ("addressless", "allocate"),
        ("silent vkGetBufferMemoryRequirements", "allocate"),
        ("silent vkAllocateCommandBuffers", "copy"),
    ],
)
def test_success_without_an_answer_is_a_failure(line: str, stage: str, staged: World) -> None:
    answer = proved(staged.wrapped(line), FIRST)

    assert (failure(answer)["status"], answer.all("stage")[-1]) == ("call_failed", stage)
    assert answer.exit_code == 0


def test_less_memory_than_is_needed_is_refused_before_anything_is_taken(staged: World) -> None:
    answer = proved(staged.lavapipe().identity(described(free=7 << 20)), FIRST)

    failed = failure(answer)
    assert (failed["status"], answer.all("stage")[-1]) == ("busy", "allocate")
    assert "8 MiB are needed and 7 MiB of the card's memory are free" in failed["message"]
    assert "vkAllocateMemory" not in answer.calls
    assert figures(answer) == {"free_bytes": 7 << 20}


def test_memory_that_runs_out_on_a_free_card_is_the_card_s_own_fault(staged: World) -> None:
    staged.wrapped("error vkAllocateMemory -2").identity(described(free=20 << 30))

    failed = failure(proved(staged, FIRST))

    assert (failed["status"], failed["code"]) == ("unsupported", -2)
    assert "20480 MiB are free" in failed["message"]


def test_the_timed_copies_go_the_way_that_they_are_named_by(staged: World, tmp_path: Path) -> None:
    log = tmp_path / "log"

    proved(staged.wrapped(), FIRST, FAKE_LOG=str(log))

    ways = [line.split()[1] for line in log.read_text().splitlines() if line.startswith("copy")]
    assert list(dict.fromkeys(ways[4:])) == ["to", "from", "on"]
    assert ways[4:] == sorted(ways[4:], key=["to", "from", "on"].index)


def test_no_command_begins_before_the_one_before_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Software renderers do one after the other without being told to; cards do not."""
    said: list[str] = []
    card = Card.__new__(Card)
    for name in ("check", "_checked"):
        monkeypatch.setattr(card, name, lambda name, *arguments: said.append(name), raising=False)
    for name in ("_commands", "_fence", "_queue", "made"):
        monkeypatch.setattr(card, name, c_void_p(), raising=False)

    card.do(lambda: said.append("first"), lambda: said.append("second"))

    barrier = "vkCmdPipelineBarrier"
    assert said[:2] == ["vkBeginCommandBuffer", barrier]
    assert said[2:7] == ["first", barrier, "second", barrier, "vkEndCommandBuffer"]
    assert said[7:] == ["vkQueueSubmit", "vkWaitForFences", "vkResetFences"]


@pytest.mark.parametrize(("free", "expected"), [(100, [8, 8, 8]), (1100, [64, 128, 128]), (20480, [64, 256, 256])])
def test_no_buffer_of_the_timed_copies_is_larger_than_an_eighth_of_what_is_free(
    free: int, expected: list[int], staged: World, tmp_path: Path
) -> None:
    log = tmp_path / "log"

    answer = proved(staged.wrapped().identity(described(free=free << 20)), FIRST, FAKE_LOG=str(log))

    sizes = [int(line.split()[1]) >> 20 for line in log.read_text().splitlines() if line.startswith("allocate")]
    assert sizes == [4, 4, *expected]
    assert answer.calls.count("vkFreeMemory") == 2  # the first two are given back before
    assert answer.all("passed") == [{"depth": "bandwidth"}]


@pytest.mark.parametrize("call", [3, 4, 5])
def test_memory_that_runs_out_for_the_timed_copies_is_no_failure(call: int, staged: World) -> None:
    answer = proved(staged.wrapped(f"error vkAllocateMemory@{call} -2"), FIRST)

    (told,) = answer.all("not_possible")
    assert (told["code"], told["name"]) == (-2, "VK_ERROR_OUT_OF_DEVICE_MEMORY")
    assert answer.all("passed") == [{"depth": "kernel"}]
    assert answer.is_done


def test_on_a_card_that_is_nearly_full_the_timed_copies_are_small(staged: World) -> None:
    answer = proved(staged.lavapipe().identity(described(free=8 << 20)), FIRST)

    assert figures(answer)["to_device_copied_bytes"] <= 64 << 20
    assert answer.all("passed") == [{"depth": "bandwidth"}]


def test_spirv_tools_accept_the_kernel(tmp_path: Path) -> None:
    validator = shutil.which("spirv-val") or missing("spirv-val (`spirv-tools`)")
    path = tmp_path / "kernel.spv"
    path.write_bytes(kernel.WORDS)

    answer = subprocess.run([validator, "--target-env", "vulkan1.0", path], capture_output=True, text=True, check=False)

    assert (answer.returncode, answer.stdout + answer.stderr) == (0, "")
