"""A Vulkan driver that lacks what ggml needs: the card is usable, and not by Ollama and llama.cpp."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.findings import Severity
from gpuprobe.doctor.notes import of_inventory
from gpuprobe.facts import DrmDevice, Host
from gpuprobe.model import Device, DeviceType
from tests.doctor.sick_machines import UBUNTU, a_node, findings, inventory_of, passed
from tests.records import a_device, a_host


def raspberry() -> Host:
    device = DrmDevice("1002000000.v3d", "v3d", ("card0", "renderD128"), ("brcm,2712-v3d",))
    return a_host(machine="aarch64", off_the_bus=(device,), nodes=(a_node(),), gids=(992,), texts=UBUNTU)


def v3d(stores: bool | None) -> Device:
    known = {} if stores is None else {"stores_16_bits": stores}
    return a_device("Vulkan", name="V3D 7.1.7.0", type=DeviceType.INTEGRATED, vendor_id=0x14E4, capabilities=known)


def test_a_driver_without_16_bit_storage_serves_others_than_ggml() -> None:
    view = v3d(stores=False)

    (found,) = findings(raspberry(), passed(view), devices=(view,))
    (note,) = of_inventory(inventory_of(raspberry(), passed(view), devices=(view,)))

    assert (found.id, found.severity) == ("vk-missing-feature", Severity.DEGRADED)
    assert "Ollama and llama.cpp cannot use it through Vulkan" in note


@pytest.mark.parametrize("stores", [True, None])
def test_a_driver_that_has_it_or_does_not_say_is_not_said_to_lack_it(stores: bool | None) -> None:
    view = v3d(stores)

    assert findings(raspberry(), passed(view), devices=(view,)) == ()
