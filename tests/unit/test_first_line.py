"""The first line of `list`, what is missing in a few words, and what leaves the answer open."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.card_status import (
    bystanders,
    card_statuses,
    doubts,
    missing,
    summary,
    unclaimed_render_nodes,
    undecided,
)
from gpuprobe.facts import DeviceNode, DrmDevice, Host
from gpuprobe.judging.rules import judge
from gpuprobe.model import Device, DeviceType, Inventory, Outcome, Probe, Purpose, Request, Status
from tests.records import AMD, INTEL, a_card, a_device, a_host, a_software_renderer, an_outcome, evidence_of

FIRST, SECOND, THIRD, FOURTH = (f"0000:0{number}:00.0" for number in (1, 2, 3, 4))
CONTROL = DeviceNode("/dev/nvidiactl", 0o666, 0, 0, 195, 255, True)
LOST = an_outcome(library="CUDA", status=Status.TIMED_OUT, message="no answer within 30 s")
NO = an_outcome(library="CUDA", status=Status.NO_DEVICES)
RENDER = DeviceNode("/dev/dri/renderD128", 0o666, 0, 0, 226, 128, True)
INSIDE = "0000:00:02.0"


def judged(host: Host | None = None, *outcomes: Outcome, devices: tuple[Device, ...] = (), **request: Any) -> Inventory:
    return judge(evidence_of(*devices, host=host or a_host(), outcomes=outcomes), Request(**request))


def with_cards(*addresses: str, **card: Any) -> Host:
    return a_host(pci=tuple(a_card(each, **card) for each in addresses), nodes=(CONTROL,))


def works(*addresses: str) -> tuple[Device, ...]:
    return tuple(a_device(pci_id=each, uuid=f"GPU-{number}", number=number) for number, each in enumerate(addresses))


def line(host: Host, *outcomes: Outcome, devices: tuple[Device, ...] = (), **request: Any) -> str:
    return summary(judged(host, *outcomes, devices=devices, **request)).text


def test_cards_that_work_are_counted() -> None:
    assert line(with_cards(FIRST), devices=works(FIRST)) == "1 of 1 GPU usable"
    assert line(with_cards(FIRST, SECOND), devices=works(FIRST, SECOND)) == "2 of 2 GPUs usable"


def test_one_that_does_not_is_named_and_several_are_counted_with_two_reasons() -> None:
    driver, node = a_card(SECOND, driver=None), a_card(THIRD, driver="nouveau")
    other = a_card(FOURTH, driver="vfio-pci")

    def of(*cards: Any) -> str:
        return line(a_host(pci=(a_card(FIRST), *cards), nodes=(CONTROL,)), devices=works(FIRST))

    assert of(driver) == f"1 of 2 GPUs usable; {SECOND} is not: no NVIDIA driver"
    two = "no NVIDIA driver, `nouveau` has no CUDA"
    assert of(driver, node) == f"1 of 3 GPUs usable; 2 are not: {two}"
    assert of(driver, node, other) == f"1 of 4 GPUs usable; 3 are not: {two}, …"
    assert of(driver, driver._replace(address=THIRD)) == ("1 of 3 GPUs usable; 2 are not: no NVIDIA driver")


def test_what_is_missing_is_a_clause_for_each_card_and_two_at_most() -> None:
    def of(*addresses: str) -> str:
        return missing(judged(with_cards(FIRST, *addresses), NO, devices=works(FIRST)))

    assert of() == ""
    assert of(SECOND).startswith(f"{SECOND}: ") and ", " not in of(SECOND)
    assert of(SECOND, THIRD).count("0000:") == 2 and not of(SECOND, THIRD).endswith("…")
    assert of(SECOND, THIRD, FOURTH).count("0000:") == 2 and of(SECOND, THIRD, FOURTH).endswith(", …")


def test_a_card_without_an_address_is_called_by_its_name_or_the_gpu() -> None:
    apple = a_device("Metal", name="Apple M3")
    lost = Outcome(Probe("Metal", Purpose.VALIDATE, device=apple.key), Status.CALL_FAILED, failure="unsupported", message="no")
    nameless = apple._replace(name=None)
    mac = a_host(platform="darwin", machine="arm64")

    assert line(mac, lost, devices=(apple,)) == "0 of 1 GPU usable; Apple M3 is not: Metal does not work on it"
    assert line(mac, lost, devices=(nameless,)) == "0 of 1 GPU usable; the GPU is not: Metal does not work on it"
    assert missing(judged(mac, lost, devices=(apple,))) == "Apple M3: Metal does not work on it"
    assert missing(judged(mac, lost, devices=(nameless,))) == "a GPU: Metal does not work on it"


def test_the_discrete_card_is_named_before_the_one_inside_the_processor() -> None:
    intel = a_card(INSIDE, vendor=INTEL, device=0x46A6, driver=None)
    apu = a_card("0000:00:08.0", vendor=AMD, device=0x1681, driver=None)
    discrete = a_card(FIRST, driver=None)
    view = a_device("Vulkan", pci_id="0000:00:08.0", type=DeviceType.INTEGRATED, vendor_id=AMD)
    probe = Probe("Vulkan", Purpose.VALIDATE, device=view.key)
    failed = Outcome(probe, Status.CALL_FAILED, failure="unsupported", message="no queue")

    both = line(a_host(pci=(intel, discrete)))
    known = line(a_host(pci=(apu, discrete)), failed, devices=(view,))
    elsewhere = line(a_host(pci=(apu, discrete)), failed, devices=(view._replace(pci_id="0000:00:09.0"),))
    unknown = line(a_host(pci=(apu, discrete)))

    nvidia = "no NVIDIA driver, "
    assert both.startswith(f"0 of 2 GPUs usable; 2 are not: {nvidia}")
    assert known.startswith(f"0 of 2 GPUs usable; 2 are not: {nvidia}")
    assert not unknown.startswith(f"0 of 2 GPUs usable; 2 are not: {nvidia}")
    assert elsewhere.startswith("1 of 3 GPUs usable; 2 are not: no kernel driver, ")


def test_renderers_are_counted_beside_gpus() -> None:
    renderer = a_software_renderer()
    second = a_software_renderer(number=1, uuid="00000000-0000-0000-0000-000000000002", name="swiftshader")

    def of(*devices: Device, host: Host | None = None) -> str:
        return line(host or a_host(), devices=devices, allow_software=True)

    assert of(renderer) == "1 software renderer usable, and no GPU"
    assert of(renderer, second) == "2 software renderers usable, and no GPU"
    assert of(*works(FIRST), renderer, host=with_cards(FIRST)) == "1 of 1 GPU usable, and 1 software renderer"
    assert [each.card.kind for each in card_statuses(judged(None, devices=(renderer,), allow_software=True))] == ["software"]


def asleep(*addresses: str, **request: Any) -> Inventory:
    host = with_cards(FIRST, *addresses, runtime_status="suspended")
    skipped = an_outcome(library="CUDA", status=Status.SKIPPED, message="asking would wake it", seconds=None)
    return judged(host, skipped, **request)


def test_cards_that_were_left_asleep_are_counted_apart() -> None:
    because = "because that would wake a sleeping card"

    assert summary(asleep(wake=False)).text == f"0 of 1 GPU usable; 1 was not asked, {because}"
    assert summary(asleep(SECOND, wake=False)).text == f"0 of 2 GPUs usable; 2 were not asked, {because}"
    assert doubts(asleep(SECOND, wake=False)) == tuple(f"{each} sleeps and was not woken" for each in (FIRST, SECOND))
    assert [each.asked for each in card_statuses(asleep(wake=False))] == [False]


def test_only_a_card_that_sleeps_and_does_not_work_is_left_open_by_not_waking_it() -> None:
    sleeping = with_cards(FIRST, runtime_status="suspended")

    assert undecided(asleep(wake=False))
    assert not undecided(judged(sleeping, devices=works(FIRST), wake=False))
    assert not undecided(judged(with_cards(FIRST), NO, wake=False))
    assert doubts(judged(sleeping, devices=works(FIRST), wake=False)) == doubts(judged(with_cards(FIRST), NO, wake=False)) == ()


def test_cards_that_nobody_asked_about_although_they_may_be_woken_are_said_to_be_not_asked() -> None:
    assert summary(asleep(wake=True)).text == "0 of 1 GPU usable; 1 was not asked"
    assert summary(asleep(SECOND, wake=True)).text == "0 of 2 GPUs usable; 2 were not asked"
    assert doubts(asleep(wake=True)) == ()
    assert [each.asked for each in card_statuses(asleep(wake=True))] == [True]


def test_where_no_card_is_known_the_first_line_says_what_is_in_the_way() -> None:
    def of(*outcomes: Outcome, **host: Any) -> str:
        return line(a_host(**host), *outcomes)

    uncertain = "No GPU found, but that is not certain"
    absent = an_outcome(library="CUDA", status=Status.ABSENT, message="not installed", seconds=None)
    failed = an_outcome(library="CUDA", status=Status.INIT_FAILED, message="`cuInit` failed with 999")
    vulkan = an_outcome(library="Vulkan", status=Status.INIT_FAILED, message="no driver works")
    nothing = "No GPU found on this machine: models will run on the CPU"
    node = "No GPU is usable: `/dev/dri/renderD128` belongs to one that is no PCI card, and no library for it is installed"

    assert of(absent) == of(vulkan) == nothing
    assert of(failed, LOST) == f"{uncertain}: CUDA: no answer within 30 s"
    assert of(an_outcome(library="NVML", status=Status.TIMED_OUT)) == nothing
    assert of(failed) == "No GPU is usable: CUDA is installed but does not work: `cuInit` failed with 999"
    assert of(absent, nodes=(RENDER,)) == node
    assert of(absent, NO, nodes=(RENDER,)) == nothing
    assert of(an_outcome(a_software_renderer())) == (
        "No GPU found on this machine. Vulkan offers the software renderer `llvmpipe (LLVM 15.0.6, 256 bits)`: it runs on the "
        "CPU, so it is not counted (`--allow-software` includes it)"
    )


def test_a_render_node_is_nobodys_only_where_the_bus_shows_no_graphics() -> None:
    def of(**host: Any) -> tuple[str, ...]:
        return unclaimed_render_nodes(a_host(nodes=(CONTROL, RENDER, RENDER._replace(path="/dev/dri/card0")), **host))

    mine, other = DrmDevice("x", "v3d", ("card0", "renderD128")), DrmDevice("x", "v3d", ("card1", "renderD129"))

    assert of() == ("/dev/dri/renderD128",)
    assert of(off_the_bus=(other,)) == ("/dev/dri/renderD128",)
    assert of(off_the_bus=(mine,)) == ()
    assert of(platform="win32") == ()
    assert of(pci=(a_card(drm=()),)) == ("/dev/dri/renderD128",)
    assert of(pci=(a_card(drm=("card0",)),)) == ()


def test_what_is_on_the_bus_and_no_card_is_a_bystander_unless_a_library_lists_it() -> None:
    display = a_card(SECOND, vendor=0x1A03, device=0x2000, driver="ast")
    host = a_host(pci=(a_card(FIRST), display))

    assert [each.pci_id for each in bystanders(judged(host))] == [SECOND]
    listed = judged(host, devices=(a_device("Vulkan", pci_id=SECOND, vendor_id=0x1A03),))
    assert bystanders(listed) == ()
    assert [(each.card.pci_id, each.card.driver) for each in card_statuses(listed)] == [(FIRST, "nvidia"), (SECOND, "ast")]
    assert bystanders(judged(with_cards(FIRST))) == ()


@pytest.mark.parametrize(
    ("outcome", "open_"),
    [
        (LOST, True),
        (an_outcome(library="ROCm", status=Status.TIMED_OUT), True),
        (an_outcome(library="NVML", status=Status.TIMED_OUT), False),
        (an_outcome(library="CUDA", probe=Probe("CUDA", Purpose.UNFILTERED), status=Status.TIMED_OUT), False),
        (NO, False),
    ],
)
def test_a_library_that_was_lost_leaves_it_open_unless_it_decides_nothing(outcome: Outcome, open_: bool) -> None:
    inventory = judged(with_cards(FIRST), outcome)

    assert undecided(inventory) is open_
    assert bool(doubts(inventory)) is open_


def test_a_library_that_was_lost_decides_nothing_where_all_cards_of_its_vendor_work() -> None:
    both = with_cards(FIRST, SECOND)

    assert not undecided(judged(with_cards(FIRST), LOST, devices=(a_device("Vulkan", pci_id=FIRST),)))
    assert doubts(judged(both, LOST, devices=(a_device("Vulkan", pci_id=FIRST),))) == ("CUDA: no answer within 30 s",)


def test_a_view_that_was_not_decided_is_a_doubt_unless_another_of_its_card_works() -> None:
    cuda, vulkan = a_device("CUDA", pci_id=FIRST), a_device("Vulkan", pci_id=FIRST)
    nowhere = cuda._replace(pci_id=None)

    def of(view: Device, *others: Device) -> tuple[str, ...]:
        lost = Outcome(
            Probe("CUDA", Purpose.VALIDATE, device=view.key), Status.TIMED_OUT, message="no answer within 30 s", seconds=30.0
        )
        inventory = judged(with_cards(FIRST), lost, devices=(view, *others))
        assert undecided(inventory)
        return doubts(inventory)

    assert of(cuda) == (f"{FIRST} through CUDA: no answer within 30 s",)
    assert of(cuda, vulkan) == ()
    assert of(nowhere)[0] == f"{nowhere.id} through CUDA: no answer within 30 s"


def test_a_folder_that_could_not_be_read_is_a_doubt_where_it_may_hold_the_answer() -> None:
    unread = {"pci_problem": "denied"}

    assert undecided(judged(a_host(facts=unread, pci=())))
    assert len(doubts(judged(a_host(facts=unread, pci=())))) == 1
    assert line(a_host(facts=unread, pci=())).startswith("No GPU found, but that is not certain: ")
    assert not undecided(judged(a_host(facts=unread, pci=()), devices=works(FIRST)))


def test_folders_of_nodes_count_where_a_card_does_not_work() -> None:
    unread = {"dri_problem": "denied"}
    both = a_host(facts=unread, pci=(a_card(FIRST), a_card(SECOND, vendor=AMD, driver="amdgpu")), nodes=(CONTROL,))

    assert undecided(judged(both, devices=works(FIRST)))
    assert not undecided(judged(a_host(facts=unread, pci=(a_card(FIRST),), nodes=(CONTROL,)), devices=works(FIRST)))


def test_a_card_that_only_a_library_knows_is_of_that_librarys_vendor() -> None:
    cuda = a_device("CUDA", pci_id=FIRST, vendor_id=None, device_id=7)
    vulkan = a_device("Vulkan", pci_id=SECOND, vendor_id=None)

    found = [each.card for each in card_statuses(judged(devices=(cuda, vulkan)))]

    assert [(each.pci_id, each.vendor_id, each.kind, each.listed_as) for each in found] == [
        (FIRST, 0x10DE, "listed", ("CUDA", cuda.key)),
        (SECOND, None, "listed", ("Vulkan", vulkan.key)),
    ]
    assert (found[0].device_id, found[0].name) == (7, cuda.name)


def test_views_of_one_card_are_one_and_a_card_without_an_address_comes_last() -> None:
    nowhere = a_device("CUDA", uuid="GPU-9", number=3)
    views = (nowhere, *works(SECOND, FIRST), a_device("Vulkan", pci_id=FIRST))

    assert [each.card.pci_id for each in card_statuses(judged(devices=views))] == [FIRST, SECOND, None]


def test_what_a_variable_hides_and_what_a_witness_knows_are_cards_and_a_renderer_is_none() -> None:
    unfiltered = Probe("CUDA", Purpose.UNFILTERED, variables=(("CUDA_VISIBLE_DEVICES", None),))
    hidden = an_outcome(a_device(pci_id=FIRST), a_device(), a_software_renderer(pci_id=THIRD), probe=unfiltered)
    witness = an_outcome(a_device("NVML", pci_id=SECOND))

    assert [each.card.pci_id for each in card_statuses(judged(None, hidden, witness))] == [FIRST, SECOND]


def test_the_adapter_of_wsl_stands_for_cards_only_where_no_library_lists_them() -> None:
    adapter = DeviceNode("/dev/dxg", 0o666, 0, 0, 10, 125, True)
    wsl = a_host(kernel="5.15.167.4-microsoft-standard-WSL2", nodes=(adapter,), facts={"wsl_drivers": "nv_dispi.inf_amd64_0"})

    assert [each.card.kind for each in card_statuses(judged(wsl))] == ["wsl"]
    assert [each.card.kind for each in card_statuses(judged(wsl, devices=works(FIRST, SECOND)))] == ["listed", "listed"]
    assert [each.card.kind for each in card_statuses(judged(wsl, devices=(a_device("ROCm", pci_id=FIRST),)))] == [
        "listed",
        "wsl",
    ]


def test_a_card_is_called_as_its_first_view_with_a_name_calls_it() -> None:
    nameless, named = a_device(pci_id=FIRST, name=None), a_device("Vulkan", pci_id=FIRST, name="GeForce")

    (status,) = card_statuses(judged(with_cards(FIRST), devices=(nameless, named)))

    assert status.card.name == "GeForce"
