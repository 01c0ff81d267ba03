"""The C structures of Level Zero that gpuprobe reads or fills: what lies where.

Classes and fields are spelled as in `ze_api.h` and `zes_api.h`, so that a test can ask the C compiler about every one.
"""

from __future__ import annotations

from ctypes import Structure, c_char, c_char_p, c_int32, c_int64, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p

from gpuprobe.backends import calling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HEADER = (("stype", c_uint32), ("pNext", c_void_p))


class ZeInitDriverTypeDesc(Structure):
    STYPE = 0x20021
    _fields_ = (*_HEADER, ("flags", c_uint32))


class ZeDriverProperties(Structure):
    STYPE = 0x1
    _fields_ = (*_HEADER, ("uuid", c_uint8 * 16), ("driverVersion", c_uint32))


class ZeDeviceProperties(Structure):
    STYPE = 0x3
    _fields_ = (
        *_HEADER,
        ("type", c_uint32),
        ("vendorId", c_uint32),
        ("deviceId", c_uint32),
        ("flags", c_uint32),
        ("subdeviceId", c_uint32),
        ("coreClockRate", c_uint32),
        ("maxMemAllocSize", c_uint64),
        ("maxHardwareContexts", c_uint32),
        ("maxCommandQueuePriority", c_uint32),
        ("numThreadsPerEU", c_uint32),
        ("physicalEUSimdWidth", c_uint32),
        ("numEUsPerSubslice", c_uint32),
        ("numSubslicesPerSlice", c_uint32),
        ("numSlices", c_uint32),
        ("timerResolution", c_uint64),
        ("timestampValidBits", c_uint32),
        ("kernelTimestampValidBits", c_uint32),
        ("uuid", c_uint8 * 16),
        ("name", c_char * 256),
    )


class ZeDeviceMemoryProperties(Structure):
    STYPE = 0x7
    _fields_ = (
        *_HEADER,
        ("flags", c_uint32),
        ("maxClockRate", c_uint32),
        ("maxBusWidth", c_uint32),
        ("totalSize", c_uint64),
        ("name", c_char * 256),
    )


class ZePciAddressExt(Structure):
    _fields_ = (("domain", c_uint32), ("bus", c_uint32), ("device", c_uint32), ("function", c_uint32))


class ZePciSpeedExt(Structure):
    _fields_ = (("genVersion", c_int32), ("width", c_int32), ("maxBandwidth", c_int64))


class ZePciExtProperties(Structure):
    STYPE = 0x10008
    _fields_ = (*_HEADER, ("address", ZePciAddressExt), ("maxSpeed", ZePciSpeedExt))


class ZeCommandQueueGroupProperties(Structure):
    STYPE = 0x6
    _fields_ = (*_HEADER, ("flags", c_uint32), ("maxMemoryFillPatternSize", c_size_t), ("numQueues", c_uint32))


class ZeContextDesc(Structure):
    STYPE = 0xD
    _fields_ = (*_HEADER, ("flags", c_uint32))


class ZeCommandQueueDesc(Structure):
    STYPE = 0xE
    _fields_ = (
        *_HEADER,
        ("ordinal", c_uint32),
        ("index", c_uint32),
        ("flags", c_uint32),
        ("mode", c_uint32),
        ("priority", c_uint32),
    )


class ZeCommandListDesc(Structure):
    STYPE = 0xF
    _fields_ = (*_HEADER, ("commandQueueGroupOrdinal", c_uint32), ("flags", c_uint32))


class ZeModuleDesc(Structure):
    STYPE = 0x1B
    _fields_ = (
        *_HEADER,
        ("format", c_uint32),
        ("inputSize", c_size_t),
        ("pInputModule", c_char_p),
        ("pBuildFlags", c_char_p),
        ("pConstants", c_void_p),
    )


class ZeKernelDesc(Structure):
    STYPE = 0x1D
    _fields_ = (*_HEADER, ("flags", c_uint32), ("pKernelName", c_char_p))


class ZeGroupCount(Structure):
    _fields_ = (("groupCountX", c_uint32), ("groupCountY", c_uint32), ("groupCountZ", c_uint32))


class ZeDeviceMemAllocDesc(Structure):
    STYPE = 0x15
    _fields_ = (*_HEADER, ("flags", c_uint32), ("ordinal", c_uint32))


class ZeHostMemAllocDesc(Structure):
    STYPE = 0x16
    _fields_ = (*_HEADER, ("flags", c_uint32))


class ZesUuid(Structure):
    _fields_ = (("id", c_uint8 * 16),)


class ZesMemProperties(Structure):
    STYPE = 0xB
    _fields_ = (
        *_HEADER,
        ("type", c_uint32),
        ("onSubdevice", c_uint8),
        ("subdeviceId", c_uint32),
        ("location", c_uint32),
        ("physicalSize", c_uint64),
        ("busWidth", c_int32),
        ("numChannels", c_int32),
    )


class ZesMemState(Structure):
    STYPE = 0x1E
    _fields_ = (*_HEADER, ("health", c_uint32), ("free", c_uint64), ("size", c_uint64))


def asking(kind: type[Structure], **fields: Any) -> Any:
    """A structure that tells the driver what is wanted; what is not given is zero."""
    return kind(stype=kind.STYPE, **fields)


def answered(kind: type[Structure], count: int = 1) -> Any:
    """An array of structures for the driver to fill: untouched but for the type that they are announced by."""
    items = (kind * count)()
    for place in range(count):
        items[place] = calling.untouched(kind)
        items[place].stype, items[place].pNext = kind.STYPE, None
    return items
