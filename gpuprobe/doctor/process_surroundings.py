"""What a process could have used: the usable devices of the machine, their device files, and what keeps them from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gpuprobe import machine
from gpuprobe.doctor import card_status
from gpuprobe.facts import DeviceNode
from gpuprobe.judging import visibility
from gpuprobe.judging.device_lists import parse_list, resolve_mask
from gpuprobe.judging.held_memory import selector
from gpuprobe.judging.identity import normal_pci
from gpuprobe.judging.mapped_libraries import GGML, Mapped
from gpuprobe.libraries import Selection, library_named
from gpuprobe.machine.known_programs import Family, Program
from gpuprobe.model import Device, DeviceType, Inventory
from gpuprobe.strings import printable
from gpuprobe.vendors import vendor_of


class Surroundings(NamedTuple):
    devices: tuple[Device, ...]  # that are usable
    listed: tuple[Device, ...]  # by any library, kept or not
    nodes: tuple[DeviceNode, ...]
    made_at: Mapping[str, float]  # when each device file was made, seconds since 1970
    node_of: Mapping[str, tuple[str, ...]]  # selector of a device → the files that its library opens
    why_none: str  # the first line of `list`
    undecided: bool  # something that was not answered could have been one more
    environ: Mapping[str, str]  # of gpuprobe itself
    as_root: bool = False  # gpuprobe is root, to whom `sudo` gives nothing more
    unseen: str | None = None  # a clause: why a process that computes may not be seen here; None: all are

    @property
    def renderers(self) -> tuple[Device, ...]:
        """What computes on the CPU and looks like a GPU."""
        return tuple(device for device in self.listed if device.type is DeviceType.SOFTWARE)

    def usable_by(self, program: Program | None, mapped: Mapped) -> tuple[Device, ...]:
        """Frameworks of Python compute through other libraries than ggml does."""
        families = (Family.PYTHON, Family.VLLM, Family.SGLANG)
        in_python = program is not None and program.family in families
        if in_python or (mapped.engines and GGML not in mapped.engines):
            return tuple(device for device in self.devices if library_named(device.library).frameworks)
        if (program is not None and program.family is not Family.OTHER) or GGML in mapped.engines:
            return tuple(device for device in self.devices if library_named(device.library).ggml)
        return self.devices


def surroundings(
    inventory: Inventory, made_at: Mapping[str, float], *, as_root: bool = False, unseen: str | None = None
) -> Surroundings:
    host = inventory.evidence.host
    return Surroundings(
        devices=inventory.kept,
        listed=(*inventory.kept, *(drop.device for drop in inventory.drops)),
        nodes=host.nodes,
        made_at=made_at,
        node_of={selector(device): tuple(_nodes_of(device, inventory)) for device in inventory.kept},
        why_none=card_status.summary(inventory).text,
        undecided=card_status.undecided(inventory),
        environ=host.environ,
        as_root=as_root,
        unseen=unseen,
    )


def _nodes_of(device: Device, inventory: Inventory) -> Iterable[str]:
    """The render node of its card, or what its vendor's libraries open in its place."""
    place = normal_pci(device.pci_id)
    for card in machine.cards(inventory.evidence.host):
        if place is None or normal_pci(card.pci_id) != place:
            continue
        vendor = vendor_of(card.vendor_id)
        own = vendor.node_of.get(card.driver or "") if vendor else None
        yield from (path for path in (own or card.render_node,) if path)


def hidden_by(device: Device, environ: Mapping[str, str], around: Surroundings, platform: str = "linux") -> str | None:
    """The setting of a process's environment that hides this device from it; None: none does, as far as that can be told."""
    library = library_named(device.library)
    if raw := visibility.hidden(device, environ, around.listed):
        return raw
    selection = library.selections.get(platform)
    for name in library.filters:
        value = environ.get(name)
        if value is None or selection is None or not _hides(name, value, device, selection, around):
            continue
        return f"`{name}={printable(value)}` hides it"
    return None


def _hides(name: str, value: str, device: Device, selection: Selection, around: Surroundings) -> bool:
    """Numbers are compared only where we count as the process does: without a list of our own, and in the library's order."""
    if selection.takes == "raw" or (not value and not _empty_hides(name, device)):
        return False
    if not selection.keeps_order:
        return name == selection.variable and resolve_mask(value, 0) is None
    if not name.endswith("_VISIBLE_DEVICES"):
        return False
    tokens = parse_list(value)
    if not tokens:
        return True
    ours = {name, *selection.numbered_under}.intersection(around.environ)
    if ours and any(each.isdigit() for each in tokens):
        return False
    number = str(device.number)
    return not any(token == number or _begins(device.uuid, token) for token in tokens)


def _empty_hides(name: str, device: Device) -> bool:
    """By that variable's own record: ROCr takes nothing for no device, and HIP on top of it takes it for not set."""
    records = library_named(device.library).selections.values()
    return any(each.variable == name and each.empty_hides for each in records)


def _begins(uuid: str | None, token: str) -> bool:
    return uuid is not None and not token.isdigit() and uuid.startswith(token)


def renderer_named(name: str, around: Surroundings) -> Device | None:
    """The software renderer that an engine calls by this name."""
    return next((device for device in around.renderers if device.name and device.name.strip() == name.strip()), None)
