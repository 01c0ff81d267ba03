"""The devices and the host as they might be, and who holds what one of them cannot have."""

from __future__ import annotations

import pytest

from gpuprobe.judging.figures import User
from gpuprobe.model import Device as Card
from gpuprobe.model import DeviceType, GiB, MiB
from gpuprobe.planning import memory_holders
from gpuprobe.planning.devices import host_with_what_ifs, with_what_ifs
from gpuprobe.planning.engines.engine_records import HostMemory
from gpuprobe.planning.what_if import WhatIf, WhatIfError, parse

RTX = Card("CUDA", 0, ordinal=0, name="RTX", total_memory=24 * GiB, free_memory=20 * GiB, used_memory=4 * GiB)


@pytest.mark.parametrize(
    ("host", "said", "then"),
    [
        (HostMemory(), ["host free=64GiB"], HostMemory(None, 64 * GiB)),
        (HostMemory(), ["host total=64GiB"], HostMemory(64 * GiB, 64 * GiB)),
        (HostMemory(8 * GiB, 4 * GiB), ["host total=64GiB free=1GiB"], HostMemory(64 * GiB, GiB)),
        (HostMemory(8 * GiB, 4 * GiB), ["host free=2GiB"], HostMemory(8 * GiB, 2 * GiB)),
        (HostMemory(8 * GiB, 4 * GiB), ["host name=x"], HostMemory(8 * GiB, None)),
        (HostMemory(8 * GiB, 4 * GiB), ["CUDA:0 free=2GiB"], HostMemory(8 * GiB, 4 * GiB)),
    ],
)
def test_the_hosts_memory_is_what_is_said(host: HostMemory, said: list[str], then: HostMemory) -> None:
    assert host_with_what_ifs(host, [parse(each) for each in said]) == then


@pytest.mark.parametrize(
    ("said", "sizes"),
    [
        ("CUDA:0 total=48GiB", (48 * GiB, 44 * GiB, 4 * GiB)),
        ("CUDA:0 total=2GiB", (2 * GiB, 0, 2 * GiB)),
        ("CUDA:0 free=30GiB", (30 * GiB, 30 * GiB, 0)),
        ("CUDA:0 total=48GiB free=1GiB", (48 * GiB, GiB, 47 * GiB)),
        ("CUDA:0 name=other", (24 * GiB, 20 * GiB, 4 * GiB)),
    ],
)
def test_a_device_that_is_there_gets_the_sizes_that_are_said(said: str, sizes: tuple[int, ...]) -> None:
    (changed,) = with_what_ifs([RTX], [parse(said)])

    assert (changed.total_memory, changed.free_memory, changed.used_memory) == sizes


def test_what_is_not_known_of_a_device_stays_unknown() -> None:
    bare = Card("CUDA", 0, ordinal=0)
    named, free, total = (with_what_ifs([bare], [parse(f"CUDA:0 {each}")])[0] for each in ("name=x", "free=2GiB", "total=4GiB"))

    assert (named.total_memory, named.free_memory, named.used_memory) == (None, None, None)
    assert (free.total_memory, free.free_memory, free.used_memory) == (None, 2 * GiB, None)
    assert (total.total_memory, total.free_memory, total.used_memory) == (4 * GiB, 4 * GiB, 0)


def test_a_device_gets_type_name_and_capability_and_keeps_what_is_not_said() -> None:
    (changed,) = with_what_ifs([RTX], [parse("CUDA:0 type=integrated compute=8.7")])
    (made,) = with_what_ifs([], [parse("CUDA:3 total=4GiB free=1GiB")])

    assert (changed.type, changed.name, changed.compute_major, changed.compute_minor) == (DeviceType.INTEGRATED, "RTX", 8, 7)
    assert (made.number, made.ordinal, made.type, made.compute_major) == (3, 3, DeviceType.DISCRETE, None)
    assert (made.total_memory, made.free_memory, made.used_memory) == (4 * GiB, GiB, 3 * GiB)


@pytest.mark.parametrize(
    "what_if", [WhatIf("CUDA:1", "CUDA", 1), WhatIf("CUDA:1", "CUDA", None, total=GiB), WhatIf("GPU-1", total=GiB)]
)
def test_a_device_cannot_be_made_of_less_than_library_number_and_size(what_if: WhatIf) -> None:
    with pytest.raises(WhatIfError):
        with_what_ifs([RTX], [what_if])


@pytest.mark.parametrize(
    ("users", "sentence"),
    [
        ([], "4.0 GiB of CUDA:0 are held by others"),
        ([User(process=7, name=None, used_memory=None)], "4.0 GiB of CUDA:0 are held by process 7"),
        ([User(process=7, name="a", used_memory=GiB)], "4.0 GiB of CUDA:0 are held by a (7): 1.0 GiB"),
        (
            [User(process=number, name="p", used_memory=number * MiB) for number in (1, 2, 3, 4, 5)],
            "4.0 GiB of CUDA:0 are held by p (5): 5 MiB, p (4): 4 MiB, p (3): 3 MiB and 2 more",
        ),
        (
            [User(process=number, name="p", used_memory=None) for number in (3, 2, 1)],
            "4.0 GiB of CUDA:0 are held by p (1), p (2), p (3)",
        ),
    ],
)
def test_who_holds_memory_is_said_most_first_and_three_of_them(users: list[User], sentence: str) -> None:
    assert list(memory_holders.sentences([(RTX, users)])) == [sentence]


@pytest.mark.parametrize(("used", "matters"), [(512 * MiB, True), (512 * MiB - 1, False), (None, False)])
def test_half_a_gibibyte_is_worth_asking_about(used: int | None, matters: bool) -> None:
    device = RTX._replace(used_memory=used)

    assert memory_holders.held(device) is matters
    assert len(list(memory_holders.sentences([(device, [])]))) == matters
