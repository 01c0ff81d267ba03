"""What Linux's driver for AMD cards says in small files: `amdgpu` of each card, KFD of everything that computes.

Only files that are answered from the driver's memory are read; `gpu_busy_percent` and the sensors would wake a sleeping card.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpuprobe.facts import PciFunction, Reading
from gpuprobe.survey.pci import DEVICES, is_awake
from gpuprobe.survey.tree import ABSENT, Tree
from gpuprobe.vendors import AMD

KFD_NODES = "/sys/class/kfd/kfd/topology/nodes"

_OF_A_CARD = (
    "mem_info_vram_total",
    "mem_info_vram_used",
    "mem_info_vis_vram_total",
    "mem_info_gtt_total",
    "mem_info_gtt_used",
    "mem_info_vram_vendor",
    "board_info",
    "unique_id",
)
_OF_AN_AWAKE_CARD = ("current_compute_partition", "current_memory_partition")  # MI300's driver asks registers for them
_MOST_NODES = 512  # 8 cards of 8 partitions and 2 processors are 66


def amd_files(tree: Tree, functions: Sequence[PciFunction]) -> Iterator[tuple[str, Reading]]:
    """(path, content) of each such file that is there; one that may not be read is evidence too."""
    for path in (*_of_cards(functions), *_of_nodes(tree)):
        reading = tree.read(path)
        if reading.problem != ABSENT:
            yield path, reading


def _of_cards(functions: Sequence[PciFunction]) -> Iterator[str]:
    for function in functions:
        if AMD.made(function.vendor) and function.driver in AMD.drivers:
            names = (*_OF_A_CARD, *_OF_AN_AWAKE_CARD) if is_awake(function.runtime_status) else _OF_A_CARD
            yield from (f"{DEVICES}/{function.address}/{name}" for name in names)


def _of_nodes(tree: Tree) -> Iterator[str]:
    for number in _numbers(tree, KFD_NODES)[:_MOST_NODES]:
        place = f"{KFD_NODES}/{number}"
        yield f"{place}/properties"
        yield from (f"{place}/mem_banks/{bank}/properties" for bank in _numbers(tree, f"{place}/mem_banks"))


def _numbers(tree: Tree, place: str) -> list[str]:
    """Names that are numbers, in numeric order: KFD's is the order in which ROCr counts."""
    return sorted((name for name in tree.names(place) if name.isascii() and name.isdigit() and len(name) <= 9), key=int)
