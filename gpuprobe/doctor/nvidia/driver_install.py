"""Whether NVIDIA's kernel driver is installed, built for this kernel, allowed and loaded; and whether another has the card."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpuprobe.doctor.about_nvidia import recipes, signs
from gpuprobe.doctor.about_nvidia.generations import chip_of
from gpuprobe.doctor.about_nvidia.saying import FRESH, cause, outside
from gpuprobe.doctor.findings import Finding, Observed, Rung, Step, run
from gpuprobe.doctor.nvidia.driver_fit import misfit
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.machine import kernel_log, kernel_modules, secure_boot
from gpuprobe.machine.installed_packages import packages
from gpuprobe.machine.surroundings import wsl
from gpuprobe.strings import printable
from gpuprobe.vendors import vendor_of

_REJECTED = re.compile(
    r"(?i)Key was rejected by service|Required key not available|Loading of (?:unsigned )?module(?: with unavailable key)? is "
    r"rejected|unsigned module loading is restricted"
)
_TRY = "sudo modprobe nvidia"

_DRIVER_PACKAGES = re.compile(r"(?:akmod|kmod|xorg-x11-drv)-nvidia.*|nvidia-(?:driver|dkms|open|utils).*")
_SIGNED_PACKAGES = re.compile(r"linux-(?:modules|signatures)-nvidia-.*")


def _is_unloaded(situation: Situation) -> bool:
    """The card is without NVIDIA's driver, and so is the kernel."""
    is_free = signs.is_on_the_bus(situation) and not signs.is_bound(situation) and not signs.is_reserved(situation)
    return is_free and signs.module_is_loaded(situation.host) is not True and not wsl(situation.host)


def _has_lesser_driver(situation: Situation) -> bool:
    maker = vendor_of(situation.card.vendor_id)
    return maker is not None and situation.card.driver in maker.lesser_drivers


def _is_installed(situation: Situation) -> bool:
    """Anything of the driver: its libraries, its module on disk, its source, the packages that build it."""
    host = situation.host
    on_disk = kernel_modules.is_on_disk(host, signs.MODULE) or bool(kernel_modules.other_kernels_with(host, signs.MODULE))
    return signs.has_driver_libraries(host) or on_disk or bool(kernel_modules.dkms(host, signs.MODULE)) or _packages(situation)


def _packages(situation: Situation) -> bool:
    return bool(packages(situation.host, _DRIVER_PACKAGES))


def not_installed(situation: Situation) -> Iterator[Finding]:
    """No module on disk, none in memory, no library: nothing of it is there. A container sees the host's memory alone."""
    if not _is_unloaded(situation) or _is_installed(situation):
        return
    host, chip = situation.host, chip_of(situation.card)
    on_disk = kernel_modules.is_on_disk(host, signs.MODULE)
    is_known = on_disk is False and situation.container is None
    inside = "NVIDIA's driver is not loaded on the host" if situation.container else "NVIDIA's driver is not installed"
    yield cause(
        "nv-driver-not-installed",
        Rung.KERNEL_DRIVER,
        inside,
        "no NVIDIA driver",
        Observed(f"/sys/bus/pci/devices/{situation.card.pci_id}/driver", situation.card.driver or "absent"),
        Observed("/sys/module/nvidia", "absent"),
        Observed(signs.CUDA_FILE, "in none of the loader's directories"),
        Observed(f"/lib/modules/{host.kernel}", "no nvidia.ko") if is_known else None,
        fix=(recipes.install(situation, chip),),
        reason=CardReason.OTHER_KERNEL_DRIVER if _has_lesser_driver(situation) else CardReason.NO_KERNEL_DRIVER,
        settle=None if is_known else "modinfo nvidia",
    )


