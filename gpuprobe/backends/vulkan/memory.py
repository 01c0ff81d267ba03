"""Which of a Vulkan device's memory types a buffer is put into, and how much the driver still leaves us there."""

from __future__ import annotations

from gpuprobe.backends.calling import UNTOUCHED_64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

DEVICE_LOCAL, HOST_VISIBLE, HOST_COHERENT, HOST_CACHED = 1, 2, 4, 8
# Lazily allocated, protected and AMD's two device-coherent kinds: no plain buffer may lie there, or only with features that
# are not asked for.
_NOT_FOR_US = 0x10 | 0x20 | 0x40 | 0x80


class Memories:
    """What `vkGetPhysicalDeviceMemoryProperties` and the budget extension say, as read by `vulkan.memories`."""

    def __init__(self, properties: Any, budget: Any) -> None:
        self._budget = budget
        believable = properties.memoryTypeCount <= len(properties.memoryTypes)
        types = properties.memoryTypes[: properties.memoryTypeCount] if believable else []
        heaps = properties.memoryHeapCount if properties.memoryHeapCount <= len(properties.memoryHeaps) else 0
        # A type in a heap that is not there keeps its place, and is never chosen.
        self.types: list[tuple[int, int]] = [
            (kind.propertyFlags if kind.heapIndex < heaps else _NOT_FOR_US, kind.heapIndex) for kind in types
        ]
        self._sizes: list[int] = [heap.size for heap in properties.memoryHeaps[:heaps]]

    def for_host(self, allowed: int) -> int | None:
        """A type that the processor reads fast and that needs no flushing, outside the card where there is such a one."""
        return self._best(allowed, HOST_VISIBLE, (HOST_COHERENT, HOST_CACHED, ~DEVICE_LOCAL))

    def for_card(self, allowed: int) -> int | None:
        """A type in the device's own memory; where it has none (the memory is the system's), any."""
        return self._best(allowed, 0, (DEVICE_LOCAL, ~HOST_VISIBLE))

    def is_coherent(self, kind: int) -> bool:
        return bool(self.types[kind][0] & HOST_COHERENT)

    def size(self, kind: int) -> int:
        """Bytes of the heap that this type lies in."""
        return self._sizes[self.types[kind][1]]

    def free(self, kind: int) -> int | None:
        """What this process could still take there; None without the budget extension, or with a budget of 0."""
        heap = self.types[kind][1]
        most, used = self._budget.heapBudget[heap], self._budget.heapUsage[heap]
        return None if most == 0 or UNTOUCHED_64 in (most, used) else max(0, most - used)

    def _best(self, allowed: int, needed: int, liked: Sequence[int]) -> int | None:
        """The place of the type that has most of what is liked, the first of it counting most; negative: liked if absent."""

        def worth(place: int) -> tuple[bool, ...]:
            flags = self.types[place][0]
            return tuple(bool(flags & flag) if flag >= 0 else not flags & ~flag for flag in liked)

        usable = [
            place
            for place, (flags, _) in enumerate(self.types)
            if allowed >> place & 1 and flags & needed == needed and not flags & _NOT_FOR_US
        ]
        # Of equals the first: drivers list the faster one first (Vulkan specification, "Device Memory").
        return max(usable, key=worth, default=None)
