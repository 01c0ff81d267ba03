"""What a Metal child lists and validates, on doubles of the Objective-C runtime and of the framework."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from gpuprobe.backends.metal.objective_c import RUNTIME
from tests.backends.talk import Talk, request, talk
from tests.doubles import described, metal_framework, script

GiB = 1 << 30
M3 = described(name="Apple M3 Max", memory=48 * GiB, registry=0x1000003B7, family=9)
RADEON = described(name="AMD Radeon Pro 5500M", memory=8 * GiB, unified=0, family=0, metal3=0, registry=0x100000ABC)
UHD = described(name="Intel(R) UHD Graphics 630", memory=GiB, unified=1, low_power=1, family=0, metal3=0)


def asked(*lines: str, framework: Path | str | None = None, **changed: Any) -> Talk:
    library = framework or metal_framework()
    return talk(request(library, "metal", **changed), {"FAKE_METAL": script(*lines)})


def validated(*lines: str, number: int = 0, framework: Path | None = None) -> Talk:
    device = {"uuid": None, "pci_id": None, "number": number, "copy": 0}
    return asked(*lines, framework=framework, purpose="validate", device=device)


def test_apple_silicon_is_described_in_full() -> None:
    answer = asked(M3)

    assert answer.devices == [
        {
            "number": 0,
            "name": "Apple M3 Max",
            "type": "integrated",
            "vendor_id": 0x106B,
            "total_memory": 48 * GiB,
            "capabilities": {
                "unified_memory": True,
                "low_power": False,
                "removable": False,
                "headless": False,
                "max_buffer_bytes": 36 * GiB,
                "shared_memory_bytes": 32768,
                "registry_id": 0x1000003B7,
                "apple_family": 9,
                "mac2": True,
                "metal3": True,
                "metal4": False,
            },
        }
    ]
    assert answer.is_done


def test_every_device_is_listed_in_the_frameworks_order_with_its_kind_and_maker() -> None:
    devices = asked(RADEON, UHD, M3).devices

    assert [(device["number"], device["type"], device["vendor_id"]) for device in devices] == [
        (0, "discrete", 0x1002),
        (1, "integrated", 0x8086),
        (2, "integrated", 0x106B),
    ]


def test_a_virtual_machines_gpu_is_virtual() -> None:
    (device,) = asked(described(name="Apple Paravirtual device", family=5)).devices

    assert (device["type"], device["vendor_id"]) == ("virtual", 0x106B)


def test_what_this_process_holds_says_nothing_of_what_is_free() -> None:
    (device,) = asked(described(memory=48 * GiB, allocated=GiB)).devices

    assert device["total_memory"] == 48 * GiB
    assert "free_memory" not in device


def test_a_working_set_of_nothing_is_unknown_and_not_zero() -> None:
    (device,) = asked(described(memory=0)).devices

    assert device["total_memory"] is None


@pytest.mark.parametrize(
    ("selector", "field"),
    [
        ("recommendedMaxWorkingSetSize", "total_memory"),
        ("registryID", "registry_id"),
        ("isRemovable", "removable"),
        ("supportsFamily:", "apple_family"),
    ],
)
def test_a_method_that_an_older_system_lacks_is_not_called_and_its_answer_is_unknown(selector: str, field: str) -> None:
    answer = asked(M3, f"lacks {selector}")

    (device,) = answer.devices
    assert {**device["capabilities"], **device}.get(field) is None
    assert selector not in answer.calls
    assert answer.is_done


def test_without_word_on_unified_memory_the_kind_is_unknown() -> None:
    (device,) = asked(M3, "lacks hasUnifiedMemory").devices

    assert device["type"] == "unknown"


def test_a_name_with_rubbish_in_it_is_a_name_all_the_same() -> None:
    (device,) = asked(described(name=b"Apple \xff\x1b[31m $(id)")).devices

    assert device["name"] == "Apple \ufffd\x1b[31m $(id)"


def test_where_no_list_is_given_the_default_device_is_asked_for_with_core_graphics_loaded() -> None:
    answer = asked(M3, "silent MTLCopyAllDevices")

    assert [device["name"] for device in answer.devices] == ["Apple M3 Max"]
    assert answer.calls[1:5] == ["MTLCopyAllDevices", "load CoreGraphics", "MTLCreateSystemDefaultDevice", "name"]


def test_a_release_without_the_list_has_the_default_device() -> None:
    answer = asked(M3, framework=metal_framework("WITHOUT_ALL"))

    assert [device["name"] for device in answer.devices] == ["Apple M3 Max"]
    assert "MTLCopyAllDevices" not in answer.calls


def test_no_device_at_all_is_a_finding_with_a_sentence() -> None:
    answer = asked("silent MTLCopyAllDevices", "silent MTLCreateSystemDefaultDevice")

    assert answer.failed is not None
    assert answer.failed["status"] == "no_devices"
    assert "neither `MTLCopyAllDevices` nor `MTLCreateSystemDefaultDevice` gave one" in answer.failed["message"]
    assert not answer.is_done


def test_a_framework_that_is_not_there_is_not_loadable() -> None:
    answer = asked(framework="/System/Library/Frameworks/Metal.framework/Metal")

    assert answer.failed is not None
    assert answer.failed["status"] == "not_loadable"
    assert "Metal.framework/Metal` did not load" in answer.failed["message"]


def test_another_library_in_its_place_is_not_taken_for_it() -> None:
    answer = asked(framework=metal_framework("ANOTHER"))

    assert answer.failed is not None
    assert "has no function `MTLCreateSystemDefaultDevice`" in answer.failed["message"]


def test_without_its_runtime_the_framework_is_of_no_use() -> None:
    """Then the runtime is looked for where macOS has it."""
    answer = asked(M3, framework=metal_framework("WITHOUT_RUNTIME"))

    assert answer.failed is not None
    assert answer.failed["status"] == "not_loadable"
    assert RUNTIME in answer.failed["message"]


def test_the_framework_says_where_it_lies() -> None:
    assert asked(M3).all("loaded") == [str(metal_framework())]


def test_validation_makes_a_queue_and_a_buffer_on_the_wanted_device() -> None:
    answer = validated(RADEON, M3, number=1)

    assert answer.all("passed") == [{"depth": "context"}]
    assert answer.calls[-5:] == ["newCommandQueue", "newBufferWithLength:options:", "length", "release", "release"]
    assert answer.is_done


@pytest.mark.parametrize(
    ("selector", "status", "words"),
    [("newCommandQueue", "unsupported", "takes no commands"), ("newBufferWithLength", "busy", "memory is used up")],
)
def test_nil_in_place_of_what_was_to_be_made_is_named(selector: str, status: str, words: str) -> None:
    answer = validated(M3, f"silent {selector}")

    assert answer.failed is not None
    assert answer.failed["status"] == status
    assert f"`{selector}" in answer.failed["message"]
    assert words in answer.failed["message"]


def test_a_device_that_is_gone_is_missing() -> None:
    answer = validated(M3, number=1)

    assert answer.failed is not None
    assert answer.failed["status"] == "device_missing"


@pytest.mark.parametrize(("verb", "ended"), [("crash {}", -signal.SIGSEGV), ("abort {}", -signal.SIGABRT), ("exit {} 7", 7)])
@pytest.mark.parametrize("function", ["MTLCopyAllDevices", "newCommandQueue"])
def test_the_last_step_names_where_the_child_ended(verb: str, ended: int, function: str) -> None:
    answer = validated(M3, verb.format(function))

    assert answer.exit_code == ended
    assert answer.calls[-1] == function


def test_every_line_of_the_conversation_is_json() -> None:
    answer = asked(M3, "print MTLCopyAllDevices 100000")

    assert [json.loads(line) for line in answer.said.splitlines()] == answer.lines
    assert len(answer.devices) == 1
