"""Which views of chosen cards a program may compute through: in every library, not only in the one that `list` keeps.

What computes may be a build for another library than the preferred one: an Ollama with `vulkan` alone beside ROCm.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from gpuprobe.judging.slices import seen_at_once
from gpuprobe.libraries import library_named
from gpuprobe.model import SYSTEM, Device, Inventory, Reason
from gpuprobe.once import once

# A view that failed, or of which nothing was decided, is not among them: it may crash the program.
_ANOTHER_WAY = (Reason.SAME_CARD, Reason.OTHER_BUILD)


Identity = tuple[str, str, str | None, str]


def in_every_library(chosen: Sequence[Device], inventory: Inventory, but: Collection[Identity] = ()) -> tuple[Device, ...]:
    """The chosen devices, each followed by one view of its card in every other library that shows it and did not fail.

    `but`: those that were named as what one library shows, and stay alone.
    """
    ways = _other_ways(inventory)
    return tuple(
        view
        for device in chosen
        for view in (device, *({} if identity_of(device) in but else ways.get(identity_of(device), {})).values())
    )


def visible_index(device: Device, inventory: Inventory) -> int | None:
    """The device's number in a program that runs under the map of all kept devices; None: such a program does not see it.

    Ollama calls this the post-filtered id.
    """
    library = library_named(device.library)
    selection = library.selections.get(inventory.evidence.host.platform)
    order = None if selection is None else selection.keeps_order
    return _shown(inventory).get((device.library, order), {}).get(identity_of(device))


@once
def _shown(inventory: Inventory) -> dict[tuple[str, bool | None], dict[Identity, int]]:
    """Library, and whether its variable keeps the order → the number of each view under the map of all kept devices."""
    found: dict[tuple[str, bool | None], dict[Identity, int]] = {}
    views = in_every_library(inventory.kept, inventory)
    for library in dict.fromkeys(view.library for view in views):
        mine = [view for view in views if view.library == library]
        for order in (None, True, False):
            numbered = found[library, order] = dict[Identity, int]()
            ordered = sorted(mine, key=lambda each: each.number) if order is False else mine
            for place, view in enumerate(seen_at_once(ordered)):
                numbered.setdefault(identity_of(view), place)
    return found


@once
def _other_ways(inventory: Inventory) -> dict[Identity, dict[str, Device]]:
    """Kept device → library → the view of its card there; the system's where there is one, because it knows most."""
    instead = {identity_of(drop.device): drop.instead for drop in inventory.drops}
    ways: dict[Identity, dict[str, Device]] = {}
    for view in (drop.device for drop in inventory.drops if drop.reason in _ANOTHER_WAY):
        kept = _followed(view, instead)
        if kept is not None and kept.library != view.library:
            mine = ways.setdefault(identity_of(kept), {})
            if view.library not in mine or view.build == SYSTEM:
                mine[view.library] = view
    return ways


def _followed(view: Device, instead: Mapping[Identity, Device | None]) -> Device | None:
    """The kept device for which this view was given up, be it by way of others that were given up in their turn."""
    following = instead.get(identity_of(view))
    for _ in instead:
        if following is None or identity_of(following) not in instead:
            break
        following = instead[identity_of(following)]
    return following


def identity_of(device: Device) -> Identity:
    """What tells a view from all others of a machine."""
    return device.library, device.build, device.manifest, device.key
