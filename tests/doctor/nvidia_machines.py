"""A machine with one NVIDIA card on which everything works, and how one fact of it is changed: for tests of causes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpuprobe.doctor.diagnosis import findings_of
from gpuprobe.doctor.findings import Certainty, Finding
from gpuprobe.facts import DeviceNode, FoundLibrary, Host, PciFunction, Reading
from gpuprobe.facts.system_facts import KernelLog, KernelModules, LogLine, SystemFacts
from gpuprobe.judging.rules import judge
from gpuprobe.machine import cards
from gpuprobe.model import Call, Depth, Device, Evidence, Outcome, Probe, Purpose, Request, Status
from tests.doctor.told_diagnoses import noted
from tests.records import a_card, a_device, a_host, an_outcome, evidence_of

FIRST, SECOND = "0000:01:00.0", "0000:41:00.0"
UUID = "GPU-11111111-2222-3333-4444-555555555555"
VERSION = "580.95.05"
KERNEL = "6.1.0-18-amd64"
FOLDER = "/usr/lib/x86_64-linux-gnu"
RELEASES = {
    "ubuntu": 'ID=ubuntu\nID_LIKE=debian\nPRETTY_NAME="Ubuntu 24.04.3 LTS"\n',
    "debian": 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "fedora": 'ID=fedora\nPRETTY_NAME="Fedora Linux 43 (Workstation Edition)"\n',
    "rocky": 'ID="rocky"\nID_LIKE="rhel centos fedora"\nPRETTY_NAME="Rocky Linux 9.6"\n',
    "arch": 'ID=arch\nPRETTY_NAME="Arch Linux"\n',
    "opensuse": 'ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\nPRETTY_NAME="openSUSE Tumbleweed"\n',
    "nixos": 'ID=nixos\nPRETTY_NAME="NixOS 25.11"\n',
    "other": 'ID=plan9\nPRETTY_NAME="Plan 9"\n',
}
OPEN = f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {VERSION}  Release Build\n"
CLOSED = f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {VERSION}  Tue Mar  4 01:00:00 UTC 2025\n"

NODES = (
    DeviceNode("/dev/nvidia-uvm", 0o666, 0, 0, 508, 0, True),
    DeviceNode("/dev/nvidia0", 0o666, 0, 0, 195, 0, True),
    DeviceNode("/dev/nvidiactl", 0o666, 0, 0, 195, 255, True),
)
DOCKER: Mapping[str, str | None] = {"/.dockerenv": ""}
LXC: Mapping[str, str | None] = {"/run/systemd/container": "lxc\n"}
VIRTUAL: Mapping[str, str | None] = {"/sys/class/dmi/id/sys_vendor": "QEMU\n"}


def library(name: str, version: str = VERSION, **fields: Any) -> FoundLibrary:
    """ "libcuda.so.1" as the driver of this version brings it."""
    found = {"path": f"{FOLDER}/{name}", "real_path": f"{FOLDER}/{name[:-2]}.{version}", "where": "linker cache"}
    return FoundLibrary(**{"name": name, **found, **fields})


BOTH = (library("libcuda.so.1"), library("libnvidia-ml.so.1"))


def texts(changed: Mapping[str, str | None] = {}, distribution: str = "ubuntu") -> dict[str, Reading]:
    """What the files of a working machine say; None: such a file is not there."""
    healthy: dict[str, str | None] = {
        "/etc/os-release": RELEASES[distribution],
        "/proc/devices": "Character devices:\n195 nvidia\n195 nvidiactl\n508 nvidia-uvm\n",
        "/proc/driver/nvidia/version": CLOSED,
        f"/proc/driver/nvidia/gpus/{FIRST}/information": f"Model: \t NVIDIA GeForce RTX 4090\nGPU UUID: \t {UUID}\n"
        "Device Minor: \t 0\n",
        "/sys/module/nvidia/initstate": "live\n",
        "/sys/module/nvidia/version": f"{VERSION}\n",
        "/sys/module/nvidia_uvm/initstate": "live\n",
        "/proc/self/cgroup": "0::/user.slice\n",
        "/sys/class/dmi/id/sys_vendor": "ASUS\n",
        "/proc/cpuinfo": "flags\t\t: fpu avx avx2\n",
    }
    said = {**healthy, **changed}
    return {path: Reading(text) if text is not None else Reading(None, "absent") for path, text in said.items()}


def without_driver(distribution: str = "ubuntu", **changed: str | None) -> dict[str, Reading]:
    """Of a machine on which no NVIDIA module is in memory."""
    gone = (
        "/proc/driver/nvidia/version",
        f"/proc/driver/nvidia/gpus/{FIRST}/information",
        "/sys/module/nvidia/initstate",
        "/sys/module/nvidia/version",
        "/sys/module/nvidia_uvm/initstate",
    )
    return texts({**dict.fromkeys(gone), "/proc/devices": "Character devices:\n  1 mem\n", **changed}, distribution)


def nvidia_host(**fields: Any) -> Host:
    known: dict[str, Any] = {"pci": (a_card(FIRST),), "nodes": NODES, "libraries": BOTH, "texts": texts(), "kernel": KERNEL}
    return a_host(**{**known, **fields})


def nvml(**fields: Any) -> Device:
    modes = {"compute_mode": "default", "ecc_enabled": None, "mig_enabled": None}
    known = {"pci_id": FIRST, "uuid": UUID, "used_memory": 0, "capabilities": modes, "kernel_version": VERSION}
    return a_device("NVML", **{**known, **fields})


def cuda(**fields: Any) -> Device:
    return a_device("CUDA", **{"pci_id": FIRST, "uuid": UUID, **fields})


def refused(code: int, name: str = "CUDA_ERROR", *, call: str = "cuInit", status: Status = Status.INIT_FAILED) -> Outcome:
    """CUDA's listing that ended with a number."""
    return an_outcome(
        library="CUDA", status=status, code=code, code_name=name, message=f"`{call}` failed", calls=(Call(call, None),)
    )


