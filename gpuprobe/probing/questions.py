"""What is still worth asking, given what is known so far. Pure: it starts nothing and never asks a question twice.

The order: every library lists; a library whose listing failed although it has several drivers is asked once per driver, and
one that shows a single slice once per further slice; a library that a variable of the user filters is asked once more without
it; then the devices that would be kept if their
validation passed are validated. That last step simply judges the unfinished evidence: whatever would be kept and has not
been validated is worth validating, so planning and judging cannot disagree.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from gpuprobe.facts import Host
from gpuprobe.judging import identity, slices
from gpuprobe.judging.belonging import installed
from gpuprobe.judging.rules import judge, offered, order
from gpuprobe.judging.verdicts import validates
from gpuprobe.libraries import LIBRARIES, Drivers, Library, library_named, rank_of
from gpuprobe.model import SYSTEM, Device, DeviceType, Evidence, Outcome, Probe, Purpose, Request, Status, ValidationScope
from gpuprobe.probing import build_questions
from gpuprobe.probing.needs import sleeping, switched_off, vendor_cards
from gpuprobe.probing.validation_questions import validation_probe


def next_probes(evidence: Evidence, request: Request, running: Collection[Probe] = ()) -> tuple[Probe, ...]:
    """Probes to start now, none of which has been asked; empty when nothing is left or what is left must wait."""
    asked = {outcome.probe for outcome in evidence.outcomes}.union(running)
    wishes = [*_listings(evidence.host, request), *_alone(evidence), *_unfiltered(evidence)]
    fresh = [probe for probe in dict.fromkeys(wishes) if probe not in asked]
    build = build_questions.next_listing(evidence, request, running)
    fresh += [] if build is None else [build]
    to_come = build_questions.open_listings(evidence, request)
    validations = _validations(evidence, request, running, (*fresh, *to_come))
    return (*fresh, *(probe for probe in validations if probe not in asked))


def not_asked(host: Host, request: Request) -> tuple[Outcome, ...]:
    """Outcomes that need no child: libraries that are not installed, and those that are left out, with the reason."""
    own = (
        Outcome(Probe(library.name, Purpose.LIST), status=status, message=message)
        for library in _wanted_libraries(host, request)
        if (answer := _without_asking(library, host, request)) is not None
        for status, message in [answer]
    )
    return (*own, *build_questions.not_asked(host, request))


def needless(evidence: Evidence, request: Request) -> tuple[Outcome, ...]:
    """Outcomes that need no child after what has been answered by now."""
    return tuple(build_questions.needless(evidence, request))


def only_recorded(outcome: Outcome, host: Host, request: Request) -> bool:
    """Whether a capture's answer is one that this version could not ask for, and can judge all the same."""
    library, probe = library_named(outcome.probe.library), outcome.probe
    is_system = probe.build == SYSTEM
    foreign = library.backend is None if is_system else host.build_named(probe.build) is None
    listing = probe.purpose in (Purpose.LIST, Purpose.UNFILTERED) and not outcome.status.not_asked
    return foreign and listing and (not request.libraries or library.name in request.libraries)


def _wanted_libraries(host: Host, request: Request) -> Iterator[Library]:
    for library in LIBRARIES:
        chosen = not request.libraries or library.name in request.libraries or _supports_chosen(library, request)
        if chosen and host.platform in library.sonames:
            yield library


def _supports_chosen(library: Library, request: Request) -> bool:
    """A witness comes along with the library whose cards it knows."""
    offers = [library_named(name) for name in request.libraries]
    return library.witness and any(set(offer.vendor_ids) & set(library.vendor_ids) for offer in offers)


def _without_asking(library: Library, host: Host, request: Request) -> tuple[Status, str] | None:
    """Status and sentence for a library that no child is started for; None: it is to be asked."""
    if not installed(library, host) and not vendor_cards(library, host):
        names = " or ".join(f"`{name}`" for name in library.sonames[host.platform])
        return Status.ABSENT, f"{names} is not installed, and no card here needs it" if names else "no card here needs it"
    if library.backend is None:
        return Status.SKIPPED, f"this version of gpuprobe cannot ask {library.name} yet"
    if switched_off(library, host):
        return Status.SKIPPED, f"`{library.switch}` switches it off"
    asleep = sleeping(library, host)
    if asleep and not request.wake:
        return Status.SKIPPED, f"asking would wake {', '.join(asleep)}, which `--no-wake` forbids"
    return None


def _listings(host: Host, request: Request) -> Iterator[Probe]:
    for library in _wanted_libraries(host, request):
        if _without_asking(library, host, request) is None:
            yield Probe(library.name, Purpose.LIST)


def _alone(evidence: Evidence) -> Iterator[Probe]:
    """One bad driver must not hide the others: where all together fail, each is asked alone. Nor may one slice. Where each
    driver counts its own devices, a number alone names none."""
    for library in LIBRARIES:
        yield from slices.alone(library, evidence)
    for outcome in evidence.outcomes:
        drivers = library_named(outcome.probe.library).drivers
        is_system = outcome.probe.purpose is Purpose.LIST and outcome.probe.build == SYSTEM
        if drivers is None or not is_system or not (_drivers_failed(outcome.status) or _numbers_repeat(outcome)):
            continue
        found = driver_files(drivers, evidence.host)
        for driver in found if len(found) > 1 else ():
            yield Probe(outcome.probe.library, Purpose.ALONE, manifest=driver, variables=drivers.only(driver))


