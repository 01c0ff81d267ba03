"""What the known kernel must give, how copies are timed, and how SPIR-V is written by hand: without any card."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gpuprobe.backends import bandwidth, known_kernel, spirv

ELEMENTS = some.lists(some.integers(0, 2**32 - 1), min_size=1, max_size=200)


@given(ELEMENTS)
def test_every_element_depends_on_what_was_there_and_on_its_place(elements: list[int]) -> None:
    raw = struct.pack(f"={len(elements)}I", *elements)

    answers = struct.unpack(f"={len(elements)}I", known_kernel.expected(raw))

    assert list(answers) == [(3 * element + 7 + place) % 2**32 for place, element in enumerate(elements)]


def test_a_million_elements_are_compared() -> None:
    assert (known_kernel.ELEMENTS, known_kernel.SIZE) == (1024 * 1024, 4 * 1024 * 1024)
    assert known_kernel.ELEMENTS % known_kernel.GROUP == 0


@given(some.integers(0, 1 << 40))
def test_timed_copies_leave_seven_eighths_of_the_memory_alone(free: int) -> None:
    size = bandwidth.size(free)

    if size is None:
        assert free // 8 < bandwidth.SMALLEST
    else:
        assert bandwidth.SMALLEST <= size <= min(free // 8, bandwidth.LARGEST)
        assert size == bandwidth.LARGEST or size > free // 16


def test_where_nobody_knows_what_is_free_copies_are_tried_that_any_card_has_room_for() -> None:
    assert bandwidth.sizes(None) == (bandwidth.LARGEST, bandwidth.LARGEST)


@pytest.mark.parametrize(
    ("free", "sizes"),
    [(1 << 40, (64 << 20, 256 << 20)), (1 << 30, (64 << 20, 128 << 20)), (64 << 20, (8 << 20, 8 << 20)), (7 << 20, None)],
)
def test_copies_on_the_card_are_larger_than_its_caches_where_there_is_room(free: int, sizes: tuple[int, int] | None) -> None:
    assert bandwidth.sizes(free) == sizes


@pytest.mark.parametrize("seconds", [1e-6, 0.003, 0.5])
def test_the_rate_is_that_of_the_median_and_the_first_timing_does_not_count(seconds: float) -> None:
    asked: list[int] = []

    def timed(count: int) -> float:
        asked.append(count)
        slow = {1: 100.0, 3: 9.0, 4: 7.0, 5: 0.1}.get(len(asked), 1.0)  # the first one, and three outliers
        return seconds * count * slow

    told = bandwidth.figures("on_device", 1 << 20, timed)

    assert told["on_device_bytes_per_second"] == pytest.approx((1 << 20) / seconds, rel=1e-6)
    assert told["on_device_copied_bytes"] == asked[-1] << 20
    assert asked[:2] == [1, 1]
    assert len(set(asked[2:])) == 1
    assert 1 <= asked[2] <= 64


def test_a_clock_that_stands_still_gives_no_division_by_zero() -> None:
    assert bandwidth.figures("to_device", 1 << 20, lambda count: 0.0)["to_device_bytes_per_second"] > 0


@given(some.text(some.characters(codec="ascii", exclude_characters="\0"), max_size=40))
def test_a_text_ends_with_a_zero_inside_its_words(text: str) -> None:
    raw = b"".join(word.to_bytes(4, "little") for word in spirv.literal(text))

    assert raw.rstrip(b"\0") == text.encode()
    assert 1 <= len(raw) - len(text) <= 4


def test_an_instruction_says_how_long_it_is() -> None:
    raw = spirv.module(9, [(17, 1), (253,)])

    assert struct.unpack("=8I", raw) == (0x07230203, 0x10000, 0, 9, 0, 2 << 16 | 17, 1, 1 << 16 | 253)
