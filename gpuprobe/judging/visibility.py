"""Which variables make exactly the chosen devices visible, and what the user's own variables hide.

Every library that listed a card gets its variable: tokens of the chosen devices, or the value that hides everything. A
library that got none would bring back through a side door the card that another one hides.
"""

from collections.abc import Iterable, Mapping, Sequence

from gpuprobe.judging.device_lists import ggml_list, ggml_positions, resolve, resolve_mask
from gpuprobe.judging.identity import normal_pci, same_card
from gpuprobe.libraries import LIBRARIES, Library, Selection, library_named
from gpuprobe.model import SYSTEM, Device, DeviceType
from gpuprobe.once import once
from gpuprobe.record_classes import NamedTuple
from gpuprobe.strings import printable

Variables = tuple[tuple[str, str | None], ...]

LIST_OF_MANIFESTS = "VK_DRIVER_FILES"


def visible_variables(
    chosen: Sequence[Device],
    listed: Sequence[Device],
    platform: str,
    environ: Mapping[str, str],
    unasked: Sequence[str] = (),
    *,
    instead: Mapping[str, Selection] = {},
) -> Variables:
    """(variable, value) pairs under which programs see exactly `chosen`, in the order of `chosen`; None means unset.

    `listed` is every device that any library listed here, kept or dropped; `environ` is the environment it was listed
    under. A device that no token can name is left out, and a library all of whose devices are left out is hidden: a
    child under the map shows it. Of several chosen slices a CUDA process sees the first (slices.py). Metal has no such
    variable. `unasked` names libraries that are here and were not asked: they are hidden. `instead`: for a program that reads
    another variable than the library of that name does.
    """
    known = _known(listed, chosen)
    variables: dict[str, str | None] = {}
    for library, selection in selecting(known, platform, unasked, instead):
        mine = [device for device in chosen if device.library == library.name]
        if selection.takes == "raw":
            variables.update(_raw_selection(selection, mine, known, platform, environ))
        else:
            drivers = _of_chosen_drivers(library, mine, platform)
            mine = [device for device in mine if device.manifest or not any(other.manifest for other in mine)]
            variables.update({**_listed_selection(library, selection, mine, known, environ), **drivers})
    for library, selection in selecting(known, platform, unasked, instead):
        count = len(_split(variables[selection.variable], selection))
        for variable, value in _behind(library, selection, count, {*variables, *environ}):
            variables.setdefault(variable, value)
    return tuple(variables.items())


def _known(listed: Sequence[Device], chosen: Sequence[Device]) -> tuple[Device, ...]:
    """All of them; the same object for each choice from what a machine lists."""
    if isinstance(listed, tuple) and all(id(device) in _identities(listed) for device in chosen):
        return listed
    return (*listed, *chosen)


@once
def _identities(listed: tuple[Device, ...]) -> frozenset[int]:
    return frozenset(map(id, listed))


def seen_besides(chosen: Sequence[Device], listed: Sequence[Device], platform: str, environ: Mapping[str, str]) -> list[Device]:
    """Devices of `listed` that a program would see under the map of `chosen` although they are not among them.

    Each driver of Level Zero counts its own devices, so one number may mean a device of every driver that is loaded.
    """
    besides: list[Device] = []
    for library, selection in selecting(chosen, platform):
        mine = [device for device in chosen if device.library == library.name]
        if selection.takes == "raw" or selection.keeps_order or library.drivers is None:
            continue
        tokens = {_token(library, selection, device, listed, environ) for device in mine}
        manifests = {device.manifest for device in mine}
        besides += [
            other
            for other in listed
            if (other.library, other.build) == (library.name, SYSTEM) and other.manifest in manifests
            if _token(library, selection, other, listed, environ) in tokens
            if not any(same_card(other, device).same for device in mine)
        ]
    return besides


def selecting(
    known: Iterable[Device],
    platform: str,
    unasked: Sequence[str] = (),
    instead: Mapping[str, Selection] = {},
) -> list[tuple[Library, Selection]]:
    """The libraries that listed something, each with the variable it obeys. A library that lists nothing but a software
    renderer is one of them: what it does not list today it may list once another driver is installed."""
    names = (_libraries(known) if isinstance(known, tuple) else {device.library for device in known}).union(unasked)
    return [
        (library, instead.get(library.name, library.selections[platform]))
        for library in LIBRARIES
        if library.name in names and not library.witness and platform in library.selections
    ]


@once
def _libraries(known: tuple[Device, ...]) -> set[str]:
    return {device.library for device in known}


def _of_chosen_drivers(library: Library, mine: Sequence[Device], platform: str) -> dict[str, str | None]:
    """The variable that loads only the drivers that were asked alone, because all together fail: a device that no driver
    alone gives cannot be had beside these."""
    manifests = dict.fromkeys(device.manifest for device in mine if device.manifest)
    if not manifests or library.drivers is None:
        return {}
    return {library.drivers.variable: library.drivers.separators[platform].join(manifests)}


