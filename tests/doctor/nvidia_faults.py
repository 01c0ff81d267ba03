"""Faults of one NVIDIA card, each on a machine that is otherwise well, to be put onto a distribution and into a container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gpuprobe.facts import DeviceNode, FoundLibrary, Host
from gpuprobe.facts.system_facts import Opened, SystemFacts
from gpuprobe.model import GiB, Outcome, Status
from tests.doctor.nvidia_machines import (
    BOTH,
    FIRST,
    FOLDER,
    NODES,
    OPEN,
    absent,
    card,
    cuda,
    library,
    log,
    modules,
    no_context,
    nvidia_host,
    nvml,
    nvml_says,
    passed,
    refused,
    texts,
    without_driver,
)
from tests.records import a_card, an_outcome

WORKS = an_outcome(nvml())
UNKNOWN = refused(999, "CUDA_ERROR_UNKNOWN")
NONE = refused(100, "CUDA_ERROR_NO_DEVICE", status=Status.NO_DEVICES)
NO_CUDA, NO_NVML = absent("libcuda.so.1"), absent("libnvidia-ml.so.1")
_UNSTARTED = {f"/proc/driver/nvidia/gpus/{FIRST}/information": "GPU UUID: GPU-????????\nDevice Minor: 0\n"}
_NEWER = (library("libcuda.so.1", "580.105.08"), library("libnvidia-ml.so.1", "580.105.08"))
_NAMELESS = tuple(
    FoundLibrary(name, f"{FOLDER}/{name}", f"{FOLDER}/{name}", "linker cache") for name in ("libcuda.so.1", "libnvidia-ml.so.1")
)
_MODES = {"compute_mode": "default", "ecc_enabled": None, "mig_enabled": None}
_BRIDGE = a_card("0000:05:00.0", device=0x22A3, class_code=0x068000, driver="nvidia-nvswitch")


class Fault(NamedTuple):
    """`changed`: what files say otherwise; `fields`: of the host; `unloaded`: no module of NVIDIA's is in memory."""

    name: str
    outcomes: tuple[Outcome, ...]
    changed: Mapping[str, str | None] = {}
    fields: Mapping[str, Any] = {}
    unloaded: bool = False

    def on(self, distribution: str = "ubuntu", place: Mapping[str, str | None] = {}, **fields: Any) -> Host:
        """`place`: files that tell a container, a virtual machine or WSL."""
        changed = {**self.changed, **place}
        files = without_driver(distribution, **changed) if self.unloaded else texts(changed, distribution)
        return nvidia_host(**{**self.fields, "texts": files, **fields})


def _version(version: str, *, is_open: bool = False) -> dict[str, str | None]:
    flavour = f"Open Kernel Module for x86_64  {version}  Release" if is_open else f"x86_64 Kernel Module  {version}  Tue"
    return {
        "/proc/driver/nvidia/version": f"NVRM version: NVIDIA UNIX {flavour}\n",
        "/sys/module/nvidia/version": f"{version}\n",
        **_UNSTARTED,
    }


def _libraries(version: str) -> tuple[FoundLibrary, ...]:
    return library("libcuda.so.1", version), library("libnvidia-ml.so.1", version)


def _closed(path: str) -> tuple[DeviceNode, ...]:
    return tuple(node._replace(mode=0o660, gid=1200, accessible=False) if node.path == path else node for node in NODES)


def _without(path: str) -> tuple[DeviceNode, ...]:
    return tuple(node for node in NODES if node.path != path)


def _chip(device: int, version: str, *, is_open: bool = False, **fields: Any) -> dict[str, Any]:
    made = {"pci": card(device=device, driver="nvidia"), "libraries": _libraries(version), **fields}
    return {"outcomes": (NONE, nvml_says(9)), "changed": _version(version, is_open=is_open), "fields": made}


def _opening(error: str, number: int, path: str = "/dev/nvidiactl") -> SystemFacts:
    return SystemFacts(opened=(Opened(path, number, error),))


