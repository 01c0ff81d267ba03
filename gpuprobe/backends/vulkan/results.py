"""What Vulkan's result numbers are called, what they mean, and which of them decide anything.

Numbers and names are those of `vulkan_core.h`, where `tests/backends/test_layout_vulkan.py` reads them again.
"""

from __future__ import annotations

from gpuprobe.backends.calling import Failed

INCOMPLETE = 5

NAMES = {
    1: "VK_NOT_READY",
    2: "VK_TIMEOUT",
    INCOMPLETE: "VK_INCOMPLETE",
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

# What a number says by itself; the loader was tried with 1.3.239. What to do: doctor/remedies.py.
_BROKEN_MANIFEST = "the Vulkan loader says this also of a driver manifest that is not valid JSON"
_MEANINGS = {
    ("vkEnumerateInstanceExtensionProperties", -1): _BROKEN_MANIFEST,
    ("vkCreateInstance", -1): _BROKEN_MANIFEST,
    ("vkCreateInstance", -9): "the Vulkan loader found no driver that works",
    ("vkEnumeratePhysicalDevices", -3): "the Vulkan loader got no device from any driver",
}

# `vkCreateDevice` gives the driver's own verdict on the card. Only where another process may be the cause does it decide
# nothing. A lost device (-4) and an unnamed failure (-13) count as a verdict: the next program would meet the same.
_BUSY = (-1, -2, -10)

_IN_USE = {
    2: "the device did not finish in time; it hangs, or another program keeps it",
    -1: "the machine's memory, or what this process may take of it, ran out",
    -2: "the device's memory ran out",
    -4: "the device was lost in the middle of the work",
    -10: "the driver can hold no more objects",
}
_IN_USE_ELSE = "the driver cannot do this with the device"


def failure(name: str, code: int) -> Failed:
    """What a failed call means: its status in the protocol, and a sentence."""
    result = NAMES.get(code)
    meaning = _MEANINGS.get((name, code))
    message = f"`{name}` failed with {result or code}" + (f": {meaning}" if meaning else "")
    return Failed(_status(name, code), message, code, result)


def use_failure(name: str, code: int) -> Failed:
    """What a failed call means on a device that was made: its memory or its queue was to be used."""
    result = NAMES.get(code)
    status = "busy" if code in _BUSY else "call_failed" if code > 0 else "unsupported"
    return Failed(status, f"`{name}` failed with {result or code}: {_IN_USE.get(code, _IN_USE_ELSE)}", code, result)


def _status(name: str, code: int) -> str:
    if name == "vkCreateDevice":
        return "busy" if code in _BUSY else "unsupported"
    begins = name in ("vkCreateInstance", "vkEnumeratePhysicalDevices") or name.startswith("vkEnumerateInstance")
    return "init_failed" if begins else "call_failed"
