"""What kind of machine this is: operating system, virtual machine, container, WSL, Jetson."""

from __future__ import annotations

import re
from typing import NamedTuple

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

# NVIDIA's Jetson Linux archive: release of Linux for Tegra → JetPack. No inference build is made for 4 any more.
_JETPACKS = {32: 4, 34: 5, 35: 5, 36: 6, 38: 7, 39: 7}
_OLDEST_JETPACK = 5


class JetPack(NamedTuple):
    """The JetPack release of a Jetson. `version` None: a Jetson, and its release is not known."""

    version: int | None
    source: str  # "JETSON_JETPACK" or "/etc/nv_tegra_release"
    l4t: str | None = None  # "36.4.3"
    problem: str | None = None  # a sentence

    @property
    def supported(self) -> bool | None:
        return None if self.version is None else self.version >= _OLDEST_JETPACK


def text_of(host: Host, path: str) -> str:
    """A text of the survey, trimmed; empty where there is none."""
    reading = host.texts.get(path)
    return (reading.text or "").strip() if reading else ""


def exists(host: Host, path: str) -> bool:
    """Whether a file was there, readable or not."""
    reading = host.texts.get(path)
    return reading is not None and reading.problem != "absent"


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


def foreign_to_wsl(host: Host, names: tuple[str, ...]) -> str | None:
    """Where the loader finds the first of these libraries of NVIDIA's, if that is a driver for Linux: inside WSL 2 it never
    works, and hides the one that Windows brings. In a container the toolkit puts that of Windows in the usual place."""
    if wsl(host) != 2 or container(host) not in (NONE, None):
        return None
    found = next((library for library in host.libraries if library.name in names), None)
    of_windows = found is None or any(path.startswith("/usr/lib/wsl/") for path in (found.path, found.real_path))
    return None if of_windows or found is None else found.path


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
    return certain or named or _by_cgroup(text_of(host, "/proc/self/cgroup")) or (NONE if host.texts else None)


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


def jetpack(host: Host) -> JetPack | None:
    """The JetPack release: as JETSON_JETPACK says, else by the installed Linux for Tegra. None: not a Jetson.

    Only on arm64 Linux: the variable means nothing elsewhere.
    """
    if host.platform != "linux" or host.machine not in ("aarch64", "arm64"):
        return None
    wanted = cleaned(host.environ.get("JETSON_JETPACK", ""))
    number = re.fullmatch(r"([0-9]{1,3})(?:\.[0-9.]*)?", wanted)
    if number:
        return JetPack(int(number[1]), "JETSON_JETPACK")
    problem = f"JETSON_JETPACK is `{wanted}`, and not a number such as 6 or 6.2: it is not followed" if wanted else None
    return _installed_jetpack(host, problem)


def _installed_jetpack(host: Host, problem: str | None) -> JetPack | None:
    path = "/etc/nv_tegra_release"
    if not exists(host, path):
        return JetPack(None, "JETSON_JETPACK", problem=problem) if problem else None
    # "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: …"
    found = re.search(r"\sR([0-9]{1,3})\s(?:.*REVISION:\s*([0-9.]+))?", text_of(host, path))
    if found is None:
        nameless = f"`{path}` names no release; set JETSON_JETPACK, for example to 6"
        return JetPack(None, path, problem=problem or nameless)
    l4t = found[1] + (f".{found[2].strip('.')}" if found[2] else "")
    version = _JETPACKS.get(int(found[1]))
    unknown = None if version else f"Linux for Tegra {l4t} is no release that gpuprobe knows; set JETSON_JETPACK"
    return JetPack(version, path, l4t, problem or unknown)
