"""A Level Zero device that is put to work: memory, copies, a kernel that its driver compiles, and the wait for their end."""

from __future__ import annotations

import time
from ctypes import byref, c_char_p, c_size_t, c_uint32, c_uint64, c_void_p, create_string_buffer, memmove, sizeof

from gpuprobe.backends import calling, known_kernel
from gpuprobe.backends.level_zero import kernel, results, structs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gpuprobe.backends.level_zero.card import Card
    from gpuprobe.backends.level_zero.session import Session

    Record = Callable[[], None]

_ALIGNMENT = 64
SPIRV = 0  # ze_module_format_t

# A million elements take a millisecond; a card that needs this long hangs, or belongs to somebody else just now.
PATIENCE = 10.0  # seconds


class NoCompiler(Exception):
    """The driver has no compiler: `code` is its answer. No failure of the card."""

    def __init__(self, code: int) -> None:
        super().__init__(results.named(code))
        self.code = code


class Context:
    """A context on one card, in which it is put to work. Every call is announced; one that fails ends the probe with Failed."""

    def __init__(self, session: Session, device: Card) -> None:
        self._session, self._device = session, device
        self._context, self._queue, self._commands = c_void_p(), c_void_p(), c_void_p()
        wanted = structs.asking(structs.ZeContextDesc)
        self._make("zeContextCreate", self._context, device.driver.handle, byref(wanted))

    def card_memory(self, size: int) -> c_void_p:
        wanted, made = structs.asking(structs.ZeDeviceMemAllocDesc), c_void_p()
        room = (c_size_t(size), c_size_t(_ALIGNMENT))
        return self._make("zeMemAllocDevice", made, self._context, byref(wanted), *room, self._device.handle)

    def host_memory(self, size: int) -> c_void_p:
        """Of the machine, where the card reaches it without a detour."""
        wanted, made = structs.asking(structs.ZeHostMemAllocDesc), c_void_p()
        return self._make("zeMemAllocHost", made, self._context, byref(wanted), c_size_t(size), c_size_t(_ALIGNMENT))

    def discard(self, memory: c_void_p) -> None:
        self._session.check("zeMemFree", self._context, memory)

    def get_ready(self) -> None:
        """Makes what commands are collected in and given to the card by."""
        ordinal = self._device.compute_group()
        queue = structs.asking(structs.ZeCommandQueueDesc, ordinal=ordinal)
        commands = structs.asking(structs.ZeCommandListDesc, commandQueueGroupOrdinal=ordinal)
        self._make("zeCommandQueueCreate", self._queue, self._context, self._device.handle, byref(queue))
        self._make("zeCommandListCreate", self._commands, self._context, self._device.handle, byref(commands))

    def do(self, *records: Record) -> float:
        """Collects these commands, each waiting for the one before it, and waits for their end; seconds from giving them to the
        card to there."""
        for record in records:
            record()
            self._session.check("zeCommandListAppendBarrier", self._commands, None, c_uint32(0), None)
        self._session.check("zeCommandListClose", self._commands)
        began = time.perf_counter()
        self._session.check("zeCommandQueueExecuteCommandLists", self._queue, c_uint32(1), byref(self._commands), None)
        self._session.check("zeCommandQueueSynchronize", self._queue, c_uint64(int(PATIENCE * 1e9)))
        seconds = time.perf_counter() - began
        self._session.check("zeCommandListReset", self._commands)
        return seconds

    def copying(self, source: c_void_p, target: c_void_p, size: int) -> Record:
        arguments = (self._commands, target, source, c_size_t(size), None, c_uint32(0), None)
        return lambda: self._session.check("zeCommandListAppendMemoryCopy", *arguments)

    def computing(self, memory: c_void_p, groups: int) -> Record:
        """The known kernel, on memory of the card; raises NoCompiler where the driver cannot compile at all."""
        kernel = self._kernel(self._module())
        argument = c_void_p(memory.value)
        one = c_uint32(1)
        self._session.check("zeKernelSetGroupSize", kernel, c_uint32(known_kernel.GROUP), one, one)
        place = (c_uint32(0), c_size_t(sizeof(argument)))
        self._session.check("zeKernelSetArgumentValue", kernel, *place, byref(argument))
        count = structs.ZeGroupCount(groups, 1, 1)
        arguments = (self._commands, kernel, byref(count), None, c_uint32(0), None)
        return lambda: self._session.check("zeCommandListAppendLaunchKernel", *arguments)

    def _module(self) -> c_void_p:
        words, made, log = kernel.WORDS, c_void_p(), c_void_p()
        wanted = structs.asking(structs.ZeModuleDesc, format=SPIRV, inputSize=len(words), pInputModule=words)
        asked = (self._context, self._device.handle, byref(wanted), byref(made), byref(log))
        code = self._session.code("zeModuleCreate", *asked)
        if code == results.DEPENDENCY_UNAVAILABLE:
            raise NoCompiler(code)
        if code:
            failed = self._session.failure("zeModuleCreate", code)
            said = self._build_log(log)
            failed.message += f"; its compiler says: {said}" if said else ""
            raise failed
        return _there("zeModuleCreate", made)

    def _kernel(self, module: c_void_p) -> c_void_p:
        wanted = structs.asking(structs.ZeKernelDesc, pKernelName=c_char_p(known_kernel.NAME.encode()))
        return self._make("zeKernelCreate", c_void_p(), module, byref(wanted))

    def _build_log(self, log: c_void_p) -> str | None:
        """The compiler's words in one line; None where there are none to be had."""
        size = c_size_t(0)
        if not log or self._session.code("zeModuleBuildLogGetString", log, byref(size), None) or not size.value:
            return None
        size = c_size_t(min(size.value, 65536))
        words = create_string_buffer(size.value + 1)
        if self._session.code("zeModuleBuildLogGetString", log, byref(size), words):
            return None
        return " ".join((calling.text(words.raw) or "").split())[:600] or None

    def _make(self, function: str, made: c_void_p, *arguments: Any) -> c_void_p:
        self._session.check(function, *arguments, byref(made))
        return _there(function, made)


def write(memory: c_void_p, content: bytes) -> None:
    memmove(memory, content, len(content))


def _there(function: str, made: c_void_p) -> c_void_p:
    if not made:
        raise calling.Failed("call_failed", f"`{function}` reported success but gave nothing")
    return made
