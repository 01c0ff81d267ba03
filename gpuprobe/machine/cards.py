"""Which physical GPUs a machine has, by its survey alone, and which devices only look like one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from gpuprobe.facts import Host, PciFunction
from gpuprobe.libraries import AMD, APPLE, INTEL, NVIDIA
from gpuprobe.machine.surroundings import exists, text_of, wsl

_COPROCESSOR, _BRIDGE = 0x0B40, 0x0680  # class and subclass

_NAMED = {
    # Server management chips that carry a graphics vendor's id.
    (AMD, 0x515E): "ATI ES1000 management display",
    (AMD, 0x4752): "ATI Rage XL management display",
    # What WSL puts on the bus for each adapter of Windows; the adapter itself is reached through /dev/dxg.
    (0x1414, 0x008E): "adapter of Windows, reached through /dev/dxg",
}

# Linux, drivers/accel/ivpu/ivpu_drv.h: neural processors share class 1200 with GPUs that have no display.
_INTEL_NPUS = (0x7D1D, 0xAD1D, 0x643E, 0xB03E, 0xFD3E, 0xD71D)
_NOT_GPU_DRIVERS = {"intel_vpu": "Intel NPU", "dfl-pci": "Intel FPGA card"}

# Who else has a display or an accelerator on the bus.
_OTHERS = {
    0x1A03: "ASPEED management display",
    0x102B: "Matrox management display",
    0x1AF4: "virtio virtual display",
    0x1B36: "QXL virtual display",
    0x1234: "Bochs virtual display",
    0x1013: "Cirrus virtual display",
    0x15AD: "VMware virtual display",
    0x80EE: "VirtualBox virtual display",
    0x1414: "Hyper-V virtual display",
    0x1AB8: "Parallels virtual display",
    0x19E5: "Huawei management display or accelerator",
    0x1ED5: "Moore Threads GPU",
    0x1D94: "Hygon accelerator",
    0x1DA3: "Habana accelerator",
    0x1E52: "Tenstorrent accelerator",
    0x9999: "MetaX GPU",
}

# The Windows driver store that WSL shows to Linux: what its directories begin with, by vendor.
_WSL_DRIVERS = {NVIDIA: r"nv", AMD: r"u0[0-9]|amd", INTEL: r"iigd|igdlh|intcgfx"}
_VENDOR_NAMES = {NVIDIA: "NVIDIA", AMD: "AMD", INTEL: "Intel"}
_OPENRM_TEGRA = "nvidia,tegra264"  # Thor: its GPU is a PCI function


class Card(NamedTuple):
    """One physical GPU, or one virtual function of one. Unknown is None."""

    kind: str  # "pci", "tegra", "apple", "wsl"
    pci_id: str | None = None
    vendor_id: int | None = None
    device_id: int | None = None
    name: str | None = None
    driver: str | None = None  # the kernel driver that is bound
    driver_override: str | None = None
    render_node: str | None = None
    numa_node: int | None = None
    current_link_speed: str | None = None
    current_link_width: int | None = None
    max_link_speed: str | None = None
    max_link_width: int | None = None
    was_asleep: bool | None = None  # before anything was asked
    listed_as: tuple[str, str] | None = None  # library and key of the view that alone shows this card


class Bystander(NamedTuple):
    """A PCI function that looks like a GPU and is not one, or is one of a vendor that no library here asks."""

    pci_id: str
    what: str
    vendor_id: int | None = None
    device_id: int | None = None


def cards(host: Host) -> tuple[Card, ...]:
    """Every card, those on the bus first, by address."""
    on_the_bus = tuple(_pci_card(host, function) for function in host.pci if _bystander(function) is None)
    return on_the_bus + tuple(_platform_cards(host))


def bystanders(host: Host) -> tuple[Bystander, ...]:
    """What else is on the bus and may be taken for a card, named as what it is."""
    named = ((function, _bystander(function)) for function in host.pci)
    return tuple(Bystander(one.address, what, one.vendor, one.device) for one, what in named if what is not None)


def _bystander(function: PciFunction) -> str | None:
    """What a function is instead of a card; None: it is a card."""
    if function.class_code is not None and function.class_code >> 8 == _BRIDGE:
        return "NVIDIA NVSwitch bridge" if function.vendor == NVIDIA else "bridge"
    named = _NAMED.get((function.vendor or 0, function.device or 0)) or _NOT_GPU_DRIVERS.get(function.driver or "")
    if named or function.vendor in (NVIDIA, AMD):
        return named
    if function.vendor == INTEL:
        return _intel_bystander(function)
    return _OTHERS.get(function.vendor or 0) or f"display or accelerator of vendor {_id(function.vendor)}"


def _intel_bystander(function: PciFunction) -> str | None:
    if function.device in _INTEL_NPUS:
        return "Intel NPU"
    kind = (function.class_code or 0) >> 8
    return "Intel coprocessor (QuickAssist or Xeon Phi)" if kind == _COPROCESSOR else None


def _id(vendor: int | None) -> str:
    return "unknown" if vendor is None else f"{vendor:04x}"


def _pci_card(host: Host, function: PciFunction) -> Card:
    render = next((name for name in function.drm if name.startswith("renderD")), None)
    return Card(
        kind="pci",
        pci_id=function.address,
        vendor_id=function.vendor,
        device_id=function.device,
        name=_driver_name(host, function.address) or function.product,
        driver=function.driver,
        driver_override=function.driver_override,
        render_node=f"/dev/dri/{render}" if render else None,
        numa_node=function.numa_node,
        current_link_speed=function.current_link_speed,
        current_link_width=function.current_link_width,
        max_link_speed=function.max_link_speed,
        max_link_width=function.max_link_width,
        was_asleep={"suspended": True, "active": False}.get(function.runtime_status or ""),
    )


def _driver_name(host: Host, address: str) -> str | None:
    """The name that NVIDIA's kernel driver gives; it says "Unknown" while the card is not initialised."""
    text = text_of(host, f"/proc/driver/nvidia/gpus/{address}/information")
    found = re.search(r"(?m)^Model:\s*(\S.*?)\s*$", text)
    return found[1] if found and found[1].casefold() not in ("unknown", "?") else None


