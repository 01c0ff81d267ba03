"""Which devices stay, and for each that does not, the sentence that says why.

`judge` attaches to every listed device what its validation proved, completes it from witnesses of the same card, and folds
`RULES` over the rest. The order matters, because each rule sees only what still stands: a view that failed its
validation must not push out the view that works, and only one build of a library may stand when libraries are compared.
Nothing is deleted: a device that does not stay is a `Drop`, with the first reason that applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from gpuprobe import machine
from gpuprobe import patterns as re
from gpuprobe.facts import Host
from gpuprobe.judging import build_choice, identity, slices, visibility
from gpuprobe.judging.completion import completed
from gpuprobe.judging.nearby import Nearby
from gpuprobe.judging.pairing import pair_by_name
from gpuprobe.judging.verdicts import validation_of
from gpuprobe.libraries import library_named, rank_of
from gpuprobe.model import (
    SYSTEM,
    Device,
    DeviceType,
    Drop,
    Evidence,
    Inventory,
    MiB,
    Outcome,
    Purpose,
    Reason,
    Request,
    Verdict,
)

_VIRTUAL = r"\(dev p[0-9]{1,4}/v[0-9]{1,4}\)\s*$"

Rule = Callable[[Sequence[Device], Host, Request], Iterator[Drop]]

# What happens to a view without making it another card's, or another library's.
_NUMBERED = (Reason.NO_CODE, Reason.FAILED_VALIDATION, Reason.NOT_DECIDED, Reason.OTHER_BUILD, Reason.SAME_CARD)


def judge(evidence: Evidence, request: Request) -> Inventory:
    """What is usable and what became of the rest. Pure: the same evidence gives the same inventory.

    Devices that were not validated stand, so that the judgement of unfinished evidence says what is worth validating next.
    """
    remaining = sorted(completed(offered(evidence), evidence), key=order)
    drops: list[Drop] = []
    for rule in RULES:
        fallen = list(rule(remaining, evidence.host, request))
        drops += fallen
        gone = {id(drop.device) for drop in fallen}
        remaining = [device for device in remaining if id(device) not in gone]
    kept = _numbered(remaining, drops, evidence.host)
    settled = _settled(drops, {id(device): numbered for device, numbered in zip(remaining, kept, strict=True)})
    return Inventory(
        kept=kept,
        drops=tuple(sorted(settled, key=lambda drop: order(drop.device))),
        evidence=evidence,
        request=request,
    )


def offered(evidence: Evidence) -> list[Device]:
    """Every device that a library offers for computing, in the order of the outcomes, with its validation attached."""
    listings = [outcome for outcome in evidence.outcomes if is_offer(outcome)]
    surveyed = machine.witnesses(evidence.host) if any(outcome.devices for outcome in listings) else ()
    return [
        slices.as_partition(device, evidence.host, surveyed)._replace(validation=validation_of(device, evidence))
        for outcome in listings
        for device in outcome.devices
    ]


def is_offer(outcome: Outcome) -> bool:
    """Whether the devices of this outcome are candidates; the unfiltered listing only explains what is hidden."""
    listing = outcome.probe.purpose in (Purpose.LIST, Purpose.ALONE)
    return listing and not library_named(outcome.probe.library).witness


def order(device: Device) -> tuple[int, str, str, str, str, int]:
    """The fixed order of everything: library rank, PCI address (unknown last), slice, UUID, build, number."""
    slice_of = device.partition.kind if device.partition else ""
    address = device.pci_id or "~"
    return (rank_of(device.library), address, slice_of, device.uuid or "~", device.build, device.number)


def hidden_by_variable(remaining: Sequence[Device], host: Host, request: Request) -> Iterator[Drop]:
    """The Vulkan loader lists what `GGML_VK_VISIBLE_DEVICES` hides from the programs that will compute."""
    for device in remaining:
        because = visibility.hidden(device, host.environ, remaining)
        if because is not None:
            yield Drop(device, Reason.HIDDEN_BY_VARIABLE, because)


def software_renderer(remaining: Sequence[Device], host: Host, request: Request) -> Iterator[Drop]:
    for device in remaining:
        if device.type is DeviceType.SOFTWARE and not request.allow_software:
            because = "it is a software renderer: it computes on the CPU, slower than a CPU build of your program would"
            yield Drop(device, Reason.SOFTWARE_RENDERER, because)


def too_little_memory(remaining: Sequence[Device], host: Host, request: Request) -> Iterator[Drop]:
    """Total memory below what the library takes for itself. Little *free* memory is no reason: it comes and goes."""
    for device in remaining:
        need = library_named(device.library).minimum_memory
        if device.total_memory is not None and device.total_memory < need:
            has = f"{device.total_memory // MiB} MiB of memory" if device.total_memory else "no memory, as its driver says"
            yield Drop(
                device,
                Reason.TOO_LITTLE_MEMORY,
                f"it has {has}, and {device.library} needs {need // MiB} MiB for itself",
            )


def listed_twice(remaining: Sequence[Device], host: Host, request: Request) -> Iterator[Drop]:
    """One library in one build lists a card twice, as with two driver manifests for it, or a variable that names it twice.

    A view that one manifest alone gives is preferred: it exists because all manifests together do not work.
    """
    kept: list[Device] = []
    near = Nearby()
    for device in sorted(remaining, key=lambda device: device.manifest is None):
        named_twice = visibility.repeated(device, host.environ)
        twin = next((other for other in near.of(device) if _same_view(device, other)), None) or (
            _named_before(device, kept, host) if named_twice else None
        )
        if twin is None:
            kept.append(device)
            near.add(device)
        else:
            reason, because = _why_twice(device, twin, host, named_twice)
            yield Drop(device, reason, because, twin)


def _why_twice(device: Device, twin: Device, host: Host, named_twice: str | None) -> tuple[Reason, str]:
    """ggml makes several devices of one card where it is told to, and marks each: `NVIDIA … (dev p0/v1)`."""
    if any("(dev p" in (text or "") and re.search(_VIRTUAL, text or "") for text in (device.name, device.description)):
        told = host.environ.get("GGML_CUDA_DEVICES")
        why = f"`GGML_CUDA_DEVICES={told}` makes several of one card" if told else "ggml made several of one card"
        return Reason.VIRTUAL_DEVICE, f"it is a virtual device: {why}, which share its memory"
    evidence = named_twice or identity.same_card(device, twin).evidence
    return Reason.LISTED_TWICE, f"{device.library} lists this card twice ({evidence})"


def _named_before(device: Device, kept: Sequence[Device], host: Host) -> Device | None:
    """The view that a build gives of the device which the user's variable named before."""
    mine = (other for other in kept if (other.library, other.build) == (device.library, device.build))
    raw = visibility.raw_position(device, host.environ)
    return next((other for other in mine if visibility.raw_position(other, host.environ) == raw), None)


