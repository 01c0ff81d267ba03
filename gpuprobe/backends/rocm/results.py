"""What HIP's result numbers are called, what they mean, and which of them decide anything.

Numbers and names are those of hip_runtime_api.h 5.2, where `tests/backends/test_layout_hip.py` reads them again. Most are as
CUDA's.
"""

from __future__ import annotations

from ctypes import c_char_p, c_int

from gpuprobe.backends.calling import Failed, optional, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CDLL

NO_DEVICE, INVALID_DEVICE = 100, 101

NAMES = {
    1: "hipErrorInvalidValue",
    2: "hipErrorOutOfMemory",
    3: "hipErrorNotInitialized",
    4: "hipErrorDeinitialized",
    35: "hipErrorInsufficientDriver",
    98: "hipErrorInvalidDeviceFunction",
    100: "hipErrorNoDevice",
    101: "hipErrorInvalidDevice",
    200: "hipErrorInvalidImage",
    201: "hipErrorInvalidContext",
    209: "hipErrorNoBinaryForGpu",
    214: "hipErrorECCNotCorrectable",
    301: "hipErrorFileNotFound",
    302: "hipErrorSharedObjectSymbolNotFound",
    303: "hipErrorSharedObjectInitFailed",
    304: "hipErrorOperatingSystem",
    500: "hipErrorNotFound",
    600: "hipErrorNotReady",
    700: "hipErrorIllegalAddress",
    701: "hipErrorLaunchOutOfResources",
    702: "hipErrorLaunchTimeOut",
    710: "hipErrorAssert",
    719: "hipErrorLaunchFailure",
    801: "hipErrorNotSupported",
    999: "hipErrorUnknown",
    1052: "hipErrorRuntimeMemory",
    1053: "hipErrorRuntimeOther",
}

# What a number says by itself. What it comes from on this machine, and what to do: doctor/remedies.py, which sees the rest.
_MEANINGS = {
    2: "memory ran out",
    3: "the runtime did not start",
    35: "the kernel driver is too old for this release of ROCm",
    98: "the library has no code for a card of this architecture",
    100: "the runtime found no card it can use",
    101: "the runtime found no card it can use",
    200: "the runtime does not take the program that its own compiler made",
    209: "the library has no code for a card of this architecture",
    214: "the card's memory has an error that could not be corrected",
    303: "a library that the runtime needs did not start",
    304: "the system refused something to the runtime",
    700: "a kernel that is right touched memory that is not there",
    719: "the card stopped in the middle of a kernel",
    801: "the runtime cannot do this on this card",
    1052: "the runtime below HIP could not get memory",
    1053: "the runtime below HIP failed and gives no reason",
}

# Of the calls that make a context. Unsupported: the same question gets the same answer until another release is installed.
# Busy: another process decides it. Everything else passes by itself, is a fault that a reset may clear, or says nothing.
_UNSUPPORTED = frozenset((35, 98, 209, 801))
_BUSY = frozenset((2, 1052))

# Once there is a context, in which known programs and copies are run: memory that could not be corrected, a program of the
# runtime's own compiler that it does not take, and a fault in a kernel that is right are answers about this card, too.
_FAULTS = frozenset((200, 214, 700, 710, 719))


def name_of(code: int, library: CDLL | None = None) -> str | None:
    """The name of a result; a number that this version does not know is looked up in the library, where one may be asked."""
    ask = optional(library, "hipGetErrorName") if library is not None and code not in NAMES else None
    if ask is None:
        return NAMES.get(code)
    ask.restype = c_char_p  # type: ignore[attr-defined]
    name: object = ask(c_int(code))
    return text(name) if isinstance(name, bytes) else None


def named(code: int, library: CDLL) -> str:
    """ "hipErrorUnknown (999)"; the number alone where nobody knows its name."""
    name = name_of(code, library)
    return f"{name} ({code})" if name else str(code)


def failure(status: str, function: str, code: int, library: CDLL | None = None) -> Failed:
    """The end of a probe by this result. No library is given after a failed `hipInit`: nothing of it may be called then."""
    name = name_of(code, library)
    words = f"`{function}` failed with {name or 'an unknown error'} ({code})"
    return Failed(status, f"{words}: {_MEANINGS[code]}" if code in _MEANINGS else words, code, name)


def context_status(code: int) -> str:
    """What a failure to make a context says of the card: "unsupported", "busy" or, undecided, "call_failed"."""
    return "unsupported" if code in _UNSUPPORTED else "busy" if code in _BUSY else "call_failed"


def proof_status(code: int) -> str:
    """What a failure of a copy, a program or its start says of the card that has a context."""
    return "unsupported" if code in _FAULTS else context_status(code)
