"""Cards that work and could do better: through which library, and why they do not."""

from __future__ import annotations

from typing import Any

from gpuprobe.doctor import lesser_ways
from gpuprobe.doctor.card_status import card_statuses
from gpuprobe.doctor.diagnosis import findings_of
from gpuprobe.doctor.findings import Severity
from gpuprobe.doctor.lost_ways import lost_ways
from gpuprobe.doctor.situation import situation_of
from gpuprobe.doctor.ways import answers, better_ways, is_lost, lists_it, own_libraries, weight, weight_if_lost
from gpuprobe.facts import Host
from gpuprobe.libraries import CUDA, ROCM, VULKAN, library_named
from gpuprobe.model import Device, Inventory, Outcome, Probe, Purpose, Status
from tests.doctor.in_words import in_words
from tests.doctor.nvidia_machines import FIRST, cuda, nvidia_host, refused
from tests.doctor.sick_machines import (
    ADDRESS,
    a_radeon,
    inventory_of,
    not_installed,
    passed,
    rocm_finds_nothing,
    with_radeon,
    without_kfd,
)
from tests.records import AMD, NVIDIA, a_card, a_device, an_outcome

SEEN = a_device("Vulkan", pci_id=FIRST, vendor_id=NVIDIA)
RADEON = a_device("Vulkan", pci_id=ADDRESS, vendor_id=AMD)
WORDS = "CUDA is installed and does not list"


def machine(*outcomes: Outcome, devices: tuple[Device, ...] = (SEEN,), host: Host | None = None) -> Inventory:
    return inventory_of(host or nvidia_host(), *outcomes, *map(passed, devices), devices=devices)


def lost(inventory: Inventory) -> str:
    (status,) = card_statuses(inventory)
    known = [each for each in findings_of(status.card, inventory) if each.library is None]
    return in_words(lost_ways(status, known, inventory))


def broken(view: Device, code: int | None = 36) -> Outcome:
    probe = Probe(view.library, Purpose.VALIDATE, device=view.key)
    fields: dict[str, Any] = {"code": code, "message": "no context", "failure": "unsupported", "seconds": 0.1}
    return Outcome(probe, Status.CALL_FAILED, **fields)


def test_a_library_that_is_installed_and_does_not_list_the_card_is_told_with_its_words() -> None:
    inventory = machine(refused(36, "CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER"))

    assert lost(inventory) == (
        "better-library-lost (library, degraded, certain, init_failed, CUDA)\n"
        "  because: it works through Vulkan, and not through CUDA: it is installed and does not list the card (`cuInit` failed "
        "(CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER))\n"
        "  brief: CUDA does not work on it\n"
        f"  card: {FIRST}\n"
        "  seen: CUDA: `cuInit` failed (CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER)\n"
        "  do: install a newer NVIDIA driver\n"
    )


def test_a_view_of_it_that_failed_is_told_as_a_broken_context() -> None:
    view = cuda()
    inventory = inventory_of(nvidia_host(), broken(view), passed(SEEN), devices=(view, SEEN))

    assert lost(inventory) == (
        "better-library-lost (context, degraded, certain, failed_validation, CUDA)\n"
        "  because: it works through Vulkan, and not through CUDA: no context (error 36)\n"
        "  brief: CUDA does not work on it\n"
        f"  card: {FIRST}\n"
        "  seen: CUDA: no context (error 36)\n"
        "  do: install a newer NVIDIA driver\n"
    )


def test_a_library_whose_cause_is_named_already_or_that_ranks_behind_is_not_told() -> None:
    inventory = machine(refused(36))
    (status,) = card_statuses(inventory)
    (own,) = lost_ways(status, (), inventory)

    assert list(lost_ways(status, [own], inventory)) == []
    assert len(list(lost_ways(status, [own._replace(severity=Severity.INFO)], inventory))) == 1
    assert len(list(lost_ways(status, [own._replace(library="ROCm")], inventory))) == 1
    assert list(lost_ways(status._replace(devices=()), (), inventory)) == []
    build = cuda(build="cuda_v12")
    probe = Probe("CUDA", Purpose.VALIDATE, build="cuda_v12", device=build.key)
    same = inventory_of(nvidia_host(), broken(build)._replace(probe=probe), passed(cuda()), devices=(cuda(), build))
    assert lost(same) == "nothing\n"
    behind = inventory_of(nvidia_host(), broken(SEEN), passed(cuda()), devices=(cuda(), SEEN))
    assert lost(behind) == "nothing\n"


