"""What Level Zero's result numbers are called, what they mean, and which of them decide anything.

Numbers and names are those of `ze_api.h`, where `tests/backends/test_layout_level_zero.py` reads them again.
"""

from __future__ import annotations

from gpuprobe.backends.calling import Failed

NOT_READY, OUT_OF_HOST_MEMORY, OUT_OF_DEVICE_MEMORY = 0x1, 0x70000002, 0x70000003
BUILD_FAILURE, DEPENDENCY_UNAVAILABLE = 0x70000004, 0x70020000
UNINITIALIZED, UNSUPPORTED_FEATURE = 0x78000001, 0x78000003

NAMES = {
    NOT_READY: "ZE_RESULT_NOT_READY",
    0x70000001: "ZE_RESULT_ERROR_DEVICE_LOST",
    OUT_OF_HOST_MEMORY: "ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY",
    OUT_OF_DEVICE_MEMORY: "ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY",
    BUILD_FAILURE: "ZE_RESULT_ERROR_MODULE_BUILD_FAILURE",
    0x70000005: "ZE_RESULT_ERROR_MODULE_LINK_FAILURE",
    0x70000006: "ZE_RESULT_ERROR_DEVICE_REQUIRES_RESET",
    0x70000007: "ZE_RESULT_ERROR_DEVICE_IN_LOW_POWER_STATE",
    0x70010000: "ZE_RESULT_ERROR_INSUFFICIENT_PERMISSIONS",
    0x70010001: "ZE_RESULT_ERROR_NOT_AVAILABLE",
    DEPENDENCY_UNAVAILABLE: "ZE_RESULT_ERROR_DEPENDENCY_UNAVAILABLE",
    UNINITIALIZED: "ZE_RESULT_ERROR_UNINITIALIZED",
    0x78000002: "ZE_RESULT_ERROR_UNSUPPORTED_VERSION",
    UNSUPPORTED_FEATURE: "ZE_RESULT_ERROR_UNSUPPORTED_FEATURE",
    0x78000004: "ZE_RESULT_ERROR_INVALID_ARGUMENT",
    0x78000005: "ZE_RESULT_ERROR_INVALID_NULL_HANDLE",
    0x78000006: "ZE_RESULT_ERROR_HANDLE_OBJECT_IN_USE",
    0x78000007: "ZE_RESULT_ERROR_INVALID_NULL_POINTER",
    0x78000008: "ZE_RESULT_ERROR_INVALID_SIZE",
    0x78000009: "ZE_RESULT_ERROR_UNSUPPORTED_SIZE",
    0x7800000A: "ZE_RESULT_ERROR_UNSUPPORTED_ALIGNMENT",
    0x7800000C: "ZE_RESULT_ERROR_INVALID_ENUMERATION",
    0x7800000D: "ZE_RESULT_ERROR_UNSUPPORTED_ENUMERATION",
    0x7800000F: "ZE_RESULT_ERROR_INVALID_NATIVE_BINARY",
    0x78000011: "ZE_RESULT_ERROR_INVALID_KERNEL_NAME",
    0x78000013: "ZE_RESULT_ERROR_INVALID_GROUP_SIZE_DIMENSION",
    0x78000015: "ZE_RESULT_ERROR_INVALID_KERNEL_ARGUMENT_INDEX",
    0x78000016: "ZE_RESULT_ERROR_INVALID_KERNEL_ARGUMENT_SIZE",
    0x78000019: "ZE_RESULT_ERROR_INVALID_COMMAND_LIST_TYPE",
    0x7FFFFFFE: "ZE_RESULT_ERROR_UNKNOWN",
}

# What a number says by itself. What it comes from on this machine, and what to do: doctor/remedies.py, which sees the rest.
_NO_DRIVER = "the Level Zero loader found no driver that works"
_MEANINGS = {
    NOT_READY: "the card did not finish in time; it hangs, or another program keeps it",
    0x70000001: "the card hangs, was reset or was taken away",
    OUT_OF_HOST_MEMORY: "the machine's memory, or what this process may take of it, ran out",
    OUT_OF_DEVICE_MEMORY: "the card's memory ran out",
    BUILD_FAILURE: "the driver's compiler makes no code for this card",
    0x70000006: "the card must be reset",
    0x70000007: "the card sleeps, and the driver could not wake it",
    0x70010000: "your account may not use the card",
    0x70010001: "the driver says it is not available now; another program may hold it",
    DEPENDENCY_UNAVAILABLE: "a library that the driver needs is missing",
    UNINITIALIZED: "the driver did not start",
    0x78000002: "the driver is too old for this loader",
    UNSUPPORTED_FEATURE: "the driver cannot do this on this card",
    0x78000006: "the driver says that it is in use",
    0x7FFFFFFE: "the driver gives no reason",
}

# The answers of the calls that a validation makes. Busy: another process decides it, or it passes by itself. Unsupported: the
# same question gets the same answer until somebody installs something else.
_BUSY = frozenset((NOT_READY, OUT_OF_HOST_MEMORY, OUT_OF_DEVICE_MEMORY, 0x70000007, 0x70010001, 0x78000006))
_UNSUPPORTED = frozenset((BUILD_FAILURE, 0x70000005, DEPENDENCY_UNAVAILABLE, 0x78000002, UNSUPPORTED_FEATURE))
# Once there is a context, in which known programs and copies are run: a card that is lost there is an answer about it.
_FAULTS = frozenset((0x70000001, 0x70000006))


def named(code: int) -> str:
    """ "ZE_RESULT_ERROR_UNKNOWN (0x7ffffffe)"; the number alone where nobody knows its name."""
    name = NAMES.get(code)
    return f"{name} (0x{code:08x})" if name else f"0x{code:08x}"


def failure(status: str, function: str, code: int) -> Failed:
    """The end of a probe by this result."""
    starting = status == "no_devices"
    meaning = _NO_DRIVER if starting else _MEANINGS.get(code)
    words = f"`{function}` failed with {named(code)}"
    return Failed(status, f"{words}: {meaning}" if meaning else words, code, NAMES.get(code))


def validation_status(code: int) -> str:
    """What a failure to use the device says of it: "unsupported", "busy", else "call_failed"."""
    return "unsupported" if code in _UNSUPPORTED else "busy" if code in _BUSY else "call_failed"


def proof_status(code: int) -> str:
    """What a failure of a copy, a program or its start says of the device that has a context."""
    return "unsupported" if code in _FAULTS else validation_status(code)
