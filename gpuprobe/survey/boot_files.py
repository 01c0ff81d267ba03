"""What the kernel was started with and what this process may do: small, cheap, and read wherever there is a card.

Of files that say more than concerns GPUs only the words that do are kept: a command line names disks, addresses and keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from gpuprobe.facts import Reading
from gpuprobe.survey.tree import ABSENT, Tree

CMDLINE, STATUS = "/proc/cmdline", "/proc/self/status"
_MOST_WORDS = 200

# Parameters of the kernel and of modules that decide about cards.
_WORD = re.compile(
    r"(?:nomodeset|nokaslr|kaslr|noapic|nolapic|acpi_osi|acpi|iommu|amd_iommu|intel_iommu|pci|pcie_[a-z_]{1,24}|video|efifb"
    r"|module_blacklist|modprobe\.blacklist|rd\.driver\.blacklist|blacklist|initcall_blacklist|lockdown|module\.sig_enforce|mem"
    r"|default_hugepagesz|hugepages|quiet|single|emergency|rescue|systemd\.unit"
    r"|(?:amdgpu|ttm|drm|radeon|nvidia|nvidia[-_](?:drm|uvm|modeset)|nouveau|i915|xe|vfio[-_]pci|vfio|kvm|thunderbolt)\.[a-z0-9_]{1,48})"
    r"(?:=\S{0,400})?",
    re.IGNORECASE,
)
_OF_STATUS = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
_WHOLE = (
    "/proc/self/uid_map",
    "/proc/self/gid_map",
    "/sys/kernel/security/lockdown",
    "/run/reboot-required",
    "/run/ostree-booted",
    *(f"/sys/module/ttm/parameters/{name}" for name in ("pages_limit", "page_pool_size")),
    *(f"/sys/module/amdgpu/parameters/{name}" for name in ("gttsize", "vis_vramlimit", "virtual_display", "cwsr_enable")),
    "/sys/module/nvidia_uvm/parameters/uvm_disable_hmm",
)


def boot_files(tree: Tree) -> Iterator[tuple[str, Reading]]:
    """(path, content); of what is not there only the first two, without which nothing is known of their words."""
    yield CMDLINE, _with(tree.read(CMDLINE), _words)
    yield STATUS, _with(tree.read(STATUS), _fields)
    for path in _WHOLE:
        reading = tree.read(path, most=4096)
        if reading.problem != ABSENT:
            yield path, reading


def _with(reading: Reading, kept: Callable[[str], str]) -> Reading:
    return reading._replace(text=kept(reading.text)) if reading.text is not None else reading


def _words(text: str) -> str:
    return " ".join(word for word in text.split()[:_MOST_WORDS] if _WORD.fullmatch(word))


def _fields(text: str) -> str:
    return "".join(f"{line}\n" for line in text.splitlines()[:200] if line.partition(":")[0] in _OF_STATUS)
