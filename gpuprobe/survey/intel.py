"""What Linux's drivers for Intel cards say in small files: `xe` by tile, `i915` by DRM device.

Memory sizes are answered from the driver's memory; frequencies are read of cards that are awake only, because `xe` wakes a
card to answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpuprobe import patterns as re
from gpuprobe.facts import PciFunction, Reading
from gpuprobe.survey.pci import DEVICES, is_awake
from gpuprobe.survey.tree import ABSENT, Tree
from gpuprobe.vendors import INTEL


def intel_files(tree: Tree, functions: Sequence[PciFunction]) -> Iterator[tuple[str, Reading]]:
    """(path, content) of each such file that is there; one that may not be read is evidence too."""
    for path in (path for function in functions if INTEL.made(function.vendor) for path in _of(tree, function)):
        reading = tree.read(path)
        if reading.problem != ABSENT:
            yield path, reading


def _of(tree: Tree, function: PciFunction) -> Iterator[str]:
    place, awake = f"{DEVICES}/{function.address}", is_awake(function.runtime_status)
    if function.driver == "xe":
        for tile in _matching(tree, place, "tile"):
            yield f"{tile}/physical_vram_size_bytes"
            yield from (f"{gt}/freq0/rp0_freq" for gt in _matching(tree, tile, "gt") if awake)
    elif function.driver == "i915":
        for card in (name for name in function.drm if name.startswith("card")):
            yield f"{place}/drm/{card}/lmem_total_bytes"  # some kernels only
            yield from (f"{gt}/rps_RP0_freq_mhz" for gt in _matching(tree, f"{place}/drm/{card}/gt", "gt") if awake)


def _matching(tree: Tree, place: str, name: str) -> list[str]:
    found = [entry for entry in tree.names(place) if re.fullmatch(f"{name}[0-9]{{1,2}}", entry)]
    return [f"{place}/{entry}" for entry in sorted(found, key=lambda entry: int(entry.removeprefix(name)))]
