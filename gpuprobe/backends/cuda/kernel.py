"""A small kernel on the card of the current context, compiled by the driver itself, and every element of what it computed."""

from __future__ import annotations

from ctypes import byref, c_char_p, c_int, c_uint, c_void_p, cast, create_string_buffer

from gpuprobe.backends import calling, comparing
from gpuprobe.backends.cuda import compute, results
from gpuprobe.backends.cuda.card import COMPUTE_MAJOR
from gpuprobe.backends.known_kernel import ELEMENTS, SIZE, expected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CDLL, c_uint64

    from gpuprobe.backends.cuda.card import Card
    from gpuprobe.backends.stages import Validation

BYTES = SIZE
_PER_BLOCK = 256

# The known kernel; see known_kernel.py.
_KERNEL = """
.version {version}
.target {target}
.address_size 64
.visible .entry probe(.param .u64 where, .param .u32 count)
{{
    .reg .pred %outside;
    .reg .b32 %r<6>;
    .reg .b64 %rd<4>;
    ld.param.u64 %rd0, [where];
    ld.param.u32 %r0, [count];
    mov.u32 %r1, %ctaid.x;
    mov.u32 %r2, %ntid.x;
    mov.u32 %r3, %tid.x;
    mad.lo.s32 %r4, %r1, %r2, %r3;
    setp.ge.u32 %outside, %r4, %r0;
    @%outside bra done;
    cvta.to.global.u64 %rd1, %rd0;
    mul.wide.u32 %rd2, %r4, 4;
    add.s64 %rd3, %rd1, %rd2;
    ld.global.u32 %r5, [%rd3];
    mad.lo.s32 %r5, %r5, 3, 7;
    add.s32 %r5, %r5, %r4;
    st.global.u32 [%rd3], %r5;
done:
    ret;
}}
"""
# CUjit_option, cuda.h.
_INFO_LOG, _INFO_LOG_BYTES, _ERROR_LOG, _ERROR_LOG_BYTES = 3, 4, 5, 6
_LOG_BYTES = 4096


def run(card: Card, validation: Validation, where: c_uint64, pattern: bytes) -> None:
    """Runs the kernel over the pattern that stands there and compares every element; Wrong where one is."""
    function = _compiled(card, validation)
    if function is None:
        return
    card.announce("the same on the processor")
    right = expected(pattern)
    count = c_uint(ELEMENTS)
    parameters = (c_void_p * 2)(cast(byref(where), c_void_p), cast(byref(count), c_void_p))
    grid, block = (c_uint(ELEMENTS // _PER_BLOCK), c_uint(1), c_uint(1)), (c_uint(_PER_BLOCK), c_uint(1), c_uint(1))
    card.check("cuLaunchKernel", function, *grid, *block, c_uint(0), c_void_p(), parameters, c_void_p())
    card.check("cuCtxSynchronize")
    comparing.same("the kernel", right, compute.read(card, where, BYTES))
    validation.figures({"elements": ELEMENTS})


def _compiled(card: Card, validation: Validation) -> c_void_p | None:
    """The kernel as a function of the card; None where there is no compiler, which the validation is told."""
    module, function, log = c_void_p(), c_void_p(), create_string_buffer(_LOG_BYTES)
    info = create_string_buffer(_LOG_BYTES)
    options = (c_int * 4)(_INFO_LOG, _INFO_LOG_BYTES, _ERROR_LOG, _ERROR_LOG_BYTES)
    size = c_void_p(_LOG_BYTES)
    values = (c_void_p * 4)(cast(info, c_void_p), size, cast(log, c_void_p), size)
    card.announce("cuModuleLoadDataEx")
    load = calling.required(card.library, "cuModuleLoadDataEx")
    code = load(byref(module), c_char_p(program(card).encode()), c_uint(4), options, values)
    if code in results.NO_COMPILER:
        validation.not_possible(results.meaning(code) or "", code, results.name_of(code))
        return None
    if code:
        raise _refused(code, card.library, calling.text(log.raw))
    card.check("cuModuleGetFunction", byref(function), module, c_char_p(b"probe"))
    if not function:
        raise calling.Failed("call_failed", "`cuModuleGetFunction` reported success but gave no function")
    return function


def program(card: Card) -> str:
    """The kernel's text, in the oldest form that suits the card: any driver's compiler of its time takes it, and later ones do
    (ptxas 13.0 for 7.5 to 12.1)."""
    major = card.attribute("compute_major", COMPUTE_MAJOR)
    old = major is not None and major < 5
    return _KERNEL.format(version="5.0" if old else "6.0", target="sm_30" if old else "sm_50")


def _refused(code: int, library: CDLL, log: str | None) -> calling.Failed:
    failed = results.failure(results.proof_status(code), "cuModuleLoadDataEx", code, library)
    if log:
        failed.message = f"{failed.message}; the compiler says: {' '.join(log.split())[:600]}"
    return failed
