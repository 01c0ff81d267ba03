"""Which of the programs that a cure is made with are installed: a command that is not there cures nothing."""

from __future__ import annotations

from gpuprobe.survey.tree import Tree

_PLACES = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin", "/snap/bin", "/run/current-system/sw/bin")
_NAMES = (
    *(
        "update-initramfs",
        "dracut",
        "mkinitcpio",
        "update-grub",
        "grub2-mkconfig",
        "grubby",
        "kernelstub",
        "rpm-ostree",
        "bootctl",
    ),
    *(
        "dkms",
        "akmods",
        "mokutil",
        "kmodgenca",
        "ubuntu-drivers",
        "nvidia-modprobe",
        "nvidia-smi",
        "nvidia-ctk",
        "nvidia-detector",
    ),
    *("nvidia-container-runtime", "nvidia-container-cli", "nvidia-fabricmanager", "nv-fabricmanager", "nvidia-xconfig"),
    *("rocminfo", "amd-smi", "rocm-smi", "amdgpu-install", "clinfo", "vulkaninfo", "sycl-ls", "zello_sysman"),
    *("prime-select", "envycontrol", "supergfxctl", "system76-power", "switcherooctl", "optimus-manager", "boltctl"),
    *("docker", "podman", "nerdctl", "lxc", "incus", "pct", "kubectl", "apptainer", "singularity", "flatpak", "snap"),
    *("systemctl", "rc-service", "sv", "journalctl", "dmesg", "modprobe", "sudo", "doas", "ollama", "llama-server"),
    *("apt", "dnf", "pacman", "zypper", "apk", "xbps-install", "emerge", "nix-env", "transactional-update", "yay", "paru"),
)


def programs(tree: Tree) -> dict[str, str]:
    """Name → path of those that are there, where root and people look for them."""
    there = [(place, frozenset(tree.names(place))) for place in _PLACES]
    found = {name: next((f"{place}/{name}" for place, names in there if name in names), None) for name in _NAMES}
    return {name: path for name, path in found.items() if path is not None}