def _platform_cards(host: Host) -> Iterator[Card]:
    compatible = text_of(host, "/proc/device-tree/compatible").split("\0")
    model = text_of(host, "/proc/device-tree/model").strip("\0 \n") or None
    if host.platform == "darwin" and host.machine == "arm64":
        name = host.facts.get("machdep.cpu.brand_string")
        yield Card(kind="apple", vendor_id=APPLE, name=str(name) if name else None)
    elif host.platform == "linux" and _is_tegra(host, compatible):
        driver = "nvgpu" if exists(host, "/sys/module/nvgpu/initstate") else None
        yield Card(kind="tegra", vendor_id=NVIDIA, name=model, driver=driver)
    elif host.platform == "linux" and any(entry.startswith("apple,t") for entry in compatible):
        yield Card(kind="apple", vendor_id=APPLE, name=model)
    elif wsl(host) == 2 and any(node.path == "/dev/dxg" for node in host.nodes):
        yield from _wsl_cards(host)


def _is_tegra(host: Host, compatible: list[str]) -> bool:
    on_the_bus = any(function.vendor == NVIDIA and _bystander(function) is None for function in host.pci)
    tegra = any(entry.startswith("nvidia,tegra") for entry in compatible)
    return tegra and not (_OPENRM_TEGRA in compatible and on_the_bus)


def _wsl_cards(host: Host) -> Iterator[Card]:
    """One card for each vendor whose Windows driver is shown; from here two of one vendor look like one."""
    drivers = str(host.facts.get("wsl_drivers") or "").casefold().split()
    vendors = [vendor for vendor, shape in _WSL_DRIVERS.items() if any(re.match(shape, name) for name in drivers)]
    for vendor in vendors:
        yield Card(kind="wsl", vendor_id=vendor, name=f"{_VENDOR_NAMES[vendor]} adapter of Windows", driver="dxgkrnl")
    if not vendors:
        yield Card(kind="wsl", name="adapter of Windows", driver="dxgkrnl")
