"""How NVIDIA's driver is installed, changed and built on each distribution; one that is not known gets no command."""

from __future__ import annotations

from gpuprobe.doctor.about_nvidia.generations import branch_of
from gpuprobe.doctor.about_nvidia.saying import FRESH, kernel_step, outside
from gpuprobe.doctor.findings import Place, Step, run
from gpuprobe.doctor.situation import Situation
from gpuprobe.facts import Host
from gpuprobe.knowledge import Chip
from gpuprobe.machine import operating_system
from gpuprobe.machine.distribution import distribution

UBUNTU, DEBIAN, FEDORA, RHEL, ARCH, SUSE, NIXOS = "ubuntu", "debian", "fedora", "rhel", "arch", "suse", "nixos"
_REBUILD = "sudo nixos-rebuild switch"
# The driver's libraries stand where it links them: `/run/opengl-driver/lib`.
_GRAPHICS = f"set `hardware.graphics.enable = true;` in the configuration, then `{_REBUILD}`"
FEDORA_IMAGE = "fedora, as an image"
SNAP = "ubuntu-core"

# The id of a distribution, or of one that it says it is like → whose recipe it takes. The nearest first.
_FAMILIES = {
    "ubuntu-core": SNAP,
    "ubuntu": UBUNTU,
    "debian": DEBIAN,
    "rhel": RHEL,
    "centos": RHEL,
    "fedora": FEDORA,
    "arch": ARCH,
    "suse": SUSE,
    "opensuse": SUSE,
    "opensuse-leap": SUSE,
    "opensuse-tumbleweed": SUSE,
    "sles": SUSE,
    "nixos": NIXOS,
}
# By the beginning of its name, where the release file says no more than that.
_NAMES = {
    "ubuntu": UBUNTU,
    "linux mint": UBUNTU,
    "pop!_os": UBUNTU,
    "debian": DEBIAN,
    "fedora": FEDORA,
    "red hat": RHEL,
    "rocky": RHEL,
    "almalinux": RHEL,
    "centos": RHEL,
    "arch": ARCH,
    "manjaro": ARCH,
    "cachyos": ARCH,
    "endeavouros": ARCH,
    "opensuse": SUSE,
    "nixos": NIXOS,
}

