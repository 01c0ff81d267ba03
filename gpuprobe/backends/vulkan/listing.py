"""Vulkan: ask the loader which devices its drivers list, and make a context on one of them.

Every installed driver runs inside `vkCreateInstance` and `vkEnumeratePhysicalDevices`, so one that crashes or fails there
takes the others with it; the parent then asks each driver manifest alone.
"""

from __future__ import annotations

import os
from ctypes import byref, c_char_p, c_float, c_uint32, c_void_p, pointer

from gpuprobe.backends import calling
from gpuprobe.backends.vulkan import structs
from gpuprobe.backends.vulkan.instance import Instance

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.calling import Announce, Facts

_NVIDIA_PROPRIETARY, _INTEL_WINDOWS, _SWIFTSHADER, _LLVMPIPE = 4, 5, 10, 13
_TYPES = {1: "integrated", 2: "discrete", 3: "virtual", 4: "software"}
_DEVICE_LOCAL, _COMPUTE = 1, 2

_CORE = (
    structs.PhysicalDeviceProperties2,
    structs.PhysicalDeviceIDProperties,
    structs.PhysicalDeviceDriverProperties,
    structs.PhysicalDeviceSubgroupProperties,
    structs.PhysicalDeviceMaintenance3Properties,
)
_BY_EXTENSION = {
    b"VK_EXT_pci_bus_info": structs.PhysicalDevicePCIBusInfoPropertiesEXT,
    b"VK_EXT_physical_device_drm": structs.PhysicalDeviceDrmPropertiesEXT,
}
_FEATURES = (structs.PhysicalDeviceFeatures2, structs.PhysicalDevice16BitStorageFeatures)
_BUDGET = b"VK_EXT_memory_budget"
# What a driver offers beyond 32-bit arithmetic to a program that asks for it; whether it is fast they do not say.
_ARITHMETIC = frozenset(
    {
        *(b"VK_KHR_shader_float16_int8", b"VK_KHR_16bit_storage", b"VK_KHR_8bit_storage"),
        *(b"VK_KHR_shader_integer_dot_product", b"VK_KHR_shader_bfloat16", b"VK_EXT_shader_float8"),
        *(b"VK_KHR_cooperative_matrix", b"VK_NV_cooperative_matrix", b"VK_NV_cooperative_matrix2"),
    }
)
_PORTABILITY_SUBSET = b"VK_KHR_portability_subset"


def load(candidates: Sequence[str], paths: Sequence[str] = ()) -> CDLL:
    """The Vulkan loader; Failed("not_loadable") where no candidate is one."""
    # The loader reads it at its first call and then says on stderr why it skipped a driver.
    os.environ.setdefault("VK_LOADER_DEBUG", "error")
    return calling.load(candidates, needs="vkGetInstanceProcAddr")


def devices(library: CDLL, announce: Announce, facts: Facts) -> Iterator[dict[str, Any]]:
    """Every device as `vkEnumeratePhysicalDevices` lists it, software renderers included; `number` is the place there."""
    instance = start(library, announce, facts)
    for number, handle in enumerate(instance.physical_devices()):
        yield _described(instance, number, handle)
    instance.check("vkDestroyInstance", instance.handle, None)


def validate(library: CDLL, announce: Announce, facts: Facts, device: dict[str, Any]) -> str:
    """Make a logical device with one compute queue on the wanted physical device, and destroy it: "context"."""
    instance = start(library, announce, facts)
    made = with_queue(instance, find(instance, device))[0]
    instance.check("vkDestroyDevice", made, None)
    instance.check("vkDestroyInstance", instance.handle, None)
    return "context"


def start(library: CDLL, announce: Announce, facts: Facts) -> Instance:
    """The loader with its drivers, started; `facts` gets the version that it offers, whatever then becomes of them."""
    instance = Instance(library, announce)
    facts({"api_version": version_text(instance.offered)})
    instance.create()
    return instance


def version_text(version: int) -> str:
    """Vulkan's packing without the variant: 7, 10 and 12 bits."""
    return f"{version >> 22 & 0x7F}.{version >> 12 & 0x3FF}.{version & 0xFFF}"


def find(instance: Instance, device: dict[str, Any]) -> c_void_p:
    """By UUID, else by address, else by number: in the order in which the parent tells devices apart."""
    handles = instance.physical_devices()
    key = next((name for name in ("uuid", "pci_id") if device.get(name)), "number")
    matches = []
    for number, handle in enumerate(handles):
        answers = _properties(instance, handle, instance.device_extensions(handle))
        if {**_identity(answers), "number": number}[key] == device[key]:
            matches.append(number)
    return handles[calling.chosen(device, matches)]


