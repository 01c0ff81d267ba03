"""802: the fabric where there are bridges, the attestation where the machine is confidential, and neither elsewhere."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.findings import Severity
from gpuprobe.facts.system_facts import Package, SystemFacts
from gpuprobe.model import Call, Status
from tests.doctor.nvidia_machines import (
    DOCKER,
    FIRST,
    VERSION,
    VIRTUAL,
    card,
    commands,
    cuda,
    findings,
    headline,
    ids,
    is_certain,
    nvidia_host,
    nvml,
    passed,
    refused,
    texts,
)
from tests.records import a_card, an_outcome

NOT_READY = refused(802, "CUDA_ERROR_SYSTEM_NOT_READY")
WORKS = an_outcome(nvml())
BRIDGE = a_card("0000:05:00.0", device=0x22A3, class_code=0x068000, driver="nvidia-nvswitch")
HOPPER = a_card(FIRST, device=0x2330)
CONFIDENTIAL = {**VIRTUAL, "/proc/cpuinfo": "flags\t\t: fpu tdx_guest avx\n"}


def test_with_bridges_the_fabric_manager_is_what_is_missing() -> None:
    found = headline(nvidia_host(pci=(BRIDGE, HOPPER)), NOT_READY, WORKS)

    assert (found.id, is_certain(found)) == ("nv-fabric-manager-down", True)
    assert "nvidia-fabricmanager-580" in commands(found)


def test_from_a_container_it_is_started_on_the_host() -> None:
    found = headline(nvidia_host(pci=(BRIDGE, HOPPER), texts=texts(DOCKER)), NOT_READY, WORKS)

    assert commands(found).startswith("on the host")
    assert "apt" not in commands(found)


def test_one_of_another_version_is_told_with_both() -> None:
    package = Package("nvidia-fabricmanager-570", "570.169-1", "dpkg")
    system = SystemFacts(daemons={"nv-fabricmanager": 7}, packages=(package,), package_lists={"dpkg": None})
    found = headline(nvidia_host(pci=(BRIDGE, HOPPER), system=system), NOT_READY, WORKS)

    assert "570.169" in found.because and VERSION in found.because


def test_one_that_runs_in_the_drivers_version_is_not_blamed() -> None:
    package = Package("nvidia-fabricmanager-580", f"{VERSION}-1", "dpkg")
    system = SystemFacts(daemons={"nv-fabricmanager": 7}, packages=(package,), package_lists={"dpkg": None})

    found = findings(nvidia_host(pci=(BRIDGE, HOPPER), system=system), NOT_READY, WORKS)

    assert "nv-fabric-manager-down" not in ids(found)


def test_a_daemon_that_was_looked_for_and_does_not_run_is_said_so() -> None:
    found = headline(nvidia_host(pci=(BRIDGE, HOPPER), system=SystemFacts(daemons={})), NOT_READY, WORKS)

    assert "does not run" in found.because


def test_without_bridges_the_fabric_manager_is_never_named() -> None:
    found = findings(nvidia_host(pci=(HOPPER,)), NOT_READY, WORKS)

    assert "nv-fabric-manager-down" not in ids(found)
    assert "fabric" not in str([(each.because, commands(each)) for each in found])


def test_a_confidential_machine_waits_for_its_attestation() -> None:
    found = headline(nvidia_host(pci=(HOPPER,), texts=texts(CONFIDENTIAL)), NOT_READY, WORKS)

    assert (found.id, is_certain(found), found.settle) == ("nv-conf-compute-not-ready", False, "nvidia-smi conf-compute -grs")


@pytest.mark.parametrize("changed", [VIRTUAL, {"/proc/cpuinfo": "flags\t\t: fpu sev avx\n"}])
def test_an_ordinary_machine_virtual_or_not_does_not(changed: dict[str, str]) -> None:
    assert "nv-conf-compute-not-ready" not in ids(findings(nvidia_host(pci=(HOPPER,), texts=texts(changed)), NOT_READY, WORKS))


def test_a_start_of_many_seconds_asks_for_the_daemon_that_keeps_cards_up() -> None:
    slow = an_outcome(cuda(), calls=(Call("cuInit", 21.0),))
    host = nvidia_host(pci=card(), system=SystemFacts(daemons={}))
    found = findings(host, slow, WORKS, passed(cuda()))

    assert [(each.id, each.severity) for each in found] == [("nv-slow-init", Severity.DEGRADED)]
    assert "nvidia-persistenced" in commands(found[0])


def test_a_start_without_an_end_is_told_without_a_time() -> None:
    late = an_outcome(library="CUDA", status=Status.TIMED_OUT, message="no answer within 30 s")
    host = nvidia_host(pci=card(), system=SystemFacts(daemons={}))
    found = next(each for each in findings(host, late, WORKS) if each.id == "nv-slow-init")

    assert found.because == "CUDA did not start in time"
    assert "no answer in time" in {each.what for each in found.evidence}


@pytest.mark.parametrize("system", [None, SystemFacts(daemons={"nvidia-persistenced": 5})])
def test_where_it_runs_or_nobody_looked_nothing_is_said(system: SystemFacts | None) -> None:
    slow = an_outcome(cuda(), calls=(Call("cuInit", 21.0),))

    assert findings(nvidia_host(system=system), slow, WORKS, passed(cuda())) == ()
