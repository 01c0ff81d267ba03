"""How each physical card stands: usable through which devices, or why not. The first line of `list` is made here."""

from collections.abc import Iterator, Sequence

from gpuprobe import machine
from gpuprobe.doctor.reasons import Why
from gpuprobe.facts import Host
from gpuprobe.judging.belonging import REPLACED, is_of, serves
from gpuprobe.judging.identity import normal_pci, same_card
from gpuprobe.judging.rules import order
from gpuprobe.judging.verdicts import describe
from gpuprobe.libraries import library_named
from gpuprobe.machine import Bystander, Card
from gpuprobe.model import Device, DeviceType, Drop, Inventory, Outcome, Purpose, Reason, Status
from gpuprobe.once import once
from gpuprobe.record_classes import NamedTuple
from gpuprobe.vendors import vendor_of


class CardStatus(NamedTuple):
    card: Card
    devices: tuple[Device, ...]
    why: Why | None  # None: usable
    asked: bool = True  # False: nothing is known against it, it was only left asleep


class Summary(NamedTuple):
    cards: int
    usable: int
    text: str


@once
def card_statuses(inventory: Inventory) -> tuple[CardStatus, ...]:
    """Every card of the machine, in the order of addresses; cards that only a library knows of are among them."""
    return tuple(_status(card, inventory) for card in _all_cards(inventory))


def bystanders(inventory: Inventory) -> tuple[Bystander, ...]:
    """What is on the bus and may be taken for a card, but for what a library lists: that is one."""
    found = machine.bystanders(inventory.evidence.host)
    listed = {card.pci_id for card in _all_cards(inventory)} if found else ()
    return tuple(one for one in found if one.pci_id not in listed)


def summary(inventory: Inventory) -> Summary:
    """The first line of `list`."""
    cards = card_statuses(inventory)
    usable = [status for status in cards if status.why is None]
    return Summary(len(cards), len(usable), _text(cards, inventory))


def scheduling_order(devices: Sequence[Device]) -> tuple[Device, ...]:
    """Discrete before integrated before software, most free memory first, ties in the fixed order; unknown counts as none."""
    places = {DeviceType.INTEGRATED: 1, DeviceType.SOFTWARE: 2}
    return tuple(sorted(devices, key=lambda device: (places.get(device.type, 0), -(device.free_memory or 0), order(device))))


def undecided(inventory: Inventory) -> bool:
    """Whether a crash, a timeout or an unknown could change the answer about any card or library."""
    if undecided_drops(inventory) or _unread(inventory):
        return True
    asleep = [status for status in card_statuses(inventory) if status.card.was_asleep and status.why is not None]
    if asleep and not inventory.request.wake:
        return True
    listings = [outcome for outcome in inventory.evidence.outcomes if not outcome.probe.purpose.is_validation]
    return any(outcome.status.undecided and not _made_good(outcome, inventory) for outcome in listings)


def doubts(inventory: Inventory) -> tuple[str, ...]:
    """Why more cards or slices may be usable than are: a clause for each that was not decided, and for each library that was
    lost. A view that was not decided changes nothing where another view of the same card passed."""
    listings = [outcome for outcome in inventory.evidence.outcomes if not outcome.probe.purpose.is_validation]
    asleep = [each.card for each in card_statuses(inventory) if each.card.was_asleep and each.why is not None]
    return (
        *(told_of(drop) for drop in undecided_drops(inventory) if not _is_covered(drop.device, inventory)),
        *_unread(inventory),
        *(f"{card.pci_id} sleeps and was not woken" for card in asleep if not inventory.request.wake),
        *(
            f"{outcome.probe.library}: {describe(outcome)}"
            for outcome in listings
            if outcome.status.undecided and not _made_good(outcome, inventory)
        ),
    )


def _unread(inventory: Inventory) -> list[str]:
    """What could not be looked at and may hold the answer: where no card is known, or where one of them does not work."""
    found = machine.unread(inventory.evidence.host)
    if not found:
        return []
    cards = card_statuses(inventory)
    if not cards:
        return [each.sentence for each in found]
    unused = any(each.why is not None for each in cards)
    return [each.sentence for each in found if unused and each.place.startswith("/dev")]


def undecided_drops(inventory: Inventory) -> list[Drop]:
    return [drop for drop in inventory.drops if drop.reason is Reason.NOT_DECIDED]


def told_of(drop: Drop) -> str:
    """ "0000:0e:00.0 through ROCm: its child did not answer in time"."""
    return f"{drop.device.pci_id or drop.device.id} through {drop.device.library}: {drop.because}"


def _is_covered(device: Device, inventory: Inventory) -> bool:
    return any(same_card(device, kept).same for kept in inventory.kept)


def _is_offer(outcome: Outcome) -> bool:
    return outcome.probe.purpose is Purpose.LIST and not library_named(outcome.probe.library).witness


