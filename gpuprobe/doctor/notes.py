"""What else a person should know of the answer: one sentence each, none of them an error."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe import environment, machine, vendors
from gpuprobe.doctor.build_notes import of_builds
from gpuprobe.doctor.card_status import card_statuses
from gpuprobe.judging.belonging import serves
from gpuprobe.judging.identity import is_slice, same_card
from gpuprobe.judging.rules import order
from gpuprobe.judging.slices import alone, unlisted
from gpuprobe.judging.verdicts import describe
from gpuprobe.libraries import LIBRARIES, Library, library_named, rank_of
from gpuprobe.model import SYSTEM, Device, DeviceType, Evidence, Inventory, MiB, Outcome, Purpose, Reason, Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.machine import Card


def of_inventory(inventory: Inventory) -> tuple[str, ...]:
    """Sentences in a fixed order: what is hidden, what went wrong, what was changed on the machine, what is scarce."""
    evidence = inventory.evidence
    return (
        *evidence.not_understood,
        *(each.sentence for each in machine.unread(evidence.host)),
        *hidden(inventory),
        *_failed(inventory),
        *_second_best(inventory),
        *_better_ways(inventory),
        *_lesser_drivers(inventory),
        *of_builds(inventory),
        *_left_out(evidence),
        *_other_slices(inventory),
        *_woken(evidence),
        *_appeared(evidence),
        *_kept_below(inventory),
        *_overridden(inventory),
        *little_free(inventory),
        *_unfit(inventory),
    )


def take_in_figures(inventory: Inventory) -> bool:
    """Whether sentences beside `little_free` may speak of what a card holds or does just now: a diagnosis looks at that too,
    and one is asked where a library was lost, or a fact hints at a cause that leaves a card usable."""
    evidence = inventory.evidence
    return (
        bool(evidence.host.software)
        or any(outcome.status.undecided or _is_lost(outcome) for outcome in evidence.outcomes)
        or any(_hints(device, inventory) for device in inventory.kept)
    )


def _unfit(inventory: Inventory) -> Iterator[str]:
    """What is asked of cards is paid for only where there is one, or where software was looked for all the same."""
    if inventory.kept or inventory.evidence.host.software:
        from gpuprobe.doctor import fitness

        yield from fitness.notes(inventory)


def hidden(inventory: Inventory) -> Iterator[str]:
    """What the user's own variables hide, found out by a child without them."""
    evidence = inventory.evidence
    told: dict[str, set[str]] = {}
    for outcome in evidence.outcomes:
        if outcome.probe.purpose is not Purpose.UNFILTERED:
            continue
        known = told.setdefault(outcome.probe.library, set())
        listed = {device.key for device in _listed(evidence, outcome.probe.library)} | known
        real = [device for device in outcome.devices if device.type is not DeviceType.SOFTWARE]
        missing = [device for device in real if device.key not in listed]
        known.update(device.key for device in missing)
        names = ", ".join(f"`{name}={evidence.host.environ.get(name, '')}`" for name, _ in outcome.probe.variables)
        if missing:
            kept = [other for other in inventory.kept if any(same_card(device, other).same for device in missing)]
            still = "".join(f"; {other.library}:{other.ordinal} is one of them all the same" for other in kept)
            devices = ", ".join(f"{device.name or 'a device'} ({device.id})" for device in missing)
            yield f"{names} hides {len(missing)} of {len(real)} devices from {outcome.probe.library}: {devices}{still}"


def _listed(evidence: Evidence, library: str) -> list[Device]:
    outcomes = [outcome for outcome in evidence.outcomes if outcome.probe.purpose is not Purpose.UNFILTERED]
    return [device for outcome in outcomes if outcome.probe.library == library for device in outcome.devices]


