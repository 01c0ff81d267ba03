"""Which layers of a model have to be looked at: of a long row of equal layers a few are enough.

A layer that is like the one before it, on the same device, takes and gives back the same memory, so that after a few of
them nothing new happens. Layers may alternate: a row of equal groups is shortened as well.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

LONGEST_GROUP = 12
KEPT = 4  # the first ones find the memory as the layers before left it


def shortened(kinds: Sequence[Hashable]) -> list[int]:
    """Indices of the layers to look at, in order; the first and the last are among them."""
    result: list[int] = []
    at, end = 0, len(kinds)
    while at < end:
        group, times = _longest(kinds, at)
        if times > KEPT:
            result += range(at, at + group * (KEPT - 1))
            at += group * (times - 1)
            times = 1
        result += range(at, at + group * times)
        at += group * times
    return result


def _longest(kinds: Sequence[Hashable], at: int) -> tuple[int, int]:
    """The length of the group that starts here and how often it comes; the one that covers the most."""
    best = (1, 1)
    for group in range(1, min(LONGEST_GROUP, (len(kinds) - at) // 2) + 1):
        times = 1
        while kinds[at + (times - 1) * group : at + times * group] == kinds[at + times * group : at + (times + 1) * group]:
            times += 1
            if at + (times + 1) * group > len(kinds):
                break
        if times > KEPT and group * times > best[0] * best[1]:
            best = (group, times)
    return best