def _listed_selection(
    library: Library, selection: Selection, mine: Sequence[Device], known: Sequence[Device], environ: Mapping[str, str]
) -> dict[str, str | None]:
    tokens = [_token(library, selection, device, known, environ) for device in mine]
    named = list(dict.fromkeys(token for token in tokens if token is not None))
    numbered = bool(named) if selection.takes == "number" else any(token.isdigit() for token in named)
    kept = {name: environ[name] for name in selection.numbered_under if numbered and name in environ}
    return {selection.variable: ",".join(named) or selection.hide_all, **kept}


def _token(
    library: Library, selection: Selection, device: Device, known: Sequence[Device], environ: Mapping[str, str]
) -> str | None:
    if selection.takes == "uuid" and device.uuid and not _is_repeated(device, known):
        return device.uuid
    inner = resolve(_inner_list(library, selection, environ), device.number)
    if inner is None or not inner.isdigit():
        return None
    value = environ.get(selection.variable)
    if not value and not selection.empty_hides:
        return inner
    return resolve(value, int(inner)) if selection.keeps_order else resolve_mask(value, int(inner))


def _is_repeated(device: Device, known: Sequence[Device]) -> bool:
    """The partitions of an MI300 share one UUID, that of their card, which then names none of them."""
    of_its_card = device.partition is not None and device.partition.parent == device.uuid
    copies = _copies(tuple(known)).get((device.library, device.build, device.uuid), set())
    return of_its_card or bool(copies - {device.copy})


@once
def _copies(known: tuple[Device, ...]) -> dict[tuple[str, str, str | None], set[int]]:
    found: dict[tuple[str, str, str | None], set[int]] = {}
    for device in known:
        found.setdefault((device.library, device.build, device.uuid), set()).add(device.copy)
    return found


def _inner_list(library: Library, selection: Selection, environ: Mapping[str, str]) -> str | None:
    """The user's list that filters behind the library's own variable: HIP's lists count within ROCr's.

    Of `HIP_VISIBLE_DEVICES` and `CUDA_VISIBLE_DEVICES` HIP obeys the first that is set to anything (seen with HIP 5.2.3).
    """
    inner = [name for name in _lists_behind(library) if name != selection.variable]
    if selection.variable in library.stacked and environ.get(selection.variable):
        return None
    return next((environ[name] for name in inner if environ.get(name)), None)


def _lists_behind(library: Library) -> list[str]:
    return [name for name in library.filters if name in library.stacked or name in _foreign(library)]


def _foreign(library: Library) -> set[str]:
    """Variables of other libraries that this one obeys too: HIP reads `CUDA_VISIBLE_DEVICES`."""
    others = [other for other in LIBRARIES if other is not library]
    return {selection.variable for other in others for selection in other.selections.values()}.intersection(library.filters)


def _behind(library: Library, selection: Selection, count: int, present: set[str]) -> Variables:
    """What has to be said about the variables that would filter once more behind the library's own.

    They are unset. Where another library's variable is present and would be read as a list too, the first of them is
    set instead, to everything that is left: HIP does not look at `CUDA_VISIBLE_DEVICES` then (on Windows, HIP's own
    variable already has that effect).
    """
    stacked = [name for name in library.stacked if name != selection.variable]
    if len(stacked) == len(library.stacked) and stacked and present.intersection(_foreign(library)):
        everything = ",".join(str(number) for number in range(count)) or selection.hide_all
        return ((stacked[0], everything), *((name, None) for name in stacked[1:]))
    return tuple((name, None) for name in stacked)


def _split(value: str | None, selection: Selection) -> list[str]:
    return [] if value is None or value == selection.hide_all else value.split(",")


def _raw_selection(
    selection: Selection, mine: Sequence[Device], known: Sequence[Device], platform: str, environ: Mapping[str, str]
) -> dict[str, str | None]:
    """Raw numbers, and `VK_DRIVER_FILES` where devices were only found by asking one driver manifest alone.

    Such a device exists because all manifests together fail, so a program that chooses from all of them fails too: as
    soon as one chosen device has a manifest, only manifests select, and a chosen device of the common list is taken by
    its twin from a manifest (without a twin it cannot be had together with the others, and is left out). With one
    manifest the raw numbers are those it was listed with. With several they count through all of them in the order of
    the loader.
    """
    manifests = list(dict.fromkeys(device.manifest for device in mine if device.manifest is not None))
    if not manifests:
        kept = {name: environ[name] for name in selection.numbered_under if mine and name in environ}
        return {selection.variable: _joined(map(raw_number, mine), selection), **kept}
    alone = [twin for device in mine if (twin := _twin_with_manifest(device, known)) is not None]
    manifests = list(dict.fromkeys(device.manifest or "" for device in alone))
    if len(manifests) == 1:
        numbers = [device.number for device in alone]
    else:
        pool = _in_loader_order(known, manifests, platform)
        numbers = [pool.index(_place(device)) for device in alone]
    separator = ";" if platform == "win32" else ":"
    return {selection.variable: _joined(numbers, selection), LIST_OF_MANIFESTS: separator.join(manifests)}