def driver_files(drivers: Drivers, host: Host) -> list[str]:
    """The drivers that the library would load here, as its own variable names them."""
    if not drivers.names:
        return [manifest.path for manifest in host.manifests]
    chosen = host.environ.get(drivers.variable)
    if chosen is not None:
        return list(dict.fromkeys(filter(None, chosen.split(drivers.separators.get(host.platform, ",")))))
    names = drivers.names.get(host.platform, ())
    # One that lies where only gpuprobe looks is not found by the library either.
    return [found.name for found in host.libraries if found.name in names and found.where != "known place"]


def _unfiltered(evidence: Evidence) -> Iterator[Probe]:
    """What a variable of the user hides is found out by a child without it."""
    for outcome in evidence.outcomes:
        library = library_named(outcome.probe.library)
        filters = [name for name in library.filters if name in evidence.host.environ]
        # A library that hangs would only hang once more, and what cannot be loaded is hidden by no variable.
        unasked = _asking_again_is_useless(outcome.status) or not _speaks_for_its_library(outcome, evidence)
        if filters and outcome.probe.purpose is Purpose.LIST and not unasked:
            for names in _unset_together(filters, library):
                variables = tuple((name, None) for name in names)
                yield Probe(library.name, Purpose.UNFILTERED, build=outcome.probe.build, variables=variables)


def _unset_together(filters: list[str], library: Library) -> Iterator[list[str]]:
    """All of them; and before that, where one names the drivers, the others without it: it may be what brings the driver that
    another one hides, as on NixOS."""
    naming = (library.drivers.variable, *library.drivers.others) if library.drivers is not None else ()
    others = [name for name in filters if name not in naming]
    if others and others != filters:
        yield others
    yield filters


def _drivers_failed(status: Status) -> bool:
    """All drivers together gave no list; each by itself may."""
    return status.lost or (status.failed and status is not Status.NOT_LOADABLE)


def _numbers_repeat(outcome: Outcome) -> bool:
    return len({device.number for device in outcome.devices}) < len(outcome.devices)


def _asking_again_is_useless(status: Status) -> bool:
    return status.not_asked or status.overdue or status is Status.NOT_LOADABLE


def _speaks_for_its_library(outcome: Outcome, evidence: Evidence) -> bool:
    """The system's own; a build only where that is not there."""
    own = evidence.outcome_of(Probe(outcome.probe.library, Purpose.LIST))
    return outcome.probe.build == SYSTEM or own is None or _asking_again_is_useless(own.status)


def _validations(
    evidence: Evidence, request: Request, running: Collection[Probe], starting: Collection[Probe]
) -> Iterator[Probe]:
    if request.validate is ValidationScope.NONE:
        return
    listed = offered(evidence)
    busy = [device for device in listed if any(validates(probe, device) for probe in running)]
    for device in _worth_validating(evidence, request):
        if not _settled(device, request, (*running, *starting)):
            continue
        # Two contexts on one card at once compete for its memory, and a hang of one delays the other.
        if any(identity.same_card(device, other).same for other in busy):
            continue
        probe = validation_probe(device, listed, evidence.host.platform, evidence.host.environ)
        left = _proofs(probe, evidence, request) if request.validate is ValidationScope.PROVED else [probe]
        if left:
            busy.append(device)
            yield left[0]


def _proofs(probe: Probe, evidence: Evidence, request: Request) -> list[Probe]:
    """The attempts at proving that are still to be made of the device that this probe is about."""
    asked = {outcome.probe for outcome in evidence.outcomes}
    attempts = (probe._replace(purpose=Purpose.PROVE, until=request.until, attempt=number) for number in range(request.repeat))
    return [attempt for attempt in attempts if attempt not in asked]


def _worth_validating(evidence: Evidence, request: Request) -> list[Device]:
    if request.validate is ValidationScope.NEEDED:
        return [device for device in judge(evidence, request).kept if device.validation is None]
    devices = [
        device
        for device in sorted(offered(evidence), key=order)
        if (device.validation is None or request.validate is ValidationScope.PROVED)
        and (request.allow_software or device.type is not DeviceType.SOFTWARE)
        and (not request.chosen or device.key in request.chosen)
        and (not request.builds or device.build in request.builds)
    ]
    return list({(device.library, device.build, device.manifest, device.key): device for device in devices}.values())


def _settled(device: Device, request: Request, open_probes: Collection[Probe]) -> bool:
    """Whether no open listing could still turn up a better view of this card: what is validated must not depend on
    which child happened to answer first."""
    waiting = [probe for probe in open_probes if probe.purpose in (Purpose.LIST, Purpose.ALONE)]
    if request.validate in (ValidationScope.ALL, ValidationScope.PROVED):
        # Which is then the only reason to wait: a build makes contexts while it lists.
        waiting = [probe for probe in waiting if probe.build != SYSTEM]
    return not any(_could_list(library_named(probe.library), device) for probe in waiting)


def _could_list(library: Library, device: Device) -> bool:
    vendor = device.vendor_id
    if library.witness:
        # A witness can only tell which card this is, and only where the library itself does not.
        return device.pci_id is None and (vendor is None or vendor in library.vendor_ids)
    if rank_of(library.name) > rank_of(device.library):
        return False
    return library.name == device.library or vendor is None or not library.vendors or vendor in library.vendor_ids
