"""Installed frameworks that do not run on the cards that work: built for the CPU, for another vendor, without code for them."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import basename

from gpuprobe import machine
from gpuprobe.doctor.findings import Certainty, Finding, Observed, Rung, Severity, Step
from gpuprobe.doctor.naming import cause
from gpuprobe.facts import FoundSoftware, Host
from gpuprobe.judging import compatibility, where_to_get
from gpuprobe.judging.architecture import UNSUPPORTED
from gpuprobe.judging.build_fit import BUILD
from gpuprobe.judging.compatibility import Compatibility
from gpuprobe.judging.software_notes import named
from gpuprobe.libraries import library_named
from gpuprobe.model import Device, Inventory, Reason, Status
from gpuprobe.strings import compute_string

# Whose code is asked for by name most; other frameworks share an id.
_TORCH = "torch"


def does_not_run(inventory: Inventory) -> Iterator[Finding]:
    """What is for the card's library, and by its files has nothing for this card. A toolkit's libraries share one reason."""
    groups: dict[tuple[str, str], list[tuple[Device, Compatibility]]] = {}
    for device, answer in _judged(inventory):
        if answer.fit.answer is UNSUPPORTED and answer.software.where != BUILD:
            because = answer.fit.because.partition("; `pip ")[0]
            groups.setdefault((_id(answer), because), []).append((device, answer))
    for (slug, because), members in groups.items():
        yield _unfit(slug, because, members, inventory.evidence.host)


def _unfit(slug: str, because: str, members: list[tuple[Device, Compatibility]], host: Host) -> Finding:
    device, answer = members[0]
    first = answer.software
    found = list({each.software.path: each.software for _, each in members}.values())
    numbered = ", ".join(dict.fromkeys(f"{each.library}:{each.ordinal}" for each, _ in members))
    wants = {f"{each.library}:{each.ordinal}": _wants(each) for each, _ in members}
    return Finding(
        id=slug,
        rung=Rung.BUILD,
        severity=Severity.DEGRADED,
        certainty=Certainty.CERTAIN,
        because=f"{named(found)} cannot use {numbered}: {because}",
        brief=f"{first.name} cannot use it",
        reason=Reason.NO_CODE,
        library=device.library,
        evidence=(
            *(Observed(each.path, _has(each)) for each in found),
            *(Observed(name, text) for name, text in wants.items()),
        ),
        fix=_steps(device, answer, host),
    )


def _judged(inventory: Inventory) -> Iterator[tuple[Device, Compatibility]]:
    if inventory.evidence.host.software:
        for device in inventory.kept:
            yield from ((device, each) for each in compatibility.of_device(device, inventory.evidence) or ())


def _id(answer: Compatibility) -> str:
    found = answer.software
    if found.name == _TORCH:
        return "torch-cpu-wheel" if found.library is None else "torch-arch-unsupported"
    return "cuda-runtime-newer-than-driver" if answer.fit.for_want_of_a_driver and found.is_runtime else "framework-no-code"


def _has(found: FoundSoftware) -> str:
    known = dict.fromkeys((*found.architectures, *(each for file in found.files for each in file.architectures)))
    if known:
        return f"code for {', '.join(known)}"
    return "no code for a GPU" if found.library is None else f"release {found.release or 'unknown'}"


def _wants(device: Device) -> str:
    return device.gfx_target or compute_string(device) or "architecture unknown"


def _steps(device: Device, answer: Compatibility, host: Host) -> tuple[Step, ...]:
    found = answer.software
    if answer.fit.for_want_of_a_driver:
        return (Step("install a newer driver, or a build of it for a release that this driver serves"),)
    row = where_to_get.row_for(found.name, device.library, host.machine, device)
    if row is None:
        return (Step("install a build of it that was made for this card"),)
    command = f"pip install --force-reinstall {row.install}"
    return (Step(f"in its environment run `{command}`", command),)


def for_other_vendors(inventory: Inventory) -> Iterator[Finding]:
    """Each framework of an environment that computes through libraries of vendors whose cards are not here."""
    host = inventory.evidence.host
    here = {card.vendor_id for card in machine.cards(host)}
    for name, found in _families(host).items():
        libraries = [library_named(each.library) for each in found if each.library is not None]
        serves = any(not library.vendors or here.intersection(library.vendor_ids) for library in libraries)
        if len(libraries) == len(found) and not serves and here and not all(each.through for each in found):
            made = " and ".join(dict.fromkeys(library.name for library in libraries))
            yield cause(
                "torch-wrong-vendor",
                rung=Rung.BUILD,
                severity=Severity.INFO,
                because=f"{named(found[:1])} computes through {made}, and no card here is of that vendor",
                brief=f"{name[0]} is for another vendor",
                reason=Reason.NO_CODE,
                evidence=(Observed(found[0].path, f"for {made}"),),
                fix=(Step("install a build of it for this card's vendor in that environment"),),
            )


def _families(host: Host) -> dict[tuple[str, str], list[FoundSoftware]]:
    families: dict[tuple[str, str], list[FoundSoftware]] = {}
    for each in host.software or ():
        if each.site is not None and each.where != BUILD and not each.is_runtime:
            families.setdefault((each.name, each.site), []).append(each)
    return families


def lacks_a_library(inventory: Inventory) -> Iterator[Finding]:
    """A library of the toolkit that a framework loads is in no place where it looks."""
    told: set[str] = set()
    for _, answer in _judged(inventory):
        found = answer.software
        missing = [need for need in found.needs if need.path is None]
        computes = answer.fit.answer is not UNSUPPORTED and found.through is None and found.library is not None
        if missing and computes and found.path not in told:
            told.add(found.path)
            names = ", ".join(f"`{need.name}`" for need in missing)
            others = next((need.others for need in missing if need.others), ())
            yield cause(
                "cuda-runtime-lib-missing",
                rung=Rung.BUILD,
                severity=Severity.DEGRADED,
                because=f"{named([found])} needs {names}, and nothing brings it here",
                brief=f"{found.name} lacks a library",
                reason=Status.NOT_LOADABLE,
                evidence=(Observed(basename(found.path), f"loads {names}"), *_there(others)),
                fix=(_again(found),),
            )


def _again(found: FoundSoftware) -> Step:
    command = f"pip install --force-reinstall {_package(found)}"
    return Step(f"in its environment run `{command}`, which installs what it needs", command)


def _there(others: tuple[str, ...]) -> tuple[Observed, ...]:
    return (Observed("the same library", f"version {', '.join(others)} is there"),) if others else ()


def _package(found: FoundSoftware) -> str:
    return found.distribution or found.name.lower().replace(" ", "-")


CHECKS = (does_not_run, lacks_a_library, for_other_vendors)
