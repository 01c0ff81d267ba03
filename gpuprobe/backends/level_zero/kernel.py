"""The known kernel for Level Zero, as SPIR-V in the manner of OpenCL: one pointer to 32-bit elements, 64 invocations a group.

Vulkan's module does not serve: here pointers are plain 64-bit addresses, and the buffer comes as the kernel's argument.
`spirv-val` accepts it. `llvm-spirv`, the translator that Intel's compiler is built on, makes LLVM's code of it, which gave the
right million elements on a processor (llvm-spirv 15 and llc 14, by hand).
"""

from __future__ import annotations

from gpuprobe.backends.known_kernel import ADDEND, FACTOR, NAME
from gpuprobe.backends.spirv import literal, module

# Identifiers.
_VOID, _UINT, _ULONG, _ULONG3, _ULONG3_IN, _UINT_THERE, _TO_VOID, _ID, _FACTOR, _ADDEND = range(1, 11)
_KERNEL, _ELEMENTS, _BEGIN, _ALL_PLACES, _FAR, _AT, _PLACE, _OLD, _TRIPLE, _MORE, _NEW = range(11, 22)
_BOUND = 22

_ADDRESSES, _LINKAGE, _KERNELS, _INT64 = 4, 5, 6, 11  # capabilities; `Int64` for addresses and numbers of invocations
_PHYSICAL64, _OPENCL = 2, 2
_IS_KERNEL, _BUILT_IN, _GLOBAL_INVOCATION_ID = 6, 11, 28
_CONSTANT, _LINKAGE_ATTRIBUTES, _IMPORT = 22, 41, 1
_INPUT, _CROSS_WORKGROUP = 1, 5
_ALIGNED = 2

WORDS = module(
    _BOUND,
    (
        (17, _ADDRESSES),  # OpCapability
        (17, _LINKAGE),
        (17, _KERNELS),
        (17, _INT64),
        (14, _PHYSICAL64, _OPENCL),  # OpMemoryModel
        (15, _IS_KERNEL, _KERNEL, *literal(NAME), _ID),  # OpEntryPoint
        (71, _ID, _BUILT_IN, _GLOBAL_INVOCATION_ID),  # OpDecorate
        (71, _ID, _CONSTANT),
        # As clang writes it; Intel's compiler knows the variable by this name.
        (71, _ID, _LINKAGE_ATTRIBUTES, *literal("__spirv_BuiltInGlobalInvocationId"), _IMPORT),
        (19, _VOID),  # OpTypeVoid
        (21, _UINT, 32, 0),  # OpTypeInt
        (21, _ULONG, 64, 0),
        (23, _ULONG3, _ULONG, 3),  # OpTypeVector
        (32, _ULONG3_IN, _INPUT, _ULONG3),  # OpTypePointer
        (32, _UINT_THERE, _CROSS_WORKGROUP, _UINT),
        (33, _TO_VOID, _VOID, _UINT_THERE),  # OpTypeFunction
        (43, _UINT, _FACTOR, FACTOR),  # OpConstant
        (43, _UINT, _ADDEND, ADDEND),
        (59, _ULONG3_IN, _ID, _INPUT),  # OpVariable
        (54, _VOID, _KERNEL, 0, _TO_VOID),  # OpFunction
        (55, _UINT_THERE, _ELEMENTS),  # OpFunctionParameter
        (248, _BEGIN),  # OpLabel
        (61, _ULONG3, _ALL_PLACES, _ID, _ALIGNED, 32),  # OpLoad
        (81, _ULONG, _FAR, _ALL_PLACES, 0),  # OpCompositeExtract
        (113, _UINT, _AT, _FAR),  # OpUConvert
        (70, _UINT_THERE, _PLACE, _ELEMENTS, _FAR),  # OpInBoundsPtrAccessChain
        (61, _UINT, _OLD, _PLACE, _ALIGNED, 4),
        (132, _UINT, _TRIPLE, _OLD, _FACTOR),  # OpIMul
        (128, _UINT, _MORE, _TRIPLE, _ADDEND),  # OpIAdd
        (128, _UINT, _NEW, _MORE, _AT),
        (62, _PLACE, _NEW, _ALIGNED, 4),  # OpStore
        (253,),  # OpReturn
        (56,),  # OpFunctionEnd
    ),
)
