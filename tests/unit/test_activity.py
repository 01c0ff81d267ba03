"""What a witness tells of a device beside its memory: what has not the right shape in it is unknown."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.judging.figures import (
    Activity,
    Figure,
    Silence,
    Told,
    User,
    activities,
    activity_from,
    from_kernel,
    is_same,
    old_source,
    users_of_cut_cards,
    why_silent,
    with_figure,
)
from gpuprobe.model import Device, GiB, Outcome, Partition, Probe, Purpose, Status
from tests.records import a_device, a_slice, an_outcome

AT, ELSEWHERE = "0000:01:00.0", "0000:02:00.0"
A, B = "GPU-00000000-0000-0000-0000-00000000000a", "GPU-00000000-0000-0000-0000-00000000000b"
SAID = {
    "utilization_percent": 37,
    "memory_utilization_percent": 12,
    "temperature_celsius": 61,
    "power_watts": 215.5,
    "power_limit_watts": 450,
    "clock_mhz": 2520,
    "memory_clock_mhz": 10501,
    "throttle_reasons": ["software_power_cap", 5],
    "processes": [{"pid": 7, "used_memory_bytes": GiB}, {"pid": 8}, {"pid": 0}, {"pid": True}, "9", {}],
}


def test_an_activity_is_read_field_by_field() -> None:
    assert activity_from(SAID) == Activity(
        utilization=37,
        memory_utilization=12,
        temperature=61,
        power=215.5,
        power_limit=450.0,
        clock=2520,
        memory_clock=10501,
        throttle_reasons=("software_power_cap",),
        users=(User(7, GiB), User(8, None)),
    )
    assert activity_from({}) == Activity()
    assert activity_from({"throttle_reasons": [], "processes": []}) == Activity(throttle_reasons=(), users=())
    assert (activity_from(None), activity_from([SAID])) == (None, None)


@pytest.mark.parametrize(
    ("said", "count", "watts"),
    [
        (0, 0, 0.0),
        (1, 1, 1.0),
        (1.5, None, 1.5),
        (-1, None, None),
        (True, None, None),
        ("1", None, None),
        (None, None, None),
        (2**63 - 1, 2**63 - 1, None),
        (2**63, None, None),
        (999_999, 999_999, 999_999.0),
        (10**6, 10**6, None),
        (float("nan"), None, None),
    ],
)
def test_a_figure_that_nothing_can_have_is_unknown(said: Any, count: int | None, watts: float | None) -> None:
    found = activity_from({"clock_mhz": said, "power_watts": said})

    assert found is not None
    assert (found.clock, found.power) == (count, watts)


def witnessed(uuid: str = A, pci_id: str | None = AT, **fields: Any) -> Device:
    return a_device("NVML", **{"uuid": uuid, "pci_id": pci_id, "capabilities": {"activity": SAID}, **fields})


def test_what_a_device_is_doing_is_told_of_the_device_that_it_is_about() -> None:
    known = [a_device("CUDA", uuid=A, pci_id=AT), a_device("CUDA", uuid=B, pci_id=ELSEWHERE, number=1)]

    assert activities(known, [an_outcome(witnessed(B, ELSEWHERE))]) == {1: activity_from(SAID)}
    assert activities(known, [an_outcome(witnessed(capabilities={"activity": 5}))]) == {}
    assert activities(known, [an_outcome(witnessed(capabilities={}))]) == {}


def test_who_uses_a_cut_card_is_kept_where_only_its_slices_are_known() -> None:
    piece = a_slice(uuid="MIG-00000000-0000-0000-0000-000000000001", pci_id=AT, partition=Partition("mig", A))
    users = (User(7, GiB), User(8, None))

    assert users_of_cut_cards([piece], [an_outcome(witnessed())]) == {AT: users}
    assert users_of_cut_cards([piece], [an_outcome(witnessed(pci_id=ELSEWHERE))]) == {}
    assert users_of_cut_cards([piece], [an_outcome(witnessed(pci_id=None))]) == {}
    assert users_of_cut_cards([piece._replace(pci_id=None)], [an_outcome(witnessed(pci_id=None))]) == {}
    assert users_of_cut_cards([piece], [an_outcome(witnessed(partition=Partition("mig", A)))]) == {}
    assert users_of_cut_cards([piece], [an_outcome(witnessed(capabilities={"activity": {"processes": []}}))]) == {}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"uuid": A, "pci_id": AT}, {"uuid": A, "pci_id": AT}, True),
        ({"uuid": A, "pci_id": AT}, {"uuid": B, "pci_id": AT}, False),
        ({"uuid": A, "pci_id": AT}, {"uuid": B, "pci_id": AT, "uuid_space": "rocr"}, True),
        ({"uuid": A, "pci_id": AT}, {"pci_id": AT}, True),
        ({"pci_id": AT}, {}, False),
        ({"pci_id": AT, "listed_as": a_device("CUDA").key}, {}, False),
        ({}, {"pci_id": AT}, False),
        ({}, {}, False),
    ],
)
def test_a_card_at_the_address_of_another_one_is_known_by_its_uuid(
    one: dict[str, Any], other: dict[str, Any], same: bool
) -> None:
    assert is_same(a_device("CUDA", **one), a_device("CUDA", **other)) is same


def test_a_figure_adds_what_was_told_to_what_is_known() -> None:
    device = a_device("CUDA", total_memory=10, free_memory=9, used_memory=1, kernel_version="580")

    def after(source: str = "NVML", known: Device = device, **told: Any) -> tuple[object, ...]:
        found = with_figure(known, Told(a_device("NVML", **{"kernel_version": None, "total_memory": None, **told}), source))
        return found.free_memory, found.used_memory, found.total_memory, found.kernel_version

    assert after(free_memory=4) == (4, 6, 10, "580")
    assert after(free_memory=4, used_memory=5, kernel_version="590") == (4, 5, 10, "590")
    assert after(free_memory=12) == (12, 0, 10, "580")
    assert after(free_memory=0) == (0, 10, 10, "580")
    assert after("system", free_memory=4) == (4, None, 10, "580")
    assert after(free_memory=None) == (None, None, 10, "580")
    assert after(known=device._replace(total_memory=None), free_memory=4, total_memory=20) == (4, 16, 20, "580")
    assert after(known=device._replace(total_memory=None), free_memory=4) == (4, None, None, "580")


@pytest.mark.parametrize(
    ("view", "free"),
    [
        ({"total_memory": 1000, "used_memory": 300}, 700),
        ({"total_memory": 1040, "used_memory": 300}, 700),
        ({"total_memory": 1060, "used_memory": 300}, None),
        ({"total_memory": 960, "used_memory": 960}, 40),
        ({"total_memory": 1000, "used_memory": 1001}, None),
        ({"total_memory": 1000, "used_memory": 0}, 1000),
        ({"total_memory": None, "used_memory": 0}, None),
        ({"total_memory": 1000, "used_memory": None}, None),
        ({"total_memory": 1000, "used_memory": 300, "pci_id": ELSEWHERE}, None),
        ({"total_memory": 1000, "used_memory": 300, "partition": Partition("cpx", A)}, None),
    ],
)
def test_the_kernel_s_count_is_taken_where_the_totals_are_the_same_within_a_twentieth(
    view: dict[str, Any], free: int | None
) -> None:
    device = a_device("ROCm", pci_id=AT, total_memory=1000, number=3)

    told = from_kernel(device, [a_device("AMDGPU", **{"pci_id": AT, **view})])

    assert (told and (told.device.free_memory, told.device.used_memory, told.device.number, told.source)) == (
        None if free is None else (free, view["used_memory"], 3, "AMDGPU")
    )


@pytest.mark.parametrize("lacking", [{"pci_id": None}, {"total_memory": None}, {"partition": Partition("cpx", A)}])
def test_the_kernel_s_count_is_of_no_device_that_has_no_place_no_total_or_is_a_part(lacking: dict[str, Any]) -> None:
    device = a_device("ROCm", **{"pci_id": AT, "total_memory": 1000, **lacking})

    assert from_kernel(device, [a_device("AMDGPU", pci_id=AT, total_memory=1000, used_memory=300)]) is None


def test_an_old_figure_is_that_of_whoever_told_it() -> None:
    assert old_source(a_device("CUDA")) == "CUDA"
    assert old_source(a_device("CUDA", sources=(("free_memory", "NVML"),))) == "NVML"
    assert old_source(a_device("CUDA", free_memory=None)) is None


def test_a_figure_is_stale_where_somebody_was_silent_and_unknown_where_nobody_ever_told() -> None:
    known, unknown = a_device("CUDA"), a_device("CUDA", free_memory=None)

    assert (Figure(known, "CUDA", "").stale, Figure(known, "CUDA", "", Silence("why")).stale) == (False, True)
    assert [Figure(each, "CUDA", "").unknown for each in (known, unknown, unknown._replace(used_memory=1))] == [
        *(False, True, False)
    ]


def test_who_is_silent_is_named_by_the_last_answer_and_where_time_ran_out_by_who_took_it() -> None:
    device, first, second = a_device("CUDA", uuid=A), Probe("NVML", Purpose.LIST), Probe("CUDA", Purpose.LIST)
    validation = Probe("CUDA", Purpose.VALIDATE, device=A)

    def why(*outcomes: Outcome) -> Silence:
        return why_silent(device, (first, second, validation), outcomes)

    late, skipped = Outcome(first, Status.TIMED_OUT), Outcome(second, Status.SKIPPED)
    assert why(late, skipped) == Silence("NVML: no answer in time", in_doubt=True)
    assert why(Outcome(first, Status.CRASHED), skipped) == Silence("NVML: crashed", in_doubt=True)
    assert why(Outcome(first, Status.OK), skipped) == Silence("CUDA: not asked", in_doubt=True)
    assert why(skipped) == Silence("CUDA: not asked", in_doubt=True)
    assert why(late, Outcome(second, Status.CRASHED)) == Silence("CUDA: crashed", in_doubt=True)
    assert why(Outcome(validation, Status.OK)) == Silence("CUDA does not report it")
    gone = Outcome(validation, Status.CALL_FAILED, failure="device_missing")
    assert why(gone) == Silence("CUDA no longer lists it", is_gone=True)
