"""`amdgpu` and the card: not loaded, kept away, not knowing the chip, without firmware, or another driver in its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from gpuprobe.doctor import installing
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step, run
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.doctor.system_changes import kernel_word
from gpuprobe.doctor.ways import answers, weight_if_lost
from gpuprobe.facts import Host
from gpuprobe.facts.system_facts import LogLine
from gpuprobe.libraries import ROCM
from gpuprobe.machine.amd import amd_cards
from gpuprobe.machine.boot_parameters import has_word
from gpuprobe.machine.distribution import distribution
from gpuprobe.machine.installed_packages import packages
from gpuprobe.machine.kernel_log import first, lines_of
from gpuprobe.machine.kernel_modules import (
    dkms,
    dkms_lacks_this_kernel,
    forbidden,
    is_loaded,
    is_on_disk,
    modules_for,
    version_loaded,
)
from gpuprobe.vendors import AMD

_AT_START = "drivers are bound at the start"
_MODULE, _OLD = "amdgpu", "radeon"
_ON_HOST = (run("load it on the host with", "sudo modprobe amdgpu", where=Place.HOST),)
_NO_FILE = re.compile(r"amdgpu .{0,120}Direct firmware load for (amdgpu/[\w.-]{1,80}) failed with error -2")
_FATAL = re.compile(r"Fatal error during GPU init|probe (?:of|with driver) .{0,60}failed with error|amdgpu: probe of")
# ROCm/legacy-rocm-build#5724, #5747: MES 0x83, in linux-firmware of this day.
_FIRMWARE = re.compile(r"amd-gpu-firmware|linux-firmware[\w.+-]{0,40}")
_OF_BAD_FIRMWARE, _BAD_RELEASE = (11, 5), "20251125"
# GCN 1 and 2, which both modules can drive; the parameter's name (amdgpu_drv.c, pci ids).
_SOUTHERN = (range(0x6600, 0x6640), range(0x6660, 0x6670), range(0x6780, 0x67A0), range(0x6800, 0x6840))
_SEA = (range(0x1304, 0x1320), range(0x6640, 0x6660), range(0x67A0, 0x67C0), range(0x9830, 0x9860))
_FAULT = re.compile(r"\[gfxhub[0-9]?\] (?:no-retry |retry )?page fault|GCVM_L2_PROTECTION_FAULT|MES failed to respond")
_SCHEDULER = "MES failed to respond"

_driver = partial(cause, rung=Rung.KERNEL_DRIVER, severity=Severity.BLOCKER, reason=CardReason.NO_KERNEL_DRIVER)


def firmware_missing(situation: Situation) -> Iterator[Finding]:
    """A lone missing file is harmless; what follows makes it the cause: the driver gave up the card."""
    if not _is_unbound(situation):
        return
    told = lines_of(situation.host, situation.card.pci_id or "")
    missing = next(((line.message, found[1]) for line in told if (found := _NO_FILE.search(line.message))), None)
    if missing is None or not any(_FATAL.search(line.message) for line in told):
        return
    message, name = missing
    yield _driver(
        "amd-firmware-missing",
        because=f"`amdgpu` gave the card up, because its firmware file `{name}` is not installed",
        brief="its firmware is not installed",
        evidence=(Observed("kernel log", message),),
        fix=installing.firmware(situation.host, AMD),
    )


def chip_unknown(situation: Situation) -> Iterator[Finding]:
    """The running kernel's `amdgpu` does not name the chip among those that it is for."""
    host, card = situation.host, situation.card
    claims = modules_for(host, card.pci_id or "")
    if not _is_unbound(situation) or claims is None or claims or is_on_disk(host, _MODULE) is False:
        return
    newer = Step(f"install a newer kernel ({_newer_kernel(host)}) and reboot", needs_reboot="it is another kernel")
    dkms_driver = run("or install AMD's own kernel driver:", "sudo amdgpu-install --usecase=dkms", reboot=_AT_START)
    yield _driver(
        "amd-kernel-too-old",
        because=f"this kernel ({host.kernel}) is too old for the card: its `amdgpu` does not know the chip",
        brief="the kernel is too old for it",
        evidence=(Observed(f"/lib/modules/{host.kernel}/modules.alias", f"nothing for 1002:{card.device_id or 0:04x}"),),
        fix=(newer, dkms_driver),
    )


