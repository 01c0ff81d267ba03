"""What `validate` makes of a card that no library shows: it fails, unless it was left out on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpuprobe.facts import DeviceNode, Reading
from gpuprobe.model import Evidence, Outcome, Probe, Purpose, Status
from tests.cli import machines
from tests.cli.documents import checked
from tests.cli.machines import FIRST, NVIDIA_DRIVER, RADEON, SECOND, captured
from tests.cli.terminal import piped
from tests.records import a_card, an_outcome

CONTROL = DeviceNode("/dev/nvidiactl", 0o666, 0, 0, 195, 255, True)
CONTAINER = {"/run/systemd/container": Reading("docker")}


def a_geforce_beside(*cards: object, more: tuple[Outcome, ...] = (), **fields: object) -> Evidence:
    """One card that passes, and others that no library lists."""
    first = machines.a_geforce()
    host = machines.a_workstation(pci=(a_card(FIRST), *cards), nodes=(CONTROL,), libraries=NVIDIA_DRIVER, **fields)
    answers = (an_outcome(first), machines.witnessed(first), machines.passed(first))
    return machines.evidence(*answers, *more, host=host)


def validated(machine: Evidence, folder: Path, *arguments: str) -> tuple[int, str, list[object]]:
    """The exit code, the first line, and the verdicts of the cards without a view."""
    path = captured(machine, folder)
    document = checked("validate", piped("validate", *arguments, "--json", "--from", path).out)
    summary = document["summary"]
    return summary["exit_code"], summary["text"], [card["verdict"] for card in document["cards_without_views"]]


def test_a_card_that_no_library_shows_has_no_passing_view_and_fails(tmp_path: Path) -> None:
    machine = a_geforce_beside(machines.an_amd_card(driver=None))

    assert validated(machine, tmp_path) == (4, "1 of 1 view passed; 1 of 2 cards failed", ["unsupported"])


def test_the_card_that_fails_without_a_view_is_named_with_the_reason_and_what_to_do(tmp_path: Path) -> None:
    machine = captured(a_geforce_beside(machines.an_amd_card(driver=None)), tmp_path)

    ran = piped("validate", "--from", machine, COLUMNS="200")

    assert ran.code == 4
    assert f"{RADEON} Navi 31 [Radeon RX 7900 XT/XTX]: FAILED: no kernel driver (`amdgpu`) is loaded for this card" in ran.out
    assert "load it with `sudo modprobe amdgpu`" in ran.out


def test_cards_that_are_all_without_a_view_fail_and_are_not_merely_absent(tmp_path: Path) -> None:
    machine = machines.evidence(host=machines.a_workstation(pci=(machines.an_amd_card(driver=None),)))

    code, text, verdicts = validated(machine, tmp_path)

    assert (code, verdicts) == (4, ["unsupported"])
    assert text == "nothing to validate: 0 of 1 GPU usable; 0000:03:00.0 is not: no kernel driver"


def test_a_machine_without_a_card_has_nothing_that_could_fail(tmp_path: Path) -> None:
    assert validated(machines.no_gpu(), tmp_path)[0] == 3


LEFT_OUT = (0, "1 of 1 view passed; the card works; 1 card left out", [None])


def test_a_card_reserved_for_a_virtual_machine_is_left_out(tmp_path: Path) -> None:
    assert validated(a_geforce_beside(a_card(SECOND, driver="vfio-pci")), tmp_path) == LEFT_OUT


def test_a_card_that_the_users_own_variable_hides_is_left_out(tmp_path: Path) -> None:
    hidden = machines.a_geforce(number=1, pci_id=SECOND, uuid="GPU-99999999-2222-3333-4444-555555555555")
    probe = Probe("CUDA", Purpose.UNFILTERED, variables=(("CUDA_VISIBLE_DEVICES", None),))
    seen = an_outcome(machines.a_geforce(), hidden, probe=probe)
    machine = a_geforce_beside(a_card(SECOND), more=(seen,), environ={"CUDA_VISIBLE_DEVICES": "0"})

    assert validated(machine, tmp_path) == LEFT_OUT


def test_a_card_that_no_named_library_is_for_is_left_out(tmp_path: Path) -> None:
    machine = a_geforce_beside(machines.an_amd_card(driver=None))

    assert validated(machine, tmp_path, "--library", "cuda") == LEFT_OUT


def test_a_card_that_a_container_was_not_given_is_left_out(tmp_path: Path) -> None:
    no_vulkan = an_outcome(library="Vulkan", status=Status.ABSENT)
    outside = a_geforce_beside(a_card(SECOND), more=(no_vulkan,))
    inside = a_geforce_beside(a_card(SECOND), more=(no_vulkan,), texts={**outside.host.texts, **CONTAINER})

    assert validated(outside, tmp_path)[0] == 4
    assert validated(inside, tmp_path) == LEFT_OUT


def test_where_devices_are_chosen_the_other_cards_are_nobodys_question(tmp_path: Path) -> None:
    machine = a_geforce_beside(machines.an_amd_card(driver=None))

    assert validated(machine, tmp_path, "CUDA:0") == (0, "1 of 1 view passed; the card works", [])


@pytest.mark.parametrize("status", [Status.TIMED_OUT, Status.CRASHED, Status.SKIPPED])
def test_a_card_whose_library_could_not_answer_cannot_be_decided(status: Status, tmp_path: Path) -> None:
    lost = an_outcome(library="Vulkan", status=status)
    machine = a_geforce_beside(machines.an_amd_card(), more=(lost,))
    machine = machine._replace(host=machine.host._replace(libraries=(*NVIDIA_DRIVER, *machines.VULKAN_LOADER)))

    code, text, verdicts = validated(machine, tmp_path)

    assert (code, verdicts) == (6, ["inconclusive"])
    assert text == "1 of 1 view passed; 1 of 2 cards could not be decided"