def _of_one_vendor(outcome: Outcome) -> bool:
    return _is_offer(outcome) and bool(library_named(outcome.probe.library).vendors)


def _made_good(outcome: Outcome, inventory: Inventory) -> bool:
    """A witness computes nothing; and a library that failed matters only where a card of its vendor is not covered."""
    library = library_named(outcome.probe.library)
    if library.witness or outcome.probe.purpose is Purpose.UNFILTERED:
        return True
    cards = [status for status in card_statuses(inventory) if serves(library, status.card)]
    return bool(cards) and all(status.why is None for status in cards)


def _all_cards(inventory: Inventory) -> list[Card]:
    """Those of the survey, and those that only a library or a witness shows: a sandbox may hide the bus."""
    cards = list(machine.cards(inventory.evidence.host))
    shown = list(_real_devices(inventory))
    # WSL shows one adapter for every vendor, however many cards it stands for; what the libraries list is better.
    listed = {card for card in cards if card.kind == "wsl" and any(_shows(device, card) for device in shown)}
    cards = [card for card in cards if card not in listed]
    taken = {normal_pci(card.pci_id) for card in cards if card.pci_id is not None}
    elsewhere = [card for card in cards if card.pci_id is None]
    for device in shown:
        if device.pci_id not in taken and not any(is_of(device, card) for card in elsewhere):
            card = _card_of(device, inventory)
            cards.append(card)
            taken |= {normal_pci(card.pci_id)} if card.pci_id is not None else set()
            elsewhere += [card] if card.pci_id is None else []
    return sorted(cards, key=lambda card: card.pci_id or "~")


def _shows(device: Device, card: Card) -> bool:
    return card.vendor_id is not None and card.vendor_id in (*library_named(device.library).vendor_ids, device.vendor_id)


def _real_devices(inventory: Inventory) -> Iterator[Device]:
    """One device per card: those that another view replaces do not count again; those that a variable hides, and those that
    only a witness knows, do."""
    yield from inventory.kept
    others = [drop.device for drop in inventory.drops if drop.reason not in REPLACED]
    for outcome in inventory.evidence.outcomes:
        witness = library_named(outcome.probe.library).witness
        if witness or outcome.probe.purpose is Purpose.UNFILTERED:
            others += [device for device in outcome.devices if device.pci_id]
    yield from (device for device in others if device.type is not DeviceType.SOFTWARE)


def _card_of(device: Device, inventory: Inventory) -> Card:
    """With the facts of its function on the bus, where the survey took that for something else than a card."""
    on_the_bus = machine.card_at(inventory.evidence.host, device.pci_id) if device.pci_id else None
    return on_the_bus or _listed(device)


def _listed(device: Device) -> Card:
    vendors = library_named(device.library).vendors
    vendor = device.vendor_id if device.vendor_id is not None else (vendors[0].pci_id if len(vendors) == 1 else None)
    return Card(
        pci_id=device.pci_id,
        vendor_id=vendor,
        device_id=device.device_id,
        name=device.name,
        kind=_listed_by(device),
        listed_as=(device.library, device.key),
    )


def _listed_by(device: Device) -> str:
    return "software" if device.type is DeviceType.SOFTWARE else "listed"


def _status(card: Card, inventory: Inventory) -> CardStatus:
    devices = tuple(device for device in _near(card, _kept_by_place(inventory)) if is_of(device, card))
    name = card.name or next((view.name for view in _views(card, inventory) if view.name), None)
    reason = None if devices else _why(card, inventory)
    asleep = reason is not None and reason.reason is Status.SKIPPED and not inventory.request.wake
    return CardStatus(card._replace(name=name), devices, reason, asked=not asleep)


def _why(card: Card, inventory: Inventory) -> Why:
    """The checks are imported where a card is not usable: a healthy machine does not pay for them."""
    from gpuprobe.doctor.diagnosis import why

    return why(card, inventory)


def _views(card: Card, inventory: Inventory) -> list[Device]:
    return [device for device in _near(card, _all_by_place(inventory)) if is_of(device, card)]


_Places = tuple[tuple[Device, ...], dict[str | None, list[Device]]]  # all, and by their PCI address


def _near(card: Card, places: _Places) -> Sequence[Device]:
    """Those that may be views of this card."""
    return places[0] if card.pci_id is None else places[1].get(normal_pci(card.pci_id), ())


@once
def _kept_by_place(inventory: Inventory) -> _Places:
    return _by_place(inventory.kept)


@once
def _all_by_place(inventory: Inventory) -> _Places:
    return _by_place((*inventory.kept, *(drop.device for drop in inventory.drops)))


def _by_place(devices: tuple[Device, ...]) -> _Places:
    places: dict[str | None, list[Device]] = {}
    for device in devices:
        places.setdefault(device.pci_id, []).append(device)
    return devices, places


