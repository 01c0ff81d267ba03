"""Cards that the machine has and does not show."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.findings import Finding, Severity
from gpuprobe.doctor.whole_machine import missing_cards
from gpuprobe.facts import DeviceNode, Host, Listing, PciFunction, Reading
from gpuprobe.facts.system_facts import SystemFacts
from gpuprobe.judging.rules import judge
from gpuprobe.model import Device, Request
from tests.doctor.nvidia_machines import FIRST, SECOND, commands, cuda, evidence, ids, log, nvidia_host, nvml, passed
from tests.records import INTEL, a_card, a_host, an_outcome

GONE = log("nvidia 0000:41:00.0: enabling device (0000 -> 0003)", "NVRM: loading NVIDIA UNIX")
DOCK = SystemFacts(
    listings={"/sys/bus/thunderbolt/devices": Listing(("0-1",))},
    texts={
        "/sys/bus/thunderbolt/devices/0-1/authorized": Reading("0\n"),
        "/sys/bus/thunderbolt/devices/0-1/device_name": Reading("Core X\n"),
    },
)
OFF = SystemFacts(texts={"/etc/prime-discrete": Reading("off\n")})
PLAIN = {"/proc/self/cgroup": Reading("0::/\n")}


def told(host: Host, *devices: Device) -> list[Finding]:
    listed = [an_outcome(*devices), *map(passed, devices)] if devices else []
    inventory = judge(evidence(host, *listed), Request())
    return [finding for check in missing_cards.CHECKS for finding in check(inventory)]


def test_a_card_that_the_kernel_had_and_the_bus_lost_is_told_by_its_address() -> None:
    (found,) = told(nvidia_host(system=GONE), cuda())
    (alone,) = told(nvidia_host(system=GONE))

    assert (found.id, found.severity) == ("pci-device-vanished", Severity.DEGRADED)
    assert SECOND in found.because
    assert alone.severity is Severity.BLOCKER


def test_a_card_that_is_still_there_has_not_vanished() -> None:
    assert told(nvidia_host(system=GONE, pci=(a_card(FIRST), a_card(SECOND))), cuda()) == []


def test_a_dock_that_nobody_let_in_blocks_only_where_there_is_no_card() -> None:
    none = a_host(system=DOCK, texts=PLAIN)
    some = nvidia_host(system=DOCK)

    assert [(each.id, each.severity) for each in told(none)] == [("egpu-not-authorized", Severity.BLOCKER)]
    assert [each.severity for each in told(some, cuda())] == [Severity.INFO]
    assert "Core X" in told(none)[0].because
    assert told(nvidia_host(system=SystemFacts(listings={"/sys/bus/thunderbolt/devices": Listing(())})), cuda()) == []


def integrated() -> PciFunction:
    return a_card("0000:00:02.0", vendor=INTEL, device=0xA7A0, driver="i915")


def test_a_discrete_card_that_a_setting_switched_off_is_a_hint() -> None:
    host = a_host(pci=(integrated(),), system=OFF, texts=PLAIN)

    assert [(each.id, each.severity) for each in told(host)] == [("gpu-disabled-by-mux", Severity.INFO)]
    assert told(nvidia_host(system=OFF), cuda()) == []
    assert told(a_host(pci=(integrated(),), system=SystemFacts(texts={}), texts=PLAIN)) == []


def test_wsl_1_is_changed_to_wsl_2() -> None:
    (found,) = told(a_host(kernel="4.4.0-19041-Microsoft"))

    assert found.id == "wsl1"
    assert "wsl --set-version" in commands(found)


def test_wsl_2_without_its_node_is_mended_in_windows() -> None:
    wsl = a_host(kernel="5.15.167.4-microsoft-standard-WSL2", texts=PLAIN)
    dxg = DeviceNode("/dev/dxg", 0o666, 0, 0, 10, 125, True)

    assert ids(told(wsl)) == ["wsl-no-dxg"]
    assert told(wsl._replace(nodes=(dxg,))) == []
    assert told(a_host(texts=PLAIN)) == []


def two(first: str, second: str) -> tuple[Device, Device]:
    fast = cuda(name="NVIDIA GeForce RTX 4090", pci_id=first, uuid="GPU-1", number=0)
    return fast, cuda(name="NVIDIA GeForce RTX 3060", pci_id=second, uuid="GPU-2", number=1)


@pytest.mark.parametrize(
    ("environ", "expected"), [({}, ["env-cuda-order-confusion"]), ({"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, [])]
)
def test_two_ways_of_counting_are_told_where_they_differ(environ: dict[str, str], expected: list[str]) -> None:
    host = nvidia_host(pci=(a_card(FIRST), a_card(SECOND)), environ=environ)

    assert ids(told(host, *two(SECOND, FIRST))) == expected
    assert told(host, *two(FIRST, SECOND)) == []


def test_a_healthy_machine_misses_nothing() -> None:
    assert told(nvidia_host(system=log("nvidia 0000:01:00.0: enabling device")), cuda(), nvml()) == []
