"""What the CUDA driver's result numbers are called, what they mean, and which of them decide anything.

Numbers and names are those of cuda.h 13.0, where `tests/backends/test_layout_cuda.py` reads them again.
"""

from __future__ import annotations

from ctypes import byref, c_char_p, c_int

from gpuprobe.backends.calling import Failed, optional, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CDLL

INVALID_VALUE, OUT_OF_MEMORY, NO_DEVICE, OPERATING_SYSTEM = 1, 2, 100, 304

NAMES = {
    1: "CUDA_ERROR_INVALID_VALUE",
    2: "CUDA_ERROR_OUT_OF_MEMORY",
    3: "CUDA_ERROR_NOT_INITIALIZED",
    4: "CUDA_ERROR_DEINITIALIZED",
    34: "CUDA_ERROR_STUB_LIBRARY",
    36: "CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER",
    46: "CUDA_ERROR_DEVICE_UNAVAILABLE",
    100: "CUDA_ERROR_NO_DEVICE",
    101: "CUDA_ERROR_INVALID_DEVICE",
    102: "CUDA_ERROR_DEVICE_NOT_LICENSED",
    200: "CUDA_ERROR_INVALID_IMAGE",
    201: "CUDA_ERROR_INVALID_CONTEXT",
    209: "CUDA_ERROR_NO_BINARY_FOR_GPU",
    214: "CUDA_ERROR_ECC_UNCORRECTABLE",
    218: "CUDA_ERROR_INVALID_PTX",
    220: "CUDA_ERROR_NVLINK_UNCORRECTABLE",
    221: "CUDA_ERROR_JIT_COMPILER_NOT_FOUND",
    222: "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
    223: "CUDA_ERROR_JIT_COMPILATION_DISABLED",
    302: "CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND",
    303: "CUDA_ERROR_SHARED_OBJECT_INIT_FAILED",
    304: "CUDA_ERROR_OPERATING_SYSTEM",
    500: "CUDA_ERROR_NOT_FOUND",
    600: "CUDA_ERROR_NOT_READY",
    700: "CUDA_ERROR_ILLEGAL_ADDRESS",
    701: "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES",
    702: "CUDA_ERROR_LAUNCH_TIMEOUT",
    714: "CUDA_ERROR_HARDWARE_STACK_ERROR",
    715: "CUDA_ERROR_ILLEGAL_INSTRUCTION",
    716: "CUDA_ERROR_MISALIGNED_ADDRESS",
    717: "CUDA_ERROR_INVALID_ADDRESS_SPACE",
    718: "CUDA_ERROR_INVALID_PC",
    719: "CUDA_ERROR_LAUNCH_FAILED",
    800: "CUDA_ERROR_NOT_PERMITTED",
    801: "CUDA_ERROR_NOT_SUPPORTED",
    802: "CUDA_ERROR_SYSTEM_NOT_READY",
    803: "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
    804: "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
    805: "CUDA_ERROR_MPS_CONNECTION_FAILED",
    806: "CUDA_ERROR_MPS_RPC_FAILURE",
    807: "CUDA_ERROR_MPS_SERVER_NOT_READY",
    808: "CUDA_ERROR_MPS_MAX_CLIENTS_REACHED",
    809: "CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED",
    810: "CUDA_ERROR_MPS_CLIENT_TERMINATED",
    909: "CUDA_ERROR_TIMEOUT",
    999: "CUDA_ERROR_UNKNOWN",
}

