"""Parts of NVIDIA's driver that do not fit each other, or of which one is missing: kernel modules and libraries."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.doctor.findings import Certainty, Finding, Observed, Place, Rung, Severity, Step, run
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.machine.nvidia import library_version, module_version, uvm_is_loaded

# CUDA gives one number for all that its memory module lacks: 999, or 3 with the open module (open-gpu-kernel-modules#797).
_NO_MEMORY_MODULE = (3, 999)


def versions_differ(situation: Situation) -> Iterator[Finding]:
    """Two files prove it, with no library called: the module in memory and the library that the loader takes."""
    library, module = library_version(situation.host), module_version(situation.host)
    if library is None or module is None or library == module:
        return
    again = "the module in memory stays the old one until then"
    restart = Step("restart the container; if that does not help, reboot the host", where=Place.HOST)
    yield Finding(
        id="nv-kmod-userspace-mismatch",
        rung=Rung.KERNEL_DRIVER,
        severity=Severity.BLOCKER,
        certainty=Certainty.CERTAIN,
        because=f"the NVIDIA library is {library} but the loaded kernel module is {module}, usually after an update",
        brief="driver and library versions differ",
        reason=CardReason.DRIVER_FAULT,
        evidence=(Observed("libcuda.so.1", library), Observed("/sys/module/nvidia/version", module)),
        fix=(restart if situation.container else Step("reboot", "sudo reboot", needs_root=True, needs_reboot=again),),
        library="CUDA",
    )


def memory_module_not_loaded(situation: Situation) -> Iterator[Finding]:
    """`nvidia_uvm` is not in memory: certain only where CUDA fails, since it is loaded on first use."""
    if uvm_is_loaded(situation.host) is not False or situation.code("CUDA") not in _NO_MEMORY_MODULE:
        return
    load = "load it on the host with" if situation.container else "load it with"
    where = Place.HOST if situation.container else Place.HERE
    yield Finding(
        id="nv-uvm-not-loaded",
        rung=Rung.KERNEL_DRIVER,
        severity=Severity.BLOCKER,
        certainty=Certainty.CERTAIN,
        because="the kernel module `nvidia_uvm` is not loaded",
        brief="`nvidia_uvm` is not loaded",
        reason=CardReason.DRIVER_FAULT,
        evidence=(Observed("/sys/module/nvidia_uvm/initstate", "absent"), Observed("cuInit", str(situation.code("CUDA")))),
        fix=(run(load, "sudo modprobe nvidia_uvm", where=where),),
        library="CUDA",
    )


CHECKS = (versions_differ, memory_module_not_loaded)
