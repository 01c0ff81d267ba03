"""What the kernel's files say of AMD's and Intel's cards, to the last digit."""

from __future__ import annotations

import pytest

from gpuprobe.facts import PciFunction
from gpuprobe.machine.amd import Pool, amd_cards
from gpuprobe.machine.amd import views as amd_views
from gpuprobe.machine.intel import views as intel_views
from gpuprobe.model import DeviceType, GiB, Partition
from tests.records import AMD, INTEL, a_host, with_files

AT = "0000:01:00.0"
PLACE = f"/sys/bus/pci/devices/{AT}"


NODES = "/sys/class/kfd/kfd/topology/nodes"
RADEON = PciFunction(AT, AMD, 0x744C, 0x030000, driver="amdgpu")
POOLS = {f"{PLACE}/mem_info_vram_total": "1000", f"{PLACE}/mem_info_gtt_total": "500"}


def test_an_amd_card_of_which_no_file_tells_anything_is_unknown_in_everything() -> None:
    (card,) = amd_cards(a_host(pci=(RADEON,)))

    assert card == (AT, 0x744C, *[None] * 7, DeviceType.UNKNOWN, None, None, 0)
    (view,) = amd_views(a_host(pci=(RADEON,)))
    assert (view.total_memory, view.capabilities, view.uuid, view.uuid_space, view.kernel_version) == (
        None,
        {},
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("unique", "known"),
    [
        ("8B5AC29C9E8F1A2B", "8b5ac29c9e8f1a2b"),
        ("8b5ac29c9e8f1a2", None),
        ("0" * 16, None),
        ("8b5ac29c9e8f1a2g", None),
    ],
)
def test_the_number_of_an_amd_card_is_sixteen_digits_and_not_zeros(unique: str, known: str | None) -> None:
    (card,) = amd_cards(with_files({f"{PLACE}/unique_id": unique}, pci=(RADEON,)))

    assert card.unique_id == known


@pytest.mark.parametrize(
    ("vram", "gtt", "integrated"),
    [
        (4 * GiB, 16 * GiB, True),
        (4 * GiB + 1, 17 * GiB, False),
        (2 * GiB, 8 * GiB, True),
        (2 * GiB, 8 * GiB - 1, False),
        (1 * GiB, 8 * GiB - 1, False),
        (3 * GiB, 12 * GiB, True),
        (3 * GiB, 12 * GiB - 1, False),
    ],
)
def test_an_amd_card_is_integrated_by_the_share_of_its_memory(vram: int, gtt: int, integrated: bool) -> None:
    files = {f"{PLACE}/mem_info_vram_total": str(vram), f"{PLACE}/mem_info_gtt_total": str(gtt)}

    (card,) = amd_cards(with_files(files, pci=(RADEON,)))

    assert card.type is (DeviceType.INTEGRATED if integrated else DeviceType.UNKNOWN)


def test_an_amd_card_of_unknown_kind_has_a_view_for_each_memory_and_one_for_both() -> None:
    used = {f"{PLACE}/mem_info_vram_used": "300", f"{PLACE}/mem_info_gtt_used": "40"}

    def told(files: dict[str, str]) -> list[tuple[int | None, int | None, int | None]]:
        return [(each.total_memory, each.used_memory, each.free_memory) for each in amd_views(with_files(files, pci=(RADEON,)))]

    assert told({**POOLS, **used}) == [(1000, 300, 700), (500, 40, 460), (1500, 340, 1160)]
    assert told({**POOLS, f"{PLACE}/mem_info_vram_used": "300"}) == [(1000, 300, 700), (500, None, None), (1500, None, None)]
    assert told({**POOLS, f"{PLACE}/mem_info_gtt_used": "40"})[2] == (1500, None, None)
    assert told({**POOLS, **used, f"{PLACE}/mem_info_vram_used": "1001"})[0] == (1000, 1001, 0)
    assert told({**POOLS, **used, f"{PLACE}/mem_info_vram_vendor": "samsung"}) == [(1000, 300, 700)]
    idle = {f"{PLACE}/mem_info_vram_used": "0", f"{PLACE}/mem_info_gtt_used": "0"}
    assert told({**POOLS, **idle}) == [(1000, 0, 1000), (500, 0, 500), (1500, 0, 1500)]
    assert told({f"{PLACE}/mem_info_vram_total": "1000"}) == [(1000, None, None)]


def test_the_memory_of_an_amd_card_s_banks_is_that_of_both_kinds_of_video_memory() -> None:
    banks = {f"{NODES}/1/mem_banks/{n}/properties": f"heap_type {n}\nsize_in_bytes {10**n}" for n in range(4)}
    files = {f"{NODES}/1/properties": "gfx_target_version 110000\nlocation_id 256\nno number\nx 1 2", **banks}
    (card,) = amd_cards(with_files(files, pci=(RADEON,)))

    assert (card.node, card.vram, card.whole_vram, card.render_node) == (1, Pool(10 + 100), None, None)


@pytest.mark.parametrize(("digits", "known"), [("1".zfill(20), True), ("1".zfill(21), False), ("\u0661", False)])
def test_a_number_has_twenty_digits_at_most(digits: str, known: bool) -> None:
    (card,) = amd_cards(with_files({f"{PLACE}/mem_info_vram_total": digits}, pci=(RADEON,)))

    assert card.vram == (Pool(1) if known else None)


def test_what_a_kfd_node_says_is_of_the_card_at_its_own_bus_and_domain() -> None:
    node = "gfx_target_version 110000\nlocation_id {}\ndomain {}\ndrm_render_minor {}\nunique_id {}\n"

    def found(location: int, domain: int = 0, minor: int = 130, unique: int = 10) -> tuple[object, ...]:
        files = {f"{NODES}/3/properties": node.format(location, domain, minor, unique)}
        (card,) = amd_cards(with_files(files, pci=(RADEON._replace(drm=("card0", "renderD128")),)))
        return card.node, card.render_node, card.unique_id

    assert found(0x100) == found(0x107) == (3, "/dev/dri/renderD130", "000000000000000a")
    assert found(0x108) == found(0x200) == found(0x100, domain=1) == (None, "/dev/dri/renderD128", None)
    assert found(0x100, minor=0, unique=0) == (3, "/dev/dri/renderD128", None)


def test_partitions_of_an_amd_card_without_a_number_are_of_the_card_at_its_address() -> None:
    nodes = {f"{NODES}/{n}/properties": "gfx_target_version 90402\nlocation_id 256\n" for n in (2, 10)}
    host = with_files({**nodes, **POOLS, f"{PLACE}/current_memory_partition": "NPS4"}, pci=(RADEON,))

    parts = amd_cards(host)

    assert [(each.node, each.copy, each.partition, each.vram, each.gtt) for each in parts] == [
        (node, copy, Partition("cpx", AT), None, None) for copy, node in enumerate((2, 10))
    ]
    assert {(each.whole_vram, each.memory_partition) for each in parts} == {(1000, "nps4")}


def test_an_intel_card_without_a_render_node_has_none() -> None:
    card = PciFunction(AT, INTEL, 0x56A0, 0x030000, driver="xe", drm=("card0",))
    files = {
        f"{PLACE}/tile0/physical_vram_size_bytes": "0" * 20 + "1",
        f"{PLACE}/tile1/physical_vram_size_bytes": "0" * 19 + "7",
    }

    (view,) = intel_views(with_files(files, pci=(card,)))

    assert (view.number, view.total_memory, view.capabilities) == (0, 7, {"tiles": 1, "kernel_driver": "xe"})
