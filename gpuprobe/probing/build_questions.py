"""Which builds of Ollama and llama.cpp are asked, which are not, and why. Pure.

A build makes contexts on the cards while it lists, so one is asked at a time, and none where it could list nothing: it goes
through the same driver as the system's own library, which costs less to ask and is asked first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from gpuprobe import machine
from gpuprobe import patterns as re
from gpuprobe.facts import FoundBuild, Host
from gpuprobe.judging.belonging import installed
from gpuprobe.judging.build_choice import chosen_by_name, is_for_ollama, is_named
from gpuprobe.libraries import LIBRARIES, Library, library_named
from gpuprobe.model import SYSTEM, Device, DeviceType, Evidence, Outcome, Probe, Purpose, Request, Status
from gpuprobe.probing.needs import sleeping, switched_off, vendor_cards

Answer = tuple[Status, str]


def listing_of(build: FoundBuild) -> Probe:
    return Probe(build.library, Purpose.LIST, build=build.name)


def not_asked(host: Host, request: Request) -> Iterator[Outcome]:
    """Outcomes of the builds of which it is known beforehand that no child is started for them."""
    for build in _of_wanted_libraries(host, request):
        answer = _without_asking(build, host, request)
        if answer is not None:
            yield _outcome(build, *answer)


def needless(evidence: Evidence, request: Request) -> Iterator[Outcome]:
    """Outcomes of the builds that need not be asked after what the system's own libraries said."""
    for build, worth in _open(evidence, request):
        if worth is False:
            own = _system_listing(build, evidence)
            because = f"the system's own {build.library} lists no card ({_how(own)}), and a build goes through the same driver"
            yield _outcome(build, Status.SKIPPED, because)


def _how(own: Outcome | None) -> str:
    if own is None:
        return "it was not asked"
    return "software renderers only" if own.devices else own.status.value.replace("_", " ")


def next_listing(evidence: Evidence, request: Request, running: Collection[Probe]) -> Probe | None:
    """The build to ask now; None: another one is being asked, or none is left."""
    if any(probe.build != SYSTEM and probe.purpose is Purpose.LIST for probe in running):
        return None
    return next((listing_of(build) for build, worth in _open(evidence, request) if worth), None)


def open_listings(evidence: Evidence, request: Request) -> list[Probe]:
    """The builds that will or may still be asked."""
    return [listing_of(build) for build, worth in _open(evidence, request) if worth is not False]


def _open(evidence: Evidence, request: Request) -> Iterator[tuple[FoundBuild, bool | None]]:
    """Builds without an outcome, and whether each is worth asking; None: that depends on what is being asked."""
    answered = {outcome.probe for outcome in evidence.outcomes}
    for build in _of_wanted_libraries(evidence.host, request):
        if listing_of(build) not in answered:
            yield build, _is_worth_asking(build, evidence, request)


def _of_wanted_libraries(host: Host, request: Request) -> list[FoundBuild]:
    """In the order of their libraries' ranks, and as they were found."""
    names = [library.name for library in LIBRARIES if host.platform in library.sonames]
    if request.libraries:
        names = [name for name in names if name in request.libraries]
    return [build for name in names for build in host.builds if build.library == name]


def _without_asking(build: FoundBuild, host: Host, request: Request) -> Answer | None:
    """Status and sentence for a build that no child is started for; None: it is to be asked, as far as is known now."""
    library = library_named(build.library)
    asleep = sleeping(library, host)
    if build.problem is not None:
        return (Status.REFUSED if build.refused else Status.SKIPPED), build.problem
    if request.builds and build.name not in request.builds:
        return Status.SKIPPED, "`--build` names another one"
    if asleep and not request.wake:
        return Status.SKIPPED, f"asking would wake {', '.join(asleep)}, which `--no-wake` forbids"
    if not installed(library, host) and not vendor_cards(library, host):
        return Status.SKIPPED, "no card here needs it"
    because = None if request.builds else _left_to_others(build, library, host, request)
    return None if because is None else (Status.SKIPPED, because)


def _left_to_others(build: FoundBuild, library: Library, host: Host, request: Request) -> str | None:
    """Why Ollama would not use this build here. A build that is asked for by its name is used all the same."""
    chosen = chosen_by_name(host)
    if chosen is not None and is_for_ollama(build):
        return None if is_named(build, chosen) else f"`OLLAMA_LLM_LIBRARY={chosen}` chooses another one"
    if switched_off(library, host, build):
        return f"`{library.switch}` switches it off"
    return None if library.name in request.libraries and _jetpack_of(build) is None else _of_another_jetpack(build, host)


def _of_another_jetpack(build: FoundBuild, host: Host) -> str | None:
    """A JetPack's build and JetPack itself belong together: on a server such a build lists cards that it has no code for, and
    on a Jetson the common one lists the card and crashes in cuBLAS. One for another library is asked where that is named."""
    stack = machine.jetpack(host)
    here = None if stack is None else stack.version
    number = _jetpack_of(build)
    if number is not None:
        is_here = f"this is JetPack {here}" if here is not None else "this machine does not say which one it has"
        return None if number == here else f"it is for a Jetson with JetPack {number}, and {is_here}"
    fitting = (other for other in host.builds if here is not None and _jetpack_of(other) == here and other.problem is None)
    own = next(fitting, None)
    return f"JetPack {here} has a build of its own, `{own.name}`" if own is not None and is_for_ollama(build) else None


def _jetpack_of(build: FoundBuild) -> int | None:
    found = re.search(r"jetpack([0-9]{1,3})$", build.folder)
    return int(found[1]) if found else None


def _is_worth_asking(build: FoundBuild, evidence: Evidence, request: Request) -> bool | None:
    if request.builds or _is_asked_for(build, evidence.host):
        return True
    own = _system_listing(build, evidence)
    if own is None:
        return None
    if any(_counts(device, request) for device in own.devices):
        return True
    library = library_named(build.library)
    may_gain = (own.status.not_there or own.status is Status.SKIPPED) or library.builds_bring_it
    return may_gain and bool(vendor_cards(library, evidence.host))


def _is_asked_for(build: FoundBuild, host: Host) -> bool:
    chosen = chosen_by_name(host)
    return chosen is not None and is_for_ollama(build) and is_named(build, chosen)


def _counts(device: Device, request: Request) -> bool:
    return request.allow_software or device.type is not DeviceType.SOFTWARE


def _system_listing(build: FoundBuild, evidence: Evidence) -> Outcome | None:
    return evidence.outcome_of(Probe(build.library, Purpose.LIST))


def _outcome(build: FoundBuild, status: Status, message: str) -> Outcome:
    return Outcome(listing_of(build), status=status, message=message, library_path=build.path)
