"""What several tellers say of one process on one card: the larger figure counts, and who tells is named."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.judging.figures import Activity, Figure, User
from gpuprobe.judging.held_memory import FDINFO, Held, Holding, holding, selector
from gpuprobe.machine.process_records import DrmClient, Share
from gpuprobe.model import DeviceType
from tests.records import a_device
from tests.running_records import CARD, NUMBER, a_card, a_process

OTHER = "0000:02:00.0"
INTEGRATED = a_card(type=DeviceType.INTEGRATED)


def held(*clients: DrmClient, device: Any = None, **fields: Any) -> Holding:
    process = a_process(clients=clients, nodes=fields.pop("nodes", ()))
    known = {"figures": (), "kfd": None, "same_numbers": True, **fields}
    return holding(process, (device or a_card(),), **known)


def told(*users: User, source: str | None = "NVML") -> tuple[Figure, ...]:
    return (Figure(a_card(), source, "", activity=Activity(users=users)),)


@pytest.mark.parametrize(
    ("clients", "size"),
    [
        ((DrmClient(CARD, "amdgpu", 5),), 5),
        ((DrmClient(CARD, "amdgpu", 5), DrmClient(CARD, "amdgpu", 7)), 12),
        ((DrmClient(CARD, "amdgpu", 5, 100),), 5),
        ((DrmClient(CARD, "i915", None, 100),), 100),
        ((DrmClient(CARD, "i915"),), None),
        ((DrmClient(CARD, "amdgpu", 0),), None),
    ],
)
def test_every_open_handle_of_a_card_holds_memory_of_its_own(clients: tuple[DrmClient, ...], size: int | None) -> None:
    assert held(*clients).held == (() if size is None else (Held("CUDA:0", size, FDINFO),))


def test_of_an_integrated_card_the_system_s_memory_counts_too() -> None:
    assert held(DrmClient(CARD, "amdgpu", 5, 100), device=INTEGRATED).held == (Held("CUDA:0", 105, FDINFO),)
    assert held(DrmClient(CARD, "amdgpu", 5), device=INTEGRATED).held == (Held("CUDA:0", 5, FDINFO),)


def test_a_card_that_no_device_stands_for_is_named_by_its_address() -> None:
    assert held(DrmClient(OTHER, "amdgpu", 5)).held == (Held(OTHER, 5, FDINFO),)
    assert held(DrmClient(None, "amdgpu", 5)).held == (Held("a card", 5, FDINFO),)
    assert held(DrmClient(None, "amdgpu", 5), device=a_card(pci_id=None)).held == (Held("a card", 5, FDINFO),)


def test_of_two_tellers_of_one_card_the_larger_counts_and_devices_come_in_order() -> None:
    clients = (DrmClient(OTHER, "amdgpu", 1), DrmClient(CARD, "amdgpu", 5))

    assert held(*clients, figures=told(User(NUMBER, 7))).held == (Held(OTHER, 1, FDINFO), Held("CUDA:0", 7, "NVML"))
    assert held(*clients[1:], figures=told(User(NUMBER, 3))).held == (Held("CUDA:0", 5, FDINFO),)
    assert held(*clients[1:], figures=told(User(NUMBER, 5))).held == (Held("CUDA:0", 5, FDINFO),)
    assert held(*clients[1:], figures=told(User(NUMBER, None))).held == (Held("CUDA:0", 5, FDINFO),)
    unsaid = {NUMBER: [Share(CARD, None, "KFD")]}
    assert held(figures=told(User(NUMBER, 1)), kfd=unsaid).held == (Held("CUDA:0", 1, "NVML"),)
    assert held(figures=told(User(NUMBER, None)), kfd=unsaid).held == (Held("CUDA:0", None, "NVML"),)


def test_a_user_of_another_number_is_another_process() -> None:
    assert held(figures=told(User(NUMBER + 1, 7))).held == ()
    assert held(figures=told(User(NUMBER, 7)), same_numbers=False) == Holding()
    assert held(figures=told(User(NUMBER, 7), source=None)).held == (Held("CUDA:0", 7, "the driver"),)
    silent = (Figure(a_card(), "NVML", ""), Figure(a_card(), "NVML", "", activity=Activity()))
    assert held(figures=silent) == Holding()


@pytest.mark.parametrize(
    ("fields", "counted"),
    [
        ({"figures": told()}, (("CUDA:0", "NVML"),)),
        ({"figures": told(User(1, 5))}, (("CUDA:0", "NVML"),)),
        ({"figures": told(User(1, 5), User(2, None))}, ()),
        ({"figures": told(), "nodes": ("/dev/dxg",)}, ()),
        ({"figures": told(), "nodes": None}, (("CUDA:0", "NVML"),)),
        ({"figures": told(), "nodes": ("/dev/nvidiactl",)}, (("CUDA:0", "NVML"),)),
        ({"kfd": {NUMBER: [Share(CARD, 0, "KFD")]}}, (("CUDA:0", "KFD"),)),
        ({"kfd": {NUMBER + 1: [Share(CARD, 0, "KFD")]}}, ()),
    ],
)
def test_a_device_is_counted_where_somebody_tells_of_every_process_on_it(
    fields: dict[str, Any], counted: tuple[tuple[str, str], ...]
) -> None:
    assert held(**fields).counted == counted


def test_a_handle_counts_where_its_driver_tells_any_memory() -> None:
    assert held(DrmClient(CARD, "amdgpu", 0), DrmClient(CARD, "amdgpu", 0)).counted == (("CUDA:0", FDINFO),)
    assert held(DrmClient(CARD, "i915", None, 0)).counted == (("CUDA:0", FDINFO),)
    assert held(DrmClient(CARD, "i915")).counted == ()


def test_a_share_of_no_size_is_not_held_and_one_of_unknown_size_is_used() -> None:
    assert held(kfd={NUMBER: [Share(CARD, 0, "KFD")]}).held == ()
    assert held(kfd={NUMBER: [Share(CARD, None, "KFD")]}).held == (Held("CUDA:0", None, "KFD"),)
    assert held(kfd={NUMBER: [Share(CARD, 3, "KFD"), Share(CARD, 4, "KFD"), Share(CARD, 5, "x")]}).held == (
        Held("CUDA:0", 7, "KFD"),
    )


def test_a_cut_card_is_held_where_none_of_its_slices_tells_it() -> None:
    cut = {CARD: (User(NUMBER, 5), User(NUMBER + 1, 9))}

    assert held(cut_cards=cut).held == (Held(CARD, 5, "NVML"),)
    assert held(cut_cards=cut, figures=told(User(NUMBER, 2))).held == (Held("CUDA:0", 2, "NVML"),)
    assert held(cut_cards=cut, figures=told(User(NUMBER + 1, 2))).held == (Held(CARD, 5, "NVML"),)
    assert held(cut_cards=cut, figures=(Figure(a_card(), "NVML", ""),)).held == (Held(CARD, 5, "NVML"),)


def test_a_process_uses_something_where_it_holds_bytes_or_an_unknown_number_of_them() -> None:
    def of(*sizes: int | None) -> tuple[int, bool]:
        found = Holding(tuple(Held("CUDA:0", size, "NVML") for size in sizes))
        return found.size, found.uses_something

    assert [of(), of(0), of(1), of(None), of(None, 3, 4)] == [(0, False), (0, False), (1, True), (0, True), (7, True)]
    assert Holding(counted=(("CUDA:0", "NVML"),)).counts("CUDA:0")
    assert not Holding(counted=(("CUDA:0", "NVML"),)).counts("NVML")


def test_a_device_is_called_as_every_argument_takes_it() -> None:
    assert selector(a_device("CUDA", number=3, ordinal=0)) == "CUDA:0"
    assert selector(a_device("CUDA", number=3)) == "CUDA:3"
