"""Whether a build of Ollama or llama.cpp computes on a card: observed beats read, and read beats known.

1. A kernel or a product that ran through this very build. 2. What its files and its own words say: the code in its library,
the list of architectures that it names, the toolkit and the rocBLAS that lie beside it. 3. A row, which speaks only of the
version it names: a folder's name tells none, so that a row which goes by the name alone makes a doubt and never a no.
"""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe import knowledge
from gpuprobe.facts import FoundBuild, FoundSoftware, Host
from gpuprobe.judging import architecture, drivers, file_fit
from gpuprobe.judging.architecture import NATIVE, UNKNOWN, UNSUPPORTED, Fit
from gpuprobe.libraries import library_named
from gpuprobe.model import Device, StageName, StageResult
from gpuprobe.strings import printable

BUILD = "build"

_COMPUTES = frozenset({StageName.KERNEL, StageName.BLAS, StageName.PRODUCT})


def of_build(device: Device, build: str, said: Sequence[str], host: Host) -> Fit:
    """`device` is the build's own view where it has one, and its validation what was observed; `said` is what the build
    itself names as its architectures."""
    if device.build == build and _computed(device):
        return Fit(NATIVE, "it has computed on it")
    found, files = host.build_named(build), files_of(build, host)
    read = _by_what_is_read(device, files, said, host, _is_ollamas(found, build))
    name = found.folder if found else build
    if read is None:
        return _by_name(device, name, files, host)
    if doubt := _doubt(device, read, name, files, host):
        return doubt
    kernels = _by_kernels(device, files, host)
    return min((each for each in (read, kernels) if each), key=lambda fit: -fit.answer.rank)


def _computed(device: Device) -> bool:
    if device.validation is None:
        return False
    return any(stage.name in _COMPUTES and stage.result is StageResult.PASSED for stage in device.validation.stages)


def files_of(build: str, host: Host) -> FoundSoftware | None:
    return next((each for each in host.software or () if each.where == BUILD and each.name == build), None)


def _is_ollamas(found: FoundBuild | None, build: str) -> bool:
    return found is None or found.product == "ollama"


def _by_what_is_read(
    device: Device, files: FoundSoftware | None, said: Sequence[str], host: Host, is_ollamas: bool
) -> Fit | None:
    """By the code in its library, else by its words; and by the driver, where its toolkit is known. None: it says nothing."""
    code = file_fit.of_files(device, files.files) if files is not None else None
    if code is None or (code.answer is UNKNOWN and said):
        code = architecture.of_device(device, said) if said else code
    if code is None or not library_named(device.library).by_release:
        return code
    release = files.release if files is not None else None
    if code.answer is UNSUPPORTED or (release is None and code.toolkit is None):
        return code
    packed = is_ollamas and not (files is not None and files.files and not any(file.packed for file in files.files))
    unreadable = drivers.unreadable(device, release) if packed else None
    return unreadable or with_driver(code, drivers.of_driver(device, code.toolkit or release, host))


def _doubt(device: Device, read: Fit, name: str, files: FoundSoftware | None, host: Host) -> Fit | None:
    """That the newest build of this name is packed so that this driver cannot read it, where nothing tells how this one is."""
    row = row_of(name, host.platform)
    if read.answer is UNSUPPORTED or row is None or (files is not None and (files.release or files.files)):
        return None
    unreadable = drivers.unreadable(device, row.toolkit)
    if unreadable is None:
        return None
    return Fit(
        UNKNOWN, f"{read.because}; of the one that gpuprobe knows: {unreadable.because}", unreadable.source, doubtful=True
    )


def _by_kernels(device: Device, files: FoundSoftware | None, host: Host) -> Fit | None:
    """By the rocBLAS that lies beside it: without kernels for a card it ends the process."""
    folder = files.path.rpartition("/")[0] if files is not None else None
    if folder is None:
        return None
    beside = (each for each in host.software or () if each.where == BUILD and each.name == "rocBLAS")
    mine = next((each for each in beside if each.path.startswith(f"{folder}/") and each.library == device.library), None)
    if mine is None or not mine.architectures:
        return None
    fit = architecture.of_device(device, mine.architectures)
    return fit._replace(because=f"of the rocBLAS beside it: {fit.because}")


def _by_name(device: Device, name: str, files: FoundSoftware | None, host: Host) -> Fit:
    row = row_of(name, host.platform)
    if row is None:
        return Fit(UNKNOWN, f"`{printable(name)}` does not say what it was compiled for, and gpuprobe knows no release of it")
    source = f"{row.source} ({row.checked})"
    fit = _by_row(device, row, host)
    if files is not None and files.release is not None and files.release == row.toolkit:
        return fit._replace(source=fit.source or source)
    guessed = f"`{printable(name)}` does not say what it was compiled for; of the one that gpuprobe knows: {fit.because}"
    return Fit(UNKNOWN, guessed, fit.source or source, doubtful=fit.answer is UNSUPPORTED)


def _by_row(device: Device, row: knowledge.Build, host: Host) -> Fit:
    code = architecture.of_device(device, row.architectures, f"{row.source} ({row.checked})")
    if row.toolkit is None or not library_named(device.library).by_release or code.answer is UNSUPPORTED:
        return code
    return drivers.unreadable(device, row.toolkit) or with_driver(code, drivers.of_driver(device, row.toolkit, host))


def row_of(name: str, platform: str) -> knowledge.Build | None:
    """The row of a build directory: `rocm` also stands for `rocm_v7_2` where that has no row of its own."""
    rows = {row.name: row for row in knowledge.builds() if row.platform == platform}
    return rows.get(name) or rows.get(name.partition("_v")[0])


def with_driver(code: Fit, driver: Fit) -> Fit:
    """The answer where code needs a driver too."""
    if driver.answer is NATIVE or code.answer is UNSUPPORTED:
        return code
    if code.by_compiler and driver.answer is architecture.COMPATIBLE:
        # Error 222: minor-version compatibility does not cover the compilation of newer PTX.
        because = f"its PTX alone would run, and the driver is too old to compile it: {driver.because}"
        return Fit(UNSUPPORTED, because, driver.source, for_want_of_a_driver=True)
    if driver.answer is UNSUPPORTED:
        return driver
    worse = max(code.answer, driver.answer, key=lambda answer: answer.rank)
    return Fit(worse, f"{code.because}; {driver.because}", driver.source)
