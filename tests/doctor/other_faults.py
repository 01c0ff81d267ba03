"""Faults of one AMD or Intel card on a machine that is otherwise well, to be put onto a distribution and into a container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gpuprobe.facts import Bar, FoundLibrary, Host, Reading
from gpuprobe.facts.system_facts import DkmsModule, DriverLibrary, KernelModules, Package, SystemFacts
from gpuprobe.model import Call, Device, GiB, MiB, Outcome, Probe, Purpose, Status
from tests.doctor.sick_machines import (
    ADDRESS,
    KFD,
    UBUNTU,
    a_node,
    a_radeon,
    an_arc,
    kfd_nodes,
    level_zero_finds_nothing,
    not_installed,
    opened,
    rocm_finds_nothing,
    said,
    vulkan_fails,
)
from tests.records import a_device, a_host, a_manifest, a_software_renderer

RELEASES: dict[str, dict[str, Reading]] = {
    "ubuntu": UBUNTU,
    "debian": {"/etc/os-release": Reading("ID=debian\nVERSION_ID=12\nVERSION_CODENAME=bookworm\n")},
    "fedora": {"/etc/os-release": Reading("ID=fedora\nVERSION_ID=43\n")},
    "silverblue": {"/etc/os-release": Reading("ID=fedora\nVERSION_ID=43\n"), "/run/ostree-booted": Reading("")},
    "arch": {"/etc/os-release": Reading("ID=arch\n")},
    "opensuse": {"/etc/os-release": Reading("ID=opensuse-tumbleweed\n")},
    "alpine": {"/etc/os-release": Reading("ID=alpine\n")},
    "other": {"/etc/os-release": Reading("ID=plan9\n")},
}
_KERNEL = "6.1.0-18-amd64"
_BUS = f"/sys/bus/pci/devices/{ADDRESS}"
_RADV = "/usr/share/vulkan/icd.d/radeon_icd.x86_64.json"
_LOADER = FoundLibrary("libvulkan.so.1", "/usr/lib/libvulkan.so.1", "/usr/lib/libvulkan.so.1.3.239", "default directory")
_FATAL = f"amdgpu {ADDRESS}: Fatal error during GPU init"
_HANGS = Outcome(Probe("ROCm", Purpose.LIST), Status.TIMED_OUT, seconds=30.0, message="no answer within 30 s")
_NO_VULKAN, _NO_ROCM, _NO_ZE = not_installed("Vulkan"), not_installed("ROCm"), not_installed("Level Zero")


class Fault(NamedTuple):
    """`texts` are of the kernel's files, `fields` of the host."""

    name: str
    outcomes: tuple[Outcome, ...]
    fields: Mapping[str, Any]
    texts: Mapping[str, Reading] = {}
    system: SystemFacts | None = None
    devices: tuple[Device, ...] = ()

    def on(self, distribution: str = "ubuntu", place: Mapping[str, Reading] = {}, **fields: Any) -> Host:
        """`place`: files that tell a container."""
        files = {**RELEASES[distribution], **self.texts, **place}
        return a_host(**{"gids": (992, 1000), **self.fields, "texts": files, "system": self.system, **fields})


def _modules(*names: str) -> tuple[KernelModules, ...]:
    return (KernelModules(_KERNEL, tuple(f"kernel/drivers/gpu/drm/{name}/{name}.ko" for name in names), ()),)


def _driver(release: str) -> FoundLibrary:
    place, name = "/usr/lib/x86_64-linux-gnu", "libze_intel_gpu.so.1"
    return FoundLibrary(name, f"{place}/{name}", f"{place}/libze_intel_gpu.so.{release}", "default directory")


def _fails(view: Device, code: int | None, status: Status, **fields: Any) -> Outcome:
    probe = Probe(view.library, Purpose.VALIDATE, device=view.key)
    calls = (Call("hipModuleLoad", None),)
    return Outcome(probe, status, code=code, message="it failed", seconds=0.1, calls=calls, **fields)