def test_an_answer_without_a_number_has_no_step() -> None:
    assert "do:" not in lost(machine(an_outcome(library="CUDA", status=Status.CRASHED, signal=11)))


def test_cards_with_one_cause_are_told_in_one_sentence() -> None:
    second = SEEN._replace(pci_id="0000:41:00.0", number=1)
    host = nvidia_host(pci=(a_card(FIRST), a_card("0000:41:00.0")))
    crashed = an_outcome(library="CUDA", status=Status.CRASHED, signal=11)

    assert list(lesser_ways.of_cards(machine(crashed))) == [f"{FIRST} works through Vulkan; {WORDS} it: crashed (signal 11)"]
    assert list(lesser_ways.of_cards(machine(crashed, devices=(SEEN, second), host=host))) == [
        f"{FIRST}, 0000:41:00.0 work through Vulkan; {WORDS} them: crashed (signal 11)"
    ]


def test_a_card_without_an_address_is_called_by_its_name_or_the_gpu() -> None:
    crashed = an_outcome(library="CUDA", status=Status.CRASHED, signal=11)

    def of(**fields: Any) -> list[str]:
        view = SEEN._replace(**{"pci_id": None, "uuid": "x", **fields})
        return list(lesser_ways.of_cards(inventory_of(nvidia_host(pci=()), crashed, devices=(view,))))

    assert of(name="GeForce") == [f"GeForce works through Vulkan; {WORDS} it: crashed (signal 11)"]
    assert of(name=None) == [f"the GPU works through Vulkan; {WORDS} it: crashed (signal 11)"]


def test_what_is_used_in_place_of_a_better_view_is_told_with_what_to_do() -> None:
    view = cuda()

    def of(code: int | None) -> str:
        inventory = inventory_of(nvidia_host(), broken(view, code), passed(SEEN), devices=(view, SEEN))
        (kept,), (drop,) = inventory.kept, [each for each in inventory.drops if each.device.library == "CUDA"]
        return lesser_ways.used_instead(kept, drop, inventory)

    second = "Vulkan:0 is used because CUDA does not work on it: no context"
    assert of(36) == f"{second} (error 36); install a newer NVIDIA driver"
    assert of(None) == second


def test_what_keeps_the_used_library_below_its_best_is_told_with_the_cards_name() -> None:
    overridden = a_device(
        "ROCm", pci_id=ADDRESS, gfx_target="gfx1030", capabilities={"real_gfx_target": "gfx1101", "kfd_node": 1}
    )
    environ = {"HSA_OVERRIDE_GFX_VERSION": "10.3.0"}

    def of(**fields: Any) -> list[str]:
        view = overridden._replace(**fields)
        inventory = inventory_of(with_radeon(environ=environ), passed(view), devices=(view,))
        return list(lesser_ways.kept_below(card_statuses(inventory)[0], inventory))

    (named,), (nameless,) = of(), of(name=None)
    assert named.startswith(f"AMD Radeon RX 7900 XTX ({ADDRESS}): `HSA_OVERRIDE_GFX_VERSION=10.3.0`")
    assert nameless.startswith(f"a device ({ADDRESS}): `HSA_OVERRIDE_GFX_VERSION=10.3.0`")
    assert "; " in named
    elsewhere = inventory_of(without_kfd(), rocm_finds_nothing(), passed(RADEON), devices=(RADEON,))
    (status,) = card_statuses(elsewhere)
    assert "ROCm" in [each.library for each in findings_of(status.card, elsewhere) if each.severity is Severity.DEGRADED]
    assert list(lesser_ways.kept_below(status, elsewhere)) == []


def situation(*outcomes: Outcome, devices: tuple[Device, ...] = (), host: Host | None = None) -> Any:
    inventory = inventory_of(host or with_radeon(), *outcomes, devices=devices)
    return situation_of(card_statuses(inventory)[0].card, inventory)


