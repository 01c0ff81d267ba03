"""Parts of NVIDIA's driver that do not fit each other, or of which one is missing or stale: kernel modules and libraries."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpuprobe.doctor.about_nvidia import recipes, signs
from gpuprobe.doctor.about_nvidia.saying import AGAIN, cause, kernel_step, look_at_the_log, reboot
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Step
from gpuprobe.doctor.nvidia.libraries_of_the_driver import shadow_of
from gpuprobe.doctor.situation import Situation
from gpuprobe.machine import kernel_log, kernel_modules
from gpuprobe.machine.boot_parameters import has_word
from gpuprobe.machine.nvidia import module_version
from gpuprobe.model import Status

INITSTATE = "/sys/module/nvidia_uvm/initstate"
_AT_EVERY_START = r"printf 'nvidia\nnvidia-uvm\n' | sudo tee /etc/modules-load.d/nvidia.conf"
# CUDA's numbers where its memory module does not answer it: 999, or 3 with the open module (open-gpu-kernel-modules#797), or
# 304 and 100 as older releases say.
MEMORY_CODES = (3, 100, 304, 999)
# "nvidia-uvm: uvm_pmm_gpu.c:3419 devmem_alloc_pagemap[…] request_free_mem_region() err -34"
_NO_REGION = re.compile("devmem_alloc_pagemap|request_free_mem_region")


def versions_differ(situation: Situation) -> Iterator[Finding]:
    """Two files prove it, with no library called: the module in memory and the library that the loader takes."""
    host = situation.host
    library, module = signs.version_of_libraries(host), module_version(host)
    if library is None or module is None or library == module or shadow_of(host) is not None:
        return
    is_lxc = situation.container == "lxc"
    own = f"this {situation.container} container has the NVIDIA library" if situation.container else "the NVIDIA library is"
    because = f"{own} {library} but the loaded kernel module is {module}"
    yield cause(
        "lxc-userspace-mismatch" if is_lxc else "nv-kmod-userspace-mismatch",
        Rung.KERNEL_DRIVER,
        because if situation.container else f"{because}, usually after an update",
        "driver and library versions differ",
        Observed(signs.CUDA_FILE if signs.library(host, signs.CUDA_FILE) else signs.NVML_FILE, library),
        Observed("/sys/module/nvidia/version", module),
        _pending(situation),
        fix=tuple(_one_version(situation, module)),
    )


def _pending(situation: Situation) -> Observed | None:
    path = "/run/reboot-required"
    return Observed(path, "there") if signs.says(situation.host, path) is not None else None


def _one_version(situation: Situation, module: str) -> Iterator[Step]:
    if situation.container == "lxc":
        run_file = "install the host's version in the container, without its kernel module"
        yield Step(f"{run_file}: `sh NVIDIA-Linux-x86_64-{module}.run --no-kernel-module`", needs_root=True)
    elif situation.container:
        yield Step("start the container again", where=Place.HOST)
        yield Step("use an image without packages of NVIDIA's driver: the host's are mounted into it", where=Place.HOST)
        late = "if the host was updated since the container started, reboot it"
        yield Step(late, needs_root=True, needs_reboot=AGAIN, where=Place.HOST)
    else:
        yield reboot(situation, AGAIN)
        yield Step(f"if they differ after that too, install module and libraries of one release: the module's is {module}")


def memory_module_not_loaded(situation: Situation) -> Iterator[Finding]:
    """`nvidia_uvm` is not in memory: certain only where CUDA fails, since it is loaded on first use."""
    code = signs.cuda_code(situation)
    if signs.memory_is_loaded(situation.host) is not False or code not in MEMORY_CODES or not _may_blame_memory(situation):
        return
    yield cause(
        "nv-uvm-not-loaded",
        Rung.KERNEL_DRIVER,
        "the kernel module `nvidia_uvm` is not loaded",
        "`nvidia_uvm` is not loaded",
        Observed(INITSTATE, "absent"),
        Observed("cuInit", f"error {code}"),
        fix=(
            kernel_step(situation, "load it with", "sudo modprobe nvidia_uvm"),
            kernel_step(situation, "have it loaded at every start with", _AT_EVERY_START),
        ),
    )


def _may_blame_memory(situation: Situation) -> bool:
    """A Jetson's own driver has no such module; of a card that the driver could not start, 100 says just that."""
    if not signs.is_bound(situation):
        return False
    return signs.cuda_code(situation) != 100 or signs.whole_view(situation) is not None


