"""Each fault of an NVIDIA card, told for the distribution, the container and the virtual machine that it is found in."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.findings import Finding, Place, Step
from tests.doctor.nvidia_faults import FAULTS, Fault
from tests.doctor.nvidia_machines import DOCKER, LXC, RELEASES, VIRTUAL, findings
from tests.doctor.told_diagnoses import note, taken

PLACES: dict[str, dict[str, Any]] = {
    "docker": {"place": DOCKER},
    "podman": {"place": {"/run/.containerenv": ""}},
    "lxc": {"place": LXC},
    "a pod": {"environ": {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}},
}
# Whose command begins so.
COMMANDS = {
    "ubuntu": ("sudo apt ", "sudo ubuntu-drivers "),
    "debian": ("sudo apt ",),
    "fedora": ("sudo dnf ",),
    "rocky": ("sudo dnf ",),
    "arch": ("sudo pacman ", "yay "),
    "opensuse": ("sudo zypper ",),
    "nixos": ("sudo nixos-rebuild ",),
    "other": (),
}


def told(fault: Fault, distribution: str = "ubuntu", **changed: Any) -> tuple[list[Finding], list[str]]:
    """Its causes, and each line that is said."""
    found = findings(fault.on(distribution, **changed), *fault.outcomes)
    return [each for each in found if not each.generic], taken().splitlines()


def difference(fault: Fault, said: list[str]) -> str:
    """What it is not told on a machine of its own."""
    _, usual = told(fault)
    more = [f"  {line}" for line in said if line not in usual]
    return "\n".join((f"  {fault.name}", *more, "")) if more else ""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_has_a_cause_with_evidence_and_a_step(fault: Fault) -> None:
    found = [each for each in findings(fault.on(), *fault.outcomes) if not each.generic]

    assert found and all(each.evidence and each.fix for each in found)


@pytest.mark.parametrize("distribution", sorted({*RELEASES} - {"ubuntu"}))
def test_a_fault_gets_no_command_of_another_distribution(distribution: str) -> None:
    others = {start for starts in COMMANDS.values() for start in starts} - set(COMMANDS[distribution])
    commands: list[str] = []
    differences: list[str] = []
    for fault in FAULTS:
        found, said = told(fault, distribution)
        commands += [step.command or "" for each in found for step in each.fix]
        differences.append(difference(fault, said))
    note("".join(differences))

    assert [command for command in commands if command.startswith(tuple(others))] == []


@pytest.mark.parametrize("place", PLACES)
def test_from_within_the_kernels_side_is_mended_on_the_host(place: str) -> None:
    steps: list[Step] = []
    differences: list[str] = []
    for fault in FAULTS:
        found, said = told(fault, **PLACES[place])
        steps += [step for each in found for step in each.fix]
        differences.append(difference(fault, said))
    note("".join(differences))

    inside = [step.command or "" for step in steps if step.where is Place.HERE]
    assert [command for command in inside if "modprobe" in command or "nvidia-smi -i" in command] == []


def test_a_virtual_machine_has_a_kernel_of_its_own() -> None:
    told_inside = [(fault, *told(fault, place=VIRTUAL)) for fault in FAULTS]
    note("".join(difference(fault, said) for fault, _, said in told_inside))

    assert [fault.name for fault, found, _ in told_inside if not found] == []
