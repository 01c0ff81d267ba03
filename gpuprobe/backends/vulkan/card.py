"""A Vulkan device that is put to work: buffers in its memory, copies between them, a kernel, and the wait for their end."""

from __future__ import annotations

import time
from ctypes import Structure, byref, c_char_p, c_uint32, c_uint64, c_void_p, memmove, pointer, string_at

from gpuprobe.backends.calling import Failed
from gpuprobe.backends.vulkan import compute_structs as structs
from gpuprobe.backends.vulkan import kernel, listing
from gpuprobe.backends.vulkan.memory import Memories
from gpuprobe.backends.vulkan.results import use_failure
from gpuprobe.backends.vulkan.structs import asking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gpuprobe.backends.vulkan.instance import Instance

    Record = Callable[[], None]

TRANSFER_SOURCE, TRANSFER_TARGET, STORAGE_BUFFER_USE = 1, 2, 0x20  # VkBufferUsageFlagBits
STORAGE_BUFFER = 7  # VkDescriptorType
COMPUTE_STAGE, COMPUTE = 0x20, 1  # VkShaderStageFlagBits, VkPipelineBindPoint
RESETTABLE, ONE_TIME = 2, 1  # VkCommandPoolCreateFlagBits, VkCommandBufferUsageFlagBits
ALL_COMMANDS, HOST_STAGE = 0x10000, 0x4000  # VkPipelineStageFlagBits
ANY_READ, ANY_WRITE = 0x8000, 0x10000  # VkAccessFlagBits
_WHOLE = c_uint64(2**64 - 1)  # VK_WHOLE_SIZE

# A million elements take a millisecond; a card that needs this long hangs, or belongs to somebody else just now.
PATIENCE = 10.0  # seconds


class Buffer:
    """A buffer with memory of its own; `address` is where the processor sees it, None where it cannot."""

    def __init__(self, handle: c_uint64, memory: c_uint64, size: int, address: int | None, coherent: bool) -> None:
        self.handle, self.memory, self.size, self.address, self.coherent = handle, memory, size, address, coherent


