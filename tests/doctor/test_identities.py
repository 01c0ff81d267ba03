"""What each library and tool calls one card."""

from __future__ import annotations

from gpuprobe.doctor.card_status import card_statuses
from gpuprobe.doctor.identities import Name, names_of
from gpuprobe.facts import Host
from gpuprobe.model import Device, DeviceType, Probe, Purpose
from tests.doctor import nvidia_machines as nvidia
from tests.doctor import sick_machines as sick
from tests.records import a_device, a_software_renderer, an_outcome


def names(host: Host, *devices: Device) -> dict[str, Name]:
    inventory = sick.inventory_of(host, devices=devices)
    return {name.by: name for name in names_of(card_statuses(inventory)[0].card, inventory)}


def test_a_geforce_is_named_by_cuda_and_nvidia_smi_and_llama_cpp() -> None:
    found = names(nvidia.nvidia_host(), nvidia.cuda(number=1), nvidia.nvml(number=0))

    assert {by: name.number for by, name in found.items()} == {"CUDA": 1, "nvidia-smi": 0, "llama.cpp": 0}
    assert found["llama.cpp"].name == "CUDA0"


def test_programs_do_not_count_software_renderers_that_vulkan_lists() -> None:
    card = a_device("Vulkan", pci_id=sick.ADDRESS, vendor_id=0x1002, number=1)

    found = names(sick.with_radeon(), a_software_renderer(number=0), card)

    assert (found["Vulkan raw"].number, found["Vulkan listed"].number) == (1, 0)
    assert found["llama.cpp"].name == "Vulkan0"
    assert found["DRM"].number == 128


def test_rocr_counts_as_hip_does_unless_a_variable_hides_cards_from_hip() -> None:
    card = a_device("ROCm", pci_id=sick.ADDRESS, uuid="GPU-1")

    free = names(sick.with_radeon(), card)
    hidden = names(sick.with_radeon(environ={"HIP_VISIBLE_DEVICES": "1"}), card)

    assert (free["HIP"].number, free["ROCr"].number, free["ROCr"].name) == (0, 0, "gfx1100")
    assert (hidden["HIP"].number, hidden["ROCr"].number) == (0, None)


def test_level_zero_is_called_by_its_name() -> None:
    assert names(sick.with_arc(), a_device("Level Zero", pci_id=sick.ADDRESS))["Level Zero"].number == 0


def all_names(host: Host, *devices: Device, **fields: object) -> list[Name]:
    inventory = sick.inventory_of(host, *fields.get("outcomes", ()), devices=devices)  # type: ignore[misc]
    return list(names_of(card_statuses(inventory)[0].card, inventory))


def test_every_name_of_a_radeon_is_told_with_what_it_is_called_there() -> None:
    rocm = a_device("ROCm", pci_id=sick.ADDRESS, uuid="GPU-1", number=1)
    vulkan = a_device("Vulkan", pci_id=sick.ADDRESS, vendor_id=0x1002, number=2, uuid="v")
    others = (rocm._replace(pci_id="0000:09:00.0", number=0, uuid="GPU-0"),)

    assert all_names(sick.with_radeon(), *others, rocm, a_software_renderer(), vulkan) == [
        Name("HIP", 1, rocm.name, "GPU-1"),
        Name("ROCr", 1, "gfx1100", "GPU-1"),
        Name("Vulkan raw", 2, vulkan.name, "v"),
        Name("Vulkan listed", 0, vulkan.name, "v"),
        Name("DRM", 128, "/dev/dri/renderD128"),
        Name("llama.cpp", 1, "ROCm1"),
        Name("llama.cpp", 0, "Vulkan0"),
    ]


def test_a_renderer_has_no_number_among_what_programs_count() -> None:
    vulkan = a_device("Vulkan", pci_id=sick.ADDRESS, vendor_id=0x1002, type=DeviceType.SOFTWARE)

    found = all_names(sick.with_radeon(), vulkan)

    assert Name("Vulkan listed", None, vulkan.name, None) in found
    assert "llama.cpp" not in [name.by for name in found]


def test_where_builds_list_the_card_programs_count_as_these_do() -> None:
    system = a_device("Vulkan", pci_id=sick.ADDRESS, vendor_id=0x1002, number=1)
    other = a_device("Vulkan", pci_id="0000:09:00.0", vendor_id=0x1002, uuid="o")
    build = system._replace(build="vulkan", number=0)
    empty = an_outcome(library="Vulkan", probe=Probe("Vulkan", Purpose.LIST, build="vulkan"))

    def counted(*devices: Device, outcomes: tuple[object, ...] = ()) -> list[int | None]:
        found = all_names(sick.with_radeon(), *devices, outcomes=outcomes)
        return [name.number for name in found if name.by == "llama.cpp"]

    assert counted(other, system) == [1]
    assert counted(other, system, build) == [0]
    assert counted(other, system, outcomes=(empty,)) == [1]


def test_the_system_s_library_alone_names_a_card() -> None:
    build = a_device("CUDA", pci_id=nvidia.FIRST, build="cuda_v12")

    found = all_names(nvidia.nvidia_host(), build)

    assert [name.by for name in found] == ["llama.cpp"]
