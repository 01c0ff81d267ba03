"""What is told of one NVIDIA card beside another: each word of the kernel and of NVML is for the card that it is about."""

from __future__ import annotations

import pytest

from gpuprobe.facts import Host
from gpuprobe.model import Status
from tests.doctor.nvidia_machines import (
    FIRST,
    SECOND,
    VERSION,
    findings,
    headline,
    ids,
    is_certain,
    log,
    nvidia_host,
    nvml,
    nvml_says,
    refused,
    texts,
)
from tests.records import a_card, an_outcome

NONE = refused(100, "CUDA_ERROR_NO_DEVICE", status=Status.NO_DEVICES)
UNKNOWN = refused(999, "CUDA_ERROR_UNKNOWN")
SECOND_LISTED = an_outcome(nvml(pci_id=SECOND, uuid="GPU-2"))
# Lines that name the first card by its address, and the cause that each is.
WORDS = {
    "nv-xid-79": f"NVRM: GPU {FIRST}: GPU has fallen off the bus.",
    "nv-power-cable": f"NVRM: GPU {FIRST}: GPU does not have the necessary power cables connected.",
    "pci-d3cold-stuck": f"nvidia {FIRST}: Unable to change power state from D3cold to D0, device inaccessible",
    "pci-config-dead": f"nvidia {FIRST}: Refused to change power state, currently in D3",
    "nv-gsp-timeout": "NVRM: Xid (PCI:0000:01:00): 119, pid=1, Timeout waiting for RPC from GSP!",
    "ecc-or-memory-fault": "NVRM: Xid (PCI:0000:01:00): 48, pid=1, An uncorrectable double bit error (DBE) has been detected",
    "app-level-xid": "NVRM: Xid (PCI:0000:01:00): 31, pid=1, MMU Fault",
    "nv-rminitadapter-failed": f"NVRM: GPU {FIRST}: RmInitAdapter failed! (0x62:0x40:1860)",
    "pci-bar-unassigned": f"NVRM: BAR1 is 0M @ 0x0 (PCI:{FIRST})",
}


def two(**fields: object) -> Host:
    return nvidia_host(pci=(a_card(FIRST), a_card(SECOND)), **fields)


@pytest.mark.parametrize("cause", WORDS)
def test_a_line_of_the_kernels_is_for_the_card_that_it_names(cause: str) -> None:
    host = two(system=log(WORDS[cause]))

    assert cause in ids(findings(host, UNKNOWN, nvml_says(9)))
    assert cause not in ids(findings(host, UNKNOWN, nvml_says(9), address=SECOND))


@pytest.mark.parametrize("cause", [name for name, line in WORDS.items() if FIRST in line])
def test_of_one_card_alone_a_line_need_not_name_it(cause: str) -> None:
    host = nvidia_host(system=log(WORDS[cause].replace(FIRST, "0")))
    beside = two(system=log(WORDS[cause].replace(FIRST, "0")))

    assert cause in ids(findings(host, UNKNOWN, nvml_says(9)))
    assert cause not in ids(findings(beside, UNKNOWN, nvml_says(9)))


@pytest.mark.parametrize("cause", WORDS)
def test_what_a_machine_of_one_card_says_is_told_in_full(cause: str) -> None:
    found = [each for each in findings(nvidia_host(system=log(WORDS[cause])), UNKNOWN, nvml_says(9)) if each.id == cause]

    assert [each.evidence[0].what for each in found] == [WORDS[cause]]


@pytest.mark.parametrize(("number", "cause"), [(15, "nv-xid-79"), (16, "nv-gsp-timeout"), (8, "nv-power-cable")])
def test_a_number_of_nvmls_is_for_a_card_alone_or_for_the_one_that_it_names(number: int, cause: str) -> None:
    named = nvml(capabilities={"problems": {"handle": f"NVML_ERROR ({number})"}})

    assert headline(nvidia_host(), UNKNOWN, nvml_says(number)).id == cause
    assert cause not in ids(findings(two(), UNKNOWN, nvml_says(number)))
    assert cause in ids(findings(two(), UNKNOWN, an_outcome(named)))
    assert cause not in ids(findings(two(), UNKNOWN, an_outcome(named), address=SECOND))


def test_of_two_numbers_none_is_for_certain_the_cards() -> None:
    lost, cable = (
        nvml(pci_id=None, uuid=None, number=place, capabilities={"problems": {"handle": f"NVML_ERROR ({number})"}})
        for place, number in enumerate((15, 8))
    )
    found = headline(two(), NONE, an_outcome(lost, cable))

    assert (found.id, is_certain(found)) == ("nv-xid-79", False)


@pytest.mark.parametrize(
    ("device", "cause", "line"),
    [
        (0x3FFF, "nv-legacy-branch-required", "is supported through the NVIDIA 470.xx Legacy drivers."),
        (0x3FFF, "nv-needs-open-module", "requires use of the NVIDIA open kernel modules."),
        (0x3FFF, "nv-open-module-pre-turing", "does not include the required GPU System Processor (GSP)."),
        (0x3FFF, "nv-driver-too-old-for-gpu", f"is not supported by the NVIDIA {VERSION} driver release."),
        (0x1C81, "nv-open-module-pre-turing", "not supported by open nvidia.ko because it does not include the GSP"),
        (0x102D, "nv-open-module-pre-turing", "not supported by open nvidia.ko because it does not include the GSP"),
    ],
)
def test_a_chip_that_no_row_knows_is_judged_by_the_kernels_words(device: int, cause: str, line: str) -> None:
    system = log(f"NVRM: The NVIDIA GPU {FIRST} (PCI ID: 10de:3fff) installed in this system {line}")
    unstarted = {"/proc/driver/nvidia/version": None, "/sys/module/nvidia/version": None}
    alone = nvidia_host(pci=(a_card(FIRST, device=device),), system=system)
    nameless = nvidia_host(pci=(a_card(FIRST, device=device),), system=system, libraries=(), texts=texts(unstarted))
    both = nvidia_host(pci=(a_card(FIRST, device=device), a_card(SECOND, device=0x2684)), system=system)

    for host in (alone, nameless, both):
        assert cause in ids(findings(host, NONE, nvml_says(9)))
    assert cause not in ids(findings(both, NONE, nvml_says(9), address=SECOND))
