"""Machines of public reports of 2020 to 2026 with cards of AMD, Intel and others, staged with doubles: the right cause first,
its cure, and nothing that the evidence rules out."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from gpuprobe import capture
from gpuprobe.discovery import replay
from gpuprobe.doctor.card_status import card_statuses, summary
from gpuprobe.doctor.diagnosis import findings_of
from gpuprobe.doctor.findings import Severity
from gpuprobe.doctor.machine_findings import findings_of_the_machine
from gpuprobe.doctor.notes import of_inventory
from gpuprobe.judging.rules import judge
from gpuprobe.model import Inventory, Request
from tests.doctor.told_diagnoses import noted

CASES = Path(__file__).parent / "other_cases"
# What one sentence of the first release listed together, whatever the machine showed.
GUESSES = (
    "the runtime has no card that it may use",
    "is not installed or does not load, it found no card",
    "a variable such as",
)


class Case(NamedTuple):
    """What is right for one machine. `never` stands nowhere in what is said of it."""

    name: str
    finding: str
    because: str
    advice: str
    never: tuple[str, ...]


UNUSABLE = (
    Case("kfd-absent", "amd-kfd-node-missing", "KFD", "grep HSA_AMD", ("modprobe", "--device", "usermod", "VISIBLE")),
    Case("kfd-denied-render-node-open", "amd-kfd-permission", "`/dev/kfd` (group render)", "usermod -aG render", ("modprobe",)),
    Case("container-group", "container-gid-mismatch", "`/dev/dri/renderD128`", "--group-add 992", ("usermod", "newgrp")),
    Case("rocblas-without-gfx906", "rocblas-no-kernels", "has no code for gfx906", "use ROCm 6.3", ("reinstall",)),
    Case(
        "wsl-dxg-detection",
        "wsl-amd-not-enabled",
        "librocdxg",
        "export HSA_ENABLE_DXG_DETECTION=1",
        ("/dev/kfd", "modprobe", "render", "--device"),
    ),
    Case("arc-small-bar", "intel-small-bar", "Resizable BAR is off", "Above 4G Decoding", ("libze", "ZE_AFFINITY_MASK")),
    Case(
        "vulkan-driver-does-not-load",
        "vk-driver-does-not-load",
        "libGLdispatch",
        "libglvnd0 libgl1 libglx0 libegl1",
        ("ROCm", "hip", "usermod"),
    ),
    Case("asahi-software-only", "vk-software-only", "asahi_icd.aarch64.json", "quay.io/ramalama/asahi", ("permission",)),
)
LESSER = (
    Case(
        "kfd-absent-and-vulkan-works", "amd-kfd-node-missing", "`/dev/kfd` does not exist", "HSA_AMD", ("--device", "usermod")
    ),
    Case("apu-carve-out-not-seen", "apu-carve-out-not-seen", "96.0 GiB", "Linux 6.16.9", ()),
    Case("override-for-another-family", "hsa-override-wrong", "gfx1101", "HSA_OVERRIDE_GFX_VERSION_2=10.3.0", ()),
    Case("no-build-for-the-card", "intel-l0-driver-missing", "libze_intel_gpu.so.1", "libze-intel-gpu1", ("ZE_AFFINITY",)),
)
HEALTHY = (
    *("env-hides-the-only-build-intel", "other-vendor-through-vulkan", "works-in-a-build-of-an-old-name", "v3d-and-ggml"),
)


def inventory_of(name: str) -> Inventory:
    request = Request()
    evidence = capture.load(CASES / f"{name}.json")
    return judge(replay(evidence, request), request)


@pytest.mark.parametrize("case", UNUSABLE, ids=lambda case: case.name)
def test_the_right_cause_is_the_headline_with_its_cure(case: Case) -> None:
    inventory = inventory_of(case.name)

    why = card_statuses(inventory)[0].why

    assert why is not None
    assert why.finding == case.finding
    assert case.because in why.because
    assert case.advice in str(why.advice)
    assert not [word for word in case.never if word in f"{why.because} {why.advice} {summary(inventory).text}"]


@pytest.mark.parametrize("case", LESSER, ids=lambda case: case.name)
def test_a_card_that_works_and_could_do_better_says_why_not(case: Case) -> None:
    inventory = inventory_of(case.name)

    found = findings_of(card_statuses(inventory)[0].card, inventory)
    first = next(each for each in found if each.severity is not Severity.INFO)

    assert (first.id, first.severity) == (case.finding, Severity.DEGRADED)
    assert case.because in first.because
    assert case.advice in str(first.advice)
    assert [note for note in of_inventory(inventory) if first.because in note]
    assert not [word for word in case.never if word in f"{first.because} {first.advice}"]


@pytest.mark.parametrize("name", HEALTHY)
def test_a_machine_that_works_has_no_blocker_and_no_cause_below_its_best(name: str) -> None:
    inventory = inventory_of(name)

    found = [each for status in card_statuses(inventory) for each in findings_of(status.card, inventory)]

    assert [each.id for each in found if each.severity is not Severity.INFO] == []


@pytest.mark.parametrize("name", sorted(path.stem for path in CASES.glob("*.json")))
def test_no_list_of_guesses_is_left_of_an_old_capture(name: str) -> None:
    inventory = inventory_of(name)

    said = [status.why for status in card_statuses(inventory) if status.why]
    causes = [each for status in card_statuses(inventory) for each in noted(findings_of(status.card, inventory))]
    text = " ".join((summary(inventory).text, *of_inventory(inventory), *map(str, said), *(each.because for each in causes)))

    assert not [guess for guess in GUESSES if guess in text]


def test_a_gpu_beside_the_processor_is_one_though_an_old_capture_did_not_look_there() -> None:
    inventory = inventory_of("drm-device-off-the-bus")

    assert [each.id for each in findings_of_the_machine(inventory)] == ["gpu-off-the-bus-without-library"]
    assert summary(inventory).text.startswith("No GPU is usable: `/dev/dri/renderD128` belongs to one that is no PCI card")


def test_a_gpu_of_a_vendor_that_no_library_here_serves_is_one_and_is_told_what_it_needs() -> None:
    text = summary(inventory_of("moore-threads")).text

    assert text == "0 of 1 GPU usable; 0000:03:00.0 is not: it needs MUSA"
