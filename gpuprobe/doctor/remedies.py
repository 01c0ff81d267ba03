"""What a library's error number comes from on this machine, and the one thing to do about it.

The backends name a number and say what it means by itself. A cause that the survey rules out is not named here.
"""

from gpuprobe import patterns as re
from gpuprobe.model import Outcome

JOIN = (
    'run `sudo usermod -aG render,video "$USER"`, then log out and in again; for a service add its account instead: '
    "`sudo usermod -aG render,video ollama && sudo systemctl restart ollama`"
)


def remedy(outcome: Outcome) -> str | None:
    """For the number with which an outcome ended; None where nothing is known of it."""
    if outcome.code is None:
        return None
    library = outcome.probe.library
    return _ADVICE.get(library, {}).get(outcome.code) or _LOG.get(library)


def and_advice(sentence: str, outcome: Outcome | None) -> str:
    """For what is said in one sentence, as a note is."""
    advice = remedy(outcome) if outcome is not None else None
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
    if any(said in words for said in _NO_MEMORY):
        return "raise the limit of memory of this shell, service or container (`ulimit -v`), or end what uses it up"
    return None


# glibc's loader (elf/dl-load.c), where mmap(2) was refused.
_NO_MEMORY = ("cannot map zero-fill pages", "failed to map segment from shared object: Cannot allocate memory")


# The loader names what was not found: the library itself, or one that it needs. Compiled when used: every start would pay.
_NEEDED = r"`([^`]{1,500})` did not load: ([^:`]{1,500}): cannot open shared object file: No such file"


_ONE_VERSION = "reinstall the NVIDIA driver so that all its packages have one version"
_STOPPED = "look at the kernel log for `Xid` (`sudo dmesg | grep -i nvrm`), then at the card's power, temperature and memory"
_MPS = "start `nvidia-cuda-mps-control` as the same user, or unset `CUDA_MPS_PIPE_DIRECTORY`"
_SEEN_BY_ROCM = "see what ROCm's runtime finds: `rocminfo`; Vulkan may work where ROCm does not"
_ROCM_RELEASE = "reinstall ROCm's packages in one release"
_RUNTIME = "install a newer compute runtime"
_MEMORY = "end programs that hold the card's memory"
_ADVICE: dict[str, dict[int, str]] = {
    "CUDA": {
        2: f"{_MEMORY} (`nvidia-smi` lists them), or raise this process's limits",
        34: "take the directory of the stub (`stubs`) out of `LD_LIBRARY_PATH`",
        36: "install a newer NVIDIA driver",
        102: "install NVIDIA's client token and restart `nvidia-gridd`",
        209: "install a driver release that supports this card",
        214: "reset the card or reboot",
        218: _ONE_VERSION,
        220: "reset the card or reboot",
        221: "in a container add `compute` to `NVIDIA_DRIVER_CAPABILITIES`; else reinstall the NVIDIA driver",
        222: "install a newer NVIDIA driver",
        223: "unset `CUDA_DISABLE_PTX_JIT`",
        303: _ONE_VERSION,
        **dict.fromkeys((700, 714, 715, 716, 717, 718, 719), _STOPPED),
        803: "give the driver's libraries the version of the loaded kernel module (`cat /sys/module/nvidia/version`)",
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
        100: _SEEN_BY_ROCM,
        101: _SEEN_BY_ROCM,
        200: _ROCM_RELEASE,
        209: "install a release of ROCm that supports this card",
        214: "reset the card or reboot",
        303: _ROCM_RELEASE,
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
        0x78000001: "see what its driver says: `NEOReadDebugKeys=1 PrintDebugMessages=1 gpuprobe list --all -v`",
        0x78000002: _RUNTIME,
    },
    "Vulkan": {
        -1: "look at the driver manifests (`/usr/share/vulkan/icd.d`) before looking for missing memory",
        -2: _MEMORY,
        -4: "look at the kernel log (`sudo dmesg`), then reset the card or reboot",
        -9: "see what the loader says of each driver: `VK_LOADER_DEBUG=error,warn gpuprobe list --all -v`",
        -10: "end programs that use the device",
    },
    "NVML": {
        4: "look at the permissions of `/dev/nvidiactl` and `/dev/nvidia0`",
        8: "power off, and connect every power lead of the card",
        12: "install the package that brings `libnvidia-ml.so.1`",
        13: "install a newer NVIDIA driver",
        14: "have the card serviced",
        15: "reboot, then look at the card's power, temperature and slot",
        16: "end programs that use the card and run `sudo nvidia-smi --gpu-reset`, or reboot",
        18: "give the driver's libraries the version of the loaded kernel module (`cat /sys/module/nvidia/version`)",
    },
}
# Where a number is not in the table.
_LOG = {
    "CUDA": "the kernel log may say more (`sudo dmesg | grep -i nvrm`)",
    "NVML": "the kernel log may say more (`sudo dmesg | grep -i nvrm`)",
    "ROCm": "the kernel log may say more (`sudo dmesg | grep -i -e amdgpu -e kfd`)",
    "Level Zero": "the kernel log may say more (`sudo dmesg | grep -iE 'i915|xe'`)",
}
