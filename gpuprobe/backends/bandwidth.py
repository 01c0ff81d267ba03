"""How copies are timed: how large, how many at once, and the median of how many times."""

from __future__ import annotations

from gpuprobe.backends.calling import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from typing import Any

    from gpuprobe.backends.stages import Validation

    Timed = Callable[[int], float]

LARGEST, SMALLEST = 64 << 20, 1 << 20  # bytes of one copy; smaller ones time the way to the card and not the copying
LARGEST_ON_CARD = 256 << 20  # of each of two buffers: a cache holds up to 256 MiB (MI300X), and is faster
_SHARE = 8  # no buffer is larger than this part of the free memory
_TIMES = 5
_ENOUGH = 0.02  # seconds that one timing should take, so that starting it weighs little
_MOST_AT_ONCE = 64
_WAYS = {"to_device": (0, 1), "from_device": (1, 0), "on_device": (1, 2)}  # way → places of source and target


def size(free: int | None, largest: int = LARGEST) -> int | None:
    """Bytes to copy where so much memory is free (None: unknown); None where too little is left to time anything."""
    fit = LARGEST if free is None else min(largest, free // _SHARE)
    return None if fit < SMALLEST else 1 << fit.bit_length() - 1


def sizes(free: int | None) -> tuple[int, int] | None:
    """Bytes of the host's buffer, and of each of two on the card; None as with `size`."""
    host, card = size(free), size(free, LARGEST_ON_CARD)
    return None if host is None or card is None else (host, card)


def time_copies(
    validation: Validation,
    free: int | None,
    *,
    make: Callable[[int, int], Sequence[Any]],
    copying: Callable[[str, Any, Any, int], Any],
    seconds: Callable[[Any, int], float],
    out_of_memory: Collection[int] = (),
) -> None:
    """The stage `bandwidth`. `make` gives, of these two sizes, the host's buffer and two on the card; `copying` what copies so
    many bytes from one to another; `seconds` how long that takes so many times. Too little memory makes the stage not possible.
    """
    found = sizes(free)
    if found is None:
        validation.not_possible(f"{free} bytes of the card's memory are free: too few to time a copy")
        return
    host, there = found
    try:
        buffers = make(host, there)
    except Failed as failed:
        if failed.code not in out_of_memory:
            raise
        validation.not_possible(
            f"{there >> 20} MiB to time a copy could not be had: {failed.message}", failed.code, failed.name
        )
        return
    for way, (source, target) in _WAYS.items():
        copied = there if way == "on_device" else host
        copy = copying(way, buffers[source], buffers[target], copied)
        validation.figures(figures(way, copied, lambda count, copy=copy: seconds(copy, count)))  # type: ignore[misc]


def figures(way: str, copied: int, timed: Timed) -> dict[str, int]:
    """The median of several timings of this way, in bytes per second, and the bytes of each. `timed` copies so many bytes so
    many times and gives the seconds. On a card each byte is read and written: its memory moves twice as much.
    """
    timed(1)  # the first one finds memory that nobody has touched
    count = max(1, min(_MOST_AT_ONCE, int(_ENOUGH / max(timed(1), 1e-9))))
    seconds = median([timed(count) for _ in range(_TIMES)])
    moved = copied * count
    return {f"{way}_bytes_per_second": round(moved / max(seconds, 1e-9)), f"{way}_copied_bytes": moved}


def median(values: list[float]) -> float:
    """Of an odd number of values the one in the middle."""
    return sorted(values)[len(values) // 2]