def memory_node_missing(situation: Situation) -> Iterator[Finding]:
    """The module is in memory and its node is not here: the driver's helper or a container's description left it out."""
    host, code = situation.host, signs.cuda_code(situation)
    is_there = situation.node(signs.MEMORY) is not None or not signs.nodes_are_known(host)
    if is_there or signs.memory_is_loaded(host) is not True or code not in MEMORY_CODES or not _may_blame_memory(situation):
        return
    if situation.node(signs.CONTROL) is None:
        return  # none of them is here: that is another cause
    inside = f" in this {situation.container} container, though the host has `nvidia_uvm` loaded" if situation.container else ""
    yield cause(
        "ctr-uvm-node-missing" if situation.container else "nv-dev-nodes-missing",
        Rung.DEVICE_NODE,
        f"`{signs.MEMORY}` does not exist{inside or ', though `nvidia_uvm` is loaded'}",
        f"`{signs.MEMORY}` is missing",
        Observed(signs.MEMORY, "absent"),
        Observed("/proc/devices", f"nvidia-uvm {signs.memory_major(host)}") if signs.memory_major(host) else None,
        fix=tuple(_give_memory_node(situation)),
    )


def _give_memory_node(situation: Situation) -> Iterator[Step]:
    yield kernel_step(situation, "make it with", "sudo nvidia-modprobe -u -c=0")
    kind = situation.container
    if kind == "lxc":
        entry = "give it to the container in its configuration (Proxmox: `dev0: /dev/nvidia-uvm`) and restart the container"
        yield Step(f"on the host {entry}", needs_root=True, where=Place.HOST)
    elif kind == "kubernetes":
        yield Step("on the node renew what its device plugin hands out, and start the pod again", where=Place.HOST)
    elif kind:
        command = "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
        yield kernel_step(situation, "renew the description of the cards with", command)
        yield Step("start the container again", where=Place.HOST)


def memory_node_of_an_earlier_start(situation: Situation) -> Iterator[Finding]:
    """The major number is given anew at each start. On a host the driver's helper then makes the node again; one that was
    handed into a container stays."""
    host, node = situation.host, situation.node(signs.MEMORY)
    major = signs.memory_major(host)
    if node is None or node.major is None or major is None or node.major == major or signs.cuda_code(situation) is None:
        return
    refused = signs.error_of(host, signs.MEMORY)
    if refused == "" or (situation.container is None and refused is None):
        return
    yield cause(
        "nv-uvm-major-mismatch",
        Rung.DEVICE_NODE,
        f"`{signs.MEMORY}` has the major number {node.major}, and the kernel driver now has {major}",
        f"`{signs.MEMORY}` is of an earlier start",
        Observed(signs.MEMORY, f"major number {node.major}"),
        Observed("/proc/devices", f"{major} nvidia-uvm"),
        Observed(f"open {signs.MEMORY}", refused) if refused else None,
        fix=tuple(_renew_memory_node(situation, major)),
    )


def _renew_memory_node(situation: Situation, major: int) -> Iterator[Step]:
    yield kernel_step(situation, "make it again with", f"sudo rm {signs.MEMORY}* && sudo nvidia-modprobe -u -c=0")
    if situation.container == "lxc":
        allow = (
            f"`lxc.cgroup2.devices.allow: c {major}:* rwm`, or better an entry that follows the node: `dev0: {signs.MEMORY}`"
        )
        yield Step(f"in the container's configuration on the host set {allow}", needs_root=True, where=Place.HOST)
    if situation.container:
        yield Step("restart the container", where=Place.HOST)


