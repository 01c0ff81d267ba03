"""The known kernel for Vulkan, as SPIR-V: one storage buffer of 32-bit elements, 64 invocations a work group.

It looks at the buffer's length, as a shader in earnest does; `spirv-val` accepts it, and lavapipe and SwiftShader run it.
"""

from __future__ import annotations

from gpuprobe.backends.known_kernel import ADDEND, FACTOR, GROUP
from gpuprobe.backends.spirv import literal, module

ENTRY = "main"

# Identifiers.
_VOID, _TO_VOID, _UINT, _UINT3, _UINT3_IN, _ID, _UINT_IN, _ELEMENTS, _BLOCK, _BLOCK_IN, _BUFFER, _BOOL = range(1, 13)
_ZERO, _FACTOR, _ADDEND, _UINT_HELD, _MAIN = range(13, 18)
_BEGIN, _X_PLACE, _AT, _LENGTH, _IS_INSIDE, _END, _INSIDE, _PLACE, _OLD, _TRIPLE, _MORE, _NEW = range(18, 30)
_BOUND = 30

_SHADER, _LOGICAL, _GLSL450, _GL_COMPUTE, _LOCAL_SIZE = 1, 0, 1, 5, 17
_BUILT_IN, _GLOBAL_INVOCATION_ID = 11, 28
_ARRAY_STRIDE, _OFFSET, _BUFFER_BLOCK, _BINDING, _DESCRIPTOR_SET = 6, 35, 3, 33, 34
_INPUT, _UNIFORM = 1, 2

WORDS = module(
    _BOUND,
    (
        (17, _SHADER),  # OpCapability
        (14, _LOGICAL, _GLSL450),  # OpMemoryModel
        (15, _GL_COMPUTE, _MAIN, *literal(ENTRY), _ID),  # OpEntryPoint
        (16, _MAIN, _LOCAL_SIZE, GROUP, 1, 1),  # OpExecutionMode
        (71, _ID, _BUILT_IN, _GLOBAL_INVOCATION_ID),  # OpDecorate
        (71, _ELEMENTS, _ARRAY_STRIDE, 4),
        (72, _BLOCK, 0, _OFFSET, 0),  # OpMemberDecorate
        (71, _BLOCK, _BUFFER_BLOCK),
        (71, _BUFFER, _DESCRIPTOR_SET, 0),
        (71, _BUFFER, _BINDING, 0),
        (19, _VOID),  # OpTypeVoid
        (33, _TO_VOID, _VOID),  # OpTypeFunction
        (21, _UINT, 32, 0),  # OpTypeInt
        (23, _UINT3, _UINT, 3),  # OpTypeVector
        (32, _UINT3_IN, _INPUT, _UINT3),  # OpTypePointer
        (59, _UINT3_IN, _ID, _INPUT),  # OpVariable
        (32, _UINT_IN, _INPUT, _UINT),
        (29, _ELEMENTS, _UINT),  # OpTypeRuntimeArray
        (30, _BLOCK, _ELEMENTS),  # OpTypeStruct
        (32, _BLOCK_IN, _UNIFORM, _BLOCK),
        (59, _BLOCK_IN, _BUFFER, _UNIFORM),
        (20, _BOOL),  # OpTypeBool
        (43, _UINT, _ZERO, 0),  # OpConstant
        (43, _UINT, _FACTOR, FACTOR),
        (43, _UINT, _ADDEND, ADDEND),
        (32, _UINT_HELD, _UNIFORM, _UINT),
        (54, _VOID, _MAIN, 0, _TO_VOID),  # OpFunction
        (248, _BEGIN),  # OpLabel
        (65, _UINT_IN, _X_PLACE, _ID, _ZERO),  # OpAccessChain
        (61, _UINT, _AT, _X_PLACE),  # OpLoad
        (68, _UINT, _LENGTH, _BUFFER, 0),  # OpArrayLength
        (176, _BOOL, _IS_INSIDE, _AT, _LENGTH),  # OpULessThan
        (247, _END, 0),  # OpSelectionMerge
        (250, _IS_INSIDE, _INSIDE, _END),  # OpBranchConditional
        (248, _INSIDE),
        (65, _UINT_HELD, _PLACE, _BUFFER, _ZERO, _AT),
        (61, _UINT, _OLD, _PLACE),
        (132, _UINT, _TRIPLE, _OLD, _FACTOR),  # OpIMul
        (128, _UINT, _MORE, _TRIPLE, _ADDEND),  # OpIAdd
        (128, _UINT, _NEW, _MORE, _AT),
        (62, _PLACE, _NEW),  # OpStore
        (249, _END),  # OpBranch
        (248, _END),
        (253,),  # OpReturn
        (56,),  # OpFunctionEnd
    ),
)