def not_loaded(situation: Situation) -> Iterator[Finding]:
    """The module is not in memory and the card unbound: forbidden, not installed for this kernel, or just not loaded."""
    host = situation.host
    if not _is_unbound(situation) or is_loaded(host, _MODULE) is not False or has_word(host, "nomodeset"):
        return
    if situation.container:
        yield _not_loaded("the host has not loaded `amdgpu`, the card's kernel driver", _ON_HOST)
        return
    line = forbidden(host, _MODULE)
    if line is not None:
        because = f"`{line.line}` in `{line.path}` forbids loading `amdgpu`, the card's kernel driver"
        again = installing.rebuilt_initramfs(host)
        away = Step(f"remove that line from `{line.path}`", needs_root=True)
        fix = (away, *((again,) if again else ()), installing.reboot(_AT_START))
        yield _not_loaded(because, fix, Observed(line.path, line.line))
    elif is_on_disk(host, _MODULE) is False:
        yield _not_loaded(f"kernel {host.kernel} comes without `amdgpu`, the card's driver", _more_modules(host))
    else:
        load = run("load it with", "sudo modprobe amdgpu")
        look = run("if that fails, see why:", "sudo dmesg | grep -i amdgpu")
        yield _not_loaded("`amdgpu`, the card's kernel driver, is not loaded", (load, look))


def _not_loaded(because: str, fix: tuple[Step, ...], *evidence: Observed) -> Finding:
    state = Observed("/sys/module/amdgpu", "absent")
    return _driver(
        "amd-amdgpu-not-loaded", because=because, brief="`amdgpu` is not loaded", evidence=(state, *evidence), fix=fix
    )


def _more_modules(host: Host) -> tuple[Step, ...]:
    """Kernels of clouds leave graphics out; Ubuntu has them in a package of their own."""
    if distribution(host).is_or_like("ubuntu"):
        extra = run("install the rest of its modules:", "sudo apt install linux-modules-extra-$(uname -r)")
        return (extra, run("and load it with", "sudo modprobe amdgpu"))
    return (
        Step(
            "install the distribution's ordinary kernel, not the one for clouds, and reboot",
            needs_reboot="it is another kernel",
        ),
    )


def old_driver(situation: Situation) -> Iterator[Finding]:
    card = situation.card
    if card.driver != _OLD or situation.kept:
        return
    family = next((name for name, ids in (("si", _SOUTHERN), ("cik", _SEA)) if _is_in(card.device_id, ids)), None)
    words = f"{_OLD}.{family}_support=0 {_MODULE}.{family}_support=1"
    fix = (kernel_word(situation.host, words, add=True, why=_AT_START),) if family else ()
    than = "" if family else ", and `amdgpu` is not made for a card this old"
    yield _driver(
        "amd-radeon-bound",
        reason=CardReason.OTHER_KERNEL_DRIVER,
        because=f"it uses the old kernel driver `radeon`, which has neither Vulkan nor ROCm{than}",
        brief="`radeon` has neither Vulkan nor ROCm",
        evidence=(Observed(f"/sys/bus/pci/devices/{card.pci_id}/driver", _OLD),),
        fix=fix,
    )


def build_failed(situation: Situation) -> Iterator[Finding]:
    """AMD's own driver was installed, and is not built for the running kernel: the kernel's own runs, or none."""
    host = situation.host
    lost = not situation.kept if _is_unbound(situation) else weight_if_lost(situation, ROCM) is not None
    if dkms_lacks_this_kernel(host, _MODULE) is not True or version_loaded(host, _MODULE) is not None or not lost:
        return
    known = dkms(host, _MODULE) or ()
    severity = Severity.DEGRADED if situation.kept else Severity.BLOCKER
    logs = [each.log.text.strip().splitlines()[-1:] for each in known if each.log is not None and each.log.text]
    said = tuple(Observed("make.log of DKMS", line) for last in logs for line in last)
    yield _driver(
        "amd-dkms-build-failed",
        severity=severity,
        reason=CardReason.DRIVER_FAULT,
        because=f"AMD's own kernel driver (amdgpu-dkms {known[0].version}) is not built for this kernel ({host.kernel})",
        brief="amdgpu-dkms is not built for this kernel",
        evidence=(Observed(f"/var/lib/dkms/amdgpu/{known[0].version}", ", ".join(known[0].built_for) or "no build"), *said),
        fix=(
            run("build it:", "sudo dkms autoinstall"),
            run("or, if that fails, go back to the kernel's own driver:", "sudo amdgpu-install --uninstall", reboot=_AT_START),
        ),
    )


