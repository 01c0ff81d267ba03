"""Memory figures are matched by identity; what cannot be matched for sure keeps its old figure."""

from __future__ import annotations

import pytest

from gpuprobe import machine, memory_refresh
from gpuprobe.facts import Reading
from gpuprobe.judging.changes import card_changes, device_changes, library_changes, unknown_devices
from gpuprobe.judging.figures import (
    Figure,
    Silence,
    Told,
    from_kernel,
    from_validation,
    is_same,
    matched,
    told_by,
    why_silent,
    with_figure,
)
from gpuprobe.judging.rules import judge
from gpuprobe.model import Depth, Device, DeviceType, Evidence, GiB, Outcome, Partition, Probe, Purpose, Request, Status
from gpuprobe.probing.memory_questions import all_memory_probes
from gpuprobe.probing.validation_questions import validation_probe
from tests.records import AMD, a_card, a_device, a_host, a_slice, an_outcome, evidence_of

FIRST, SECOND = "0000:01:00.0", "0000:02:00.0"
A, B = "GPU-00000000-0000-0000-0000-00000000000a", "GPU-00000000-0000-0000-0000-00000000000b"


def cuda(uuid: str = A, pci: str = FIRST, **fields: object) -> Device:
    return a_device("CUDA", **{"uuid": uuid, "pci_id": pci, **fields})


def nvml(uuid: str = A, pci: str = FIRST, **fields: object) -> Device:
    return a_device("NVML", **{"uuid": uuid, "pci_id": pci, **fields})


def told(*devices: Device) -> list[Told]:
    return list(told_by([an_outcome(device) for device in devices]))


def test_a_listing_in_another_order_gives_each_device_its_own_figure() -> None:
    known = [cuda(A, FIRST, number=0), cuda(B, SECOND, number=1)]
    swapped = told(nvml(B, SECOND, number=0, free_memory=2), nvml(A, FIRST, number=1, free_memory=1))

    found = matched(known, swapped)

    assert [found[place].device.free_memory for place in (0, 1)] == [1, 2]


def test_one_card_out_of_two_leaves_the_other_without_a_figure() -> None:
    """The seeds matched by number, and gave the second card's memory to the first."""
    assert set(matched([cuda(A, FIRST), cuda(B, SECOND, number=1)], told(nvml(B, SECOND, number=0)))) == {1}


@pytest.mark.parametrize("turned", [False, True])
def test_where_the_witness_and_the_library_both_tell_the_witness_is_believed(turned: bool) -> None:
    """The library is asked for all its cards where the witness did not know one of them."""
    known = [cuda(A, FIRST, build="cuda_v13"), cuda(B, SECOND, number=1, build="cuda_v13")]
    listed = [cuda(uuid, pci, build="cuda_v13", free_memory=2) for uuid, pci in ((A, FIRST), (B, SECOND))]
    said = [*told(nvml(A, FIRST, free_memory=1)), *told(*listed)]

    found = matched(known, said[::-1] if turned else said)

    assert [(found[place].source, found[place].device.free_memory) for place in (0, 1)] == [("NVML", 1), ("CUDA", 2)]


def test_other_figures_of_the_same_devices_are_matched_as_those_before_and_another_device_anew() -> None:
    known = [cuda(A, FIRST), cuda(B, SECOND, number=1)]

    def free(*devices: Device) -> dict[int, int | None]:
        return {place: each.device.free_memory for place, each in matched(known, told(*devices)).items()}

    assert free(nvml(A, FIRST, free_memory=1), nvml(B, SECOND, free_memory=2)) == {0: 1, 1: 2}
    assert free(nvml(A, FIRST, free_memory=3), nvml(B, SECOND, free_memory=4)) == {0: 3, 1: 4}
    assert free(nvml(B, SECOND, free_memory=5), nvml(A, FIRST, free_memory=6)) == {0: 6, 1: 5}
    assert free(nvml(A, SECOND, free_memory=7), nvml(A, FIRST, free_memory=8)) == {0: 8}


