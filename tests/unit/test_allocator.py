"""The space of a compute buffer: what is taken, what is given back, and how far it was used."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.planning.allocator import Space


def test_the_smallest_hole_that_fits_is_taken_and_the_last_of_equal_ones() -> None:
    space = Space()
    places = [space.take(size) for size in (100, 1, 50, 1, 50, 1)]
    for place, size in zip(places[::2], (100, 50, 50), strict=True):
        space.give(place, size)

    assert (space.take(50), space.take(50), space.take(60), space.used) == (152, 101, 0, 203)


def test_a_hole_of_no_size_in_the_middle_keeps_no_holes_apart() -> None:
    """A tensor without elements is given back where its neighbours were taken in the meantime: hybrids have them."""
    space = Space()
    space.take(10), space.take(1)
    space.give(0, 10)
    space.take(4)
    empty = space.take(0)
    space.give(0, 4)
    space.take(8)
    space.give(empty, 0)
    space.give(0, 8)

    assert space.take(10) == 0


def test_a_hole_of_no_size_may_come_behind_the_open_end() -> None:
    space = Space()
    space.take(4)
    empty = space.take(0)
    space.give(0, 4)
    space.give(empty, 0)

    assert (space.take(8), space.used) == (0, 8)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9)), max_size=60))
def test_what_is_taken_never_overlaps_and_holes_are_joined(orders: list[tuple[bool, int]]) -> None:
    space, held, most = Space(), dict[int, int](), 0
    for takes, size in orders:
        if takes:
            offset = space.take(size)
            assert all(offset + size <= start or start + length <= offset for start, length in held.items())
            held[offset] = size
            most = max(most, offset + size)
        elif held:
            offset = sorted(held)[size % len(held)]
            space.give(offset, held.pop(offset))
    ends = sorted(held.items())
    holes = [[start, following - start] for start, following in gaps(ends) if following > start]

    assert space.free[:-1] == holes[: len(space.free) - 1]
    assert len(space.free) == len(holes) + 1
    assert space.used == most


def gaps(held: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """From the end of each held part, and from 0, to the next one's start; behind the last all is free."""
    starts, at = [], 0
    for offset, length in held:
        starts.append((at, offset))
        at = offset + length
    return starts
