"""The C structures of Vulkan that gpuprobe reads or fills: what lies where.

Fields are spelled as in `vulkan_core.h`, so that a test can ask the C compiler about every one; names that begin with `_`
only skip what is not read.
"""

from __future__ import annotations

from ctypes import (
    POINTER,
    Structure,
    addressof,
    c_char,
    c_char_p,
    c_float,
    c_int64,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HEADER = (("sType", c_uint32), ("pNext", c_void_p))


class ApplicationInfo(Structure):
    STYPE = 0
    _fields_ = (
        *_HEADER,
        ("pApplicationName", c_char_p),
        ("applicationVersion", c_uint32),
        ("pEngineName", c_char_p),
        ("engineVersion", c_uint32),
        ("apiVersion", c_uint32),
    )


class InstanceCreateInfo(Structure):
    STYPE = 1
    _fields_ = (
        *_HEADER,
        ("flags", c_uint32),
        ("pApplicationInfo", POINTER(ApplicationInfo)),
        ("enabledLayerCount", c_uint32),
        ("ppEnabledLayerNames", POINTER(c_char_p)),
        ("enabledExtensionCount", c_uint32),
        ("ppEnabledExtensionNames", POINTER(c_char_p)),
    )


class ExtensionProperties(Structure):
    _fields_ = (("extensionName", c_char * 256), ("specVersion", c_uint32))


class PhysicalDeviceLimits(Structure):
    _fields_ = (
        ("_images", c_uint8 * 28),
        ("maxStorageBufferRange", c_uint32),
        ("_push_constants", c_uint32),
        ("maxMemoryAllocationCount", c_uint32),
        ("_descriptors_and_stages", c_uint8 * 176),
        ("maxComputeSharedMemorySize", c_uint32),
        ("maxComputeWorkGroupCount", c_uint32 * 3),
        ("maxComputeWorkGroupInvocations", c_uint32),
        ("maxComputeWorkGroupSize", c_uint32 * 3),
        ("_rasterisation", c_uint8 * 248),
        ("nonCoherentAtomSize", c_uint64),
    )


class PhysicalDeviceProperties(Structure):
    _fields_ = (
        ("apiVersion", c_uint32),
        ("driverVersion", c_uint32),
        ("vendorID", c_uint32),
        ("deviceID", c_uint32),
        ("deviceType", c_uint32),
        ("deviceName", c_char * 256),
        ("pipelineCacheUUID", c_uint8 * 16),
        ("limits", PhysicalDeviceLimits),
        ("_sparse", c_uint32 * 5),
    )


class PhysicalDeviceProperties2(Structure):
    STYPE = 1000059001
    _fields_ = (*_HEADER, ("properties", PhysicalDeviceProperties))


class PhysicalDeviceFeatures2(Structure):
    STYPE = 1000059000
    _fields_ = (*_HEADER, ("features", c_uint32 * 55))


class PhysicalDevice16BitStorageFeatures(Structure):
    STYPE = 1000083000
    _fields_ = (*_HEADER, ("storageBuffer16BitAccess", c_uint32), ("_others", c_uint32 * 3))


class PhysicalDeviceIDProperties(Structure):
    STYPE = 1000071004
    _fields_ = (
        *_HEADER,
        ("deviceUUID", c_uint8 * 16),
        ("driverUUID", c_uint8 * 16),
        ("deviceLUID", c_uint8 * 8),
        ("deviceNodeMask", c_uint32),
        ("deviceLUIDValid", c_uint32),
    )


class PhysicalDeviceDriverProperties(Structure):
    STYPE = 1000196000
    _fields_ = (
        *_HEADER,
        ("driverID", c_uint32),
        ("driverName", c_char * 256),
        ("driverInfo", c_char * 256),
        ("conformanceVersion", c_uint8 * 4),
    )


class PhysicalDeviceSubgroupProperties(Structure):
    STYPE = 1000094000
    _fields_ = (*_HEADER, ("subgroupSize", c_uint32), ("_supported", c_uint32 * 3))


class PhysicalDeviceMaintenance3Properties(Structure):
    STYPE = 1000168000
    _fields_ = (*_HEADER, ("maxPerSetDescriptors", c_uint32), ("maxMemoryAllocationSize", c_uint64))


class PhysicalDevicePCIBusInfoPropertiesEXT(Structure):
    STYPE = 1000212000
    _fields_ = (
        *_HEADER,
        ("pciDomain", c_uint32),
        ("pciBus", c_uint32),
        ("pciDevice", c_uint32),
        ("pciFunction", c_uint32),
    )


class PhysicalDeviceDrmPropertiesEXT(Structure):
    STYPE = 1000353000
    _fields_ = (
        *_HEADER,
        ("hasPrimary", c_uint32),
        ("hasRender", c_uint32),
        ("primaryMajor", c_int64),
        ("primaryMinor", c_int64),
        ("renderMajor", c_int64),
        ("renderMinor", c_int64),
    )


class MemoryHeap(Structure):
    _fields_ = (("size", c_uint64), ("flags", c_uint32))


class MemoryType(Structure):
    _fields_ = (("propertyFlags", c_uint32), ("heapIndex", c_uint32))


class PhysicalDeviceMemoryProperties(Structure):
    _fields_ = (
        ("memoryTypeCount", c_uint32),
        ("memoryTypes", MemoryType * 32),
        ("memoryHeapCount", c_uint32),
        ("memoryHeaps", MemoryHeap * 16),
    )


class PhysicalDeviceMemoryProperties2(Structure):
    STYPE = 1000059006
    _fields_ = (*_HEADER, ("memoryProperties", PhysicalDeviceMemoryProperties))


class PhysicalDeviceMemoryBudgetPropertiesEXT(Structure):
    STYPE = 1000237000
    _fields_ = (*_HEADER, ("heapBudget", c_uint64 * 16), ("heapUsage", c_uint64 * 16))


class QueueFamilyProperties(Structure):
    _fields_ = (
        ("queueFlags", c_uint32),
        ("queueCount", c_uint32),
        ("timestampValidBits", c_uint32),
        ("minImageTransferGranularity", c_uint32 * 3),
    )


class DeviceQueueCreateInfo(Structure):
    STYPE = 2
    _fields_ = (
        *_HEADER,
        ("flags", c_uint32),
        ("queueFamilyIndex", c_uint32),
        ("queueCount", c_uint32),
        ("pQueuePriorities", POINTER(c_float)),
    )


class DeviceCreateInfo(Structure):
    STYPE = 3
    _fields_ = (
        *_HEADER,
        ("flags", c_uint32),
        ("queueCreateInfoCount", c_uint32),
        ("pQueueCreateInfos", POINTER(DeviceQueueCreateInfo)),
        ("enabledLayerCount", c_uint32),
        ("ppEnabledLayerNames", POINTER(c_char_p)),
        ("enabledExtensionCount", c_uint32),
        ("ppEnabledExtensionNames", POINTER(c_char_p)),
        ("pEnabledFeatures", c_void_p),
    )


def asking(kind: type[Structure], **fields: Any) -> Structure:
    """A structure that tells a driver what is wanted; what is not given is zero."""
    return kind(sType=kind.STYPE, **fields)


def chain(links: list[Structure]) -> Structure:
    """Extensible structures linked through `pNext` in this order; the first. Whoever calls keeps them alive."""
    for link, following in zip(links, [*links[1:], None], strict=True):
        link.sType = link.STYPE
        link.pNext = None if following is None else addressof(following)
    return links[0]
