"""What a library's error number comes from on this machine, and the one thing to do about it.

The backends name a number and say what it means by itself. A cause that the survey rules out is not named here.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from gpuprobe import machine
from gpuprobe.facts import Host
from gpuprobe.machine.nvidia import library_version, module_version, uvm_is_loaded
from gpuprobe.model import Outcome


class Remedy(NamedTuple):
    """`cause`: what the evidence says beside the library's own words; `brief`: the same in a few words, for a headline."""

    advice: str | None = None
    cause: str | None = None
    brief: str | None = None


JOIN = (
    'run `sudo usermod -aG render,video "$USER"`, then log out and in again; for a service add its account instead, as in '
    "`sudo usermod -aG render,video ollama && sudo systemctl restart ollama`"
)


def remedy(outcome: Outcome, host: Host) -> Remedy:
    """For the number with which an outcome ended; empty where nothing is known of it."""
    if outcome.code is None:
        return Remedy()
    library, code = outcome.probe.library, outcome.code
    found = _BY_EVIDENCE.get((library, code))
    return found(host) if found else Remedy(_ADVICE.get(library, {}).get(code) or _LOG.get(library))


def and_advice(sentence: str, outcome: Outcome | None, host: Host) -> str:
    """For what is said in one sentence, as a note is."""
    advice = remedy(outcome, host).advice if outcome is not None else None
    return f"{sentence}; {advice}" if advice else sentence


def of_loading(words: str) -> str | None:
    """What to do where a library is there and does not load, by the loader's words; None: it is not there."""
    needed = re.search(_NEEDED, words)
    if needed and needed[1] != needed[2]:
        return f"install the package that brings `{needed[2]}`"
    if "libraries of different releases are mixed" in words:
        return "reinstall what brings them in one version"
    if "built for another kind of machine" in words:
        return "reinstall the package that brings it"
    return None


# The loader names what was not found: the library itself, or one that it needs. Compiled when used: every start would pay.
_NEEDED = r"`([^`]{1,500})` did not load: ([^:`]{1,500}): cannot open shared object file: No such file"


def _mismatch(host: Host) -> Remedy:
    library, module = library_version(host), module_version(host)
    known = library is not None and module is not None and library != module
    cause = f"the NVIDIA library is {library} but the loaded kernel module is {module}, usually after an update"
    contained = machine.container(host) not in (None, machine.NONE)
    advice = "restart the container; if that does not help, reboot the host" if contained else "reboot"
    return Remedy(advice, cause if known else None, "driver and library versions differ")


def _uvm(host: Host) -> Remedy:
    """The one number that CUDA gives where its memory module is not loaded, and where that went stale in a suspend."""
    loaded = uvm_is_loaded(host)
    where = "" if machine.container(host) in (None, machine.NONE) else " on the host"
    if loaded is False:
        return Remedy(
            f"load it{where} with `sudo modprobe nvidia_uvm`",
            "the kernel module `nvidia_uvm` is not loaded",
            "`nvidia_uvm` is not loaded",
        )
    reload = f"end programs that use the GPU, and run `sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm`{where}; else reboot"
    if loaded is None:
        return Remedy(reload)
    return Remedy(reload, "the driver gives no reason, and most often `nvidia_uvm` went stale in a suspend")


def _no_amd_card(host: Host) -> Remedy:
    """HIP says no more than that it has no card. `/dev/kfd` is what it opens besides the render nodes."""
    node = next((node for node in host.nodes if node.path == "/dev/kfd"), None)
    if node is None:
        contained = machine.container(host) not in (None, machine.NONE)
        given = "start the container with `--device /dev/kfd --device /dev/dri`"
        load = "load the kernel driver with `sudo modprobe amdgpu`, and look at `sudo dmesg | grep -i kfd` if that fails"
        return Remedy(given if contained else load, "`/dev/kfd` does not exist", "`/dev/kfd` does not exist")
    if not node.accessible:
        cause = f"your account has no access to `/dev/kfd` (group {node.group or node.gid})"
        return Remedy(JOIN, cause, "no permission")
    return Remedy("compare the card with the GPUs that this release of ROCm supports; Vulkan may work where ROCm does not")


_BY_EVIDENCE: dict[tuple[str, int], Callable[[Host], Remedy]] = {
    ("CUDA", 3): _uvm,
    ("CUDA", 803): _mismatch,
    ("CUDA", 999): _uvm,
    ("NVML", 18): _mismatch,
    ("ROCm", 100): _no_amd_card,
    ("ROCm", 101): _no_amd_card,
}