def no_context(code: int, device: Device | None = None, failure: str = "busy") -> tuple[Outcome, Outcome]:
    """CUDA lists the card and makes no context on it."""
    view = device or cuda()
    call = (Call("cuDevicePrimaryCtxRetain", None),)
    probe = Probe("CUDA", Purpose.VALIDATE, device=view.key)
    return an_outcome(view), Outcome(
        probe, Status.CALL_FAILED, calls=call, code=code, code_name="CUDA_ERROR", message="failed", failure=failure, seconds=0.1
    )


def absent(name: str) -> Outcome:
    words = f"`{name}` did not load: {name}: cannot open shared object file: No such file or directory"
    library = {"libcuda.so.1": "CUDA", "libnvidia-ml.so.1": "NVML", "libvulkan.so.1": "Vulkan"}[name]
    return an_outcome(library=library, status=Status.NOT_LOADABLE, message=words)


def passed(device: Device) -> Outcome:
    return Outcome(Probe(device.library, Purpose.VALIDATE, device=device.key), Status.OK, depth=Depth.CONTEXT, seconds=0.1)


def nvml_says(code: int, name: str = "NVML_ERROR", status: Status = Status.INIT_FAILED) -> Outcome:
    call = (Call("nvmlInitWithFlags", None),)
    return an_outcome(library="NVML", status=status, code=code, code_name=name, message="failed", calls=call)


COUNTS_NONE = an_outcome(library="NVML", status=Status.NO_DEVICES, message="NVML started and counts no card")


def log(*messages: str, whole: bool = True) -> SystemFacts:
    """What only a diagnosis reads: these lines of the kernel, a second apart."""
    lines = tuple(LogLine(message, at=10.0 + number) for number, message in enumerate(messages))
    return SystemFacts(log=KernelLog("/dev/kmsg", lines, is_whole=whole))


def modules(*files: str, others: Mapping[str, tuple[str, ...]] = {}, build: str = "there") -> tuple[KernelModules, ...]:
    """Modules on disk: for the running kernel, and for others."""
    mine = KernelModules(KERNEL, files, (), build)
    return (mine, *(KernelModules(kernel, found, (), "there") for kernel, found in others.items()))


def evidence(host: Host, *outcomes: Outcome) -> Evidence:
    return evidence_of(host=host, outcomes=outcomes)


def findings(host: Host, *outcomes: Outcome, address: str | None = FIRST, **request: Any) -> tuple[Finding, ...]:
    """All that is said of the card at this address, the headline first; None: of the only card."""
    inventory = judge(evidence(host, *outcomes), Request(**request))
    (card,) = (card for card in cards(host) if address is None or card.pci_id == address)
    return noted(findings_of(card, inventory))


def ids(found: Iterable[Finding]) -> list[str]:
    return [each.id for each in found]


def headline(host: Host, *outcomes: Outcome, **request: Any) -> Finding:
    return findings(host, *outcomes, **request)[0]


def is_certain(finding: Finding) -> bool:
    return finding.certainty is Certainty.CERTAIN


def commands(finding: Finding) -> str:
    return "\n".join(step.text for step in finding.fix)


def card(**fields: Any) -> tuple[PciFunction, ...]:
    return (a_card(FIRST, **fields),)