_ABSENT = {"nodes": (), "libraries": (), "pci": card(driver=None), "system": SystemFacts(modules=modules())}
_NOUVEAU = {**_ABSENT, "pci": card(driver="nouveau")}
_FREE = {"pci": card(driver=None), "nodes": ()}
_NO_UVM = {"/sys/module/nvidia_uvm/initstate": None, "/proc/devices": "Character devices:\n195 nvidia\n"}
_CLOSED = {"/proc/driver/nvidia/params": "DeviceFileMode: 432\n"}
_NO_VERSION: dict[str, str | None] = {"/proc/driver/nvidia/version": None, "/sys/module/nvidia/version": None}
_FULL = nvml(total_memory=24 * GiB, free_memory=GiB // 4, used_memory=24 * GiB - GiB // 4)

FAULTS = (
    Fault("no driver", (NO_CUDA, NO_NVML), fields=_ABSENT, unloaded=True),
    Fault("nouveau", (NO_CUDA, NO_NVML), fields=_NOUVEAU, unloaded=True),
    Fault(
        "nouveau before the driver",
        (NONE,),
        fields={**_ABSENT, "pci": card(driver="nouveau"), "libraries": BOTH},
        unloaded=True,
    ),
    Fault("not built", (NONE,), fields={**_FREE, "system": SystemFacts(modules=modules())}, unloaded=True),
    Fault("not loaded", (NONE,), fields=_FREE, unloaded=True),
    Fault("not loaded, of no known version", (NONE,), fields={**_FREE, "libraries": _NAMELESS}, unloaded=True),
    Fault("forbidden", (NONE,), {"/proc/cmdline": "module_blacklist=nvidia\n"}, _FREE, unloaded=True),
    Fault("dropped by the branch", **_chip(0x1C81, "595.58.03")),
    Fault("older than the card", **_chip(0x2B85, "550.163.01", is_open=True)),
    Fault("open on an old chip", **_chip(0x1BB3, "580.95.05", is_open=True)),
    Fault("closed on a new chip", **_chip(0x2B85, "580.95.05")),
    Fault("two versions", (UNKNOWN, nvml_says(18)), fields={"libraries": _NEWER}),
    Fault("two versions, NVML's alone", (NO_CUDA, nvml_says(18)), fields={"libraries": _NEWER[1:]}),
    Fault("two versions, and a restart is due", (UNKNOWN,), {"/run/reboot-required": ""}, {"libraries": _NEWER}),
    Fault("no memory module", (UNKNOWN, WORKS), _NO_UVM, {"nodes": _without("/dev/nvidia-uvm")}),
    Fault("no memory node", (UNKNOWN, WORKS), fields={"nodes": _without("/dev/nvidia-uvm")}),
    Fault(
        "memory node of an earlier start",
        (UNKNOWN, WORKS),
        {"/proc/devices": "Character devices:\n195 nvidia\n511 nvidia-uvm\n"},
        {"system": _opening("ENXIO", 6, "/dev/nvidia-uvm")},
    ),
    Fault("HMM", (refused(3), WORKS), {"/proc/driver/nvidia/version": OPEN}),
    Fault(
        "slept",
        (UNKNOWN, WORKS),
        {"/proc/driver/nvidia/params": "PreserveVideoMemoryAllocations: 0\n"},
        {"system": log("PM: suspend entry (deep)", "PM: suspend exit")},
    ),
    Fault("bridges", (refused(802), WORKS), fields={"pci": (_BRIDGE, a_card(FIRST, device=0x2330))}),
    Fault(
        "bridges, and a driver of no known version",
        (refused(802), WORKS),
        _NO_VERSION,
        {"pci": (_BRIDGE, a_card(FIRST, device=0x2330)), "libraries": _NAMELESS},
    ),
    Fault("no control node", (NONE, nvml_says(9)), fields={"nodes": _without("/dev/nvidiactl")}),
    Fault("no node of the card", (NONE, nvml_says(9)), fields={"nodes": _without("/dev/nvidia0")}),
    Fault("no nodes", (NONE, nvml_says(9)), fields={"nodes": ()}),
    Fault(
        "denied",
        (NONE, nvml_says(4)),
        {"/proc/driver/nvidia/params": "DeviceFileMode: 432\n"},
        {"nodes": _closed("/dev/nvidia0")},
    ),
    Fault("memory node denied", (NONE, nvml_says(4)), fields={"nodes": _closed("/dev/nvidia-uvm")}),
    Fault("forbidden by the control group", (NONE, nvml_says(999)), fields={"system": _opening("EPERM", 1)}),
    Fault(
        "forbidden by SELinux",
        (NONE, nvml_says(4)),
        {"/sys/fs/selinux/enforce": "1\n", "/proc/self/attr/current": "system_u:system_r:container_t:s0\n"},
        {"system": _opening("EACCES", 13)},
    ),
    Fault("no library of CUDA", (NO_CUDA, WORKS), fields={"libraries": BOTH[1:]}),
    Fault("no library of CUDA, NVML silent", (NO_CUDA, nvml_says(9)), fields={"libraries": BOTH[1:]}),
    Fault("no library of CUDA, of no known version", (NO_CUDA, WORKS), _NO_VERSION, {"libraries": _NAMELESS[1:]}),
    Fault("no library of NVML", (an_outcome(cuda()), NO_NVML, passed(cuda())), fields={"libraries": BOTH[:1]}),
    Fault("no compiler", no_context(221)),
    Fault("compiler too old", no_context(222)),
    Fault("compiler too old, of no known version", no_context(222), _NO_VERSION, {"libraries": _NAMELESS}),
    Fault("compatibility package", (refused(804), WORKS)),
    Fault("off the bus", (UNKNOWN, nvml_says(15))),
    Fault("needs a reset", (UNKNOWN, nvml_says(16))),
    Fault("off to save power", (UNKNOWN, nvml_says(9)), {f"/sys/bus/pci/devices/{FIRST}/power/runtime_status": "error\n"}),
    Fault("not started", (NONE, nvml_says(9, status=Status.NO_DEVICES)), _UNSTARTED),
    Fault("error of its memory", no_context(214)),
    Fault("one program at a time", (*no_context(46), an_outcome(nvml(capabilities={**_MODES, "compute_mode": "prohibited"})))),
    Fault("takes no context", (*no_context(46), WORKS)),
    Fault("without a licence", (*no_context(102), WORKS)),
    Fault("cut into nothing", (NONE, an_outcome(nvml(capabilities={**_MODES, "mig_enabled": True})))),
    Fault("full", (*no_context(2), an_outcome(_FULL))),
)
