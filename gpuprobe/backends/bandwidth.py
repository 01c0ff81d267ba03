"""How copies are timed: how large, how many at once, and the median of how many times."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Timed = Callable[[int], float]

LARGEST, SMALLEST = 64 << 20, 1 << 20  # bytes of one copy; smaller ones time the way to the card and not the copying
_SHARE = 8  # of the free memory no more than this part is taken
_TIMES = 5
_ENOUGH = 0.02  # seconds that one timing should take, so that starting it weighs little
_MOST_AT_ONCE = 64


def size(free: int | None) -> int | None:
    """Bytes to copy where so much memory is free (None: unknown); None where too little is left to time anything."""
    fit = LARGEST if free is None else min(LARGEST, free // _SHARE)
    return None if fit < SMALLEST else 1 << fit.bit_length() - 1


def figures(way: str, copied: int, timed: Timed) -> dict[str, int]:
    """The median of several timings of this way, in bytes per second, and the bytes of each. `timed` copies so many bytes so
    many times and gives the seconds. On a card each byte is read and written: its memory moves twice as much.
    """
    timed(1)  # the first one finds memory that nobody has touched
    count = max(1, min(_MOST_AT_ONCE, int(_ENOUGH / max(timed(1), 1e-9))))
    seconds = sorted(timed(count) for _ in range(_TIMES))[_TIMES // 2]
    moved = copied * count
    return {f"{way}_bytes_per_second": round(moved / max(seconds, 1e-9)), f"{way}_copied_bytes": moved}
