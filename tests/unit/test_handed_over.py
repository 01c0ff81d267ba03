"""What a container, a pod or a scheduler is given for the chosen cards."""

from __future__ import annotations

from typing import Any

from gpuprobe.doctor.handed_over import Handed, handed
from gpuprobe.facts import DeviceNode, Host, Reading
from gpuprobe.judging.rules import judge
from gpuprobe.model import Device, Request
from tests.records import AMD, INTEL, a_card, a_device, a_host, evidence_of

FIRST, SECOND = "0000:01:00.0", "0000:03:00.0"
RENDER = "/dev/dri/renderD128"
DRM = ("card0", "renderD128")
CUDA = a_device("CUDA", pci_id=FIRST, uuid="GPU-1")
ROCM = a_device("ROCm", pci_id=SECOND, uuid="GPU-2")
ARC = a_device("Vulkan", pci_id=SECOND, vendor_id=INTEL)


def a_node(path: str, mode: int = 0o660, gid: int = 992) -> DeviceNode:
    return DeviceNode(path, mode, 0, gid, 226, 128, True)


def only(device: Device, host: Host) -> Handed:
    inventory = judge(evidence_of(device, host=host), Request())
    (found,) = handed(inventory.kept, inventory)
    return found


def with_radeon(*nodes: DeviceNode, **card: Any) -> Host:
    found = {"vendor": AMD, "device": 0x744C, "driver": "amdgpu", "drm": DRM}
    return a_host(pci=(a_card(SECOND, **{**found, **card}),), nodes=nodes)


def with_arc(driver: str = "xe") -> Host:
    return a_host(pci=(a_card(SECOND, vendor=INTEL, device=0xE20B, driver=driver, drm=DRM),), nodes=(a_node(RENDER),))


def test_an_nvidia_card_is_handed_over_by_its_uuid_and_no_node() -> None:
    information = {f"/proc/driver/nvidia/gpus/{FIRST}/information": Reading("Device Minor: \t 3\n")}
    host = a_host(pci=(a_card(FIRST, drm=DRM),), nodes=(a_node(RENDER),), texts=information)

    assert only(CUDA, host)[1:] == ("nvidia", "GPU-1", (), (), "nvidia.com/gpu", "/dev/nvidia3", "nvidia_gpu_env")
    assert only(CUDA._replace(uuid=None), host)[1:3] == (None, None)
    assert only(CUDA, host._replace(texts={})).file is None


def test_a_radeon_is_handed_over_by_its_nodes_and_their_groups() -> None:
    host = with_radeon(a_node("/dev/kfd", gid=44), a_node(RENDER), a_node("/dev/dri/card0", gid=7))

    found = only(ROCM, host)

    assert (found.driver, found.id) == (None, None)
    assert (found.nodes, found.groups) == (("/dev/kfd", RENDER), (44, 992))
    assert (found.resource, found.file) == ("amd.com/gpu", RENDER)


def test_a_group_counts_once_and_only_where_it_may_write_and_not_everybody() -> None:
    def groups(kfd: int, render: int) -> tuple[int, ...]:
        return only(ROCM, with_radeon(a_node("/dev/kfd", kfd), a_node(RENDER, render))).groups

    assert groups(0o660, 0o660) == (992,)
    assert groups(0o666, 0o666) == ()
    assert groups(0o640, 0o640) == groups(0o641, 0o641) == ()
    assert groups(0o661, 0o661) == (992,)
    assert groups(0o666, 0o660) == (992,)


def test_a_resource_of_a_pod_is_named_by_the_kernel_driver_where_that_matters() -> None:
    assert only(ARC, with_arc("xe")).resource == "gpu.intel.com/xe"
    assert only(ARC, with_arc("i915")).resource == "gpu.intel.com/i915"


def test_without_a_render_node_there_is_none_to_hand_over() -> None:
    found = only(ROCM, with_radeon(a_node("/dev/kfd"), drm=()))

    assert (found.nodes, found.groups, found.file) == ((), (), None)


def test_of_a_card_of_an_unknown_vendor_nothing_but_the_device_is_known() -> None:
    unknown = a_device("Vulkan", pci_id="0000:09:00.0", vendor_id=0x0BAD)

    assert only(unknown, a_host())[1:] == Handed(unknown)[1:]
    stranger = a_device("CUDA", pci_id="0000:0a:00.0")
    inventory = judge(evidence_of(CUDA, host=a_host(pci=(a_card(FIRST),))), Request())
    assert handed([stranger], inventory) == (Handed(stranger),)
