"""Branch and flavour of the driver against the chip: two look-ups, and the kernel's own words where it says so."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gpuprobe import knowledge
from gpuprobe.doctor.about_nvidia.generations import branch_of, chip_of
from gpuprobe.facts import Host
from gpuprobe.machine import Card
from gpuprobe.model import Status
from gpuprobe.vendors import NVIDIA
from tests.doctor.nvidia_machines import (
    COUNTS_NONE,
    FIRST,
    card,
    commands,
    findings,
    headline,
    ids,
    is_certain,
    library,
    log,
    nvidia_host,
    nvml,
    refused,
    texts,
    without_driver,
)
from tests.records import an_outcome

NONE = refused(100, "CUDA_ERROR_NO_DEVICE", status=Status.NO_DEVICES)
PASCAL, P4, BLACKWELL, ADA, GB10 = 0x1C81, 0x1BB3, 0x2B85, 0x2684, 0x2E12
UNSTARTED = {f"/proc/driver/nvidia/gpus/{FIRST}/information": "Model: Unknown\nGPU UUID: GPU-????????\nDevice Minor: 0\n"}


def running(device: int, version: str, *, is_open: bool = False, driver: str | None = "nvidia", **fields: object) -> Host:
    """A driver of this version in memory that did not start the card."""
    flavour = f"Open Kernel Module for x86_64  {version}  Release" if is_open else f"x86_64 Kernel Module  {version}  Tue"
    changed = {
        "/proc/driver/nvidia/version": f"NVRM version: NVIDIA UNIX {flavour}\n",
        "/sys/module/nvidia/version": f"{version}\n",
        **UNSTARTED,
    }
    both = (library("libcuda.so.1", version), library("libnvidia-ml.so.1", version))
    return nvidia_host(**{"texts": texts(changed), "pci": card(device=device, driver=driver), "libraries": both, **fields})


def test_a_pascal_card_was_dropped_by_595() -> None:
    found = headline(running(PASCAL, "595.58.03", driver=None), NONE, COUNTS_NONE)

    assert (found.id, is_certain(found)) == ("nv-legacy-branch-required", True)
    assert "595.58.03" in found.because and "Pascal" in found.because and "580 is the last branch" in found.because
    assert "nvidia-driver-580" in commands(found)
    assert "use Vulkan or the CPU" not in commands(found)  # CUDA's programs still run with that branch


def test_it_was_dropped_also_where_the_module_is_not_loaded_at_all() -> None:
    libraries = (library("libcuda.so.1", "595.71"),)
    host = nvidia_host(texts=without_driver("nixos"), pci=card(device=PASCAL, driver=None), libraries=libraries, nodes=())
    found = headline(host, NONE)

    assert found.id == "nv-legacy-branch-required"
    assert "legacy_580" in commands(found)


def test_a_kepler_card_is_told_that_its_branch_is_too_old_for_cuda_today() -> None:
    found = headline(running(0x102D, "580.95.05", driver=None), NONE, COUNTS_NONE)

    assert found.id == "nv-legacy-branch-required"
    assert "470" in found.because
    assert "use Vulkan or the CPU" in commands(found)


@pytest.mark.parametrize(("device", "version"), [(PASCAL, "580.95.05"), (ADA, "595.58.03"), (BLACKWELL, "595.58.03")])
def test_a_branch_that_serves_the_chip_has_not_dropped_it(device: int, version: str) -> None:
    found = ids(findings(running(device, version, is_open=device == BLACKWELL), NONE, COUNTS_NONE))

    assert "nv-legacy-branch-required" not in found


def test_the_open_module_does_not_drive_a_tesla_p4() -> None:
    found = headline(running(P4, "580.178.04", is_open=True), NONE, COUNTS_NONE)

    assert (found.id, is_certain(found)) == ("nv-open-module-pre-turing", True)
    assert "nv-rminitadapter-failed" not in ids(findings(running(P4, "580.178.04", is_open=True), NONE, COUNTS_NONE))
    assert "nvidia-driver-580`" in commands(found)


def test_the_closed_module_drives_it() -> None:
    assert "nv-open-module-pre-turing" not in ids(findings(running(P4, "580.178.04"), NONE, COUNTS_NONE))


def test_blackwell_needs_the_open_module() -> None:
    found = headline(running(BLACKWELL, "580.95.05"), NONE, COUNTS_NONE)

    assert (found.id, is_certain(found)) == ("nv-needs-open-module", True)
    assert "nvidia-driver-580-open" in commands(found)


def test_what_nvml_lists_was_started_whatever_a_row_says() -> None:
    """As by NVIDIA's own driver for hosts of virtual GPUs."""
    listed = an_outcome(nvml(name="NVIDIA RTX PRO 6000 Blackwell"))

    assert "nv-needs-open-module" not in ids(findings(running(BLACKWELL, "580.95.05"), refused(999), listed))


def test_ada_takes_either_module() -> None:
    both = [running(ADA, "580.95.05", is_open=is_open) for is_open in (True, False)]
    found = [each for host in both for each in ids(findings(host, NONE, COUNTS_NONE))]

    assert not {"nv-needs-open-module", "nv-open-module-pre-turing"} & set(found)


@pytest.mark.parametrize(("device", "version", "since"), [(BLACKWELL, "550.163.01", "570"), (GB10, "575.57.08", "580")])
def test_a_driver_from_before_the_card_is_too_old(device: int, version: str, since: str) -> None:
    found = headline(running(device, version, is_open=True, driver=None), NONE, COUNTS_NONE)

    assert (found.id, is_certain(found)) == ("nv-driver-too-old-for-gpu", True)
    assert f"{since} is the first branch" in found.because


def test_the_kernels_own_words_count_where_no_row_knows_the_chip() -> None:
    words = "NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:3fff) installed in this system is not supported by the NVIDIA "
    system = log(f"{words}580.95.05 driver release.")
    found = headline(running(0x3FFF, "580.95.05", driver=None, system=system), NONE, COUNTS_NONE)

    assert found.id == "nv-driver-too-old-for-gpu"


def test_an_unknown_chip_and_a_silent_kernel_prove_nothing() -> None:
    found = ids(findings(running(0x3FFF, "580.95.05"), NONE, COUNTS_NONE))

    assert not [each for each in found if each in ("nv-driver-too-old-for-gpu", "nv-legacy-branch-required")]


@pytest.mark.parametrize(
    ("device", "architecture"),
    [
        (0x1180, "Kepler"),
        (0x13C2, "Maxwell"),
        (0x1BB3, "Pascal"),
        (0x1DB6, "Volta"),
        (0x1EB8, "Turing"),
        (0x20B5, "Ampere"),
        (0x2330, "Hopper"),
        (0x2684, "Ada"),
        (0x2901, "Blackwell"),
        (0x2E12, "Blackwell"),
    ],
)
def test_a_device_id_tells_the_architecture(device: int, architecture: str) -> None:
    chip = chip_of(Card(kind="pci", vendor_id=NVIDIA.pci_id, device_id=device))

    assert chip is not None and chip.architecture == architecture


def test_no_device_id_is_in_two_rows() -> None:
    ranges = sorted(pair for row in knowledge.chips() for pair in row.ids)

    assert all(low <= high for low, high in ranges)
    assert all(earlier[1] < later[0] for earlier, later in pairwise(ranges))


@pytest.mark.parametrize(("version", "branch"), [("580.95.05", 580), ("1.1", None), (None, None), ("x", None)])
def test_a_version_tells_its_branch(version: str | None, branch: int | None) -> None:
    assert branch_of(version) == branch
