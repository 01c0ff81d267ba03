"""Views of one card that nothing but its name and its memory tells: where neither addresses nor UUIDs can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from gpuprobe.judging.identity import Match, normal_name, same_card
from gpuprobe.judging.nearby import Nearby
from gpuprobe.libraries import library_named
from gpuprobe.model import Device, MiB


def pair_by_name(devices: Sequence[Device]) -> tuple[tuple[Device, Device], ...]:
    """Pairs of a compute library's view and a Vulkan view that are one card, told by name and memory alone.

    Only for views that `same_card` cannot tell apart and that have no sure twin on the other side. Names are compared
    in lower case without what stands in parentheses, total memory within 5 % or 512 MiB, whichever is more. Each view
    is in one pair at most; the closest memory goes first, then the order of `devices`.
    """
    computing = [device for device in devices if _computes(device)]
    drawing = [device for device in devices if _takes_raw_numbers(device)]
    pairs: dict[int, int] = {}
    for _, left, right in sorted(_fits(computing, drawing)):
        if left not in pairs and right not in pairs.values():
            pairs[left] = right
    return tuple((computing[left], drawing[right]) for left, right in sorted(pairs.items()))


def _fits(computing: Sequence[Device], drawing: Sequence[Device]) -> Iterator[tuple[int, int, int]]:
    """(difference of memory in bytes, position on the left, position on the right) for each pair that fits."""
    numbers = {id(device): number for number, device in enumerate(drawing)}
    near = Nearby(drawing)
    sure = [
        (left, numbers[id(other)]) for left, one in enumerate(computing) for other in near.of(one) if same_card(one, other).same
    ]
    sure_left, sure_right = {left for left, _ in sure}, {right for _, right in sure}
    open_left = [each for each in enumerate(computing) if each[0] not in sure_left]
    open_right = [each for each in enumerate(drawing) if each[0] not in sure_right]
    for (left, one), (right, other) in product(open_left, open_right):
        difference = _memory_difference(one, other)
        if difference is not None and _equally_named(one, other) and same_card(one, other).answer is Match.UNKNOWN:
            yield difference, left, right


def _takes_raw_numbers(device: Device) -> bool:
    return any(selection.takes == "raw" for selection in library_named(device.library).selections.values())


def _computes(device: Device) -> bool:
    return not library_named(device.library).witness and not _takes_raw_numbers(device)


def _memory_difference(a: Device, b: Device) -> int | None:
    """Bytes; None: unknown, or more than two libraries differ by for one card."""
    if a.total_memory is None or b.total_memory is None:
        return None
    difference = abs(a.total_memory - b.total_memory)
    return difference if difference <= max(max(a.total_memory, b.total_memory) * 0.05, 512 * MiB) else None


def _equally_named(a: Device, b: Device) -> bool:
    name = normal_name(a.name)
    return name != "" and name == normal_name(b.name)
