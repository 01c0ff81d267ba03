"""Metal's stages on doubles of the runtime and of the framework, which do what was encoded when it is committed."""

from __future__ import annotations

import platform
import signal
from pathlib import Path
from typing import Any

import pytest

from gpuprobe.backends import known_kernel
from gpuprobe.backends.metal.kernel import SOURCE
from tests.backends.talk import Talk, request, talk
from tests.doubles import described, metal_framework, script

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the double reads arguments as x86-64 passes them")

STAGES = ["load", "init", "list", "context", "allocate", "copy", "kernel", "bandwidth"]
M3 = described(name="Apple M3 Max", memory=48 << 30)


def proved(*lines: str, until: str | None = None, number: int = 0, **environ: str) -> Talk:
    device = {"uuid": None, "pci_id": None, "number": number, "copy": 0}
    asked = request(metal_framework(), "metal", purpose="prove", device=device, until=until)
    return talk(asked, {"FAKE_METAL": script(*lines), **environ})


def figures(answer: Talk) -> dict[str, Any]:
    return {name: value for each in answer.all("figures") for name, value in each.items()}


def failure(answer: Talk) -> dict[str, Any]:
    assert answer.failed is not None
    return answer.failed


def test_every_stage_is_passed() -> None:
    answer = proved(M3)

    assert answer.all("stage") == STAGES
    assert answer.all("passed") == [{"depth": "bandwidth"}]
    assert answer.all("not_possible") == []
    assert answer.is_done


def test_copies_are_timed_and_memory_is_told() -> None:
    measured = figures(proved(M3))

    assert measured["elements"] == known_kernel.ELEMENTS
    assert "free_bytes" not in measured  # what this process alone does not hold
    for way in ("to_device", "from_device", "on_device"):
        assert measured[f"{way}_bytes_per_second"] > 1 << 20


@pytest.mark.parametrize("until", STAGES[3:])
def test_the_validation_ends_where_it_was_asked_to(until: str) -> None:
    assert proved(M3, until=until).all("stage") == STAGES[: STAGES.index(until) + 1]


def test_the_timed_copies_go_the_way_that_they_are_named_by(tmp_path: Path) -> None:
    log = tmp_path / "log"

    proved(M3, FAKE_LOG=str(log))

    ways = [line.split()[1] for line in log.read_text().splitlines() if line.startswith("way")][4:]
    assert list(dict.fromkeys(ways)) == ["to", "from", "on"]
    assert ways == sorted(ways, key=["to", "from", "on"].index)


def test_the_kernel_is_the_one_that_every_library_is_proved_with() -> None:
    assert f"{known_kernel.FACTOR} * elements[place] + {known_kernel.ADDEND} + place" in SOURCE


def test_one_wrong_element_in_a_million_is_found() -> None:
    failed = failure(proved(M3, "spoil 777777"))

    assert failed["status"] == "wrong_result"
    assert (failed["wrong"]["compared"], failed["wrong"]["different"]) == (known_kernel.ELEMENTS, 1)
    assert failed["wrong"]["first"][0]["index"] == 777777


def test_without_a_compiler_the_kernel_is_not_possible_and_the_validation_goes_on() -> None:
    answer = proved(M3, "silent newLibraryWithSource")

    (why,) = answer.all("not_possible")
    assert "compiler made no kernel" in why["because"]
    assert answer.all("stage") == STAGES
    assert answer.is_done


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("silent newFunctionWithName", "`newFunctionWithName:` gave nothing"),
        ("silent newComputePipelineStateWithFunction", "made nothing"),
        ("silent commandBuffer", "`commandBuffer` gave nothing"),
        ("silent blitCommandEncoder", "`blitCommandEncoder` gave nothing"),
        ("silent contents", "`contents` gave nothing"),
        ("error waitUntilCompleted 5", "came back with status 5: out of its mind"),
    ],
)
def test_a_step_that_fails_is_named(line: str, words: str) -> None:
    failed = failure(proved(M3, line, "says out of its mind"))

    assert failed["status"] == "unsupported"
    assert words in failed["message"]


@pytest.mark.parametrize(
    ("reason", "status", "name"),
    [
        (1, "unsupported", None),  # internal
        (3, "unsupported", None),  # a fault
        (2, "call_failed", "MTLCommandBufferErrorTimeout"),
        (7, "call_failed", "MTLCommandBufferErrorNotPermitted"),
        (8, "busy", "MTLCommandBufferErrorOutOfMemory"),
    ],
)
def test_what_another_program_may_be_the_cause_of_decides_nothing(reason: int, status: str, name: str | None) -> None:
    failed = failure(proved(M3, "error waitUntilCompleted 5", f"reason {reason}"))

    assert (failed["status"], failed["code"], failed["name"]) == (status, reason, name)


def test_commands_that_do_nothing_are_found_by_what_is_not_there() -> None:
    """A runtime whose `commit` never reaches the device, and which calls that completed."""
    failed = failure(proved(M3, "silent copyFromBuffer"))

    assert failed["status"] == "wrong_result"
    assert failed["wrong"]["different"] > failed["wrong"]["compared"] * 0.99


def test_memory_that_is_used_up_decides_nothing() -> None:
    failed = failure(proved(M3, "silent newBufferWithLength"))

    assert failed["status"] == "busy"


def test_with_little_memory_copies_are_not_timed() -> None:
    answer = proved(described(memory=4 << 20))

    (why,) = answer.all("not_possible")
    assert "too few to time a copy" in why["because"]


@pytest.mark.parametrize("function", ["commit", "waitUntilCompleted", "dispatchThreadgroups", "newLibraryWithSource"])
def test_a_crash_is_named_by_its_stage_and_step(function: str) -> None:
    answer = proved(M3, f"crash {function}")

    assert answer.exit_code == -signal.SIGSEGV
    assert answer.calls[-1].startswith(function)
    assert answer.all("stage")[-1] == ("copy" if function in ("commit", "waitUntilCompleted") else "kernel")


def test_a_device_that_is_gone_is_missing() -> None:
    assert failure(proved(M3, number=3))["status"] == "device_missing"