def with_queue(instance: Instance, handle: c_void_p) -> tuple[c_void_p, int, c_void_p]:
    """A logical device, the number of a queue family that computes, and its queue."""
    family = _compute_family(_queue_families(instance, handle))
    if family is None:
        raise calling.Failed("unsupported", "no queue family of the device can compute")
    made, queue = _made(instance, handle, family), c_void_p()
    instance.check("vkGetDeviceQueue", made, c_uint32(family), c_uint32(0), byref(queue))
    if not queue.value:
        raise calling.Failed("unsupported", "the device was made, and `vkGetDeviceQueue` gave no queue to compute with")
    return made, family, queue


def _made(instance: Instance, handle: c_void_p, family: int) -> c_void_p:
    # A driver that offers a portable subset only (MoltenVK) refuses a device that does not ask for it.
    portable = _PORTABILITY_SUBSET in instance.device_extensions(handle)
    queue = structs.asking(
        structs.DeviceQueueCreateInfo, queueFamilyIndex=family, queueCount=1, pQueuePriorities=pointer(c_float(1.0))
    )
    wanted = structs.asking(
        structs.DeviceCreateInfo,
        queueCreateInfoCount=1,
        pQueueCreateInfos=pointer(queue),
        enabledExtensionCount=int(portable),
        ppEnabledExtensionNames=(c_char_p * 1)(_PORTABILITY_SUBSET),
    )
    made = c_void_p()
    instance.check("vkCreateDevice", handle, byref(wanted), None, byref(made))
    if not made.value:
        raise calling.Failed("unsupported", "`vkCreateDevice` reported success but made no device")
    return made


def _described(instance: Instance, number: int, handle: c_void_p) -> dict[str, Any]:
    extensions = instance.device_extensions(handle)
    answers = _properties(instance, handle, extensions)
    memory, budget = memories(instance, handle, extensions)
    identity, heaps = _identity(answers), _heaps(memory)
    counted = _counted_heaps(heaps, identity["type"] == "integrated")
    known = {
        **_limits(answers),
        "can_compute": _compute_family(_queue_families(instance, handle)) is not None,
        "memory_heaps": heaps,
        "counted_heaps": counted,
        "stores_16_bits": _stores_16_bits(instance, handle),
        "arithmetic_extensions": sorted(name.decode("ascii") for name in extensions & _ARITHMETIC) or None,
    }
    return {
        "number": number,
        **identity,
        "total_memory": None if heaps is None or counted is None else sum(heaps[heap]["size_bytes"] for heap in counted),
        "free_memory": _free(budget, counted),
        "capabilities": {name: value for name, value in known.items() if value is not None},
    }


def _properties(instance: Instance, handle: c_void_p, extensions: set[bytes]) -> dict[Any, Any]:
    """Every structure by its class; what was not asked or not answered is untouched."""
    answers = {kind: calling.untouched(kind) for kind in (*_CORE, *_BY_EXTENSION.values())}
    asked = (*_CORE, *(kind for name, kind in _BY_EXTENSION.items() if name in extensions))
    first = structs.chain([answers[kind] for kind in asked])
    if instance.has_properties2:
        instance.check("vkGetPhysicalDeviceProperties2", handle, byref(first))
    else:
        instance.check("vkGetPhysicalDeviceProperties", handle, byref(first.properties))
    return answers


def _stores_16_bits(instance: Instance, handle: c_void_p) -> bool | None:
    """Whether kernels may read and write numbers of 16 bits in buffers, without which ggml leaves a device out; None: the
    driver does not say."""
    if not instance.has_properties2:
        return None
    features, storage = (calling.untouched(kind) for kind in _FEATURES)
    instance.check("vkGetPhysicalDeviceFeatures2", handle, byref(structs.chain([features, storage])))
    return {0: False, 1: True}.get(storage.storageBuffer16BitAccess)


def _identity(answers: dict[Any, Any]) -> dict[str, Any]:
    general = answers[structs.PhysicalDeviceProperties2].properties
    driver = answers[structs.PhysicalDeviceDriverProperties]
    driver_name = calling.known_text(driver.driverName)
    return {
        "name": calling.known_text(general.deviceName),
        "type": "software" if driver.driverID in (_SWIFTSHADER, _LLVMPIPE) else _TYPES.get(general.deviceType, "unknown"),
        "pci_id": _pci_id(answers[structs.PhysicalDevicePCIBusInfoPropertiesEXT]),
        "uuid": calling.uuid_text(calling.known_bytes(answers[structs.PhysicalDeviceIDProperties].deviceUUID)),
        "uuid_space": _uuid_space(driver.driverID, driver_name),
        "vendor_id": calling.known(general.vendorID),
        "device_id": calling.known(general.deviceID),
        "api_version": None if calling.known(general.apiVersion) is None else version_text(general.apiVersion),
        "runtime_version": _driver_version(general, driver),
        "driver_name": driver_name,
    }


