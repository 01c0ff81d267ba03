"""SPIR-V by hand: instructions written out as numbers, and the module's bytes that they make.

No compiler is asked: `glslang` and `clang` are on few machines, and a module's numbers can be read against the specification
(SPIR-V 1.0, sections 2.3 and 3.32).
"""

from __future__ import annotations

from array import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_MAGIC, _VERSION_1_0, _NO_GENERATOR, _SCHEMA = 0x07230203, 0x00010000, 0, 0


def module(bound: int, instructions: Sequence[Sequence[int]]) -> bytes:
    """The bytes of a module in this machine's own byte order. Each instruction is its opcode and its operands; `bound` is one
    more than the largest identifier."""
    words = array("I", (_MAGIC, _VERSION_1_0, _NO_GENERATOR, bound, _SCHEMA))
    for opcode, *operands in instructions:
        words.append((len(operands) + 1) << 16 | opcode)
        words.extend(operands)
    return words.tobytes()


def literal(text: str) -> tuple[int, ...]:
    """A text as operands: its bytes and a zero, four to a word, the first one lowest."""
    raw = text.encode() + b"\0"
    raw += b"\0" * (-len(raw) % 4)
    return tuple(int.from_bytes(raw[at : at + 4], "little") for at in range(0, len(raw), 4))