def test_two_answers_of_one_list_about_one_device_are_none() -> None:
    """One by its address, the other by its UUID alone."""
    assert matched([cuda(A, FIRST)], told(nvml(A, None), nvml(None, FIRST))) == {}  # type: ignore[arg-type]


def test_another_card_at_the_same_address_is_another_card() -> None:
    assert not is_same(cuda(A, FIRST), nvml(B, FIRST))
    assert matched([cuda(A, FIRST)], told(nvml(B, FIRST))) == {}


def test_a_number_alone_is_no_identity() -> None:
    nameless = [a_device("Vulkan", uuid=None, pci_id=None, number=number) for number in (0, 1)]

    assert matched(nameless, told(*(device._replace(free_memory=1) for device in nameless))) == {}
    assert matched(nameless, told(nameless[0]._replace(free_memory=1))) == {}


def test_the_only_one_of_its_kind_keeps_its_identity_without_an_address_and_a_uuid() -> None:
    """As Adreno and Mali under Vulkan: "Vulkan no longer lists it" was false."""
    mali, other = (a_device("Vulkan", uuid=None, pci_id=None, name=name, number=place) for place, name in enumerate("ab"))
    turned = an_outcome(other._replace(number=0, free_memory=3), mali._replace(number=1, free_memory=4))

    found = matched([mali, other], list(told_by([turned])))

    assert {place: each.device.free_memory for place, each in found.items()} == {0: 4, 1: 3}
    silent = an_outcome(mali._replace(free_memory=None))
    assert why_silent(mali, [silent.probe], [silent]) == Silence("Vulkan does not report it")


@pytest.mark.parametrize(
    "device",
    [
        a_device("Vulkan", build="vulkan", total_memory=8 * GiB, free_memory=8 * GiB),
        a_device("Vulkan", build="vulkan", type=DeviceType.INTEGRATED, total_memory=8 * GiB, free_memory=8 * GiB),
        a_device("Vulkan", total_memory=8 * GiB, free_memory=8 * GiB),
        a_device("Metal", total_memory=8 * GiB, free_memory=8 * GiB),
        a_device("Metal", total_memory=8 * GiB, free_memory=7 * GiB),
        a_device("Metal", build="metal", total_memory=8 * GiB, free_memory=7 * GiB),
    ],
)
def test_a_default_in_the_place_of_a_measurement_is_unknown(device: Device) -> None:
    """Without the budget extension ggml's Vulkan builds answer that everything is free; Metal counts the asking process."""
    (kept,) = judge(evidence_of(device), Request()).kept

    assert (kept.free_memory, kept.used_memory) == (None, None)
    assert list(told_by([an_outcome(device)])) == []


def test_a_context_that_says_everything_is_free_measured_nothing() -> None:
    device = a_device("Vulkan", build="vulkan", total_memory=8 * GiB, free_memory=None)
    context = an_outcome(library="Vulkan", probe=validation_probe(device), depth=Depth.CONTEXT, facts={"free_memory": 8 * GiB})

    (kept,) = judge(evidence_of(device, outcomes=(context,)), Request()).kept

    assert (kept.free_memory, kept.used_memory) == (None, None)


def test_what_a_witness_measured_stands_for_what_a_build_does_not_know() -> None:
    device = a_device("Vulkan", build="vulkan", pci_id=FIRST, total_memory=24 * GiB, free_memory=24 * GiB)

    (kept,) = judge(evidence_of(device, nvml(free_memory=24 * GiB, used_memory=0)), Request()).kept

    assert (kept.free_memory, kept.used_memory) == (24 * GiB, 0)