_RADEON = {"pci": (a_radeon(),), "nodes": (a_node(), a_node(KFD))}
_UNBOUND = {"pci": (a_radeon(driver=None, drm=()),)}
_ARC = {"pci": (an_arc(),), "nodes": (a_node(),)}
_NO_ARC_DRIVER = {"pci": (an_arc(driver=None, drm=()),)}
_OLD_GRAPHICS = {"pci": (an_arc(device=0x5916, driver="i915"),), "nodes": (a_node(),)}
_SMALL = {"pci": (an_arc(bars=(Bar(0, 0x6000000000, 16 * MiB), Bar(2, 0x4000000000, 256 * MiB))),), "nodes": (a_node(),)}
_ABSENT = {"/sys/module/amdgpu/initstate": Reading(None, "absent")}
_LIVE = {"/sys/module/amdgpu/initstate": Reading("live\n")}
_VIEW = a_device("ROCm", pci_id=ADDRESS, gfx_target="gfx906", compute_major=9)
_FORCE = (
    f"xe {ADDRESS}: Your graphics device e20b is not officially supported by xe driver in this kernel version. "
    "To force Xe probe, use xe.force_probe='e20b'"
)
_GUC = f"xe {ADDRESS}: [drm] *ERROR* GT0: GuC firmware xe/bmg_guc_70.bin: fetch failed with error -2"
_NO_FILE = f"amdgpu {ADDRESS}: Direct firmware load for amdgpu/gc_12_0_1_pfp.bin failed with error -2"
_NO_SPACE = f"amdgpu {ADDRESS}: BAR 0: no space for [mem size 0x400000000 64bit pref]"
_MES = f"amdgpu {ADDRESS}: amdgpu: MES failed to respond to msg=REMOVE_QUEUE"
_ATOMICS = "kfd kfd: amdgpu: skipped device 1002:744c, PCI rejects atomics"
_WITHOUT_NODE = {path: text for path, text in kfd_nodes().items() if "/0/" in path}

