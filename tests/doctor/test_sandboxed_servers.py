"""Units that hide device nodes from a server, while the card works in a shell; and cards on too few lanes."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.findings import Finding, Place, Severity
from gpuprobe.doctor.whole_machine import sandboxed_servers
from gpuprobe.facts import Host, Reading
from gpuprobe.facts.system_facts import SystemFacts, UnitFiles
from gpuprobe.judging.rules import judge
from gpuprobe.model import Request
from tests.doctor.nvidia_machines import (
    DOCKER,
    card,
    commands,
    cuda,
    evidence,
    findings,
    nvidia_host,
    nvml,
    passed,
    refused,
    texts,
)
from tests.records import an_outcome

PATH = "/etc/systemd/system/ollama.service"


def serving(*lines: str, name: str = "ollama.service", **fields: object) -> Host:
    written = Reading("\n".join(("[Service]", "ExecStart=/usr/bin/ollama serve", *lines)))
    unit = UnitFiles(name, files={PATH: written})
    return nvidia_host(**{"system": SystemFacts(units=(unit,)), **fields})


def told(host: Host, *, works: bool = True) -> list[Finding]:
    listed = (an_outcome(cuda()), an_outcome(nvml()), passed(cuda())) if works else (refused(999), an_outcome(nvml()))
    inventory = judge(evidence(host, *listed), Request())
    return list(sandboxed_servers.device_nodes_hidden(inventory))


@pytest.mark.parametrize(
    "lines",
    [
        ("PrivateDevices=yes",),
        ("DevicePolicy=closed",),
        ("DevicePolicy=strict", "DeviceAllow=/dev/null rw"),
        ("DeviceAllow=char-pts rw",),
    ],
)
def test_a_unit_that_hides_the_cards_nodes_is_named_with_its_line(lines: tuple[str, ...]) -> None:
    (found,) = told(serving(*lines))

    assert found.id == "systemd-device-sandbox"
    assert found.evidence[0].where == PATH
    assert "sudo systemctl edit ollama.service" in commands(found)


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("PrivateDevices=no",),
        ("DevicePolicy=auto",),
        ("DevicePolicy=closed", "DeviceAllow=char-nvidia-uvm rw", "DeviceAllow=/dev/nvidia0 rw"),
        ("DeviceAllow=/dev/nvidiactl rw",),
    ],
)
def test_a_unit_that_lets_them_in_hides_nothing(lines: tuple[str, ...]) -> None:
    assert told(serving(*lines)) == []


def test_units_that_compute_nothing_and_cards_that_do_not_work_are_no_matter() -> None:
    assert told(serving("PrivateDevices=yes", name="nginx.service")) == []
    assert told(serving("PrivateDevices=yes"), works=False) == []
    assert told(serving("PrivateDevices=yes", texts=texts(DOCKER))) == []


@pytest.mark.parametrize(("lanes", "expected"), [(1, ["pci-link-degraded"]), (16, []), (None, [])])
def test_fewer_lanes_than_the_card_has_are_told_of_a_card_that_works(lanes: int | None, expected: list[str]) -> None:
    host = nvidia_host(pci=card(current_link_width=lanes, max_link_width=16))
    found = findings(host, an_outcome(cuda()), an_outcome(nvml()), passed(cuda()))

    assert [each.id for each in found] == expected
    assert {each.severity for each in found} <= {Severity.INFO}


def test_a_card_in_too_few_lanes_is_seated_again_on_the_host_of_a_container() -> None:
    inside = nvidia_host(pci=card(current_link_width=1, max_link_width=16), texts={"/.dockerenv": Reading("")})
    (found,) = findings(inside, an_outcome(cuda()), an_outcome(nvml()), passed(cuda()))

    assert [step.where for step in found.fix] == [Place.HOST]