def test_an_integrated_gpu_may_have_everything_that_the_system_has() -> None:
    uhd = a_device("Level Zero", type=DeviceType.INTEGRATED, total_memory=8 * GiB, free_memory=8 * GiB)

    (kept,) = judge(evidence_of(uhd), Request()).kept

    assert kept.free_memory == 8 * GiB


def test_devices_that_a_driver_does_not_tell_apart_get_no_figure() -> None:
    copies = [a_device("Vulkan", uuid="00000000-0000-0000-0000-000000000001", copy=copy, number=copy) for copy in (0, 1)]

    assert matched(copies, list(told_by([an_outcome(*copies)]))) == {}


def test_slices_at_one_address_are_told_apart_by_their_uuids() -> None:
    names = [f"MIG-{digit * 8}-0000-0000-0000-000000000000" for digit in "12"]
    slices = [a_slice(uuid=name, pci_id=FIRST, partition=Partition("mig", A)) for name in names]
    whole = nvml(A, FIRST, free_memory=30 * GiB)
    witnessed = [nvml(name, FIRST, free_memory=place, partition=Partition("mig", A)) for place, name in enumerate(names)]

    found = matched(slices, told(whole, *reversed(witnessed)))

    assert [found[place].device.free_memory for place in (0, 1)] == [0, 1]


def test_another_builds_or_manifests_answer_is_not_taken() -> None:
    known = a_device("Vulkan", pci_id=FIRST, manifest="/a.json")

    assert matched([known], told(known._replace(manifest=None))) == {}
    assert matched([cuda(build="cuda_v13")], told(cuda(build="cuda_v12"))) == {}
    assert set(matched([known], told(known))) == {0}


def test_an_answer_that_could_not_be_read_tells_nothing_and_one_before_a_crash_does() -> None:
    assert list(told_by([an_outcome(nvml(), status=Status.UNREADABLE)])) == []
    assert len(list(told_by([an_outcome(nvml(), status=Status.CRASHED)]))) == 1


def test_what_is_not_told_stays_unknown_and_is_no_zero() -> None:
    assert told(nvml(free_memory=None)) == []


def test_a_figure_takes_used_memory_as_told_or_as_the_rest() -> None:
    known = cuda(total_memory=24 * GiB)

    assert with_figure(known, Told(nvml(free_memory=20 * GiB, used_memory=3 * GiB), "NVML")).used_memory == 3 * GiB
    assert with_figure(known, Told(nvml(free_memory=20 * GiB), "NVML")).used_memory == 4 * GiB
    assert with_figure(known, Told(nvml(free_memory=25 * GiB), "NVML")).used_memory == 0