def _same_view(device: Device, other: Device) -> bool:
    same_source = (device.library, device.build) == (other.library, other.build)
    return same_source and identity.same_card(device, other).same


def one_of_several(remaining: Sequence[Device], host: Host, request: Request) -> Iterator[Drop]:
    """A build says neither address nor UUID of what it lists. Where the system's library knows such cards in another number,
    it is one of them, nobody can say which, and it is no further card."""
    for device in remaining:
        nameless = identity.normal_pci(device.pci_id) is None and identity.normal_uuid(device.uuid) is None
        if device.build == SYSTEM or not nameless or "number" in dict(device.sources):
            continue
        name = identity.normal_name(device.name)
        own = [other for other in remaining if (other.library, other.build) == (device.library, SYSTEM)]
        alike = [other for other in own if name and identity.normal_name(other.name) == name]
        if alike:
            such = f"{len(alike)} such devices" if len(alike) > 1 else "such a device"
            because = f"the build {device.build} gives no address: {device.library} has {such}, and nothing says which this is"
            yield Drop(device, Reason.LISTED_TWICE, because, alike[0] if len(alike) == 1 else None)


def no_code(remaining: Sequence[Device], host: Host, request: Request) -> Iterator[Drop]:
    """A build lists every card, and makes a context on those too for which it holds no kernel."""
    for device in remaining:
        if device.build != SYSTEM:
            fit = build_choice.fit_of(device, host)
            if fit.answer == build_choice.UNSUPPORTED:
                source = f" ({fit.source})" if fit.source else ""
                yield Drop(device, Reason.NO_CODE, f"the build {device.build} cannot compute on it: {fit.because}{source}")