def held_by_nouveau(situation: Situation) -> Iterator[Finding]:
    """The kernel's own driver for displays took the card first. It has no CUDA; through NVK it has Vulkan."""
    maker, driver = vendor_of(situation.card.vendor_id), situation.card.driver
    if maker is None or driver not in maker.lesser_drivers or not signs.is_on_the_bus(situation):
        return
    image = recipes.boot_image(situation)
    own = () if _is_installed(situation) else (recipes.install(situation, chip_of(situation.card)),)
    yield cause(
        "nv-nouveau-bound",
        Rung.KERNEL_DRIVER,
        f"the kernel driver `{driver}` has the card, and it has no {maker.lesser_drivers[driver]}",
        f"`{driver}` has no {maker.lesser_drivers[driver]}",
        Observed(f"/sys/bus/pci/devices/{situation.card.pci_id}/driver", driver or ""),
        fix=(
            recipes.keep_out(situation, driver, reboot=None if image or own else FRESH),
            *([image._replace(needs_reboot=None if own else FRESH)] if image else []),
            *own,
        ),
        reason=CardReason.OTHER_KERNEL_DRIVER,
    )


def forbidden(situation: Situation) -> Iterator[Finding]:
    """A line of modprobe's configuration or of the kernel's command line keeps the module out."""
    found = kernel_modules.forbidden(situation.host, signs.MODULE)
    if found is None or not _is_unloaded(situation) or kernel_modules.is_on_disk(situation.host, signs.MODULE) is False:
        return
    image = recipes.boot_image(situation)
    place = f"`{found.path}`" if found.path.endswith(".conf") else "the boot loader's settings"
    yield cause(
        "nv-module-blacklisted",
        Rung.KERNEL_DRIVER,
        f"`{printable(found.line)}` in `{found.path}` keeps NVIDIA's driver from being loaded",
        "the configuration forbids the driver",
        Observed(found.path, printable(found.line)),
        Observed("/sys/module/nvidia", "absent"),
        fix=(
            Step(f"take it out of {place}", needs_root=True, needs_reboot=None if image else FRESH, where=outside(situation)),
            *([image] if image else []),
        ),
        reason=CardReason.NO_KERNEL_DRIVER,
    )


def rejected_by_secure_boot(situation: Situation) -> Iterator[Finding]:
    """Secure Boot takes only modules that are signed with a key that the firmware or the owner of the machine enrolled."""
    host = situation.host
    if not _is_unloaded(situation) or situation.container or not _is_installed(situation):
        return
    logged = kernel_log.first(host, _REJECTED)
    if logged is None and not _looks_rejected(situation):
        return
    key = secure_boot.key_to_enrol(host)
    version = signs.driver_version(host)
    yield cause(
        "nv-secure-boot-rejected",
        Rung.KERNEL_DRIVER,
        f"Secure Boot refuses the kernel module of {f'driver {version}' if version else 'the driver'}, which is installed",
        "Secure Boot refuses the driver",
        Observed("kernel log", printable(logged.message)) if logged else None,
        Observed("Secure Boot", "on") if secure_boot.secure_boot(host) else None,
        Observed("/sys/kernel/security/lockdown", lock) if (lock := secure_boot.lockdown(host)) else None,
        fix=tuple(_have_it_signed(situation, key)),
        reason=CardReason.NO_KERNEL_DRIVER,
        settle=None if logged else _TRY,
    )


def _looks_rejected(situation: Situation) -> bool:
    host = situation.host
    locked = secure_boot.signatures_enforced(host) is True or (
        secure_boot.secure_boot(host) is True and secure_boot.lockdown(host) not in (None, "none")
    )
    own_key = secure_boot.key_to_enrol(host) is not None and not packages(host, _SIGNED_PACKAGES)
    is_there = kernel_modules.is_on_disk(host, signs.MODULE) is True
    return locked and own_key and is_there and kernel_modules.forbidden(host, signs.MODULE) is None


