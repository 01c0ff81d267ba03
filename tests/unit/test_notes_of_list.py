"""The notes below `list`, to the word, and where there is none."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.notes import of_inventory
from gpuprobe.facts import DeviceNode, Reading
from gpuprobe.judging.rules import judge
from gpuprobe.judging.slices import alone
from gpuprobe.libraries import CUDA
from gpuprobe.model import Depth, Device, DeviceType, GiB, MiB, Outcome, Partition, Probe, Purpose, Request, Status
from tests.doctor.sick_machines import ADDRESS, with_radeon
from tests.records import AMD, INTEL, a_card, a_device, a_host, a_slice, a_software_renderer, an_outcome, evidence_of

FIRST, SECOND = "0000:01:00.0", "0000:02:00.0"
CONTROL = DeviceNode("/dev/nvidiactl", 0o666, 0, 0, 195, 255, True)
A, B = a_device(pci_id=FIRST, uuid="GPU-1"), a_device(pci_id=SECOND, uuid="GPU-2", number=1)


def noted(*devices: Device, outcomes: tuple[Outcome, ...] = (), **host: Any) -> tuple[str, ...]:
    known = {"pci": (a_card(FIRST), a_card(SECOND)), "nodes": (CONTROL,)}
    passed = [
        Outcome(Probe(each.library, Purpose.VALIDATE, device=each.key), Status.OK, depth=Depth.CONTEXT) for each in devices
    ]
    evidence = evidence_of(*devices, host=a_host(**{**known, **host}), outcomes=(*outcomes, *passed))
    return of_inventory(judge(evidence, Request()))


def unfiltered(*devices: Device, variables: tuple[str, ...] = ("CUDA_VISIBLE_DEVICES",)) -> Outcome:
    probe = Probe("CUDA", Purpose.UNFILTERED, variables=tuple((name, None) for name in variables))
    return an_outcome(*devices, probe=probe)


def lost(library: str = "CUDA", status: Status = Status.CRASHED, **fields: Any) -> Outcome:
    return an_outcome(library=library, status=status, message="no answer", **fields)


def test_what_variables_hide_is_counted_and_named() -> None:
    environ = {"CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    second = B._replace(name=None)
    both = unfiltered(A, second, a_software_renderer(), variables=("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "X"))

    (note,) = noted(A, outcomes=(both,), environ=environ)

    assert note == (
        f"`CUDA_VISIBLE_DEVICES=0`, `CUDA_DEVICE_ORDER=PCI_BUS_ID`, `X=` hides 1 of 2 devices from CUDA: a device ({second.id})"
    )


def test_a_hidden_card_that_is_used_all_the_same_is_said_to_be() -> None:
    vulkan = a_device("Vulkan", pci_id=SECOND, uuid="v")

    (note,) = noted(A, vulkan, outcomes=(unfiltered(A, B),), environ={"CUDA_VISIBLE_DEVICES": "0"})

    assert note == (
        f"`CUDA_VISIBLE_DEVICES=0` hides 1 of 2 devices from CUDA: {B.name} ({B.id}); Vulkan:0 is one of them all the same"
    )


def test_what_two_children_without_variables_show_is_told_once_and_what_is_listed_not_at_all() -> None:
    environ = {"CUDA_VISIBLE_DEVICES": "0"}

    assert len(noted(A, outcomes=(unfiltered(A, B), unfiltered(A, B)), environ=environ)) == 1
    assert noted(A, B, outcomes=(unfiltered(A, B),), environ=environ) == ()


@pytest.mark.parametrize(
    ("outcome", "note"),
    [
        (lost("Vulkan"), "Vulkan: no answer"),
        (lost("Vulkan", probe=Probe("Vulkan", Purpose.LIST, build="vulkan")), "Vulkan (vulkan): no answer"),
        (
            lost("CUDA", probe=Probe("CUDA", Purpose.UNFILTERED, variables=(("X", None),))),
            "CUDA without your variables: no answer",
        ),
        (lost("CUDA", probe=Probe("CUDA", Purpose.ALONE, device="MIG-1")), "CUDA with `MIG-1` alone: no answer"),
        (
            lost("Vulkan", probe=Probe("Vulkan", Purpose.ALONE, manifest="/x.json")),
            "Vulkan with `/x.json` alone: no answer; a program that loads every driver meets this too: remove that file, or "
            "use `gpuprobe env`, which avoids it",
        ),
        (
            an_outcome(B, library="CUDA", status=Status.CRASHED, message="no answer"),
            "CUDA: no answer; the 1 it had listed before are tested",
        ),
    ],
)
def test_a_library_that_was_lost_is_told_with_how_it_was_asked(outcome: Outcome, note: str) -> None:
    assert note in noted(A, B, outcomes=(outcome,))


def test_what_was_definite_or_a_validation_or_is_a_cards_reason_is_no_note() -> None:
    validation = lost("CUDA", probe=Probe("CUDA", Purpose.VALIDATE, device="other"))

    assert noted(A, B, outcomes=(lost("Vulkan", Status.INIT_FAILED), validation)) == ()
    assert noted(outcomes=(lost(),)) == ()


def test_a_process_that_could_not_be_ended_is_told() -> None:
    stuck = an_outcome(library="NVML", status=Status.OK, survivors=(7, 8))

    assert noted(A, B, outcomes=(stuck,)) == tuple(
        f"process {number} could not be ended, and may still use the card" for number in (7, 8)
    )


def test_a_card_with_a_lesser_driver_that_works_is_told_what_that_lacks() -> None:
    vulkan = a_device("Vulkan", pci_id=FIRST)

    assert noted(vulkan, pci=(a_card(FIRST, driver="nouveau"),)) == (
        f"{FIRST} uses the `nouveau` driver, which has no CUDA. For CUDA, install NVIDIA's driver",
    )
    assert noted(vulkan, pci=(a_card(FIRST, driver=None),)) == ()


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (lost("CUDA", Status.SKIPPED), True),
        (lost("ROCm", Status.SKIPPED), False),
        (lost("CUDA", Status.SKIPPED, probe=Probe("CUDA", Purpose.LIST, build="cuda_v12")), False),
        (lost("CUDA", Status.SKIPPED, probe=Probe("CUDA", Purpose.ALONE, device="x")), False),
        (lost("CUDA", Status.ABSENT), False),
    ],
)
def test_a_library_that_was_left_out_is_told_where_it_is_for_a_card_of_this_machine(outcome: Outcome, told: bool) -> None:
    skipped = outcome._replace(message="not asked: you chose others")

    assert ("CUDA was not asked: you chose others" in noted(outcomes=(skipped,))) is told


def test_slices_that_were_asked_for_alone_and_not_shown_are_told_with_the_answer() -> None:
    one, other = (f"MIG-0000000{n}-0000-0000-0000-000000000000" for n in (1, 2))
    part = Partition("mig", "GPU-1")
    seen = a_slice(uuid=one, partition=part, pci_id=FIRST)
    known = [a_device("NVML", uuid=uuid, partition=part, pci_id=FIRST, number=n) for n, uuid in enumerate((one, other))]
    (probe,) = (each for each in alone(CUDA, evidence_of(seen, *known)) if each.device == other)
    answer = lost("CUDA", Status.NO_DEVICES, probe=probe)

    notes = noted(seen, outcomes=(an_outcome(*known), answer), pci=(a_card(FIRST),))

    assert f"CUDA does not show the slice {other} where it alone is visible: no answer" in notes
    assert not [note for note in notes if "choose one by its id" in note]


def test_a_card_that_was_woken_is_told_with_all_that_woke_it_once() -> None:
    asleep = (a_card(FIRST, runtime_status="suspended", drm=("card0", "renderD128")),)
    vulkan = a_device("Vulkan", pci_id=FIRST)

    def of(*devices: Device, outcomes: tuple[Outcome, ...] = (), pci: tuple[Any, ...] = asleep) -> list[str]:
        return [note for note in noted(*devices, outcomes=outcomes, pci=pci) if "asleep" in note]

    words = f"{FIRST} was asleep; asking {{}} woke it (`--no-wake` lets it sleep)"
    assert of(A, vulkan, outcomes=(an_outcome(A),)) == [words.format("CUDA, Vulkan")]
    assert of(outcomes=(an_outcome(library="CUDA", seconds=None),)) == []
    assert of(outcomes=(an_outcome(library="ROCm"),)) == []
    assert of(A, pci=(a_card(FIRST),)) == []


def test_nodes_that_came_while_root_asked_are_told() -> None:
    inventory = judge(evidence_of(host=a_host()), Request())
    evidence = inventory.evidence._replace(appeared=("/dev/nvidiactl", "/dev/nvidia0"))

    assert of_inventory(inventory._replace(evidence=evidence)) == (
        "asking as root let the driver create `/dev/nvidiactl`, `/dev/nvidia0`",
    )


OVERRIDDEN = a_device("ROCm", pci_id=ADDRESS, gfx_target="gfx1100", capabilities={"real_gfx_target": "gfx1101", "kfd_node": 1})


def test_a_card_that_is_taken_for_another_is_told_with_the_variable_that_does_it() -> None:
    def of(device: Device = OVERRIDDEN, **environ: str) -> list[str]:
        inventory = judge(evidence_of(device, host=with_radeon(environ=environ)), Request())
        return [note for note in of_inventory(inventory) if " takes " in note]

    takes = f"ROCm takes {OVERRIDDEN.name} ({OVERRIDDEN.id}) for gfx1100, but it is gfx1101"
    assert of() == [f"{takes}: the kernel driver says otherwise"]
    assert of(OVERRIDDEN._replace(name=None))[0].startswith("ROCm takes a device (")
    assert of(OVERRIDDEN._replace(capabilities={})) == []
    assert of(HSA_OVERRIDE_GFX_VERSION="11.0.0") == [f"{takes}: `HSA_OVERRIDE_GFX_VERSION=11.0.0` makes it so"]
    assert of(HSA_OVERRIDE_GFX_VERSION="11.0.0", HSA_OVERRIDE_GFX_VERSION_1="11.0.0") == [
        f"{takes}: `HSA_OVERRIDE_GFX_VERSION_1=11.0.0` makes it so"
    ]
    assert of(HSA_OVERRIDE_GFX_VERSION_7="11.0.0") == [f"{takes}: the kernel driver says otherwise"]


def test_a_device_with_less_free_than_its_library_needs_is_told() -> None:
    def of(free: int | None) -> tuple[str, ...]:
        return noted(A._replace(free_memory=free), pci=(a_card(FIRST),))

    assert of(456 * MiB) == ("CUDA:0 has only 456 MiB free; CUDA needs 457 MiB for itself",)
    assert of(457 * MiB) == of(GiB) == of(None) == ()


def test_a_folder_that_could_not_be_read_is_the_first_note() -> None:
    (note,) = noted(facts={"pci_problem": "denied"}, pci=(), nodes=())

    assert "/sys/bus/pci" in note


def test_an_integrated_card_with_memory_of_its_own_is_told_nothing_of_it() -> None:
    inside = a_device("ROCm", pci_id=ADDRESS, type=DeviceType.INTEGRATED, capabilities={"gtt_total_bytes": 64 * GiB})

    assert of_inventory(judge(evidence_of(inside, host=with_radeon(environ={})), Request())) == ()


def test_a_library_that_is_better_and_lost_is_told_where_it_is_for_a_card_that_works() -> None:
    vulkan = a_device("Vulkan", pci_id=FIRST)
    better = f"{FIRST} works through Vulkan; CUDA is installed and does not list it: no answer"

    def of(status: Status, library: str = "CUDA", pci: tuple[Any, ...] = (a_card(FIRST),)) -> list[str]:
        return [note for note in noted(vulkan, outcomes=(lost(library, status),), pci=pci) if "works through" in note]

    assert of(Status.INIT_FAILED) == of(Status.NO_DEVICES) == of(Status.CRASHED) == [better]
    assert of(Status.ABSENT) == of(Status.NOT_LOADABLE) == of(Status.SKIPPED) == of(Status.OK) == []
    assert of(Status.INIT_FAILED, "ROCm") == of(Status.INIT_FAILED, "Vulkan") == []


@pytest.mark.parametrize("vendor", [INTEL, AMD])
def test_a_container_marks_no_card_that_is_whole(vendor: int) -> None:
    view = a_device("Vulkan", pci_id=FIRST, vendor_id=vendor)
    driver = "xe" if vendor == INTEL else "amdgpu"

    assert noted(view, pci=(a_card(FIRST, vendor=vendor, driver=driver),), texts={"/.dockerenv": Reading("")}) == ()