def ended(status: Status, library: str = "ROCm", **fields: Any) -> Outcome:
    return an_outcome(library=library, status=status, **fields)


def test_a_library_answered_where_it_is_installed_and_was_asked_for_its_devices() -> None:
    asked = [ended(status) for status in (Status.NO_DEVICES, Status.CRASHED, Status.OK)]
    unasked = [ended(status) for status in (Status.ABSENT, Status.NOT_LOADABLE, Status.SKIPPED, Status.REFUSED)]
    others = (ended(Status.CRASHED, "Vulkan"), ended(Status.OK, probe=Probe("ROCm", Purpose.UNFILTERED)))

    assert answers(situation(*asked, *unasked, *others), ROCM) == tuple(asked)


def test_a_library_is_lost_where_it_answered_and_lists_the_card_nowhere() -> None:
    rocm = a_device("ROCm", pci_id=ADDRESS)
    other = a_device("ROCm", pci_id="0000:41:00.0")
    hidden = an_outcome(rocm, probe=Probe("ROCm", Purpose.UNFILTERED))

    assert is_lost(situation(ended(Status.NO_DEVICES)), ROCM)
    assert is_lost(situation(an_outcome(other), host=with_radeon()), ROCM)
    assert not is_lost(situation(not_installed("ROCm")), ROCM)
    assert not is_lost(situation(ended(Status.NO_DEVICES), hidden), ROCM)
    assert lists_it(situation(ended(Status.NO_DEVICES), hidden), ROCM)
    assert not lists_it(situation(an_outcome(RADEON)), ROCM)


def test_a_vendors_own_libraries_are_those_of_this_system() -> None:
    mac = with_radeon()._replace(platform="darwin")

    assert [each.name for each in own_libraries(situation())] == ["ROCm"]
    assert [each.name for each in own_libraries(situation(host=mac))] == ["Metal"]


def test_how_much_a_way_counts_that_is_lost() -> None:
    rocm = a_device("ROCm", pci_id=ADDRESS)
    lost_one = ended(Status.NO_DEVICES)

    assert weight(situation()) is Severity.BLOCKER
    assert weight(situation(), ROCM) is Severity.BLOCKER
    assert weight(situation(devices=(RADEON,))) is None
    assert weight(situation(devices=(RADEON,)), ROCM) is Severity.DEGRADED
    assert weight(situation(devices=(RADEON,)), VULKAN) is None
    assert weight(situation(devices=(rocm,)), VULKAN) is None
    assert weight_if_lost(situation(lost_one, devices=(RADEON,)), ROCM) is Severity.DEGRADED
    assert weight_if_lost(situation(devices=(RADEON,)), ROCM) is None


def test_better_ways_are_the_vendors_own_that_rank_before_and_were_lost() -> None:
    lost_ones = (ended(Status.NO_DEVICES), ended(Status.NO_DEVICES, "CUDA"))

    def of(*outcomes: Outcome, devices: tuple[Device, ...]) -> list[str]:
        return [each.name for each in better_ways(situation(*outcomes, devices=devices))]

    assert of(*lost_ones, devices=(RADEON,)) == ["ROCm"]
    assert of(*lost_ones, devices=()) == []
    assert of(devices=(RADEON,)) == []
    assert of(*lost_ones, devices=(RADEON, a_device("ROCm", pci_id=ADDRESS))) == []
    assert CUDA.name not in of(*lost_ones, devices=(RADEON,)) and library_named("ROCm") == ROCM


def test_a_situation_holds_what_concerns_its_card_alone() -> None:
    other = a_device("Vulkan", pci_id="0000:09:00.0", vendor_id=AMD, number=1)
    failing = a_device("ROCm", pci_id=ADDRESS)
    host = with_radeon(pci=(a_radeon(), a_radeon("0000:09:00.0", drm=("card1", "renderD129"))))

    elsewhere = broken(failing._replace(pci_id="0000:41:00.0", number=7), code=77)

    found = situation(elsewhere, broken(failing), devices=(failing, RADEON, other), host=host)

    assert [each.pci_id for each in found.kept] == [ADDRESS]
    assert [each.device.library for each in found.drops] == ["ROCm"]
    assert found.code("ROCm") == 36
