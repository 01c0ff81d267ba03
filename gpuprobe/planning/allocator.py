"""How large the compute buffers get: ggml's graph allocator, run over a schedule.

Memory is taken when a tensor's turn comes and given back after its last use; an operation may write over its source.
"""

from __future__ import annotations

from gpuprobe.planning.graph import OVERWRITING, Node
from gpuprobe.planning.schedule import Schedule

ALIGNMENT = 128  # CUDA's; the host's is 32, which changes a buffer by less than a thousandth
_ENDLESS = 1 << 62


class Space:
    """One buffer: which parts are free, in order, and how far it was ever used."""

    __slots__ = ("free", "used")

    def __init__(self) -> None:
        self.free: list[list[int]] = [[0, _ENDLESS]]  # offset and size; the last one has no end
        self.used = 0

    def take(self, size: int) -> int:
        """The offset of `size` bytes: the smallest hole that fits, the last of equal ones, else the open end."""
        free = self.free
        best, best_size = -1, _ENDLESS
        for index in range(len(free) - 1):
            hole = free[index][1]
            if size <= hole <= best_size:
                best, best_size = index, hole
        block = free[best]
        offset = block[0]
        block[0] += size
        block[1] -= size
        if not block[1]:
            del free[best]
        self.used = max(self.used, offset + size)
        return offset

    def give(self, offset: int, size: int) -> None:
        """A hole of no size may lie in the middle of what is given back: what borders on a later hole is still joined to it."""
        free = self.free
        end = offset + size
        for index, block in enumerate(free):
            if block[0] + block[1] == offset:
                block[1] += size
                if index + 1 < len(free) and block[0] + block[1] == free[index + 1][0]:
                    block[1] += free[index + 1][1]
                    del free[index + 1]
                return
            if end == block[0]:
                block[0], block[1] = offset, block[1] + size
                return
        free.insert(next((index for index, block in enumerate(free) if block[0] >= offset), len(free)), [offset, size])


def peaks(schedule: Schedule, places: int) -> list[int]:
    """Bytes of the compute buffer of each place."""
    spaces = [Space() for _ in range(places)]
    for leaf, place in schedule.leaves:
        _allocate(leaf, place, spaces)
    _count(schedule, spaces)
    for step in schedule.steps:
        node = step.node
        if not step.is_copy_source:
            for source in node.sources:
                _allocate(source, step.place, spaces)
            _allocate(node, step.place, spaces)
            for source in node.sources:
                _release(source, spaces)
        else:
            _release(node, spaces)
    return [space.used for space in spaces]


def _count(schedule: Schedule, spaces: list[Space]) -> None:
    """How many users and views each tensor has. What a batch brings is placed before anything is computed."""
    for step in schedule.steps:
        node = step.node
        if step.is_copy_source:
            node.children += 1
            if node.is_input:
                _allocate(node, step.place, spaces)
            continue
        if node.root is not None:
            node.root.views += 1
        if node.is_input:
            _allocate(node, step.place, spaces)
        for source in node.sources:
            source.children += 1
            if source.is_input:
                _allocate(source, step.place, spaces)


def _rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _allocate(node: Node, place: int, spaces: list[Space]) -> None:
    if node.allocated or node.root is not None or node.home is not None:
        return
    node.allocated = True
    if node.op in OVERWRITING:
        for parent in node.sources:
            if parent.element != node.element or parent.shape != node.shape or not parent.contiguous:
                continue
            if parent.children == 1 and parent.views == 0 and _overwrite(node, parent, spaces):
                return
    node.buffer = place
    node.offset = spaces[place].take(_rounded(node.size))


def _overwrite(node: Node, parent: Node, spaces: list[Space]) -> bool:
    """Whether the node could take over its source's memory; what the source had beyond it is given back.

    A view is never taken over: ggml does not count it as a tensor of its own (`ggml_gallocr_is_own`).
    """
    if parent.root is not None or not parent.allocated or parent.is_kept:
        return False
    parent.allocated = False
    node.buffer, node.offset = parent.buffer, parent.offset
    extra = _rounded(parent.size) - _rounded(node.size)
    if extra > 0:
        spaces[parent.buffer].give(parent.offset + _rounded(node.size), extra)
    return True


def _release(source: Node, spaces: list[Space]) -> None:
    """One user less; the memory goes back after the last."""
    source.children -= 1
    if source.children or source.views:
        return
    owner = source.root
    if owner is None:
        owner = source
    else:
        owner.views -= 1
        if owner.views or owner.children:
            return
    if owner.allocated and not owner.is_kept and owner.home is None:
        spaces[owner.buffer].give(owner.offset, _rounded(owner.size))
        owner.allocated = False
