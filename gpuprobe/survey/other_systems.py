"""What macOS and Windows say of processor and memory through system calls, under the systems' own names for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

Facts = dict[str, int | str | None]

_SYSCTL_TEXTS = (
    "machdep.cpu.brand_string",
    "machdep.cpu.features",
    "machdep.cpu.leaf7_features",
    "kern.osproductversion",
)
_SYSCTL_NUMBERS = (
    "hw.memsize",
    "hw.physicalcpu",
    "hw.logicalcpu",
    "hw.l1dcachesize",
    "hw.l1icachesize",
    "hw.l2cachesize",
    "hw.l3cachesize",
    "kern.hv_vmm_present",
    "hw.optional.AdvSIMD",
    "hw.optional.arm.FEAT_FP16",
    "hw.optional.arm.FEAT_DotProd",
    "hw.optional.arm.FEAT_BF16",
    "hw.optional.arm.FEAT_I8MM",
    "hw.optional.arm.FEAT_SME",
)

# winnt.h, for IsProcessorFeaturePresent
WINDOWS_FEATURES = {
    "PF_ARM_NEON_INSTRUCTIONS_AVAILABLE": 19,
    "PF_SSE4_2_INSTRUCTIONS_AVAILABLE": 38,
    "PF_AVX_INSTRUCTIONS_AVAILABLE": 39,
    "PF_AVX2_INSTRUCTIONS_AVAILABLE": 40,
    "PF_AVX512F_INSTRUCTIONS_AVAILABLE": 41,
    "PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE": 43,
}
_PROCESSOR_KEY = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"


def facts(platform: str) -> Facts:
    """Processor and memory of this machine: sizes in bytes. A name that the system does not know is left out."""
    known: Facts = dict(_memory())
    if platform == "darwin":
        known.update(sysctl_facts(_sysctl))
    elif platform == "win32":
        known.update(_windows_facts())
    return known


def _memory() -> Iterator[tuple[str, int | None]]:
    import psutil

    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    yield from {"memory_total": memory.total, "memory_available": memory.available}.items()
    yield from {"swap_total": swap.total, "swap_free": swap.free}.items()
    yield from {"cpu_cores": psutil.cpu_count(logical=False), "cpu_count": psutil.cpu_count()}.items()


def sysctl_facts(ask: Callable[[str], bytes | None]) -> Facts:
    """The sysctl names that gpuprobe reads; `ask` gives the raw bytes of one, None where it does not exist."""
    texts = {name: raw for name in _SYSCTL_TEXTS if (raw := ask(name))}
    numbers = {name: raw for name in _SYSCTL_NUMBERS if (raw := ask(name))}
    return {
        **{name: raw.rstrip(b"\0").decode("utf-8", "backslashreplace") for name, raw in texts.items()},
        **{name: int.from_bytes(raw, sys.byteorder) for name, raw in numbers.items()},
    }


def _sysctl(name: str) -> bytes | None:
    import ctypes

    function = ctypes.CDLL(None).sysctlbyname
    size = ctypes.c_size_t(0)
    if function(name.encode(), None, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        return None
    room = ctypes.create_string_buffer(size.value)
    if function(name.encode(), room, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        return None
    return room.raw[: size.value]


def _windows_facts() -> Facts:
    if sys.platform != "win32":
        return {}
    import ctypes
    import winreg

    present = ctypes.windll.kernel32.IsProcessorFeaturePresent
    known: Facts = {name: int(bool(present(number))) for name, number in WINDOWS_FEATURES.items()}
    known["windows_build"] = sys.getwindowsversion().build
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _PROCESSOR_KEY) as key:
            known["ProcessorNameString"] = str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
    except OSError:  # a container may have no such key; the model is then unknown
        known["ProcessorNameString"] = None
    return known
