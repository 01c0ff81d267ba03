"""The C structures of Vulkan that gpuprobe fills to copy and to compute: what lies where. Spelled as in `vulkan_core.h`."""

from __future__ import annotations

from ctypes import POINTER, Structure, c_char_p, c_uint32, c_uint64, c_void_p

_HEADER = (("sType", c_uint32), ("pNext", c_void_p))


class BufferCreateInfo(Structure):
    STYPE = 12
    _fields_ = (
        *_HEADER,
        ("flags", c_uint32),
        ("size", c_uint64),
        ("usage", c_uint32),
        ("sharingMode", c_uint32),
        ("queueFamilyIndexCount", c_uint32),
        ("pQueueFamilyIndices", POINTER(c_uint32)),
    )


class MemoryRequirements(Structure):
    _fields_ = (("size", c_uint64), ("alignment", c_uint64), ("memoryTypeBits", c_uint32))


class MemoryAllocateInfo(Structure):
    STYPE = 5
    _fields_ = (*_HEADER, ("allocationSize", c_uint64), ("memoryTypeIndex", c_uint32))


class MappedMemoryRange(Structure):
    STYPE = 6
    _fields_ = (*_HEADER, ("memory", c_uint64), ("offset", c_uint64), ("size", c_uint64))


class ShaderModuleCreateInfo(Structure):
    STYPE = 16
    _fields_ = (*_HEADER, ("flags", c_uint32), ("codeSize", c_uint64), ("pCode", c_char_p))


class DescriptorSetLayoutBinding(Structure):
    _fields_ = (
        ("binding", c_uint32),
        ("descriptorType", c_uint32),
        ("descriptorCount", c_uint32),
        ("stageFlags", c_uint32),
        ("pImmutableSamplers", c_void_p),
    )


class DescriptorSetLayoutCreateInfo(Structure):
    STYPE = 32
    _fields_ = (
        *_HEADER,
        ("flags", c_uint32),
        ("bindingCount", c_uint32),
        ("pBindings", POINTER(DescriptorSetLayoutBinding)),
    )


class PipelineLayoutCreateInfo(Structure):
    STYPE = 30
    _fields_ = (
        *_HEADER,
        ("flags", c_uint32),
        ("setLayoutCount", c_uint32),
        ("pSetLayouts", POINTER(c_uint64)),
        ("pushConstantRangeCount", c_uint32),
        ("pPushConstantRanges", c_void_p),
    )


class PipelineShaderStageCreateInfo(Structure):
    STYPE = 18
    _fields_ = (
        *_HEADER,
        ("flags", c_uint32),
        ("stage", c_uint32),
        ("module", c_uint64),
        ("pName", c_char_p),
        ("pSpecializationInfo", c_void_p),
    )


class ComputePipelineCreateInfo(Structure):
    STYPE = 29
    _fields_ = (
        *_HEADER,
        ("flags", c_uint32),
        ("stage", PipelineShaderStageCreateInfo),
        ("layout", c_uint64),
        ("basePipelineHandle", c_uint64),
        ("basePipelineIndex", c_uint32),
    )


class DescriptorPoolSize(Structure):
    _fields_ = (("type", c_uint32), ("descriptorCount", c_uint32))


class DescriptorPoolCreateInfo(Structure):
    STYPE = 33
    _fields_ = (
        *_HEADER,
        ("flags", c_uint32),
        ("maxSets", c_uint32),
        ("poolSizeCount", c_uint32),
        ("pPoolSizes", POINTER(DescriptorPoolSize)),
    )


class DescriptorSetAllocateInfo(Structure):
    STYPE = 34
    _fields_ = (
        *_HEADER,
        ("descriptorPool", c_uint64),
        ("descriptorSetCount", c_uint32),
        ("pSetLayouts", POINTER(c_uint64)),
    )


class DescriptorBufferInfo(Structure):
    _fields_ = (("buffer", c_uint64), ("offset", c_uint64), ("range", c_uint64))


class WriteDescriptorSet(Structure):
    STYPE = 35
    _fields_ = (
        *_HEADER,
        ("dstSet", c_uint64),
        ("dstBinding", c_uint32),
        ("dstArrayElement", c_uint32),
        ("descriptorCount", c_uint32),
        ("descriptorType", c_uint32),
        ("pImageInfo", c_void_p),
        ("pBufferInfo", POINTER(DescriptorBufferInfo)),
        ("pTexelBufferView", c_void_p),
    )


class CommandPoolCreateInfo(Structure):
    STYPE = 39
    _fields_ = (*_HEADER, ("flags", c_uint32), ("queueFamilyIndex", c_uint32))


class CommandBufferAllocateInfo(Structure):
    STYPE = 40
    _fields_ = (*_HEADER, ("commandPool", c_uint64), ("level", c_uint32), ("commandBufferCount", c_uint32))


class CommandBufferBeginInfo(Structure):
    STYPE = 42
    _fields_ = (*_HEADER, ("flags", c_uint32), ("pInheritanceInfo", c_void_p))


class MemoryBarrier(Structure):
    STYPE = 46
    _fields_ = (*_HEADER, ("srcAccessMask", c_uint32), ("dstAccessMask", c_uint32))


class BufferCopy(Structure):
    _fields_ = (("srcOffset", c_uint64), ("dstOffset", c_uint64), ("size", c_uint64))


class SubmitInfo(Structure):
    STYPE = 4
    _fields_ = (
        *_HEADER,
        ("waitSemaphoreCount", c_uint32),
        ("pWaitSemaphores", POINTER(c_uint64)),
        ("pWaitDstStageMask", POINTER(c_uint32)),
        ("commandBufferCount", c_uint32),
        ("pCommandBuffers", POINTER(c_void_p)),
        ("signalSemaphoreCount", c_uint32),
        ("pSignalSemaphores", POINTER(c_uint64)),
    )


class FenceCreateInfo(Structure):
    STYPE = 8
    _fields_ = (*_HEADER, ("flags", c_uint32))
