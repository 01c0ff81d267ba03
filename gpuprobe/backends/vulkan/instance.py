"""One VkInstance: how its functions are found and called.

Functions come from `vkGetInstanceProcAddr`, because a loader of Vulkan 1.0 exports none of the later ones.
"""

from __future__ import annotations

from ctypes import CFUNCTYPE, byref, c_char_p, c_int32, c_uint32, c_void_p, pointer

from gpuprobe.backends import calling
from gpuprobe.backends.calling import Failed
from gpuprobe.backends.vulkan import structs
from gpuprobe.backends.vulkan.results import INCOMPLETE, failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.calling import Announce

VERSION_1_0, VERSION_1_1 = 1 << 22, 1 << 22 | 1 << 12
_PORTABILITY = b"VK_KHR_portability_enumeration"
# Of the functions called here, those that begin so answer nothing, all others a VkResult.
_SILENT = ("vkGet", "vkCmd", "vkDestroy", "vkUnmap", "vkFree", "vkUpdate")
# More devices, queue families or extensions than any driver has: a driver that lists more wrote rubbish.
_CEILING = 65536


class Instance:
    """A VkInstance that announces every call before it is made; a call that fails ends the probe with Failed."""

    def __init__(self, library: CDLL, announce: Announce) -> None:
        self.announce = announce
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
        self.check("vkCreateInstance", byref(wanted), None, byref(self.handle))
        self.has_properties2 = self.offered >= VERSION_1_1

    def physical_devices(self) -> list[c_void_p]:
        """The handles in the loader's own order."""
        return [c_void_p(handle) for handle in self.listed("vkEnumeratePhysicalDevices", c_void_p, self.handle)]

    def device_extensions(self, handle: c_void_p) -> set[bytes]:
        return self._extensions("vkEnumerateDeviceExtensionProperties", handle, None)

    def listed(self, name: str, kind: type[Any], *of: Any) -> list[Any]:
        """What a function lists that is called twice: for the number, then for the items."""
        self.announce(name)
        function = self.function(name)
        for _ in range(4):  # VK_INCOMPLETE: the list grew between the calls; after a fourth time it is given as it is
            count = c_uint32(calling.UNTOUCHED_32)
            _check(name, function(*of, byref(count), None))
            if count.value > _CEILING:
                raise Failed("call_failed", f"`{name}` succeeded and gave no believable number ({count.value})")
            items = (kind * count.value)()
            if _check(name, function(*of, byref(count), items)) != INCOMPLETE:
                break
        return list(items[: count.value])

    def check(self, name: str, *arguments: Any) -> None:
        """Announces and calls a function; numbers must come as ctypes values, or they are cut to 32 bits."""
        self.announce(name)
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
            self.check("vkEnumerateInstanceVersion", byref(version))
        return calling.known(version.value) or VERSION_1_0


def _check(name: str, result: int | None) -> int | None:
    if result in (None, 0, INCOMPLETE):
        return result
    raise failure(name, result)
