"""Each fault of an AMD or Intel card, told for the distribution and the container that it is found in."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.findings import Finding, Place, Step
from gpuprobe.facts import Reading
from tests.doctor.other_faults import FAULTS, RELEASES, Fault
from tests.doctor.sick_machines import findings
from tests.doctor.told_diagnoses import note, taken

PLACES: dict[str, dict[str, Any]] = {
    "docker": {"place": {"/.dockerenv": Reading("")}},
    "podman": {"place": {"/run/.containerenv": Reading("")}},
    "lxc": {"place": {"/run/systemd/container": Reading("lxc\n")}},
    "a pod": {"environ": {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}},
}
# Whose command contains what.
COMMANDS = {
    "ubuntu": ("apt ", "update-grub"),
    "debian": ("apt ", "update-grub"),
    "fedora": ("dnf ", "grub2-mkconfig"),
    "silverblue": ("rpm-ostree ",),
    "arch": ("pacman ", "grub-mkconfig"),
    "opensuse": ("zypper ", "grub2-mkconfig"),
    "alpine": ("apk ",),
    "other": (),
}


def told(fault: Fault, distribution: str = "ubuntu", **changed: Any) -> tuple[list[Finding], list[str]]:
    """Its causes, and each line that is said."""
    found = findings(fault.on(distribution, **changed), *fault.outcomes, devices=fault.devices)
    return [each for each in found if not each.generic], taken().splitlines()


def difference(fault: Fault, said: list[str]) -> str:
    """What it is not told on a machine of its own with Ubuntu."""
    _, usual = told(fault)
    more = [f"  {line}" for line in said if line not in usual]
    return "\n".join((f"  {fault.name}", *more, "")) if more else ""


@pytest.mark.parametrize("fault", [each for each in FAULTS if "node not there" not in each.name], ids=lambda fault: fault.name)
def test_a_fault_has_a_cause_with_evidence_and_a_step(fault: Fault) -> None:
    found = [each for each in findings(fault.on(), *fault.outcomes, devices=fault.devices) if not each.generic]

    assert found and all(each.evidence and each.fix for each in found)


@pytest.mark.parametrize("distribution", sorted({*RELEASES} - {"ubuntu"}))
def test_a_fault_gets_no_command_of_another_distribution(distribution: str) -> None:
    others = {word for words in COMMANDS.values() for word in words} - set(COMMANDS[distribution])
    commands: list[str] = []
    differences: list[str] = []
    for fault in FAULTS:
        found, said = told(fault, distribution)
        commands += [step.command or "" for each in found for step in each.fix]
        differences.append(difference(fault, said))
    note("".join(differences))

    assert [command for command in commands if any(f"sudo {word}" in command for word in others)] == []


@pytest.mark.parametrize("place", PLACES)
def test_in_a_container_the_kernels_side_is_mended_on_the_host(place: str) -> None:
    steps: list[Step] = []
    differences: list[str] = []
    for fault in FAULTS:
        found, said = told(fault, **PLACES[place])
        steps += [step for each in found for step in each.fix]
        differences.append(difference(fault, said))
    note("".join(differences))

    inside = [step.command or "" for step in steps if step.where is Place.HERE]
    assert [command for command in inside if "modprobe" in command or "reboot" in command or "grub" in command] == []