def runtime_newer_than_driver(situation: Situation) -> Iterator[Finding]:
    """ROCm 7 hangs, or its kernels fault, on a kernel driver of the 6 series: known by its answer and the driver's version."""
    version = version_loaded(situation.host, _MODULE)
    late = [each for each in answers(situation, ROCM) if each.status.overdue]
    if not late or not situation.card.driver or situation.card.driver not in AMD.drivers:
        return
    fault = first(situation.host, _FAULT)
    old = version is not None and version.startswith(("5.", "6."))
    severity = weight_if_lost(situation, ROCM)
    if severity is None or not (old or fault):
        return
    which = f"`amdgpu` {version}" if version else f"the `amdgpu` of kernel {situation.host.kernel}"
    yield _driver(
        "amd-rocm-kmd-too-old",
        severity=severity,
        reason=CardReason.DRIVER_FAULT,
        because=f"ROCm hangs: it is newer than the kernel driver under it ({which})",
        brief="the kernel driver is too old for this ROCm",
        evidence=_seen(version, fault),
        fix=(run("install AMD's kernel driver of the same release:", "sudo amdgpu-install --usecase=dkms", reboot=_AT_START),),
        library=ROCM,
        settle=None if old and fault else "sudo dmesg | grep -iE 'amdgpu|GCVM_L2'",
    )


def scheduler_firmware_breaks(situation: Situation) -> Iterator[Finding]:
    """A release of the firmware that broke computing on the integrated chips of RDNA 3.5: page faults in the first kernel."""
    chip = next((each.gfx for each in amd_cards(situation.host) if each.pci_id == situation.card.pci_id), None)
    fault = first(situation.host, _FAULT)
    if chip is None or (chip.major, chip.minor) != _OF_BAD_FIRMWARE or fault is None:
        return
    installed = packages(situation.host, _FIRMWARE)
    bad = [(each.name, each.version) for each in installed if each.version is not None and _BAD_RELEASE in each.version]
    # A page fault alone may be any program's own.
    if not bad and first(situation.host, _SCHEDULER) is None:
        return
    known = tuple(Observed(f"package {name}", version) for name, version in bad)
    yield _driver(
        "amd-mes-firmware-bad",
        severity=Severity.DEGRADED if situation.kept else Severity.BLOCKER,
        because="its firmware breaks what it computes: the kernel log has the faults that releases of late 2025 made",
        brief="its firmware breaks computing",
        reason=CardReason.DRIVER_FAULT,
        evidence=(Observed("kernel log", fault.message), *known),
        fix=(
            *installing.firmware(situation.host, AMD)[:1],
            kernel_word(situation.host, "amdgpu.cwsr_enable=0", add=True, why="the driver reads it at the start"),
        ),
        library=ROCM,
        settle="sudo cat /sys/kernel/debug/dri/*/amdgpu_firmware_info | grep MES",
    )


def _seen(version: str | None, fault: LogLine | None) -> tuple[Observed, ...]:
    loaded = (Observed("/sys/module/amdgpu/version", version),) if version else ()
    return (*loaded, *((Observed("kernel log", fault.message),) if fault else ()))


def _is_unbound(situation: Situation) -> bool:
    return situation.card.kind == "pci" and situation.card.driver is None and not situation.kept


def _is_in(device: int | None, ranges: tuple[range, ...]) -> bool:
    return device is not None and any(device in each for each in ranges)


def _newer_kernel(host: Host) -> str:
    if distribution(host).is_or_like("ubuntu"):
        return f"`sudo apt install linux-generic-hwe-{distribution(host).version or '24.04'}`"
    if distribution(host).id == "debian":
        return f"from backports: `sudo apt install -t {distribution(host).codename or 'trixie'}-backports linux-image-amd64`"
    return "an update of the distribution, or its newest release"


CHECKS = (
    firmware_missing,
    chip_unknown,
    not_loaded,
    old_driver,
    build_failed,
    runtime_newer_than_driver,
    scheduler_firmware_breaks,
)
