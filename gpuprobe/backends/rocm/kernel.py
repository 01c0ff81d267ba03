"""hiprtc: the compiler that AMD's runtime may bring along, and the known kernel as it makes it for one architecture."""

from __future__ import annotations

import os
from ctypes import byref, c_char_p, c_int, c_size_t, c_void_p, create_string_buffer

from gpuprobe.backends import calling, known_kernel
from gpuprobe.backends.rocm import blas

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CDLL

    from gpuprobe.backends.calling import Announce

_LONGEST_LOG = 1 << 20

# hiprtcResult, hiprtc.h 5.2.
NAMES = {
    1: "HIPRTC_ERROR_OUT_OF_MEMORY",
    2: "HIPRTC_ERROR_PROGRAM_CREATION_FAILURE",
    3: "HIPRTC_ERROR_INVALID_INPUT",
    4: "HIPRTC_ERROR_INVALID_PROGRAM",
    5: "HIPRTC_ERROR_INVALID_OPTION",
    6: "HIPRTC_ERROR_COMPILATION",
    7: "HIPRTC_ERROR_BUILTIN_OPERATION_FAILURE",
    11: "HIPRTC_ERROR_INTERNAL_ERROR",
}

SOURCE = f"""extern "C" __global__ void {known_kernel.NAME}(unsigned int *elements) {{
    unsigned int at = blockIdx.x * blockDim.x + threadIdx.x;
    elements[at] = {known_kernel.FACTOR}u * elements[at] + {known_kernel.ADDEND}u + at;
}}
"""


class Unavailable(Exception):
    """There is no compiler, or it makes no program for this card: no failure of the card. `code`: what it answered."""

    def __init__(self, because: str, code: int | None = None) -> None:
        super().__init__(because)
        self.because, self.code, self.name = because, code, NAMES.get(code or 0)


def found(hip: CDLL, announce: Announce, version: str | None) -> CDLL:
    """The compiler of HIP's own release: beside it, by name, or inside HIP itself, which has it until release 6. Unavailable
    where there is none."""
    names = _names(version)
    announce(f"load {names[0]}")
    try:
        return calling.load([*blas.beside(hip, names), *names], needs="hiprtcCreateProgram")
    except calling.Failed as refused:
        if calling.optional(hip, "hiprtcCreateProgram") is not None:
            return hip
        raise Unavailable(f"there is no compiler: {refused.message}") from None


def compiled(library: CDLL, announce: Announce, architecture: str) -> bytes:
    """The known kernel's code for an architecture ("gfx942:sramecc+:xnack-"); Unavailable where the compiler gives none.

    On an architecture that it does not know release 5.2 frees a wrong pointer and dies; but the runtime of a release lists no
    card that is newer than its compiler.
    """
    program, source = c_void_p(), c_char_p(SOURCE.encode())
    _check(library, announce, "hiprtcCreateProgram", byref(program), source, c_char_p(b"probe"), c_int(0), None, None)
    options = (c_char_p * 1)(f"--offload-arch={architecture}".encode())
    try:
        _check(library, announce, "hiprtcCompileProgram", program, c_int(1), options)
    except Unavailable as refused:
        said = _log(library, announce, program)
        raise Unavailable(refused.because + (f"; it says: {said}" if said else ""), refused.code) from None
    size = c_size_t(0)
    _check(library, announce, "hiprtcGetCodeSize", program, byref(size))
    if not size.value:
        raise Unavailable("hiprtc makes an empty program for this card")
    code = create_string_buffer(size.value)
    _check(library, announce, "hiprtcGetCode", program, code)
    _check(library, announce, "hiprtcDestroyProgram", byref(program))
    return code.raw


def _names(version: str | None) -> list[str]:
    if os.name == "nt":
        major, minor, *_ = [*(version or "").split("."), "", ""]
        return [f"hiprtc{major:0>2}{minor:0>2}.dll"]
    majors = [version.partition(".")[0]] if version else ["7", "6", "5"]
    return [f"libhiprtc.so.{major}" for major in majors]


def _check(library: CDLL, announce: Announce, function: str, *arguments: object) -> None:
    announce(function)
    code = calling.required(library, function)(*arguments)
    if code:
        name = NAMES.get(code) or "a number without a name"
        raise Unavailable(f"hiprtc makes no program for this card: `{function}` failed with {name} ({code})", code)


def _log(library: CDLL, announce: Announce, program: c_void_p) -> str | None:
    """The compiler's words in one line; None where there are none to be had."""
    size = c_size_t(0)
    try:
        _check(library, announce, "hiprtcGetProgramLogSize", program, byref(size))
        if size.value > _LONGEST_LOG:  # the next call writes all of it, however long
            return None
        words = create_string_buffer(size.value + 1)
        _check(library, announce, "hiprtcGetProgramLog", program, words)
    except Unavailable:
        return None
    return " ".join((calling.text(words.raw) or "").split())[:600] or None
