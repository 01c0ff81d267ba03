"""One Metal device with a queue: memory, copies and a kernel on it, and the wait for their end."""

from __future__ import annotations

import time
from ctypes import Structure, c_uint64, c_void_p, memmove, string_at

from gpuprobe.backends import calling
from gpuprobe.backends.known_kernel import ELEMENTS, GROUP, NAME, SIZE
from gpuprobe.backends.metal import listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gpuprobe.backends.metal.objective_c import Runtime

    Encode = Callable[[int], None]

_COMPLETED = 4  # MTLCommandBufferStatus
# MTLCommandBufferError: what another program may be the cause of. Everything else is a fault of the card or of its driver.
_NOT_DECIDED = {
    2: ("call_failed", "MTLCommandBufferErrorTimeout"),
    7: ("call_failed", "MTLCommandBufferErrorNotPermitted"),
    8: ("busy", "MTLCommandBufferErrorOutOfMemory"),
}


class Size(Structure):
    """MTLSize, which is passed by value."""

    _fields_ = [("width", c_uint64), ("height", c_uint64), ("depth", c_uint64)]


class Card:
    """One device with a queue of commands."""

    def __init__(self, runtime: Runtime, device: int) -> None:
        self.runtime, self.device = runtime, device
        self.queue = listing.new_queue(runtime, device)

    def buffer(self, size: int, mode: int) -> int:
        return listing.new_buffer(self.runtime, self.device, size, mode)

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
