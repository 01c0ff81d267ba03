"""Metal's ladder: memory on one device, a pattern there and back, a kernel whose every element is compared, and timed copies.

The system's own compiler makes the kernel from its source. Metal has no library of matrix products among its functions.
"""

from __future__ import annotations

import time
from ctypes import Structure, c_uint64, c_void_p, memmove, string_at

from gpuprobe.backends import bandwidth, calling, metal
from gpuprobe.backends.comparing import fresh, same
from gpuprobe.backends.known_kernel import ADDEND, ELEMENTS, FACTOR, GROUP, NAME, SIZE, expected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.climbing import Ladder
    from gpuprobe.backends.objective_c import Runtime

    Encode = Callable[[int], None]

_COMPLETED = 4  # MTLCommandBufferStatus
# MTLCommandBufferError: what another program may be the cause of. Everything else is a fault of the card or of its driver.
_NOT_DECIDED = {
    2: ("call_failed", "MTLCommandBufferErrorTimeout"),
    7: ("call_failed", "MTLCommandBufferErrorNotPermitted"),
    8: ("busy", "MTLCommandBufferErrorOutOfMemory"),
}
SOURCE = f"""#include <metal_stdlib>
kernel void {NAME}(device uint *elements [[buffer(0)]], uint place [[thread_position_in_grid]]) {{
    elements[place] = {FACTOR} * elements[place] + {ADDEND} + place;
}}
"""


class Size(Structure):
    """MTLSize, which is passed by value."""

    _fields_ = [("width", c_uint64), ("height", c_uint64), ("depth", c_uint64)]


def climb(library: CDLL, ladder: Ladder, device: dict[str, Any]) -> None:
    """As far as `ladder` wants to go."""
    if not ladder.rung("init"):
        return
    runtime = metal.started(library, ladder.step)
    if not ladder.rung("list"):
        return
    wanted = metal.wanted_device(library, runtime, device)
    if not ladder.rung("context"):
        return
    card = _Card(runtime, wanted)
    if not ladder.rung("allocate"):
        return
    free = metal.free_memory(runtime, wanted)
    ladder.figures({} if free is None else {"free_bytes": free})
    host, there = card.buffer(SIZE, metal.SHARED), card.buffer(SIZE, metal.PRIVATE)
    ladder.figures({"allocated_bytes": 2 * SIZE})
    if ladder.rung("copy"):
        _copy(card, host, there)
        if ladder.rung("kernel"):
            _compute(card, ladder, host, there)
            if ladder.rung("bandwidth"):
                _time(card, ladder, free)


class _Card:
    """One device with a queue of commands."""

    def __init__(self, runtime: Runtime, device: int) -> None:
        self.runtime, self.device = runtime, device
        self.queue = metal.new_queue(runtime, device)

    def buffer(self, size: int, mode: int) -> int:
        return metal.new_buffer(self.runtime, self.device, size, mode)

    def place(self, buffer: int) -> int:
        """Where the processor sees a shared buffer."""
        return self._there(self.runtime.object(buffer, "contents"), "contents")

    def write(self, buffer: int, content: bytes) -> None:
        memmove(self.place(buffer), content, len(content))

    def read(self, buffer: int) -> bytes:
        return string_at(self.place(buffer), SIZE)

    def do(self, *encodings: Encode) -> float:
        """Commands in one command buffer, until the device is done with all of them; how many seconds that took."""
        begun = time.perf_counter()
        commands = self._there(self.runtime.object(self.queue, "commandBuffer"), "commandBuffer")
        for encode in encodings:
            encode(commands)
        self.runtime.object(commands, "commit")
        self.runtime.object(commands, "waitUntilCompleted")
        status = self.runtime.number(commands, "status")
        if status != _COMPLETED:
            error = self.runtime.object(commands, "error")
            words = self.runtime.text(error, "localizedDescription") if error is not None else None
            said = f": {words}" if words else ""
            code = self.runtime.number(error, "code") if error is not None else status
            verdict, name = _NOT_DECIDED.get(code, ("unsupported", None)) if error is not None else ("unsupported", None)
            raise calling.Failed(verdict, f"`waitUntilCompleted` came back with status {status}{said}", code, name)
        return time.perf_counter() - begun

    def copying(self, source: int, target: int, size: int) -> Encode:
        def encode(commands: int) -> None:
            encoder = self._there(self.runtime.object(commands, "blitCommandEncoder"), "blitCommandEncoder")
            start, length = c_uint64(0), c_uint64(size)
            selector = "copyFromBuffer:sourceOffset:toBuffer:destinationOffset:size:"
            self.runtime.object(encoder, selector, c_void_p(source), start, c_void_p(target), start, length)
            self.runtime.object(encoder, "endEncoding")

        return encode

    def computing(self, pipeline: int, buffer: int) -> Encode:
        def encode(commands: int) -> None:
            encoder = self._there(self.runtime.object(commands, "computeCommandEncoder"), "computeCommandEncoder")
            self.runtime.object(encoder, "setComputePipelineState:", c_void_p(pipeline))
            self.runtime.object(encoder, "setBuffer:offset:atIndex:", c_void_p(buffer), c_uint64(0), c_uint64(0))
            groups, threads = Size(ELEMENTS // GROUP, 1, 1), Size(GROUP, 1, 1)
            self.runtime.object(encoder, "dispatchThreadgroups:threadsPerThreadgroup:", groups, threads)
            self.runtime.object(encoder, "endEncoding")

        return encode

    def pipeline(self, library: int) -> int:
        function = self.runtime.object(library, "newFunctionWithName:", self.runtime.string(NAME))
        known = c_void_p(self._there(function, "newFunctionWithName:"))
        made, words = self.runtime.made(self.device, "newComputePipelineStateWithFunction:error:", known)
        if made is None:
            raise calling.Failed("unsupported", f"`newComputePipelineStateWithFunction:error:` made nothing: {words}")
        return made

    @staticmethod
    def _there(made: int | None, selector: str) -> int:
        if made is None:
            raise calling.Failed("unsupported", f"`{selector}` gave nothing")
        return made


def _copy(card: _Card, host: int, there: int) -> None:
    pattern = fresh(SIZE)
    card.write(host, pattern)
    card.do(card.copying(host, there, SIZE))
    card.write(host, bytes(SIZE))
    card.do(card.copying(there, host, SIZE))
    same("what was copied to the device and back", pattern, card.read(host))


def _compute(card: _Card, ladder: Ladder, host: int, there: int) -> None:
    source = card.runtime.string(SOURCE)
    library, words = card.runtime.made(card.device, "newLibraryWithSource:options:error:", source, c_void_p())
    if library is None:
        ladder.not_possible(f"the system's compiler made no kernel of its source: {words or 'it gives no reason'}")
        return
    pipeline, values = card.pipeline(library), fresh(SIZE)
    card.write(host, values)
    card.do(card.copying(host, there, SIZE), card.computing(pipeline, there), card.copying(there, host, SIZE))
    same("what the kernel computed", expected(values), card.read(host))
    ladder.figures({"elements": ELEMENTS})


def _time(card: _Card, ladder: Ladder, free: int | None) -> None:
    bandwidth.time_copies(
        ladder,
        free,
        make=lambda host, there: (card.buffer(host, metal.SHARED), *(card.buffer(there, metal.PRIVATE) for _ in range(2))),
        copying=lambda way, source, target, size: card.copying(source, target, size),
        seconds=lambda copying, count: card.do(*[copying] * count),
    )
