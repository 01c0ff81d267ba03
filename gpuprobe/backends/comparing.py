"""Whether what a card gave back is what it should be: every element, and where not, how many and which first."""

from __future__ import annotations

import os
from array import array

from gpuprobe.backends.calling import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FIRST = 4  # wrong elements that are shown

_UNSIGNED = {array(code).itemsize: code for code in "BHIQ"}  # bytes an element has → its kind of array


class Wrong(Failed):
    """The card computed or kept something else than it should: no call failed, so there is neither number nor name."""

    def __init__(self, what: str, wrong: dict[str, Any]) -> None:
        first = wrong["first"][0]
        count = f"{wrong['different']} of {wrong['compared']} elements"
        place = f"the first is number {first['index']}: {first['expected']} was expected and {first['found']} found"
        super().__init__("wrong_result", f"{what}: {count} are wrong; {place}")
        self.wrong = wrong


def fresh(size: int) -> bytes:
    """A pattern that no earlier run can have left in a card's memory."""
    return os.urandom(size)


def same(what: str, expected: bytes, found: bytes, width: int = 4, kind: str | None = None) -> None:
    """Raises Wrong where the two differ. Elements are `width` bytes wide; `kind` is their code in `array` where they are not
    unsigned integers ("f"). Compared as bytes first: equal millions cost a millisecond.
    """
    if expected == found:
        return
    # As bits: two floats that are both not a number are unequal, and two zeros of different sign are equal.
    bits = zip(array(_UNSIGNED[width], expected), array(_UNSIGNED[width], found), strict=True)
    different = [index for index, (one, other) in enumerate(bits) if one != other]
    code = kind or _UNSIGNED[width]
    wanted, got = array(code, expected), array(code, found)
    first = [{"index": index, "expected": _shown(wanted[index]), "found": _shown(got[index])} for index in different[:FIRST]]
    raise Wrong(what, {"compared": len(wanted), "different": len(different), "first": first})


def _shown(element: float) -> float | str:
    """JSON has no infinity and nothing that is not a number."""
    return element if isinstance(element, int) or element - element == 0 else str(element)