FAULTS = (
    Fault("module not loaded", (), _UNBOUND, _ABSENT, SystemFacts(modules=_modules("amdgpu"))),
    Fault(
        "module forbidden",
        (),
        _UNBOUND,
        _ABSENT,
        SystemFacts(modules=_modules("amdgpu"), files={"/etc/modprobe.d/x.conf": Reading("blacklist amdgpu\n")}),
    ),
    Fault("module not there", (), _UNBOUND, _ABSENT, SystemFacts(modules=_modules())),
    Fault("chip unknown", (), _UNBOUND, _LIVE, SystemFacts(modules=_modules("amdgpu"), claims={ADDRESS: ()})),
    Fault("nomodeset", (), _UNBOUND, {**_ABSENT, "/proc/cmdline": Reading("quiet nomodeset")}),
    Fault("no firmware", (), _UNBOUND, _LIVE, SystemFacts(log=said(_NO_FILE, _FATAL))),
    Fault("no window", (), _UNBOUND, _LIVE, SystemFacts(log=said(_NO_SPACE, _FATAL))),
    Fault("radeon", (), {"pci": (a_radeon(driver="radeon", device=0x6798),), "nodes": (a_node(),)}),
    Fault("not built", (), _UNBOUND, _ABSENT, SystemFacts(dkms=(DkmsModule("amdgpu", "6.12.12", ()),))),
    Fault("ROCm hangs", (_HANGS,), _RADEON, {**kfd_nodes(), "/sys/module/amdgpu/version": Reading("6.8.5")}),
    Fault(
        "ROCm hangs, and the log tells of faults",
        (_HANGS,),
        _RADEON,
        kfd_nodes(),
        SystemFacts(log=said("amdgpu 0000:03:00.0: GCVM_L2_PROTECTION_FAULT_STATUS:0x00701431")),
    ),
    Fault(
        "two cards hang",
        (_HANGS,),
        {**_RADEON, "pci": (a_radeon(), a_radeon("0000:09:00.0", drm=("card1", "renderD129")))},
        {**kfd_nodes(), "/proc/cmdline": Reading("quiet")},
    ),
    Fault(
        "bad firmware",
        (rocm_finds_nothing(),),
        _RADEON,
        kfd_nodes(110501),
        SystemFacts(
            log=said(_MES), packages=(Package("linux-firmware", "20251125-1", "pacman"),), package_lists={"pacman": None}
        ),
    ),
    Fault("no KFD", (rocm_finds_nothing(),), {"pci": (a_radeon(),), "nodes": (a_node(),)}),
    Fault(
        "KFD denied",
        (rocm_finds_nothing(),),
        {"pci": (a_radeon(),), "nodes": (a_node(), a_node(KFD, accessible=False)), "gids": (1000,)},
        kfd_nodes(),
    ),
    Fault(
        "both nodes denied",
        (rocm_finds_nothing(),),
        {"pci": (a_radeon(),), "nodes": (a_node(accessible=False), a_node(KFD, accessible=False)), "gids": (1000,)},
        kfd_nodes(),
    ),
    Fault("KFD refused", (rocm_finds_nothing(),), _RADEON, kfd_nodes(), SystemFacts(opened=opened(KFD, "EINVAL", 22))),
    Fault("no node of KFD", (rocm_finds_nothing(),), _RADEON, _WITHOUT_NODE),
    Fault(
        "chip unknown to KFD",
        (rocm_finds_nothing(),),
        _RADEON,
        _WITHOUT_NODE,
        SystemFacts(log=said("kfd kfd: amdgpu: VERDE  not supported in kfd")),
    ),
    Fault("no atomics", (rocm_finds_nothing(),), _RADEON, _WITHOUT_NODE, SystemFacts(log=said(_ATOMICS))),
    Fault("old firmware", (rocm_finds_nothing(),), _RADEON, _WITHOUT_NODE, SystemFacts(log=said(f"{_ATOMICS} 494<509"))),
    Fault("chip dropped by ROCm", (rocm_finds_nothing(),), _RADEON, kfd_nodes(80003)),
    Fault(
        "no code", (_fails(_VIEW, 209, Status.CALL_FAILED, failure="unsupported"),), _RADEON, kfd_nodes(90006), None, (_VIEW,)
    ),
    Fault("no library", (_NO_ROCM, _NO_VULKAN), _RADEON, kfd_nodes()),
    Fault("no Vulkan driver", (_NO_ROCM, vulkan_fails()), {**_RADEON, "libraries": (_LOADER,)}, kfd_nodes()),
    Fault(
        "Vulkan driver without a library",
        (_NO_ROCM, vulkan_fails()),
        {**_RADEON, "libraries": (_LOADER,), "manifests": (a_manifest(_RADV),)},
        kfd_nodes(),
        SystemFacts(
            driver_libraries=(DriverLibrary(_RADV, "libvulkan_radeon.so", "/usr/lib/libvulkan_radeon.so", ("libdrm.so.2",)),)
        ),
    ),
    Fault(
        "Vulkan driver of an old release",
        (_NO_ROCM,),
        {**_RADEON, "libraries": (_LOADER,), "manifests": (a_manifest(_RADV),)},
        kfd_nodes(),
        SystemFacts(driver_libraries=(DriverLibrary(_RADV, "libvulkan_radeon.so", "/usr/lib/libvulkan_radeon.so", ()),)),
        (a_software_renderer(),),
    ),
    Fault("held for a virtual machine", (), {"pci": (a_radeon(driver="vfio-pci", drm=()),)}),
    Fault("Intel: no library", (_NO_ZE, _NO_VULKAN), _ARC),
    Fault("Intel: denied", (level_zero_finds_nothing(),), {**_ARC, "nodes": (a_node(accessible=False),), "gids": (1000,)}),
    Fault("Intel: node not there", (level_zero_finds_nothing(),), {**_ARC, "nodes": ()}),
    Fault(
        "Intel: small window",
        (level_zero_finds_nothing(),),
        {**_SMALL, "libraries": (_driver("1.15.38646"),)},
        {f"{_BUS}/tile0/physical_vram_size_bytes": Reading(str(12 * GiB))},
    ),
    Fault("Intel: no driver library", (level_zero_finds_nothing(),), _ARC),
    Fault("Intel: chip dropped", (level_zero_finds_nothing(),), {**_OLD_GRAPHICS, "libraries": (_driver("1.15.38646"),)}),
    Fault("Intel: old runtime", (level_zero_finds_nothing(),), {**_ARC, "libraries": (_driver("1.3.27642"),)}),
    Fault("Intel: chip forced", (), _NO_ARC_DRIVER, {}, SystemFacts(log=said(_FORCE))),
    Fault("Intel: chip unknown", (), _NO_ARC_DRIVER, {}, SystemFacts(modules=_modules("xe", "i915"), claims={ADDRESS: ()})),
    Fault(
        "Intel: module not loaded",
        (),
        _NO_ARC_DRIVER,
        {"/sys/module/xe/initstate": Reading(None, "absent")},
        SystemFacts(modules=_modules("xe"), claims={ADDRESS: ("xe",)}),
    ),
    Fault(
        "Intel: module forbidden",
        (),
        _NO_ARC_DRIVER,
        {"/sys/module/xe/initstate": Reading(None, "absent")},
        SystemFacts(
            modules=_modules("xe"), claims={ADDRESS: ("xe",)}, files={"/etc/modprobe.d/x.conf": Reading("blacklist xe\n")}
        ),
    ),
    Fault("Intel: no firmware", (level_zero_finds_nothing(),), _ARC, {}, SystemFacts(log=said(_GUC))),
)
