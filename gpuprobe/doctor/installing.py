"""What installs a driver, a library or firmware here, in the words of this distribution's package manager."""

from __future__ import annotations

from collections.abc import Mapping

from gpuprobe.doctor.findings import Step, run
from gpuprobe.facts import Host
from gpuprobe.libraries import VULKAN, Library
from gpuprobe.machine.distribution import Distribution, distribution
from gpuprobe.vendors import Vendor

_COMMANDS = {
    "apt": "sudo apt install",
    "dnf": "sudo dnf install",
    "tdnf": "sudo tdnf install",
    "pacman": "sudo pacman -S",
    "zypper": "sudo zypper install",
    "apk": "sudo apk add",
}
_LAYERED = "sudo rpm-ostree install"  # on an image of Fedora's, where packages are layers
_INITRAMFS = {
    "apt": "sudo update-initramfs -u",
    "dnf": "sudo dracut --force",
    "zypper": "sudo dracut --force",
    "pacman": "sudo mkinitcpio -P",
}
_EXAMPLE = "mesa-vulkan-drivers libvulkan1"
_BY_MANAGER = "by your distribution's package manager"


def vulkan_driver(host: Host, maker: Vendor | None) -> Step:
    """Mesa's driver for cards of this vendor, and the loader."""
    packages = maker.vulkan_packages if maker else {}
    example = f" (Debian and Ubuntu: `sudo apt install {packages.get('apt', _EXAMPLE)}`)"
    return _install(host, "install the card's Vulkan driver", packages, example)


def library(host: Host, wanted: Library) -> Step:
    """The library itself, with what it needs to reach its vendor's cards."""
    if _packages(distribution(host), wanted.packages) is None and wanted.advice:
        return Step(wanted.advice)
    what = "the Vulkan loader" if wanted == VULKAN else f"the runtime of {wanted.name}"
    return _install(host, f"install {what}", wanted.packages, "")


def firmware(host: Host, maker: Vendor) -> tuple[Step, ...]:
    """The card's firmware, which the kernel may take from the initial file system: that is made anew, then booted."""
    again = rebuilt_initramfs(host)
    newer = _install(host, "bring the card's firmware up to date", maker.firmware_packages, " (`linux-firmware`)")
    return (newer, *((again,) if again else ()), reboot("the kernel reads firmware when it starts the card"))


def rebuilt_initramfs(host: Host) -> Step | None:
    here = distribution(host)
    command = None if here.is_image else _INITRAMFS.get(here.manager or "")
    return run("build the initial file system again:", command) if command else None


def reboot(why: str) -> Step:
    return Step("reboot with `sudo reboot`", "sudo reboot", needs_root=True, needs_reboot=why)


def _install(host: Host, text: str, packages: Mapping[str, str], example: str) -> Step:
    here = distribution(host)
    named = _packages(here, packages)
    return Step(f"{text} {_BY_MANAGER}{example}") if named is None else run(f"{text}:", f"{_command(here)} {named}")


def _packages(here: Distribution, packages: Mapping[str, str]) -> str | None:
    known = here.manager in _COMMANDS
    return (packages.get(here.id or "") or packages.get(here.manager or "")) if known else None


def _command(here: Distribution) -> str:
    return _LAYERED if here.is_image and here.manager == "dnf" else _COMMANDS[here.manager or ""]
