"""One VkInstance: how its functions are found and called, and what a failed call means.

Functions come from `vkGetInstanceProcAddr`, because a loader of Vulkan 1.0 exports none of the later ones.
"""

from __future__ import annotations

from ctypes import CFUNCTYPE, byref, c_char_p, c_int32, c_uint32, c_void_p, pointer

from gpuprobe.backends import calling
from gpuprobe.backends import vulkan_structs as structs
from gpuprobe.backends.calling import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.calling import Step

VERSION_1_0, VERSION_1_1 = 1 << 22, 1 << 22 | 1 << 12
_PORTABILITY = b"VK_KHR_portability_enumeration"
_INCOMPLETE = 5
# Of the functions called here, those that begin so answer nothing, all others a VkResult.
_SILENT = ("vkGet", "vkCmd", "vkDestroy", "vkUnmap", "vkFree", "vkUpdate")
# More devices, queue families or extensions than any driver has: a driver that lists more wrote rubbish.
_CEILING = 65536

RESULTS = {
    1: "VK_NOT_READY",
    2: "VK_TIMEOUT",
    _INCOMPLETE: "VK_INCOMPLETE",
    -1: "VK_ERROR_OUT_OF_HOST_MEMORY",
    -2: "VK_ERROR_OUT_OF_DEVICE_MEMORY",
    -3: "VK_ERROR_INITIALIZATION_FAILED",
    -4: "VK_ERROR_DEVICE_LOST",
    -5: "VK_ERROR_MEMORY_MAP_FAILED",
    -6: "VK_ERROR_LAYER_NOT_PRESENT",
    -7: "VK_ERROR_EXTENSION_NOT_PRESENT",
    -8: "VK_ERROR_FEATURE_NOT_PRESENT",
    -9: "VK_ERROR_INCOMPATIBLE_DRIVER",
    -10: "VK_ERROR_TOO_MANY_OBJECTS",
    -13: "VK_ERROR_UNKNOWN",
    -1000012000: "VK_ERROR_INVALID_SHADER_NV",
    -1000072003: "VK_ERROR_INVALID_EXTERNAL_HANDLE",
}

_BROKEN_MANIFEST = (
    "the Vulkan loader says this also of a driver manifest that is not valid JSON, and then refuses every program that asks "
    "for extensions: look at the manifests before looking for missing memory"
)
# What the loader means by these, tried with loader 1.3.239.
_MEANINGS = {
    ("vkEnumerateInstanceExtensionProperties", -1): _BROKEN_MANIFEST,
    ("vkCreateInstance", -1): _BROKEN_MANIFEST,
    ("vkCreateInstance", -9): "the Vulkan loader found no driver that works: no driver manifest is installed, or the "
    "drivers they name do not load or refuse to start; install the Vulkan driver of the card",
    ("vkEnumeratePhysicalDevices", -3): "either no driver found a device, or one driver failed and hides the devices of "
    "all others: ask each driver manifest alone with `VK_DRIVER_FILES`",
}

# `vkCreateDevice` gives the driver's own verdict on the card. Only where another process may be the cause does it decide
# nothing. A lost device (-4) and an unnamed failure (-13) count as a verdict: the next program would meet the same.
_BUSY = (-1, -2, -10)

_IN_USE = {
    2: "the device did not finish in the time that it was given; it hangs, or another program keeps it: look at the kernel log",
    -1: "the machine's memory, or what this process may take of it, ran out",
    -2: "the device's memory ran out; end programs that hold it",
    -4: "the device was lost in the middle of the work; look at the kernel log (`sudo dmesg`), and reset the card or reboot",
    -10: "the driver keeps no more objects; end programs that use the device",
}
_IN_USE_ELSE = "the driver cannot do this with the device; install another release of the driver"