@pytest.mark.parametrize(
    ("total", "used", "free"),
    [(24 * GiB, 4 * GiB, 20 * GiB), (24 * GiB - GiB // 2, GiB, 23 * GiB), (GiB // 2, 0, None)],
)
def test_the_kernels_count_is_taken_where_it_is_the_same_memory(total: int, used: int, free: int | None) -> None:
    """An integrated GPU has half a GiB of its own, and its library speaks of the system's memory."""
    device = a_device("Vulkan", pci_id=FIRST, total_memory=24 * GiB)
    counted = Device("sysfs", 0, pci_id=FIRST, total_memory=total, used_memory=used)

    found = from_kernel(device, [counted._replace(pci_id=SECOND), counted._replace(used_memory=None), counted])

    assert (found.device.free_memory if found else None) == free
    assert found is None or found.source == "sysfs"


def test_the_kernels_count_of_a_card_is_that_of_no_partition() -> None:
    counted = Device("sysfs", 0, pci_id=FIRST, total_memory=24 * GiB, used_memory=GiB)
    part = a_device("ROCm", pci_id=FIRST, total_memory=24 * GiB, partition=Partition("cpx", None))

    assert from_kernel(part, [counted]) is None
    assert from_kernel(part._replace(partition=None), [counted]) is not None


SYSFS = {
    "whole": ("25753026560\n", "1048576\n", (25753026560, 1048576)),
    "rubbish": ("rubbish\n", "-1\n", (None, None)),
    "too long a number": ("9" * 5000, "0", (None, None)),
}


@pytest.mark.parametrize(("total", "used", "told"), SYSFS.values(), ids=SYSFS)
def test_amdgpu_tells_memory_in_sysfs(total: str, used: str, told: tuple[int | None, int | None]) -> None:
    place = f"/sys/bus/pci/devices/{FIRST}/mem_info_vram"
    texts = {f"{place}_total": Reading(total), f"{place}_used": Reading(used)}

    (view,) = machine.witnesses(a_host(pci=(a_card(FIRST, vendor=AMD, driver="amdgpu"),), texts=texts))

    assert (view.total_memory, view.used_memory) == told


def known_with(*outcomes: Outcome, **host: object) -> Evidence:
    return Evidence(a_host(**host), outcomes, "2026-11-21T09:00:00Z")


def memory_probes(device: Device, known: Evidence) -> tuple[Probe, ...]:
    (found,) = all_memory_probes((device,), known)
    return found


def context_on(device: Device) -> Outcome:
    return Outcome(validation_probe(device), Status.OK, depth=Depth.CONTEXT, facts={"free_memory": 7 * GiB})


def test_a_witness_is_asked_first_and_a_context_is_made_only_without_it() -> None:
    device = cuda(free_memory=None)
    listing, witness = an_outcome(device), an_outcome(nvml())

    assert memory_probes(device, known_with(listing, context_on(device))) == (validation_probe(device),)
    assert memory_probes(device, known_with(listing, witness)) == (witness.probe, validation_probe(device))


def test_a_witness_that_did_not_know_the_card_or_its_memory_is_not_asked() -> None:
    device = cuda(free_memory=None)

    for witness in (an_outcome(nvml(B, SECOND)), an_outcome(nvml(free_memory=None)), an_outcome(nvml(), status=Status.CRASHED)):
        assert memory_probes(device, known_with(an_outcome(device), witness)) == (validation_probe(device),)


def test_a_library_that_tells_memory_when_it_lists_is_asked_to_list() -> None:
    alone = Probe("Vulkan", Purpose.ALONE, manifest="/a.json", variables=(("VK_DRIVER_FILES", "/a.json"),))
    device = a_device("Vulkan", pci_id=FIRST, manifest="/a.json")

    assert memory_probes(device, known_with(an_outcome(device, probe=alone))) == (alone,)


def test_a_device_of_a_build_is_asked_about_through_that_build_and_before_it_through_the_witness() -> None:
    build = Probe("CUDA", Purpose.LIST, build="cuda_v13")
    device, of_the_system = cuda(build="cuda_v13", listed_as=FIRST), an_outcome(cuda(free_memory=None))
    listing = an_outcome(a_device("CUDA", pci_id=FIRST, build="cuda_v13"), probe=build)
    witness = an_outcome(nvml())

    assert memory_probes(device, known_with(of_the_system, listing)) == (build,)
    assert memory_probes(device, known_with(of_the_system, listing, witness)) == (witness.probe, build)


def test_metal_is_not_asked_again() -> None:
    metal = a_device("Metal")

    assert memory_probes(metal, known_with(an_outcome(metal))) == ()


def test_metal_keeps_its_old_figure_and_says_why() -> None:
    device = a_device("Metal", free_memory=40 * GiB)
    known = known_with(an_outcome(device), platform="darwin", machine="arm64")

    (figure,) = memory_refresh.refresh((device,), known, known.host, Request()).figures

    assert figure == Figure(
        device, "Metal", known.gathered_at, Silence("Metal counts what the asking process holds, and not what others do")
    )
    assert figure.stale


def test_a_card_that_left_the_bus_is_gone_and_nobody_is_asked_about_it() -> None:
    known = known_with(an_outcome(cuda()), an_outcome(nvml()), pci=(a_card(FIRST),))

    found = memory_refresh.refresh((cuda(),), known, a_host(), Request())

    assert found.evidence.outcomes == ()
    assert found.figures[0].silence == Silence("its card is no longer on the bus", is_gone=True)
    assert [change.text for change in card_changes(known, found.evidence)] == [
        "the card at 0000:01:00.0 is no longer on the bus"
    ]


def test_no_wake_asks_nobody_about_a_sleeping_card() -> None:
    host = a_host(pci=(a_card(FIRST, runtime_status="suspended"),))
    known = known_with(an_outcome(cuda()), an_outcome(nvml()), pci=host.pci)

    found = memory_refresh.refresh((cuda(),), known, host, Request(wake=False))

    assert found.evidence.outcomes == ()
    assert found.figures[0].silence is not None and "`--no-wake`" in found.figures[0].silence.because


def test_an_integrated_nvidia_gpu_has_what_the_system_has() -> None:
    device = cuda(type=DeviceType.INTEGRATED, total_memory=30 * GiB)
    texts = {"/proc/meminfo": Reading("MemTotal: 33554432 kB\nMemAvailable: 8388608 kB\n")}
    known = known_with(an_outcome(device))

    (figure,) = memory_refresh.refresh((device,), known, a_host(texts=texts), Request()).figures

    assert (figure.device.free_memory, figure.source, figure.stale) == (8 * GiB, "system", False)
    assert figure.device.used_memory is None


@pytest.mark.parametrize(
    ("seconds", "deadline", "limits"),
    [(None, None, (3.0, 3.0)), (10.0, None, (10.0, None)), (None, 5.0, (5.0, 5.0)), (1.0, 5.0, (1.0, 5.0))],
)
def test_three_seconds_in_all_or_what_the_options_say(
    seconds: float | None, deadline: float | None, limits: tuple[float, float | None]
) -> None:
    assert memory_refresh.limits(Request(seconds=seconds, deadline=deadline)) == limits


@pytest.mark.parametrize("said", [-1, True, 1.5, "7", None, 2**70])
def test_what_a_context_cannot_have_told_is_no_figure(said: object) -> None:
    device = a_device("CUDA", uuid="GPU-1")
    outcome = Outcome(validation_probe(device), Status.OK, facts={"free_memory": said})

    assert from_validation(device, [outcome]) is None
    assert from_validation(device, [outcome._replace(facts={"free_memory": 7})]) is not None


def test_why_nobody_told() -> None:
    device, listing = a_device("Vulkan", pci_id=FIRST), Probe("Vulkan", Purpose.LIST)

    def why(*outcomes: Outcome) -> Silence:
        return why_silent(device, [listing], outcomes)

    assert why() == Silence("no library that reports it was asked", in_doubt=True)
    assert why(Outcome(listing, Status.NO_DEVICES)) == Silence("Vulkan no longer lists it", is_gone=True)
    assert why(an_outcome(device._replace(pci_id=SECOND))) == Silence("Vulkan no longer lists it", is_gone=True)
    assert why(an_outcome(device._replace(free_memory=None))) == Silence("Vulkan does not report it")
    assert why(Outcome(listing, Status.TIMED_OUT, message="no answer within 3 s")) == Silence(
        "Vulkan: no answer within 3 s", in_doubt=True
    )


def test_changes_name_memory_and_driver_of_the_same_device_whatever_its_number() -> None:
    before = [cuda(A, FIRST, number=0, ordinal=0, free_memory=20 * GiB, kernel_version="570.86")]
    after = [cuda(A, FIRST, number=1, ordinal=0, free_memory=int(3.1 * GiB), kernel_version="580.95")]

    assert [change.text for change in device_changes(before, after)] == [
        "CUDA driver 570.86 → 580.95",
        "CUDA:0 free 20.0 → 3.1 GiB",
    ]


def test_changes_of_units_are_written_out() -> None:
    (change,) = device_changes([cuda(ordinal=0, free_memory=GiB)], [cuda(ordinal=0, free_memory=GiB // 2)])

    assert (change.text, change.before, change.after) == ("CUDA:0 free 1.0 GiB → 512 MiB", GiB, GiB // 2)


def test_devices_that_came_and_went_are_named() -> None:
    gone, new = a_device("Vulkan", pci_id=SECOND, ordinal=0), cuda(B, SECOND, ordinal=0)

    assert [(change.kind, change.text) for change in device_changes([gone], [new])] == [
        ("device_gone", "Vulkan:0 (NVIDIA GeForce RTX 4090) has disappeared"),
        ("device_new", "CUDA:0 (NVIDIA GeForce RTX 4090) is new"),
    ]


def test_a_device_that_a_listing_did_not_have_is_new() -> None:
    old = evidence_of(nvml(A, FIRST))
    new = evidence_of(nvml(B, SECOND, number=0), nvml(A, FIRST, number=1))

    (change,) = unknown_devices(old, new)

    assert change.text == f"NVML now lists NVIDIA GeForce RTX 4090 ({B})"
    assert list(unknown_devices(old, old)) == []


def test_a_library_that_ends_otherwise_than_it_did_is_named() -> None:
    listing = Probe("CUDA", Purpose.LIST)
    ok, late = (known_with(Outcome(listing, status)) for status in (Status.OK, Status.TIMED_OUT))

    assert [change.text for change in library_changes(ok, late)] == ["CUDA now times out"]
    assert [change.text for change in library_changes(late, ok)] == ["CUDA answers again"]
    assert list(library_changes(ok, ok)) == []


def test_a_figure_does_not_change_what_the_device_is() -> None:
    known = evidence_of(cuda(), nvml(free_memory=5 * GiB))
    (device,) = judge(known, Request()).kept

    refreshed = with_figure(device, Told(nvml(free_memory=1), "NVML"))

    assert refreshed._replace(free_memory=device.free_memory, used_memory=device.used_memory) == device


def test_an_answer_is_about_a_device_where_it_is_unmistakable() -> None:
    one, other = cuda(A, FIRST), cuda(B, SECOND, number=1)

    assert matched([one, other], []) == {}
    twice = [*told(cuda(A, FIRST, free_memory=1)), *told(cuda(A, FIRST, free_memory=2))]
    assert matched([one], twice) == {}
    assert {place: each.source for place, each in matched([one, other], told(cuda(A, FIRST), nvml(B, SECOND))).items()} == {
        0: "CUDA",
        1: "NVML",
    }
    assert matched([one], told(a_device("ROCm", pci_id=FIRST))) == {}
    assert matched([one], told(cuda(A, FIRST, build="cuda_v13"))) == {}


def test_two_devices_that_nothing_tells_apart_have_no_answer_and_one_alone_has() -> None:
    nameless = [a_device("Vulkan", number=number) for number in (0, 1)]

    assert matched(nameless, told(nameless[0])) == {}
    assert matched(nameless[:1], told(nameless[0]))[0].device == nameless[0]
    assert matched(nameless[:1], told(nameless[0]._replace(name="another"))) == {}
    assert matched(nameless[:1], told(nameless[0]._replace(uuid=A))) == {}


def test_a_validation_that_failed_or_told_nothing_is_no_figure() -> None:
    device = a_device("CUDA", uuid="GPU-1", number=3)
    probe = validation_probe(device)

    found = from_validation(
        device,
        [
            Outcome(probe, Status.CRASHED, facts={"free_memory": 5}),
            Outcome(probe, Status.OK, facts={}),
            Outcome(probe, Status.OK, facts={"free_memory": 7}),
        ],
    )

    assert found is not None
    assert (found.device.library, found.device.number, found.device.free_memory, found.source) == ("CUDA", 3, 7, "CUDA")
