"""Through which libraries a chosen card is given to programs, and its number there."""

from __future__ import annotations

import pytest

from gpuprobe.judging.card_views import identity_of, in_every_library, visible_index
from gpuprobe.judging.rules import judge
from gpuprobe.judging.selectors import names_a_view
from gpuprobe.model import Call, Device, Inventory, Outcome, Probe, Purpose, Request, Status
from tests.records import a_device, evidence_of

FIRST, SECOND = "0000:01:00.0", "0000:02:00.0"


def machine(*devices: Device) -> Inventory:
    return judge(evidence_of(*devices), Request())


def seen(inventory: Inventory, *chosen: Device) -> list[tuple[str, str | None]]:
    return [(view.library, view.pci_id) for view in in_every_library(chosen or inventory.kept, inventory)]


def test_a_card_is_given_to_every_library_that_shows_it() -> None:
    inventory = machine(a_device("Level Zero", pci_id=FIRST), a_device("Vulkan", pci_id=FIRST))

    assert seen(inventory) == [("Level Zero", FIRST), ("Vulkan", FIRST)]


def test_a_view_by_way_of_another_build_leads_to_the_card_too() -> None:
    """The system's view of Vulkan gives way to the build's, and that one to CUDA."""
    views = [a_device("Vulkan", pci_id=FIRST), a_device("Vulkan", pci_id=FIRST, build="vulkan")]
    inventory = machine(a_device("CUDA", pci_id=FIRST), *views)

    assert seen(inventory) == [("CUDA", FIRST), ("Vulkan", FIRST)]
    assert [view.build for view in in_every_library(inventory.kept, inventory)] == ["system", "system"]


@pytest.mark.parametrize("status", [Status.CRASHED, Status.TIMED_OUT])
def test_a_view_that_failed_or_was_not_decided_stays_hidden(status: Status) -> None:
    kept, vulkan = a_device("CUDA", pci_id=FIRST), a_device("Vulkan", pci_id=FIRST)
    probe = Probe("Vulkan", Purpose.VALIDATE, device=vulkan.key)
    lost = Outcome(probe, status, calls=(Call("vkCreateDevice", None),), signal=11 if status is Status.CRASHED else None)

    inventory = judge(evidence_of(kept, vulkan, outcomes=(lost,)), Request())

    assert seen(inventory) == [("CUDA", FIRST)]


def test_a_card_that_was_not_chosen_is_given_to_no_library() -> None:
    cuda = [a_device("CUDA", number=place, pci_id=each) for place, each in enumerate((FIRST, SECOND))]
    vulkan = [a_device("Vulkan", number=place, pci_id=each) for place, each in enumerate((FIRST, SECOND))]
    inventory = machine(*cuda, *vulkan)

    assert seen(inventory, inventory.kept[1]) == [("CUDA", SECOND), ("Vulkan", SECOND)]


def test_the_visible_index_counts_what_a_program_sees_under_the_map_of_all_kept() -> None:
    """A card that fails keeps its number in `list` and has none under the map."""
    broken = a_device("CUDA", number=0, pci_id=FIRST, total_memory=1 << 20)
    whole = a_device("CUDA", number=1, pci_id=SECOND)
    inventory = machine(broken, whole)

    assert [visible_index(device, inventory) for device in inventory.kept] == [0]


def test_a_library_or_a_number_in_it_names_a_view_and_an_id_or_an_address_a_card() -> None:
    assert all(map(names_a_view, ("vulkan", "CUDA:0", "level-zero:1", " Vulkan ")))
    assert not any(map(names_a_view, ("0000:01:00.0", "01:00.0", "GPU-11111111", "0", "MIG-1234")))


def test_a_card_s_number_counts_in_the_order_that_its_library_s_variable_keeps() -> None:
    first = a_device("Level Zero", number=1, pci_id=FIRST)
    second = a_device("Level Zero", number=0, pci_id=SECOND)
    inventory = machine(first, second)

    assert [(device.pci_id, visible_index(device, inventory)) for device in inventory.kept] == [(FIRST, 1), (SECOND, 0)]
    cuda = machine(*(each._replace(library="CUDA") for each in (first, second)))
    assert [visible_index(device, cuda) for device in cuda.kept] == [0, 1]
    assert visible_index(a_device("CUDA", uuid="GPU-x"), inventory) is None


def test_a_device_that_was_named_as_what_one_library_shows_stays_alone() -> None:
    inventory = machine(a_device("CUDA", pci_id=FIRST), a_device("Vulkan", pci_id=FIRST))
    (kept,) = inventory.kept

    assert [view.library for view in in_every_library([kept], inventory)] == ["CUDA", "Vulkan"]
    assert in_every_library([kept], inventory, {identity_of(kept)}) == (kept,)
    assert identity_of(kept) == ("CUDA", "system", None, FIRST)


def test_a_card_s_other_way_is_the_system_s_view_where_there_is_one() -> None:
    views = [a_device("Vulkan", pci_id=FIRST, build=build) for build in ("vulkan_b", "vulkan_a", "system")]
    inventory = machine(a_device("CUDA", pci_id=FIRST), *views)

    assert [view.build for view in in_every_library(inventory.kept, inventory)] == ["system", "system"]
    without = machine(a_device("CUDA", pci_id=FIRST), *views[:2])
    assert [view.library for view in in_every_library(without.kept, without)] == ["CUDA", "Vulkan"]
