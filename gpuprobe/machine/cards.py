"""Which physical GPUs a machine has, by its survey alone, and which devices only look like one."""

from collections.abc import Iterator, Sequence

from gpuprobe import patterns as re
from gpuprobe import vendors
from gpuprobe.facts import Host, PciFunction
from gpuprobe.machine.nvidia import name_of
from gpuprobe.machine.surroundings import exists, is_uncertain, text_of, wsl
from gpuprobe.once import once
from gpuprobe.record_classes import NamedTuple
from gpuprobe.vendors import VENDORS

_BRIDGE = 0x0680  # class and subclass


class Card(NamedTuple):
    """One physical GPU, or one virtual function of one. Unknown is None."""

    kind: str  # "pci", "platform", "board", "wsl"; and "listed", "software", which only a library shows
    pci_id: str | None = None
    vendor_id: int | None = None
    device_id: int | None = None
    name: str | None = None
    driver: str | None = None  # the kernel driver that is bound
    driver_override: str | None = None
    render_node: str | None = None
    numa_node: int | None = None
    current_link_speed: str | None = None
    current_link_width: int | None = None
    max_link_speed: str | None = None
    max_link_width: int | None = None
    was_asleep: bool | None = None  # before anything was asked
    listed_as: tuple[str, str] | None = None  # library and key of the view that alone shows this card


class Bystander(NamedTuple):
    """A PCI function that looks like a GPU and is not one."""

    pci_id: str
    what: str
    vendor_id: int | None = None
    device_id: int | None = None


@once
def cards(host: Host) -> tuple[Card, ...]:
    """Every card, those on the bus first, by address."""
    on_the_bus = tuple(_pci_card(host, function) for function in host.pci if _instead(function) is None)
    return on_the_bus + tuple(_others(host, on_the_bus))


def bystanders(host: Host) -> tuple[Bystander, ...]:
    """What else is on the bus and may be taken for a card, named as what it is."""
    named = ((function, _instead(function)) for function in host.pci)
    return tuple(Bystander(one.address, what, one.vendor, one.device) for one, what in named if what is not None)


def card_at(host: Host, address: str) -> Card | None:
    """The function at this address as a card, whatever it is taken for otherwise: what a library lists is one."""
    return next((_pci_card(host, function) for function in host.pci if function.address == address), None)


def _instead(function: PciFunction) -> str | None:
    """What a function is instead of a card; None: it is a card."""
    maker = vendors.vendor_of(function.vendor)
    kind = (function.class_code or 0) >> 8
    if maker is None:
        return "bridge" if kind == _BRIDGE else f"display or accelerator of vendor {_id(function.vendor)}"
    by_device, by_driver = maker.other_devices.get(function.device or 0), maker.other_drivers.get(function.driver or "")
    by_class = maker.other_classes.get(kind, "bridge" if kind == _BRIDGE else None)
    return by_device or by_driver or by_class or maker.instead


def _id(vendor: int | None) -> str:
    return "unknown" if vendor is None else f"{vendor:04x}"


def _pci_card(host: Host, function: PciFunction) -> Card:
    return Card(
        kind="pci",
        pci_id=function.address,
        vendor_id=function.vendor,
        device_id=function.device,
        name=name_of(host, function.address) or function.product,
        driver=function.driver,
        driver_override=function.driver_override,
        render_node=_render_node(function.drm),
        numa_node=function.numa_node,
        current_link_speed=function.current_link_speed,
        current_link_width=function.current_link_width,
        max_link_speed=function.max_link_speed,
        max_link_width=function.max_link_width,
        was_asleep={"suspended": True, "active": False}.get(function.runtime_status or ""),
    )


def _render_node(drm: Sequence[str]) -> str | None:
    return next((f"/dev/dri/{name}" for name in drm if name.startswith("renderD")), None)


def _others(host: Host, on_the_bus: Sequence[Card]) -> Iterator[Card]:
    """The cards that are no PCI functions: of a Mac, a board, a processor, WSL."""
    maker = next((vendor for vendor in VENDORS if (host.platform, host.machine) in vendor.computers), None)
    if maker is not None:
        name = host.facts.get("machdep.cpu.brand_string")
        yield Card(kind="board", vendor_id=maker.pci_id, name=str(name) if name else None)
    elif host.platform == "linux":
        driven = tuple(_driven(host))
        board = _board(host, on_the_bus)
        yield from driven if board is None else _named_by_board(board, driven)
        if board is None and wsl(host) == 2 and any(node.path == "/dev/dxg" for node in host.nodes):
            yield from _wsl_cards(host)


def _driven(host: Host) -> Iterator[Card]:
    """The GPUs beside the processor, by the kernel driver of their render node."""
    for device in host.off_the_bus:
        maker, render = vendors.driving(device.driver), _render_node(device.drm)
        if maker is not None and device.driver is not None and render is not None:
            name = f"{maker.name} {maker.off_the_bus[device.driver]}"
            yield Card(kind="platform", vendor_id=maker.pci_id, name=name, driver=device.driver, render_node=render)


def _board(host: Host, on_the_bus: Sequence[Card]) -> Card | None:
    """The GPU of a board that is sold under a name of its own, by the device tree."""
    compatible = text_of(host, "/proc/device-tree/compatible").split("\0")
    model = text_of(host, "/proc/device-tree/model").strip("\0 \n") or None
    maker = next((each for each in VENDORS if each.device_tree and _is_made_by(compatible, each.device_tree)), None)
    if maker is None or (maker.board_on_the_bus in compatible and any(maker.made(card.vendor_id) for card in on_the_bus)):
        return None
    state = f"/sys/module/{maker.board_driver}/initstate"
    loaded = maker.board_driver is not None and (exists(host, state) or is_uncertain(host, state))
    return Card(kind="board", vendor_id=maker.pci_id, name=model, driver=maker.board_driver if loaded else None)


def _is_made_by(compatible: list[str], start: str) -> bool:
    return any(entry.startswith(start) for entry in compatible)


def _named_by_board(board: Card, driven: Sequence[Card]) -> Iterator[Card]:
    """The board's GPU with what its kernel driver shows, and whatever else is driven."""
    own = [card for card in driven if card.vendor_id == board.vendor_id]
    yield board._replace(driver=own[0].driver, render_node=own[0].render_node) if own else board
    yield from (card for card in driven if card not in own)


def _wsl_cards(host: Host) -> Iterator[Card]:
    """One card for each vendor whose Windows driver is shown; from here two of one vendor look like one."""
    drivers = str(host.facts.get("wsl_drivers") or "").casefold().split()
    shown = [vendor for vendor in VENDORS if vendor.wsl_drivers and _is_shown(vendor.wsl_drivers, drivers)]
    for vendor in shown:
        yield Card(kind="wsl", vendor_id=vendor.pci_id, name=f"{vendor.name} adapter of Windows", driver="dxgkrnl")
    if not shown:
        yield Card(kind="wsl", name="adapter of Windows", driver="dxgkrnl")


def _is_shown(shape: str, drivers: Sequence[str]) -> bool:
    return any(re.match(shape, name) for name in drivers)