def memory_without_a_region(situation: Situation) -> Iterator[Finding]:
    """A fault of the kernel's heterogeneous memory management (HMM): under random addresses `nvidia_uvm` finds no room."""
    host, code = situation.host, signs.cuda_code(situation)
    logged = kernel_log.first(host, _NO_REGION)
    if code is None or not signs.is_bound(situation) or _memory_is_managed_otherwise(situation):
        return
    if logged is None and not _looks_like_no_region(situation):
        return
    reload = "sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm"
    yield cause(
        "nv-uvm-hmm-kaslr",
        Rung.KERNEL_DRIVER,
        "`nvidia_uvm` finds no room for the kernel's memory management HMM",
        "`nvidia_uvm` and HMM clash",
        Observed("kernel log", logged.message) if logged else Observed(signs.VERSION, "Open Kernel Module"),
        Observed(INITSTATE, "live"),
        Observed("cuInit", f"error {code}"),
        fix=(
            recipes.module_option(situation, "switch HMM off with", "nvidia_uvm uvm_disable_hmm=1", "uvm"),
            kernel_step(situation, "end programs that use the GPU, and load the module again with", reload),
        ),
        settle=None if logged else look_at_the_log("devmem_alloc_pagemap|request_free_mem_region"),
    )


def _memory_is_managed_otherwise(situation: Situation) -> bool:
    """HMM is off, or addresses are not drawn at random: then it is not this."""
    host = situation.host
    value = kernel_modules.parameter(host, signs.MEMORY_MODULE, "uvm_disable_hmm") or ""
    return value.upper() in ("Y", "1") or has_word(host, "nokaslr") is True


def _looks_like_no_region(situation: Situation) -> bool:
    """3 from the open module, or 802 on a machine without bridges, while all that is below works."""
    host = situation.host
    works = signs.whole_view(situation) is not None and signs.memory_is_loaded(host) is True
    if not works or signs.is_open_module(host) is not True or kernel_log.says(host, _NO_REGION) is False:
        return False
    code, is_plain = signs.cuda_code(situation), signs.virtual_machine(host) is None
    return code == 3 or (code == 802 and is_plain and not signs.switches(host))


def stale_after_suspend(situation: Situation) -> Iterator[Finding]:
    """All parts fit and are there, NVML works, and the machine slept since it started."""
    host, code = situation.host, signs.cuda_code(situation)
    slept = kernel_log.resumed_at(host)
    if slept is None or code not in (46, 999) or not _is_whole(situation):
        return
    keeps = signs.parameter(host, "PreserveVideoMemoryAllocations")
    keep = "nvidia NVreg_PreserveVideoMemoryAllocations=1 NVreg_TemporaryFilePath=/var/tmp"
    reload = "sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm"
    yield cause(
        "nv-uvm-stale-after-suspend",
        Rung.KERNEL_DRIVER,
        "`nvidia_uvm` lost its state while the machine slept",
        "`nvidia_uvm` is stale after sleep",
        Observed("kernel log", f"PM: suspend exit, {slept:.0f} s after the start"),
        Observed(signs.PARAMETERS, f"PreserveVideoMemoryAllocations {keeps}") if keeps else None,
        fix=(
            kernel_step(situation, "end programs that use the GPU, and load the module again with", reload),
            recipes.module_option(situation, "keep it from coming back with", keep, "nvidia-sleep"),
            recipes.sleep_services(situation),
        ),
        settle=reload,
    )


def _is_whole(situation: Situation) -> bool:
    host = situation.host
    library, module = signs.version_of_libraries(host), module_version(host)
    node = situation.node(signs.MEMORY)
    fits = module is not None and library in (None, module)
    answers = (said := signs.nvml_answer(situation)) is not None and said.status is Status.OK
    return fits and node is not None and node.accessible and signs.memory_is_loaded(host) is True and answers


CHECKS = (
    versions_differ,
    memory_module_not_loaded,
    memory_node_missing,
    memory_node_of_an_earlier_start,
    memory_without_a_region,
    stale_after_suspend,
)
