"""Vendors by their records: whose functions are cards, wherever they sit, and what serves them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpuprobe import machine as judged
from gpuprobe import vendors
from gpuprobe.doctor.card_status import bystanders, card_statuses, summary
from gpuprobe.doctor.unviewed import unviewed
from gpuprobe.exits import Exit
from gpuprobe.facts import DeviceNode, DrmDevice, Host, PciFunction, Reading
from gpuprobe.judging.rules import judge
from gpuprobe.libraries import LIBRARIES
from gpuprobe.machine import Card
from gpuprobe.model import DeviceType, Evidence, Inventory, Outcome, Probe, Purpose, Request, Status
from gpuprobe.render.document import list_document
from gpuprobe.survey.host import read_host
from tests.file_trees import RTX_4090, machine
from tests.records import a_card, a_device, a_host, a_software_renderer, an_outcome

MTT_S80 = PciFunction(
    address="0000:01:00.0",
    vendor=0x1ED5,
    device=0x0201,
    class_code=0x030000,
    driver="mtgpu",
    drm=("card0", "renderD128"),
    current_link_speed="16.0 GT/s PCIe",
    current_link_width=16,
)
RENDER_NODE = DeviceNode("/dev/dri/renderD128", 0o660, 0, 992, 226, 128, True, "render")
V3D = DrmDevice("1002000000.v3d", "v3d", ("card0", "renderD128"), ("brcm,2712-v3d",))
NO_VULKAN = Outcome(Probe("Vulkan", Purpose.LIST), Status.NOT_LOADABLE, message="`libvulkan.so.1` did not load")


def of(host: Host, *outcomes: Outcome) -> Inventory:
    return judge(Evidence(host, outcomes, "2026-11-21T09:00:00Z"), Request())


def cards_of(inventory: Inventory) -> list[Card]:
    return [status.card for status in card_statuses(inventory)]


def through_vulkan(**fields: object) -> Outcome:
    return an_outcome(a_device("Vulkan", **fields))


def test_no_number_of_the_bus_and_no_name_belongs_to_two_vendors_of_gpus() -> None:
    numbers = [number for vendor in vendors.VENDORS for number in vendor.pci_ids]
    names = [vendor.name for vendor in vendors.VENDORS if vendor.instead is None]

    assert len(numbers) == len(set(numbers))
    assert len(names) == len(set(names))


def test_no_kernel_driver_is_two_vendors() -> None:
    drivers = [driver for vendor in vendors.VENDORS for driver in (*vendor.drivers, *vendor.off_the_bus)]

    assert len(drivers) == len(set(drivers))


def test_a_vendor_whose_cards_compute_through_something_else_has_no_library_here() -> None:
    served = [vendor.name for library in LIBRARIES for vendor in library.vendors]

    assert [vendor.name for vendor in vendors.VENDORS if vendor.computes_through and vendor.name in served] == []


@pytest.mark.parametrize("vendor", [each for each in vendors.VENDORS if each.instead is None], ids=lambda each: each.name)
def test_the_gpus_of_every_vendor_are_cards_with_its_name(vendor: vendors.Vendor) -> None:
    function = MTT_S80._replace(vendor=vendor.pci_id, device=0x7777)
    host = a_host(pci=(function,))

    assert [card.vendor_id for card in judged.cards(host)] == [vendor.pci_id]
    assert judged.bystanders(host) == ()
    assert vendors.name_of(vendor.pci_id) == vendor.name


@pytest.mark.parametrize("vendor", [each for each in vendors.VENDORS if each.instead], ids=lambda each: str(each.instead))
def test_who_makes_no_gpu_has_no_card(vendor: vendors.Vendor) -> None:
    host = a_host(pci=(MTT_S80._replace(vendor=vendor.pci_id),))

    assert judged.cards(host) == ()
    assert [each.what for each in judged.bystanders(host)] == [vendor.instead]


def test_a_display_controller_beside_the_gpu_of_one_chip_is_no_card() -> None:
    host = a_host(pci=(MTT_S80._replace(vendor=0x0014, device=0x7A36),))

    assert [each.what for each in judged.bystanders(host)] == ["Loongson display controller"]


def test_a_card_that_no_library_is_made_for_is_told_with_what_it_computes_through() -> None:
    inventory = of(a_host(pci=(MTT_S80,), nodes=(RENDER_NODE,)), NO_VULKAN)

    (status,) = card_statuses(inventory)

    assert status.why is not None
    assert (status.why.reason, status.why.because, status.why.advice) == (
        "not_served",
        "this GPU of Moore Threads computes through MUSA, which gpuprobe does not know",
        "use a program that was built for MUSA",
    )
    assert summary(inventory).text == "0 of 1 GPU usable; 0000:01:00.0 is not: it needs MUSA"


def test_a_library_that_breaks_on_such_a_card_is_told_all_the_same() -> None:
    crashed = Outcome(Probe("Vulkan", Purpose.LIST), Status.CRASHED, message="signal 11")

    (status,) = card_statuses(of(a_host(pci=(MTT_S80,), nodes=(RENDER_NODE,)), crashed))

    assert status.why is not None
    assert status.why.reason == "crashed"


def test_a_card_that_mesa_could_serve_lacks_vulkan_instead() -> None:
    host = a_host(off_the_bus=(V3D,), nodes=(RENDER_NODE,))

    (status,) = card_statuses(of(host, NO_VULKAN))

    assert status.why is not None
    assert status.why.reason == "not_loadable"
    assert "mesa-vulkan-drivers" in str(status.why.advice)


def test_a_card_that_nothing_serves_fails_no_validation_of_the_others() -> None:
    zhaoxin = PciFunction("0000:00:01.0", vendor=0x1D17, device=0x3A04, class_code=0x030000, driver="zx")

    inventory = of(a_host(pci=(zhaoxin, a_card()), nodes=()), an_outcome(a_device("CUDA", pci_id="0000:01:00.0")))

    assert [(each.card.pci_id, each.verdict) for each in unviewed(inventory, ())] == [
        ("0000:00:01.0", None),
        ("0000:01:00.0", None),
    ] or [each.verdict for each in unviewed(inventory, ()) if each.card.pci_id == "0000:00:01.0"] == [None]


def test_a_card_that_vulkan_lists_takes_what_the_bus_says_of_it_and_is_no_bystander() -> None:
    inventory = of(a_host(pci=(MTT_S80,)), through_vulkan(pci_id="0000:01:00.0", vendor_id=0x1ED5, name="MTT S80"))

    (card,) = cards_of(inventory)

    assert (card.vendor_id, card.name, card.driver, card.render_node, card.current_link_width) == (
        0x1ED5,
        "MTT S80",
        "mtgpu",
        "/dev/dri/renderD128",
        16,
    )
    assert bystanders(inventory) == ()


@pytest.mark.parametrize("vendor", [0x1AF4, 0x4321, None])
def test_what_vulkan_lists_is_a_card_whatever_it_was_taken_for(vendor: int | None) -> None:
    function = MTT_S80._replace(vendor=vendor, driver="virtio-pci")
    other = MTT_S80._replace(address="0000:02:00.0", vendor=0x1A03)
    inventory = of(a_host(pci=(function, other)), through_vulkan(pci_id="0000:01:00.0", vendor_id=vendor, name="Venus"))

    (card,) = cards_of(inventory)
    document = list_document(
        inventory, "", Exit.ANSWERED, kept=inventory.kept, drops=(), card_statuses=card_statuses(inventory)
    )

    assert (card.name, card.driver, card.render_node) == ("Venus", "virtio-pci", "/dev/dri/renderD128")
    assert document["bystanders"] == [{"pci_id": "0000:02:00.0", "what": "ASPEED management display"}]
    assert [each["kernel_driver"] for each in document["cards"]] == ["virtio-pci"]


@pytest.mark.parametrize(
    ("driver", "vendor", "name"),
    [
        ("v3d", "Broadcom", "Broadcom V3D"),
        ("panfrost", "Arm", "Arm Mali"),
        ("panthor", "Arm", "Arm Mali"),
        ("lima", "Arm", "Arm Mali"),
        ("msm_dpu", "Qualcomm", "Qualcomm Adreno"),
        ("adreno", "Qualcomm", "Qualcomm Adreno"),
        ("powervr", "Imagination", "Imagination PowerVR"),
        ("etnaviv", "Vivante", "Vivante GC"),
        ("asahi", "Apple", "Apple AGX"),
    ],
)
def test_a_gpu_beside_the_processor_is_a_card_by_its_kernel_driver(driver: str, vendor: str, name: str) -> None:
    (card,) = judged.cards(a_host(machine="aarch64", off_the_bus=(V3D._replace(driver=driver),)))

    assert (vendors.name_of(card.vendor_id), card.name, card.driver) == (vendor, name, driver)
    assert (card.pci_id, card.render_node) == (None, "/dev/dri/renderD128")


@pytest.mark.parametrize(
    "device",
    [
        DrmDevice("gpu", "vc4-drm", ("card1",)),
        DrmDevice("1002000000.v3d", "v3d", ("card1",)),
        DrmDevice("vgem", "vgem", ("card1", "renderD129")),
        DrmDevice("virtio0", "virtio_gpu", ("card0", "renderD128")),
        DrmDevice("unbound", None, ("renderD128",)),
    ],
)
def test_screens_and_what_nobody_knows_are_no_cards(device: DrmDevice) -> None:
    assert judged.cards(a_host(machine="aarch64", off_the_bus=(device,))) == ()


def test_a_mac_under_linux_has_one_gpu_with_the_name_of_the_board_and_the_facts_of_its_driver() -> None:
    texts = {
        "/proc/device-tree/compatible": Reading("apple,j414s\0apple,t6020\0apple,arm-platform\0"),
        "/proc/device-tree/model": Reading("Apple MacBook Pro (14-inch, M2 Pro, 2023)\0"),
    }
    agx = DrmDevice("406400000.gpu", "asahi", ("card1", "renderD128"), ("apple,agx-t6020",))
    inventory = of(
        a_host(machine="aarch64", texts=texts, off_the_bus=(agx,), nodes=(RENDER_NODE,)), an_outcome(a_software_renderer())
    )

    (card,) = cards_of(inventory)

    assert (card.name, card.driver, card.render_node) == (
        "Apple MacBook Pro (14-inch, M2 Pro, 2023)",
        "asahi",
        "/dev/dri/renderD128",
    )
    assert bystanders(inventory) == ()


def test_the_gpu_of_a_board_that_vulkan_lists_is_one_card_and_usable() -> None:
    listed = through_vulkan(name="V3D 7.1.7.0", vendor_id=0x14E4, type=DeviceType.INTEGRATED)
    inventory = of(a_host(machine="aarch64", off_the_bus=(V3D,), nodes=(RENDER_NODE,)), listed)

    (status,) = card_statuses(inventory)

    assert (status.why, status.card.driver, status.card.render_node) == (None, "v3d", "/dev/dri/renderD128")
    assert len(status.devices) == 1


def test_a_render_node_of_a_board_that_may_not_be_opened_is_the_reason() -> None:
    host = a_host(machine="aarch64", off_the_bus=(V3D,), nodes=(RENDER_NODE._replace(accessible=False),))

    (status,) = card_statuses(of(host, NO_VULKAN))

    assert status.why is not None
    assert status.why.reason == "no_permission"


def test_devices_off_the_bus_are_read_with_their_driver_and_what_the_device_tree_says(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        pci={"0000:01:00.0": RTX_4090},
        off_the_bus={
            "1002000000.v3d": {
                "driver": "v3d",
                "drm": "card1 renderD128",
                "uevent": "DRIVER=v3d\nOF_NAME=v3d\nOF_COMPATIBLE_0=brcm,2712-v3d\nOF_COMPATIBLE_N=1\n",
            },
            "axi:gpu": {"driver": "vc4-drm", "drm": "card0"},
        },
        links={"/sys/class/drm/card0-HDMI-A-1": "../../devices/platform/axi:gpu/drm/card0/card0-HDMI-A-1"},
    )

    found = read_host(root, {}, platform="linux", machine="aarch64").off_the_bus

    assert found == (
        DrmDevice("axi:gpu", "vc4-drm", ("card0",)),
        DrmDevice("1002000000.v3d", "v3d", ("card1", "renderD128"), ("brcm,2712-v3d",)),
    )


def test_a_pci_function_with_drm_nodes_is_not_read_twice(tmp_path: Path) -> None:
    root = machine(tmp_path, off_the_bus={"0000:01:00.0": {"driver": "amdgpu", "drm": "card0 renderD128"}})

    assert read_host(root, {}, platform="linux", machine="x86_64").off_the_bus == ()


def test_a_hostile_number_of_devices_and_names_is_bounded(tmp_path: Path) -> None:
    many = {f"odd\x1b{number}": {"drm": f"card{number}", "uevent": "OF_COMPATIBLE_0=a\n" * 999} for number in range(200)}
    root = machine(tmp_path, off_the_bus=many)

    found = read_host(root, {}, platform="linux", machine="aarch64").off_the_bus

    assert len(found) == 64
    assert all(len(device.compatible) == 16 for device in found)