_INSTALL = {
    UBUNTU: "sudo ubuntu-drivers install",
    DEBIAN: "sudo apt install linux-headers-$(dpkg --print-architecture) nvidia-driver firmware-misc-nonfree",
    FEDORA: "sudo dnf install akmod-nvidia xorg-x11-drv-nvidia-cuda",
    FEDORA_IMAGE: "sudo rpm-ostree install akmod-nvidia xorg-x11-drv-nvidia-cuda",
    RHEL: "sudo dnf install nvidia-open",
    ARCH: "sudo pacman -S nvidia-open nvidia-utils",
    SUSE: "sudo zypper install nvidia-open-driver-G06-signed-kmp-default nvidia-compute-utils-G06",
}
_THE_DRIVER = "install NVIDIA's driver"
_FROM = {
    DEBIAN: "install NVIDIA's driver, after adding contrib, non-free and non-free-firmware to the sources, with",
    FEDORA: "install NVIDIA's driver from RPM Fusion with",
    FEDORA_IMAGE: "install NVIDIA's driver from RPM Fusion with",
    RHEL: "install NVIDIA's driver from its own repository with",
    SUSE: "install NVIDIA's driver from its own repository with",
}
_NIX_INSTALL = (
    'set `services.xserver.videoDrivers = ["nvidia"];` and `hardware.graphics.enable = true;` in the configuration, '
    "then `sudo nixos-rebuild switch`"
)
_OPEN = {
    UBUNTU: "sudo apt install nvidia-driver-{branch}-open",
    DEBIAN: "sudo apt install nvidia-open-kernel-dkms",
    FEDORA: "echo '%_with_kmod_nvidia_open 1' | sudo tee /etc/rpm/macros.nvidia-kmod && sudo akmods --force --rebuild",
    RHEL: "sudo dnf module install nvidia-driver:open-dkms",
    ARCH: "sudo pacman -S nvidia-open",
    SUSE: "sudo zypper install nvidia-open-driver-G06-signed-kmp-default",
}
_CLOSED = {
    UBUNTU: "sudo apt install nvidia-driver-{branch}",
    DEBIAN: "sudo apt install nvidia-kernel-dkms",
    FEDORA: "sudo rm -f /etc/rpm/macros.nvidia-kmod && sudo akmods --force --rebuild",
    RHEL: "sudo dnf module install nvidia-driver:{branch}-dkms",
    ARCH: "yay -S nvidia-{branch}xx-dkms nvidia-{branch}xx-utils",
    SUSE: "sudo zypper install nvidia-driver-G06-kmp-default",
}
_BRANCH = {
    UBUNTU: "sudo apt install nvidia-driver-{branch}",
    DEBIAN: "sudo apt install nvidia-driver",
    FEDORA: "sudo dnf install akmod-nvidia-{branch}xx xorg-x11-drv-nvidia-{branch}xx-cuda",
    RHEL: "sudo dnf module install nvidia-driver:{branch}-dkms",
    ARCH: "yay -S nvidia-{branch}xx-dkms nvidia-{branch}xx-utils",
    SUSE: "sudo zypper install nvidia-driver-G06-kmp-default",
}
_BUILD = {
    UBUNTU: "sudo apt install linux-headers-$(uname -r) && sudo dkms autoinstall",
    DEBIAN: "sudo apt install linux-headers-$(uname -r) && sudo dkms autoinstall",
    FEDORA: "sudo dnf install kernel-devel-$(uname -r) && sudo akmods --force && sudo depmod -a",
    RHEL: "sudo dnf install kernel-devel-$(uname -r) && sudo dkms autoinstall",
    ARCH: "sudo pacman -S linux-headers && sudo dkms autoinstall",
    SUSE: "sudo zypper install kernel-default-devel",
}
_COMPUTE = {
    UBUNTU: "sudo apt install libnvidia-compute-{branch}",
    DEBIAN: "sudo apt install libcuda1",
    FEDORA: "sudo dnf install xorg-x11-drv-nvidia-cuda",
    FEDORA_IMAGE: "sudo rpm-ostree install xorg-x11-drv-nvidia-cuda",
    RHEL: "sudo dnf install nvidia-driver-cuda",
    ARCH: "sudo pacman -S nvidia-utils",
    SUSE: "sudo zypper install nvidia-compute-G06",
}
_MANAGEMENT = {
    **_COMPUTE,
    DEBIAN: "sudo apt install libnvidia-ml1",
    FEDORA: "sudo dnf install xorg-x11-drv-nvidia-cuda-libs",
    RHEL: "sudo dnf install nvidia-driver-NVML",
}
_FABRIC = {
    UBUNTU: "sudo apt install nvidia-fabricmanager-{branch} && sudo systemctl enable --now nvidia-fabricmanager",
    DEBIAN: "sudo apt install nvidia-fabricmanager-{branch} && sudo systemctl enable --now nvidia-fabricmanager",
    RHEL: "sudo dnf install nvidia-fabricmanager && sudo systemctl enable --now nvidia-fabricmanager",
    SUSE: "sudo zypper install nvidia-fabricmanager && sudo systemctl enable --now nvidia-fabricmanager",
}
_BOOT_IMAGE = {
    UBUNTU: "sudo update-initramfs -u",
    DEBIAN: "sudo update-initramfs -u",
    FEDORA: "sudo dracut -f",
    RHEL: "sudo dracut -f",
    SUSE: "sudo dracut -f",
    ARCH: "sudo mkinitcpio -P",
}
_HELPER = {UBUNTU: "sudo apt install nvidia-modprobe", DEBIAN: "sudo apt install nvidia-modprobe"}


def family(host: Host) -> str | None:
    """Whose recipes this machine takes; None: not known."""
    here = distribution(host)
    found = next((_FAMILIES[each] for each in (here.id, *here.like) if each in _FAMILIES), None)
    if found is None:
        name = (operating_system(host) or "").casefold()
        found = next((each for start, each in _NAMES.items() if name.startswith(start)), None)
    return FEDORA_IMAGE if found == FEDORA and here.is_image else found


def install(situation: Situation, chip: Chip | None = None) -> Step:
    """The driver for this card: the newest, or the last branch that serves it."""
    if chip is not None and chip.until is not None:
        return of_branch(situation, chip.until)
    return _step(situation, _INSTALL, _THE_DRIVER, nix=_NIX_INSTALL)


def newer(situation: Situation, chip: Chip | None) -> Step:
    """A branch that knows the card."""
    which = f" of the branch {chip.since} or newer" if chip is not None and chip.since else ""
    return _step(situation, _INSTALL, f"install a newer driver{which}", nix=_NIX_NEWEST)


_NIX_NEWEST = (
    "set `hardware.nvidia.package = config.boot.kernelPackages.nvidiaPackages.latest;` in the configuration, "
    "then `sudo nixos-rebuild switch`"
)


def of_branch(situation: Situation, branch: int) -> Step:
    """The last branch that serves an old card; before 470 no inference program is made for its CUDA any more."""
    nix = (
        f"set `hardware.nvidia.package = config.boot.kernelPackages.nvidiaPackages.legacy_{branch};` in the configuration, "
        "then `sudo nixos-rebuild switch`"
    )
    return _step(situation, _BRANCH, f"install the driver of the branch {branch}", nix=nix, branch=branch)


