"""`--what-if`: every text is a device or one line of refusal, and a device that is changed stays a device that can be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.model import Device, DeviceType, GiB
from gpuprobe.planning.devices import host_with_what_ifs, with_what_ifs
from gpuprobe.planning.engines.engine_records import HostMemory
from gpuprobe.planning.what_if import WhatIf, WhatIfError, parse

CARD = Device("CUDA", 0, ordinal=0, name="RTX 4090", total_memory=24 * GiB, free_memory=20 * GiB, used_memory=4 * GiB)


def test_a_device_has_what_is_said_of_it() -> None:
    read = parse('CUDA:0 total=24GiB free=20GiB compute=8.9 type=discrete name="RTX 4090"')

    assert read == WhatIf("CUDA:0", "CUDA", 0, 24 * GiB, 20 * GiB, DeviceType.DISCRETE, (8, 9), "RTX 4090")


@pytest.mark.parametrize("text", ["level-zero:1 total=16GB", "Level_Zero:1 total=16GB"])
def test_a_library_is_spelled_as_everywhere(text: str) -> None:
    assert parse(text).library == "Level Zero"


def test_the_host_is_no_device() -> None:
    assert parse("HOST free=64GiB").is_host


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "total=24GiB", "CUDA:0", "CUDA:0 total", "CUDA:0 total=", "CUDA:0 total=24", "CUDA:0 weight=3GiB"),
        *("CUDA:0 total=1GiB total=2GiB", "CUDA:0 total=1GiB free=2GiB", "CUDA:0 type=big", "CUDA:0 compute=new"),
        *('CUDA:0 name="a', "CUDA:0 total=1GiB,free=1GiB", "CUDA:0 total=-1GiB"),
    ],
)
def test_what_describes_no_device_is_refused(text: str) -> None:
    with pytest.raises(WhatIfError):
        parse(text)


@given(st.text(max_size=80))
def test_every_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        parse(text)
    except WhatIfError as refusal:
        assert "\n" not in str(refusal) and str(refusal).isprintable()


words = st.sampled_from(["total=24GiB", "free=20GiB", "type=integrated", "compute=8.9", "name=x", "free=", "=", '"', "CUDA:0"])


@given(st.lists(words, max_size=6))
def test_every_combination_of_words_is_read_or_refused(parts: list[str]) -> None:
    try:
        read = parse(" ".join(["ROCm:1", *parts]))
    except WhatIfError:
        return
    assert read.library == "ROCm" and read.number == 1


def test_a_device_that_is_there_is_changed() -> None:
    (changed,) = with_what_ifs([CARD], [parse("CUDA:0 free=6GiB")])

    assert (changed.free_memory, changed.used_memory, changed.name) == (6 * GiB, 18 * GiB, "RTX 4090")


def test_more_memory_in_all_leaves_what_is_used_as_it_is() -> None:
    (changed,) = with_what_ifs([CARD], [parse("CUDA:0 total=48GiB")])

    assert changed.free_memory == 44 * GiB


def test_a_device_that_is_not_there_is_made_behind_the_others() -> None:
    both = with_what_ifs([CARD], [parse("CUDA:1 total=12GiB")])

    assert both[0] == CARD
    assert (both[1].ordinal, both[1].free_memory) == (1, 12 * GiB)


def test_of_a_made_device_what_is_free_is_all_of_it_where_nothing_else_is_said() -> None:
    (_, made) = with_what_ifs([CARD], [parse("CUDA:1 free=6GiB")])

    assert (made.total_memory, made.free_memory) == (6 * GiB, 6 * GiB)


def test_a_made_device_needs_a_size_and_a_number_in_a_library() -> None:
    for text in ("CUDA:1 name=x", "GPU-1234567 total=4GiB"):
        with pytest.raises(WhatIfError):
            with_what_ifs([CARD], [parse(text)])


def test_the_hosts_memory_can_be_another_one() -> None:
    assert host_with_what_ifs(HostMemory(8 * GiB, 4 * GiB), [parse("host free=64GiB")]) == HostMemory(64 * GiB, 64 * GiB)


@given(total=st.integers(0, 10**12), free=st.integers(0, 10**12), new=st.integers(1, 10**12))
def test_a_changed_device_never_has_more_free_than_there_is(total: int, free: int, new: int) -> None:
    card = CARD._replace(total_memory=total, free_memory=min(total, free), used_memory=total - min(total, free))
    for text in (f"CUDA:0 total={new}bytes", f"CUDA:0 free={new}bytes"):
        (changed,) = with_what_ifs([card], [parse(text)])
        assert 0 <= (changed.free_memory or 0) <= (changed.total_memory or 0)
