"""What a card could move at best: to its memory by clock and bus width, over PCIe by generation and width.

Theory, and no measurement: `null` where a figure that it rests on is not known.
"""

from gpuprobe.model import Json
from gpuprobe.record_classes import NamedTuple

# PCI Express Base Specification: transfers per second and lane. 8 of 10 bits are data, from generation 3 on 128 of 130.
_GENERATIONS = {"2.5": 1, "5.0": 2, "5": 2, "8.0": 3, "8": 3, "16.0": 4, "16": 4, "32.0": 5, "32": 5, "64.0": 6, "64": 6}
_BYTES_PER_LANE = {1: 2.5e9 / 10, 2: 5e9 / 10, 3: 8e9 / 130 * 16, 4: 16e9 / 130 * 16, 5: 32e9 / 130 * 16}


class Link(NamedTuple):
    generation: int | None
    bytes_per_second: int | None  # in each direction


def of_link(speed: str | None, width: int | None) -> Link:
    """A link as sysfs shows it: "16.0 GT/s PCIe" and its lanes. Generation 6 packs otherwise: no figure."""
    generation = _GENERATIONS.get((speed or "").removesuffix(" PCIe").removesuffix(" GT/s"))
    return Link(generation, of_generation(generation, width))


def of_generation(generation: int | None, width: int | None) -> int | None:
    """Bytes per second in each direction over so many lanes of this generation."""
    lane = _BYTES_PER_LANE.get(generation or 0)
    return None if lane is None or not width else round(lane * width)


def of_memory(capabilities: Json) -> int | None:
    """Bytes per second, from NVIDIA's figures: its memory clocks count whole periods, and data moves twice in each."""
    clock, width = capabilities.get("memory_clock_khz"), capabilities.get("memory_bus_width_bits")
    if not (isinstance(clock, int) and isinstance(width, int)) or clock <= 0 or width <= 0:
        return None
    return clock * 1000 * 2 * width // 8