def _have_it_signed(situation: Situation, key: str | None) -> Iterator[Step]:
    if key is not None:
        enrolled = "the firmware asks for it at the next start: choose Enroll MOK"
        yield run("enrol the key that it is signed with:", f"sudo mokutil --import {key}", reboot=enrolled)
    else:
        yield Step("sign the module with a key of your own and enrol that with `sudo mokutil --import KEY`", needs_root=True)
    if recipes.family(situation.host) == recipes.UBUNTU:
        yield run("or take the module that Ubuntu has signed:", "sudo ubuntu-drivers install", root=True, reboot=FRESH)
    yield Step("or switch Secure Boot off in the firmware", needs_reboot="the firmware's settings count at a start")


def not_built(situation: Situation) -> Iterator[Finding]:
    """The driver is installed, and there is no module of it for the kernel that runs: mostly after an update of the kernel."""
    host = situation.host
    if not _is_unloaded(situation) or situation.container or not _is_installed(situation):
        return
    if kernel_modules.is_on_disk(host, signs.MODULE) is not False:
        return
    others, headers = kernel_modules.other_kernels_with(host, signs.MODULE), kernel_modules.headers(host)
    lacks = kernel_modules.dkms_lacks_this_kernel(host, signs.MODULE)
    version = signs.driver_version(host)
    driver = f"driver {version}" if version else "the driver"
    yield cause(
        "nv-module-not-built",
        Rung.KERNEL_DRIVER,
        f"{driver} is installed, and has no kernel module for the kernel {host.kernel}",
        "no driver module for this kernel",
        Observed(f"/lib/modules/{host.kernel}", "no nvidia.ko"),
        Observed(f"/lib/modules/{others[0]}", "nvidia.ko") if others else None,
        Observed(f"/lib/modules/{host.kernel}/build", headers) if headers in ("dangling", "absent") else None,
        Observed("dkms", "not built for this kernel") if lacks else None,
        _why_not_built(situation),
        fix=(recipes.build(situation), run("then load it with", _TRY)),
        reason=CardReason.NO_KERNEL_DRIVER,
    )


def _why_not_built(situation: Situation) -> Observed | None:
    """The first error in the end of a build that failed."""
    for each in kernel_modules.dkms(situation.host, signs.MODULE) or ():
        written = each.log.text if each.log is not None else None
        line = next((line for line in (written or "").splitlines() if "error" in line.casefold()), None)
        if line is not None:
            return Observed(f"/var/lib/dkms/{each.name}/{each.version}/build/make.log", printable(line.strip()[:200]))
    return None


def not_loaded(situation: Situation) -> Iterator[Finding]:
    """The driver is installed and not in memory. Why is not said where it was not looked at, or nothing was seen."""
    host = situation.host
    if not _is_unloaded(situation) or situation.container or not _is_installed(situation) or misfit(situation) is not None:
        return
    if any(True for check in (forbidden, rejected_by_secure_boot, not_built, held_by_nouveau) for _ in check(situation)):
        return
    version, on_disk = signs.driver_version(host), kernel_modules.is_on_disk(host, signs.MODULE)
    yield cause(
        "nv-module-not-loaded",
        Rung.KERNEL_DRIVER,
        f"NVIDIA's driver{f' {version}' if version else ''} is installed, and its kernel module is not loaded",
        "the installed driver is not loaded",
        Observed("/sys/module/nvidia", "absent"),
        Observed(signs.CUDA_FILE, version) if version else None,
        Observed(f"/lib/modules/{host.kernel}", "nvidia.ko") if on_disk else None,
        fix=(run("load it with", _TRY), *(() if on_disk else (_else_build(situation),))),
        reason=CardReason.NO_KERNEL_DRIVER,
    )


def _else_build(situation: Situation) -> Step:
    build = recipes.build(situation)
    return build._replace(text=f"if there is none, {build.text}")


CHECKS = (rejected_by_secure_boot, forbidden, not_built, not_installed, held_by_nouveau, not_loaded)
