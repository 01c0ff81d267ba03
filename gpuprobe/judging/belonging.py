"""Which card a view is a view of, which cards are a library's business, and whether it is there at all."""

from gpuprobe.facts import Host
from gpuprobe.judging.identity import normal_pci
from gpuprobe.libraries import Library, library_named
from gpuprobe.machine import Card
from gpuprobe.model import Device, DeviceType, Reason

# A view that another view replaces says nothing about the card.
REPLACED = frozenset({Reason.SAME_CARD, Reason.OTHER_BUILD, Reason.LISTED_TWICE, Reason.VIRTUAL_DEVICE})


def is_of(device: Device, card: Card) -> bool:
    """Whether this view is a view of this card."""
    if card.pci_id is not None:
        return device.pci_id == normal_pci(card.pci_id)
    if card.listed_as is not None:
        return card.listed_as == (device.library, device.key)
    if device.type is DeviceType.SOFTWARE:
        return False
    on_board = device.pci_id is None or device.type is DeviceType.INTEGRATED
    return on_board and serves(library_named(device.library), card)


def serves(library: Library, card: Card) -> bool:
    """Whether cards of this vendor are the library's business; an unknown vendor may be anybody's."""
    return not library.vendors or card.vendor_id is None or card.vendor_id in library.vendor_ids


def installed(library: Library, host: Host) -> bool:
    """Whether the loader finds a file of it; whether that loads is another question."""
    return any(found.name in library.sonames.get(host.platform, ()) for found in host.libraries)
