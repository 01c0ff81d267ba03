"""What a child under an environment map should have seen, compared with what it saw."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.judging.under_map import Check, changed, checks, probes, settable
from gpuprobe.judging.visibility import visible_variables
from gpuprobe.libraries import CUDA, LIBRARIES, ROCM, VULKAN
from gpuprobe.model import Call, Device, Outcome, Probe, Purpose, Status
from tests.records import a_device

A, B, C = (f"GPU-00000000-0000-0000-0000-00000000000{letter}" for letter in "abc")
FIRST, SECOND, THIRD = (a_device(uuid=uuid, number=number, ordinal=number) for number, uuid in enumerate((A, B, C)))


def saw(*devices: Device, library: str = "CUDA", status: Status | None = None, **more: Any) -> Outcome:
    status = status or (Status.OK if devices else Status.NO_DEVICES)
    return Outcome(Probe(library, Purpose.LIST), status=status, devices=devices, **more)


def checked(chosen: list[Device], outcome: Outcome, variables: dict[str, str | None] | None = None) -> Check:
    (check,) = checks(chosen, chosen, tuple((variables or {}).items()), [outcome], "linux")
    return check


def anew(*devices: Device) -> tuple[Device, ...]:
    """As a child under the map lists them: numbered from 0, and without what judging adds."""
    return tuple(device._replace(number=number, ordinal=None) for number, device in enumerate(devices))


def test_the_chosen_devices_in_their_order_are_what_is_wanted() -> None:
    check = checked([THIRD, FIRST], saw(*anew(THIRD, FIRST)))

    assert (check.answer, check.because) == (True, ())


def test_each_device_that_is_missing_or_too_much_is_named() -> None:
    check = checked([FIRST, SECOND], saw(*anew(SECOND, THIRD._replace(name="Quadro"))))

    assert check.answer is False
    assert check.because == (f"CUDA does not show CUDA:0 ({A})", f"CUDA also shows Quadro ({C})")


def test_another_order_is_a_difference_where_the_library_promises_one() -> None:
    assert checked([FIRST, SECOND], saw(*anew(SECOND, FIRST))).because == (
        f"CUDA shows them in another order: NVIDIA GeForce RTX 4090 ({B}), NVIDIA GeForce RTX 4090 ({A})",
    )
    intel = [a_device("Level Zero", number=number, uuid=uuid) for number, uuid in enumerate((A, B))]
    assert checked(intel, saw(*anew(*reversed(intel)), library="Level Zero")).answer is True


@pytest.mark.parametrize("status", [Status.NO_DEVICES, Status.INIT_FAILED, Status.NOT_LOADABLE])
def test_a_library_that_shows_nothing_is_right_where_nothing_of_it_is_chosen(status: Status) -> None:
    assert checked([], saw(status=status)).answer is True
    check = checked([FIRST], saw(status=status, message="no device is visible"))
    assert check.answer is False
    assert check.because == (f"CUDA does not show CUDA:0 ({A})", "CUDA: no device is visible")


@pytest.mark.parametrize("chosen", [[], [FIRST]])
@pytest.mark.parametrize("status", [Status.CRASHED, Status.TIMED_OUT, Status.UNREADABLE, Status.NOT_STARTED])
def test_a_child_that_did_not_answer_proves_nothing(status: Status, chosen: list[Device]) -> None:
    check = checked(chosen, saw(*anew(*chosen), status=status, calls=(Call("cuInit", None),)))

    assert check.answer is None
    assert check.because[0].startswith("CUDA cannot be told: ")


def test_a_device_is_told_by_its_address_where_it_has_no_uuid_and_never_by_its_number() -> None:
    first, second = (a_device(number=number, pci_id=f"0000:0{number}:00.0") for number in (1, 2))

    assert checked([second], saw(*anew(second))).answer is True
    assert checked([second], saw(*anew(first))).answer is False
    nameless = a_device(number=0)
    assert checked([nameless], saw(nameless)).answer is None
    assert checked([nameless], saw(nameless, nameless._replace(number=1))).answer is False


def test_vulkan_shows_a_program_only_the_positions_of_ggmls_list() -> None:
    raw = [a_device("Vulkan", number=number, uuid=uuid) for number, uuid in enumerate((A, B, C))]

    def seen(value: str) -> list[str | None]:
        check = checked([], saw(*raw, library="Vulkan"), {"GGML_VK_VISIBLE_DEVICES": value})
        return [device.uuid for device in check.seen]

    assert seen("2,0") == [C, A]
    assert seen("-1") == seen("0,3") == []


def test_one_listing_is_asked_for_each_library_that_the_map_speaks_of_with_only_what_it_changes() -> None:
    vulkan = a_device("Vulkan", uuid=A)
    variables = visible_variables([FIRST], [FIRST, vulkan], "linux", {"GGML_VK_VISIBLE_DEVICES": "-1"})

    asked = probes(variables, [FIRST, vulkan], "linux", {"GGML_VK_VISIBLE_DEVICES": "-1"})

    assert [(probe.library, probe.variables) for probe in asked] == [
        ("CUDA", (("CUDA_VISIBLE_DEVICES", A),)),
        ("Vulkan", (("CUDA_VISIBLE_DEVICES", A),)),
    ]


def test_what_is_set_so_already_is_no_change() -> None:
    variables = (("A", "1"), ("B", None), ("C", None), ("D", "2"))

    assert changed(variables, {"A": "1", "B": "x", "D": "3"}) == (("B", None), ("D", "2"))


def test_all_that_a_map_may_set_is_known_for_each_platform() -> None:
    assert settable([CUDA], "linux") == ("CUDA_VISIBLE_DEVICES",)
    assert settable([ROCM], "linux") == ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL")
    assert settable([ROCM], "win32") == ("HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL")
    assert settable([VULKAN], "linux") == ("GGML_VK_VISIBLE_DEVICES", "VK_DRIVER_FILES")
    assert settable(LIBRARIES, "darwin") == ("GGML_VK_VISIBLE_DEVICES", "VK_DRIVER_FILES")


def test_every_build_that_lists_cards_is_asked_too() -> None:
    build = FIRST._replace(build="cuda_v13")

    asked = probes((("CUDA_VISIBLE_DEVICES", A),), [FIRST, build], "linux", {})

    assert [probe.build for probe in asked] == ["system", "cuda_v13"]


def test_a_build_that_does_not_show_a_chosen_card_fails_the_check_by_its_name() -> None:
    """A build reads the variable itself: what it lists under the map is what it computes on."""
    listed = [FIRST, FIRST._replace(build="cuda_v13"), SECOND, SECOND._replace(build="cuda_v13")]
    probe = Probe("CUDA", Purpose.LIST, build="cuda_v13")

    (check,) = checks([FIRST], listed, (), [Outcome(probe, Status.OK, devices=anew(SECOND))], "linux")

    assert (check.library, check.build, check.answer) == ("CUDA", "cuda_v13", False)
    assert check.because[0].startswith("CUDA (cuda_v13) does not show CUDA:0")


def test_a_build_need_not_show_a_card_that_it_never_showed() -> None:
    listed = [FIRST, SECOND, SECOND._replace(build="cuda_v13")]
    probe = Probe("CUDA", Purpose.LIST, build="cuda_v13")

    (check,) = checks([FIRST, SECOND], listed, (), [Outcome(probe, Status.OK, devices=anew(SECOND))], "linux")

    assert check.answer is True


def test_a_child_that_tells_no_uuid_is_known_by_its_address_and_a_copy_by_nothing() -> None:
    known = FIRST._replace(pci_id="0000:01:00.0")

    assert checked([known], saw(*anew(known._replace(uuid=None)))).answer is True
    assert checked([known], saw(*anew(known._replace(uuid=None, pci_id="0000:02:00.0")))).answer is False
    assert checked([known._replace(uuid=None)], saw(*anew(known))).answer is True
    for copied in (known._replace(copy=1), known):
        check = checked([copied], saw(*anew(known._replace(copy=1 - copied.copy))))
        assert (check.answer, check.because) == (
            None,
            ("CUDA shows 1 as it should, but no UUID or PCI address says which",),
        )


def test_a_uuid_that_is_in_no_usual_form_is_compared_as_it_is() -> None:
    odd = a_device("Vulkan", uuid="abc", ordinal=0)

    assert checked([odd], saw(*anew(odd), library="Vulkan"), {"GGML_VK_VISIBLE_DEVICES": "0"}).answer is True
    assert checked([odd], saw(*anew(odd._replace(uuid="abd")), library="Vulkan"), {"GGML_VK_VISIBLE_DEVICES": "0"}).because == (
        "Vulkan does not show Vulkan:0 (abc)",
        f"Vulkan also shows {odd.name} (abd)",
    )


def test_a_device_that_nothing_names_is_told_by_its_number() -> None:
    nameless = a_device("CUDA", name=None, number=4)

    assert checked([], saw(nameless)).because == ("CUDA also shows a device (number 4)",)
    assert checked([nameless], saw(status=Status.NO_DEVICES)).because[0] == "CUDA does not show a device (number 4)"


@pytest.mark.parametrize("status", [Status.ABSENT, Status.NO_DEVICES, Status.CALL_FAILED])
def test_a_library_that_is_gone_or_refuses_shows_nothing(status: Status) -> None:
    assert checked([], saw(status=status)) == Check("CUDA", (), (), True, ())
    assert checked([FIRST], saw(status=status)).answer is False


def test_a_build_of_vulkan_reads_the_variable_itself() -> None:
    devices = [a_device("Vulkan", number=number, uuid=uuid, build="vulkan") for number, uuid in enumerate((A, B))]
    outcome = Outcome(Probe("Vulkan", Purpose.LIST, build="vulkan"), Status.OK, devices=tuple(devices))

    (check,) = checks([], devices, (("GGML_VK_VISIBLE_DEVICES", "-1"),), [outcome], "linux")

    assert [device.uuid for device in check.seen] == [A, B]
    assert check.because == (
        f"Vulkan (vulkan) also shows {devices[0].name} ({A})",
        f"Vulkan (vulkan) also shows {devices[1].name} ({B})",
    )


def test_no_listing_is_asked_for_a_library_that_the_map_does_not_speak_of() -> None:
    build = FIRST._replace(build="cuda_v13")

    assert probes((("GGML_VK_VISIBLE_DEVICES", "0"),), [FIRST, build], "linux", {}) == ()
