"""What a process holds is matched with a device by its identity: a slice by its UUID, and never by its card's address."""

from __future__ import annotations

import pytest

from gpuprobe.judging.figures import Activity, Figure, User, users_of_cut_cards
from gpuprobe.judging.held_memory import Held, holding
from gpuprobe.machine.process_records import DrmClient, Share
from gpuprobe.model import Device, GiB, Partition
from tests.records import a_device, an_outcome
from tests.running_records import NUMBER, a_process

AT = "0000:c1:00.0"
PARENT = "GPU-00000000-0000-0000-0000-0000000000aa"
UUIDS = tuple(f"MIG-00000000-0000-0000-0000-00000000000{number}" for number in (1, 2))
SLICES = tuple(
    a_device("CUDA", number=number, ordinal=number, pci_id=AT, uuid=uuid, partition=Partition("mig", PARENT))
    for number, uuid in enumerate(UUIDS)
)
PARTS = tuple(
    a_device("ROCm", number=number, ordinal=number, pci_id=AT, uuid="GPU-00000000000000aa", copy=number)._replace(
        partition=Partition("cpx", "GPU-00000000000000aa")
    )
    for number in (0, 1)
)


def held_by(devices: tuple[Device, ...], *shares: Share) -> tuple[Held, ...]:
    return holding(a_process(nodes=()), devices, (), {NUMBER: shares}, same_numbers=True).held


def test_a_share_with_the_uuid_of_a_slice_is_that_slices() -> None:
    assert held_by(SLICES, Share(AT, GiB, "NVML", UUIDS[1])) == (Held("CUDA:1", GiB, "NVML"),)


@pytest.mark.parametrize("devices", [SLICES, PARTS, SLICES[:1]])
def test_a_share_that_names_no_slice_is_the_cards_and_no_slices(devices: tuple[Device, ...]) -> None:
    """Also where only one slice is usable: the process may be on another one."""
    found = holding(a_process(nodes=()), devices, (), {NUMBER: [Share(AT, GiB, "KFD")]}, same_numbers=True)

    assert found.held == (Held(AT, GiB, "KFD"),)
    assert not any(found.counts(f"{device.library}:{device.ordinal}") for device in devices)


def test_a_slice_that_is_not_usable_is_not_taken_for_one_that_is() -> None:
    unknown = "MIG-00000000-0000-0000-0000-00000000000f"

    assert held_by(SLICES, Share(AT, GiB, "NVML", unknown)) == (Held(AT, GiB, "NVML"),)


def test_what_is_held_on_several_partitions_is_the_cards_together() -> None:
    assert held_by(PARTS, Share(AT, GiB, "KFD"), Share(AT, 2 * GiB, "KFD")) == (Held(AT, 3 * GiB, "KFD"),)
    assert held_by(PARTS, Share(AT, GiB, "KFD"), Share(AT, None, "KFD")) == (Held(AT, None, "KFD"),)


def test_fdinfo_of_a_card_with_slices_is_the_cards() -> None:
    process = a_process(nodes=(), clients=(DrmClient(AT, "amdgpu", GiB),))

    assert holding(process, PARTS, (), None, same_numbers=True).held == (Held(AT, GiB, "DRM fdinfo"),)


def a_figure(device: Device, *users: User) -> Figure:
    return Figure(device, "NVML", "2026-11-29T09:00:00Z", activity=Activity(users=users))


def test_what_nvml_tells_of_a_slice_is_the_slices_and_not_counted_twice() -> None:
    figures = [a_figure(SLICES[0]), a_figure(SLICES[1], User(NUMBER, GiB))]
    found = holding(a_process(nodes=()), SLICES, figures, None, {AT: (User(NUMBER, GiB),)}, same_numbers=True)

    assert found.held == (Held("CUDA:1", GiB, "NVML"),)
    assert found.counts("CUDA:0") and found.counts("CUDA:1")


def test_what_nvml_tells_of_a_cut_card_alone_is_the_cards() -> None:
    found = holding(a_process(nodes=()), SLICES, (), None, {AT: (User(NUMBER, GiB),)}, same_numbers=True)

    assert found.held == (Held(AT, GiB, "NVML"),)
    assert not found.counted


def test_who_uses_a_cut_card_is_kept_by_its_address() -> None:
    doing = {"activity": {"processes": [{"pid": NUMBER, "used_memory_bytes": GiB}]}}
    told = a_device("NVML", number=0, pci_id=AT, uuid=PARENT, free_memory=0, capabilities=doing)

    assert users_of_cut_cards(SLICES, [an_outcome(told)]) == {AT: (User(NUMBER, GiB),)}
    assert users_of_cut_cards((*SLICES, a_device("CUDA", number=9, pci_id=AT)), [an_outcome(told)]) == {}


def test_a_whole_card_is_still_known_by_its_address() -> None:
    card = a_device("ROCm", ordinal=0, pci_id=AT)

    assert held_by((card,), Share(AT, GiB, "KFD")) == (Held("ROCm:0", GiB, "KFD"),)