def _failed(inventory: Inventory) -> Iterator[str]:
    """Libraries that were lost, unless that is already told as the reason of a card."""
    told = [status.why.because for status in card_statuses(inventory) if status.why]
    alone = any(outcome.probe.purpose is Purpose.ALONE for outcome in inventory.evidence.outcomes)
    for outcome in inventory.evidence.outcomes:
        news = not any(describe(outcome) in because for because in told)
        if outcome.status.undecided and not outcome.probe.purpose.is_validation and news:
            kept = f"; the {len(outcome.devices)} it had listed before are tested" if outcome.devices else ""
            around = _WAY_AROUND if alone and outcome.probe.manifest else ""
            yield f"{_subject(outcome)}: {describe(outcome)}{kept}{around}"
        for process in outcome.survivors:
            yield f"process {process} could not be ended, and may still use the card"


_WAY_AROUND = "; a program that loads every driver meets this too: remove that file, or use `gpuprobe env`, which avoids it"


def _second_best(inventory: Inventory) -> Iterator[str]:
    """A card that works, and not through its best library: people ask why it is slower than it should be."""
    for drop in inventory.drops:
        if drop.reason in (Reason.FAILED_VALIDATION, Reason.NOT_DECIDED):
            for device in inventory.kept:
                if rank_of(drop.device.library) < rank_of(device.library) and same_card(drop.device, device).same:
                    from gpuprobe.doctor import lesser_ways

                    yield lesser_ways.used_instead(device, drop, inventory)


def _better_ways(inventory: Inventory) -> Iterator[str]:
    """Looked for only where a library gave no devices that is made for a card of this machine: a healthy one pays nothing."""
    lost = [library_named(outcome.probe.library) for outcome in inventory.evidence.outcomes if _is_lost(outcome)]
    cards = [status.card for status in card_statuses(inventory) if status.why is None] if lost else []
    if any(serves(library, card) for library in lost for card in cards):
        from gpuprobe.doctor import lesser_ways

        yield from lesser_ways.of_cards(inventory)


def _is_lost(outcome: Outcome) -> bool:
    listing = outcome.probe.purpose is Purpose.LIST and bool(library_named(outcome.probe.library).vendors)
    return listing and not (outcome.status is Status.OK or outcome.status.not_there or outcome.status is Status.SKIPPED)


def _lesser_drivers(inventory: Inventory) -> Iterator[str]:
    for status in card_statuses(inventory):
        maker = vendors.vendor_of(status.card.vendor_id) if status.why is None else None
        lacks = maker.lesser_drivers.get(status.card.driver or "") if maker else None
        if maker is not None and lacks is not None:
            uses = f"{status.card.pci_id} uses the `{status.card.driver}` driver, which has no {lacks}"
            yield f"{uses}. For {lacks}, install {maker.name}'s driver"


def _subject(outcome: Outcome) -> str:
    only = outcome.probe.manifest or (outcome.probe.device if outcome.probe.purpose is Purpose.ALONE else None)
    manifest = f" with `{only}` alone" if only else ""
    without = " without your variables" if outcome.probe.purpose is Purpose.UNFILTERED else ""
    build = f" ({outcome.probe.build})" if outcome.probe.build != SYSTEM else ""
    return f"{outcome.probe.library}{build}{manifest}{without}"


def _left_out(evidence: Evidence) -> Iterator[str]:
    """Only where a card of this machine is concerned: nobody misses a library without a card. Of builds see above."""
    cards = machine.cards(evidence.host)
    for outcome in evidence.outcomes:
        library = library_named(outcome.probe.library)
        concerned = outcome.probe.build == SYSTEM and any(serves(library, card) for card in cards)
        if outcome.status is Status.SKIPPED and outcome.probe.purpose is Purpose.LIST and concerned:
            yield f"{library.name} was not asked: {(outcome.message or '').removeprefix('not asked: ')}"


