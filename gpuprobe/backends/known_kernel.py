"""The small kernel that a card is proved with, and what it must give: element i becomes 3 · element + 7 + i, modulo 2^32.

Every element has another answer, so that work groups that were left out, came twice or wrote to a wrong place are seen; and it
depends on what was there, so that a kernel that did not run is seen as well.
"""

from __future__ import annotations

from array import array

ELEMENTS = 1 << 20
SIZE = 4 * ELEMENTS  # bytes
NAME = "probe"
GROUP = 64  # invocations; every library and card takes at least this many
FACTOR, ADDEND = 3, 7


def expected(values: bytes) -> bytes:
    """What the kernel makes of these unsigned 32-bit elements."""
    elements = array("I", values)
    return array("I", [FACTOR * value + ADDEND + at & 0xFFFFFFFF for at, value in enumerate(elements)]).tobytes()
