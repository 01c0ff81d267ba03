"""Which memory a Vulkan buffer is put into, for whatever a driver says of its memories."""

from __future__ import annotations

from ctypes import c_uint8

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gpuprobe.backends.calling import untouched
from gpuprobe.backends.vulkan import structs
from gpuprobe.backends.vulkan.memory import Memories

LOCAL, VISIBLE, COHERENT, CACHED = 1, 2, 4, 8
ANY = 0xFFFFFFFF


def memories(*types: tuple[int, int], heaps: tuple[int, ...] = (8 << 30, 16 << 30), budgets: tuple[int, ...] = ()) -> Memories:
    """From flags and heap of each type, and the size of each heap."""
    properties, budget = structs.PhysicalDeviceMemoryProperties(), structs.PhysicalDeviceMemoryBudgetPropertiesEXT()
    properties.memoryTypeCount, properties.memoryHeapCount = len(types), len(heaps)
    for place, (flags, heap) in enumerate(types):
        properties.memoryTypes[place] = structs.MemoryType(flags, heap)
    for place, size in enumerate(heaps):
        properties.memoryHeaps[place].size = size
    for place, most in enumerate(budgets):
        budget.heapBudget[place] = most
    return Memories(properties, budget)


# As a discrete card lists them: its own memory, the system's, the system's read by the processor through its cache, and the
# part of its own that the processor reaches.
DISCRETE = ((LOCAL, 0), (VISIBLE | COHERENT, 1), (VISIBLE | COHERENT | CACHED, 1), (LOCAL | VISIBLE | COHERENT, 0))


def test_a_card_computes_in_its_own_memory_and_the_processor_reads_the_cached_one() -> None:
    card = memories(*DISCRETE)

    assert (card.for_card(ANY), card.for_host(ANY)) == (0, 2)


def test_the_buffer_s_own_wishes_are_heard() -> None:
    card = memories(*DISCRETE)

    assert (card.for_card(0b1010), card.for_host(0b1010)) == (3, 1)


def test_an_integrated_card_has_one_memory_for_both() -> None:
    card = memories((LOCAL | VISIBLE | COHERENT | CACHED, 0), heaps=(2 << 30,))

    assert (card.for_card(ANY), card.for_host(ANY)) == (0, 0)


def test_memory_that_must_be_flushed_is_taken_where_there_is_no_other() -> None:
    card = memories((LOCAL, 0), (VISIBLE | CACHED, 1))

    assert (card.for_host(ANY), card.is_coherent(1)) == (1, False)


@pytest.mark.parametrize(
    ("types", "chosen"),
    [
        (((VISIBLE | CACHED, 1), (VISIBLE | COHERENT, 1)), 1),  # no flushing before a cache
        (((LOCAL | VISIBLE | COHERENT | CACHED, 0), (VISIBLE | COHERENT, 1)), 0),  # a cache before a place
        (((LOCAL | VISIBLE | COHERENT, 0), (VISIBLE | COHERENT, 1)), 1),  # not the small window into the card's own memory
        (((VISIBLE | COHERENT, 1), (VISIBLE | COHERENT, 0)), 0),
    ],
)
def test_of_several_the_processor_gets_the_one_that_is_read_best(types: tuple[tuple[int, int], ...], chosen: int) -> None:
    assert memories(*types).for_host(ANY) == chosen


def test_a_card_leaves_the_window_that_the_processor_sees_to_others() -> None:
    assert memories((LOCAL | VISIBLE | COHERENT, 0), (LOCAL, 0)).for_card(ANY) == 1


def test_what_this_process_holds_is_no_longer_free() -> None:
    properties, budget = structs.PhysicalDeviceMemoryProperties(), structs.PhysicalDeviceMemoryBudgetPropertiesEXT()
    properties.memoryTypeCount = properties.memoryHeapCount = 1
    budget.heapBudget[0], budget.heapUsage[0] = 100, 30

    assert Memories(properties, budget).free(0) == 70

    budget.heapUsage[0] = 130
    assert Memories(properties, budget).free(0) == 0


@pytest.mark.parametrize("flag", [0x10, 0x20, 0x40, 0x80])
def test_memory_of_a_special_kind_is_left_alone(flag: int) -> None:
    card = memories((LOCAL | flag, 0), (LOCAL | VISIBLE | COHERENT | flag, 0), (VISIBLE, 1))

    assert (card.for_card(ANY), card.for_host(ANY)) == (2, 2)


def test_a_type_in_a_heap_that_is_not_there_is_passed_over_and_counted() -> None:
    assert [memories((LOCAL | VISIBLE, heap), (LOCAL | VISIBLE, 0)).for_card(ANY) for heap in (2, 7)] == [1, 1]
    assert [memories((LOCAL | VISIBLE, heap), (LOCAL | VISIBLE, 0)).for_host(ANY) for heap in (2, 7)] == [1, 1]


def test_memory_that_the_processor_does_not_see_is_none_for_it() -> None:
    assert memories((LOCAL, 0), (LOCAL | CACHED, 0)).for_host(ANY) is None


def test_a_driver_that_said_nothing_has_no_memory() -> None:
    card = Memories(
        untouched(structs.PhysicalDeviceMemoryProperties), untouched(structs.PhysicalDeviceMemoryBudgetPropertiesEXT)
    )

    assert (card.types, card.for_card(ANY), card.for_host(ANY)) == ([], None, None)


def test_what_is_free_is_the_budget_of_the_type_s_own_heap() -> None:
    card = memories(*DISCRETE, budgets=(5 << 30, 0))

    assert (card.free(0), card.free(2), card.size(2)) == (5 << 30, None, 16 << 30)


@given(some.binary(min_size=520, max_size=520), some.integers(0, 33), some.integers(0, 17), some.integers(0, ANY))
def test_whatever_a_driver_writes_only_fitting_types_are_chosen(raw: bytes, types: int, heaps: int, allowed: int) -> None:
    properties = structs.PhysicalDeviceMemoryProperties.from_buffer_copy((c_uint8 * 520).from_buffer_copy(raw))
    properties.memoryTypeCount, properties.memoryHeapCount = types, heaps
    for kind in properties.memoryTypes:  # of all numbers few are a heap, or are allowed together
        kind.heapIndex, kind.propertyFlags = kind.heapIndex % 20, kind.propertyFlags & 0x1F
    card = Memories(properties, untouched(structs.PhysicalDeviceMemoryBudgetPropertiesEXT))

    for chosen, needed in ((card.for_card(allowed), 0), (card.for_host(allowed), VISIBLE)):
        if chosen is not None:
            assert allowed >> chosen & 1
            assert properties.memoryTypes[chosen].propertyFlags & (needed | 0xF0) == needed
            assert card.free(chosen) is None
            assert card.size(chosen) >= 0