def _other_slices(inventory: Inventory) -> Iterator[str]:
    """Slices that a witness names, and that the library does not show either where it is asked for them alone."""
    evidence = inventory.evidence
    listed = {device.uuid for device in (*inventory.kept, *(drop.device for drop in inventory.drops))}
    for library in LIBRARIES:
        asked = {probe.device: evidence.outcome_of(probe) for probe in alone(library, evidence)}
        others = [device for device in unlisted(library, evidence) if device.uuid not in listed]
        unasked = [device.id for device in others if asked.get(device.uuid) is None]
        if unasked and any(is_slice(device) for device in _listed(evidence, library.name)):
            only = f"{library.name} shows a process one slice of a cut card"
            yield f"{only}; the others are {', '.join(unasked)}: choose one by its id"
        for device in others:
            if (outcome := asked.get(device.uuid)) is not None:
                yield f"{library.name} does not show the slice {device.id} where it alone is visible: {describe(outcome)}"


def _woken(evidence: Evidence) -> Iterator[str]:
    for card in filter(_was_asleep, machine.cards(evidence.host)):
        asked = [
            outcome.probe.library
            for outcome in evidence.outcomes
            if outcome.seconds is not None and _opens(library_named(outcome.probe.library), card)
        ]
        if asked:
            yield f"{card.pci_id} was asleep; asking {', '.join(dict.fromkeys(asked))} woke it (`--no-wake` lets it sleep)"


def _was_asleep(card: Card) -> bool:
    return bool(card.was_asleep)


def _opens(library: Library, card: Card) -> bool:
    return serves(library, card) or (library.opens_every_node and card.render_node is not None)


def _appeared(evidence: Evidence) -> Iterator[str]:
    if evidence.appeared:
        yield f"asking as root let the driver create {', '.join(f'`{path}`' for path in evidence.appeared)}"


def _kept_below(inventory: Inventory) -> Iterator[str]:
    """Causes that leave a card usable and keep its library from all that it could do; looked for where a fact hints at one."""
    for status in card_statuses(inventory):
        if status.why is None and any(_hints(device, inventory) for device in status.devices):
            from gpuprobe.doctor import lesser_ways

            yield from lesser_ways.kept_below(status, inventory)


def _hints(device: Device, inventory: Inventory) -> bool:
    """An override, memory that is shared, a part of a card in a container, a driver without what ggml needs."""
    known = device.capabilities
    shares = device.type is DeviceType.INTEGRATED and "gtt_total_bytes" in known
    contained = machine.container(inventory.evidence.host) not in (None, machine.NONE)
    lacks = known.get("stores_16_bits") is False
    return "real_gfx_target" in known or shares or lacks or (device.partition is not None and contained)


def _overridden(inventory: Inventory) -> Iterator[str]:
    """A library that takes a card for another architecture than it has, as `HSA_OVERRIDE_GFX_VERSION` tells ROCm."""
    environ = inventory.evidence.host.environ
    names = [name for name in environ if (row := environment.variable(name)) is not None and row.per_device]
    judged = tuple(_kept_below(inventory)) if names else ()
    for device in sorted((*inventory.kept, *(drop.device for drop in inventory.drops)), key=order):
        real = device.capabilities.get("real_gfx_target")
        name = f"{device.name or 'a device'} ({device.id})"
        if real is not None and not any(each.startswith(f"{name}: `{names[0]}") for each in judged):
            told = ", ".join(f"`{name}={environ[name]}`" for name in _of_its_node(device, names))
            why = f"{told} makes it so" if told else "the kernel driver says otherwise"
            yield f"{device.library} takes {name} for {device.gfx_target}, but it is {real}: {why}"


def _of_its_node(device: Device, names: list[str]) -> list[str]:
    """The form with the number of the card's KFD node goes before the one for every card (libhsakmt, topology.c)."""
    node = device.capabilities.get("kfd_node")
    numbered = [name for name in names if name.rpartition("_")[2] == str(node)]
    return numbered or [name for name in names if not name.rpartition("_")[2].isdecimal()]


def little_free(inventory: Inventory) -> Iterator[str]:
    for device in inventory.kept:
        need = library_named(device.library).minimum_memory
        if device.free_memory is not None and device.free_memory < need:
            free = f"only {device.free_memory // MiB} MiB free"
            yield f"{device.library}:{device.ordinal} has {free}; {device.library} needs {need // MiB} MiB for itself"
