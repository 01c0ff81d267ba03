"""The table of ggml's types beside what is published of them: number, elements of a block, bits per weight."""

from __future__ import annotations

import pytest

from gpuprobe.planning.tensor_types import BY_NAME, BY_NUMBER, REMOVED, TensorType, row_size

# The order of `enum ggml_type`; where a number was given up there is a dash.
_FIRST = "F32 F16 Q4_0 Q4_1 - - Q5_0 Q5_1 Q8_0 Q8_1 Q2_K Q3_K Q4_K Q5_K Q6_K Q8_K IQ2_XXS IQ2_XS IQ3_XXS IQ1_S IQ4_NL IQ3_S"
_REST = "IQ2_S IQ4_XS I8 I16 I32 I64 F64 IQ1_M BF16 - - - TQ1_0 TQ2_0 - - - MXFP4 NVFP4 Q1_0 Q2_0"
IN_ORDER = f"{_FIRST} {_REST}".split()
BITS_PER_WEIGHT = {
    "F32": 32,
    "F16": 16,
    "BF16": 16,
    "F64": 64,
    "I8": 8,
    "I16": 16,
    "I32": 32,
    "I64": 64,
    "Q4_0": 4.5,
    "Q4_1": 5,
    "Q5_0": 5.5,
    "Q5_1": 6,
    "Q8_0": 8.5,
    "Q8_1": 9,
    "Q2_K": 2.625,
    "Q3_K": 3.4375,
    "Q4_K": 4.5,
    "Q5_K": 5.5,
    "Q6_K": 6.5625,
    "Q8_K": 9.125,
    "IQ1_S": 1.5625,
    "IQ1_M": 1.75,
    "IQ2_XXS": 2.0625,
    "IQ2_XS": 2.3125,
    "IQ2_S": 2.5625,
    "IQ3_XXS": 3.0625,
    "IQ3_S": 3.4375,
    "IQ4_XS": 4.25,
    "IQ4_NL": 4.5,
    "TQ1_0": 1.6875,
    "TQ2_0": 2.0625,
    "MXFP4": 4.25,
    "NVFP4": 4.5,
    "Q1_0": 1.125,
    "Q2_0": 2.25,
}
OF_32 = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q8_1", "IQ4_NL", "MXFP4"}
OTHERS = {"Q1_0": 128, "Q2_0": 64, "NVFP4": 64, **dict.fromkeys(("F32", "F16", "BF16", "F64", "I8", "I16", "I32", "I64"), 1)}


@pytest.mark.parametrize("name", BITS_PER_WEIGHT)
def test_a_type_has_the_bits_and_the_blocks_that_are_published(name: str) -> None:
    kind = BY_NAME[name]

    assert kind.size * 8 / kind.block == BITS_PER_WEIGHT[name]
    assert kind.block == (32 if name in OF_32 else OTHERS.get(name, 256))


def test_a_number_is_its_place_in_ggmls_list() -> None:
    assert {number: kind.name for number, kind in BY_NUMBER.items()} == {
        number: name for number, name in enumerate(IN_ORDER) if name != "-"
    }
    assert set(REMOVED) == {number for number, name in enumerate(IN_ORDER) if name == "-"}


@pytest.mark.parametrize(("elements", "size"), [(4096, 2304), (256, 144), (300, 144), (255, 0)])
def test_a_row_has_whole_blocks_alone(elements: int, size: int) -> None:
    assert row_size(TensorType("Q4_K", 256, 144), elements) == size