class Instance:
    """A VkInstance that announces every call before it is made; a call that fails ends the probe with Failed."""

    def __init__(self, library: CDLL, step: Step) -> None:
        self.step = step
        self.handle = c_void_p()
        self._find = CFUNCTYPE(c_void_p, c_void_p, c_char_p)(("vkGetInstanceProcAddr", library))
        self.offered = self._offered_version()

    def create(self) -> None:
        """vkCreateInstance for Vulkan 1.1, the lowest version with every question asked here, or 1.0 where it is older."""
        portable = _PORTABILITY in self._extensions("vkEnumerateInstanceExtensionProperties", None)
        application = structs.asking(
            structs.ApplicationInfo, pApplicationName=b"gpuprobe", apiVersion=min(self.offered, VERSION_1_1)
        )
        wanted = structs.asking(
            structs.InstanceCreateInfo,
            flags=int(portable),  # VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR: without it MoltenVK is not listed
            pApplicationInfo=pointer(application),
            enabledExtensionCount=int(portable),
            ppEnabledExtensionNames=(c_char_p * 1)(_PORTABILITY),
        )
        self.run("vkCreateInstance", byref(wanted), None, byref(self.handle))
        self.has_properties2 = self.offered >= VERSION_1_1

    def physical_devices(self) -> list[c_void_p]:
        """The handles in the loader's own order."""
        return [c_void_p(handle) for handle in self.listed("vkEnumeratePhysicalDevices", c_void_p, self.handle)]

    def device_extensions(self, handle: c_void_p) -> set[bytes]:
        return self._extensions("vkEnumerateDeviceExtensionProperties", handle, None)

    def listed(self, name: str, kind: type[Any], *of: Any) -> list[Any]:
        """What a function lists that is called twice: for the number, then for the items."""
        self.step(name)
        function = self.function(name)
        for _ in range(4):  # VK_INCOMPLETE: the list grew between the calls; after a fourth time it is given as it is
            count = c_uint32(calling.UNTOUCHED_32)
            _check(name, function(*of, byref(count), None))
            if count.value > _CEILING:
                raise Failed("call_failed", f"`{name}` succeeded and gave no believable number ({count.value})")
            items = (kind * count.value)()
            if _check(name, function(*of, byref(count), items)) != _INCOMPLETE:
                break
        return list(items[: count.value])

    def run(self, name: str, *arguments: Any) -> None:
        """Announces and calls a function; numbers must come as ctypes values, or they are cut to 32 bits."""
        self.step(name)
        _check(name, self.function(name)(*arguments))

    def function(self, name: str) -> Callable[..., int | None]:
        """A function of the instance or of its devices, to be called without an announcement and a check."""
        address = self._find(self.handle, name.encode())
        if not address:
            raise Failed("call_failed", f"the Vulkan loader has no function `{name}`")
        return CFUNCTYPE(None if name.startswith(_SILENT) else c_int32)(address)

    def _extensions(self, name: str, *of: Any) -> set[bytes]:
        return {extension.extensionName for extension in self.listed(name, structs.ExtensionProperties, *of)}

    def _offered_version(self) -> int:
        version = c_uint32(calling.UNTOUCHED_32)
        if self._find(None, b"vkEnumerateInstanceVersion"):
            self.run("vkEnumerateInstanceVersion", byref(version))
        return calling.known(version.value) or VERSION_1_0


def _check(name: str, result: int | None) -> int | None:
    if result in (None, 0, _INCOMPLETE):
        return result
    raise failure(name, result)


def failure(name: str, code: int) -> Failed:
    """What a failed call means: its status in the protocol, and a sentence."""
    result = RESULTS.get(code)
    meaning = _MEANINGS.get((name, code))
    message = f"`{name}` answered {result or code}" + (f": {meaning}" if meaning else "")
    return Failed(_status(name, code), message, code, result)


def use_failure(name: str, code: int) -> Failed:
    """What a failed call means on a device that was made: its memory or its queue was to be used."""
    result = RESULTS.get(code)
    status = "busy" if code in _BUSY else "call_failed" if code > 0 else "unsupported"
    return Failed(status, f"`{name}` answered {result or code}: {_IN_USE.get(code, _IN_USE_ELSE)}", code, result)


def _status(name: str, code: int) -> str:
    if name == "vkCreateDevice":
        return "busy" if code in _BUSY else "unsupported"
    begins = name in ("vkCreateInstance", "vkEnumeratePhysicalDevices") or name.startswith("vkEnumerateInstance")
    return "init_failed" if begins else "call_failed"