_FAULT = "the card stopped in a test kernel that is correct, and takes nothing more from this process"
# What a number says by itself. What it comes from here, and what to do: the checks of doctor/nvidia, which see the rest.
_MEANINGS = {
    2: "memory ran out",
    3: "the driver did not start",
    34: "the library that was loaded is the stub that programs are built against",
    36: "the driver is too old for this call",
    46: "the card takes no new context",
    100: "the driver found no card it can use",
    101: "the driver knows no card of this number",
    102: "the card is a virtual GPU without a licence",
    209: "the driver has no code for a card of this architecture",
    214: "the card's memory has an error that could not be corrected",
    218: "the driver's compiler refuses a test program that is correct",
    220: "an NVLink connection has an error that could not be corrected",
    221: "the driver's compiler (`libnvidia-ptxjitcompiler.so.1`) is not installed here",
    222: "the driver's compiler is older than the language of the test program",
    223: "`CUDA_DISABLE_PTX_JIT` switches the driver's compiler off",
    303: "a library that the driver needs did not start",
    304: "the system refused something to the driver",
    700: _FAULT,
    702: "the kernel ran longer than the system lets one run",
    714: _FAULT,
    715: _FAULT,
    716: _FAULT,
    717: _FAULT,
    718: _FAULT,
    719: _FAULT,
    800: "the system forbids it",
    801: "the driver cannot do this here",
    802: "the machine is not ready for CUDA",
    803: "the driver's library and the loaded kernel module have different versions",
    804: "a forward-compatibility library (`cuda-compat`) was loaded, which this card does not allow",
    805: "the MPS daemon that this process is directed to does not answer",
    806: "the MPS daemon that this process is directed to does not answer",
    807: "the MPS daemon that this process is directed to is not ready",
    808: "the MPS daemon has no place for another client",
    809: "the MPS daemon has no connection left",
    909: "the driver gave up waiting",
    999: "the driver gives no reason",
}

# The answers of the calls that make a context. Unsupported: the same question gets the same answer until somebody installs
# something else, because the library, the card's generation or its licence decides it. Busy: another process decides it.
# Everything else passes by itself (802 while the fabric manager starts, 600, 909), belongs to the container or to a fault of
# the hardware that a reset may clear (800, 214, 220), or says nothing (999): it decides nothing.
_UNSUPPORTED = frozenset((34, 36, 102, 209, 801, 803, 804))
_BUSY = frozenset((2, 46, 808, 809))

# Once there is a context, in which known programs and copies are run: an error of the card's memory and links that could not
# be corrected, a fault in a kernel that is right, and a compiler that refuses it are answers about this card, too.
_FAULTS = frozenset((200, 214, 218, 220, 700, 714, 715, 716, 717, 718, 719))

# Without a compiler a program for the card cannot be made here: that says nothing of the card.
NO_COMPILER = frozenset((221, 222, 223))


def name_of(code: int, library: CDLL | None = None) -> str | None:
    """The name of a result; a number that this version does not know is looked up in the library, where one may be asked."""
    ask = optional(library, "cuGetErrorName") if library is not None and code not in NAMES else None
    if ask is None:
        return NAMES.get(code)
    found = c_char_p()
    return text(found.value) if ask(c_int(code), byref(found)) == 0 and found.value else None


def named(code: int, library: CDLL) -> str:
    """ "CUDA_ERROR_UNKNOWN (999)"; the number alone where nobody knows its name."""
    name = name_of(code, library)
    return f"{name} ({code})" if name else str(code)


def failure(status: str, function: str, code: int, library: CDLL | None = None) -> Failed:
    """The end of a probe by this result. No library is given after a failed `cuInit`: nothing of it may be called then."""
    name = name_of(code, library)
    words = f"`{function}` failed with {name or 'an unknown error'} ({code})"
    return Failed(status, f"{words}: {said}" if (said := meaning(code)) else words, code, name)


def undecided(code: int) -> str:
    """What a call says of a card that is only listed: nothing."""
    return "call_failed"


def context_status(code: int) -> str:
    """What a failure to make a context says of the card: "unsupported", "busy" or, undecided, "call_failed"."""
    return "unsupported" if code in _UNSUPPORTED else "busy" if code in _BUSY else "call_failed"


def proof_status(code: int) -> str:
    """What a failure of a copy, a program or its start says of the card that has a context."""
    return "unsupported" if code in _FAULTS else context_status(code)


def meaning(code: int) -> str | None:
    """What a number says by itself; None where it says nothing."""
    return _MEANINGS.get(code)