_ONE_VERSION = "reinstall the NVIDIA driver so that all its packages have one version"
_STOPPED = "look at the kernel log for `Xid` (`sudo dmesg | grep -i nvrm`), then at the card's power, temperature and memory"
_MPS = "start `nvidia-cuda-mps-control` as the same user, or unset `CUDA_MPS_PIPE_DIRECTORY`"
_ROCM_RELEASE = "reinstall ROCm's packages in one release"
_RUNTIME = "install a newer compute runtime"
_MEMORY = "end programs that hold the card's memory"
_ADVICE: dict[str, dict[int, str]] = {
    "CUDA": {
        2: f"{_MEMORY} (`nvidia-smi` lists them), or raise this process's limits",
        34: "take the directory of the stub (`stubs`) out of `LD_LIBRARY_PATH`",
        36: "install a newer NVIDIA driver",
        46: "look at `nvidia-smi -q -d COMPUTE`, and end the program that holds the card",
        100: "look at `sudo dmesg | grep -i nvrm`: the kernel driver may have failed to start the card",
        102: "install NVIDIA's client token and restart `nvidia-gridd`",
        209: "install a driver release that supports this card",
        214: "reset the card or reboot",
        218: _ONE_VERSION,
        220: "reset the card or reboot",
        221: "in a container add `compute` to `NVIDIA_DRIVER_CAPABILITIES`; else reinstall the NVIDIA driver",
        222: "install a newer NVIDIA driver",
        223: "unset `CUDA_DISABLE_PTX_JIT`",
        303: _ONE_VERSION,
        304: "look at the device nodes (`/dev/nvidia-uvm`), and in a container at the devices it was given",
        **dict.fromkeys((700, 714, 715, 716, 717, 718, 719), _STOPPED),
        800: "a container may have lost its devices: restart it",
        802: "with NVSwitch start the fabric manager in the driver's version (`systemctl status nvidia-fabricmanager`); in a "
        "confidential virtual machine wait for the card's attestation",
        804: "take the directory of `cuda-compat` out of `LD_LIBRARY_PATH`",
        **dict.fromkeys((805, 806, 807), _MPS),
        808: "end a client of the MPS daemon",
        809: "end a client of the MPS daemon",
        909: "look at the kernel log for `Xid` (`sudo dmesg | grep -i nvrm`)",
    },
    "ROCm": {
        2: f"{_MEMORY}, or raise this process's limits",
        35: "install AMD's kernel driver of the same release",
        98: "install a release of ROCm that supports this card",
        200: _ROCM_RELEASE,
        209: "install a release of ROCm that supports this card",
        214: "reset the card or reboot",
        303: _ROCM_RELEASE,
        304: "look at the permissions of `/dev/kfd` and `/dev/dri`",
        719: "look at `sudo dmesg | grep -i amdgpu`, then reset the card or reboot",
        1052: _MEMORY,
    },
    "Level Zero": {
        0x70000001: "look at `sudo dmesg | grep -iE 'i915|xe'`, then reboot",
        0x70000003: _MEMORY,
        0x70000004: _RUNTIME,
        0x70000006: "reboot",
        0x70000007: "try again",
        0x70010000: JOIN,
        0x70020000: "reinstall Intel's compute runtime in one version",
        0x78000001: "install the card's driver library (Ubuntu 24.04: `sudo apt install libze-intel-gpu1`)",
        0x78000002: _RUNTIME,
    },
    "Vulkan": {
        -1: "look at the driver manifests (`/usr/share/vulkan/icd.d`) before looking for missing memory",
        -2: _MEMORY,
        -4: "look at the kernel log (`sudo dmesg`), then reset the card or reboot",
        -9: "install the Vulkan driver of the card (Debian and Ubuntu: `sudo apt install mesa-vulkan-drivers`)",
        -10: "end programs that use the device",
    },
    "NVML": {
        4: "look at the permissions of `/dev/nvidiactl` and `/dev/nvidia0`",
        8: "power off, and connect every power lead of the card",
        9: "run `sudo nvidia-modprobe -c=0 -u`; start a container with the GPUs",
        12: "install the package that brings `libnvidia-ml.so.1`",
        13: "install a newer NVIDIA driver",
        14: "have the card serviced",
        15: "reboot, then look at the card's power, temperature and slot",
        16: "end programs that use the card and run `sudo nvidia-smi --gpu-reset`, or reboot",
        17: "in a container, look at the devices it was given",
        999: "restart the container, where it happens in one that worked before",
    },
}
# Where a number is not in the table.
_LOG = {
    "CUDA": "the kernel log may say more (`sudo dmesg | grep -i nvrm`)",
    "ROCm": "the kernel log may say more (`sudo dmesg | grep -i -e amdgpu -e kfd`)",
    "Level Zero": "the kernel log may say more (`sudo dmesg | grep -iE 'i915|xe'`)",
}
