"""What kind of machine this is: operating system, virtual machine, container, WSL."""

from __future__ import annotations

from gpuprobe.environment import cleaned
from gpuprobe.facts import Host

NONE = "none"  # looked for, and no sign of it; None is "cannot be told"

# What an element of a control group's path begins with, and ends with. `docker.service` on a host must not count.
_CGROUPS = (
    ("kubernetes", "kubepods", ""),
    ("docker", "docker-", ".scope"),
    ("podman", "libpod-", ""),
    ("lxc", "lxc.payload", ""),
    ("systemd-nspawn", "systemd-nspawn@", ""),
)
_WHOLE_ELEMENTS = ("docker", "lxc")
_CONTAINER_FILES = ("/.flatpak-info", "/run/.containerenv", "/.dockerenv", "/run/systemd/container", "/proc/self/cgroup")
_VENDORS = (
    ("vmware", "VMware"),
    ("virtualbox", "VirtualBox"),
    ("innotek", "VirtualBox"),
    ("parallels", "Parallels"),
    ("xen", "Xen"),
    ("amazon ec2", "Amazon EC2"),
    ("google compute engine", "Google Compute Engine"),
    ("microsoft corporation virtual machine", "Hyper-V"),
    ("bochs", "Bochs"),
    ("kvm", "KVM"),
    ("qemu", "QEMU"),
)


def text_of(host: Host, path: str) -> str:
    """A text of the survey, trimmed; empty where there is none."""
    reading = host.texts.get(path)
    return (reading.text or "").strip() if reading else ""


def exists(host: Host, path: str) -> bool:
    """Whether a file was there, readable or not: an error that is no refusal is not known to be the file's own."""
    reading = host.texts.get(path)
    return reading is not None and reading.problem in (None, "denied")


def is_uncertain(host: Host, path: str) -> bool:
    """Whether an error came in place of an answer, as from a file system that is broken or a limit of open files."""
    reading = host.texts.get(path)
    return reading is not None and (reading.problem or "").startswith("error")


def fields_of(text: str) -> dict[str, str]:
    """The `name: value` lines of a text; of a name that comes twice, the first."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    return fields


def operating_system(host: Host) -> str | None:
    """The name that people know: "Ubuntu 24.04.1 LTS", "macOS 15.1", "Windows 11 (build 26100)"."""
    if host.platform == "darwin":
        return f"macOS {host.facts.get('kern.osproductversion') or ''}".strip()
    if host.platform == "win32":
        return _windows(host.facts.get("windows_build"))
    release = text_of(host, "/etc/os-release") or text_of(host, "/usr/lib/os-release")
    named = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    name = named.get("PRETTY_NAME") or named.get("NAME") or ""
    return name.strip().strip("\"'") or None


def _windows(build: int | str | None) -> str:
    if not isinstance(build, int):
        return "Windows"
    return f"Windows {11 if build >= 22000 else 10} (build {build})"


def wsl(host: Host) -> int | None:
    """1 or 2 inside the Windows Subsystem for Linux, else None.

    Version 1 has a kernel such as 4.4.0-19041-Microsoft; version 2 one such as 5.15.90.1-microsoft-standard-WSL2, or
    the user's own, which then shows by what WSL puts around it.
    """
    if host.platform != "linux":
        return None
    kernel = host.kernel.casefold()
    if kernel.endswith("-microsoft"):
        return 1
    around = "WSL_DISTRO_NAME" in host.environ or any(node.path == "/dev/dxg" for node in host.nodes)
    return 2 if "microsoft-standard" in kernel or "wsl2" in kernel or around else None


def container(host: Host) -> str | None:
    """The kind of container ("docker", "podman", "kubernetes", "lxc"…), "none", or None: cannot be told."""
    if host.platform != "linux":
        return None
    marks = {
        "kubernetes": "KUBERNETES_SERVICE_HOST" in host.environ,
        "apptainer": "APPTAINER_CONTAINER" in host.environ or "SINGULARITY_CONTAINER" in host.environ,
        "flatpak": exists(host, "/.flatpak-info"),
        "snap": "SNAP_NAME" in host.environ,
        "podman": exists(host, "/run/.containerenv"),
        "docker": exists(host, "/.dockerenv"),
    }
    certain = next((name for name, there in marks.items() if there), None)
    named = text_of(host, "/run/systemd/container") or cleaned(host.environ.get("container", ""))
    return certain or named or _by_cgroup(text_of(host, "/proc/self/cgroup")) or (NONE if _all_looked_at(host) else None)


def _all_looked_at(host: Host) -> bool:
    """Whether none of the files that would name a container gave an error in place of an answer."""
    return bool(host.texts) and not any(is_uncertain(host, path) for path in _CONTAINER_FILES)


def _by_cgroup(text: str) -> str | None:
    elements = {element for line in text.splitlines() for element in line.split("/")[1:]}
    for name, start, end in _CGROUPS:
        if any(element.startswith(start) and element.endswith(end) for element in elements):
            return name
    return next((name for name in _WHOLE_ELEMENTS if name in elements), None)


def virtualization(host: Host) -> str | None:
    """The hypervisor below this system as far as it names itself ("KVM", "Hyper-V"…); "none"; None: cannot be told.

    "virtual machine": the processor says so, and nothing says which.
    """
    if host.platform == "darwin":
        inside = host.facts.get("kern.hv_vmm_present")
        return None if inside is None else "virtual machine" if inside else NONE
    if wsl(host) == 2:
        return "Hyper-V"
    named = _by_vendor(host)
    if named or host.platform != "linux":
        return named
    flags = fields_of(text_of(host, "/proc/cpuinfo")).get("flags")
    if flags is None:  # Arm has no such flag
        return None
    return "virtual machine" if "hypervisor" in flags.split() else NONE


def _by_vendor(host: Host) -> str | None:
    maker = text_of(host, "/sys/class/dmi/id/sys_vendor") + " " + text_of(host, "/sys/class/dmi/id/product_name")
    said = f"{maker} {text_of(host, '/sys/hypervisor/type')}".casefold()
    if "linux,dummy-virt" in text_of(host, "/proc/device-tree/compatible"):
        return "QEMU"
    return next((name for sign, name in _VENDORS if sign in said and not _bare_metal(said)), None)


def _bare_metal(said: str) -> bool:
    return "amazon ec2" in said and ".metal" in said
