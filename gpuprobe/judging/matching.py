"""Which views of one library are of the same device, where two builds of it, or a build and the system's own, list them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence

from gpuprobe.judging.identity import Match, is_slice, normal_name, normal_pci, same_card
from gpuprobe.judging.nearby import Nearby
from gpuprobe.model import Device

Pair = tuple[Device, Device]


def matches(one: Sequence[Device], other: Sequence[Device]) -> list[Pair]:
    """Pairs of a view of the one list and a view of the other, each view in one pair at most.

    What `same_card` is sure of comes first. Builds say less than the system does: a slice has only the address of its card,
    and some devices have only a name. All lists come from one driver and have one order, so those of one address, and then
    those of one name, are paired by it, where both lists have as many of them.
    """
    pairs = list(_sure(one, other))
    for trait in (_address, _name):
        left, right = _unpaired(one, other, pairs)
        pairs += _in_order(left, right, trait)
    return pairs


def _sure(one: Sequence[Device], other: Sequence[Device]) -> Iterator[Pair]:
    near, taken = Nearby(other), set[int]()
    for view in one:
        twin = next((each for each in near.of(view) if id(each) not in taken and same_card(view, each).same), None)
        if twin is not None:
            taken.add(id(twin))
            yield view, twin


def _unpaired(one: Sequence[Device], other: Sequence[Device], pairs: Sequence[Pair]) -> tuple[list[Device], list[Device]]:
    paired = {id(view) for pair in pairs for view in pair}
    return [view for view in one if id(view) not in paired], [view for view in other if id(view) not in paired]


def _in_order(one: Sequence[Device], other: Sequence[Device], trait: Callable[[Device], Hashable]) -> Iterator[Pair]:
    for value in dict.fromkeys(map(trait, one)):
        mine = sorted((view for view in one if trait(view) == value), key=_number)
        its = sorted((view for view in other if trait(view) == value), key=_number)
        if value is not None and len(mine) == len(its) and not any(map(_contradict, mine, its)):
            yield from zip(mine, its, strict=True)


def _number(device: Device) -> int:
    return device.number


def _address(device: Device) -> str | None:
    return normal_pci(device.pci_id)


def _name(device: Device) -> str | None:
    return normal_name(device.name) or None


def _contradict(one: Device, other: Device) -> bool:
    here, there = _address(one), _address(other)
    if here is not None and there is not None and here != there:
        return True
    # A build takes a slice for its whole card, and gives partitions functions and UUIDs of their own.
    is_whole = not is_slice(one) and not is_slice(other)
    return is_whole and same_card(one, other).answer is Match.DIFFERENT