def failed_validation(remaining: Sequence[Device], host: Host, request: Request) -> Iterator[Drop]:
    for device in remaining:
        if device.validation and device.validation.verdict is Verdict.UNSUPPORTED:
            yield Drop(device, Reason.FAILED_VALIDATION, device.validation.because)


def not_decided(remaining: Sequence[Device], host: Host, request: Request) -> Iterator[Drop]:
    """A timeout, a lost child and a busy card prove nothing: the device is not called usable, nor unsupported."""
    for device in remaining:
        if device.validation and device.validation.verdict is Verdict.INCONCLUSIVE:
            yield Drop(device, Reason.NOT_DECIDED, device.validation.because)


def other_build(remaining: Sequence[Device], host: Host, request: Request) -> Iterator[Drop]:
    """Each device is kept exactly once, in the newest build that covers them all."""
    for library in dict.fromkeys(device.library for device in remaining):
        views = [device for device in remaining if device.library == library]
        for device, instead in build_choice.superseded(views):
            because = f"the build {instead.build} of {library} covers this card too and is preferred"
            yield Drop(device, Reason.OTHER_BUILD, because, instead)


def same_card(remaining: Sequence[Device], host: Host, request: Request) -> Iterator[Drop]:
    """Another library's view of a card that a more preferred library keeps."""
    by_name = {id(right): left for left, right in pair_by_name(remaining)}
    near = Nearby()
    for device in remaining:
        better = (other for other in near.of(device) if other.library != device.library)
        twin = next((other for other in better if identity.same_card(other, device).same), None)
        near.add(device)
        named = by_name.get(id(device))
        if twin is not None:
            evidence = identity.same_card(twin, device).evidence
        elif named is not None:
            twin, evidence = named, "equal names and memory, and no address to tell them apart"
        else:
            continue
        because = f"{twin.library} reports the same card ({evidence}) and is preferred"
        yield Drop(device, Reason.SAME_CARD, because, twin)


RULES: tuple[Rule, ...] = (
    hidden_by_variable,
    software_renderer,
    too_little_memory,
    listed_twice,
    one_of_several,
    no_code,
    failed_validation,
    not_decided,
    other_build,
    same_card,
)


def _numbered(remaining: Sequence[Device], drops: Sequence[Drop], host: Host) -> tuple[Device, ...]:
    """In the same order, with the numbers that `list` shows, and the tokens that choose each."""
    numbers = numbers_of(remaining, drops)
    listed = tuple(remaining)
    tokens = {id(device): visibility.filter_id(device, host.environ, host.platform, listed) for device in listed}
    return tuple(device._replace(ordinal=numbers[id(device)], filter_id=tokens[id(device)]) for device in remaining)


def _settled(drops: Sequence[Drop], kept: Mapping[int, Device]) -> Iterator[Drop]:
    """With what is kept in the end in the place of each: the view that won may itself have lost to another, or failed.

    `kept`: `id()` of a view → the same, as it is kept.
    """
    lost = {id(drop.device): drop for drop in drops}
    for drop in drops:
        instead = drop.instead
        while instead is not None and id(instead) in lost:
            instead = lost[id(instead)].instead
        yield drop._replace(instead=None if instead is None else kept[id(instead)])


def numbers_of(remaining: Sequence[Device], drops: Sequence[Drop]) -> dict[int, int]:
    """`id()` of a view → the number of its card in its library, in the fixed order: of the standing and of those whose
    validation decided.

    A card that fails keeps its number, so that `CUDA:1` means one card whatever was validated; so do all builds' views of it.
    """
    counted = [*remaining, *(drop.device for drop in drops if drop.reason in _NUMBERED)]
    numbers: dict[int, int] = {}
    for library in dict.fromkeys(device.library for device in counted):
        views = sorted((device for device in counted if device.library == library), key=order)
        for number, card in enumerate(build_choice.grouped(views)):
            numbers |= dict.fromkeys(map(id, card), number)
    return numbers
