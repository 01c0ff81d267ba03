"""What a library does not say of a card is what others know of it; each filled field names who told it."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.facts import Reading
from gpuprobe.judging.completion import completed, filled, shared_memory, without_defaults
from gpuprobe.judging.matching import matches
from gpuprobe.judging.pairing import pair_by_name
from gpuprobe.model import Device, DeviceType, GiB, MiB, Outcome, Partition, Probe, Purpose, Status
from tests.records import a_device, a_host, an_outcome, evidence_of

AT, UUID = "0000:01:00.0", "GPU-00000000-0000-0000-0000-00000000000a"
CUDA = a_device("CUDA", pci_id=AT, total_memory=1000, free_memory=None)


def with_witnesses(device: Device, *witnesses: Device, outcomes: tuple[Outcome, ...] = (), **host: Any) -> Device:
    listings = tuple(map(an_outcome, witnesses))
    (found,) = completed([device], evidence_of(device, host=a_host(**host), outcomes=(*listings, *outcomes)))
    return found


def nvml(**fields: Any) -> Device:
    return a_device("NVML", **{"pci_id": AT, "total_memory": 1000, "free_memory": None, **fields})


@pytest.mark.parametrize(
    ("library", "fields", "free"),
    [
        ("CUDA", {"free_memory": 9, "total_memory": 10}, 9),
        ("CUDA", {"free_memory": 10, "total_memory": 10}, None),
        ("CUDA", {"free_memory": 11, "total_memory": 10}, None),
        ("CUDA", {"free_memory": 10, "total_memory": None}, 10),
        ("Vulkan", {"free_memory": 10, "total_memory": 10, "type": DeviceType.INTEGRATED}, 10),
        ("Vulkan", {"free_memory": 10, "total_memory": 10, "type": DeviceType.INTEGRATED, "build": "vulkan"}, None),
        ("NVML", {"free_memory": 10, "total_memory": 10}, 10),
        ("Metal", {"free_memory": 5, "total_memory": 10}, None),
        ("Metal", {"free_memory": None, "total_memory": 10}, None),
    ],
)
def test_a_card_of_which_everything_is_said_to_be_free_was_not_measured(
    library: str, fields: dict[str, Any], free: int | None
) -> None:
    found = without_defaults(a_device(library, used_memory=1, **fields))

    assert found.free_memory == free
    assert found.used_memory == (1 if free is not None or fields["free_memory"] is None else None)


def test_a_field_is_filled_where_it_is_lacking_and_its_source_is_named() -> None:
    device = a_device("CUDA", name=None, number=4)
    other = a_device("NVML", name="RTX", number=7, uuid=UUID)

    found = filled(device, other, ("name", "uuid", "total_memory", "pci_id"))

    assert (found.name, found.uuid, found.total_memory, found.pci_id) == ("RTX", UUID, device.total_memory, None)
    assert found.sources == (("name", "NVML"), ("uuid", "NVML"))
    assert found.key == device.key
    assert filled(device, other, ("number",), overwrite=True).number == 7
    assert filled(device, other, ("total_memory", "pci_id")) is device
    assert filled(found, a_device("AMDGPU", name="x"), ("name",), overwrite=True).sources == (
        ("name", "AMDGPU"),
        ("uuid", "NVML"),
    )


@pytest.mark.parametrize(
    ("totals", "free"),
    [
        ((1000,), 100),
        ((1125,), 100),
        ((1126,), None),
        ((875,), 100),
        ((874,), None),
        ((1100, 1050), 101),
        ((1050, 1100), 100),
        ((1000, 1000), 101),
        ((None,), 100),
    ],
)
def test_free_memory_is_that_of_the_witness_whose_total_is_the_nearest(
    totals: tuple[int | None, ...], free: int | None
) -> None:
    witnesses = [
        nvml(number=place, total_memory=total, free_memory=100 + place, uuid=UUID) for place, total in enumerate(totals)
    ]

    found = with_witnesses(CUDA._replace(uuid=UUID), *witnesses)

    assert found.free_memory == free
    assert found.used_memory == (None if free is None else 1000 - free)


def test_what_a_witness_measured_replaces_what_the_library_saw() -> None:
    found = with_witnesses(CUDA._replace(free_memory=500, used_memory=5), nvml(free_memory=100, used_memory=900))

    assert (found.free_memory, found.used_memory) == (100, 900)
    assert dict(found.sources)["free_memory"] == "NVML"
    other = with_witnesses(CUDA._replace(free_memory=500), nvml(free_memory=100, pci_id="0000:02:00.0"))
    assert (other.free_memory, other.used_memory, other.sources) == (500, 500, ())


def test_a_device_without_a_total_takes_its_witness_s_and_then_its_figures() -> None:
    found = with_witnesses(CUDA._replace(total_memory=None), nvml(free_memory=100))

    assert (found.total_memory, found.free_memory, found.used_memory) == (1000, 100, 900)


def validated(device: Device, status: Status = Status.OK, **facts: object) -> Outcome:
    return Outcome(Probe("CUDA", Purpose.VALIDATE, device=device.key), status, facts=dict(facts))


@pytest.mark.parametrize(
    ("outcome", "free"),
    [
        (validated(CUDA, free_memory=300), 300),
        (validated(CUDA, free_memory=0), 0),
        (validated(CUDA, free_memory=1000), None),
        (validated(CUDA, free_memory=-1), None),
        (validated(CUDA, free_memory=True), None),
        (validated(CUDA), None),
        (validated(CUDA, Status.CRASHED, free_memory=300), None),
    ],
)
def test_a_validation_tells_the_free_memory_of_its_context(outcome: Outcome, free: int | None) -> None:
    assert with_witnesses(CUDA, outcomes=(outcome,)).free_memory == free


def test_a_figure_that_is_known_is_not_replaced_by_the_validation_s() -> None:
    assert with_witnesses(CUDA._replace(free_memory=500), outcomes=(validated(CUDA, free_memory=300),)).free_memory == 500


def memory(available: str = "MemAvailable: 4 kB") -> dict[str, Reading]:
    return {"/proc/meminfo": Reading(f"MemTotal: 100 kB\n{available}\n")}


@pytest.mark.parametrize(
    ("fields", "texts", "free"),
    [
        ({"total_memory": 100 * 1024}, memory(), 4096),
        ({"total_memory": 1000}, memory(), 1000),
        ({"total_memory": None}, memory(), 4096),
        ({}, memory(""), 7),
        ({"type": DeviceType.DISCRETE}, memory(), 7),
        ({"library": "Vulkan"}, memory(), 7),
    ],
)
def test_an_integrated_nvidia_gpu_has_what_the_system_has_left(
    fields: dict[str, Any], texts: dict[str, Reading], free: int
) -> None:
    device = a_device("CUDA", free_memory=7, used_memory=3, type=DeviceType.INTEGRATED)._replace(**fields)

    found = shared_memory(device, a_host(texts=texts))

    assert (found.free_memory, found.used_memory) == (free, 3 if free == 7 else None)
    assert dict(found.sources).get("free_memory") == (None if free == 7 else "system")
    if free != 7:
        assert with_witnesses(device, texts=texts).used_memory is None


def test_a_slice_takes_its_card_from_the_witness_and_a_whole_card_takes_no_partition() -> None:
    part = Partition("mig", None)
    piece = a_device("CUDA", pci_id=AT, uuid="MIG-00000000-0000-0000-0000-000000000001", partition=part)
    whole = Partition("mig", UUID)

    found = with_witnesses(piece, nvml(uuid=piece.uuid, partition=whole))
    assert (found.partition, dict(found.sources)["partition"]) == (whole, "NVML")
    assert with_witnesses(piece, nvml(uuid=piece.uuid, partition=part)).partition == part
    known = with_witnesses(piece._replace(partition=whole), nvml(uuid=piece.uuid, partition=whole))
    assert "partition" not in dict(known.sources)


def test_a_build_takes_from_its_library_what_it_does_not_tell() -> None:
    own = a_device(
        "Vulkan", pci_id=AT, number=3, uuid="u", api_version="1.4", driver_name="d", copy=1, capabilities={"a": 1, "b": 1}
    )
    build = Device("Vulkan", 0, build="vulkan", name=own.name, pci_id=AT, total_memory=own.total_memory, capabilities={"b": 2})

    found = completed([own, build], evidence_of(own, build))[1]

    assert (found.number, found.uuid, found.api_version, found.driver_name, found.copy) == (3, "u", "1.4", "d", 1)
    assert (found.type, found.capabilities, found.build) == (DeviceType.DISCRETE, {"a": 1, "b": 2}, "vulkan")
    assert dict(found.sources)["number"] == "Vulkan"
    typed = build._replace(type=DeviceType.VIRTUAL)
    unknown = completed([own._replace(type=DeviceType.UNKNOWN), typed], evidence_of(own, typed))[1]
    assert unknown.type is DeviceType.VIRTUAL


def test_views_of_two_lists_are_matched_by_what_is_sure_and_then_by_name_and_order() -> None:
    def arcs(**fields: Any) -> list[Device]:
        return [a_device("Vulkan", number=n, name="Arc", **fields) for n in range(2)]

    assert [(one.number, other.number) for one, other in matches(arcs(), arcs(build="vulkan"))] == [(0, 0), (1, 1)]
    assert matches(arcs(), arcs(build="vulkan")[:1]) == []
    named = [each._replace(name=f"Arc {each.number}") for each in arcs()]
    assert [one.number for one, _ in matches(named, [named[1]._replace(build="vulkan")])] == [1]
    assert matches([], arcs()) == matches(arcs(), []) == []


@pytest.mark.parametrize(
    ("mine", "its", "pairs"),
    [
        (24 * GiB, 24 * GiB, 1),
        (20 * GiB, 19 * GiB, 1),
        (20 * GiB, 19 * GiB - 1, 0),
        (GiB, GiB // 2, 1),
        (GiB, GiB // 2 - 1, 0),
        (None, GiB, 0),
        (GiB, None, 0),
        (512 * MiB, 0, 1),
    ],
)
def test_a_pair_by_name_has_about_the_same_memory(mine: int | None, its: int | None, pairs: int) -> None:
    one, other = a_device("CUDA", total_memory=mine), a_device("Vulkan", total_memory=its)

    assert len(pair_by_name([one, other])) == len(pair_by_name([other, one])) == pairs


def test_the_closest_memory_pairs_first_and_each_view_once() -> None:
    computing = [a_device("CUDA", number=n, total_memory=size) for n, size in enumerate((24 * GiB, 24 * GiB - 10))]
    drawing = [a_device("Vulkan", number=n, total_memory=24 * GiB - 10) for n in range(3)]

    assert [(left.number, right.number) for left, right in pair_by_name([*computing, *drawing])] == [(0, 1), (1, 0)]
    assert pair_by_name([*computing, *drawing[:1]])[0][0].number == 1