def open_module(situation: Situation, version: str | None) -> Step:
    nix = "set `hardware.nvidia.open = true;` in the configuration, then `sudo nixos-rebuild switch`"
    return _step(situation, _OPEN, "install the open kernel module", nix=nix, branch=branch_of(version))


def closed_module(situation: Situation, branch: int | None) -> Step:
    nix = "set `hardware.nvidia.open = false;` in the configuration, then `sudo nixos-rebuild switch`"
    return _step(situation, _CLOSED, "install the closed kernel module", nix=nix, branch=branch)


def build(situation: Situation) -> Step:
    """The module for the running kernel, where the driver is installed."""
    nix = "rebuild the system with `sudo nixos-rebuild switch` and reboot into it"
    return _step(situation, _BUILD, "build the module for this kernel", nix=nix, reboot=None)


def module_option(situation: Situation, text: str, option: str, file: str, *, reboot: str | None = None) -> Step:
    """`option` of a module, for good. NixOS writes `/etc/modprobe.d` itself."""
    if _family(situation) == NIXOS:
        return _in_configuration(text, f'boot.extraModprobeConfig = "options {option}";', reboot)
    command = f"echo 'options {option}' | sudo tee /etc/modprobe.d/{file}.conf"
    return kernel_step(situation, text, command, reboot=reboot)


def sleep_services(situation: Situation) -> Step:
    """What saves a card's memory before the machine sleeps."""
    if _family(situation) == NIXOS:
        return _in_configuration("and set", "hardware.nvidia.powerManagement.enable = true;", None)
    return kernel_step(situation, "and", "sudo systemctl enable nvidia-suspend nvidia-resume nvidia-hibernate")


def keep_out(situation: Situation, driver: str, *, reboot: str | None) -> Step:
    """Another driver, which would take the card first."""
    text = f"keep `{driver}` from the card with"
    if _family(situation) == NIXOS:
        return _in_configuration(text, f'boot.blacklistedKernelModules = [ "{driver}" ];', reboot)
    lines = rf"blacklist {driver}\noptions {driver} modeset=0\n"
    command = f"printf '{lines}' | sudo tee /etc/modprobe.d/blacklist-{driver}.conf"
    return kernel_step(situation, text, command, reboot=reboot)


def _in_configuration(text: str, setting: str, reboot: str | None) -> Step:
    text = f"{text} `{setting}` in the configuration, then `{_REBUILD}`"
    return Step(text, _REBUILD, needs_root=True, needs_reboot=reboot)


def compute_part(situation: Situation, version: str | None) -> Step:
    """`libcuda.so.1` of the driver that is there."""
    text = f"install the part of driver {version} for CUDA" if version else "install the driver's part for CUDA"
    return _step(situation, _COMPUTE, text, nix=_GRAPHICS, branch=branch_of(version), reboot=None)


def management_part(situation: Situation, version: str | None) -> Step:
    return _step(situation, _MANAGEMENT, "install it", nix=_GRAPHICS, branch=branch_of(version), reboot=None)


def fabric_manager(situation: Situation, version: str | None) -> Step:
    text = f"install and start the fabric manager in the driver's version {version}" if version else "start the fabric manager"
    nix = "set `hardware.nvidia.datacenter.enable = true;` in the configuration, then `sudo nixos-rebuild switch`"
    return _step(situation, _FABRIC, text, nix=nix, branch=branch_of(version), reboot=None)


def boot_image(situation: Situation) -> Step | None:
    """What makes a change of the modules' settings hold at the next start."""
    command = _BOOT_IMAGE.get(_family(situation) or "")
    return run("renew the boot image with", command, reboot=FRESH, where=outside(situation)) if command else None


def node_helper(situation: Situation) -> Step | None:
    """The package with the helper that makes the nodes."""
    command = _HELPER.get(_family(situation) or "")
    return run("install its helper for good with", command, where=outside(situation)) if command else None


def _family(situation: Situation) -> str | None:
    """Of the host: what a container's own release file says is no help there."""
    return None if outside(situation) is Place.HOST else family(situation.host)


def _step(
    situation: Situation,
    commands: dict[str, str],
    text: str,
    *,
    nix: str,
    branch: int | None = None,
    reboot: str | None = FRESH,
) -> Step:
    place, mine = outside(situation), _family(situation)
    if place is Place.HOST:
        return Step(f"on the host {text}", needs_root=True, needs_reboot=reboot, where=place)
    if mine == NIXOS and nix:
        return Step(nix, _REBUILD, needs_root=True, needs_reboot=reboot)
    command = commands.get(mine or "", "")
    if not command or ("{branch}" in command and branch is None):
        return Step(f"{text.rstrip(',')} with the packages of this distribution", needs_root=True, needs_reboot=reboot)
    own = _FROM if commands is _INSTALL and text.startswith("install NVIDIA") else {}
    return run(own.get(mine or "", f"{text} with"), command.format(branch=branch), root=True, reboot=reboot)