def _pci_id(place: Any) -> str | None:
    # The sentinel is out of every range of an address, so an untouched structure reads as none.
    return calling.pci_id(f"{place.pciDomain:x}:{place.pciBus:x}:{place.pciDevice:x}.{place.pciFunction:x}")


def _uuid_space(driver_id: int, driver_name: str | None) -> str:
    # NVIDIA's Vulkan driver gives the UUID that CUDA and NVML give; RADV's and HIP's differ for one card.
    if driver_id == _NVIDIA_PROPRIETARY:
        return "nvidia"
    return f"vulkan:{driver_name.lower()}" if driver_name else "vulkan"


def _driver_version(general: Any, driver: Any) -> str | None:
    """The driver's own words where they hold a number ("Mesa 22.3.6", but not Intel's "Intel driver"), else its number."""
    words = calling.known_text(driver.driverInfo)
    if words and any(letter.isdigit() for letter in words):
        return words
    version = calling.known(general.driverVersion)
    if version is None:
        return None
    # NVIDIA and Intel's Windows driver pack the number in ways of their own, which the Vulkan Hardware Database documents.
    if driver.driverID == _NVIDIA_PROPRIETARY:
        return f"{version >> 22}.{version >> 14 & 0xFF}.{version >> 6 & 0xFF}.{version & 0x3F}"
    return f"{version >> 14}.{version & 0x3FFF}" if driver.driverID == _INTEL_WINDOWS else version_text(version)


def _limits(answers: dict[Any, Any]) -> dict[str, Any]:
    limits = answers[structs.PhysicalDeviceProperties2].properties.limits
    identity = answers[structs.PhysicalDeviceIDProperties]
    drm = answers[structs.PhysicalDeviceDrmPropertiesEXT]
    return {
        "max_memory_allocation_count": calling.known(limits.maxMemoryAllocationCount),
        "max_storage_buffer_bytes": calling.known(limits.maxStorageBufferRange),
        "max_allocation_bytes": calling.known(answers[structs.PhysicalDeviceMaintenance3Properties].maxMemoryAllocationSize),
        "shared_memory_bytes": calling.known(limits.maxComputeSharedMemorySize),
        "max_work_group_invocations": calling.known(limits.maxComputeWorkGroupInvocations),
        "subgroup_size": calling.known(answers[structs.PhysicalDeviceSubgroupProperties].subgroupSize) or None,
        "luid": bytes(identity.deviceLUID).hex() if identity.deviceLUIDValid == 1 else None,
        "drm_render_minor": drm.renderMinor if drm.hasRender == 1 else None,
    }


def memories(instance: Instance, handle: c_void_p, extensions: set[bytes]) -> tuple[Any, Any]:
    """The device's memory properties, and its budget; what was not answered is untouched."""
    memory = calling.untouched(structs.PhysicalDeviceMemoryProperties2)
    budget = calling.untouched(structs.PhysicalDeviceMemoryBudgetPropertiesEXT)
    structs.chain([memory, budget] if _BUDGET in extensions else [memory])
    if instance.has_properties2:
        instance.check("vkGetPhysicalDeviceMemoryProperties2", handle, byref(memory))
    else:
        instance.check("vkGetPhysicalDeviceMemoryProperties", handle, byref(memory.memoryProperties))
    return memory.memoryProperties, budget


def _heaps(memory: Any) -> list[dict[str, Any]] | None:
    """None where the driver did not say; an empty list is an answer."""
    if memory.memoryHeapCount > len(memory.memoryHeaps):
        return None
    heaps = memory.memoryHeaps[: memory.memoryHeapCount]
    return [{"size_bytes": heap.size, "device_local": bool(heap.flags & _DEVICE_LOCAL)} for heap in heaps]


def _counted_heaps(heaps: list[dict[str, Any]] | None, integrated: bool) -> list[int] | None:
    """Positions of the heaps that make up the totals: as ggml-vulkan counts, every heap of an integrated GPU, whose memory
    is the system's either way, and the device-local ones of any other."""
    return None if heaps is None else [place for place, heap in enumerate(heaps) if integrated or heap["device_local"]]


def _free(budget: Any, counted: list[int] | None) -> int | None:
    """What this process could still take from the counted heaps; None without the budget extension or with budgets of 0."""
    figures: list[tuple[int, int]] = [(budget.heapBudget[heap], budget.heapUsage[heap]) for heap in counted or ()]
    if calling.UNTOUCHED_64 in {figure for pair in figures for figure in pair} or not any(most for most, _ in figures):
        return None
    return sum(max(0, most - used) for most, used in figures)


def _queue_families(instance: Instance, handle: c_void_p) -> list[Any]:
    return instance.listed("vkGetPhysicalDeviceQueueFamilyProperties", structs.QueueFamilyProperties, handle)


def _compute_family(families: list[Any]) -> int | None:
    able = (place for place, family in enumerate(families) if family.queueFlags & _COMPUTE and family.queueCount)
    return next(able, None)