def _joined(numbers: Iterable[int | None], selection: Selection) -> str:
    known = (number for number in dict.fromkeys(numbers) if number is not None)
    return ",".join(map(str, known)) or selection.hide_all


def raw_number(device: Device) -> int | None:
    """The number in the raw list. None: a build numbers it, which leaves out some, and no system's view says which it is."""
    return device.number if device.build == SYSTEM or "number" in dict(device.sources) else None


def _twin_with_manifest(device: Device, known: Sequence[Device]) -> Device | None:
    if device.manifest is not None:
        return device
    views = (other for other in known if other.library == device.library and other.manifest is not None)
    return next((other for other in views if same_card(device, other).same), None)


# Khronos, LoaderDriverInterface, "Physical Device Sorting": on Linux by type, then by PCI address.
_SORTED_TYPES = (DeviceType.DISCRETE, DeviceType.INTEGRATED, DeviceType.VIRTUAL)


def _in_loader_order(known: Sequence[Device], manifests: Sequence[str], platform: str) -> list[tuple[str, int]]:
    """(manifest, number) of every device that these manifests give together, in the loader's order.

    On Linux the loader sorts what all drivers give; elsewhere drivers follow one another. Devices that it cannot tell
    apart stay in the order of the manifests.
    """
    views = sorted(
        (device for device in known if device.manifest in manifests),
        key=lambda device: (manifests.index(device.manifest or ""), device.number),
    )
    if platform == "linux":
        views.sort(key=_loader_rank)
    return list(dict.fromkeys(_place(device) for device in views))


def _loader_rank(device: Device) -> tuple[int, str]:
    rank = _SORTED_TYPES.index(device.type) if device.type in _SORTED_TYPES else len(_SORTED_TYPES)
    return rank, normal_pci(device.pci_id) or "~"


def _place(device: Device) -> tuple[str, int]:
    return device.manifest or "", device.number


def filter_id(device: Device, environ: Mapping[str, str], platform: str, listed: Sequence[Device] = ()) -> str | None:
    """The number or UUID that the variable of the device's library takes for it; None: there is no such variable, or no
    such token. With `listed`, a UUID that several devices share is not taken for one."""
    library = library_named(device.library)
    selection = library.selections.get(platform)
    if selection is None:
        return None
    if selection.takes == "raw":
        number = raw_number(device)
        return None if number is None else str(number)
    return _token(library, selection, device, _known(listed, [device]), environ)


def hidden(device: Device, environ: Mapping[str, str], listed: Sequence[Device] = ()) -> str | None:
    """The clause that says which variable of the user hides this device from programs, though its library lists it.

    That is so where the library itself does not read the variable: the Vulkan loader lists what ggml then leaves out.
    `listed`, if given, are all devices, and tell whether the user's list reaches beyond them. None: it is not hidden.
    """
    selections = library_named(device.library).selections.values()
    selection = next((selection for selection in selections if selection.takes == "raw"), None)
    if selection is None or (value := environ.get(selection.variable)) is None:
        return None
    positions = ggml_positions(value, _length_of_list(device, listed))
    setting = f"`{selection.variable}={printable(value)}`"
    if not positions:
        return f"{setting} hides every device from {device.library}"
    # The user's numbers count in the common list, which a device of one manifest alone is not in; a build obeys them itself.
    if device.manifest is not None or device.build != SYSTEM or device.number in positions:
        return None
    return f"{setting} hides it: it is number {device.number} in the unfiltered list"


def repeated(device: Device, environ: Mapping[str, str]) -> str | None:
    """The clause that says which variable of the user made a build list this device once more; None: none did.

    A build lists a device as often as its variable names it, and its number is then its place among the names.
    """
    named = _named_positions(device, environ)
    if named is None or "number" in dict(device.sources) or device.number >= len(named.positions):
        return None
    again = named.positions[device.number] in named.positions[: device.number]
    return f"`{named.setting}` names it twice" if again else None


def raw_position(device: Device, environ: Mapping[str, str]) -> int | None:
    """The raw number of a device that a build numbers; None: nobody says which it is."""
    if "number" in dict(device.sources):
        return device.number
    named = _named_positions(device, environ)
    return None if named is None or device.number >= len(named.positions) else named.positions[device.number]


class _Named(NamedTuple):
    setting: str
    positions: tuple[int, ...]


def _named_positions(device: Device, environ: Mapping[str, str]) -> _Named | None:
    """What the user's variable names for the builds of this device's library; None: it is no build's, or nothing is set."""
    selections = library_named(device.library).selections.values()
    selection = next((selection for selection in selections if selection.takes == "raw"), None)
    if selection is None or device.build == SYSTEM or (value := environ.get(selection.variable)) is None:
        return None
    return _Named(f"{selection.variable}={printable(value)}", ggml_list(value))


def _length_of_list(device: Device, listed: Sequence[Device]) -> int | None:
    common_list = (device.library, device.build, None)
    numbers = {other.number for other in listed if (other.library, other.build, other.manifest) == common_list}
    return max(numbers) + 1 if numbers else None
