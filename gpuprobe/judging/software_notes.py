"""What a person should know of installed software beside these cards: one sentence for each reason, with all that shares it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from posixpath import basename

from gpuprobe import machine
from gpuprobe.facts import FoundSoftware, Host, Need
from gpuprobe.judging import compatibility, file_fit, mixed_releases
from gpuprobe.judging.architecture import UNSUPPORTED
from gpuprobe.judging.build_fit import BUILD
from gpuprobe.judging.compatibility import Compatibility
from gpuprobe.judging.identity import same_card
from gpuprobe.judging.where_to_get import row_for
from gpuprobe.libraries import LIBRARIES, library_named
from gpuprobe.model import Device, Inventory, Reason
from gpuprobe.strings import compute_string, printable

_DID_NOT_WORK = (Reason.NO_CODE, Reason.FAILED_VALIDATION, Reason.NOT_DECIDED)

Judged = Sequence[tuple[Device, Sequence[Compatibility]]]


def of_software(inventory: Inventory) -> Iterator[str]:
    """In a fixed order: what does not run, what runs in part, what lacks a library or meets one of another CUDA, what is
    damaged, what is for others."""
    host = inventory.evidence.host
    software = host.software
    if not software:
        return
    judged = [(device, compatibility.of_device(device, inventory.evidence) or ()) for device in _devices(inventory)]
    yield from _unfit(judged)
    yield from _parts_without_code(judged)
    yield from _lacking_libraries(judged)
    yield from mixed_releases.of_environments(_that_run(judged))
    yield from _damaged(software)
    yield from _for_other_cards(software, host)


def _devices(inventory: Inventory) -> Iterator[Device]:
    """The usable ones, and those that did not work in the library that is preferred for their card: software may be why."""
    yield from inventory.kept
    seen: list[Device] = list(inventory.kept)
    for drop in inventory.drops:
        again = any(each.library == drop.device.library and same_card(each, drop.device).same for each in seen)
        if drop.reason in _DID_NOT_WORK and not again:
            seen.append(drop.device)
            yield drop.device


def _numbered(device: Device) -> str:
    return f"{device.library}:{device.number if device.ordinal is None else device.ordinal}"


def _unfit(judged: Judged) -> Iterator[str]:
    """A toolkit has several libraries, and cards come in pairs: all that shares a reason is one sentence."""
    found: dict[str, tuple[list[FoundSoftware], list[str]]] = {}
    for device, answers in judged:
        for each in answers:
            if each.fit.answer is UNSUPPORTED and each.software.where != BUILD:
                software, devices = found.setdefault(each.fit.because, ([], []))
                software.append(each.software)
                devices.append(_numbered(device))
    for because, (software, devices) in found.items():
        yield f"{named(software)} cannot use {', '.join(dict.fromkeys(devices))}: {because}"


def _parts_without_code(judged: Judged) -> Iterator[str]:
    """The whole runs, and the first use of the part fails with `no kernel image is available`."""
    for device, answers in judged:
        for each in answers:
            if each.fit.answer is UNSUPPORTED or each.software.where == BUILD:
                continue
            files = [basename(file.path) for file in file_fit.without_code(device, each.software) if not file.main]
            if files and not each.software.compiles:
                which = ", ".join(f"`{name}`" for name in files)
                runs = f"{named([each.software])} runs on {_numbered(device)} in part"
                yield f"{runs}: {which} in it has no code for {compute_string(device)}, and what needs that fails"


def _that_run(judged: Judged) -> Iterator[FoundSoftware]:
    """Each once, though several cards of a machine are judged."""
    found = (each for _, answers in judged for each in answers if each.fit.answer is not UNSUPPORTED)
    return iter({(each.software.name, each.software.path): each.software for each in found}.values())


def _lacking_libraries(judged: Judged) -> Iterator[str]:
    """One sentence for each environment. What only hands over to another program (TensorRT) need not be there."""
    told: dict[str, dict[str, None]] = {}
    for _, answers in judged:
        for each in answers:
            missing = [need for need in each.software.needs if need.path is None]
            computes = (
                each.fit.answer is not UNSUPPORTED and each.software.through is None and each.software.library is not None
            )
            if missing and computes:
                clause = f"{_titled(each.software)} needs {_missing(missing)}"
                told.setdefault(each.software.site or each.software.path, {})[clause] = None
    for place, clauses in told.items():
        yield f"in `{place}` {', '.join(clauses)}: not found there or by the loader"


def _missing(needs: Sequence[Need]) -> str:
    """`libcublas.so.13 (12 is there)`."""
    return " and ".join(f"{need.name}{f' ({_and(need.others)} is there)' if need.others else ''}" for need in needs)


def _and(names: Sequence[str]) -> str:
    return ", ".join(names)


def _titled(found: FoundSoftware) -> str:
    return f"{found.name} {found.version}" if found.version else found.name


def _damaged(software: Iterable[FoundSoftware]) -> Iterator[str]:
    for each in software:
        if each.damage is not None:
            yield f"{named([each])}: {printable(each.damage)}"


def _for_other_cards(software: Iterable[FoundSoftware], host: Host) -> Iterator[str]:
    """A framework that computes through libraries of vendors whose cards are not here."""
    here = {card.vendor_id for card in machine.cards(host)}
    families: dict[tuple[str, str | None], list[FoundSoftware]] = {}
    for each in software:
        if each.site is not None and each.where != BUILD and not each.is_runtime:
            families.setdefault((each.name, each.site), []).append(each)
    for (name, _), members in families.items():
        libraries = [library_named(each.library) for each in members if each.library is not None]
        serves = any(not library.vendors or here.intersection(library.vendor_ids) for library in libraries)
        hands_over = all(each.through is not None for each in members)
        if libraries and len(libraries) == len(members) and not serves and not hands_over:
            asked = " and ".join(dict.fromkeys(library.name for library in libraries))
            whose = " or ".join(dict.fromkeys(vendor.name for library in libraries for vendor in library.vendors))
            lacks = f"{named(members[:1])} computes through {asked}, and this machine shows no card of {whose}"
            yield f"{lacks}: here it computes on the CPU or not at all{_instead(name, here, host)}"


def _instead(name: str, here: set[int | None], host: Host) -> str:
    for library in LIBRARIES:
        row = row_for(name, library.name, host.machine) if here.intersection(library.vendor_ids) else None
        if row is not None:
            return f"; `pip install {row.install}` installs one for {library.name}"
    return ""


def named(software: Iterable[FoundSoftware]) -> str:
    """Folder by folder: `libcublas, libcudart 13.0.96 of `/usr/local/cuda/lib64`, torch 2.9 of `/venv/…/torch``."""
    folders: dict[str, dict[str, None]] = {}
    for each in software:
        folder, _, file = each.path.rpartition("/")
        release = f" (ROCm {each.release})" if each.name == "rocBLAS" and each.release else ""
        name = _titled(each) + release
        folders.setdefault(folder if ".so" in file else each.path, {})[name] = None
    return ", ".join(f"{', '.join(names)} of `{folder}`" for folder, names in folders.items())