def _text(cards: Sequence[CardStatus], inventory: Inventory) -> str:
    real = [status for status in cards if status.card.kind != "software"]
    renderers = _counted(len(cards) - len(real), "software renderer")
    if not real:
        return f"{renderers} usable, and no GPU" if cards else _no_card(inventory)
    unasked = [status for status in real if not status.asked]
    unused = [status for status in real if status.why is not None and status.asked]
    text = f"{len(real) - len(unused) - len(unasked)} of {_counted(len(real), 'GPU')} usable"
    if len(cards) > len(real):
        text += f", and {renderers}"
    if unasked:
        text += f"; {len(unasked)} {'was' if len(unasked) == 1 else 'were'} not asked, because that would wake a sleeping card"
    return text + _first_reason(_most_wanted_first(unused, inventory))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _most_wanted_first(unused: Sequence[CardStatus], inventory: Inventory) -> list[CardStatus]:
    """Discrete before integrated: a person rarely came for the graphics inside the processor."""
    if len(unused) < 2:
        return list(unused)
    known = (*machine.witnesses(inventory.evidence.host), *(drop.device for drop in inventory.drops))
    return sorted(unused, key=lambda status: _is_integrated(status.card, known))


def _is_integrated(card: Card, known: Sequence[Device]) -> bool:
    maker = vendor_of(card.vendor_id)
    place = maker.integrated_at if maker else None
    if place is not None and (card.pci_id or "").endswith(place):
        return True
    return any(view.type is DeviceType.INTEGRATED and is_of(view, card) for view in known)


def unclaimed_render_nodes(host: Host) -> tuple[str, ...]:
    """Render nodes that belong to nothing the survey saw, on a machine whose bus has no graphics at all: where it could not be
    looked at, they may be a card's."""
    if any(each.place.startswith("/sys/") and each.problem != "absent" for each in machine.unread(host)):
        return ()
    claimed = {f"/dev/dri/{name}" for each in host.off_the_bus for name in each.drm}
    unknown = (node.path for node in host.nodes if node.path.startswith("/dev/dri/renderD"))
    on_the_bus = host.platform != "linux" or any(function.drm for function in host.pci)
    return () if on_the_bus else tuple(path for path in unknown if path not in claimed)


def _first_reason(unused: Sequence[CardStatus]) -> str:
    """ "; 0000:03:00.0 is not: no kernel driver": a few words. The reason itself stands with the card."""
    failing = [status for status in unused if status.why and status.why.reason is not Status.SKIPPED]
    unasked = len(unused) - len(failing)
    left_out = f"; {unasked} {'was' if unasked == 1 else 'were'} not asked" if unasked else ""
    if not failing:
        return left_out
    briefs = list(dict.fromkeys(_brief(status.why) for status in failing if status.why))
    first = failing[0].card
    alike = f"{len(failing)} are not" if len(failing) > 1 else f"{first.pci_id or first.name or 'the GPU'} is not"
    return f"; {alike}: {', '.join(briefs[:_BRIEFS])}{', …' if len(briefs) > _BRIEFS else ''}{left_out}"


_BRIEFS = 2


def missing(inventory: Inventory) -> str:
    """ "0000:03:00.0: no kernel driver": the cards that are not usable, and why, in a few words; empty: none."""
    unused = [status for status in card_statuses(inventory) if status.why is not None]
    said = [f"{each.card.pci_id or each.card.name or 'a GPU'}: {_brief(each.why)}" for each in unused if each.why]
    return ", ".join(said[:_BRIEFS]) + (", …" if len(said) > _BRIEFS else "")


def _brief(why_not: Why) -> str:
    return why_not.brief or why_not.because


def _no_card(inventory: Inventory) -> str:
    lost = [outcome for outcome in inventory.evidence.outcomes if outcome.status.undecided and _is_offer(outcome)]
    if lost:
        return f"No GPU found, but that is not certain: {lost[0].probe.library}: {describe(lost[0])}"
    if unknown := machine.unread(inventory.evidence.host):
        return f"No GPU found, but that is not certain: {unknown[0].sentence}"
    failed = [outcome for outcome in inventory.evidence.outcomes if outcome.status.failed and _of_one_vendor(outcome)]
    if failed:
        return f"No GPU is usable: {failed[0].probe.library} is installed but does not work: {describe(failed[0])}"
    nodes = unclaimed_render_nodes(inventory.evidence.host)
    if nodes and all(outcome.status.not_there for outcome in inventory.evidence.outcomes if _is_offer(outcome)):
        return f"No GPU is usable: `{nodes[0]}` belongs to one that is no PCI card, and no library for it is installed"
    software = [drop.device for drop in inventory.drops if drop.reason is Reason.SOFTWARE_RENDERER]
    if software:
        name = software[0].name or software[0].library
        runs = "it runs on the CPU, so it is not counted (`--allow-software` includes it)"
        return f"No GPU found on this machine. {software[0].library} offers the software renderer `{name}`: {runs}"
    return "No GPU found on this machine: models will run on the CPU"
