"""What NVML's result numbers are called, and what they mean."""

from __future__ import annotations

from gpuprobe.backends.calling import Failed

NOT_SUPPORTED, NOT_FOUND, LIBRARY_NOT_FOUND = 3, 6, 12

# nvmlReturn_t; the binding gives words but not these names.
NAMES = {
    1: "NVML_ERROR_UNINITIALIZED",
    2: "NVML_ERROR_INVALID_ARGUMENT",
    3: "NVML_ERROR_NOT_SUPPORTED",
    4: "NVML_ERROR_NO_PERMISSION",
    6: "NVML_ERROR_NOT_FOUND",
    7: "NVML_ERROR_INSUFFICIENT_SIZE",
    8: "NVML_ERROR_INSUFFICIENT_POWER",
    9: "NVML_ERROR_DRIVER_NOT_LOADED",
    10: "NVML_ERROR_TIMEOUT",
    11: "NVML_ERROR_IRQ_ISSUE",
    12: "NVML_ERROR_LIBRARY_NOT_FOUND",
    13: "NVML_ERROR_FUNCTION_NOT_FOUND",
    14: "NVML_ERROR_CORRUPTED_INFOROM",
    15: "NVML_ERROR_GPU_IS_LOST",
    16: "NVML_ERROR_RESET_REQUIRED",
    17: "NVML_ERROR_OPERATING_SYSTEM",
    18: "NVML_ERROR_LIB_RM_VERSION_MISMATCH",
    19: "NVML_ERROR_IN_USE",
    20: "NVML_ERROR_MEMORY",
    21: "NVML_ERROR_NO_DATA",
    23: "NVML_ERROR_INSUFFICIENT_RESOURCES",
    25: "NVML_ERROR_ARGUMENT_VERSION_MISMATCH",
    26: "NVML_ERROR_DEPRECATED",
    27: "NVML_ERROR_NOT_READY",
    28: "NVML_ERROR_GPU_NOT_FOUND",
    29: "NVML_ERROR_INVALID_STATE",
    999: "NVML_ERROR_UNKNOWN",
}
# What a number says by itself. What it comes from here, and what to do: the checks of doctor/nvidia.
_MEANINGS = {
    4: "your account may not open the device nodes",
    8: "a card lacks power",
    9: "NVIDIA's kernel driver does not answer",
    11: "interrupts of a card do not arrive",
    12: "the library is not there",
    13: "the library is older than this function",
    14: "a card's infoROM is damaged",
    15: "a card has fallen off the bus",
    16: "a card needs a reset",
    17: "the system refused something to the driver",
    18: "the library and the loaded kernel module have different versions",
    999: "the driver gives no reason",
}


def failure(status: str, function: str, code: int) -> Failed:
    name = NAMES.get(code)
    words = f"`{function}` failed with {name or 'an unknown error'} ({code})"
    return Failed(status, f"{words}: {_MEANINGS[code]}" if code in _MEANINGS else words, code, name)
