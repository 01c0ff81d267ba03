"""What Linux's own files say of Intel cards: memory of their own, tiles, clocks.

`xe` and `i915` tell less than the libraries do: what they do not say stays unknown.
"""

from __future__ import annotations

from gpuprobe import patterns as re
from gpuprobe.facts import Host, PciFunction
from gpuprobe.machine.surroundings import NONE, text_of, virtualization
from gpuprobe.model import Device, DeviceType
from gpuprobe.once import once
from gpuprobe.vendors import INTEL

SOURCE = "sysfs"

_FUNCTIONS = "/sys/bus/pci/devices/"
_INTEGRATED = "0000:00:02.0"  # where every processor of Intel's has its own graphics
_CLOCKS = "tile[0-9]+/gt[0-9]+/freq0/rp0_freq|drm/card[0-9]+/gt/gt[0-9]+/rps_RP0_freq_mhz"


@once
def views(host: Host) -> tuple[Device, ...]:
    """The cards that one of Intel's drivers drives, as witnesses speak of them, in the order of the bus."""
    functions = [each for each in host.pci if INTEL.made(each.vendor) and each.driver in INTEL.drivers]
    return tuple(_view(host, number, function) for number, function in enumerate(functions))


def _view(host: Host, number: int, function: PciFunction) -> Device:
    place = f"{_FUNCTIONS}{function.address}/"
    tiles = _figures(host, rf"{re.escape(place)}tile[0-9]+/physical_vram_size_bytes")
    memory = sum(tiles) or sum(_figures(host, rf"{re.escape(place)}drm/card[0-9]+/lmem_total_bytes")) or None
    clocks = _figures(host, rf"{re.escape(place)}({_CLOCKS})")
    render = next((name for name in function.drm if name.startswith("renderD")), None)
    known = {
        "tiles": len(tiles) or None,
        "max_clock_mhz": max(clocks, default=None),
        "render_node": f"/dev/dri/{render}" if render else None,
        "kernel_driver": function.driver,
    }
    return Device(
        SOURCE,
        number,
        pci_id=function.address,
        vendor_id=INTEL.pci_id,
        device_id=function.device,
        type=_type(host, function, memory),
        total_memory=memory,
        capabilities={name: value for name, value in known.items() if value is not None},
    )


def _type(host: Host, function: PciFunction, memory: int | None) -> DeviceType:
    """Memory of its own makes it discrete. The address of integrated graphics tells only outside a virtual machine, where
    any card can be put there."""
    if memory is not None:
        return DeviceType.DISCRETE
    integrated = function.address == _INTEGRATED and virtualization(host) == NONE
    return DeviceType.INTEGRATED if integrated else DeviceType.UNKNOWN


def _figures(host: Host, pattern: str) -> list[int]:
    """The numbers above 0 in the files whose path fits."""
    texts = (text_of(host, path) for path in host.texts if re.fullmatch(pattern, path))
    return [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) <= 20 and int(text)]
