"""Machines of public reports of 2024 to 2026, staged with doubles: the right cause first, its cure, and nothing that the
evidence rules out."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from gpuprobe import capture
from gpuprobe.doctor.card_status import card_statuses
from gpuprobe.doctor.diagnosis import findings_of
from gpuprobe.doctor.findings import Finding
from gpuprobe.doctor.reasons import CardReason, Why
from gpuprobe.judging.rules import judge
from gpuprobe.model import Request, ValidationScope
from gpuprobe.vendors import NVIDIA
from tests.doctor.told_diagnoses import noted

CASES = Path(__file__).parent / "nvidia_cases"
FIRST, SECOND = "0000:01:00.0", "0000:41:00.0"


class Case(NamedTuple):
    """What is right for one machine. `never` stands nowhere in reason and advice of the card."""

    name: str
    finding: str | None
    because: str
    advice: str
    never: tuple[str, ...]
    address: str | None = FIRST


RIGHT = (
    Case("aks-4870-unlicensed-vgpu", "vgpu-unlicensed", "A10-24Q in Hyper-V", "nvidia-gridd", ("exclusive", "prohibited")),
    Case("container-one-of-two", None, "not given to this docker container", "--gpus", ("Vulkan", "vulkan"), SECOND),
    Case("container-utility-only", "ctr-driver-capabilities-missing", "`utility`", "=compute,utility", ("ubuntu-drivers",)),
    Case("cubecos-312-vgpu-host", "vgpu-host-driver", "580.65.05", "virtual machine", ("ubuntu-drivers", "dnf", "reboot")),
    Case("denied-nvidia0", "nv-dev-permission", "`/dev/nvidia0` (group 1200)", "usermod -aG 1200", ("CUDA_VISIBLE", "MIG")),
    Case(
        "fedora-guide-9-module-absent",
        "nv-module-not-loaded",
        "580.105.08 is installed",
        "akmods --force",
        ("ubuntu-drivers", "apt"),
        "0000:64:00.0",
    ),
    Case("gpu-burn-133-802-without-nvswitch", "nv-uvm-hmm-kaslr", "HMM", "uvm_disable_hmm=1", ("fabric", "confidential")),
    Case("jammsen-7-lxc-uvm-old-major", "nv-uvm-major-mismatch", "508", "devices.allow: c 511:*", ("reboot",)),
    Case("jetson-1136-no-group", "jetson-nvmap-permission", "`/dev/nvmap` (group 44)", "--group-add 992", ("virtual",), None),
    Case("llama-models-200-one-lost", "nv-xid-79", "fallen off the bus", "power the machine off", ("Vulkan", "vulkan")),
    Case("mode-default-46", "cuda-46-other", "compute mode is `default`", "--gpu-reset", ("exclusive", "-c 0", "licence")),
    Case("ollama-11593-hmm", "nv-uvm-hmm-kaslr", "HMM", "uvm_disable_hmm=1", ("not loaded", "stale")),
    Case("ollama-12173-fabric-manager", "nv-fabric-manager-down", "4 NVSwitch", "on the host", ("HMM",), "0000:19:00.0"),
    Case("ollama-13800-mig-parent-uuid", "mig-visibility", "cut", "=MIG-aaaaaaaa", ("unset",), "0000:0b:00.0"),
    Case("ollama-15400-cdi-without-uvm", "ctr-uvm-node-missing", "/dev/nvidia-uvm", "nvidia-ctk cdi", ("reboot", "stale")),
    Case("one-lost-with-vulkan", "nv-xid-79", "fallen off the bus", "slot", ("lists it", "Vulkan")),
    Case("open-935-gsp-boot", "nv-rminitadapter-failed", "could not start", "dmesg", ("VISIBLE", "MIG"), "0000:02:00.0"),
)


def diagnosed(case: Case) -> tuple[Why, tuple[Finding, ...]]:
    evidence = capture.load(CASES / f"{case.name}.json")
    inventory = judge(evidence, Request(validate=ValidationScope.NEEDED))
    (status,) = (
        each
        for each in card_statuses(inventory)
        if NVIDIA.made(each.card.vendor_id) and case.address in (None, each.card.pci_id)
    )
    assert status.why is not None
    return status.why, findings_of(status.card, inventory)


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_the_machine_of_a_report_gets_the_right_cause_first_and_its_cure(case: Case) -> None:
    why, _ = diagnosed(case)

    assert why.finding == case.finding
    assert case.because in why.because
    assert case.advice in str(why.advice)


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_nothing_that_the_evidence_rules_out_is_named(case: Case) -> None:
    why, _ = diagnosed(case)

    assert [word for word in case.never if word in f"{why.because} {why.advice} {why.brief}"] == []


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_a_likely_cause_says_what_would_decide_and_every_cause_says_where_it_was_read(case: Case) -> None:
    _, found = diagnosed(case)

    causes = [each for each in noted(found) if not each.generic]
    assert [each.id for each in causes if (each.settle is None) != (each.certainty.value == "certain")] == []
    assert [each.id for each in causes if not each.evidence] == []


def test_a_card_that_was_not_given_counts_as_left_out_on_purpose() -> None:
    why, _ = diagnosed(RIGHT[1])

    assert why.reason is CardReason.NOT_GIVEN
