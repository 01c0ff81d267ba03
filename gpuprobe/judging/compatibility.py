"""Whether software that was found runs on a card: by the code in its files, by its driver, and by rows.

Nothing was loaded: this is what the files say. That a library really loads and computes is what `validate` proves.
"""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.facts import FoundSoftware, Host
from gpuprobe.judging import architecture, build_fit, drivers, file_fit, identity, verdicts
from gpuprobe.judging.architecture import UNKNOWN, UNSUPPORTED, Fit
from gpuprobe.judging.build_fit import BUILD
from gpuprobe.judging.nearby import Nearby
from gpuprobe.judging.where_to_get import advice
from gpuprobe.libraries import library_named
from gpuprobe.model import SYSTEM, Device, Evidence, Json, Outcome, Purpose
from gpuprobe.once import once
from gpuprobe.record_classes import NamedTuple

_OTHER_BUILD = "; install the build of it for this card's library"


class Compatibility(NamedTuple):
    software: FoundSoftware
    fit: Fit
    files: tuple[file_fit.FileFit, ...] = ()


def of_device(device: Device, evidence: Evidence) -> tuple[Compatibility, ...] | None:
    """Everything found that computes through the device's library, against the device; None where nothing was looked for."""
    library = library_named(device.library)
    if not library.frameworks:
        return None
    found = evidence.host.software
    builds = tuple(_builds(device, evidence))
    if found is None and not builds:
        return None
    asked = {each.software.path for each in builds}
    mine = (each for each in found or () if each.library in (device.library, None) and each.path not in asked)
    return (*(_of_software(device, each, evidence.host) for each in mine), *builds)


def _of_software(device: Device, found: FoundSoftware, host: Host) -> Compatibility:
    if found.where == BUILD and found.name != "rocBLAS":
        return Compatibility(found, build_fit.of_build(device, found.name, (), host))
    fit = _fit(device, found, host)
    if fit.answer is UNSUPPORTED:
        chosen = f"; {found.problem}" if found.problem and found.files else ""
        instead = chosen or advice(device, found, host) or (_OTHER_BUILD if found.library is None else "")
        fit = fit._replace(because=f"{fit.because}{instead}")
    files = file_fit.each_file(device, found) if found.library is not None else ()
    return Compatibility(found, fit, files)


def _fit(device: Device, found: FoundSoftware, host: Host) -> Fit:
    if found.library is None:
        if found.damage is not None:
            return Fit(UNKNOWN, found.damage)
        return Fit(UNSUPPORTED, "it was built for the CPU alone")
    library = library_named(found.library)
    code = _code(device, found)
    if not library.by_release:
        return code or architecture.of_device(device, found.architectures)
    release = (code and code.toolkit) or found.release
    driver = drivers.of_driver(device, release, host)
    if code is None:
        return drivers.floor(device, found.release) or driver
    if code.answer is UNKNOWN and driver.answer is not UNSUPPORTED:
        return drivers.floor(device, found.release) or code
    return build_fit.with_driver(code, driver) if release is not None else code


def _code(device: Device, found: FoundSoftware) -> Fit | None:
    """By the code in its files, else by its own list; None: it has neither."""
    code = file_fit.of_one(device, found.files) if found.loads_one else file_fit.of_files(device, found.files)
    if (code is None or code.answer is UNKNOWN) and found.architectures:
        code = architecture.of_device(device, found.architectures)
    if not found.compiles:
        return code
    if code is None:
        return Fit(UNKNOWN, "it compiles its kernels when it runs, and its files do not tell for which cards")
    if code.answer is UNSUPPORTED:
        return Fit(UNKNOWN, f"it compiles kernels for the card when it runs, and of those that it brings: {code.because}")
    return code


def _builds(device: Device, evidence: Evidence) -> Iterator[Compatibility]:
    """The builds of inference programs that were asked, or left out, for this library."""
    seen: set[str] = set()
    for outcome in evidence.outcomes:
        probe = outcome.probe
        mine = probe.purpose is Purpose.LIST and probe.library == device.library and probe.build != SYSTEM
        if mine and probe.build not in seen:
            seen.add(probe.build)
            view = _view_in(outcome, device, evidence)
            words = _architectures(view.capabilities) if view.build == probe.build else ()
            said = _architectures(outcome.facts) or words
            fit = build_fit.of_build(view, probe.build, said, evidence.host)
            path = outcome.library_path or probe.build
            known = build_fit.files_of(probe.build, evidence.host)
            found = known or FoundSoftware(probe.build, path, BUILD, probe.library)
            yield Compatibility(found._replace(architectures=said), fit)


def _view_in(outcome: Outcome, device: Device, evidence: Evidence) -> Device:
    """The build's own view of the card, with what its validation proved; the device itself where the build lists none."""
    view = next((each for each in _listed(evidence)[id(outcome)].of(device) if identity.same_card(each, device).same), None)
    if view is None:
        return device
    completed = view._replace(
        compute_major=device.compute_major if view.compute_major is None else view.compute_major,
        compute_minor=device.compute_minor if view.compute_minor is None else view.compute_minor,
        gfx_target=view.gfx_target or device.gfx_target,
        api_version=view.api_version or device.api_version,
        kernel_version=view.kernel_version or device.kernel_version,
    )
    return completed._replace(validation=verdicts.validation_of(view, evidence))


@once
def _listed(evidence: Evidence) -> dict[int, Nearby]:
    return {id(outcome): Nearby(outcome.devices) for outcome in evidence.outcomes}


def _architectures(words: Json) -> tuple[str, ...]:
    said = words.get("architectures")
    return tuple(each for each in said if isinstance(each, str)) if isinstance(said, list | tuple) else ()
