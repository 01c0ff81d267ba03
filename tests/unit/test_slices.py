"""Slices of cut cards: what a process sees at once, and which are asked for alone."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.diagnosis import why
from gpuprobe.facts import DeviceNode, PciFunction
from gpuprobe.judging.completion import completed
from gpuprobe.judging.rules import judge
from gpuprobe.judging.slices import alone, as_partition, seen_at_once, unlisted
from gpuprobe.libraries import CUDA, LIBRARIES
from gpuprobe.machine import cards
from gpuprobe.model import Device, Evidence, Outcome, Partition, Probe, Purpose, Request, Status, ValidationScope
from gpuprobe.probing.questions import next_probes
from gpuprobe.probing.validation_questions import validation_probe
from tests.records import a_card, a_device, a_host, a_slice, an_outcome

FIRST, CARD = "0000:01:00.0", "GPU-00000000-0000-0000-0000-00000000000a"
UUIDS = tuple(f"MIG-0000000{number}-0000-0000-0000-000000000000" for number in (1, 2, 3))
SLICES = tuple(a_slice(uuid=uuid, partition=Partition("mig", None), pci_id=FIRST) for uuid in UUIDS)
WITNESSED = tuple(
    a_device("NVML", uuid=uuid, partition=Partition("mig", CARD), pci_id=FIRST, number=number)
    for number, uuid in enumerate(UUIDS, start=1)
)
WHOLE = a_device("NVML", uuid=CARD, pci_id=FIRST, capabilities={"mig_enabled": True})


def evidence(*outcomes: Outcome, **environ: str) -> Evidence:
    node = DeviceNode("/dev/nvidiactl", 0o666, 0, 0, 195, 255, True)
    return Evidence(a_host(pci=(a_card(),), nodes=(node,), environ=environ), outcomes, "2026-11-21T09:00:00Z")


def asked(*outcomes: Outcome, **environ: str) -> list[str | None]:
    return [probe.device for probe in alone(CUDA, evidence(*outcomes, **environ))]


def test_the_slices_that_cuda_did_not_list_are_asked_for_one_by_one() -> None:
    assert asked(an_outcome(SLICES[1]), an_outcome(WHOLE, *WITNESSED)) == [UUIDS[0], UUIDS[2]]


def test_a_child_is_shown_the_one_slice_by_its_own_identifier() -> None:
    (probe,) = alone(CUDA, evidence(an_outcome(*SLICES[1:]), an_outcome(*WITNESSED)))

    assert probe == Probe("CUDA", Purpose.ALONE, device=UUIDS[0], variables=(("CUDA_VISIBLE_DEVICES", UUIDS[0]),))


@pytest.mark.parametrize("status", [Status.CRASHED, Status.TIMED_OUT, Status.INIT_FAILED, Status.NOT_LOADABLE])
def test_a_library_that_was_lost_is_not_asked_once_per_slice(status: Status) -> None:
    lost = Outcome(Probe("CUDA", Purpose.LIST), status)

    assert asked(lost, an_outcome(*WITNESSED)) == []


def test_where_cuda_says_that_there_is_no_device_every_slice_is_asked_for() -> None:
    nothing = Outcome(Probe("CUDA", Purpose.LIST), Status.NO_DEVICES)

    assert asked(nothing, an_outcome(*WITNESSED)) == list(UUIDS)


def test_what_the_user_chose_by_a_variable_is_not_widened() -> None:
    assert asked(an_outcome(SLICES[0]), an_outcome(*WITNESSED), CUDA_VISIBLE_DEVICES=UUIDS[0]) == []


def test_a_whole_card_is_no_slice_to_ask_for() -> None:
    hidden = a_device("NVML", uuid=CARD[:-1] + "b", pci_id="0000:02:00.0")

    assert asked(an_outcome(SLICES[0]), an_outcome(hidden, WITNESSED[0])) == []


def test_no_other_library_is_asked_for_slices() -> None:
    gathered = evidence(an_outcome(a_device("Vulkan", pci_id=FIRST)), an_outcome(*WITNESSED))

    assert [alone(library, gathered) for library in LIBRARIES if library is not CUDA] == [()] * (len(LIBRARIES) - 1)


def test_the_question_is_asked_once_and_the_card_waits_for_its_slices() -> None:
    listed = evidence(an_outcome(SLICES[0]), an_outcome(WHOLE, *WITNESSED))
    for library in ("ROCm", "Level Zero", "Vulkan", "AMDGPU"):
        listed = listed._replace(outcomes=(*listed.outcomes, Outcome(Probe(library, Purpose.LIST), Status.ABSENT)))

    first = next_probes(listed, Request())
    then = next_probes(listed, Request(), first)

    assert [probe.device for probe in first if probe.purpose is Purpose.ALONE] == [UUIDS[1], UUIDS[2]]
    assert then == ()


@pytest.mark.parametrize("device", SLICES)
def test_a_slice_is_validated_alone_by_its_own_identifier(device: Device) -> None:
    probe = validation_probe(device, SLICES, "linux", {"CUDA_VISIBLE_DEVICES": "0"})

    assert probe.variables == (("CUDA_VISIBLE_DEVICES", device.uuid),)


def test_a_whole_card_of_cuda_is_validated_under_the_variables_it_was_listed_with() -> None:
    assert validation_probe(a_device(uuid=CARD)).variables == ()


def test_the_card_that_a_slice_is_cut_from_comes_from_the_witness() -> None:
    (device,) = completed([SLICES[0]], evidence(an_outcome(SLICES[0]), an_outcome(*WITNESSED)))

    assert device.partition == Partition("mig", CARD)
    assert dict(device.sources)["partition"] == "NVML"


def test_of_slices_a_process_sees_the_first_and_every_whole_card() -> None:
    whole, vulkan = a_device(uuid=CARD), a_device("Vulkan", uuid=CARD)

    assert seen_at_once([SLICES[0], whole, SLICES[1], vulkan, SLICES[2]]) == (SLICES[0], whole, vulkan)


def test_amds_partitions_are_all_seen_at_once() -> None:
    parts = [a_device("ROCm", number=n, copy=n, partition=Partition("cpx", "GPU-1"), pci_id=FIRST) for n in range(3)]

    assert seen_at_once(parts) == tuple(parts)


def test_a_card_in_mig_mode_without_slices_says_so_and_one_with_slices_does_not() -> None:
    nothing = Outcome(Probe("CUDA", Purpose.LIST), Status.NO_DEVICES, message="`cuInit` failed with 100")
    uncut = judge(evidence(nothing, an_outcome(WHOLE)), Request())
    cut = judge(evidence(nothing, an_outcome(WHOLE, *WITNESSED)), Request())

    (card,) = cards(uncut.evidence.host)
    reasons = [why(card, inventory) for inventory in (uncut, cut)]

    assert [reason.reason for reason in reasons] == ["mig_without_slices", "no_devices"]
    assert f"sudo nvidia-smi -i {FIRST} -mig 0" in (reasons[0].advice or "")


ROCR = "GPU-0123456789abcdef"
CUT = a_device("ROCm", uuid=ROCR, uuid_space="rocr", pci_id="0000:05:00.3")
MI300X = a_card("0000:05:00.0", vendor=0x1002, device=0x74A1, driver="amdgpu")


def seen_alone(device: Device, *others: PciFunction) -> Evidence:
    host = a_host(pci=(MI300X, *others), environ={"ROCR_VISIBLE_DEVICES": "3"})
    return Evidence(host, (an_outcome(device),), "2026-11-21T09:00:00Z")


def test_a_partition_that_the_users_list_leaves_alone_is_still_one() -> None:
    (kept,) = judge(seen_alone(CUT), Request()).kept

    assert (kept.pci_id, kept.partition, kept.id) == ("0000:05:00.0", Partition("cpx", ROCR), f"{ROCR}#3")


def test_it_is_validated_and_exported_by_its_number_because_the_uuid_names_its_siblings_too() -> None:
    """ROCr takes the first partition that has the UUID."""
    there = seen_alone(CUT)
    (probe,) = (probe for probe in next_probes(there, Request(validate=ValidationScope.ALL)) if probe.device)
    (kept,) = judge(there, Request()).kept

    assert dict(probe.variables)["ROCR_VISIBLE_DEVICES"] == "3"
    assert kept.filter_id == "3"


def test_a_card_that_is_a_function_of_its_own_on_the_bus_is_whole() -> None:
    """As virtual functions are, which a host gives to its guests."""
    (kept,) = judge(seen_alone(CUT, MI300X._replace(address="0000:05:00.3")), Request()).kept

    assert (kept.partition, kept.filter_id) == (None, ROCR)


def test_a_build_that_gives_partitions_functions_of_their_own_keeps_each_of_them_once() -> None:
    """ggml-hip passes on the address that HIP gives, and knows no UUID."""
    shared = {"uuid": ROCR, "uuid_space": "rocr", "pci_id": "0000:05:00.0", "partition": Partition("cpx", ROCR)}
    parts = [a_device("ROCm", number=number, copy=number, **shared) for number in range(3)]
    views = [a_device("ROCm", number=number, build="rocm", pci_id=f"0000:05:00.{number}") for number in range(3)]
    of_build = Outcome(Probe("ROCm", Purpose.LIST, build="rocm"), Status.OK, devices=tuple(views))
    everything = Evidence(a_host(pci=(MI300X,)), (an_outcome(*parts), of_build), "2026-11-21T09:00:00Z")

    kept = judge(everything, Request()).kept

    assert [(device.build, device.id) for device in kept] == [("rocm", ROCR), ("rocm", f"{ROCR}#1"), ("rocm", f"{ROCR}#2")]


@pytest.mark.parametrize(
    ("device", "surveyed", "partition"),
    [
        (CUT._replace(pci_id="0000:05:00.0"), (), None),
        (CUT._replace(pci_id="0000:05:00.0"), (("dpx", ROCR),), ("dpx", "0000:05:00.0", 0)),
        (CUT._replace(pci_id="0000:05:00.0"), (("dpx", "GPU-fedcba9876543210"),), None),
        (CUT, (("dpx", ROCR),), ("dpx", "0000:05:00.0", 3)),
        (CUT._replace(uuid=None), (("dpx", None),), None),
        (CUT._replace(pci_id=None), (("dpx", ROCR),), None),
        (CUT._replace(pci_id="0000:06:00.3"), (), None),
        (CUT._replace(library="CUDA"), (("dpx", ROCR),), None),
    ],
)
def test_a_device_is_the_partition_that_the_survey_or_its_address_says(
    device: Device, surveyed: tuple[tuple[str, str | None], ...], partition: tuple[str, str, int] | None
) -> None:
    known = [a_device("AMDGPU", uuid=uuid, partition=Partition(kind, uuid)) for kind, uuid in surveyed]

    found = as_partition(device, a_host(pci=(MI300X,)), known)

    assert (found.partition and (found.partition.kind, found.pci_id, found.copy)) == partition


def test_a_partition_without_a_uuid_is_at_its_card_s_address() -> None:
    found = as_partition(CUT._replace(uuid=None), a_host(pci=(MI300X,)), ())

    assert (found.pci_id, found.partition, found.copy, found.key) == ("0000:05:00.0", None, 0, "0000:05:00.3")


def test_a_device_that_is_a_partition_already_stays_as_it_is() -> None:
    known = CUT._replace(partition=Partition("cpx", ROCR))

    assert as_partition(known, a_host(pci=(MI300X,)), ()) is known


def unlisted_by(listing: Outcome | None, *others: Outcome) -> list[str | None]:
    known = evidence(*((listing,) if listing else ()), *others)
    return [device.uuid for device in unlisted(CUDA, known)]


def test_a_slice_is_unlisted_where_a_witness_of_the_same_makers_cards_answered() -> None:
    first = an_outcome(SLICES[0])

    assert unlisted_by(first, an_outcome(*WITNESSED)) == [UUIDS[1], UUIDS[2]]
    assert unlisted_by(None, an_outcome(*WITNESSED)) == []
    assert unlisted_by(first, an_outcome(*WITNESSED, status=Status.CRASHED)) == []
    assert unlisted_by(first, an_outcome(*(each._replace(uuid=None) for each in WITNESSED))) == []
    of_amd = [a_device("AMDGPU", uuid=uuid, partition=Partition("cpx", CARD)) for uuid in UUIDS]
    assert unlisted_by(first, an_outcome(*of_amd)) == []
    other_question = an_outcome(*WITNESSED, probe=Probe("NVML", Purpose.VALIDATE, device=UUIDS[0]))
    assert unlisted_by(first, other_question) == []
    vulkan = [a_device("Vulkan", uuid=uuid, partition=Partition("mig", CARD)) for uuid in UUIDS]
    assert unlisted_by(first, an_outcome(*vulkan)) == []
