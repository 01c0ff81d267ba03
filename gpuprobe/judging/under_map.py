"""What a process under an environment map should see of the devices, and how that differs from what one saw.

Also which variables a map may set at all: what has to be unset to be rid of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gpuprobe.judging.device_lists import ggml_positions
from gpuprobe.judging.identity import normal_pci, normal_uuid, same_card
from gpuprobe.judging.slices import seen_at_once
from gpuprobe.judging.verdicts import describe
from gpuprobe.judging.visibility import Variables, selecting
from gpuprobe.libraries import Library, Selection, library_named
from gpuprobe.model import SYSTEM, Device, Outcome, Probe, Purpose, Status
from gpuprobe.record_classes import NamedTuple


class Check(NamedTuple):
    """`answer` None: it cannot be told. `because`: a sentence for each difference or doubt, empty where there is none."""

    library: str
    expected: tuple[Device, ...]
    seen: tuple[Device, ...]
    answer: bool | None
    because: tuple[str, ...]
    build: str = SYSTEM


def settable(libraries: Iterable[Library], platform: str) -> tuple[str, ...]:
    """Every variable that a map for these libraries may set or unset on this platform, each once."""
    names: list[str] = []
    for library in libraries:
        if platform in library.selections:
            names += [library.selections[platform].variable, *library.stacked]
            names += [library.drivers.variable] if library.drivers else []
    return tuple(dict.fromkeys(names))


def changed(variables: Variables, environ: Mapping[str, str]) -> Variables:
    """What of a map differs from the environment that it was made in: a process that inherits this needs no more."""
    return tuple((name, value) for name, value in variables if environ.get(name) != value)


def probes(
    variables: Variables,
    listed: Sequence[Device],
    platform: str,
    environ: Mapping[str, str],
    instead: Mapping[str, Selection] = {},
) -> tuple[Probe, ...]:
    """One listing for each library that the map speaks of, and for each build of it that lists cards, in a child under it."""
    difference = changed(variables, environ)
    names = {name for name, _ in variables}
    spoken_of = [library.name for library, selection in selecting(listed, platform, (), instead) if selection.variable in names]
    builds = dict.fromkeys((device.library, device.build) for device in listed if device.build != SYSTEM)
    return (
        *(Probe(library, Purpose.LIST, variables=difference) for library in spoken_of),
        *(Probe(library, Purpose.LIST, build, variables=difference) for library, build in builds if library in spoken_of),
    )


def checks(
    chosen: Sequence[Device],
    listed: Sequence[Device],
    variables: Variables,
    outcomes: Iterable[Outcome],
    platform: str,
) -> tuple[Check, ...]:
    """What each library and build that was asked under the map should have shown, and did; `listed` are all views."""
    return tuple(_checked(_of(chosen, listed, outcome.probe), dict(variables), outcome, platform) for outcome in outcomes)


def _of(chosen: Sequence[Device], listed: Sequence[Device], probe: Probe) -> list[Device]:
    """The chosen views that this library has, or this build: a build may show fewer cards than its library."""
    mine = [device for device in chosen if device.library == probe.library]
    views = [device for device in listed if (device.library, device.build) == (probe.library, probe.build)]
    if probe.build == SYSTEM:
        return mine
    return [device for device in mine if any(same_card(device, view).same for view in views)]


def _checked(mine: Sequence[Device], variables: Mapping[str, str | None], outcome: Outcome, platform: str) -> Check:
    library = library_named(outcome.probe.library)
    selection = library.selections[platform]
    expected, seen = seen_at_once(mine), _shown(selection, variables, outcome)
    name = library.name if outcome.probe.build == SYSTEM else f"{library.name} ({outcome.probe.build})"
    status = outcome.status
    # After anything but an answer, a refusal or an absence nobody knows which devices it shows.
    if not (status.answered or status.failed or status is Status.ABSENT):
        doubt = f"{name} cannot be told: {describe(outcome)}"
        return Check(library.name, expected, seen, None, (doubt,), outcome.probe.build)
    answer, because = _difference(name, selection, expected, seen)
    if expected and not seen and outcome.status is not Status.OK:
        because = (*because, f"{name}: {describe(outcome)}")
    return Check(library.name, expected, seen, answer, because, outcome.probe.build)


def _shown(selection: Selection, variables: Mapping[str, str | None], outcome: Outcome) -> tuple[Device, ...]:
    """What a program sees of what the library listed: the Vulkan loader does not read ggml's variable, ggml does."""
    if selection.takes != "raw" or outcome.probe.build != SYSTEM:
        return outcome.devices
    raw = {device.number: device for device in outcome.devices}
    positions = ggml_positions(variables.get(selection.variable) or "", len(raw))
    return tuple(raw[position] for position in positions if position in raw)


def _difference(
    library: str, selection: Selection, expected: Sequence[Device], seen: Sequence[Device]
) -> tuple[bool | None, tuple[str, ...]]:
    if len(expected) == len(seen) and any(_same(one, other) is None for one, other in zip(expected, seen, strict=True)):
        return None, (f"{library} shows {len(seen)} as it should, but no UUID or PCI address says which",)
    missing = [one for one in expected if not any(_same(one, other) for other in seen)]
    extra = [other for other in seen if not any(_same(one, other) for one in expected)]
    because = [f"{library} does not show {_named(device)}" for device in missing]
    because += [f"{library} also shows {_named(device)}" for device in extra]
    if not because and selection.keeps_order and not _in_one_order(expected, seen):
        because.append(f"{library} shows them in another order: {', '.join(map(_named, seen))}")
    return not because, tuple(because)


def _same(chosen: Device, seen: Device) -> bool | None:
    """Whether it is this device that a child saw; its number says nothing, because a shorter list is numbered anew.

    None: nothing to tell it by. A copy has the UUID of another device, and slices of one card its address.
    """
    if chosen.copy or seen.copy:
        return None
    one, other = normal_uuid(chosen.uuid), normal_uuid(seen.uuid)
    if one is not None and other is not None:
        return one == other
    if chosen.uuid is not None and seen.uuid is not None:
        return chosen.uuid == seen.uuid
    here, there = normal_pci(chosen.pci_id), normal_pci(seen.pci_id)
    return None if here is None or there is None else here == there


def _in_one_order(expected: Sequence[Device], seen: Sequence[Device]) -> bool:
    return len(expected) == len(seen) and all(_same(one, other) for one, other in zip(expected, seen, strict=True))


def _named(device: Device) -> str:
    name = f"{device.library}:{device.ordinal}" if device.ordinal is not None else device.name or "a device"
    return f"{name} ({device.uuid or device.pci_id or f'number {device.number}'})"
