"""Which devices a DEVICE argument means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations

from gpuprobe.judging.identity import Match, normal_pci, same_card
from gpuprobe.libraries import Library, spelled
from gpuprobe.model import Device
from gpuprobe.strings import printable

SHORTEST_BEGINNING = 6


class SelectionError(ValueError):
    """What was given means no device, or several; the message is one line for the user."""


def select(text: str, devices: Sequence[Device]) -> tuple[Device, ...]:
    """The devices that `text` means, in the order of `devices`: all of a library for its name, else one card's views.

    Accepted: the id or an unambiguous beginning of it, a PCI address in any spelling, `CUDA:0` with the number in its
    library as gpuprobe lists it, a bare number where one library is in play, a library's name. SelectionError for
    whatever fits nothing or several.
    """
    wanted = text.strip()
    library = _library_meant(wanted)
    if library is not None:
        return _found(wanted, [device for device in devices if device.library == library.name], devices)
    if _is_bare_number(wanted):
        return _by_bare_number(wanted, devices)
    fitting = _named_exactly(wanted, devices) or _beginning(wanted, devices)
    return _one_card(wanted, _found(wanted, fitting, devices), devices)


def names_a_view(text: str) -> bool:
    """Whether `text` is a library or a number in one (`vulkan`, `CUDA:0`), and not a card whoever shows it."""
    wanted = text.strip()
    name, colon, number = wanted.rpartition(":")
    numbered = bool(colon) and _is_bare_number(number) and _library_meant(name) is not None
    return numbered or _library_meant(wanted) is not None


def _named_exactly(wanted: str, devices: Sequence[Device]) -> list[Device]:
    """By id, by number in a library or by PCI address; a text that is one thing and another finds both."""
    address = normal_pci(wanted)
    return [
        device
        for device in devices
        if device.id.lower() == wanted.lower()
        or _is_numbered(device, wanted)
        or (address is not None and normal_pci(device.pci_id) == address)
    ]


def _library_meant(text: str) -> Library | None:
    return spelled(text) if re.fullmatch(r"[A-Za-z][A-Za-z _-]*", text) else None


def _is_numbered(device: Device, wanted: str) -> bool:
    name, colon, number = wanted.rpartition(":")
    library = _library_meant(name) if colon and _is_bare_number(number) else None
    return library is not None and library.name == device.library and device.ordinal == int(number)


def _beginning(wanted: str, devices: Sequence[Device]) -> list[Device]:
    if len(wanted) < SHORTEST_BEGINNING:
        return []
    return [device for device in devices if device.id.lower().startswith(wanted.lower())]


def _is_bare_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", text) is not None  # six digits may begin a UUID


def _by_bare_number(wanted: str, devices: Sequence[Device]) -> tuple[Device, ...]:
    libraries = list(dict.fromkeys(device.library for device in devices))
    if len(libraries) > 1:
        examples = " or ".join(f"`{name}:{int(wanted)}`" for name in libraries)
        raise SelectionError(f"`{wanted}` could be a number in {' or '.join(libraries)}: say {examples}")
    return _found(wanted, [device for device in devices if device.ordinal == int(wanted)], devices)


def _found(wanted: str, fitting: Sequence[Device], devices: Sequence[Device]) -> tuple[Device, ...]:
    if not fitting:
        raise SelectionError(_nothing_fits(wanted, devices))
    return tuple(fitting)


def _nothing_fits(wanted: str, devices: Sequence[Device]) -> str:
    meant = _meant(wanted, devices)
    there_is = f"there is {_labels(devices)}" if devices else "there is no device at all"
    said = f"no device `{printable(wanted)}`: "
    return f"{said}did you mean {meant}? There is {_labels(devices)}" if meant else f"{said}{there_is}"


def _meant(wanted: str, devices: Sequence[Device]) -> str | None:
    """`CUDA0`, `gpu0` and `RTX4090` are what other tools and people call `CUDA:0`."""
    folded = _folded(wanted)
    labels = [label for device in devices if (label := _label(device)) is not None]
    exact = [label for label in labels if _folded(label) == folded]
    number = _ANY_GPU.fullmatch(folded)
    numbered = [label for label in labels if number and label.endswith(f":{int(number[1])}")]
    named = [
        label for device in devices if len(folded) > 3 and folded in _folded(device.name or "") and (label := _label(device))
    ]
    fitting = exact or numbered or named
    first = [label for label in dict.fromkeys(fitting) if label.partition(":")[0] == fitting[0].partition(":")[0]]
    return f"`{first[0]}`" if len(first) == 1 else None


_ANY_GPU = re.compile(r"(?:gpu|card|device|dev|igpu)([0-9]{1,3})")


def _folded(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _label(device: Device) -> str | None:
    return None if device.ordinal is None else f"{device.library}:{device.ordinal}"


def _labels(devices: Sequence[Device]) -> str:
    """ "CUDA:0 … CUDA:7, Vulkan:0": ids are told by `gpuprobe list`."""
    said = []
    for library in dict.fromkeys(device.library for device in devices):
        numbers = sorted({device.ordinal for device in devices if device.library == library and device.ordinal is not None})
        whole = len(numbers) > _FEW and numbers == list(range(numbers[0], numbers[-1] + 1))
        said += (
            [f"{library}:{numbers[0]} … {library}:{numbers[-1]}"] if whole else [f"{library}:{number}" for number in numbers]
        )
    return ", ".join(said)


_FEW = 3


def _one_card(wanted: str, fitting: tuple[Device, ...], devices: Sequence[Device]) -> tuple[Device, ...]:
    """Several views of one card are one device; several cards, or slices of one, are too many."""
    if any(same_card(one, other).answer is not Match.SAME for one, other in combinations(fitting, 2)):
        raise SelectionError(
            f"`{printable(wanted)}` fits {len(fitting)} devices, {_choice(fitting)}: give more of the id, such as"
            f" `{printable(fitting[0].id)}`"
        )
    return fitting


def _choice(devices: Sequence[Device]) -> str:
    """Each device by its number, its id and its address, on one line."""
    return ", ".join(_described(device) for device in devices) or "no device at all"


def _described(device: Device) -> str:
    numbered = f"{device.library}:{device.ordinal}" if device.ordinal is not None else device.library
    known = [name for name in (device.id, device.pci_id) if name is not None and name != numbered]
    return printable(f"{numbered} ({', '.join(dict.fromkeys(known))})" if known else numbered)