class Card:
    """One logical device with one queue. Every call is announced; one that fails ends the probe with Failed."""

    def __init__(self, instance: Instance, handle: c_void_p) -> None:
        self._instance = instance
        self.memories = Memories(*listing.memories(instance, handle, instance.device_extensions(handle)))
        self.made, self._family, self._queue = listing.with_queue(instance, handle)
        self._fence, self._commands = c_uint64(), c_void_p()

    def get_ready(self) -> None:
        """Makes what commands are recorded in and waited for with."""
        self._fence = self._new("vkCreateFence", structs.FenceCreateInfo)
        kind = structs.CommandPoolCreateInfo
        pool = self._new("vkCreateCommandPool", kind, flags=RESETTABLE, queueFamilyIndex=self._family)
        wanted = asking(structs.CommandBufferAllocateInfo, commandPool=pool, level=0, commandBufferCount=1)
        self.check("vkAllocateCommandBuffers", self.made, byref(wanted), byref(self._commands))
        if not self._commands.value:
            raise Failed("call_failed", "`vkAllocateCommandBuffers` reported success but gave no command buffer")

    def check(self, name: str, *arguments: Any) -> None:
        self._instance.announce(name)
        self._checked(name, *arguments)

    def host_buffer(self, size: int) -> Buffer:
        """Memory that the processor writes and reads, and that the device copies from and to."""
        handle, needs = self._bare_buffer(size, TRANSFER_SOURCE | TRANSFER_TARGET)
        kind = self.memories.for_host(needs.memoryTypeBits)
        memory, address = self._memory(handle, needs, kind, "that the processor can write to"), c_void_p()
        self.check("vkMapMemory", self.made, memory, c_uint64(0), _WHOLE, c_uint32(0), byref(address))
        if not address.value:
            raise Failed("call_failed", "`vkMapMemory` reported success but gave no address")
        return Buffer(handle, memory, size, address.value, kind is not None and self.memories.is_coherent(kind))

    def card_buffer(self, size: int) -> Buffer:
        """Memory of the device's own, for kernels and copies."""
        handle, needs = self._bare_buffer(size, TRANSFER_SOURCE | TRANSFER_TARGET | STORAGE_BUFFER_USE)
        memory = self._memory(handle, needs, self.memories.for_card(needs.memoryTypeBits), "for a buffer")
        return Buffer(handle, memory, size, None, coherent=True)

    def discard(self, buffer: Buffer) -> None:
        self.check("vkDestroyBuffer", self.made, buffer.handle, None)
        self.check("vkFreeMemory", self.made, buffer.memory, None)

    def write(self, buffer: Buffer, content: bytes) -> None:
        memmove(buffer.address or 0, content, len(content))
        self._synchronise("vkFlushMappedMemoryRanges", buffer)

    def read(self, buffer: Buffer, size: int) -> bytes:
        self._synchronise("vkInvalidateMappedMemoryRanges", buffer)
        return string_at(buffer.address or 0, size)

    def do(self, *records: Record) -> float:
        """Records these commands, submits them and waits for their end; seconds from the submission to there. Each sees what
        the one before it did, and the processor what the last one did."""
        begin = asking(structs.CommandBufferBeginInfo, flags=ONE_TIME)
        self.check("vkBeginCommandBuffer", self._commands, byref(begin))
        self._after_another()
        for record in records:
            record()
            self._after_another()
        self.check("vkEndCommandBuffer", self._commands)
        submit = asking(structs.SubmitInfo, commandBufferCount=1, pCommandBuffers=pointer(self._commands))
        began = time.perf_counter()
        self.check("vkQueueSubmit", self._queue, c_uint32(1), byref(submit), self._fence)
        self._wait()
        seconds = time.perf_counter() - began
        self.check("vkResetFences", self.made, c_uint32(1), byref(self._fence))
        return seconds

    def copying(self, source: Buffer, target: Buffer, size: int) -> Record:
        region = structs.BufferCopy(0, 0, size)
        return lambda: self._checked(
            "vkCmdCopyBuffer", self._commands, source.handle, target.handle, c_uint32(1), byref(region)
        )

    def computing(self, buffer: Buffer, groups: int) -> Record:
        """The known kernel, on a buffer of the device's own."""
        layout = self._set_layout()
        pipeline_layout = self._new(
            "vkCreatePipelineLayout", structs.PipelineLayoutCreateInfo, setLayoutCount=1, pSetLayouts=pointer(layout)
        )
        pipeline, bound = self._pipeline(pipeline_layout), self._bound(layout, buffer)

        def record() -> None:
            point = c_uint32(COMPUTE)
            self._checked("vkCmdBindPipeline", self._commands, point, pipeline)
            first, count, none = c_uint32(0), c_uint32(1), c_uint32(0)
            self._checked(
                "vkCmdBindDescriptorSets", self._commands, point, pipeline_layout, first, count, byref(bound), none, None
            )
            self._checked("vkCmdDispatch", self._commands, c_uint32(groups), c_uint32(1), c_uint32(1))

        return record

    def _checked(self, name: str, *arguments: Any) -> None:
        code = self._instance.function(name)(*arguments)
        if code:
            raise use_failure(name, code)

    def _new(self, name: str, kind: type[Structure], **fields: Any) -> c_uint64:
        made = c_uint64()
        self.check(name, self.made, byref(asking(kind, **fields)), None, byref(made))
        return made

    def _bare_buffer(self, size: int, usage: int) -> tuple[c_uint64, structs.MemoryRequirements]:
        handle = self._new("vkCreateBuffer", structs.BufferCreateInfo, size=size, usage=usage)
        needs = structs.MemoryRequirements()
        self.check("vkGetBufferMemoryRequirements", self.made, handle, byref(needs))
        if needs.size < size:
            raise Failed("call_failed", f"`vkGetBufferMemoryRequirements` asks for {needs.size} bytes for a buffer of {size}")
        return handle, needs

    def _memory(self, buffer: c_uint64, needs: structs.MemoryRequirements, kind: int | None, what: str) -> c_uint64:
        if kind is None:
            count = len(self.memories.types)
            raise Failed("unsupported", f"the device has no memory {what}: none of its {count} memory types fits")
        memory = self._new("vkAllocateMemory", structs.MemoryAllocateInfo, allocationSize=needs.size, memoryTypeIndex=kind)
        self.check("vkBindBufferMemory", self.made, buffer, memory, c_uint64(0))
        return memory

    def _synchronise(self, name: str, buffer: Buffer) -> None:
        if not buffer.coherent:
            whole = asking(structs.MappedMemoryRange, memory=buffer.memory, size=_WHOLE)
            self.check(name, self.made, c_uint32(1), byref(whole))

    def _after_another(self) -> None:
        everything = asking(structs.MemoryBarrier, srcAccessMask=ANY_WRITE, dstAccessMask=ANY_READ | ANY_WRITE)
        stages, none = c_uint32(ALL_COMMANDS | HOST_STAGE), c_uint32(0)
        self._checked(
            "vkCmdPipelineBarrier", self._commands, stages, stages, none, c_uint32(1), byref(everything), none, None, none, None
        )

    def _wait(self) -> None:
        limit, everyone = c_uint64(int(PATIENCE * 1e9)), c_uint32(1)
        self.check("vkWaitForFences", self.made, c_uint32(1), byref(self._fence), everyone, limit)

    def _set_layout(self) -> c_uint64:
        binding = structs.DescriptorSetLayoutBinding(0, STORAGE_BUFFER, 1, COMPUTE_STAGE, None)
        kind = structs.DescriptorSetLayoutCreateInfo
        return self._new("vkCreateDescriptorSetLayout", kind, bindingCount=1, pBindings=pointer(binding))

    def _pipeline(self, layout: c_uint64) -> c_uint64:
        words = kernel.WORDS
        module = self._new("vkCreateShaderModule", structs.ShaderModuleCreateInfo, codeSize=len(words), pCode=words)
        name = c_char_p(kernel.ENTRY.encode())
        stage = asking(structs.PipelineShaderStageCreateInfo, stage=COMPUTE_STAGE, module=module, pName=name)
        wanted, made = asking(structs.ComputePipelineCreateInfo, stage=stage, layout=layout), c_uint64()
        no_cache, one = c_uint64(0), c_uint32(1)
        self.check("vkCreateComputePipelines", self.made, no_cache, one, byref(wanted), None, byref(made))
        return made

    def _bound(self, layout: c_uint64, buffer: Buffer) -> c_uint64:
        size, made = structs.DescriptorPoolSize(STORAGE_BUFFER, 1), c_uint64()
        kind = structs.DescriptorPoolCreateInfo
        pool = self._new("vkCreateDescriptorPool", kind, maxSets=1, poolSizeCount=1, pPoolSizes=pointer(size))
        wanted = asking(
            structs.DescriptorSetAllocateInfo, descriptorPool=pool, descriptorSetCount=1, pSetLayouts=pointer(layout)
        )
        self.check("vkAllocateDescriptorSets", self.made, byref(wanted), byref(made))
        whole, place = pointer(structs.DescriptorBufferInfo(buffer.handle, 0, _WHOLE)), structs.WriteDescriptorSet
        write = asking(place, dstSet=made, descriptorCount=1, descriptorType=STORAGE_BUFFER, pBufferInfo=whole)
        self.check("vkUpdateDescriptorSets", self.made, c_uint32(1), byref(write), c_uint32(0), None)
        return made
