"""What each library and tool calls one card."""

from __future__ import annotations

from gpuprobe.doctor.card_status import card_statuses
from gpuprobe.doctor.identities import Name, names_of
from gpuprobe.facts import Host
from gpuprobe.model import Device
from tests.doctor import nvidia_machines as nvidia
from tests.doctor import sick_machines as sick
from tests.records import a_device, a_software_renderer


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
