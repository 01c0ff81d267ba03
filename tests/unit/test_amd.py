"""AMD cards by Linux's own files: what the survey reads, what it means, and what it adds to what libraries say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe import machine as judged
from gpuprobe.doctor.notes import of_inventory as notes_of
from gpuprobe.facts import Host, PciFunction, Reading
from gpuprobe.judging.completion import completed
from gpuprobe.judging.rules import judge
from gpuprobe.machine.amd import AmdCard, Pool, amd_cards, views
from gpuprobe.model import Device, DeviceType, Evidence, GiB, Partition, Request
from gpuprobe.survey.host import read_host
from tests.file_trees import RX_7900, machine
from tests.records import a_device, a_host, an_outcome, evidence_of

PLACE = "0000:03:00.0"
UNIQUE = "8b5ac29c9e8f1a2b"
NODES = "/sys/class/kfd/kfd/topology/nodes"
CPU = "cpu_cores_count 16\nsimd_count 0\ngfx_target_version 0\nlocation_id 0\n"
DISCRETE = {
    "mem_info_vram_total": f"{24 * GiB}\n",
    "mem_info_vram_used": f"{GiB}\n",
    "mem_info_gtt_total": f"{31 * GiB}\n",
    "mem_info_gtt_used": "4096\n",
    "mem_info_vram_vendor": "samsung\n",
    "unique_id": f"{UNIQUE}\n",
}
INTEGRATED = {
    "mem_info_vram_total": f"{GiB // 2}\n",
    "mem_info_vram_used": f"{GiB // 4}\n",
    "mem_info_gtt_total": f"{16 * GiB}\n",
    "mem_info_gtt_used": f"{GiB}\n",
}


def a_node(gfx: int = 110000, location: int = 0x300, minor: int = 129, **more: int) -> str:
    values = {"simd_count": 192, "vendor_id": 4098, "gfx_target_version": gfx, "location_id": location, "domain": 0}
    return "".join(f"{key} {value}\n" for key, value in {**values, "drm_render_minor": minor, **more}.items())


def surveyed(root: Path, card: Mapping[str, str] = DISCRETE, *nodes: str, bank: str = "", **more: str) -> Host:
    """The survey of a machine with one card at 0000:03:00.0 and these KFD nodes behind one processor."""
    files = {f"{NODES}/{number}/properties": text for number, text in enumerate((CPU, *nodes))} if nodes else {}
    banks = {f"{NODES}/{number}/mem_banks/0/properties": bank for number in range(1, len(nodes) + 1)} if bank else {}
    pci = {PLACE: {**RX_7900, **card, **more}}
    for folder in ("dev", "proc/self"):  # without them a machine says that it could not be read
        (root / folder).mkdir(parents=True, exist_ok=True)
    return read_host(machine(root, files={**files, **banks}, pci=pci), {}, platform="linux", machine="x86_64")


def only(host: Host) -> AmdCard:
    (card,) = amd_cards(host)
    return card


def test_a_card_is_what_its_folder_and_its_kfd_node_say(tmp_path: Path) -> None:
    card = only(surveyed(tmp_path, DISCRETE, a_node(unique_id=int(UNIQUE, 16))))

    assert card == AmdCard(
        pci_id=PLACE,
        device_id=0x744C,
        node=1,
        gfx=card.gfx,
        unique_id=UNIQUE,
        render_node="/dev/dri/renderD129",
        vram=Pool(24 * GiB, GiB),
        whole_vram=24 * GiB,
        gtt=Pool(31 * GiB, 4096),
        type=DeviceType.DISCRETE,
    )
    assert card.gfx is not None
    assert card.gfx.name == "gfx1100"


@pytest.mark.parametrize(
    ("version", "name"), [(90010, "gfx90a"), (90402, "gfx942"), (100306, "gfx1036"), (110501, "gfx1151"), (120001, "gfx1201")]
)
def test_the_architecture_is_read_in_hexadecimal_digits(tmp_path: Path, version: int, name: str) -> None:
    card = only(surveyed(tmp_path, DISCRETE, a_node(version)))

    assert card.gfx is not None
    assert card.gfx.name == name


def test_a_processor_is_a_node_and_no_card(tmp_path: Path) -> None:
    card = only(surveyed(tmp_path, DISCRETE, CPU))

    assert (card.node, card.gfx) == (None, None)


def test_without_kfd_a_card_has_its_memory_and_no_architecture(tmp_path: Path) -> None:
    card = only(surveyed(tmp_path))

    assert (card.gfx, card.vram, card.unique_id) == (None, Pool(24 * GiB, GiB), UNIQUE)


def test_the_unique_id_of_kfd_is_the_same_number_in_decimal(tmp_path: Path) -> None:
    card = only(surveyed(tmp_path, {"mem_info_vram_vendor": "x"}, a_node(unique_id=int("00ff00ff00ff00ff", 16))))

    assert card.unique_id == "00ff00ff00ff00ff"


def test_memory_that_the_folder_does_not_tell_is_that_of_kfds_banks(tmp_path: Path) -> None:
    card = only(surveyed(tmp_path, {}, a_node(), bank=f"heap_type 2\nsize_in_bytes {12 * GiB}\n"))

    assert card.vram == Pool(12 * GiB, None)


def test_a_bank_of_system_memory_is_no_video_memory(tmp_path: Path) -> None:
    assert only(surveyed(tmp_path, {}, a_node(), bank=f"heap_type 0\nsize_in_bytes {12 * GiB}\n")).vram is None


@pytest.mark.parametrize("total", ["0\n", "", "none\n"])
def test_memory_of_no_size_is_not_known(tmp_path: Path, total: str) -> None:
    assert only(surveyed(tmp_path, {**DISCRETE, "mem_info_vram_total": total})).vram is None


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (DISCRETE, DeviceType.DISCRETE),
        ({**INTEGRATED, "board_info": "type : oam\n"}, DeviceType.DISCRETE),
        (INTEGRATED, DeviceType.INTEGRATED),
        ({**INTEGRATED, "mem_info_vram_total": f"{64 * GiB}\n"}, DeviceType.UNKNOWN),  # Strix Halo with half of the memory
        ({**INTEGRATED, "mem_info_gtt_total": f"{4 * GiB}\n"}, DeviceType.UNKNOWN),
        ({**INTEGRATED, "mem_info_vram_total": f"{4 * GiB}\n", "mem_info_gtt_total": f"{15 * GiB}\n"}, DeviceType.UNKNOWN),
        ({}, DeviceType.UNKNOWN),
    ],
)
def test_integrated_is_what_shares_much_and_has_no_chips_of_its_own(
    tmp_path: Path, files: dict[str, str], kind: DeviceType
) -> None:
    assert only(surveyed(tmp_path, files)).type is kind


def test_a_card_whose_maker_of_memory_could_not_be_read_is_of_no_known_kind(tmp_path: Path) -> None:
    host = surveyed(tmp_path, INTEGRATED)
    unread = {f"/sys/bus/pci/devices/{PLACE}/board_info": Reading(None, "error: Too many open files")}

    assert only(host._replace(texts={**host.texts, **unread})).type is DeviceType.UNKNOWN


@pytest.mark.parametrize("locations", [[0x500, 0x501, 0x502], [0x500, 0x10000500, 0x20000500]])
def test_partitions_are_told_by_their_place_whichever_bits_the_kernel_numbers_them_in(
    tmp_path: Path, locations: list[int]
) -> None:
    nodes = [a_node(90402, location, 128 + number, unique_id=int(UNIQUE, 16)) for number, location in enumerate(locations)]
    files = {f"{NODES}/{number}/properties": text for number, text in enumerate((CPU, *nodes))}
    banks = {f"{NODES}/{number}/mem_banks/0/properties": f"heap_type 1\nsize_in_bytes {24 * GiB}\n" for number in (1, 2, 3)}
    card = {**RX_7900, **DISCRETE, "current_compute_partition": "CPX\n"}
    host = read_host(machine(tmp_path, {**files, **banks}, {"0000:05:00.0": card}), {}, "linux", "x86_64")

    partitions = amd_cards(host)

    assert [each.copy for each in partitions] == [0, 1, 2]
    assert {each.unique_id for each in partitions} == {UNIQUE}
    assert {each.partition for each in partitions} == {Partition("cpx", f"GPU-{UNIQUE}")}
    assert [each.render_node for each in partitions] == [f"/dev/dri/renderD{minor}" for minor in (128, 129, 130)]
    assert {each.vram for each in partitions} == {Pool(24 * GiB, None)}


def test_two_equal_cards_are_no_partitions(tmp_path: Path) -> None:
    nodes = {f"{NODES}/{n}/properties": a_node(90010, location) for n, location in ((1, 0x300), (10, 0x4300), (2, 0x8600))}
    cards = {address: {**RX_7900, **DISCRETE} for address in (PLACE, "0000:43:00.0", "0000:86:00.0")}

    found = amd_cards(read_host(machine(tmp_path, nodes, cards), {}, "linux", "x86_64"))

    assert [(card.pci_id, card.node, card.partition) for card in found] == [
        (PLACE, 1, None),
        ("0000:43:00.0", 10, None),
        ("0000:86:00.0", 2, None),
    ]


def test_only_cards_of_amdgpu_are_looked_at(tmp_path: Path) -> None:
    host = surveyed(tmp_path, {**DISCRETE, "driver": "vfio-pci"})

    assert amd_cards(host) == ()
    assert not any("mem_info" in path for path in host.texts)


def test_a_sleeping_card_is_not_asked_for_what_would_wake_it(tmp_path: Path) -> None:
    asleep = {"power/runtime_status": "suspended\n", "current_compute_partition": "SPX\n", "gpu_busy_percent": "0\n"}
    host = surveyed(tmp_path, {**DISCRETE, **asleep})

    assert only(host).vram == Pool(24 * GiB, GiB)
    assert not any(path.endswith(("compute_partition", "busy_percent")) for path in host.texts)


def test_files_that_are_not_there_are_not_in_the_survey_and_refused_ones_are(tmp_path: Path) -> None:
    host = surveyed(tmp_path, DISCRETE, a_node())
    host.texts[f"{NODES}/1/properties"] = Reading(None, "denied")  # as KFD answers in a container without the card

    assert f"/sys/bus/pci/devices/{PLACE}/board_info" not in host.texts
    assert only(host).gfx is None


@given(st.text(max_size=60), st.text(alphabet="0123456789abcdef -\n", max_size=60))
def test_rubbish_in_the_files_is_unknown_and_no_bug(properties: str, figure: str) -> None:
    place = f"/sys/bus/pci/devices/{PLACE}"
    files = dict.fromkeys((f"{place}/mem_info_vram_total", f"{place}/unique_id", f"{place}/mem_info_gtt_used"), figure)
    texts = {path: Reading(text) for path, text in {**files, f"{NODES}/1/properties": properties}.items()}
    function = PciFunction(PLACE, vendor=0x1002, driver="amdgpu")

    assert len(amd_cards(a_host(texts=texts, pci=(function,)))) == 1


def complete(host: Host, device: Device, *witnesses: Device) -> Device:
    return completed([device], evidence_of(host=host, outcomes=tuple(map(an_outcome, witnesses))))[0]


def test_free_memory_of_a_card_is_what_the_kernel_says(tmp_path: Path) -> None:
    host = surveyed(tmp_path, DISCRETE, a_node())

    for library in ("ROCm", "Vulkan"):
        device = complete(host, a_device(library, pci_id=PLACE, free_memory=None))

        assert (device.free_memory, device.used_memory) == (23 * GiB, GiB)
        assert dict(device.sources)["free_memory"] == "sysfs"


def test_the_kernels_files_win_against_the_module_that_opens_the_card(tmp_path: Path) -> None:
    witness = a_device("AMDGPU", pci_id=PLACE, free_memory=GiB, used_memory=23 * GiB)

    device = complete(surveyed(tmp_path), a_device("ROCm", pci_id=PLACE), witness)

    assert (device.free_memory, dict(device.sources)["free_memory"]) == (23 * GiB, "sysfs")


def test_where_the_files_are_silent_the_module_is_heard() -> None:
    witness = a_device("AMDGPU", pci_id=PLACE, free_memory=GiB, used_memory=23 * GiB)

    device = complete(a_host(), a_device("ROCm", pci_id=PLACE), witness)

    assert (device.free_memory, dict(device.sources)["free_memory"]) == (GiB, "AMDGPU")


@pytest.mark.parametrize(
    ("total", "free", "source"),
    [
        (16 * GiB, 15 * GiB, "sysfs"),  # the shared memory alone
        (GiB // 2, GiB // 4, "sysfs"),  # the part set aside alone
        (16 * GiB + GiB // 2, 15 * GiB + GiB // 4, "sysfs"),  # both
        (8 * GiB, 7 * GiB, None),  # neither
    ],
)
def test_of_an_integrated_card_the_memory_is_taken_that_the_library_means(
    tmp_path: Path, total: int, free: int, source: str | None
) -> None:
    device = a_device("ROCm", pci_id=PLACE, total_memory=total, free_memory=7 * GiB)

    found = complete(surveyed(tmp_path, INTEGRATED), device)

    assert (found.free_memory, dict(found.sources).get("free_memory")) == (free, source)


def test_a_witness_of_another_memory_is_not_heard() -> None:
    """The module tells the part that is set aside, Vulkan all that an integrated card may use."""
    witness = a_device("AMDGPU", pci_id=PLACE, total_memory=GiB // 2, free_memory=0, used_memory=GiB // 2)
    device = a_device("Vulkan", pci_id=PLACE, total_memory=16 * GiB, free_memory=12 * GiB)

    assert complete(a_host(), device, witness).free_memory == 12 * GiB


@pytest.mark.parametrize(("files", "kind"), [(INTEGRATED, DeviceType.INTEGRATED), (DISCRETE, DeviceType.DISCRETE)])
def test_which_cards_are_integrated_is_known_where_hip_does_not_say(
    tmp_path: Path, files: dict[str, str], kind: DeviceType
) -> None:
    device = complete(surveyed(tmp_path, files), a_device("ROCm", pci_id=PLACE, type=DeviceType.UNKNOWN))

    assert (device.type, dict(device.sources)["type"]) == (kind, "sysfs")


def test_what_a_library_calls_integrated_stays_so(tmp_path: Path) -> None:
    device = complete(surveyed(tmp_path), a_device("ROCm", pci_id=PLACE, type=DeviceType.INTEGRATED))

    assert device.type is DeviceType.INTEGRATED


def test_a_runtime_without_uuids_gets_the_one_that_rocr_takes(tmp_path: Path) -> None:
    device = complete(surveyed(tmp_path), a_device("ROCm", pci_id=PLACE, uuid=None, uuid_space=None))

    assert (device.uuid, device.uuid_space, device.key) == (f"GPU-{UNIQUE}", "rocr", PLACE)


def test_a_partition_is_completed_by_its_own_node(tmp_path: Path) -> None:
    shared = {"uuid": f"GPU-{UNIQUE}", "pci_id": PLACE, "partition": Partition("cpx", f"GPU-{UNIQUE}"), "total_memory": None}
    devices = [a_device("ROCm", number=number, copy=number, **shared) for number in range(2)]
    nodes = [a_node(90402, 0x300 | number << 28, 128 + number, unique_id=int(UNIQUE, 16)) for number in range(2)]
    host = surveyed(tmp_path, DISCRETE, *nodes, bank=f"heap_type 1\nsize_in_bytes {12 * GiB}\n")

    found = completed(devices, evidence_of(host=host))

    assert [each.capabilities["render_node"] for each in found] == ["/dev/dri/renderD128", "/dev/dri/renderD129"]
    assert [each.total_memory for each in found] == [12 * GiB] * 2


def test_how_a_card_and_its_memory_are_cut_is_the_kernels_word(tmp_path: Path) -> None:
    """HIP tells partitions by their common UUID alone, whatever the mode is called."""
    shared = {"uuid": f"GPU-{UNIQUE}", "pci_id": PLACE, "partition": Partition("cpx", f"GPU-{UNIQUE}")}
    devices = [a_device("ROCm", number=number, copy=number, **shared) for number in range(2)]
    nodes = [a_node(90402, 0x300 | number, 128 + number, unique_id=int(UNIQUE, 16)) for number in range(2)]
    modes = {"current_compute_partition": "DPX\n", "current_memory_partition": "NPS2\n"}

    found = completed(devices, evidence_of(host=surveyed(tmp_path, {**DISCRETE, **modes}, *nodes)))

    assert {each.partition for each in found} == {Partition("dpx", f"GPU-{UNIQUE}")}
    assert {each.capabilities["memory_partition"] for each in found} == {"nps2"}
    assert [dict(each.sources)["partition"] for each in found] == ["sysfs", "sysfs"]


def test_a_card_that_is_not_cut_says_no_mode(tmp_path: Path) -> None:
    (view,) = views(surveyed(tmp_path))

    assert "memory_partition" not in view.capabilities


def overridden(root: Path, **environ: str) -> Evidence:
    host = surveyed(root, DISCRETE, a_node(100301))._replace(environ=environ)
    return evidence_of(a_device("ROCm", name="RX 6700 XT", pci_id=PLACE, uuid="GPU-1", gfx_target="gfx1030"), host=host)


def test_the_real_architecture_is_shown_beside_the_one_that_rocm_was_told(tmp_path: Path) -> None:
    inventory = judge(overridden(tmp_path, HSA_OVERRIDE_GFX_VERSION_1="10.3.0"), Request())

    (device,) = inventory.kept
    assert (device.gfx_target, device.capabilities["real_gfx_target"]) == ("gfx1030", "gfx1031")
    assert notes_of(inventory) == (
        "ROCm takes RX 6700 XT (GPU-1) for gfx1030, but it is gfx1031: `HSA_OVERRIDE_GFX_VERSION_1=10.3.0` makes it so",
    )


def test_an_architecture_that_no_variable_explains_is_told_too(tmp_path: Path) -> None:
    assert "the kernel driver says otherwise" in notes_of(judge(overridden(tmp_path), Request()))[0]


def test_a_card_that_is_what_rocm_says_needs_no_word(tmp_path: Path) -> None:
    host = surveyed(tmp_path, DISCRETE, a_node())
    inventory = judge(evidence_of(a_device("ROCm", pci_id=PLACE, gfx_target="gfx1100"), host=host), Request())

    assert notes_of(inventory) == ()
    assert "real_gfx_target" not in inventory.kept[0].capabilities


def test_the_views_of_a_card_are_those_of_a_witness(tmp_path: Path) -> None:
    host = surveyed(tmp_path, INTEGRATED, a_node(100306), bank="")

    assert {view.total_memory for view in views(host)} == {GiB // 2, 16 * GiB, 16 * GiB + GiB // 2}
    assert {view.gfx_target for view in judged.witnesses(host)} == {"gfx1036"}
